//! nginx's cache of a location: nginx asks for the zone of each request, and its keys get a part of the
//! module's own.

use std::ffi::CStr;
use std::ptr;

use ngx::ffi::{ngx_http_request_t, ngx_int_t, ngx_str_t, ngx_variable_value_t};

use crate::conf::Conf;
use crate::request::Request;
use crate::shim::{
    shim_cache_create_key, shim_cache_do_not_store, shim_cache_is_passed_by, shim_cache_is_storing,
    shim_cache_take_zone, shim_cache_wrap_create_key,
};
use crate::template::Template;
use crate::variable;
use crate::{ERROR, OK, bytes, guarded};

/// The `proxy_cache` of a location, for as long as its configuration.
#[derive(Debug)]
pub struct ProxyCache {
    zone: CacheZone,
    /// A `HEAD` fetches the whole object.
    pub converts_head: bool,
}

#[derive(Debug)]
enum CacheZone {
    Named(Box<[u8]>),
    Evaluated(Template),
}

/// An answer that nginx is about to send and to store.
#[derive(Debug)]
pub struct StoredAnswer<'r> {
    /// What the configuration adds to the key.
    pub added_key: &'r [u8],
    /// `Content-Range`; empty without one.
    pub content_range: &'r [u8],
}

/// The part of a module in the caches of its locations.
pub trait CacheHooks {
    /// Returns the cache of the request's location, where the request may have an entry in it, and the
    /// module's own part of that entry's key, which lives as long as the request.
    fn entry<'r>(request: Request<'r>) -> Option<(&'r ProxyCache, &'r [u8])>;

    /// Keeps the part, where nginx does look for the entry.
    fn keep_key<'r>(request: Request<'r>, key: &'r [u8]);

    /// Returns the part that was kept.
    fn kept_key<'r>(request: Request<'r>) -> Option<&'r [u8]>;
}

impl Conf<'_> {
    /// Adds the variable that nginx evaluates for the zone of a request; see `Level::take_cache`.
    pub fn add_cache_variable<H: CacheHooks>(self, name: &CStr) -> Result<(), String> {
        self.add_hidden_variable(name, Some(zone_asked::<H>))
    }
}

impl ProxyCache {
    pub(crate) fn take(conf: Conf<'_>, asked: &'static CStr) -> Result<Option<ProxyCache>, String> {
        let Some(proxy) = conf.proxy_conf() else {
            return Ok(None);
        };
        let asked = conf.compile(asked)?.as_ptr();
        let (mut name, mut value, mut converts_head) = (ngx_str_t::empty(), ptr::null_mut(), 0);
        let proxy = proxy.as_ptr();
        // SAFETY: the location's proxy configuration, merged.
        let is_taken = unsafe {
            shim_cache_take_zone(proxy, asked, &mut name, &mut value, &mut converts_head)
        };
        if is_taken == 0 {
            return Ok(None);
        }
        // SAFETY: null, or a compiled text of this configuration.
        let evaluated = unsafe { Template::from_ptr(value) }.map(CacheZone::Evaluated);
        Ok(Some(ProxyCache {
            // SAFETY: a name of this configuration.
            zone: evaluated.unwrap_or_else(|| CacheZone::Named(unsafe { bytes(name) }.into())),
            converts_head: converts_head != 0,
        }))
    }
}

impl<'r> Request<'r> {
    /// Returns the answer to the request, where nginx means to store it.
    pub fn answer_to_store(self) -> Option<StoredAnswer<'r>> {
        let (mut key, mut range) = (ngx_str_t::empty(), ngx_str_t::empty());
        // SAFETY: a request in progress.
        if unsafe { shim_cache_is_storing(self.as_ptr(), &mut key, &mut range) } == 0 {
            return None;
        }
        Some(StoredAnswer {
            // SAFETY: a text in the request's pool.
            added_key: unsafe { bytes(key) },
            // SAFETY: as above.
            content_range: unsafe { bytes(range) },
        })
    }

    /// Has nginx send the answer only, and not store it.
    pub fn discard_answer(self) {
        if !self.raw().upstream.is_null() {
            // SAFETY: a request with an upstream; nginx looks at that once the answer's head is sent.
            unsafe { shim_cache_do_not_store(self.as_ptr()) }
        }
    }
}

/// Tells nginx the cache in which it is to look for a request; none is as good as `off`.
unsafe extern "C" fn zone_asked<H: CacheHooks>(
    r: *mut ngx_http_request_t,
    value: *mut ngx_variable_value_t,
    _data: usize,
) -> ngx_int_t {
    guarded(ERROR, || {
        // SAFETY: nginx asks for a variable of a request in progress.
        let Some(request) = (unsafe { Request::from_ptr(r) }) else {
            return ERROR;
        };
        // SAFETY: the place for its value, which is in the request's pool or the configuration's.
        unsafe { variable::set(value, zone_of::<H>(request)) };
        OK
    })
}

fn zone_of<H: CacheHooks>(request: Request<'_>) -> Option<&[u8]> {
    let (cache, key) = H::entry(request)?;
    // SAFETY: a request in progress; the handler makes keys as nginx's own does.
    if unsafe { shim_cache_wrap_create_key(request.as_ptr(), Some(create_key::<H>)) } == 0 {
        return None;
    }
    // SAFETY: a request with an upstream, as the call before has told.
    if unsafe { shim_cache_is_passed_by(request.as_ptr()) } != 0 {
        return None;
    }
    H::keep_key(request, key);
    match &cache.zone {
        CacheZone::Named(name) => Some(name),
        CacheZone::Evaluated(template) => request.evaluate(template),
    }
}

/// Makes the key of an entry.
unsafe extern "C" fn create_key<H: CacheHooks>(r: *mut ngx_http_request_t) -> ngx_int_t {
    guarded(ERROR, || {
        // SAFETY: nginx's request, with a cache in which it has no entry yet.
        let request = unsafe { Request::from_ptr(r) };
        match request.and_then(H::kept_key) {
            // SAFETY: as above; nginx only reads the text, which lives as long as the request.
            Some(key) => unsafe { shim_cache_create_key(r, key.as_ptr().cast_mut(), key.len()) },
            None => ERROR,
        }
    })
}
