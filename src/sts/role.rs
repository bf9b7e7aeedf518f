//! Roles: what keys may be had, by whom.
use sigv4::Scope;

use crate::{
    fault::{Fault, FaultKind},
    role_fault::RoleFault,
    trust::WebIdentityTrust,
};

/// The longest that keys of a role may live, in seconds.
///
/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>
pub const MAX_ROLE_LIFETIME: i64 = 43_200;

/// Whether a name can be a role's.
///
/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html>
pub fn is_role_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+=,.@_-".contains(&byte))
}

/// A role.
#[derive(Debug)]
pub struct Role {
    name: Box<str>,
    allow: Option<Box<[u8]>>,
    buckets: Option<Box<[u8]>>,
    /// Seconds.
    lifetime: i64,
    trust: Trust,
}

/// Who may have a role.
#[derive(Debug)]
pub enum Trust {
    /// Clients that have a key: they get what is within their grant as well as the role's.
    Clients,
    WebIdentity(WebIdentityTrust),
}

impl Role {
    /// Makes one whose keys live for at most `lifetime` seconds.
    ///
    /// # Errors
    /// If a part is none.
    pub fn new<'a>(
        name: &str,
        scope: Scope<'a>,
        lifetime: i64,
        trust: Trust,
    ) -> Result<Role, RoleFault<'a>> {
        if !is_role_name(name) {
            return Err(RoleFault::Name);
        }
        scope.grant().map_err(RoleFault::Scope)?;
        if !(1..=MAX_ROLE_LIFETIME).contains(&lifetime) {
            return Err(RoleFault::Lifetime);
        }
        Ok(Role {
            name: name.into(),
            allow: scope.allow.map(Box::from),
            buckets: scope.buckets.map(Box::from),
            lifetime,
            trust,
        })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn scope(&self) -> Scope<'_> {
        Scope {
            allow: self.allow.as_deref(),
            buckets: self.buckets.as_deref(),
        }
    }

    /// Returns for how many seconds its keys live at most.
    pub fn lifetime(&self) -> i64 {
        self.lifetime
    }

    pub fn trust(&self) -> &Trust {
        &self.trust
    }
}

/// The roles of a level, by name.
#[derive(Debug, Default)]
pub struct Roles(Vec<Role>);

impl Roles {
    /// Adds a role.
    ///
    /// # Errors
    /// If there is one of its name.
    pub fn insert(&mut self, role: Role) -> Result<(), RoleFault<'static>> {
        match self.named(role.name()) {
            Some(_) => Err(RoleFault::Duplicate),
            None => {
                self.0.push(role);
                Ok(())
            }
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = &Role> {
        self.0.iter()
    }

    pub fn named(&self, name: &str) -> Option<&Role> {
        self.0.iter().find(|role| role.name() == name)
    }

    /// Finds a role that tokens of an identity provider may have.
    ///
    /// # Errors
    /// If there is none: AWS does not say more.
    pub fn for_web_identity(&self, name: &str) -> Result<(&Role, &WebIdentityTrust), Fault> {
        match self.named(name).map(|role| (role, role.trust())) {
            Some((role, Trust::WebIdentity(trust))) => Ok((role, trust)),
            _ => Err(not_authorized(
                "Not authorized to perform sts:AssumeRoleWithWebIdentity",
            )),
        }
    }

    /// Finds a role that clients may have.
    ///
    /// # Errors
    /// If there is none.
    pub fn for_client(&self, name: &str) -> Result<&Role, Fault> {
        match self.named(name).map(|role| (role, role.trust())) {
            Some((role, Trust::Clients)) => Ok(role),
            _ => Err(not_authorized("Not authorized to perform sts:AssumeRole")),
        }
    }
}

fn not_authorized(message: &'static str) -> Fault {
    Fault::new(FaultKind::AccessDenied, message)
}
