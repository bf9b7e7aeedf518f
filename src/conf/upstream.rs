//! What an `upstream` block says.

use std::cell::{OnceCell, RefCell};

use directives::{BucketMapLine, HealthCheckLine, OriginLines, check_bucket_map_servers};
use health::MAX_PEERS;
use ngx_safe::level::Tls;
use ngx_safe::upstream::Upstream;
use sigv4::{KeyCache, SecretKey, Timestamp, seals_ids};

use crate::conf::{NamedOrigin, OriginSet};
use crate::runtime::Runtime;

/// An `upstream` block.
#[derive(Default)]
pub(crate) struct UpstreamConf {
    pub(crate) lines: OriginLines,
    /// What ids of origins are sealed with whose keys change.
    pub(crate) seal_key: Option<SecretKey>,
    /// What buckets are called at its servers.
    pub(crate) bucket_maps: Vec<BucketMapLine>,
    pub(crate) health: Option<HealthCheckLine>,
    /// How requests get to it from where they are signed; None where nothing passes any to it.
    transport: RefCell<Option<Transport>>,
    /// The origins of its `server` lines, once the block is whole.
    origins: OnceCell<OriginSet>,
}

#[derive(Clone)]
enum Transport {
    Plain,
    Tls(Tls),
}

impl UpstreamConf {
    /// Returns its origins; None until the block is whole.
    pub(crate) fn origins(&self) -> Option<&OriginSet> {
        self.origins.get()
    }

    /// Lists the origins that are checked: one for each server.
    pub(crate) fn checked_origins(&self) -> &[NamedOrigin] {
        self.origins().map_or(&[], OriginSet::of_each_server)
    }

    pub(crate) fn is_checked(&self) -> bool {
        self.health.is_some()
    }

    /// Tells how the checks speak TLS: as a location that passes requests to it, the strictest one.
    pub(crate) fn tls(&self) -> Option<Tls> {
        match &*self.transport.borrow() {
            Some(Transport::Tls(tls)) => Some(tls.clone()),
            Some(Transport::Plain) | None => None,
        }
    }

    pub(super) fn note_transport(&self, tls: Option<Tls>) {
        let is_stricter = match (self.tls(), &tls) {
            (None, _) => true,
            (Some(known), Some(new)) => new.verifies() && !known.verifies(),
            (Some(_), None) => false,
        };
        if is_stricter {
            let transport = tls.map_or(Transport::Plain, Transport::Tls);
            self.transport.replace(Some(transport));
        }
    }

    /// Checks that the servers can be asked, and all workers be told, as `s3_health_check` needs it.
    fn check_health(&self, upstream: Upstream<'_>) -> Result<(), String> {
        let Some(check) = &self.health else {
            return Ok(());
        };
        let name = upstream.name().escape_ascii();
        let named = format!("\"s3_health_check\" in upstream \"{name}\"");
        if !upstream.has_zone() {
            return Err(format!(
                "{named} needs shared memory, so that all workers obey: add \"zone {name} 256k;\""
            ));
        }
        if self.checked_origins().is_empty() {
            return Err(format!(
                "{named} has no \"s3_origin\" to sign with: add one for each of its servers, or \
                 \"s3_origin default ...\""
            ));
        }
        if self.transport.borrow().is_none() {
            return Err(format!(
                "{named}: no location with \"s3_resign on\" passes requests to it, so nothing says \
                 whether by TLS: add one with \"proxy_pass\", or remove \"s3_health_check\""
            ));
        }
        if upstream.peer_count() > MAX_PEERS {
            return Err(format!(
                "{named}: its servers have more than {MAX_PEERS} addresses: divide them among \
                 upstreams, or remove \"s3_health_check\""
            ));
        }
        for origin in self.checked_origins() {
            let mut keys = KeyCache::new(1);
            let signed = sigv4::sign_own(
                &check.head,
                check.names,
                &origin.with_any_keys(),
                &mut keys,
                Timestamp(0),
            );
            signed.map_err(|unsignable| {
                format!(
                    "{named} cannot be signed for \"{}\": {unsignable}: write another \"uri=\" \
                         or \"bucket=\"",
                    origin.server.escape_ascii()
                )
            })?;
        }
        Ok(())
    }

    /// Gives each `server` line its origin, which is numbered among all of them.
    pub(crate) fn complete(&self, upstream: Upstream<'_>, main: &Runtime) -> Result<(), String> {
        let origins = self.origins_of(upstream, main, &[])?;
        let set = self.origins.set(origins);
        set.map_err(|_| "the configuration is whole already")?;
        self.check_health(upstream)
    }

    /// Makes the origins of its servers, with what a location says of buckets' names besides.
    pub(super) fn origins_of(
        &self,
        upstream: Upstream<'_>,
        main: &Runtime,
        of_location: &[BucketMapLine],
    ) -> Result<OriginSet, String> {
        let name = upstream.name().escape_ascii();
        let servers = upstream.servers();
        for server in self.lines.servers() {
            if !servers.contains(&server) {
                return Err(format!(
                    "\"s3_origin {0}\" in upstream \"{name}\" names no server: \
                     write it as a \"server\" line of the upstream does, or add \"server {0};\"",
                    server.escape_ascii(),
                ));
            }
        }
        if self.lines.is_empty() {
            return match self.bucket_maps.is_empty() {
                true => Ok(OriginSet::default()),
                false => Err(format!(
                    "\"s3_bucket_map\" in upstream \"{name}\" has no effect without \"s3_origin\": add one for \
                     each of its servers, or remove it"
                )),
            };
        }
        let maps = || self.bucket_maps.iter().chain(of_location);
        check_bucket_map_servers(maps(), &servers, &format!("upstream \"{name}\""))?;
        let lacks_line = |server: &[u8]| {
            format!(
                "\"server {0}\" in upstream \"{name}\" has no \"s3_origin\": \
                 add \"s3_origin {0} access_key=... secret_key=...;\"",
                server.escape_ascii()
            )
        };
        let number = |server: &[u8]| main.origins.id(upstream.name(), server);
        let keys = (&main.providers, self.seal_key.as_ref());
        let origins = OriginSet::new(&self.lines, &servers, maps, number, keys, lacks_line)?;
        self.check_seal_key(&name.to_string(), &origins)?;
        Ok(origins)
    }

    /// Checks that ids can be sealed where origins do not know each other's: with something that stays.
    fn check_seal_key(&self, name: &str, origins: &OriginSet) -> Result<(), String> {
        let changing =
            |origins: &[NamedOrigin]| origins.iter().any(|named| named.provided.is_some());
        for origins in origins.of_each_account() {
            let first = origins.iter().find(|named| named.provided.is_some());
            if let (Some(named), None) = (first, &self.seal_key)
                && seals_ids(origins.iter().map(|named| &named.origin))
            {
                return Err(format!(
                    "\"s3_origin\" of \"{}\" in upstream \"{name}\" has keys that change, and upload ids are \
                     sealed where several origins have uploads of their own: add \"s3_seal_key VALUE;\", the same on \
                     each machine",
                    named.server.escape_ascii()
                ));
            }
        }
        if self.seal_key.is_some() && !origins.of_each_account().any(changing) {
            return Err(format!(
                "\"s3_seal_key\" in upstream \"{name}\" has no effect without \"credentials=\" or \
                 \"assume_role=\" in an \"s3_origin\": remove it"
            ));
        }
        Ok(())
    }
}
