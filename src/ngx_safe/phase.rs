//! The phases of a request in which nginx asks a module.

use std::ptr::NonNull;

use ngx::ffi::{
    ngx_array_push, ngx_http_core_loc_conf_t, ngx_http_core_main_conf_t, ngx_http_core_run_phases,
    ngx_http_finalize_request, ngx_http_handler_pt, ngx_http_phases_NGX_HTTP_ACCESS_PHASE,
    ngx_http_phases_NGX_HTTP_LOG_PHASE, ngx_http_read_client_request_body,
    ngx_http_read_unbuffered_request_body, ngx_http_request_t, ngx_int_t,
};

use crate::complete::Complete;
use crate::conf::{Conf, OUT_OF_MEMORY};
use crate::module::Module;
use crate::pass::Handler;
use crate::request::Request;
use crate::request_body::{RequestBodyFilter, advance_stored};
use crate::response::Response;
use crate::shim::*;
use crate::stored_body::Progress;
use crate::tables::core_index;
use crate::{AGAIN, DECLINED, DONE, ERROR, INTERNAL_SERVER_ERROR, OK, Status, guarded};

impl Conf<'_> {
    /// Has the location that is being read answer its requests by `H`; None where another directive
    /// does.
    pub fn set_content_handler<H: ContentHandler>(self) -> Option<Answerer> {
        self.set_answerer(Answerer(content::<H>))
    }

    pub(crate) fn set_answerer(self, answerer: Answerer) -> Option<Answerer> {
        // SAFETY: the type of the core's settings.
        let core: *mut ngx_http_core_loc_conf_t = unsafe { self.location_conf_of(core_index()) };
        // SAFETY: the settings of that location, to which nothing else refers now.
        let core = unsafe { &mut *core };
        (core.handler.replace(answerer.0).is_none()).then_some(answerer)
    }
}

/// What answers the requests of a location.
#[derive(Clone, Copy, Debug)]
pub struct Answerer(pub(crate) Handler);

/// Phases get their handlers when all is read: before, nginx has no lists of them.
///
/// ```compile_fail,E0599
/// # use ngx_safe::{conf::Conf, phase::AccessHandler};
/// fn add<H: AccessHandler>(cf: Conf<'_>) {
///     cf.add_access_handler::<H>();
/// }
/// ```
impl<M: Module> Complete<'_, M> {
    pub fn add_access_handler<H: AccessHandler>(&self) -> Result<(), String> {
        self.add_handler(ngx_http_phases_NGX_HTTP_ACCESS_PHASE, Some(access::<H>))
    }

    pub fn add_log_handler<H: LogHandler>(&self) -> Result<(), String> {
        self.add_handler(ngx_http_phases_NGX_HTTP_LOG_PHASE, Some(log::<H>))
    }

    fn add_handler(&self, phase: u32, handler: ngx_http_handler_pt) -> Result<(), String> {
        let cf = self.conf();
        // SAFETY: the type of the core's main conf.
        let core: *mut ngx_http_core_main_conf_t = unsafe { cf.main_conf_of(core_index()) };
        // SAFETY: nothing else refers to it now.
        let core = unsafe { &mut *core };
        let handlers = &mut core.phases[phase as usize].handlers;
        // SAFETY: an array of handlers, which nginx has made before it calls `complete`.
        let place = unsafe { ngx_array_push(handlers) }.cast::<ngx_http_handler_pt>();
        let place = NonNull::new(place).ok_or(OUT_OF_MEMORY)?;
        // SAFETY: a pushed element is ours to fill in.
        unsafe { place.write(handler) };
        Ok(())
    }
}

/// A handler of requests in the access phase.
pub trait AccessHandler {
    /// What a body goes through that was read before the access phase.
    type BodyFilter: RequestBodyFilter;

    fn access(request: Request<'_>) -> Access;

    /// Tells whether enough of a body that is read unbuffered is there for `access` to go on.
    fn has_enough(request: Request<'_>) -> bool;
}

/// The decision in the access phase.
#[derive(Debug)]
pub enum Access {
    /// It is allowed, as far as the module is asked.
    Allow,
    /// The module has nothing to say.
    Decline,
    Fail,
    /// The body is read, then the phase runs again: all of it, or `unbuffered` as much as `has_enough`
    /// wants. One that has been read by now goes through the filter instead, once.
    ReadBody {
        unbuffered: bool,
    },
    /// The request is answered so and ends. What is left of its body is discarded, without a
    /// `100 Continue`.
    Respond(Response),
}

pub(crate) unsafe extern "C" fn access<H: AccessHandler>(r: *mut ngx_http_request_t) -> ngx_int_t {
    guarded(INTERNAL_SERVER_ERROR, || {
        // SAFETY: nginx's request, in its access phase.
        let Some(request) = (unsafe { Request::from_ptr(r) }) else {
            return INTERNAL_SERVER_ERROR;
        };
        match H::access(request) {
            Access::Allow => OK,
            Access::Decline => DECLINED,
            Access::Fail => ERROR,
            Access::ReadBody { unbuffered } => read_body::<H>(request, unbuffered),
            Access::Respond(response) => {
                let status = response.send_before_body(request);
                // SAFETY: ends the request once: nginx hears of it by DONE and leaves it alone.
                unsafe { ngx_http_finalize_request(r, status) };
                DONE
            }
        }
    })
}

fn read_body<H: AccessHandler>(request: Request<'_>, unbuffered: bool) -> ngx_int_t {
    let r = request.as_ptr();
    if request.has_read_body() {
        return match advance_stored::<H::BodyFilter>(request) {
            // SAFETY: as nginx has called it; the body is filtered only once.
            Ok(Progress::Done) => unsafe { access::<H>(r) },
            Ok(Progress::More) => {
                // SAFETY: a request in its access phase, which waits.
                unsafe { give_turn::<H>(r) };
                AGAIN
            }
            Err(status) => {
                // SAFETY: ends the request once, whatever `satisfy` says; the caller leaves it alone.
                unsafe { ngx_http_finalize_request(r, status) };
                DONE
            }
        };
    }
    if unbuffered {
        // SAFETY: sets a bit of a request whose body is not yet read.
        unsafe { shim_set_unbuffered(r) };
    }
    // SAFETY: a request in its access phase. nginx counts the reading as a use of the request, which
    // ends below.
    let status = unsafe { ngx_http_read_client_request_body(r, Some(body_read::<H>)) };
    let is_final = status >= ngx::ffi::NGX_HTTP_SPECIAL_RESPONSE as ngx_int_t;
    // SAFETY: once: with a status, by which the request ends too, whatever `satisfy` says, or with DONE.
    // The caller leaves the request alone.
    unsafe { ngx_http_finalize_request(r, if is_final { status } else { DONE }) };
    DONE
}

/// # Safety
/// nginx's request, whose access phase waits for its stored body to be filtered.
unsafe fn give_turn<H: AccessHandler>(r: *mut ngx_http_request_t) {
    // SAFETY: by this function's contract.
    unsafe { (*r).write_event_handler = Some(filter_on::<H>) };
    // SAFETY: likewise.
    unsafe { shim_give_turn(r) };
}

/// Goes on with a stored body.
unsafe extern "C" fn filter_on<H: AccessHandler>(r: *mut ngx_http_request_t) {
    let progress = guarded(Err(INTERNAL_SERVER_ERROR), || {
        // SAFETY: nginx's request, whose access phase waits for this.
        let request = unsafe { Request::from_ptr(r) }.ok_or(INTERNAL_SERVER_ERROR)?;
        advance_stored::<H::BodyFilter>(request)
    });
    match progress {
        // SAFETY: as above.
        Ok(Progress::Done) => unsafe { run_phases(r) },
        // SAFETY: as above.
        Ok(Progress::More) => unsafe { give_turn::<H>(r) },
        // SAFETY: as above; ends the request.
        Err(status) => unsafe { ngx_http_finalize_request(r, status) },
    }
}

/// Goes on when the body has been read, or its beginning, where it is not buffered.
unsafe extern "C" fn body_read<H: AccessHandler>(r: *mut ngx_http_request_t) {
    // SAFETY: nginx's request, whose access phase waits for this.
    let is_reading = unsafe { shim_is_reading_body(r) } != 0;
    // SAFETY: as above.
    if !is_reading || unsafe { has_enough::<H>(r) } {
        // SAFETY: as above.
        unsafe { run_phases(r) };
    } else {
        // SAFETY: as above.
        unsafe { (*r).read_event_handler = Some(read_on::<H>) };
    }
}

/// Reads on in a body that is not buffered, of which there may be more.
unsafe extern "C" fn read_on<H: AccessHandler>(r: *mut ngx_http_request_t) {
    // SAFETY: nginx's request, whose access phase waits for this.
    match unsafe { ngx_http_read_unbuffered_request_body(r) } {
        // SAFETY: as above.
        AGAIN if !unsafe { has_enough::<H>(r) } => {}
        // SAFETY: as above.
        OK | AGAIN => unsafe { run_phases(r) },
        // SAFETY: as above; ends the request.
        failed => unsafe { ngx_http_finalize_request(r, failed) },
    }
}

/// # Safety
/// nginx's request.
unsafe fn has_enough<H: AccessHandler>(r: *mut ngx_http_request_t) -> bool {
    guarded(false, || {
        // SAFETY: by this function's contract.
        unsafe { Request::from_ptr(r) }.is_some_and(H::has_enough)
    })
}

/// # Safety
/// nginx's request, whose access phase has been left.
unsafe fn run_phases(r: *mut ngx_http_request_t) {
    // SAFETY: by this function's contract.
    unsafe { shim_pause_reading(r) };
    // SAFETY: likewise.
    unsafe { (*r).write_event_handler = Some(ngx_http_core_run_phases) };
    // SAFETY: likewise.
    unsafe { ngx_http_core_run_phases(r) };
}

/// A handler that answers the requests of a location, all of which only read.
pub trait ContentHandler {
    fn answer(request: Request<'_>) -> Result<Response, Status>;
}

pub(crate) unsafe extern "C" fn content<H: ContentHandler>(
    r: *mut ngx_http_request_t,
) -> ngx_int_t {
    guarded(INTERNAL_SERVER_ERROR, || {
        // SAFETY: nginx's request, in its content phase.
        let Some(request) = (unsafe { Request::from_ptr(r) }) else {
            return INTERNAL_SERVER_ERROR;
        };
        if !request.is_get_or_head() {
            return Response::only_reads(request);
        }
        match H::answer(request) {
            Ok(response) => response.serve(request),
            Err(status) => status,
        }
    })
}

/// A handler that hears of requests that have ended.
pub trait LogHandler {
    fn log(request: Request<'_>);
}

pub(crate) unsafe extern "C" fn log<H: LogHandler>(r: *mut ngx_http_request_t) -> ngx_int_t {
    guarded(OK, || {
        // SAFETY: nginx's request, in its log phase.
        if let Some(request) = unsafe { Request::from_ptr(r) } {
            H::log(request);
        }
        OK
    })
}
