//! What is known of the machine and its nginx, as it was found, and what that means.

use crate::{error::Error, places::MODULE};

/// What is known of the machine.
#[derive(Debug, Default)]
pub struct Machine {
    /// What `nginx -V` says.
    pub build: Build,
    /// The directives that have nginx load its modules.
    pub load_module: Vec<String>,
    /// `/etc/resolv.conf`
    pub resolv_conf: Vec<u8>,
    /// `/etc/hosts`
    pub hosts: Vec<u8>,
    /// `/proc/net/if_inet6`, which is there where IPv6 is.
    pub if_inet6: Option<Vec<u8>>,
    /// `/sys/fs/cgroup/cpu.max`
    pub cpu_max: Vec<u8>,
    /// How many processors the process may run on.
    pub processors: u64,
    /// Whether nginx can open `/dev/stdout`: a terminal or a socket of another user it cannot.
    pub has_stdout: bool,
}

/// An nginx, by what its `-V` says.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Build {
    /// Major, minor and patch.
    pub version: (u32, u32, u32),
    /// The folder in which Debian's packages of modules enable theirs, if nginx has been built for one.
    pub modules_enabled: Option<String>,
}

impl Build {
    pub fn parse(output: &[u8]) -> Build {
        let output = String::from_utf8_lossy(output);
        Build {
            version: output.lines().find_map(parse_version).unwrap_or_default(),
            modules_enabled: output.lines().find_map(parse_modules_enabled),
        }
    }

    /// Whether it follows addresses that change (`resolve`), which came with 1.27.3.
    pub(crate) fn follows_addresses(&self) -> bool {
        self.version >= (1, 27, 3)
    }
}

/// `nginx version: nginx/1.28.0 (Debian)`
fn parse_version(line: &str) -> Option<(u32, u32, u32)> {
    let (_, version) = line.strip_prefix("nginx version: ")?.split_once('/')?;
    let mut numbers = version.splitn(3, '.').map(|part| {
        let end = part
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(part.len());
        part.get(..end).and_then(|digits| digits.parse().ok())
    });
    Some((numbers.next()??, numbers.next()??, numbers.next()??))
}

/// `... --conf-path=/etc/nginx/nginx.conf ...`
fn parse_modules_enabled(line: &str) -> Option<String> {
    let (_, path) = line.rsplit_once(" --conf-path=")?;
    let is_other = |c: char| !c.is_ascii_alphanumeric() && !"._/-".contains(c);
    let path = path.split(is_other).next()?;
    let (folder, _) = path.rsplit_once('/')?;
    folder
        .starts_with('/')
        .then(|| format!("{folder}/modules-enabled"))
}

/// The folder in which Debian's packages enable modules.
#[derive(Debug)]
pub struct Enabled<'a> {
    pub folder: &'a str,
    /// The names of its files, each with whether that file loads this module.
    pub files: Vec<(String, bool)>,
}

/// The directives that have nginx load its modules. `enabled` is there if its folder is. `files` are the
/// paths that the module may have, each with whether it is there. If they were given (`is_given`), the module
/// that a package has enabled is not loaded, for nginx loads no module twice.
pub fn load_module(
    enabled: Option<&Enabled>,
    is_given: bool,
    files: &[(&str, bool)],
) -> Result<Vec<String>, Error> {
    let mut lines = Vec::new();
    if let Some(Enabled { folder, files }) = enabled {
        let is_enabled = files.iter().any(|(_, loads_it)| *loads_it);
        if is_enabled && is_given {
            let others = files.iter().filter(|(_, loads_it)| !loads_it);
            lines.extend(others.map(|(name, _)| format!("include {folder}/{name};")));
        } else {
            lines.push(format!("include {folder}/*.conf;"));
            if is_enabled {
                return Ok(lines);
            }
        }
    }
    match files.iter().find(|(_, is_there)| *is_there) {
        Some((file, _)) => {
            lines.push(format!("load_module {file};"));
            Ok(lines)
        }
        None => {
            let (last, _) = files.last().copied().unwrap_or_default();
            Err(Error::NoModule { path: last.into() })
        }
    }
}

/// Whether the text of a configuration loads the module.
pub fn loads_module(text: &[u8]) -> bool {
    let name = MODULE.as_bytes();
    text.windows(name.len()).any(|piece| piece == name)
}

impl Machine {
    /// As many workers as the container may use processors. `None` where that is all of them.
    pub(crate) fn workers(&self) -> Option<u64> {
        let text = std::str::from_utf8(&self.cpu_max).ok()?;
        let mut words = text.lines().next()?.split_ascii_whitespace();
        let quota: u64 = words.next()?.parse().ok()?;
        let period: u64 = words.next()?.parse().ok()?;
        let workers = quota.checked_add(period.checked_sub(1)?)? / period;
        (workers < self.processors).then_some(workers)
    }
}
