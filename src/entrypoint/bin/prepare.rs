//! Makes `nginx.conf` and has nginx check it.

use std::{
    env,
    ffi::OsString,
    fs,
    io::{self, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use entrypoint::{
    Build, Enabled, Environment, Error, Machine, Outside, Places, Settings, conf, load_module,
    loads_module,
};

use crate::{
    command,
    outside::{Files, has_stdout, processors, text_of},
};

/// What stays the same from one `nginx.conf` to the next.
pub(crate) struct Preparation {
    pub(crate) places: Places,
    nginx: OsString,
}

impl Preparation {
    pub(crate) fn read(environment: &Environment) -> Result<Preparation, Error> {
        let places = Places::read(environment)?;
        let nginx = places.nginx.clone();
        Ok(Preparation {
            nginx: match nginx {
                Some(nginx) => nginx,
                None => find_nginx().ok_or(Error::NoNginx)?.into(),
            },
            places,
        })
    }

    /// nginx with its configuration.
    pub(crate) fn nginx(&self) -> Command {
        self.nginx_with(&self.places.conf())
    }

    fn nginx_with(&self, conf: &str) -> Command {
        let mut nginx = command(&self.nginx);
        nginx.args(["-e", "stderr", "-c", conf]);
        nginx
    }

    /// Makes `nginx.conf`. What nginx says is shown only where it rejects the file.
    pub(crate) fn prepare(&self, environment: &Environment) -> Result<(), Error> {
        let (places, user) = (&self.places, Files.user());
        let new = places.new_conf();
        let unwritable = |_| Error::Run {
            path: places.run.clone(),
            user,
        };
        fs::create_dir_all(&places.run).map_err(unwritable)?;
        let mut file = fs::File::create(&new).map_err(unwritable)?;
        let template = fs::read(&places.template).map_err(|_| Error::Template {
            path: places.template.as_encoded_bytes().to_vec(),
            user,
        })?;

        let settings = Settings::read(environment, &Files)?;
        let machine = self.find_machine()?;
        let text = conf(&template, places, &machine, &settings, &Files)?;
        let unwritten = |why| Error::Write {
            path: new.clone(),
            why,
        };
        file.write_all(&text).map_err(unwritten)?;
        drop(file);

        let check = self.nginx_with(&new).arg("-t").output();
        let check = check.map_err(|_| Error::BrokenNginx)?;
        if !check.status.success() {
            let said = [check.stdout, check.stderr].concat();
            let _ = io::stderr().write_all(&said);
            return Err(Error::Rejected);
        }
        fs::rename(&new, places.conf()).map_err(unwritten)
    }

    fn find_machine(&self) -> Result<Machine, Error> {
        let version = command(&self.nginx).arg("-V").output();
        let version = version.map_err(|_| Error::BrokenNginx)?;
        if !version.status.success() {
            return Err(Error::BrokenNginx);
        }
        let build = Build::parse(&[version.stderr, b"\n".to_vec(), version.stdout].concat());
        Ok(Machine {
            load_module: self.find_module(&build)?,
            build,
            resolv_conf: text_of("/etc/resolv.conf"),
            hosts: text_of("/etc/hosts"),
            if_inet6: fs::read("/proc/net/if_inet6").ok(),
            cpu_max: text_of("/sys/fs/cgroup/cpu.max"),
            processors: processors(),
            has_stdout: has_stdout(),
        })
    }

    fn find_module(&self, build: &Build) -> Result<Vec<String>, Error> {
        let enabled = build.modules_enabled.as_deref();
        let enabled = enabled.filter(|folder| Path::new(folder).is_dir());
        let enabled = enabled.map(|folder| Enabled {
            folder,
            files: enabled_in(folder),
        });
        let modules = self.places.modules.iter();
        let files: Vec<_> = modules
            .map(|file| (file.as_str(), Path::new(file).is_file()))
            .collect();
        load_module(enabled.as_ref(), self.places.is_module_given, &files)
    }
}

/// What a folder's `*.conf` are called, in the order in which nginx includes them, and which of them load the module.
fn enabled_in(folder: &str) -> Vec<(String, bool)> {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<_> = files
        .filter_map(|file| {
            let name = file.file_name().into_string().ok()?;
            let is_conf = name.ends_with(".conf") && !name.starts_with('.');
            is_conf
                .then(|| fs::read(file.path()).is_ok_and(|text| loads_module(&text)))
                .map(|loads_it| (name, loads_it))
        })
        .collect();
    files.sort();
    files
}

/// The path of the nginx on `PATH`; OpenResty's if there is one.
fn find_nginx() -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    ["openresty", "nginx"].iter().find_map(|name| {
        let mut files = env::split_paths(&path).map(|folder| folder.join(name));
        files.find(|file| is_executable(file))
    })
}

fn is_executable(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}
