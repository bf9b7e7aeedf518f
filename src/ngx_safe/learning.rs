//! What nginx keeps to itself, and tells when a directive is tried on a location that nobody sees: which
//! content handlers pass requests on, and where `proxy_pass` keeps its settings.

use std::ffi::{CStr, c_void};
use std::mem;
use std::ptr::{self, NonNull};

use ngx::ffi::{
    ngx_array_t, ngx_conf_set_enum_slot, ngx_conf_set_flag_slot, ngx_conf_set_keyval_slot,
    ngx_conf_set_str_slot, ngx_http_conf_ctx_t, ngx_http_core_loc_conf_t, ngx_http_module_t,
    ngx_http_set_complex_value_slot, ngx_module_t, ngx_str_t, ngx_uint_t,
};

use crate::command::Setter;
use crate::conf::Conf;
use crate::pass::{Handler, PROXY_PASS, PassHandler, SpeaksTls};
use crate::proxy::ProxyPlaces;
use crate::str_of;
use crate::tables::{command_named, core_index};

/// The directives that pass a request on, with their modules; `proxy_pass` is the only one that speaks
/// HTTP/1.
const PASS_DIRECTIVES: [(&CStr, &CStr); 5] = [
    (c"ngx_http_proxy_module", PROXY_PASS),
    (c"ngx_http_fastcgi_module", c"fastcgi_pass"),
    (c"ngx_http_uwsgi_module", c"uwsgi_pass"),
    (c"ngx_http_scgi_module", c"scgi_pass"),
    (c"ngx_http_grpc_module", c"grpc_pass"),
];

/// The result of a directive that was tried in a location of no server.
pub(crate) struct Tried {
    handler: Handler,
    /// The settings of its module.
    pub(crate) own: NonNull<c_void>,
    /// Its argument.
    pub(crate) argument: *const u8,
}

impl PassHandler {
    pub(crate) fn learn_all(cf: Conf<'_>) -> Vec<PassHandler> {
        let learn = |(module, directive)| PassHandler::learn(cf, module, directive);
        PASS_DIRECTIVES.into_iter().filter_map(learn).collect()
    }

    fn learn(cf: Conf<'_>, module: &'static CStr, directive: &'static CStr) -> Option<PassHandler> {
        let found = cf.module_named(module)?;
        let flag = tls_flag(found);
        let read_flag = |own: NonNull<c_void>| {
            // SAFETY: the flag is a word in the settings of that module.
            flag.map(|at| unsafe { read_at::<ngx_uint_t>(own, at) })
        };
        // A URL with a variable registers no upstream.
        let tried = Tried::pass(cf, found, directive, c"http://$host")?;
        let flag_before = read_flag(new_location(cf, found)?);
        let speaks_tls = match (flag, flag_before, read_flag(tried.own)) {
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

/// Tells where the proxy module has the flag, if nothing has changed.
fn tls_flag(module: &ngx_module_t) -> Option<usize> {
    let command = command_named(module, c"proxy_ssl_protocols")?;
    command.offset.checked_sub(size_of::<ngx_uint_t>())
}

/// # Safety
/// A `T` is at that offset of the settings.
unsafe fn read_at<T>(own: NonNull<c_void>, offset: usize) -> T {
    // SAFETY: by this function's contract it is within the settings.
    let place = unsafe { own.byte_add(offset) };
    // SAFETY: by this function's contract.
    unsafe { place.cast::<T>().read() }
}

/// Makes settings of a module for a location that nobody sees.
fn new_location(cf: Conf<'_>, module: &ngx_module_t) -> Option<NonNull<c_void>> {
    // SAFETY: the table of a module of HTTP's.
    let hooks = unsafe { &*module.ctx.cast::<ngx_http_module_t>() };
    let create = hooks.create_loc_conf?;
    // SAFETY: the module expects to be called with a configuration that is being read.
    NonNull::new(unsafe { create(cf.as_ptr()) })
}

impl Tried {
    /// Tries a directive that passes requests on, in a location that nobody sees. None where it is
    /// rejected.
    pub(crate) fn pass(
        cf: Conf<'_>,
        module: &ngx_module_t,
        directive: &'static CStr,
        argument: &CStr,
    ) -> Option<Tried> {
        let command = command_named(module, directive)?;
        let pool = cf.pool();
        let core = NonNull::new(pool.calloc_type::<ngx_http_core_loc_conf_t>())?;
        let text = pool.calloc(argument.to_bytes_with_nul().len()).cast::<u8>();
        let text = NonNull::new(text)?;
        // SAFETY: there is room for it, and for the NUL after it.
        unsafe {
            text.as_ptr()
                .copy_from_nonoverlapping(argument.as_ptr().cast(), argument.count_bytes());
        }
        let own = new_location(cf, module)?;

        let mut locations = locations(cf);
        *locations.get_mut(core_index())? = core.cast().as_ptr();
        *locations.get_mut(module.ctx_index)? = own.as_ptr();
        let mut words = [
            str_of(directive),
            ngx_str_t {
                len: argument.count_bytes(),
                data: text.as_ptr(),
            },
        ];
        let is_set = with_context(cf, &mut locations, &mut words, || {
            let set = command.set?;
            let command = ptr::from_ref(command).cast_mut();
            // SAFETY: the setter sees the context and words that it expects at configuration time.
            unsafe { set(cf.as_ptr(), command, own.as_ptr()) }
                .is_null()
                .then_some(())
        });
        // SAFETY: the core's settings of the location that nobody sees.
        let handler = unsafe { core.as_ref().handler };
        is_set.and(handler).map(|handler| Tried {
            handler,
            own,
            argument: text.as_ptr(),
        })
    }
}

/// Copies the list of all modules' settings at the level that is being read.
fn locations(cf: Conf<'_>) -> Vec<*mut c_void> {
    // SAFETY: nginx has counted its modules by now.
    let count = unsafe { ngx::ffi::ngx_http_max_module };
    // SAFETY: the context has so many settings.
    let all = unsafe { std::slice::from_raw_parts(cf.levels().loc_conf, count) };
    all.to_vec()
}

/// Runs a setter in a context of its own, in which only these locations are others, with these words;
/// puts both back, and strikes an upstream that it has registered off the list again.
fn with_context<T>(
    cf: Conf<'_>,
    locations: &mut [*mut c_void],
    words: &mut [ngx_str_t],
    set: impl FnOnce() -> T,
) -> T {
    // SAFETY: a structure of C's for which zeros are a value.
    let mut args: ngx_array_t = unsafe { mem::zeroed() };
    args.elts = words.as_mut_ptr().cast();
    args.nelts = words.len();
    args.size = size_of::<ngx_str_t>();
    args.nalloc = words.len();

    let original_context = cf.context();
    let mut context = ngx_http_conf_ctx_t {
        main_conf: cf.levels().main_conf,
        srv_conf: cf.levels().srv_conf,
        loc_conf: locations.as_mut_ptr(),
    };
    let upstreams = cf.upstream_main_conf();
    // SAFETY: the main conf of nginx's upstream module.
    let registered = unsafe { (*upstreams).upstreams.nelts };

    // SAFETY: the configuration being read, which nothing else looks at now.
    let conf = unsafe { &mut *cf.as_ptr() };
    let original_args = mem::replace(&mut conf.args, &mut args);
    conf.ctx = (&raw mut context).cast();
    let result = set();
    // SAFETY: as above; the setter has returned.
    let conf = unsafe { &mut *cf.as_ptr() };
    conf.args = original_args;
    conf.ctx = original_context.cast();
    // SAFETY: as above.
    unsafe { (*upstreams).upstreams.nelts = registered };
    result
}

impl ProxyPlaces {
    /// Finds the places; None where this nginx has them elsewhere than all that are known.
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
}

/// Returns the offset that a directive's setter is told, if the setter is the expected one of nginx's.
fn place_of(module: &ngx_module_t, directive: &CStr, setter: Setter) -> Option<usize> {
    let command = command_named(module, directive)?;
    let is_it = ptr::fn_addr_eq(command.set?, setter);
    is_it.then_some(command.offset)
}

/// Tells where `proxy_pass` puts what its URL has after the host: the one place between two that are known
/// which then points at that part of the URL, and at nothing for a URL without.
fn find_uri(cf: Conf<'_>, module: &ngx_module_t, from: usize, to: usize) -> Option<usize> {
    const URL: &CStr = c"http://s3_resign.invalid/uri";
    const WITHOUT: &CStr = c"http://s3_resign.invalid";
    let with = Tried::pass(cf, module, c"proxy_pass", URL)?;
    let without = Tried::pass(cf, module, c"proxy_pass", WITHOUT)?;
    let is_uri = |at: &usize| {
        // SAFETY: settings of the proxy module's, which are longer than `to`; any words are a value.
        let uri: ngx_str_t = unsafe { read_at(with.own, *at) };
        // SAFETY: as above.
        let none: ngx_str_t = unsafe { read_at(without.own, *at) };
        let start = with.argument.wrapping_add(WITHOUT.count_bytes());
        ptr::eq(uri.data, start)
            && uri.len == URL.count_bytes() - WITHOUT.count_bytes()
            && none.len == 0
    };
    let last = to.checked_sub(size_of::<ngx_str_t>())?;
    let mut places = (from..=last)
        .step_by(align_of::<ngx_str_t>())
        .filter(is_uri);
    let found = places.next()?;
    places.next().is_none().then_some(found)
}
