//! nginx's table of the directives, and where each line is kept once `directives` has read it.
//! Defaults are in `conf`.

use std::ffi::CStr;
use std::rc::Rc;
use std::time::Duration;

use client_files::ClientFile;
use directives::{
    AT_EACH_LEVEL, BucketMapLine, CorsLine, IN_A_LOCATION, IN_EACH_UPSTREAM, OriginLine, Reading,
    RoleLine, duplicate, set_once,
};
use ngx::ffi::{
    NGX_CONF_1MORE, NGX_CONF_2MORE, NGX_CONF_ANY, NGX_CONF_FLAG, NGX_CONF_NOARGS, NGX_CONF_TAKE1,
    NGX_CONF_TAKE2, NGX_CONF_TAKE3, NGX_HTTP_LOC_CONF, NGX_HTTP_MAIN_CONF, NGX_HTTP_SRV_CONF,
    NGX_HTTP_UPS_CONF, ngx_command_t,
};
use ngx_safe::command::{Directive, location, server};
use ngx_safe::line::Line;
use secrets::Outside;

use crate::S3Resign;
use crate::conf::{LocationConf, SignedHeader, UpstreamConf, account_of};
use crate::content::{HealthzPage, StatusPage, StsEndpoint};
use crate::runtime::Runtime;

const ANYWHERE: u32 = NGX_HTTP_MAIN_CONF | NGX_HTTP_SRV_CONF | NGX_HTTP_LOC_CONF;

/// Describes a directive of a location, and of the levels around it.
const fn anywhere<D: Directive<LocationConf>>(name: &'static CStr, args: u32) -> ngx_command_t {
    location::<S3Resign, D>(name, ANYWHERE | args)
}

const fn flag<D: Directive<LocationConf>>(name: &'static CStr) -> ngx_command_t {
    anywhere::<D>(name, NGX_CONF_FLAG)
}

/// Describes a directive of a server, and of the level around it.
const fn on_a_server<D: Directive<LocationConf>>(name: &'static CStr, args: u32) -> ngx_command_t {
    location::<S3Resign, D>(name, NGX_HTTP_MAIN_CONF | NGX_HTTP_SRV_CONF | args)
}

const fn in_location<D: Directive<LocationConf>>(name: &'static CStr, args: u32) -> ngx_command_t {
    location::<S3Resign, D>(name, NGX_HTTP_LOC_CONF | args)
}

const fn in_upstream<D: Directive<UpstreamConf>>(name: &'static CStr, args: u32) -> ngx_command_t {
    server::<S3Resign, D>(name, NGX_HTTP_UPS_CONF | args)
}

pub(crate) static mut COMMANDS: [ngx_command_t; 32] = [
    flag::<ResignDirective>(c"s3_resign"),
    anywhere::<ClientDirective>(c"s3_client", NGX_CONF_2MORE),
    anywhere::<ClientFileDirective>(c"s3_client_file", NGX_CONF_TAKE1),
    anywhere::<IssuerDirective>(c"s3_issuer", NGX_CONF_2MORE),
    anywhere::<RevokeDirective>(c"s3_revoke", NGX_CONF_2MORE),
    anywhere::<RoleDirective>(c"s3_role", NGX_CONF_1MORE),
    in_location::<StsDirective>(c"s3_sts", NGX_CONF_NOARGS | NGX_CONF_TAKE1),
    anywhere::<LocationOriginDirective>(c"s3_origin", NGX_CONF_1MORE),
    in_upstream::<UpstreamOriginDirective>(c"s3_origin", NGX_CONF_2MORE),
    in_upstream::<SealKeyDirective>(c"s3_seal_key", NGX_CONF_TAKE1),
    anywhere::<LocationBucketMapDirective>(c"s3_bucket_map", NGX_CONF_TAKE2 | NGX_CONF_TAKE3),
    in_upstream::<UpstreamBucketMapDirective>(c"s3_bucket_map", NGX_CONF_TAKE2 | NGX_CONF_TAKE3),
    anywhere::<HostDirective>(c"s3_host", NGX_CONF_TAKE1),
    on_a_server::<DomainDirective>(c"s3_domain", NGX_CONF_1MORE),
    anywhere::<PrefixDirective>(c"s3_prefix", NGX_CONF_TAKE1),
    anywhere::<SignedHeaderDirective>(c"s3_signed_header", NGX_CONF_TAKE2),
    anywhere::<RegionDirective>(c"s3_region", NGX_CONF_TAKE1),
    anywhere::<MaxSkewDirective>(c"s3_max_skew", NGX_CONF_TAKE1),
    anywhere::<MaxAgeDirective>(c"s3_max_age", NGX_CONF_TAKE1),
    anywhere::<AnonymousDirective>(c"s3_anonymous", NGX_CONF_1MORE),
    flag::<SignatureV2Directive>(c"s3_signature_v2"),
    flag::<VerifyPayloadDirective>(c"s3_verify_payload"),
    flag::<SmallChunksDirective>(c"s3_small_chunks"),
    flag::<DebugErrorsDirective>(c"s3_debug_errors"),
    anywhere::<ReservedDirective>(c"s3_reserved", NGX_CONF_1MORE),
    anywhere::<ErrorsDirective>(c"s3_errors", NGX_CONF_TAKE1),
    anywhere::<CorsDirective>(c"s3_cors", NGX_CONF_1MORE),
    anywhere::<SseCDirective>(c"s3_sse_c", NGX_CONF_1MORE),
    in_location::<StatusDirective>(c"s3_status", NGX_CONF_NOARGS),
    in_upstream::<HealthCheckDirective>(c"s3_health_check", NGX_CONF_ANY),
    in_location::<HealthzDirective>(c"s3_healthz", NGX_CONF_NOARGS | NGX_CONF_TAKE1),
    ngx_command_t::empty(),
];

/// Directives, each with the function that keeps its lines.
macro_rules! directives {
    ($($directive:ident in $conf:ty: $keep:expr;)*) => {$(
        struct $directive;

        impl Directive<$conf> for $directive {
            fn keep(conf: &mut $conf, line: &mut Line<'_>) -> Result<(), String> {
                let keep: fn(&mut $conf, &mut Line<'_>) -> Result<(), String> = $keep;
                keep(conf, line)
            }
        }
    )*};
}

directives! {
    ResignDirective in LocationConf: |conf, line| set_flag(&mut conf.resign, line);
    ClientDirective in LocationConf: keep_client;
    ClientFileDirective in LocationConf: keep_client_file;
    IssuerDirective in LocationConf: |conf, line| {
        let issuer = read_keys(line, directives::issuer)?;
        conf.own_clients()?.issuers.insert(issuer)
    };
    RevokeDirective in LocationConf: |conf, line| {
        directives::revoke(&line.words(), conf.own_revoked()?)
    };
    RoleDirective in LocationConf: keep_role;
    StsDirective in LocationConf: keep_sts;
    LocationOriginDirective in LocationConf: keep_location_origin;
    UpstreamOriginDirective in UpstreamConf: keep_upstream_origin;
    SealKeyDirective in UpstreamConf: |conf, line| {
        let key = read_keys(line, directives::seal_key)?;
        set_once(&mut conf.seal_key, key, "s3_seal_key", IN_EACH_UPSTREAM)
    };
    LocationBucketMapDirective in LocationConf: keep_location_bucket_map;
    UpstreamBucketMapDirective in UpstreamConf: |conf, line| {
        conf.bucket_maps.push(directives::bucket_map(&line.words())?);
        Ok(())
    };
    HostDirective in LocationConf: keep_host;
    DomainDirective in LocationConf: keep_domains;
    PrefixDirective in LocationConf: keep_prefix;
    SignedHeaderDirective in LocationConf: keep_signed_header;
    RegionDirective in LocationConf: keep_region;
    MaxSkewDirective in LocationConf: keep_max_skew;
    MaxAgeDirective in LocationConf: keep_max_age;
    AnonymousDirective in LocationConf: keep_anonymous;
    SignatureV2Directive in LocationConf: |conf, line| set_flag(&mut conf.signature_v2, line);
    VerifyPayloadDirective in LocationConf: |conf, line| set_flag(&mut conf.verify_payload, line);
    SmallChunksDirective in LocationConf: |conf, line| set_flag(&mut conf.small_chunks, line);
    DebugErrorsDirective in LocationConf: |conf, line| set_flag(&mut conf.debug_errors, line);
    ReservedDirective in LocationConf: keep_reserved;
    ErrorsDirective in LocationConf: keep_errors;
    CorsDirective in LocationConf: keep_cors;
    SseCDirective in LocationConf: keep_sse_c;
    StatusDirective in LocationConf: keep_status;
    HealthCheckDirective in UpstreamConf: keep_health_check;
    HealthzDirective in LocationConf: keep_healthz;
}

/// Sets a flag as nginx sets its own, with its messages.
fn set_flag(flag: &mut Option<bool>, line: &mut Line<'_>) -> Result<(), String> {
    let value = directives::flag(&line.words())?;
    match flag.replace(value) {
        None => Ok(()),
        Some(_) => {
            let name = line
                .words()
                .first()
                .copied()
                .unwrap_or_default()
                .escape_ascii()
                .to_string();
            Err(format!("\"{name}\" directive is duplicate"))
        }
    }
}

/// The longest wait for a key that a pipe brings: nginx starts or reloads meanwhile.
const WAIT: Duration = Duration::from_secs(5);

/// Has a line read that may need more than its words, and logs what is doubtful.
fn read_with<T>(
    line: &Line<'_>,
    read: fn(&[&[u8]], &mut Reading<'_>) -> Result<T, String>,
) -> Result<T, String> {
    let outside = Outside {
        variable: &|name| std::env::var_os(name),
        folder: &line.folder(),
        wait: WAIT,
        process: "nginx's master process",
    };
    let mut reading = Reading::new(&outside);
    let result = read(&line.words(), &mut reading);
    for doubt in reading.doubts() {
        line.conf().warn(doubt);
    }
    result
}

/// Reads as `read_with` does, a line with keys in it, which are wiped from nginx's memory.
fn read_keys<T>(
    line: &mut Line<'_>,
    read: fn(&[&[u8]], &mut Reading<'_>) -> Result<T, String>,
) -> Result<T, String> {
    let result = read_with(line, read);
    // Any word may be one, in the wrong place. The first is the directive's name.
    for index in 1..line.words().len() {
        line.wipe(index);
    }
    result
}

fn keep_client(conf: &mut LocationConf, line: &mut Line<'_>) -> Result<(), String> {
    let client = read_keys(line, directives::client)?;
    conf.own_clients()?.listed.insert(client)
}

fn keep_client_file(conf: &mut LocationConf, line: &mut Line<'_>) -> Result<(), String> {
    let path = read_with(line, directives::client_file)?;
    let main: &Runtime = line.conf().own_main_conf::<S3Resign>();
    let mut all = main.client_files.borrow_mut();
    let found = all.iter().find(|file| *file.path() == path);
    let file = match found.map(Rc::clone) {
        Some(file) => file,
        None => {
            let name = path.display();
            let opened = ClientFile::open(&path, ngx_safe::now());
            let opened = opened.map_err(|fault| format!("\"s3_client_file\": {name}{fault}"))?;
            if let Some(doubt) = opened.doubt {
                line.conf().warn(&format!("{name}{doubt}"));
            }
            let file = Rc::new(opened.file);
            all.push(Rc::clone(&file));
            file
        }
    };
    let sources = conf.own_clients()?;
    if sources.files.iter().any(|other| Rc::ptr_eq(other, &file)) {
        let name = format!("s3_client_file {}", path.display());
        return Err(duplicate(&name, AT_EACH_LEVEL));
    }
    sources.files.push(file);
    Ok(())
}

fn keep_role(conf: &mut LocationConf, line: &mut Line<'_>) -> Result<(), String> {
    let RoleLine { role, key_set } = read_with(line, directives::role)?;
    let main: &Runtime = line.conf().own_main_conf::<S3Resign>();
    let named = format!("s3_role {}", role.name());
    let key_set = key_set.map(|key_set| main.key_sets.add(&key_set));
    let key_set = key_set
        .transpose()
        .map_err(|why| format!("\"{named}\": {why}"))?;
    main.accounts.note_user(&named, account_of(&role));
    conf.own_roles()?.insert(role, key_set)
}

fn keep_sts(conf: &mut LocationConf, line: &mut Line<'_>) -> Result<(), String> {
    let issuer = directives::sts(&line.words())?;
    set_once(&mut conf.sts, issuer, "s3_sts", IN_A_LOCATION)?;
    conf.answerer = line.conf().set_body_handler::<StsEndpoint>();
    check_answered(conf, "s3_sts")
}

/// Takes note of a line with keys of an account.
fn note_origin(line: &Line<'_>, origin: &OriginLine) {
    let main: &Runtime = line.conf().own_main_conf::<S3Resign>();
    main.accounts.note_origin(origin.account.as_ref());
}

fn keep_upstream_origin(conf: &mut UpstreamConf, line: &mut Line<'_>) -> Result<(), String> {
    let origin = read_keys(line, directives::upstream_origin)?;
    note_origin(line, &origin);
    conf.lines.push(origin)
}

fn keep_location_origin(conf: &mut LocationConf, line: &mut Line<'_>) -> Result<(), String> {
    let origin = read_keys(line, directives::location_origin)?;
    note_origin(line, &origin);
    let origins = conf.origin.get_or_insert_default();
    let origins = Rc::get_mut(origins).ok_or("origins are merged already")?;
    origins.push_only(origin)
}

fn keep_location_bucket_map(conf: &mut LocationConf, line: &mut Line<'_>) -> Result<(), String> {
    let map = directives::bucket_map(&line.words())?;
    let maps = conf.bucket_maps.get_or_insert_default();
    let maps: &mut Vec<BucketMapLine> = Rc::get_mut(maps).ok_or("names are merged already")?;
    maps.push(map);
    Ok(())
}

fn keep_host(conf: &mut LocationConf, line: &mut Line<'_>) -> Result<(), String> {
    directives::host(&line.words())?;
    if conf.host.is_some() {
        return Err("\"s3_host\" directive is duplicate".into());
    }
    conf.host = Some(line.template(1)?);
    Ok(())
}

fn keep_domains(conf: &mut LocationConf, line: &mut Line<'_>) -> Result<(), String> {
    let domains = directives::domains(&line.words())?;
    set_once(&mut conf.domains, domains, "s3_domain", AT_EACH_LEVEL)
}

fn keep_prefix(conf: &mut LocationConf, line: &mut Line<'_>) -> Result<(), String> {
    let prefix = directives::prefix(&line.words())?;
    set_once(&mut conf.prefix, prefix, "s3_prefix", AT_EACH_LEVEL)
}

fn keep_signed_header(conf: &mut LocationConf, line: &mut Line<'_>) -> Result<(), String> {
    let name = directives::signed_header(&line.words())?;
    let headers = conf.signed_headers.get_or_insert_default();
    let headers = Rc::get_mut(headers).ok_or("signed headers are merged already")?;
    if headers
        .iter()
        .any(|header: &SignedHeader| header.name.eq_ignore_ascii_case(&name))
    {
        return Err(duplicate(
            &format!("s3_signed_header {}", name.escape_ascii()),
            AT_EACH_LEVEL,
        ));
    }
    let value = line.template(2)?;
    headers.push(SignedHeader { name, value });
    Ok(())
}

fn keep_region(conf: &mut LocationConf, line: &mut Line<'_>) -> Result<(), String> {
    let rule = directives::region(&line.words())?;
    set_once(&mut conf.region, rule, "s3_region", AT_EACH_LEVEL)
}

fn keep_max_skew(conf: &mut LocationConf, line: &mut Line<'_>) -> Result<(), String> {
    let seconds = read_with(line, directives::max_skew)?;
    set_once(&mut conf.max_skew, seconds, "s3_max_skew", AT_EACH_LEVEL)
}

fn keep_max_age(conf: &mut LocationConf, line: &mut Line<'_>) -> Result<(), String> {
    let age = directives::max_age(&line.words())?;
    set_once(&mut conf.max_age, age, "s3_max_age", AT_EACH_LEVEL)
}

fn keep_anonymous(conf: &mut LocationConf, line: &mut Line<'_>) -> Result<(), String> {
    let anonymous = directives::anonymous(&line.words())?;
    set_once(
        &mut conf.anonymous,
        anonymous,
        "s3_anonymous",
        AT_EACH_LEVEL,
    )
}

fn keep_errors(conf: &mut LocationConf, line: &mut Line<'_>) -> Result<(), String> {
    let style = directives::errors(&line.words())?;
    set_once(&mut conf.errors, style, "s3_errors", AT_EACH_LEVEL)
}

fn keep_cors(conf: &mut LocationConf, line: &mut Line<'_>) -> Result<(), String> {
    let read = directives::cors(&line.words())?;
    let rules = conf.cors.get_or_insert_default();
    let rules = Rc::get_mut(rules).ok_or("rules are merged already")?;
    match read {
        _ if conf.cors_off => Err(duplicate("s3_cors", ONLY_OFF)),
        CorsLine::Off if !rules.is_empty() => Err(duplicate("s3_cors", ONLY_OFF)),
        CorsLine::Off => {
            conf.cors_off = true;
            Ok(())
        }
        CorsLine::Rule(rule) => {
            rules.push(rule);
            Ok(())
        }
    }
}

fn keep_sse_c(conf: &mut LocationConf, line: &mut Line<'_>) -> Result<(), String> {
    let read = read_keys(line, directives::sse_c)?;
    conf.customer_keys.get_or_insert_default().insert(read)
}

/// The remedy where a level has both.
const ONLY_OFF: &str = "keep \"off\" or the rules";

fn keep_reserved(conf: &mut LocationConf, line: &mut Line<'_>) -> Result<(), String> {
    let names = directives::reserved(&line.words())?;
    set_once(&mut conf.reserved, names, "s3_reserved", AT_EACH_LEVEL)
}

fn keep_status(conf: &mut LocationConf, line: &mut Line<'_>) -> Result<(), String> {
    if conf.status {
        return Err(duplicate("s3_status", IN_A_LOCATION));
    }
    conf.status = true;
    let main: &Runtime = line.conf().own_main_conf::<S3Resign>();
    main.wants_status.set(true);
    conf.answerer = line.conf().set_content_handler::<StatusPage>();
    check_answered(conf, "s3_status")
}

fn keep_health_check(conf: &mut UpstreamConf, line: &mut Line<'_>) -> Result<(), String> {
    let check = directives::health_check(&line.words())?;
    set_once(&mut conf.health, check, "s3_health_check", IN_EACH_UPSTREAM)
}

fn keep_healthz(conf: &mut LocationConf, line: &mut Line<'_>) -> Result<(), String> {
    let healthz = directives::healthz(&line.words());
    set_once(&mut conf.healthz, healthz, "s3_healthz", AT_EACH_LEVEL)?;
    conf.answerer = line.conf().set_content_handler::<HealthzPage>();
    check_answered(conf, "s3_healthz")
}

/// Checks that the location is answered by a directive alone.
fn check_answered(conf: &LocationConf, directive: &str) -> Result<(), String> {
    match conf.answerer {
        Some(_) => Ok(()),
        None => Err(format!(
            "\"{directive}\" is in a location that another directive answers: remove that one here"
        )),
    }
}
