//! Safe views over nginx's pointers. Nothing here knows S3.
//!
//! A view is made from a pointer that nginx hands to a callback and lives as long as what it points
//! to: `'r` is the life of a request (its pool, its header buffers), `'c` that of a configuration.

pub(crate) mod answer;
pub(crate) mod answer_body;
pub(crate) mod body;
pub(crate) mod cache;
pub(crate) mod conf;
pub(crate) mod inheritance;
pub(crate) mod line;
pub(crate) mod output;
pub(crate) mod persistence;
pub(crate) mod probe;
pub(crate) mod proxy;
pub(crate) mod request;
pub(crate) mod shim;
pub(crate) mod upstream;
pub(crate) mod worker;
pub(crate) mod workspace;

use std::ffi::CStr;
use std::panic::{AssertUnwindSafe, catch_unwind};

use ngx::ffi::{ngx_int_t, ngx_str_t};

pub(crate) const OK: ngx_int_t = ngx::ffi::NGX_OK as ngx_int_t;
pub(crate) const ERROR: ngx_int_t = ngx::ffi::NGX_ERROR as ngx_int_t;
pub(crate) const AGAIN: ngx_int_t = ngx::ffi::NGX_AGAIN as ngx_int_t;
pub(crate) const DECLINED: ngx_int_t = ngx::ffi::NGX_DECLINED as ngx_int_t;
pub(crate) const DONE: ngx_int_t = ngx::ffi::NGX_DONE as ngx_int_t;
pub(crate) const BAD_REQUEST: ngx_int_t = ngx::ffi::NGX_HTTP_BAD_REQUEST as ngx_int_t;
pub(crate) const NOT_ALLOWED: ngx_int_t = ngx::ffi::NGX_HTTP_NOT_ALLOWED as ngx_int_t;
pub(crate) const INTERNAL_SERVER_ERROR: ngx_int_t =
    ngx::ffi::NGX_HTTP_INTERNAL_SERVER_ERROR as ngx_int_t;

/// Runs a callback's body; a panic ends there, as `on_panic`, and never crosses into nginx.
pub(crate) fn guarded<T>(on_panic: T, body: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or(on_panic)
}

/// This worker's number; an old worker may have the number of a new one.
pub(crate) fn worker() -> usize {
    // SAFETY: nginx sets it when it forks the worker.
    unsafe { ngx::ffi::ngx_worker }
}

/// The nginx that this was built for, and runs in: no other loads it.
pub(crate) fn nginx_version() -> &'static str {
    ngx::ffi::NGINX_VERSION.to_str().unwrap_or_default()
}

/// Seconds since the epoch, as nginx read the clock last.
pub(crate) fn now() -> u64 {
    u64::try_from(ngx::ffi::ngx_time()).unwrap_or(0)
}

/// The bytes of an `ngx_str_t`.
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

/// An `ngx_str_t` over text that nginx only reads; some of its readers want the NUL behind it.
pub(crate) const fn str_of(s: &'static CStr) -> ngx_str_t {
    ngx_str_t {
        len: s.count_bytes(),
        data: s.as_ptr().cast::<u8>().cast_mut(),
    }
}
