//! Writes `nginx.conf`.

use crate::{
    environment::Outside,
    error::Error,
    machine::Machine,
    places::Places,
    resolver::Resolver,
    settings::{HealthCheck, Settings, Tls},
    template::{self, Unknown},
};

/// The `nginx.conf` that the settings make of a template.
pub fn conf(
    template: &[u8],
    places: &Places,
    machine: &Machine,
    settings: &Settings,
    outside: &dyn Outside,
) -> Result<Vec<u8>, Error> {
    let resolver = Resolver::find(machine);
    let (servers, origins) = origin_lines(settings, resolver.as_ref(), outside);
    let (health_check, healthz) = health_check_lines(&settings.health_check);
    let values = [
        ("run", vec![places.run.clone()]),
        ("load_module", machine.load_module.clone()),
        ("workers", vec![workers(settings, machine)]),
        ("log_level", vec![settings.log_level.into()]),
        ("shutdown_timeout", vec![settings.shutdown_timeout.clone()]),
        ("access_log", vec![access_log(settings, machine).into()]),
        (
            "resolver",
            resolver.iter().map(Resolver::directive).collect(),
        ),
        ("servers", servers),
        ("origins", origins),
        ("health_check", health_check),
        ("client", vec![client_line(settings)]),
        ("settings", setting_lines(settings)),
        ("listen", listen_lines(settings, machine)),
        ("scheme", vec![settings.origins.scheme.name().into()]),
        (
            "buffering",
            vec![on_or_off(settings.upload_buffering).into()],
        ),
        ("tls", tls_lines(&settings.tls)),
        ("healthz", healthz),
        ("status_allow", allow_lines(settings)),
    ];
    template::fill(template, &values).map_err(|Unknown { line, name }| Error::TemplateName {
        path: places.template.as_encoded_bytes().to_vec(),
        line,
        name,
    })
}

fn on_or_off(is_on: bool) -> &'static str {
    if is_on { "on" } else { "off" }
}

fn workers(settings: &Settings, machine: &Machine) -> String {
    let asked = settings.workers.clone();
    let own = || machine.workers().map(|workers| workers.to_string());
    asked.or_else(own).unwrap_or_else(|| "auto".into())
}

/// An empty name is nginx's stderr.
fn access_log(settings: &Settings, machine: &Machine) -> &'static str {
    match (settings.access_log, machine.has_stdout) {
        (false, _) => "off",
        (true, true) => "/dev/stdout s3_resign",
        (true, false) => "\"\" s3_resign",
    }
}

fn origin_lines(
    settings: &Settings,
    resolver: Option<&Resolver<'_>>,
    outside: &dyn Outside,
) -> (Vec<String>, Vec<String>) {
    let lines = settings.origins.origins.iter().map(|origin| {
        let followed = resolver.and_then(|resolver| resolver.followed(origin, outside));
        let resolve = if followed.is_some() { " resolve" } else { "" };
        let server = match followed {
            Some(name) => format!("{name}:{}", origin.port),
            None => origin.server(),
        };
        let backup = if origin.is_backup { " backup" } else { "" };
        (
            format!("server {server}{resolve}{backup};"),
            format!("s3_origin {server} {};", origin.parameters.join(" ")),
        )
    });
    lines.unzip()
}

/// The lines of the check, and those of the location for a balancer. By default `AccessDenied` passes,
/// since not every key may list the buckets.
fn health_check_lines(check: &HealthCheck) -> (Vec<String>, Vec<String>) {
    let check = match check {
        HealthCheck::On => "expect=2xx,AccessDenied",
        HealthCheck::With(parameters) => parameters,
        HealthCheck::Off => {
            let lines = [
                "default_type application/json;",
                "return 200 '{\"status\":\"ok\"}';",
            ];
            return (Vec::new(), lines.map(str::to_owned).into());
        }
    };
    (
        vec![format!("s3_health_check {check};")],
        vec!["s3_healthz s3;".into()],
    )
}

fn client_line(settings: &Settings) -> String {
    let Settings {
        access_key,
        secret_key,
        ..
    } = settings;
    format!("s3_client {access_key} secret_key={secret_key};")
}

fn setting_lines(settings: &Settings) -> Vec<String> {
    let mut lines = Vec::new();
    let region = settings.region.as_ref();
    lines.extend(region.map(|region| format!("s3_region {region};")));
    let host = settings.host.as_ref();
    lines.extend(host.map(|host| format!("s3_host {};", host.text())));
    let domains = settings.domains.as_ref();
    lines.extend(domains.map(|domains| format!("s3_domain {domains};")));
    let prefix = settings.prefix.as_ref();
    lines.extend(prefix.map(|prefix| format!("s3_prefix {prefix};")));
    let max_skew = settings.max_skew.as_ref();
    lines.extend(max_skew.map(|max_skew| format!("s3_max_skew {max_skew};")));
    let anonymous = settings.anonymous.as_ref();
    lines.extend(anonymous.map(|anonymous| format!("s3_anonymous {anonymous};")));
    if settings.errors != "s3" {
        lines.push(format!("s3_errors {};", settings.errors));
    }
    lines.extend(
        settings
            .flags
            .iter()
            .map(|directive| format!("{directive} on;")),
    );
    lines
}

fn listen_lines(settings: &Settings, machine: &Machine) -> Vec<String> {
    let port = settings.port;
    let ipv6 = machine.if_inet6.is_some();
    let mut lines = vec![format!("listen {port};")];
    lines.extend(ipv6.then(|| format!("listen [::]:{port};")));
    lines
}

fn tls_lines(tls: &Tls) -> Vec<String> {
    match tls {
        Tls::None => Vec::new(),
        Tls::Unverified => vec!["proxy_ssl_verify off;".into()],
        Tls::Verified(path) => vec![
            "proxy_ssl_verify on;".into(),
            "proxy_ssl_verify_depth 3;".into(),
            format!("proxy_ssl_trusted_certificate {path};"),
        ],
    }
}

fn allow_lines(settings: &Settings) -> Vec<String> {
    let addresses = settings.status_allow.iter();
    addresses
        .map(|address| format!("allow {address};"))
        .collect()
}
