//! `s3_sts` and `s3_role`: who mints keys, for which roles.

use std::rc::Rc;

use directives::RoleMap;
use sigv4::{Account, AccountOfKey, Issuer};
use sts::{Role, Trust};

use crate::conf::{LocationConf, OwnLevel};

/// The roles of a level, each with the index of its key set. A level that has any of its own inherits none.
pub(crate) type LocationRoles = RoleMap<usize>;

impl LocationConf {
    /// Returns the roles of this level's own, to add to.
    pub(crate) fn own_roles(&mut self) -> Result<&mut LocationRoles, String> {
        let roles = self.roles.get_or_insert_default();
        Rc::get_mut(roles).ok_or_else(|| "roles are merged already".into())
    }

    /// Tells whether keys are minted here.
    pub(crate) fn speaks_sts(&self) -> bool {
        self.sts.is_some()
    }

    /// Returns who mints keys here: of two secrets of one issuer, the first line's.
    pub(crate) fn minter(&self) -> Option<&Issuer> {
        let name = self.sts.as_ref()?.as_deref()?;
        self.clients.as_ref()?.issuers.named(name).first()
    }

    /// Checks, where keys are minted, that they can be, and are accepted.
    pub(super) fn check_sts(&mut self, level: &OwnLevel<'_>) -> Result<(), String> {
        let Some(wanted) = &self.sts else {
            return Ok(());
        };
        let place = level.name().escape_ascii();
        let named = format!("\"s3_sts\" in location \"{place}\"");
        let clients = self.clients.as_deref();
        let names = clients.map_or_else(Vec::new, |clients| clients.issuers.names());
        let name: Box<[u8]> = match (wanted, names.as_slice()) {
            (_, []) => {
                return Err(format!(
                    "{named} has no \"s3_issuer\" to mint keys with: add \"s3_issuer NAME secret=...;\" here, or where \
                     those are who use the keys"
                ));
            }
            (Some(name), names) if names.contains(&&**name) => name.clone(),
            (Some(name), [known, ..]) => {
                return Err(format!(
                    "{named}: there is no \"s3_issuer {}\" for it: write the name of one, as \"s3_sts {};\"",
                    name.escape_ascii(),
                    known.escape_ascii()
                ));
            }
            (None, [only]) => (*only).into(),
            (None, [first, ..]) => {
                return Err(format!(
                    "{named} has several issuers: write which one mints keys, as \"s3_sts {};\"",
                    first.escape_ascii()
                ));
            }
        };
        self.sts = Some(Some(name));
        if let (Some(issuer), Some(roles)) = (self.minter(), &self.roles) {
            for role in roles.roles().iter() {
                check_role(role, issuer)?;
            }
        }
        level.bound_bodies(sts::MAX_BODY);
        Ok(())
    }
}

/// Checks that the keys of a role are accepted.
fn check_role(role: &Role, issuer: &Issuer) -> Result<(), String> {
    let named = format!("\"s3_role {}\"", role.name());
    let name = issuer.name().escape_ascii();
    if role.lifetime() > issuer.max_lifetime() {
        return Err(format!(
            "{named}: \"lifetime=\" of {} s is longer than keys of \"s3_issuer {name}\" may live: write at most \
             \"lifetime={}s\", or a longer \"max_lifetime=\" there",
            role.lifetime(),
            issuer.max_lifetime()
        ));
    }
    match account_of(role) {
        Some(account) if !issuer.allows_account(AccountOfKey::Named(account)) => Err(format!(
            "{named}: \"account={0}\" is none that keys of \"s3_issuer {name}\" may have: add \"account=*\" there, or \
             remove \"account={0}\"",
            account.as_str()
        )),
        _ => Ok(()),
    }
}

/// Returns the account that keys of a role name by themselves.
pub(crate) fn account_of(role: &Role) -> Option<&Account> {
    match role.trust() {
        Trust::Clients => None,
        Trust::WebIdentity(trust) => trust.account(),
    }
}
