//! Configuration time: errors, and the places where the module hooks in.

use std::ffi::{CStr, CString, c_char, c_void};
use std::mem::offset_of;
use std::ptr;

use ngx::core::{NGX_CONF_ERROR, Pool};
use ngx::ffi::{
    NGX_LOG_EMERG, NGX_LOG_WARN, ngx_array_push, ngx_array_t, ngx_command_t, ngx_conf_t,
    ngx_cycle_t, ngx_http_add_variable, ngx_http_compile_complex_value,
    ngx_http_compile_complex_value_t, ngx_http_complex_value_t, ngx_http_conf_ctx_t,
    ngx_http_core_loc_conf_t, ngx_http_core_main_conf_t, ngx_http_core_module,
    ngx_http_core_srv_conf_t, ngx_http_get_variable_pt, ngx_http_handler_pt, ngx_http_module,
    ngx_http_module_t, ngx_http_phases_NGX_HTTP_ACCESS_PHASE, ngx_http_phases_NGX_HTTP_LOG_PHASE,
    ngx_http_server_name_t, ngx_http_upstream_conf_t, ngx_http_upstream_main_conf_t,
    ngx_http_upstream_module, ngx_http_upstream_srv_conf_t, ngx_log_t, ngx_module_t, ngx_str_t,
    ngx_uint_t,
};

use super::proxy::{ProxyPlaces, ProxySettings};
use super::shim::{
    Ssl, s3_layout_fits, s3_shim_default_ssl_name, s3_shim_obey_no_answer, s3_shim_streams_bodies,
    s3_shim_tls_settings,
};
use super::upstream::Upstream;
use super::{OK, bytes, str_of};
use crate::checks::Checks;
use crate::conf::{MainConf, without_port};
use crate::module;
use crate::variables::SIGN_TIME;

/// Where a handler of requests is registered.
#[derive(Clone, Copy)]
#[repr(u32)]
pub(crate) enum Phase {
    Access = ngx_http_phases_NGX_HTTP_ACCESS_PHASE,
    Log = ngx_http_phases_NGX_HTTP_LOG_PHASE,
}

/// The configuration being read.
#[derive(Clone, Copy)]
pub(crate) struct Conf(ptr::NonNull<ngx_conf_t>);

impl Conf {
    /// # Safety
    /// `cf` is what nginx handed to a callback, and the result does not outlive that.
    pub(crate) unsafe fn from_ptr(cf: *mut ngx_conf_t) -> Option<Conf> {
        ptr::NonNull::new(cf).map(Conf)
    }

    pub(super) fn as_ptr(self) -> *mut ngx_conf_t {
        self.0.as_ptr()
    }

    pub(super) fn log(self) -> *mut ngx_log_t {
        // SAFETY: the log of the configuration being read.
        unsafe { (*self.0.as_ptr()).log }
    }

    /// Whether the structures of the running nginx are those that this was compiled for; if not, one
    /// that is not is logged.
    pub(crate) fn layout_fits(self) -> bool {
        // SAFETY: nginx's configuration, before a field of another structure has been used.
        unsafe { s3_layout_fits(self.0.as_ptr()) != 0 }
    }

    /// Logs why the configuration is refused.
    pub(crate) fn refuse(self, why: &str) -> *mut c_char {
        ngx::ngx_conf_log_error!(NGX_LOG_EMERG, self.0.as_ptr(), "{why}");
        NGX_CONF_ERROR as *mut c_char
    }

    /// Logs what is likely to be a mistake.
    pub(crate) fn warn(self, what: &str) {
        ngx::ngx_conf_log_error!(NGX_LOG_WARN, self.0.as_ptr(), "{what}");
    }

    /// A configuration of ours in the pool, dropped with it.
    pub(crate) fn allocate<T>(self, value: T) -> *mut c_void {
        // SAFETY: the pool of the configuration being read.
        unsafe {
            Pool::from_ngx_pool((*self.0.as_ptr()).pool)
                .allocate(value)
                .cast()
        }
    }

    pub(crate) fn add_variable(
        self,
        name: &'static CStr,
        getter: ngx_http_get_variable_pt,
        data: usize,
        flags: u32,
    ) -> Option<()> {
        let mut name = str_of(name);
        // SAFETY: nginx copies the name; a variable just added is ours to fill in.
        unsafe {
            let variable =
                ngx_http_add_variable(self.0.as_ptr(), &mut name, flags as ngx_uint_t).as_mut()?;
            variable.get_handler = getter;
            variable.data = data;
        }
        Some(())
    }

    /// Is the variable used anywhere in the configuration?
    fn uses_variable(self, name: &CStr) -> bool {
        // SAFETY: the array of the variables that the configuration refers to.
        unsafe {
            let core: &ngx_http_core_main_conf_t =
                &*self.main_conf_of(&raw const ngx_http_core_module);
            array::<ngx::ffi::ngx_http_variable_t>(&core.variables)
                .iter()
                .any(|v| bytes(v.name) == name.to_bytes())
        }
    }

    /// This module's main conf.
    pub(crate) fn main_conf<'c>(self) -> &'c MainConf {
        // SAFETY: it is behind its index, and nothing holds a mutable reference to it but
        // `hook_upstreams`.
        unsafe { &*self.main_conf_of::<MainConf>(module()) }
    }

    /// Times are taken only where they are asked for.
    pub(crate) fn note_sign_time(self) {
        let main = self.main_conf();
        let is_used = main.wants_status.get() || self.uses_variable(SIGN_TIME);
        main.sign_time.set(is_used);
    }

    /// Has the location that is being read answer its requests by `handler`; false where another
    /// directive does.
    pub(crate) fn set_content_handler(self, handler: Handler) -> bool {
        // SAFETY: the core's settings of that location.
        unsafe {
            let core: *mut ngx_http_core_loc_conf_t =
                self.location_conf_of(&raw const ngx_http_core_module);
            (*core).handler.replace(handler).is_none()
        }
    }

    pub(crate) fn add_handler(self, phase: Phase, handler: ngx_http_handler_pt) -> Option<()> {
        // SAFETY: postconfiguration, when handlers are registered; a pushed element is ours.
        unsafe {
            let core: *mut ngx_http_core_main_conf_t =
                self.main_conf_of(&raw const ngx_http_core_module);
            let phase = &mut (*core).phases[phase as usize];
            let slot = ngx_array_push(&mut phase.handlers).cast::<ngx_http_handler_pt>();
            if slot.is_null() {
                return None;
            }
            slot.write(handler);
        }
        Some(())
    }

    /// Gives every upstream's servers their origins, then wraps every `peer.init`.
    pub(crate) fn hook_upstreams(self) -> Result<(), String> {
        // SAFETY: postconfiguration: the upstreams are all there and initialised, and nothing else
        // runs; this module's main conf is behind its index.
        let main = unsafe { &mut *self.main_conf_of::<MainConf>(module()) };
        let upstreams = self.upstreams();
        for upstream in &upstreams {
            if let Some(conf) = upstream.conf_mut() {
                conf.complete(upstream.name(), &upstream.servers(), |server| {
                    main.origins.id(upstream.name(), server)
                })?;
                conf.check_health(*upstream)?;
            }
            main.upstreams.push(upstream.hook());
        }
        main.checks = Checks::declare(self, &upstreams)?;
        main.upstreams
            .sort_by_key(super::upstream::Hooked::upstream);
        Ok(())
    }

    fn upstreams(self) -> Vec<Upstream> {
        // SAFETY: the array of pointers to all upstreams of the configuration.
        unsafe {
            let main: *const ngx_http_upstream_main_conf_t =
                self.main_conf_of(&raw const ngx_http_upstream_module);
            array::<*mut ngx_http_upstream_srv_conf_t>(&(*main).upstreams)
                .iter()
                .filter_map(|us| Upstream::from_ptr(*us))
                .collect()
        }
    }

    /// # Safety
    /// `T` is the main configuration of that module.
    unsafe fn main_conf_of<T>(self, module: *const ngx_module_t) -> *mut T {
        // SAFETY: inside `http {}` the context is the http module's.
        unsafe {
            let context: *mut ngx_http_conf_ctx_t = (*self.0.as_ptr()).ctx.cast();
            (*(*context).main_conf.add((*module).ctx_index)).cast()
        }
    }

    /// # Safety
    /// `T` is the location configuration of that module.
    unsafe fn location_conf_of<T>(self, module: *const ngx_module_t) -> *mut T {
        // SAFETY: as in `main_conf_of`.
        unsafe {
            let context: *mut ngx_http_conf_ctx_t = (*self.0.as_ptr()).ctx.cast();
            (*(*context).loc_conf.add((*module).ctx_index)).cast()
        }
    }

    /// Finds out which content handlers pass requests on: nginx keeps their addresses to itself, but
    /// each `*_pass` directive sets one, so each is tried on a location that nobody sees.
    pub(crate) fn learn_passes(self) -> Vec<PassHandler> {
        PASS_DIRECTIVES
            .iter()
            .filter_map(|(module, directive)| self.handler_set_by(module, directive))
            .collect()
    }

    /// See `ProxyPlaces`.
    pub(crate) fn learn_proxy(self) -> Option<ProxyPlaces> {
        ProxyPlaces::learn(self)
    }

    fn handler_set_by(
        self,
        module: &'static CStr,
        directive: &'static CStr,
    ) -> Option<PassHandler> {
        // SAFETY: a module of nginx's, and settings of its own, which it has just made.
        unsafe {
            let found = &*self.module_named(module)?;
            let tls_flag = tls_flag(found);
            let read_flag =
                |own: *mut c_void| tls_flag.map(|at| own.byte_add(at).cast::<ngx_uint_t>().read());
            // A URL with a variable registers no upstream.
            let tried = self.try_pass(found, directive, c"http://$host")?;
            let flag_before = read_flag(self.new_location(found)?);
            let speaks_tls = match (tls_flag, flag_before, read_flag(tried.own)) {
                (None, ..) => SpeaksTls::Never,
                (Some(at), Some(0), Some(1)) => SpeaksTls::Flag(at),
                (Some(_), ..) => SpeaksTls::Unknown,
            };
            Some(PassHandler {
                handler: tried.handler,
                directive,
                module,
                speaks_tls,
            })
        }
    }

    /// Settings of a module for a location that nobody sees.
    fn new_location(self, module: &ngx_module_t) -> Option<*mut c_void> {
        // SAFETY: configuration time, and a module of HTTP's.
        let own = unsafe {
            let hooks = &*module.ctx.cast::<ngx_http_module_t>();
            hooks.create_loc_conf?(self.0.as_ptr())
        };
        (!own.is_null()).then_some(own)
    }

    /// Tries a directive that passes requests on, in a location that nobody sees. None where it is
    /// refused.
    pub(super) fn try_pass(
        self,
        module: &ngx_module_t,
        directive: &'static CStr,
        argument: &CStr,
    ) -> Option<Tried> {
        let cf = self.0.as_ptr();
        // SAFETY: configuration time. The setter sees a context of its own, in which only the
        // locations of the core and of its module are replaced by new ones, and arguments of its
        // own; both are put back, and an upstream that it registers is struck off the list again.
        unsafe {
            let command = command_named(module, directive)?;
            let original_context = (*cf).ctx.cast::<ngx_http_conf_ctx_t>();
            let original_args = (*cf).args;

            let count = ngx::ffi::ngx_http_max_module;
            let mut locations = Vec::with_capacity(count);
            for i in 0..count {
                locations.push(*(*original_context).loc_conf.add(i));
            }
            let pool = Pool::from_ngx_pool((*cf).pool);
            let core = pool.calloc_type::<ngx_http_core_loc_conf_t>();
            let text = pool.calloc(argument.to_bytes_with_nul().len()).cast::<u8>();
            if core.is_null() || text.is_null() {
                return None;
            }
            text.copy_from_nonoverlapping(argument.as_ptr().cast(), argument.count_bytes());
            let own = self.new_location(module)?;
            locations[ngx_http_core_module.ctx_index] = core.cast();
            locations[module.ctx_index] = own;
            let mut context = ngx_http_conf_ctx_t {
                main_conf: (*original_context).main_conf,
                srv_conf: (*original_context).srv_conf,
                loc_conf: locations.as_mut_ptr(),
            };
            let url = ngx_str_t {
                len: argument.count_bytes(),
                data: text,
            };
            let mut words = [str_of(directive), url];
            let mut args: ngx_array_t = std::mem::zeroed();
            args.elts = words.as_mut_ptr().cast();
            args.nelts = words.len();
            args.size = size_of::<ngx_str_t>();
            args.nalloc = words.len();

            let upstreams: *mut ngx_http_upstream_main_conf_t =
                self.main_conf_of(&raw const ngx_http_upstream_module);
            let registered = (*upstreams).upstreams.nelts;
            (*cf).ctx = (&raw mut context).cast();
            (*cf).args = &mut args;
            let failed = !(*command).set?(cf, command, own).is_null();
            (*cf).ctx = original_context.cast();
            (*cf).args = original_args;
            (*upstreams).upstreams.nelts = registered;

            let handler = (*core).handler.filter(|_| !failed)?;
            Some(Tried {
                handler,
                own,
                argument: text,
            })
        }
    }

    pub(super) fn module_named(self, name: &CStr) -> Option<*const ngx_module_t> {
        // SAFETY: the cycle's modules end with null; each has a name.
        unsafe {
            let mut modules = (*(*self.0.as_ptr()).cycle).modules;
            while !(*modules).is_null() {
                let module = *modules;
                if CStr::from_ptr((*module).name) == name {
                    return Some(module);
                }
                modules = modules.add(1);
            }
        }
        None
    }

    /// TLS to the origins of this location: `$s3_origin_host` is the name to send and to verify,
    /// where `proxy_ssl_name` does not say otherwise.
    pub(crate) fn default_ssl_name(self) -> Result<(), String> {
        let upstream_conf = self
            .proxy_conf()
            .ok_or("nginx was built without the proxy module")?;
        let value = self.compile(c"$s3_origin_host")?;
        // SAFETY: merge time; the location's proxy configuration is this configuration's own.
        unsafe { s3_shim_default_ssl_name(upstream_conf, value) };
        Ok(())
    }

    /// A text with variables, in the configuration's pool.
    pub(super) fn compile(
        self,
        text: &'static CStr,
    ) -> Result<*mut ngx_http_complex_value_t, String> {
        let mut source = str_of(text);
        // SAFETY: configuration time; nginx only reads the text.
        unsafe {
            let pool = Pool::from_ngx_pool((*self.0.as_ptr()).pool);
            let value = pool.calloc_type::<ngx_http_complex_value_t>();
            let mut compile: ngx_http_compile_complex_value_t = std::mem::zeroed();
            compile.cf = self.0.as_ptr();
            compile.value = &mut source;
            compile.complex_value = value;
            if value.is_null() || ngx_http_compile_complex_value(&mut compile) != OK {
                return Err("\"s3_resign\": out of memory".into());
            }
            Ok(value)
        }
    }

    /// Nothing in an answer of this location's origins is an order to nginx. The location has these
    /// settings to itself, and takes none from outside any more: nginx's own modules are merged first.
    pub(crate) fn obey_no_answer(self) {
        if let Some(conf) = self.proxy_conf() {
            // SAFETY: the location's proxy configuration, merged.
            unsafe { s3_shim_obey_no_answer(conf) };
        }
    }

    /// The `proxy_*` settings of the location being merged; nginx merges its own modules first.
    pub(super) fn proxy_conf(self) -> Option<*mut ngx_http_upstream_conf_t> {
        let proxy = self.module_named(c"ngx_http_proxy_module")?;
        // SAFETY: the upstream's settings are the first member of the proxy module's.
        let conf = unsafe { self.location_conf_of::<ngx_http_upstream_conf_t>(proxy) };
        (!conf.is_null()).then_some(conf)
    }
}

/// This module's main conf; None where there is no `http {}`.
///
/// # Safety
/// `cycle` has read its configuration, and is there for `'c`.
pub(crate) unsafe fn main_conf<'c>(cycle: *mut ngx_cycle_t) -> Option<&'c MainConf> {
    // SAFETY: by this function's contract; the http module's context is behind its index.
    unsafe {
        let context: *mut ngx_http_conf_ctx_t =
            (*(*cycle).conf_ctx.add(ngx_http_module.index)).cast();
        let context = context.as_ref()?;
        (*context.main_conf.add(module().ctx_index))
            .cast::<MainConf>()
            .as_ref()
    }
}

/// The directives that pass a request on, `proxy_pass` first: the only one that can be signed.
const PASS_DIRECTIVES: &[(&CStr, &CStr)] = &[
    (c"ngx_http_proxy_module", c"proxy_pass"),
    (c"ngx_http_fastcgi_module", c"fastcgi_pass"),
    (c"ngx_http_uwsgi_module", c"uwsgi_pass"),
    (c"ngx_http_scgi_module", c"scgi_pass"),
    (c"ngx_http_grpc_module", c"grpc_pass"),
];

pub(crate) type Handler =
    unsafe extern "C" fn(*mut ngx::ffi::ngx_http_request_t) -> ngx::ffi::ngx_int_t;

/// What a directive has done that was tried in a location of no server.
pub(super) struct Tried {
    handler: Handler,
    /// The settings of its module.
    pub(super) own: *mut c_void,
    /// Its argument.
    pub(super) argument: *const u8,
}

/// The content handler that a directive sets.
pub(crate) struct PassHandler {
    handler: Handler,
    directive: &'static CStr,
    /// Whose directive it is.
    module: &'static CStr,
    speaks_tls: SpeaksTls,
}

/// How to see whether a location passes its requests on by TLS. nginx keeps that to itself, in a word
/// ahead of `proxy_ssl_protocols`; it sets it for a URL with variables too, by which the place is
/// made sure of.
#[derive(Clone, Copy)]
enum SpeaksTls {
    Never,
    /// The offset of the word in the location's configuration.
    Flag(usize),
    Unknown,
}

/// Where the proxy module has that word, if nothing has changed.
fn tls_flag(module: &ngx_module_t) -> Option<usize> {
    let command = command_named(module, c"proxy_ssl_protocols")?;
    // SAFETY: a command of the module's table.
    unsafe { (*command).offset.checked_sub(size_of::<ngx_uint_t>()) }
}

/// How a location speaks TLS to its upstream.
#[derive(Clone)]
pub(crate) struct Tls {
    /// As long as the configuration.
    pub(super) settings: *mut Ssl,
    pub(super) verifies: bool,
    pub(super) sends_name: bool,
    /// In the place of the origin's own.
    pub(super) name: Option<Box<[u8]>>,
}

impl Tls {
    pub(crate) fn verifies(&self) -> bool {
        self.verifies
    }
}

/// Where a location passes its requests.
pub(crate) enum Pass {
    None,
    Proxy(Upstream),
    /// `proxy_pass` with variables.
    AtRunTime,
    /// A directive that speaks something else than HTTP/1.
    Other(&'static str),
}

/// The location, `if` or `limit_except` block that is being merged.
pub(crate) struct Level(Conf);

impl Level {
    pub(crate) fn new(conf: Conf) -> Level {
        Level(conf)
    }

    fn core(&self) -> &ngx_http_core_loc_conf_t {
        // SAFETY: every location has the core's settings.
        unsafe { &*self.0.location_conf_of(&raw const ngx_http_core_module) }
    }

    pub(crate) fn name(&self) -> &[u8] {
        // SAFETY: a name of the configuration.
        unsafe { bytes(self.core().name) }
    }

    /// The server's names, in lower case, but not those that stand for several.
    pub(crate) fn server_names(&self) -> impl Iterator<Item = &[u8]> {
        // SAFETY: inside `http {}` the context is the http module's; every server has the core's
        // settings, and in them its names.
        let names: &[ngx_http_server_name_t] = unsafe {
            let context: *mut ngx_http_conf_ctx_t = (*self.0.as_ptr()).ctx.cast();
            let core: *const ngx_http_core_srv_conf_t =
                (*(*context).srv_conf.add(ngx_http_core_module.ctx_index)).cast();
            array(&(*core).server_names)
        };
        // SAFETY: a name of the configuration.
        let names = names.iter().map(|name| unsafe { bytes(name.name) });
        names.filter(|name| !matches!(name, [] | [b'.' | b'~' | b'_', ..]) && !name.contains(&b'*'))
    }

    /// And no server, which has no name here.
    pub(crate) fn is_location(&self) -> bool {
        !self.name().is_empty()
    }

    pub(crate) fn main_conf<'c>(&self) -> &'c MainConf {
        self.0.main_conf()
    }

    pub(crate) fn upstreams(&self) -> Vec<Upstream> {
        self.0.upstreams()
    }

    fn pass_handler(&self) -> Option<&PassHandler> {
        let handler = self.core().handler?;
        self.main_conf()
            .passes
            .iter()
            .find(|p| ptr::fn_addr_eq(p.handler, handler))
    }

    /// How a location with `proxy_pass` speaks TLS; None where it does not.
    pub(crate) fn tls(&self) -> Result<Option<Tls>, String> {
        let (Some(pass), Some(conf)) = (self.pass_handler(), self.0.proxy_conf()) else {
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
        let (mut verifies, mut sends_name, mut name) = (0, 0, ngx_str_t::empty());
        // SAFETY: the location's proxy configuration, merged; the word was found at configuration time
        // (`SpeaksTls`).
        unsafe {
            if conf.byte_add(at).cast::<ngx_uint_t>().read() != 1 {
                return Ok(None);
            }
            let settings = s3_shim_tls_settings(conf, &mut verifies, &mut sends_name, &mut name);
            if settings.is_null() {
                return Err("\"proxy_pass\" by TLS has no settings".into());
            }
            Ok(Some(Tls {
                settings,
                verifies: verifies != 0,
                sends_name: sends_name != 0,
                name: (name.len > 0).then(|| without_port(bytes(name)).into()),
            }))
        }
    }

    /// Whether `proxy_pass` forwards a body while it reads it.
    pub(crate) fn streams_bodies(&self) -> bool {
        let conf = self.0.proxy_conf();
        // SAFETY: the location's proxy configuration, merged.
        conf.is_some_and(|conf| unsafe { s3_shim_streams_bodies(conf) != 0 })
    }

    /// What `proxy_*` directives say here. None where that cannot be read.
    pub(crate) fn proxy_settings(&self) -> Option<ProxySettings<'_>> {
        let places = self.main_conf().proxy.as_ref()?;
        // SAFETY: the location's proxy configuration, merged.
        self.0.proxy_conf().map(|conf| unsafe { places.read(conf) })
    }

    /// Logs what is likely to be a mistake.
    pub(crate) fn warn(&self, what: &str) {
        self.0.warn(what);
    }

    /// The directive that passes requests on, and where they go; None where none does, or that is
    /// open until run time.
    pub(crate) fn passes_to(&self) -> Option<(&'static str, Upstream)> {
        let known = self.pass_handler()?;
        let module = self.0.module_named(known.module)?;
        // SAFETY: the module's settings of this location, merged, in which the upstream's are the
        // first where one of them is in the place that the bindings say.
        let upstream = unsafe {
            let prefix = known.directive.to_bytes().strip_suffix(b"pass")?;
            let timeout = CString::new([prefix, b"connect_timeout"].concat()).ok()?;
            let timeout = command_named(&*module, &timeout)?;
            if (*timeout).offset != offset_of!(ngx_http_upstream_conf_t, connect_timeout) {
                return None;
            }
            let conf: *const ngx_http_upstream_conf_t = self.0.location_conf_of(module);
            Upstream::from_ptr((*conf).upstream)
        };
        Some((known.directive.to_str().ok()?, upstream?))
    }

    /// Whether bodies may be read before a location is chosen (`client_body_early_read`, from nginx
    /// 1.31.5 on).
    pub(crate) fn reads_bodies_early(&self) -> bool {
        let cf = self.0.0.as_ptr();
        // SAFETY: the core's settings of the server that is being merged: a pointer is in the place
        // that the directive's setter is told.
        unsafe {
            let module = &raw const ngx_http_core_module;
            let Some(command) = command_named(&*module, c"client_body_early_read") else {
                return false;
            };
            let context: *mut ngx_http_conf_ctx_t = (*cf).ctx.cast();
            let core = *(*context).srv_conf.add((*module).ctx_index);
            !core
                .byte_add((*command).offset)
                .cast::<*const c_void>()
                .read()
                .is_null()
        }
    }

    pub(crate) fn pass(&self) -> Pass {
        let Some(known) = self.pass_handler() else {
            return Pass::None;
        };
        if known.directive != PASS_DIRECTIVES[0].1 {
            return Pass::Other(known.directive.to_str().unwrap_or_default());
        }
        // SAFETY: a proxy location has its upstream, or null where that is open until run time.
        let upstream = self
            .0
            .proxy_conf()
            .and_then(|conf| unsafe { Upstream::from_ptr((*conf).upstream) });
        upstream.map_or(Pass::AtRunTime, Pass::Proxy)
    }
}

pub(super) fn command_named(module: &ngx_module_t, name: &CStr) -> Option<*mut ngx_command_t> {
    let mut command = module.commands;
    // SAFETY: a module's table of commands ends with one of no name.
    unsafe {
        while !command.is_null() && (*command).name.len != 0 {
            if bytes((*command).name) == name.to_bytes() {
                return Some(command);
            }
            command = command.add(1);
        }
    }
    None
}

/// # Safety
/// The array's elements are `T`, and live for `'a`.
pub(super) unsafe fn array<'a, T>(array: &ngx_array_t) -> &'a [T] {
    if array.nelts == 0 {
        return &[];
    }
    // SAFETY: by this function's contract.
    unsafe { std::slice::from_raw_parts(array.elts.cast(), array.nelts) }
}
