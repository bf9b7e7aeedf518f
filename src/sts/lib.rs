//! AWS's Security Token Service, as far as it is needed to get keys without having any: what a call says, whether the
//! token of a web identity may have a role, which keys are minted for it, and what is answered.
//!
//! [`Call::read`] reads a call. Whoever calls with a token of an identity provider is judged by
//! [`WebIdentityTrust::judge`]; whoever calls with a key is judged by [`sigv4::verify_service`]. [`Session`] decides what
//! a key is minted with, and [`answer`] writes what is answered; a [`Fault`] writes what is wrong.
//!
//! Nothing here reads a clock, does I/O or logs.
//!
//! <https://docs.aws.amazon.com/STS/latest/APIReference/welcome.html>
#![forbid(unsafe_code)]

pub mod answer;
mod call;
mod caller;
mod concealed;
mod condition;
mod fault;
mod form;
mod json;
mod jwk;
mod jwt;
mod role;
mod role_fault;
mod session;
mod token_fault;
mod trust;

pub use crate::{
    call::{
        AssumeRole, AssumeRoleWithWebIdentity, Call, MAX_BODY, OPERATIONS, SERVICE, UnreadableCall,
    },
    caller::Caller,
    concealed::concealed,
    condition::{Condition, ConditionFault},
    fault::{Fault, FaultKind},
    jwk::{JwkSet, JwkSetFault, MAX_JWKS, MAX_KEYS},
    jwt::{Jwt, MAX_TOKEN},
    role::{MAX_ROLE_LIFETIME, Role, Roles, Trust, is_role_name},
    role_fault::RoleFault,
    session::Session,
    token_fault::TokenFault,
    trust::{Subject, WebIdentityTrust},
};
