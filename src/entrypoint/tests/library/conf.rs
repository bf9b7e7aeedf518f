//! What variables make of `nginx.conf`.

use std::collections::BTreeMap;

use crate::common::{
    Fake, directives, environment, keys, machine, made, made_on, one, text_of, two, variables, with,
};
use entrypoint::{Build, Enabled, Machine, Places, load_module, loads_module, port};

fn server_of(origin: &[(&str, &str)]) -> String {
    let keys = with(
        keys(),
        &[
            ("ORIGIN_ACCESS_KEY", "AKIDA"),
            ("ORIGIN_SECRET_KEY", "secret"),
        ],
    );
    let text = text_of(made(with(keys, origin)));
    let server = directives(&text, "server").concat();
    let origin = directives(&text, "s3_origin").concat();
    let host = origin.split_once(" host=").map(|(_, host)| host.to_owned());
    assert!(origin.starts_with(&format!("{server} ")), "{origin}");
    format!("{server} {}", host.unwrap_or_default())
}

#[test]
fn one_origin() {
    let text = text_of(made(one()));
    assert_eq!(directives(&text, "server"), ["s3.mydomain.com:443"]);
    assert_eq!(
        directives(&text, "s3_origin"),
        [
            "s3.mydomain.com:443 access_key=env:ORIGIN_ACCESS_KEY secret_key=env:ORIGIN_SECRET_KEY \
             host=s3.mydomain.com"
        ]
    );
    assert_eq!(
        directives(&text, "s3_client"),
        ["env:CLIENT_ACCESS_KEY secret_key=env:CLIENT_SECRET_KEY"]
    );
    assert_eq!(directives(&text, "proxy_pass"), ["https://s3"]);
    assert_eq!(directives(&text, "load_module"), ["/module.so"]);
    assert_eq!(directives(&text, "listen"), ["8080"]);
    assert_eq!(directives(&text, "resolver"), [""; 0]);
    assert_eq!(directives(&text, "pid"), ["/tmp/s3-resign/nginx.pid"]);
}

#[test]
fn several_origins() {
    let more = [
        ("SERVERA_REGION", "eu"),
        ("SERVERA_BACKUP", "on"),
        ("SERVERB_SESSION_TOKEN", "token"),
        ("SERVERB_ADDRESSING", "virtual"),
        ("SERVERB_FRAMING", "decode"),
        ("SERVERB_DIALECT", "gcs"),
        ("AWS_REGION", "us-east-1"),
    ];
    let text = text_of(made(with(two(), &more)));
    assert_eq!(
        directives(&text, "server"),
        ["a.mydomain.com:443 backup", "b.mydomain.com:443"]
    );
    assert_eq!(
        directives(&text, "s3_origin"),
        [
            "a.mydomain.com:443 access_key=env:SERVERA_ACCESS_KEY secret_key=env:SERVERA_SECRET_KEY \
             host=a.mydomain.com region=eu",
            "b.mydomain.com:443 access_key=env:SERVERB_ACCESS_KEY secret_key=env:SERVERB_SECRET_KEY \
             session_token=env:SERVERB_SESSION_TOKEN host=b.mydomain.com region=us-east-1 \
             addressing=virtual framing=decode dialect=gcs",
        ]
    );
}

#[test]
fn where_to_connect_and_the_name_of_the_origin() {
    for (origin, expected) in [
        (vec![("ORIGIN_DOMAIN", "s3")], "s3:443 s3"),
        (vec![("ORIGIN_DOMAIN", "s3:9000")], "s3:9000 s3:9000"),
        (
            vec![("ORIGIN_DOMAIN", "s3"), ("ORIGIN_PORT", "9000")],
            "s3:9000 s3:9000",
        ),
        (
            vec![("ORIGIN_DOMAIN", "s3:9000"), ("ORIGIN_PORT", "9000")],
            "s3:9000 s3:9000",
        ),
        (
            vec![("ORIGIN_DOMAIN", "s3"), ("ORIGIN_SCHEME", "http")],
            "s3:80 s3",
        ),
        (
            vec![
                ("ORIGIN_DOMAIN", "s3"),
                ("ORIGIN_HOST", "127.0.0.1"),
                ("ORIGIN_PORT", "9000"),
            ],
            "127.0.0.1:9000 s3",
        ),
        (
            vec![("ORIGIN_DOMAIN", "s3:1"), ("ORIGIN_HOST", "[::1]:9000")],
            "[::1]:9000 s3:1",
        ),
        (
            vec![("ORIGIN_DOMAIN", "s3:1"), ("ORIGIN_HOST", "[::1]")],
            "[::1]:443 s3:1",
        ),
        (vec![("ORIGIN_HOST", "s3:9000")], "s3:9000 s3:9000"),
        (
            vec![("ORIGIN_DOMAIN", "s3"), ("ORIGIN_HOST", "s3:9000")],
            "s3:9000 s3:9000",
        ),
    ] {
        assert_eq!(server_of(&origin), expected, "{origin:?}");
    }
}

#[test]
fn host_and_endpoint_are_the_same() {
    let more = [("SERVERA_HOST", "a.mydomain.com"), ("SERVERA_PORT", "9000")];
    let text = text_of(made(with(two(), &more)));
    assert_eq!(directives(&text, "server")[0], "a.mydomain.com:9000");
    let without = [("SERVERA_ENDPOINT", ""), ("SERVERA_HOST", "other:1")];
    let text = text_of(made(with(two(), &without)));
    assert_eq!(directives(&text, "server")[0], "other:1");
}

#[test]
fn settings() {
    for (name, value, expected) in [
        ("S3_ANONYMOUS", "yes", "s3_anonymous on;"),
        ("S3_ANONYMOUS", "sign", "s3_anonymous sign;"),
        (
            "S3_ANONYMOUS",
            "sign allow=read buckets=a,b/c*",
            "s3_anonymous sign allow=read buckets=a,b/c*;",
        ),
        ("S3_SIGNATURE_V2", "1", "s3_signature_v2 on;"),
        ("S3_VERIFY_PAYLOAD", "ON", "s3_verify_payload on;"),
        ("S3_DEBUG_ERRORS", "True", "s3_debug_errors on;"),
        ("S3_ERRORS", "s3proxy", "s3_errors s3proxy;"),
        ("S3_REGION", "eu_1.a", "s3_region eu_1.a;"),
        (
            "S3_HOST",
            "s3.mydomain.com:8443",
            "s3_host s3.mydomain.com:8443;",
        ),
        (
            "S3_DOMAIN",
            "s3.mydomain.com, media.mydomain.com=media",
            "s3_domain s3.mydomain.com media.mydomain.com=media;",
        ),
        ("S3_PREFIX", "/s3", "s3_prefix /s3;"),
        ("S3_MAX_SKEW", "1h", "s3_max_skew 1h;"),
        (
            "S3_HEALTH_CHECK",
            "uri=/x expect=2xx",
            "s3_health_check uri=/x expect=2xx;",
        ),
        (
            "S3_HEALTH_CHECK",
            "off",
            "return 200 '{\"status\":\"ok\"}';",
        ),
        ("S3_UPLOAD_BUFFERING", "on", "proxy_request_buffering  on;"),
        ("S3_WORKERS", "3", "worker_processes        3;"),
        ("S3_WORKERS", "auto", "worker_processes        auto;"),
        ("S3_STATUS_ALLOW", "10.0.0.0/8, fd00::/8", "allow fd00::/8;"),
        ("S3_SHUTDOWN_TIMEOUT", "2h", "worker_shutdown_timeout 2h;"),
        (
            "S3_LOG_LEVEL",
            "info",
            "error_log               stderr info;",
        ),
        ("S3_TLS_VERIFY", "no", "proxy_ssl_verify off;"),
        (
            "S3_TLS_CA",
            "/etc/ssl/own",
            "proxy_ssl_trusted_certificate /etc/ssl/own;",
        ),
        ("PORT", "1", "listen 1;"),
        (
            "S3_RESIGN_RUN",
            "/run/x",
            "pid                     /run/x/nginx.pid;",
        ),
    ] {
        let lines = |text: String| text.lines().map(str::trim).map(str::to_owned).collect();
        let is: Vec<String> = lines(text_of(made(with(one(), &[(name, value)]))));
        let usual: Vec<String> = lines(text_of(made(one())));
        assert!(is.iter().any(|line| line == expected), "{name}={value}");
        assert!(
            value == "auto" || !usual.iter().any(|line| line == expected),
            "{name}"
        );
    }
}

#[test]
fn flags() {
    let is_on = |value: &str| {
        let text = made(with(one(), &[("S3_ANONYMOUS", value)]));
        text.ok().map(|text| text.contains("s3_anonymous on;"))
    };
    for word in [
        "1", "on", "On", "ON", "true", "True", "TRUE", "yes", "Yes", "YES",
    ] {
        assert_eq!(is_on(word), Some(true), "{word}");
    }
    for word in [
        "", "0", "off", "Off", "OFF", "false", "False", "FALSE", "no", "No", "NO",
    ] {
        assert_eq!(is_on(word), Some(false), "{word}");
    }
    for word in ["oN", "y", "2", "on ", "\0", "onn"] {
        assert_eq!(is_on(word), None, "{word}");
    }
}

#[test]
fn values_in_files() {
    let outside = Fake {
        files: BTreeMap::from([
            ("/run/secrets/client", b"secret of the client".as_slice()),
            ("/run/domain", b"s3.mydomain.com:9000"),
        ]),
        ..Fake::default()
    };
    let files = [
        ("CLIENT_SECRET_KEY", ""),
        ("CLIENT_SECRET_KEY_FILE", "/run/secrets/client"),
        ("ORIGIN_DOMAIN", ""),
        ("ORIGIN_DOMAIN_FILE", "/run/domain"),
    ];
    let text = text_of(made_on(with(one(), &files), &machine(), &outside));
    assert_eq!(
        directives(&text, "s3_client"),
        ["env:CLIENT_ACCESS_KEY secret_key=file:/run/secrets/client"]
    );
    assert_eq!(directives(&text, "server"), ["s3.mydomain.com:9000"]);
    assert!(!text.contains("secret of"));
}

#[test]
fn the_port_by_itself() {
    let outside = Fake {
        files: BTreeMap::from([("/port", b"81".as_slice())]),
        ..Fake::default()
    };
    let port = |list: &[(&str, &str)]| port(&environment(variables(list)), &outside).ok();
    assert_eq!(port(&[]), Some(8080));
    assert_eq!(port(&[("PORT", "80")]), Some(80));
    assert_eq!(port(&[("PORT_FILE", "/port")]), Some(81));
    assert_eq!(port(&[("PORT", "080")]), None);
}

// ---- the machine

fn servers_on(host: &str, resolv_conf: &str, change: impl Fn(&mut Machine)) -> (String, String) {
    let mut machine = machine();
    machine.resolv_conf = resolv_conf.into();
    change(&mut machine);
    let outside = Fake {
        names: vec!["whole.test.", "whole.test.svc.test.", "short.svc.test."],
        ..Fake::default()
    };
    let variables = with(one(), &[("ORIGIN_DOMAIN", host)]);
    let text = text_of(made_on(variables, &machine, &outside));
    (
        directives(&text, "server").concat(),
        directives(&text, "resolver").concat(),
    )
}

#[test]
fn names_are_followed() {
    const USUAL: &str = "nameserver 10.0.0.1\nsearch none.test svc.test\n";
    let many = format!("{USUAL}options edns0 ndots:2\n");
    for (host, resolv_conf, expected) in [
        ("whole.test", USUAL, "whole.test:443 resolve"),
        ("short", USUAL, "short.svc.test:443 resolve"),
        ("unknown.test", USUAL, "unknown.test:443 resolve"),
        ("127.0.0.1", USUAL, "127.0.0.1:443"),
        ("[::1]:9", USUAL, "[::1]:9"),
        ("whole.test", &many, "whole.test.svc.test:443 resolve"),
        ("Hosts.Test", USUAL, "Hosts.Test:443"),
        ("comment.test", USUAL, "comment.test:443 resolve"),
        (
            "short",
            "nameserver 10.0.0.1\nsearch svc.test\ndomain none.test",
            "short:443 resolve",
        ),
        (
            "short",
            "nameserver 10.0.0.1\nsearch ;x. svc.test",
            "short.svc.test:443 resolve",
        ),
        (
            "whole.test",
            "nameserver x.y\n# nameserver 10.0.0.1",
            "whole.test:443",
        ),
    ] {
        let hosts = |machine: &mut Machine| {
            machine.hosts = b"127.0.0.1 localhost hosts.test # comment.test\n\xff\n".into();
        };
        let (server, _) = servers_on(host, resolv_conf, hosts);
        assert_eq!(server, expected, "{host} {resolv_conf}");
    }
}

#[test]
fn name_servers() {
    let text =
        "nameserver 10.0.0.1\nnameserver fd00::53 x\nnameserver fe80::1%eth0\nänameserver 1.1";
    let interface = |scope: &str| {
        let line = format!("00000000000000000000000000000001 01 80 {scope} 80       lo\n");
        move |machine: &mut Machine| machine.if_inet6 = Some(line.clone().into())
    };
    let resolver = |change: &dyn Fn(&mut Machine)| servers_on("s3", text, change).1;
    assert_eq!(resolver(&|_| ()), "10.0.0.1 [fd00::53] ipv6=off");
    assert_eq!(resolver(&interface("10")), "10.0.0.1 [fd00::53] ipv6=off");
    assert_eq!(resolver(&interface("00")), "10.0.0.1 [fd00::53]");
    let older = |machine: &mut Machine| machine.build.version = (1, 27, 2);
    assert_eq!(
        servers_on("s3", text, older),
        ("s3:443".into(), String::new())
    );
}

#[test]
fn ipv6_is_listened_on_where_it_is() {
    let machine = Machine {
        if_inet6: Some(Vec::new()),
        ..machine()
    };
    let text = text_of(made_on(one(), &machine, &Fake::default()));
    assert_eq!(directives(&text, "listen"), ["8080", "[::]:8080"]);
}

#[test]
fn workers_of_a_container() {
    for (cpu_max, expected) in [
        ("50000 100000\n", "1"),
        ("100000 100000\n", "1"),
        ("100001 100000\n", "2"),
        ("350000 100000\n", "auto"),
        ("max 100000\n", "auto"),
        ("1 0", "auto"),
        ("18446744073709551615 2", "auto"),
        ("x", "auto"),
        ("", "auto"),
    ] {
        let machine = Machine {
            cpu_max: cpu_max.into(),
            ..machine()
        };
        let text = text_of(made_on(one(), &machine, &Fake::default()));
        assert_eq!(
            directives(&text, "worker_processes"),
            [expected],
            "{cpu_max}"
        );
        let asked = with(one(), &[("S3_WORKERS", "7")]);
        let text = text_of(made_on(asked, &machine, &Fake::default()));
        assert_eq!(directives(&text, "worker_processes"), ["7"]);
    }
}

#[test]
fn a_stdout_that_cannot_be_opened() {
    let machine = Machine {
        has_stdout: false,
        ..machine()
    };
    let text = text_of(made_on(one(), &machine, &Fake::default()));
    assert_eq!(directives(&text, "access_log")[0], "\"\" s3_resign");
}

#[test]
fn no_log_of_requests() {
    let text = text_of(made(with(one(), &[("S3_ACCESS_LOG", "off")])));
    assert_eq!(directives(&text, "access_log")[0], "off");
    let text = text_of(made(one()));
    assert_eq!(directives(&text, "access_log")[0], "/dev/stdout s3_resign");
}

#[test]
fn what_nginx_says_of_itself() {
    let debian = b"nginx version: nginx/1.22.1\nconfigure arguments: --with-cc-opt='-g -O2 \
        -ffile-prefix-map=/build/x=.' --prefix=/usr/share/nginx --conf-path=/etc/nginx/nginx.conf \
        --http-log-path=/var/log/nginx/access.log\n";
    let build = |version, folder: Option<&str>| Build {
        version,
        modules_enabled: folder.map(str::to_owned),
    };
    let here = Some("/etc/nginx/modules-enabled");
    assert_eq!(Build::parse(debian), build((1, 22, 1), here));
    for (output, expected) in [
        (
            "nginx version: openresty/1.31.1.1\n",
            build((1, 31, 1), None),
        ),
        (
            "nginx version: nginx/1.28.0 (Ubuntu)\n",
            build((1, 28, 0), None),
        ),
        ("nginx version: nginx/1.28\n", build((0, 0, 0), None)),
        ("x\n --conf-path=nginx.conf", build((0, 0, 0), None)),
        (" --conf-path=/nginx.conf", build((0, 0, 0), None)),
        (" --conf-path=/a;b/c", build((0, 0, 0), None)),
        ("", build((0, 0, 0), None)),
    ] {
        assert_eq!(Build::parse(output.as_bytes()), expected, "{output}");
    }
}

#[test]
fn how_the_module_is_loaded() {
    let here = [("/a", false), ("/b", true)];
    let own = "load_module /b;";
    for (files, is_given, expected) in [
        (None, false, &[own][..]),
        (Some(&[false][..]), true, &["include /on/*.conf;", own]),
        (Some(&[false, true]), false, &["include /on/*.conf;"]),
        (Some(&[false, true]), true, &["include /on/0;", own]),
    ] {
        let named = |(number, it): (usize, &bool)| (number.to_string(), *it);
        let enabled = files.map(|files| Enabled {
            folder: "/on",
            files: files.iter().enumerate().map(named).collect(),
        });
        let lines = load_module(enabled.as_ref(), is_given, &here);
        assert_eq!(lines.unwrap_or_default(), expected, "{files:?} {is_given}");
    }
    let none = load_module(None, false, &[("/a", false), ("/b", false)]);
    assert_eq!(
        none.map_err(|error| error.to_string()),
        Err("S3_RESIGN_MODULE: there is no module /b: set it to the path of one".into())
    );
    assert!(loads_module(
        b"load_module modules/ngx_http_s3_resign_module.so;"
    ));
    assert!(!loads_module(
        b"load_module modules/ngx_http_s3_resign_module_so;"
    ));
}

#[test]
fn places() {
    let places = |list: &[(&str, &str)]| Places::read(&environment(variables(list)));
    let Ok(usual) = places(&[("S3_RESIGN_RUN", "")]) else {
        panic!("the usual places");
    };
    assert_eq!(usual.conf(), "/tmp/s3-resign/nginx.conf");
    assert_eq!(usual.new_conf(), "/tmp/s3-resign/nginx.conf.new");
    assert_eq!(usual.template, "/usr/share/s3-resign/default.conf.template");
    assert_eq!(usual.nginx, None);
    assert!(!usual.is_module_given);
    assert_eq!(
        usual.modules,
        [
            "/usr/lib/nginx/modules/ngx_http_s3_resign_module.so",
            "/usr/local/openresty/nginx/modules/ngx_http_s3_resign_module.so",
        ]
    );
    let own = places(&[("S3_RESIGN_MODULE", "/own.so"), ("NGINX", "own nginx")]);
    let own = own.map(|own| (own.modules, own.is_module_given, own.nginx));
    assert_eq!(
        own.ok(),
        Some((vec!["/own.so".into()], true, Some("own nginx".into())))
    );
}
