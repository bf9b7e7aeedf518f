//! The location, `if` or `limit_except` block that is being merged.

use std::ffi::CString;
use std::marker::PhantomData;
use std::mem::offset_of;
use std::ptr::{self, NonNull};

use ngx::ffi::{
    ngx_http_core_loc_conf_t, ngx_http_core_srv_conf_t, ngx_http_server_name_t,
    ngx_http_upstream_conf_t, ngx_str_t, ngx_uint_t,
};

use crate::bytes;
use crate::cache::ProxyCache;
use crate::conf::Conf;
use crate::module::Module;
use crate::pass::{PROXY_PASS, PassHandler, SpeaksTls};
use crate::phase::Answerer;
use crate::proxy::ProxySettings;
use crate::shim::{
    SslSettings, shim_default_ssl_name, shim_is_catch_all, shim_is_condition, shim_is_limit_except,
    shim_obey_no_answer, shim_streams_bodies, shim_tls_settings,
};
use crate::tables::{array, command_named, core_index};
use crate::upstream::{Upstream, UpstreamId};

/// The level that is being merged, for one call:
///
/// ```compile_fail,E0521
/// # use ngx_safe::{level::Level, module::Module};
/// # fn keep<T: 'static>(_: T) {}
/// fn merge<M: Module>(level: Level<'_, M>) {
///     keep(level);
/// }
/// ```
///
/// It gives no second configuration to change beside the one that is merged:
///
/// ```compile_fail,E0308
/// # use ngx_safe::{level::Level, module::Module};
/// fn merge<M: Module>(level: &Level<'_, M>, outer: &M::Location, conf: &mut M::Location) {
///     let second: &mut M::Main = level.main_conf();
/// }
/// ```
pub struct Level<'c, M> {
    conf: Conf<'c>,
    module: PhantomData<M>,
}

/// The target to which a location passes its requests.
pub enum PassTarget<'c> {
    None,
    Proxy(Upstream<'c>),
    /// `proxy_pass` with variables.
    AtRunTime,
    /// A directive that speaks something else than HTTP/1.
    Other(&'static str),
}

/// The settings by which a location speaks TLS to its upstream: what its `proxy_ssl_*` directives say, for
/// as long as the configuration is there.
#[derive(Clone, Debug)]
pub struct Tls {
    pub(crate) settings: NonNull<SslSettings>,
    pub(crate) verifies: bool,
    pub(crate) sends_name: bool,
    /// In the place of the name of whom it speaks to.
    pub(crate) name: Option<Box<[u8]>>,
}

impl Tls {
    pub fn verifies(&self) -> bool {
        self.verifies
    }
}

impl<'c, M: Module> Level<'c, M> {
    pub(crate) fn new(conf: Conf<'c>) -> Level<'c, M> {
        Level {
            conf,
            module: PhantomData,
        }
    }

    pub fn main_conf(&self) -> &'c M::Main {
        self.conf.own_main_conf::<M>()
    }

    pub fn upstreams(&self) -> impl Iterator<Item = Upstream<'c>> {
        self.conf.upstreams()
    }

    pub fn upstream(&self, id: UpstreamId) -> Option<Upstream<'c>> {
        self.conf.upstream(id)
    }

    /// Logs what is likely to be a mistake.
    pub fn warn(&self, what: &str) {
        self.conf.warn(what);
    }

    fn core(&self) -> &'c ngx_http_core_loc_conf_t {
        // SAFETY: the type of the core's settings.
        let core = unsafe { self.conf.location_conf_of(core_index()) };
        // SAFETY: every location has them, as long as its configuration.
        unsafe { &*core }
    }

    pub fn name(&self) -> &'c [u8] {
        // SAFETY: a name of the configuration.
        unsafe { bytes(self.core().name) }
    }

    /// Tells whether it is a location, and no server, which has no name here.
    pub fn is_location(&self) -> bool {
        !self.name().is_empty()
    }

    /// Tells whether it is the location `/`, which takes what no other location does.
    pub fn is_catch_all(&self) -> bool {
        // SAFETY: the core's settings of this level; C only reads them.
        unsafe { shim_is_catch_all(ptr::from_ref(self.core()).cast_mut()) != 0 }
    }

    /// Tells whether it is an `if` that does not say itself who answers: its requests go where those of the level
    /// around it go.
    pub fn is_condition(&self) -> bool {
        // SAFETY: the core's settings of this level; C only reads them.
        let is_condition = unsafe { shim_is_condition(ptr::from_ref(self.core()).cast_mut()) != 0 };
        is_condition && self.core().handler.is_none()
    }

    /// Has requests that get to this `limit_except` answered as those of the location around it are, by `answerer`; false
    /// where it is none, or says itself who answers.
    pub fn answers_as_around(&self, answerer: Answerer) -> bool {
        // SAFETY: the core's settings of this level; C only reads them.
        let is_block = unsafe { shim_is_limit_except(self.core_to_change()) != 0 };
        if !is_block || self.core().handler.is_some() {
            return false;
        }
        // SAFETY: merge time: nothing else uses the settings of this level.
        unsafe { (*self.core_to_change()).handler = Some(answerer.0) };
        true
    }

    /// Returns the core's settings of this level, of which no reference is to be held meanwhile.
    pub(crate) fn core_to_change(&self) -> *mut ngx_http_core_loc_conf_t {
        // SAFETY: the type of the core's settings.
        unsafe { self.conf.location_conf_of(core_index()) }
    }

    /// Has bodies of any length accepted here; nginx's own modules are merged first.
    pub fn allow_any_body_size(&self) {
        // SAFETY: merge time: nothing else uses the settings of this level.
        unsafe { (*self.core_to_change()).client_max_body_size = 0 };
    }

    /// Returns the server's names, in lower case, but not those that stand for several.
    pub fn server_names(&self) -> impl Iterator<Item = &'c [u8]> {
        // SAFETY: the type of the core's settings.
        let core: *mut ngx_http_core_srv_conf_t = unsafe { self.conf.server_conf_of(core_index()) };
        // SAFETY: every server has them, as long as its configuration.
        let core = unsafe { &*core };
        // SAFETY: the array of its names.
        let names: &'c [ngx_http_server_name_t] = unsafe { array(&core.server_names) };
        // SAFETY: a name of the configuration.
        let names = names.iter().map(|name| unsafe { bytes(name.name) });
        names.filter(|name| !matches!(name, [] | [b'.' | b'~' | b'_', ..]) && !name.contains(&b'*'))
    }

    fn pass_handler(&self) -> Option<&'c PassHandler> {
        let handler = self.core().handler?;
        let mut passes = self.conf.main_of::<M>().passes.get()?.iter();
        passes.find(|pass| pass.is(handler))
    }

    pub fn pass_target(&self) -> PassTarget<'c> {
        let Some(pass) = self.pass_handler() else {
            return PassTarget::None;
        };
        if pass.directive != PROXY_PASS {
            return PassTarget::Other(pass.directive.to_str().unwrap_or_default());
        }
        let conf = self.conf.proxy_conf();
        // SAFETY: the location's proxy configuration, merged.
        let conf = conf.map(|conf| unsafe { conf.as_ref() });
        // SAFETY: an upstream of this configuration, or null where it is open until run time.
        let upstream = conf.and_then(|conf| unsafe { Upstream::from_ptr(conf.upstream) });
        upstream.map_or(PassTarget::AtRunTime, PassTarget::Proxy)
    }

    /// Returns the directive that passes requests on, and where they go; None where none does, or that is
    /// open until run time.
    pub fn passes_to(&self) -> Option<(&'static str, Upstream<'c>)> {
        let pass = self.pass_handler()?;
        let module = self.conf.module_named(pass.module)?;
        let prefix = pass.directive.to_bytes().strip_suffix(b"pass")?;
        let timeout = CString::new([prefix, b"connect_timeout"].concat()).ok()?;
        let timeout = command_named(module, &timeout)?;
        if timeout.offset != offset_of!(ngx_http_upstream_conf_t, connect_timeout) {
            return None;
        }
        // SAFETY: the settings of an upstream are the first ones of a module that has one of them in the
        // place that the bindings say.
        let conf: *const ngx_http_upstream_conf_t =
            unsafe { self.conf.location_conf_of(module.ctx_index) };
        // SAFETY: the module's settings of this location, merged.
        let upstream = unsafe { (*conf).upstream };
        // SAFETY: null, or an upstream of this configuration.
        let upstream = unsafe { Upstream::from_ptr(upstream) };
        Some((pass.directive.to_str().ok()?, upstream?))
    }

    /// Tells how a location with `proxy_pass` speaks TLS; None where it does not.
    pub fn tls(&self) -> Result<Option<Tls>, String> {
        let (Some(pass), Some(conf)) = (self.pass_handler(), self.conf.proxy_conf()) else {
            return Ok(None);
        };
        let at = match pass.speaks_tls {
            SpeaksTls::Never => return Ok(None),
            SpeaksTls::Flag(at) => at,
            SpeaksTls::Unknown => {
                return Err(
                    "this nginx does not tell whether \"proxy_pass\" is by TLS: build the module \
                     for it"
                        .into(),
                );
            }
        };
        // SAFETY: the place in the location's proxy configuration was found by `PassHandler::learn`.
        let flag = unsafe { conf.byte_add(at) };
        // SAFETY: a word of it, merged.
        if unsafe { flag.cast::<ngx_uint_t>().read() } != 1 {
            return Ok(None);
        }
        let (mut verifies, mut sends_name, mut name) = (0, 0, ngx_str_t::empty());
        // SAFETY: as above.
        let settings =
            unsafe { shim_tls_settings(conf.as_ptr(), &mut verifies, &mut sends_name, &mut name) };
        // SAFETY: a name of the configuration.
        let name = unsafe { bytes(name) };
        Ok(Some(Tls {
            settings: NonNull::new(settings).ok_or("\"proxy_pass\" by TLS has no settings")?,
            verifies: verifies != 0,
            sends_name: sends_name != 0,
            name: (!name.is_empty()).then(|| without_port(name).into()),
        }))
    }

    /// Tells whether `proxy_pass` forwards a body while it reads it.
    pub fn streams_bodies(&self) -> bool {
        let conf = self.conf.proxy_conf();
        // SAFETY: the location's proxy configuration, merged.
        conf.is_some_and(|conf| unsafe { shim_streams_bodies(conf.as_ptr()) != 0 })
    }

    /// Tells what `proxy_*` directives say here. None where that cannot be read.
    pub fn proxy_settings(&self) -> Option<ProxySettings<'c>> {
        let places = self.conf.main_of::<M>().proxy.get()?;
        // SAFETY: the location's proxy configuration, merged.
        self.conf
            .proxy_conf()
            .map(|conf| unsafe { places.read(conf) })
    }

    /// Sets, for TLS to the upstreams of this location, a text with variables, which is the name to send and
    /// to verify where `proxy_ssl_name` does not say otherwise.
    pub fn default_ssl_name(&self, name: &'static std::ffi::CStr) -> Result<(), String> {
        let conf = self
            .conf
            .proxy_conf()
            .ok_or("nginx was built without the proxy module")?;
        let value = self.conf.compile(name)?;
        // SAFETY: merge time; the location's proxy configuration is this configuration's own.
        unsafe { shim_default_ssl_name(conf.as_ptr(), value.as_ptr()) };
        Ok(())
    }

    /// Has nginx take nothing in an answer of this location's upstreams as an order. The location has these
    /// settings to itself, and takes none from outside any more: nginx's own modules are merged first.
    pub fn obey_no_answer(&self) {
        if let Some(conf) = self.conf.proxy_conf() {
            // SAFETY: the location's proxy configuration, merged.
            unsafe { shim_obey_no_answer(conf.as_ptr()) };
        }
    }

    /// Has nginx ask `zone` for the cache of each request of this location; None where it has no cache.
    /// nginx's own modules are merged first, so that no other location takes this over.
    pub fn take_cache(&self, zone: &'static std::ffi::CStr) -> Result<Option<ProxyCache>, String> {
        ProxyCache::take(self.conf, zone)
    }
}

/// Returns the host of `HOST` or `HOST:PORT`.
pub fn without_port(authority: &[u8]) -> &[u8] {
    match authority.iter().rposition(|c| *c == b':') {
        Some(colon) if authority[colon + 1..].iter().all(u8::is_ascii_digit) => &authority[..colon],
        _ => authority,
    }
}
