//! The clients of a level.

use std::rc::Rc;

use client_files::ClientFile;
use directives::{ClientMap, IssuerMap};
use sigv4::{Account, IssuerAccount, Revocations};

use crate::conf::LocationConf;

/// Where the clients of a level are looked up. They are one set: a level that has any of its own, of whatever
/// source, inherits none.
#[derive(Default)]
pub(crate) struct ClientSources {
    /// Its `s3_client` lines.
    pub(crate) listed: ClientMap,
    /// Its `s3_client_file` lines.
    pub(crate) files: Vec<Rc<ClientFile>>,
    /// Its `s3_issuer` lines.
    pub(crate) issuers: IssuerMap,
}

impl ClientSources {
    /// Names a directive that is here, for messages.
    pub(crate) fn directive(&self) -> &'static str {
        match (self.files.is_empty(), self.issuers.is_empty()) {
            (false, _) => "s3_client_file",
            (true, false) => "s3_issuer",
            (true, true) => "s3_client",
        }
    }

    /// Finds a line whose account, or lack of one, is none that `is_known`, with that account. Files are not asked:
    /// they change.
    pub(super) fn find_stray(
        &self,
        is_known: impl Fn(Option<&Account>) -> bool,
    ) -> Option<(String, Option<&Account>)> {
        if let Some(client) = self.listed.find_stray(&is_known) {
            let key = client.credential.access_key().escape_ascii();
            return Some((format!("s3_client {key}"), client.account.as_ref()));
        }
        let issuer = self.issuers.find_stray(&is_known)?;
        let name = issuer.name().escape_ascii();
        let account = match issuer.account() {
            IssuerAccount::One(account) => account.as_ref(),
            IssuerAccount::Any => None,
        };
        Some((format!("s3_issuer {name}"), account))
    }
}

impl LocationConf {
    /// Returns the sources of this level's own, to add to.
    pub(crate) fn own_clients(&mut self) -> Result<&mut ClientSources, String> {
        let clients = self.clients.get_or_insert_default();
        Rc::get_mut(clients).ok_or_else(|| "clients are merged already".into())
    }

    /// Returns the `s3_revoke` lines of this level's own, to add to.
    pub(crate) fn own_revoked(&mut self) -> Result<&mut Revocations, String> {
        let revoked = self.revoked.get_or_insert_default();
        Rc::get_mut(revoked).ok_or_else(|| "revoked keys are merged already".into())
    }

    /// Adds what an outer level revokes: nothing that is revoked there is valid inside.
    pub(super) fn inherit_revoked(&mut self, outer: &LocationConf) {
        match (&mut self.revoked, &outer.revoked) {
            (Some(own), Some(outer)) => Rc::make_mut(own).add(outer),
            (own, outer) => {
                if own.is_none() {
                    own.clone_from(outer);
                }
            }
        }
    }

    /// Checks that the issuers of the `s3_revoke` lines that are here are known here: a name with a typing error
    /// would revoke nothing.
    pub(super) fn check_revoked(&self) -> Result<(), String> {
        let is_known = |name: &[u8]| {
            let sources = self.clients.as_deref();
            sources.is_some_and(|sources| !sources.issuers.named(name).is_empty())
        };
        let mut issuers = self.revoked.iter().flat_map(|revoked| revoked.issuers());
        match issuers.find(|name| !is_known(name)) {
            Some(name) => Err(format!(
                "\"s3_revoke {0}\": there is no \"s3_issuer {0}\" for this level: write it where that line is, or \
                 inside",
                name.escape_ascii()
            )),
            None => Ok(()),
        }
    }
}
