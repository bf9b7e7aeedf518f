//! The variables that say where things are. They have no `_FILE`.

use std::{ffi::OsString, os::unix::ffi::OsStringExt};

use crate::{environment::Environment, error::Error, variables::parse_path};

/// The module's file name.
pub(crate) const MODULE: &str = "ngx_http_s3_resign_module.so";

#[derive(Debug)]
pub struct Places {
    /// The folder to write to.
    pub run: String,
    /// The template of `nginx.conf`.
    pub template: OsString,
    /// The path or name of nginx; found on `PATH` if there is none.
    pub nginx: Option<OsString>,
    /// The paths of the module, best first.
    pub modules: Vec<String>,
    /// Whether the environment names the module.
    pub is_module_given: bool,
}

impl Places {
    pub fn read(environment: &Environment) -> Result<Places, Error> {
        let text = |name| {
            environment
                .get(name)
                .map(|value| OsString::from_vec(value.to_vec()))
        };
        let path = |name| {
            let path = environment.get(name);
            path.map(|path| parse_path(name, path).map(str::to_owned))
                .transpose()
        };
        Ok(Places {
            run: path("S3_RESIGN_RUN")?.unwrap_or_else(|| "/tmp/s3-resign".into()),
            template: text("S3_RESIGN_TEMPLATE")
                .unwrap_or_else(|| "/usr/share/s3-resign/default.conf.template".into()),
            nginx: text("NGINX"),
            is_module_given: environment.get("S3_RESIGN_MODULE").is_some(),
            modules: match path("S3_RESIGN_MODULE")? {
                Some(module) => vec![module],
                None => [
                    "/usr/lib/nginx/modules",
                    "/usr/local/openresty/nginx/modules",
                ]
                .map(|folder| format!("{folder}/{MODULE}"))
                .into(),
            },
        })
    }

    /// The file that nginx reads.
    pub fn conf(&self) -> String {
        format!("{}/nginx.conf", self.run)
    }

    /// The file that is checked first.
    pub fn new_conf(&self) -> String {
        format!("{}/nginx.conf.new", self.run)
    }

    /// The file in which nginx writes the number of its process.
    pub fn pid(&self) -> String {
        format!("{}/nginx.pid", self.run)
    }
}
