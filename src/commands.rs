//! nginx's table of the directives, and where each line is kept once `directives` has read it.
//! Defaults are in `conf`.

use std::ffi::{CStr, c_char, c_void};
use std::mem::offset_of;
use std::ptr;
use std::rc::Rc;
use std::time::Duration;

use directives::{
    AT_EACH_LEVEL, ClientMap, IN_A_LOCATION, IN_EACH_UPSTREAM, ONE_ORIGIN, Reading, duplicate,
    set_once,
};
use ngx::core::NGX_CONF_ERROR;
use ngx::ffi::{
    NGX_CONF_1MORE, NGX_CONF_2MORE, NGX_CONF_ANY, NGX_CONF_FLAG, NGX_CONF_NOARGS, NGX_CONF_TAKE1,
    NGX_HTTP_LOC_CONF, NGX_HTTP_LOC_CONF_OFFSET, NGX_HTTP_MAIN_CONF, NGX_HTTP_SRV_CONF,
    NGX_HTTP_SRV_CONF_OFFSET, NGX_HTTP_UPS_CONF, ngx_command_t, ngx_conf_set_flag_slot, ngx_conf_t,
    ngx_http_set_complex_value_slot, ngx_uint_t,
};
use secrets::Outside;

use crate::conf::{LocationConf, UpstreamConf};
use crate::ngx_safe::conf::Handler;
use crate::ngx_safe::line::Line;
use crate::ngx_safe::{guarded, str_of};

const ANYWHERE: u32 = NGX_HTTP_MAIN_CONF | NGX_HTTP_SRV_CONF | NGX_HTTP_LOC_CONF;

type Setter = unsafe extern "C" fn(*mut ngx_conf_t, *mut ngx_command_t, *mut c_void) -> *mut c_char;

const fn command(
    name: &'static CStr,
    contexts_and_args: u32,
    set: Setter,
    conf: usize,
    offset: usize,
) -> ngx_command_t {
    ngx_command_t {
        name: str_of(name),
        type_: contexts_and_args as ngx_uint_t,
        set: Some(set),
        conf,
        offset,
        post: ptr::null_mut(),
    }
}

/// A directive of a location; `offset` is for nginx's own setters.
const fn slot(name: &'static CStr, args: u32, set: Setter, offset: usize) -> ngx_command_t {
    command(name, ANYWHERE | args, set, NGX_HTTP_LOC_CONF_OFFSET, offset)
}

const fn flag(name: &'static CStr, offset: usize) -> ngx_command_t {
    slot(name, NGX_CONF_FLAG, ngx_conf_set_flag_slot, offset)
}

pub(crate) static mut COMMANDS: [ngx_command_t; 17] = [
    flag(c"s3_resign", offset_of!(LocationConf, resign)),
    slot(c"s3_client", NGX_CONF_2MORE, set_client, 0),
    slot(c"s3_origin", NGX_CONF_1MORE, set_location_origin, 0),
    command(
        c"s3_origin",
        NGX_HTTP_UPS_CONF | NGX_CONF_2MORE,
        set_upstream_origin,
        NGX_HTTP_SRV_CONF_OFFSET,
        0,
    ),
    slot(
        c"s3_host",
        NGX_CONF_TAKE1,
        set_host,
        offset_of!(LocationConf, host),
    ),
    slot(c"s3_region", NGX_CONF_TAKE1, set_region, 0),
    slot(c"s3_max_skew", NGX_CONF_TAKE1, set_max_skew, 0),
    flag(c"s3_anonymous", offset_of!(LocationConf, anonymous)),
    flag(c"s3_signature_v2", offset_of!(LocationConf, signature_v2)),
    flag(
        c"s3_verify_payload",
        offset_of!(LocationConf, verify_payload),
    ),
    flag(c"s3_debug_errors", offset_of!(LocationConf, debug_errors)),
    slot(c"s3_reserved", NGX_CONF_1MORE, set_reserved, 0),
    slot(c"s3_errors", NGX_CONF_TAKE1, set_errors, 0),
    command(
        c"s3_status",
        NGX_HTTP_LOC_CONF | NGX_CONF_NOARGS,
        set_status,
        NGX_HTTP_LOC_CONF_OFFSET,
        0,
    ),
    command(
        c"s3_health_check",
        NGX_HTTP_UPS_CONF | NGX_CONF_ANY,
        set_health_check,
        NGX_HTTP_SRV_CONF_OFFSET,
        0,
    ),
    command(
        c"s3_healthz",
        NGX_HTTP_LOC_CONF | NGX_CONF_NOARGS | NGX_CONF_TAKE1,
        set_healthz,
        NGX_HTTP_LOC_CONF_OFFSET,
        0,
    ),
    ngx_command_t::empty(),
];

/// Setters that nginx can call, each for a function below. The conf that nginx hands to a setter is
/// the one that its command names: of a location, or of an upstream.
macro_rules! setters {
    ($($setter:ident: $keep:ident;)*) => {$(
        unsafe extern "C" fn $setter(
            cf: *mut ngx_conf_t,
            _command: *mut ngx_command_t,
            conf: *mut c_void,
        ) -> *mut c_char {
            // SAFETY: nginx reads a directive of this module's.
            unsafe { keep_line(cf, conf, $keep) }
        }
    )*};
}

setters! {
    set_client: keep_client;
    set_location_origin: keep_location_origin;
    set_upstream_origin: keep_upstream_origin;
    set_region: keep_region;
    set_max_skew: keep_max_skew;
    set_errors: keep_errors;
    set_reserved: keep_reserved;
    set_status: keep_status;
    set_health_check: keep_health_check;
    set_healthz: keep_healthz;
}

/// `s3_host VALUE`: checked here, kept by nginx's own setter.
unsafe extern "C" fn set_host(
    cf: *mut ngx_conf_t,
    command: *mut ngx_command_t,
    conf: *mut c_void,
) -> *mut c_char {
    // SAFETY: nginx reads a directive of this module's.
    let checked = unsafe {
        keep_line(cf, conf, |_: &mut LocationConf, line| {
            directives::host(&line.words())
        })
    };
    if !checked.is_null() {
        return checked;
    }
    // SAFETY: what nginx handed to this setter; the place in `conf` is the command's.
    unsafe { ngx_http_set_complex_value_slot(cf, command, conf) }
}

/// Hands a line and its configuration to `keep`.
///
/// # Safety
/// `cf` and `conf` are what nginx handed to a setter whose configuration is `C`.
unsafe fn keep_line<C>(
    cf: *mut ngx_conf_t,
    conf: *mut c_void,
    keep: fn(&mut C, &mut Line) -> Result<(), String>,
) -> *mut c_char {
    let failed = NGX_CONF_ERROR as *mut c_char;
    guarded(failed, || {
        // SAFETY: by this function's contract; the setter has no other `Line`.
        let line = unsafe { Line::from_ptr(cf) };
        // SAFETY: by this function's contract; nothing else holds the configuration meanwhile.
        let conf = unsafe { conf.cast::<C>().as_mut() };
        let (Some(mut line), Some(conf)) = (line, conf) else {
            return failed;
        };
        match keep(conf, &mut line) {
            Ok(()) => ptr::null_mut(),
            Err(why) => line.conf().refuse(&why),
        }
    })
}

/// The longest wait for a key that a pipe brings: nginx starts or reloads meanwhile.
const WAIT: Duration = Duration::from_secs(5);

/// Has a line read that may need more than its words, and logs what is doubtful.
fn read_with<T>(
    line: &Line,
    read: fn(&[&[u8]], &mut Reading<'_>) -> Result<T, String>,
) -> Result<T, String> {
    let outside = Outside {
        variable: &|name| std::env::var_os(name),
        folder: &line.folder(),
        wait: WAIT,
        process: "nginx's master process",
    };
    let mut reading = Reading::new(&outside);
    let result = read(&line.words(), &mut reading);
    for doubt in reading.doubts() {
        line.conf().warn(doubt);
    }
    result
}

/// As `read_with`, of a line with keys in it, which are wiped from nginx's memory.
fn read_keys<T>(
    line: &mut Line,
    read: fn(&[&[u8]], &mut Reading<'_>) -> Result<T, String>,
) -> Result<T, String> {
    let result = read_with(line, read);
    // Any word may be one, in the wrong place. The first is the directive's name.
    for index in 1..line.words().len() {
        line.wipe(index);
    }
    result
}

fn keep_client(conf: &mut LocationConf, line: &mut Line) -> Result<(), String> {
    let client = read_keys(line, directives::client)?;
    let clients = conf.clients.get_or_insert_default();
    let clients: &mut ClientMap = Rc::get_mut(clients).ok_or("clients are merged already")?;
    clients.insert(client)
}

fn keep_upstream_origin(conf: &mut UpstreamConf, line: &mut Line) -> Result<(), String> {
    let origin = read_keys(line, directives::upstream_origin)?;
    conf.lines.push(origin)
}

fn keep_location_origin(conf: &mut LocationConf, line: &mut Line) -> Result<(), String> {
    let origin = read_keys(line, directives::location_origin)?;
    set_once(&mut conf.origin, Rc::new(origin), "s3_origin", ONE_ORIGIN)
}

fn keep_region(conf: &mut LocationConf, line: &mut Line) -> Result<(), String> {
    let rule = directives::region(&line.words())?;
    set_once(&mut conf.region, rule, "s3_region", AT_EACH_LEVEL)
}

fn keep_max_skew(conf: &mut LocationConf, line: &mut Line) -> Result<(), String> {
    let seconds = read_with(line, directives::max_skew)?;
    set_once(&mut conf.max_skew, seconds, "s3_max_skew", AT_EACH_LEVEL)
}

fn keep_errors(conf: &mut LocationConf, line: &mut Line) -> Result<(), String> {
    let style = directives::errors(&line.words())?;
    set_once(&mut conf.errors, style, "s3_errors", AT_EACH_LEVEL)
}

fn keep_reserved(conf: &mut LocationConf, line: &mut Line) -> Result<(), String> {
    let names = directives::reserved(&line.words())?;
    set_once(&mut conf.reserved, names, "s3_reserved", AT_EACH_LEVEL)
}

fn keep_status(conf: &mut LocationConf, line: &mut Line) -> Result<(), String> {
    if conf.status {
        return Err(duplicate("s3_status", IN_A_LOCATION));
    }
    conf.status = true;
    line.conf().main_conf().wants_status.set(true);
    set_answer(line, "s3_status", crate::status)
}

fn keep_health_check(conf: &mut UpstreamConf, line: &mut Line) -> Result<(), String> {
    let check = directives::health_check(&line.words())?;
    set_once(&mut conf.health, check, "s3_health_check", IN_EACH_UPSTREAM)
}

fn keep_healthz(conf: &mut LocationConf, line: &mut Line) -> Result<(), String> {
    let healthz = directives::healthz(&line.words());
    set_once(&mut conf.healthz, healthz, "s3_healthz", AT_EACH_LEVEL)?;
    set_answer(line, "s3_healthz", crate::healthz)
}

/// Has the location answered by a directive alone.
fn set_answer(line: &Line, directive: &str, handler: Handler) -> Result<(), String> {
    if line.conf().set_content_handler(handler) {
        return Ok(());
    }
    Err(format!(
        "\"{directive}\" is in a location that another directive answers: remove that one here"
    ))
}
