//! nginx's cache of a location: nginx asks for the zone of each request, and its keys get a part of the
//! module's own.

use std::ptr;

use ngx::ffi::{
    NGX_HTTP_VAR_NOCACHEABLE, NGX_HTTP_VAR_NOHASH, ngx_http_complex_value_t, ngx_http_request_t,
    ngx_int_t, ngx_str_t, ngx_variable_value_t,
};

use super::conf::Conf;
use super::request::{Request, VariableValue};
use super::shim::{
    s3_cache_create_key, s3_cache_do_not_store, s3_cache_is_passed_by, s3_cache_is_storing,
    s3_cache_take_zone, s3_cache_wrap_create_key,
};
use super::{ERROR, OK, bytes, guarded};
use crate::hooks;

/// The variable that nginx evaluates for the zone of a request.
const ASKED: &std::ffi::CStr = c"s3_cache_zone";

/// `proxy_cache` of a location.
pub(crate) struct Cache {
    zone: Zone,
    /// A `HEAD` fetches the whole object.
    pub(crate) converts_head: bool,
}

enum Zone {
    Named(&'static [u8]),
    Evaluated(&'static ngx_http_complex_value_t),
}

/// An answer that nginx is about to send and to store.
pub(crate) struct Stored<'r> {
    /// What the configuration adds to the key.
    pub(crate) added_key: &'r [u8],
    /// `Content-Range`; empty without one.
    pub(crate) content_range: &'r [u8],
}

impl Conf {
    pub(crate) fn add_cache_variable(self) -> Option<()> {
        let flags = NGX_HTTP_VAR_NOCACHEABLE | NGX_HTTP_VAR_NOHASH;
        self.add_variable(ASKED, Some(zone_asked), 0, flags)
    }

    /// Has nginx ask for the zone of each request of this location; None where it has no cache.
    /// nginx's own modules are merged first, so that no other location takes this over.
    pub(crate) fn take_cache(self) -> Result<Option<Cache>, String> {
        let Some(conf) = self.proxy_conf() else {
            return Ok(None);
        };
        let asked = self.compile(c"$s3_cache_zone")?;
        let (mut name, mut value, mut converts_head) = (ngx_str_t::empty(), ptr::null_mut(), 0);
        // SAFETY: the location's proxy configuration, merged; names and values live as long as that.
        unsafe {
            if s3_cache_take_zone(conf, asked, &mut name, &mut value, &mut converts_head) == 0 {
                return Ok(None);
            }
            let evaluated = value.as_ref().map(Zone::Evaluated);
            Ok(Some(Cache {
                zone: evaluated.unwrap_or(Zone::Named(bytes(name))),
                converts_head: converts_head != 0,
            }))
        }
    }
}

impl<'r> Request<'r> {
    /// The answer to the request, where nginx means to store it.
    pub(crate) fn answer_to_store(self) -> Option<Stored<'r>> {
        let (mut key, mut range) = (ngx_str_t::empty(), ngx_str_t::empty());
        // SAFETY: a request whose answer is about to be sent; the texts are in its pool.
        unsafe {
            (s3_cache_is_storing(self.as_ptr(), &mut key, &mut range) != 0).then(|| Stored {
                added_key: bytes(key),
                content_range: bytes(range),
            })
        }
    }

    /// Has nginx send the answer only, and not store it.
    pub(crate) fn discard_answer(self) {
        // SAFETY: a request with an upstream; nginx looks at that once the answer's head is sent.
        unsafe { s3_cache_do_not_store(self.as_ptr()) }
    }
}

/// nginx asks for the cache in which it is to look for a request; none is as good as `off`.
unsafe extern "C" fn zone_asked(
    r: *mut ngx_http_request_t,
    value: *mut ngx_variable_value_t,
    _data: usize,
) -> ngx_int_t {
    guarded(ERROR, || {
        // SAFETY: nginx asks for a variable of a request in progress.
        let (request, value) = unsafe { (Request::from_ptr(r), VariableValue::from_ptr(value)) };
        let (Some(request), Some(value)) = (request, value) else {
            return ERROR;
        };
        value.set(zone_of(request));
        OK
    })
}

fn zone_of<'r>(request: Request<'r>) -> Option<&'r [u8]> {
    let cache = request.location_conf().cache()?;
    let key = hooks::cache::key(request)?;
    let context = request.main().context()?;
    // SAFETY: a request in progress, with an upstream if the first is told; the handler makes keys as
    // nginx's own does.
    let is_asked = unsafe {
        s3_cache_wrap_create_key(request.as_ptr(), Some(create_key)) != 0
            && s3_cache_is_passed_by(request.as_ptr()) == 0
    };
    if !is_asked {
        return None;
    }
    // A NUL is in no other part of a key: nginx takes none from clients.
    context
        .cache_key
        .set(Some(request.copy(&[b"\0", key.as_slice()].concat())?));
    match cache.zone {
        Zone::Named(name) => Some(name),
        Zone::Evaluated(value) => request.evaluate(value),
    }
}

/// nginx makes the key of an entry.
unsafe extern "C" fn create_key(r: *mut ngx_http_request_t) -> ngx_int_t {
    guarded(ERROR, || {
        // SAFETY: nginx's request, with a cache in which it has no entry yet.
        let context = unsafe { Request::from_ptr(r) }.and_then(|request| request.main().context());
        match context.and_then(|context| context.cache_key.get()) {
            // SAFETY: as above; nginx only reads the text, which is in the request's pool.
            Some(key) => unsafe { s3_cache_create_key(r, key.as_ptr().cast_mut(), key.len()) },
            None => ERROR,
        }
    })
}
