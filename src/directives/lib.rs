//! Reads the lines of the module's directives. The words of a line come in, its own name first; a typed
//! line goes out, or a message that says what to write instead.
//!
//! Nothing here knows nginx. What a reader needs beside the words is in [`Reading`], and defaults are
//! for those who merge lines.
#![forbid(unsafe_code)]

mod account;
mod address;
mod anonymous;
mod bucket_map;
mod client;
mod cors;
mod credentials;
mod grant;
mod health_check;
mod host;
mod issuer;
mod location;
mod once;
mod origin;
mod params;
mod reading;
mod role;
mod sse_c;
mod time;

pub use crate::{
    address::{domains, prefix},
    anonymous::anonymous,
    bucket_map::{BucketMapLine, bucket_map, bucket_map_of, check_bucket_map_servers},
    client::{ClientLine, ClientMap, client, client_file},
    cors::{CorsLine, cors},
    credentials::{ProviderLine, seal_key},
    health_check::{HealthCheckLine, HealthzLine, health_check, healthz},
    host::{Host, parse_port},
    issuer::{IssuerMap, MAX_LIFETIME, issuer, revoke, weak_secret},
    location::{
        ErrorStyle, RegionRule, errors, flag, host, max_age, max_skew, region, reserved,
        signed_header,
    },
    once::{AT_EACH_LEVEL, IN_A_LOCATION, IN_EACH_UPSTREAM, ONE_ORIGIN, duplicate, set_once},
    origin::{OriginLine, OriginLines, ServerLine, location_origin, upstream_origin},
    reading::Reading,
    role::{KeySetLine, RoleLine, RoleMap, role, sts},
    sse_c::{SseCLine, SseCLines, sse_c},
    time::{milliseconds, seconds},
};

/// The word at `index`, which nginx has seen to be there.
fn word<'a>(words: &[&'a [u8]], index: usize) -> &'a [u8] {
    words.get(index).copied().unwrap_or_default()
}

/// The words from `index` on.
fn words_from<'w, 'a>(words: &'w [&'a [u8]], index: usize) -> &'w [&'a [u8]] {
    words.get(index..).unwrap_or_default()
}

/// Whether a byte may be in the name of a bucket or of a host.
fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._".contains(&byte)
}
