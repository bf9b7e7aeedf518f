//! Safe views over nginx's pointers, and the places where nginx calls a module.
//!
//! A view is made from a pointer that nginx hands to a callback, and lives as long as what it points to:
//! `'r` is the life of a request (its pool, its header buffers), `'c` that of a call at configuration
//! time. A module implements the traits of this package and has them installed; each trait is called by
//! functions that are compiled for the implementation alone.
//!
//! Safe code cannot keep a view past its call, or a request's past the request: the examples that do not
//! compile show it. Three promises of the caller are left, which types do not express:
//!
//! - what is compiled or taken for a configuration and has no lifetime (`Template`, `Tls`, `ProxyCache`) is
//!   kept in the settings of that configuration, and used for its requests alone;
//! - the `Drop` of a request's context does not look at the request;
//! - what is documented as called from a header filter, or for an upstream request that begins, is called
//!   from there.

// A view is of a pointer, which tells nobody anything.
#![allow(missing_debug_implementations)]
#![warn(clippy::multiple_unsafe_ops_per_block)]

mod again;
pub mod answer;
pub mod answer_body;
mod answer_out;
mod body_pieces;
pub mod cache;
pub mod command;
pub mod complete;
pub mod conf;
pub mod configure;
pub mod connection;
pub mod cycle;
pub mod filter;
mod head_slot;
mod inheritance;
mod kept;
mod learning;
pub mod level;
pub mod line;
pub mod log;
mod main_conf;
pub mod module;
pub mod output;
pub mod own_error;
mod pass;
pub mod peer;
mod peer_hooks;
mod peer_list;
mod peer_state;
mod persistence;
pub mod phase;
pub mod proxy;
pub mod request;
pub mod request_body;
pub mod response;
pub mod service;
mod shim;
mod shown;
pub mod stored_body;
mod tables;
pub mod template;
pub mod thread;
pub mod upstream;
pub mod variable;
pub mod watched;
pub mod whole_body;
pub mod worker;
pub mod worker_user;
mod workspace;

use std::ffi::CStr;
use std::panic::{AssertUnwindSafe, catch_unwind};

use ngx::ffi::{ngx_int_t, ngx_str_t};

/// The result of nginx's functions and callbacks: one of nginx's codes, or an HTTP status.
pub type Status = ngx_int_t;

pub const OK: Status = ngx::ffi::NGX_OK as Status;
pub const ERROR: Status = ngx::ffi::NGX_ERROR as Status;
pub const DECLINED: Status = ngx::ffi::NGX_DECLINED as Status;
pub(crate) const AGAIN: Status = ngx::ffi::NGX_AGAIN as Status;
pub(crate) const DONE: Status = ngx::ffi::NGX_DONE as Status;
pub(crate) const BUSY: Status = ngx::ffi::NGX_BUSY as Status;
pub const BAD_REQUEST: Status = ngx::ffi::NGX_HTTP_BAD_REQUEST as Status;
pub const INTERNAL_SERVER_ERROR: Status = ngx::ffi::NGX_HTTP_INTERNAL_SERVER_ERROR as Status;

/// Runs a callback's body; a panic ends there, as `on_panic`, and never crosses into nginx.
pub(crate) fn guarded<T>(on_panic: T, body: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or(on_panic)
}

/// This worker's number; an old worker may have the number of a new one.
pub fn worker_number() -> usize {
    // SAFETY: nginx sets it when it forks the worker.
    unsafe { ngx::ffi::ngx_worker }
}

/// Returns the nginx that this was built for, and runs in: no other loads it.
pub fn nginx_version() -> &'static str {
    ngx::ffi::NGINX_VERSION.to_str().unwrap_or_default()
}

/// Returns the seconds since the epoch, as nginx read the clock last.
pub fn now() -> u64 {
    u64::try_from(ngx::ffi::ngx_time()).unwrap_or(0)
}

/// Returns what `now` does, for arithmetic.
pub fn unix_time() -> i64 {
    ngx::ffi::ngx_time()
}

/// Returns the bytes of an `ngx_str_t`.
///
/// # Safety
/// `s` points to `len` bytes that live and stay unchanged for `'a`.
pub(crate) unsafe fn bytes<'a>(s: ngx_str_t) -> &'a [u8] {
    if s.len == 0 || s.data.is_null() {
        return &[];
    }
    // SAFETY: by this function's contract.
    unsafe { std::slice::from_raw_parts(s.data, s.len) }
}

/// Makes an `ngx_str_t` over text that nginx only reads; some of its readers want the NUL after it.
pub(crate) const fn str_of(s: &'static CStr) -> ngx_str_t {
    ngx_str_t {
        len: s.count_bytes(),
        data: s.as_ptr().cast::<u8>().cast_mut(),
    }
}
