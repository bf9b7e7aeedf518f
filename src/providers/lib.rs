//! Keys of origins that renew themselves: from the metadata service of EC2, from a container's service, from STS,
//! or from a file.
//!
//! [`Provider`] says where keys come from. [`Fetch`] gets them: it says what to ask next, and takes the answer.
//! [`ProviderRecord`] keeps them in shared memory, and [`schedule`] says when they are to be renewed. Key sets of
//! issuers of tokens are fetched and kept in the same way: [`KeySetSource`], [`KeySetRecord`].
//!
//! Bytes and times come in, decisions go out: there is no clock here, no I/O and no log. What is asked and answered
//! holds secrets, and is wiped.
#![forbid(unsafe_code)]

mod endpoint;
mod fetch;
mod http;
mod json;
mod key_set;
mod keys;
mod profile;
mod provider;
mod record;
mod renewal;
pub mod schedule;
mod xml;

pub use crate::{
    endpoint::{Endpoint, EndpointFault},
    fetch::{Ask, Fetch, Step},
    http::{Answer, AnswerBuffer, MAX_BODY, Reading},
    key_set::{KeySetRecord, KeySetSource, KeySetText, MAX_KEY_SET, UnknownKey},
    keys::ProvidedKeys,
    profile::{MAX_FILE, read_profile},
    provider::{ContainerToken, Provider, Role, SecretToken, Service, Source},
    record::{ProviderRecord, ProviderReport},
    renewal::{Lease, Renewable, Renewal, RenewalReport},
};
