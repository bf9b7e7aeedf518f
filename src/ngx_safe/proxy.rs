//! What a location says in `proxy_*` directives. The proxy module keeps its settings to itself: the
//! place of each is the one that its table of directives tells nginx's own setters, and the place of
//! what `proxy_pass` sets is found by trying that directive.

use std::ffi::{CStr, c_void};
use std::ptr::{self, NonNull};

use ngx::ffi::{
    NGX_HTTP_VERSION_11, ngx_array_t, ngx_command_t, ngx_conf_set_enum_slot,
    ngx_conf_set_flag_slot, ngx_conf_set_keyval_slot, ngx_conf_set_str_slot, ngx_flag_t,
    ngx_http_complex_value_t, ngx_http_set_complex_value_slot, ngx_http_upstream_conf_t,
    ngx_keyval_t, ngx_module_t, ngx_str_t, ngx_uint_t,
};

use crate::bytes;
use crate::conf::{Conf, array, command_named};
use crate::pass::Tried;
use crate::shim::s3_shim_stores;

/// The settings of a location with `proxy_pass`, all levels merged.
pub struct ProxySettings<'c> {
    /// What `proxy_pass` has after the host.
    pub uri: &'c [u8],
    /// `proxy_set_body`.
    pub body: Option<&'c [u8]>,
    /// `proxy_method`.
    pub method: Option<&'c [u8]>,
    pub passes_body: bool,
    pub passes_headers: bool,
    /// `proxy_store`.
    pub stores: bool,
    /// `proxy_http_version` is 1.0 or 1.1.
    pub speaks_http1: bool,
    /// The names in `proxy_set_header`.
    pub headers: Vec<&'c [u8]>,
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
    pub(crate) fn learn(cf: Conf<'_>) -> Option<ProxyPlaces> {
        let module = cf.module_named(c"ngx_http_proxy_module")?;
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
    pub(crate) unsafe fn read<'c>(
        &self,
        conf: NonNull<ngx_http_upstream_conf_t>,
    ) -> ProxySettings<'c> {
        let settings = Settings(conf);
        // SAFETY: by this function's contract there are values of these types in these places.
        let (uri, body, method, headers, version) = unsafe {
            (
                settings.read::<ngx_str_t>(self.uri),
                settings.read::<ngx_str_t>(self.body),
                settings.read::<*const ngx_http_complex_value_t>(self.method),
                settings.read::<*const ngx_array_t>(self.headers),
                settings.read::<ngx_uint_t>(self.http_version),
            )
        };
        // SAFETY: likewise.
        let flag = |place| unsafe { settings.read::<ngx_flag_t>(place) != 0 };
        // SAFETY: null or a compiled value, as long as the configuration.
        let method = unsafe { method.as_ref() };
        // SAFETY: null or an array of pairs, as long as the configuration.
        let headers = unsafe {
            headers
                .as_ref()
                .map_or(&[][..], |all| array::<ngx_keyval_t>(all))
        };
        // SAFETY: a text of the configuration.
        let text = |text: ngx_str_t| unsafe { bytes(text) };
        ProxySettings {
            uri: text(uri),
            // An empty body has an address, too.
            body: (!body.data.is_null()).then(|| text(body)),
            method: method.map(|method| text(method.value)),
            passes_body: flag(self.passes_body),
            passes_headers: flag(self.passes_headers),
            // SAFETY: the upstream's settings are the first member.
            stores: unsafe { s3_shim_stores(conf.as_ptr()) != 0 },
            speaks_http1: version <= NGX_HTTP_VERSION_11 as ngx_uint_t,
            headers: headers.iter().map(|header| text(header.key)).collect(),
        }
    }
}

/// A proxy module's settings of a location.
struct Settings(NonNull<ngx_http_upstream_conf_t>);

impl Settings {
    /// # Safety
    /// A `T` is at that offset.
    unsafe fn read<T>(&self, offset: usize) -> T {
        // SAFETY: by this function's contract.
        unsafe { self.0.byte_add(offset).cast::<T>().read() }
    }
}

/// The offset that a directive's setter is told, if it is that one of nginx's setters.
fn place_of(module: &ngx_module_t, directive: &CStr, setter: Setter) -> Option<usize> {
    let command = command_named(module, directive)?;
    let is_it = ptr::fn_addr_eq(command.set?, setter);
    is_it.then_some(command.offset)
}

/// Where `proxy_pass` puts what its URL has after the host: the one place between two that are known
/// which then points at that part of the URL, and at nothing for a URL without.
fn find_uri(cf: Conf<'_>, module: &ngx_module_t, from: usize, to: usize) -> Option<usize> {
    const URL: &CStr = c"http://s3_resign.invalid/uri";
    const WITHOUT: &CStr = c"http://s3_resign.invalid";
    let with = Tried::pass(cf, module, c"proxy_pass", URL)?;
    let without = Tried::pass(cf, module, c"proxy_pass", WITHOUT)?;
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
