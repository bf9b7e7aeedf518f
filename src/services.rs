//! Services and files that are asked for keys, and looked at again for others.

use std::cell::{Cell, RefCell};
use std::fs;
use std::path::{Path, PathBuf};

use client_files::Content;
use ngx_safe::complete::Complete;
use ngx_safe::level::Tls;
use ngx_safe::service::{Lookup, ServiceAddress, resolve};
use providers::Endpoint;

use crate::S3Resign;

/// Where the certificates are that a system trusts.
const SYSTEM_CA: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Milliseconds between two look-ups of a host, at the least.
const LOOK_UP: u64 = 10_000;

/// Where a service is, once the configuration is whole.
pub(crate) struct Contact {
    pub(crate) endpoint: Endpoint,
    /// Those that were found last.
    addresses: RefCell<Vec<ServiceAddress>>,
    lookup: Lookup,
    /// When its host was looked up last, in ticks.
    looked_up: Cell<u64>,
    pub(crate) tls: Option<Tls>,
}

impl Contact {
    /// Finds a service; over TLS it must have a certificate that one in the file `ca` has issued, or one that the system
    /// trusts. `parameter` is the one that names the file, for messages.
    pub(crate) fn find(
        cf: &Complete<'_, S3Resign>,
        endpoint: &Endpoint,
        ca: Option<&Path>,
        parameter: &str,
    ) -> Result<Contact, String> {
        let no_address = |why: String| {
            format!(
                "\"{}\" has no address{why}: correct the name, or the name servers of this machine",
                endpoint.host
            )
        };
        let found = resolve(&endpoint.host, endpoint.port);
        let addresses = found.map_err(|why| no_address(format!(" ({why})")))?;
        if addresses.is_empty() {
            return Err(no_address(String::new()));
        }
        Ok(Contact {
            endpoint: endpoint.clone(),
            addresses: RefCell::new(addresses),
            lookup: Lookup::default(),
            looked_up: Cell::new(0),
            tls: match endpoint.tls {
                true => Some(client_tls(cf, ca, parameter)?),
                false => None,
            },
        })
    }

    /// Returns the address to ask: after a failure the next one. `now` is in ticks.
    ///
    /// Services move, and nginx runs for months: each time its host is looked up for the next time. Without TLS it is on
    /// this machine, and nothing would tell that another one answers.
    pub(crate) fn address(&self, failures: u32, now: u64) -> Option<ServiceAddress> {
        let found = self.lookup.take().filter(|found| !found.is_empty());
        if let Some(found) = found {
            self.addresses.replace(found);
        }
        if self.tls.is_some() && now >= self.looked_up.get().saturating_add(LOOK_UP) {
            self.looked_up.set(now);
            self.lookup.start(&self.endpoint.host, self.endpoint.port);
        }
        let addresses = self.addresses.borrow();
        let turn = (failures as usize).checked_rem(addresses.len())?;
        addresses.get(turn).cloned()
    }
}

fn client_tls(
    cf: &Complete<'_, S3Resign>,
    ca: Option<&Path>,
    parameter: &str,
) -> Result<Tls, String> {
    let ca = ca.map(Path::to_owned).or_else(system_ca).ok_or_else(|| {
        format!(
            "this system has no file with the certificates that it trusts: install \"ca-certificates\", or add \
             \"{parameter}=FILE\""
        )
    })?;
    fs::File::open(&ca).map_err(|why| {
        format!(
            "cannot read \"{}\": {why}: write the path of a file with certificates in PEM as \"{parameter}=\"",
            ca.display()
        )
    })?;
    // nginx has said why.
    let tls = cf.conf().client_tls(&ca);
    tls.ok_or_else(|| {
        format!(
            "\"{}\" cannot be used: write the path of a file with certificates in PEM as \"{parameter}=\"",
            ca.display()
        )
    })
}

fn system_ca() -> Option<PathBuf> {
    let mut known = SYSTEM_CA.iter().map(Path::new);
    known.find(|path| path.is_file()).map(Path::to_owned)
}

/// Tells versions of a file apart; 0 if it is not there.
pub(crate) fn version_of(path: &Path) -> u64 {
    Content::of(path).map_or(0, |content| content.version())
}
