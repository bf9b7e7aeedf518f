//! Hands nginx's features to the module as cfg, builds the C shim against nginx's own headers, and
//! has the compiler hold the layout that the bindings saw against the one that C sees.

use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Every field that `src/` reaches through the bindings: a wrong offset must fail the build.
const FIELDS: &[(&str, &[&str])] = &[
    (
        "ngx_http_request_t",
        &[
            "connection",
            "ctx",
            "main_conf",
            "srv_conf",
            "loc_conf",
            "upstream",
            "pool",
            "header_in",
            "headers_in",
            "headers_out",
            "request_body",
            "method",
            "request_line",
            "read_event_handler",
            "write_event_handler",
            "uri",
            "args",
            "unparsed_uri",
            "main",
            "host_start",
            "host_end",
            "request_length",
        ],
    ),
    ("ngx_http_headers_in_t", &["headers", "content_length_n"]),
    (
        "ngx_http_headers_out_t",
        &[
            "headers",
            "status",
            "content_type_len",
            "content_type",
            "content_length_n",
        ],
    ),
    (
        "ngx_http_upstream_t",
        &["peer", "request_bufs", "conf", "state"],
    ),
    ("ngx_http_upstream_state_t", &["status"]),
    ("ngx_http_core_srv_conf_t", &["server_names"]),
    ("ngx_http_server_name_t", &["name"]),
    ("ngx_http_upstream_conf_t", &["upstream", "connect_timeout"]),
    ("ngx_http_upstream_main_conf_t", &["upstreams"]),
    ("ngx_http_upstream_server_t", &["name"]),
    (
        "ngx_http_upstream_srv_conf_t",
        &["peer", "srv_conf", "servers", "flags", "host", "port"],
    ),
    ("ngx_http_upstream_rr_peers_t", &["next", "peer"]),
    (
        "ngx_http_upstream_rr_peer_t",
        &[
            "sockaddr", "socklen", "name", "server", "fails", "down", "next",
        ],
    ),
    (
        "ngx_peer_connection_t",
        &[
            "sockaddr",
            "socklen",
            "name",
            "get",
            "free",
            "notify",
            "data",
            "tries",
            "set_session",
            "save_session",
            "log",
        ],
    ),
    (
        "ngx_connection_t",
        &["data", "read", "write", "fd", "recv", "send", "log", "sent"],
    ),
    ("ngx_event_t", &["data", "handler"]),
    ("ngx_cycle_t", &["conf_ctx", "log", "old_cycle"]),
    ("ngx_buf_t", &["pos", "last", "start", "end"]),
    ("ngx_chain_t", &["buf", "next"]),
    ("ngx_http_core_loc_conf_t", &["name", "handler"]),
    (
        "ngx_http_conf_ctx_t",
        &["main_conf", "srv_conf", "loc_conf"],
    ),
    ("ngx_module_t", &["ctx_index", "name", "ctx", "commands"]),
    ("ngx_command_t", &["name", "set", "offset"]),
    ("ngx_array_t", &["elts", "nelts", "size", "nalloc"]),
    ("ngx_keyval_t", &["key"]),
    ("ngx_http_complex_value_t", &["value"]),
    ("ngx_http_core_main_conf_t", &["phases", "variables"]),
];

/// What `src/` itself makes room for.
const MADE: &[&str] = &["ngx_buf_t", "ngx_chain_t"];

const C_SOURCES: [&str; 3] = ["shim.c", "cache.c", "layout.c"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=../../build.rs");
    for source in C_SOURCES {
        println!("cargo::rerun-if-changed={source}");
    }

    let nginx = Nginx::from_env()?;
    nginx.emit_cfg();
    nginx.compiler().files(C_SOURCES).compile("s3_resign_shim");
    fs::write(nginx.out_dir.join("layout.rs"), layout_check(&nginx)?)?;
    Ok(())
}

/// What nginx-sys learnt from nginx's `configure`, handed on by cargo.
struct Nginx {
    includes: Vec<PathBuf>,
    defines: String,
    features: String,
    features_check: String,
    out_dir: PathBuf,
}

impl Nginx {
    fn from_env() -> Result<Nginx, env::VarError> {
        Ok(Nginx {
            includes: env::split_paths(&env::var("DEP_NGINX_INCLUDE")?).collect(),
            // nginx-sys 0.5.0 spells the key with one colon, so cargo reads it as `metadata`.
            defines: env::var("DEP_NGINX_METADATA")
                .ok()
                .and_then(|m| m.strip_prefix("cflags=").map(str::to_owned))
                .unwrap_or_default(),
            features: env::var("DEP_NGINX_FEATURES")?,
            features_check: env::var("DEP_NGINX_FEATURES_CHECK")?,
            out_dir: env::var("OUT_DIR")?.into(),
        })
    }

    fn emit_cfg(&self) {
        println!(
            "cargo::rustc-check-cfg=cfg(ngx_feature, values({}))",
            self.features_check
        );
        for feature in self.features.split(',').filter(|f| !f.is_empty()) {
            println!("cargo::rustc-cfg=ngx_feature=\"{feature}\"");
        }
    }

    fn compiler(&self) -> cc::Build {
        let mut build = cc::Build::new();
        build
            .includes(&self.includes)
            .flag_if_supported("-Wno-unused-parameter");
        for define in self.defines.split_whitespace() {
            build.flag(define);
        }
        build
    }
}

/// Constants that fail to compile where an offset or a size of the bindings is not the compiler's.
fn layout_check(nginx: &Nginx) -> Result<String, Box<dyn Error>> {
    let mut probe = String::from(
        "#include <ngx_config.h>\n#include <ngx_core.h>\n#include <ngx_http.h>\n#include <stdio.h>\n\
         int main(void) {\n",
    );
    for (name, fields) in FIELDS {
        for field in *fields {
            probe += &format!(
                "printf(\"const _: () = assert!(core::mem::offset_of!({name}, {field}) == %zu);\\n\", \
                 offsetof({name}, {field}));\n"
            );
        }
    }
    for name in MADE {
        probe += &format!(
            "printf(\"const _: () = assert!(size_of::<{name}>() == %zu);\\n\", sizeof({name}));\n"
        );
    }
    probe += "return 0;\n}\n";

    let source = nginx.out_dir.join("layout.c");
    let program = nginx.out_dir.join("layout");
    fs::write(&source, probe)?;
    run(nginx
        .compiler()
        .get_compiler()
        .to_command()
        .arg(&source)
        .arg("-o")
        .arg(&program))?;
    run(&mut Command::new(Path::new(&program)))
}

fn run(command: &mut Command) -> Result<String, Box<dyn Error>> {
    let output = command.output()?;
    if !output.status.success() {
        return Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}
