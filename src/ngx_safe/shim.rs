//! The C side, as `shim.h` declares it: what the bindings cannot be trusted with (bit fields, whose accessors
//! bindgen gets wrong from nginx 1.29.3 on, and macros), and a look at the running nginx (`layout.c`).

#![allow(unreachable_pub, non_camel_case_types)]

/// An `ngx_ssl_t`, which only C looks into.
pub(crate) use ngx::ffi::ngx_ssl_t as SslSettings;

use ngx::ffi::*;

include!(concat!(env!("OUT_DIR"), "/shim.rs"));

/// The layout of nginx's structures, as `build.rs` found it.
#[allow(clippy::identity_op, clippy::unnecessary_operation)]
mod layout {
    use ngx::ffi::*;

    include!(concat!(env!("OUT_DIR"), "/layout.rs"));
}
