//! What is wrong with roles as they are configured.
use sigv4::GrantFault;

/// What is wrong with a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RoleFault<'a> {
    Name,
    Scope(GrantFault<'a>),
    /// It is not of a second to [`MAX_ROLE_LIFETIME`](crate::MAX_ROLE_LIFETIME).
    Lifetime,
    /// No issuer of tokens.
    Issuer,
    /// No audience of tokens.
    Audience,
    /// No condition, so that whoever the issuer knows would have the role.
    Condition,
    /// There is one of its name.
    Duplicate,
}
