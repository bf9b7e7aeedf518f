//! What a location says in `proxy_*` directives. The proxy module keeps its settings to itself: the
//! place of each is the one that its table of directives tells nginx's own setters, and the place of
//! what `proxy_pass` sets is found by trying that directive.

use std::ptr::NonNull;

use ngx::ffi::{
    NGX_HTTP_VERSION_11, ngx_array_t, ngx_flag_t, ngx_http_complex_value_t,
    ngx_http_upstream_conf_t, ngx_keyval_t, ngx_str_t, ngx_uint_t,
};

use crate::bytes;
use crate::shim::shim_stores;
use crate::tables::array;

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

/// The places of the settings in those of a location: offsets.
pub(crate) struct ProxyPlaces {
    pub(crate) uri: usize,
    pub(crate) body: usize,
    pub(crate) method: usize,
    pub(crate) passes_body: usize,
    pub(crate) passes_headers: usize,
    pub(crate) http_version: usize,
    pub(crate) headers: usize,
}

impl ProxyPlaces {
    /// # Safety
    /// `conf` is the proxy module's configuration of a location, merged, and lives for `'c`.
    pub(crate) unsafe fn read<'c>(
        &self,
        conf: NonNull<ngx_http_upstream_conf_t>,
    ) -> ProxySettings<'c> {
        let settings = Settings(conf);
        // SAFETY: by this function's contract a text is in this place, and in the next one.
        let uri: ngx_str_t = unsafe { settings.read(self.uri) };
        // SAFETY: as above.
        let body: ngx_str_t = unsafe { settings.read(self.body) };
        // SAFETY: by this function's contract a pointer to a compiled value is in this place.
        let method: *const ngx_http_complex_value_t = unsafe { settings.read(self.method) };
        // SAFETY: by this function's contract a pointer to an array is in this place.
        let headers: *const ngx_array_t = unsafe { settings.read(self.headers) };
        // SAFETY: by this function's contract a word is in this place.
        let version: ngx_uint_t = unsafe { settings.read(self.http_version) };
        // SAFETY: by this function's contract flags are in the places that are asked for.
        let flag = |place| unsafe { settings.read::<ngx_flag_t>(place) } != 0;
        // SAFETY: null or a compiled value, as long as the configuration.
        let method = unsafe { method.as_ref() };
        // SAFETY: null or an array, as long as the configuration.
        let headers = unsafe { headers.as_ref() };
        // SAFETY: the array is of pairs.
        let headers = headers.map_or(&[][..], |all| unsafe { array::<ngx_keyval_t>(all) });
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
            stores: unsafe { shim_stores(conf.as_ptr()) != 0 },
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
        // SAFETY: by this function's contract it is within the settings.
        let place = unsafe { self.0.byte_add(offset) };
        // SAFETY: by this function's contract.
        unsafe { place.cast::<T>().read() }
    }
}
