//! What a location says in `proxy_*` directives. The proxy module keeps its settings to itself: the
//! place of each is the one that its table of directives tells nginx's own setters, and the place of
//! what `proxy_pass` sets is found by trying that directive.

use std::ffi::{CStr, c_void};
use std::ptr;

use ngx::ffi::{
    NGX_HTTP_VERSION_11, ngx_array_t, ngx_command_t, ngx_conf_set_enum_slot,
    ngx_conf_set_flag_slot, ngx_conf_set_keyval_slot, ngx_conf_set_str_slot, ngx_flag_t,
    ngx_http_complex_value_t, ngx_http_set_complex_value_slot, ngx_http_upstream_conf_t,
    ngx_keyval_t, ngx_module_t, ngx_str_t, ngx_uint_t,
};

use super::bytes;
use super::conf::{Conf, array, command_named};
use super::shim::s3_shim_stores;

/// The settings of a location with `proxy_pass`, all levels merged.
pub(crate) struct ProxySettings<'c> {
    /// What `proxy_pass` has behind the host.
    pub(crate) uri: &'c [u8],
    /// `proxy_set_body`.
    pub(crate) body: Option<&'c [u8]>,
    /// `proxy_method`.
    pub(crate) method: Option<&'c [u8]>,
    pub(crate) passes_body: bool,
    pub(crate) passes_headers: bool,
    /// `proxy_store`.
    pub(crate) stores: bool,
    /// `proxy_http_version` is 1.0 or 1.1.
    pub(crate) speaks_http1: bool,
    /// The names in `proxy_set_header`.
    pub(crate) headers: Vec<&'c [u8]>,
}

/// Where they are in the settings of a location: offsets.
pub(crate) struct ProxyPlaces {
    uri: usize,
    body: usize,
    method: usize,
    passes_body: usize,
    passes_headers: usize,
    http_version: usize,
    headers: usize,
}

type Setter = unsafe extern "C" fn(
    *mut ngx::ffi::ngx_conf_t,
    *mut ngx_command_t,
    *mut c_void,
) -> *mut std::ffi::c_char;

impl ProxyPlaces {
    /// None where this nginx has them elsewhere than all that are known.
    pub(super) fn learn(cf: Conf) -> Option<ProxyPlaces> {
        let module = cf.module_named(c"ngx_http_proxy_module")?;
        // SAFETY: a module of nginx's.
        let module = unsafe { &*module };
        let place = |directive, setter| place_of(module, directive, setter);
        let method = place(c"proxy_method", ngx_http_set_complex_value_slot)?;
        let http_version = place(c"proxy_http_version", ngx_conf_set_enum_slot)?;
        Some(ProxyPlaces {
            uri: find_uri(cf, module, method, http_version)?,
            body: place(c"proxy_set_body", ngx_conf_set_str_slot)?,
            method,
            passes_body: place(c"proxy_pass_request_body", ngx_conf_set_flag_slot)?,
            passes_headers: place(c"proxy_pass_request_headers", ngx_conf_set_flag_slot)?,
            http_version,
            headers: place(c"proxy_set_header", ngx_conf_set_keyval_slot)?,
        })
    }

    /// # Safety
    /// `conf` is the proxy module's configuration of a location, merged, and lives for `'c`.
    pub(super) unsafe fn read<'c>(&self, conf: *mut ngx_http_upstream_conf_t) -> ProxySettings<'c> {
        // SAFETY: by this function's contract there are values of these types in these places.
        unsafe {
            let body = conf.byte_add(self.body).cast::<ngx_str_t>().read();
            let method = conf
                .byte_add(self.method)
                .cast::<*const ngx_http_complex_value_t>()
                .read();
            let headers = conf
                .byte_add(self.headers)
                .cast::<*const ngx_array_t>()
                .read();
            let flag = |at: usize| conf.byte_add(at).cast::<ngx_flag_t>().read() != 0;
            let version = conf.byte_add(self.http_version).cast::<ngx_uint_t>().read();
            let headers = headers
                .as_ref()
                .map_or(&[][..], |headers| array::<ngx_keyval_t>(headers));
            ProxySettings {
                uri: bytes(conf.byte_add(self.uri).cast::<ngx_str_t>().read()),
                // An empty body has an address, too.
                body: (!body.data.is_null()).then(|| bytes(body)),
                method: method.as_ref().map(|method| bytes(method.value)),
                passes_body: flag(self.passes_body),
                passes_headers: flag(self.passes_headers),
                stores: s3_shim_stores(conf) != 0,
                speaks_http1: version <= NGX_HTTP_VERSION_11 as ngx_uint_t,
                headers: headers.iter().map(|header| bytes(header.key)).collect(),
            }
        }
    }
}

/// The offset that a directive's setter is told, if it is that one of nginx's setters.
fn place_of(module: &ngx_module_t, directive: &CStr, setter: Setter) -> Option<usize> {
    let command = command_named(module, directive)?;
    // SAFETY: a command of the module's table.
    let command = unsafe { &*command };
    let is_it = ptr::fn_addr_eq(command.set?, setter);
    is_it.then_some(command.offset)
}

/// Where `proxy_pass` puts what its URL has behind the host: the one place between two that are known
/// which then points at that part of the URL, and at nothing for a URL without.
fn find_uri(cf: Conf, module: &ngx_module_t, from: usize, to: usize) -> Option<usize> {
    const URL: &CStr = c"http://s3_resign.invalid/uri";
    const WITHOUT: &CStr = c"http://s3_resign.invalid";
    let with = cf.try_pass(module, c"proxy_pass", URL)?;
    let without = cf.try_pass(module, c"proxy_pass", WITHOUT)?;
    let is_uri = |at: &usize| {
        // SAFETY: both are settings of the proxy module's, which are longer than `to`.
        unsafe {
            let uri = with.own.byte_add(*at).cast::<ngx_str_t>().read();
            let none = without.own.byte_add(*at).cast::<ngx_str_t>().read();
            let start = with.argument.wrapping_add(WITHOUT.count_bytes());
            ptr::eq(uri.data, start)
                && uri.len == URL.count_bytes() - WITHOUT.count_bytes()
                && none.len == 0
        }
    };
    let last = to.checked_sub(size_of::<ngx_str_t>())?;
    let mut places = (from..=last)
        .step_by(align_of::<ngx_str_t>())
        .filter(is_uri);
    let found = places.next()?;
    places.next().is_none().then_some(found)
}
