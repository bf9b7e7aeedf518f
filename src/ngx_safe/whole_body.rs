//! Requests that are answered once their bodies are there as a whole.

use std::ptr;

use ngx::ffi::{
    NGX_HTTP_SPECIAL_RESPONSE, ngx_http_finalize_request, ngx_http_read_client_request_body,
    ngx_http_request_t, ngx_int_t,
};
use zeroize::{Zeroize, Zeroizing};

use crate::conf::Conf;
use crate::level::Level;
use crate::module::Module;
use crate::phase::Answerer;
use crate::request::Request;
use crate::response::Response;
use crate::shim::*;
use crate::tables::data_of;
use crate::{DONE, INTERNAL_SERVER_ERROR, Status, guarded};

/// A handler that answers the requests of a location, whose bodies it reads first.
pub trait BodyHandler {
    /// The longest body, in bytes.
    const MAX_BODY: usize;

    /// Answers a request. Its body is `None` if it is longer than that.
    fn answer(request: Request<'_>, body: Option<&[u8]>) -> Result<Response, Status>;
}

impl Conf<'_> {
    /// Has the location that is being read answer its requests by `H`; None where another directive
    /// does.
    pub fn set_body_handler<H: BodyHandler>(self) -> Option<Answerer> {
        self.set_answerer(Answerer(content::<H>))
    }
}

impl<M: Module> Level<'_, M> {
    /// Has bodies of more than `max` bytes rejected here, whatever the configuration says, and all others kept in memory, unless it says
    /// that they are kept in files; nginx's own modules are merged first.
    pub fn bound_bodies(&self, max: usize) {
        let core = self.core_to_change();
        // SAFETY: merge time: nothing else uses the settings of this level.
        let core = unsafe { &mut *core };
        if core.client_max_body_size == 0 || core.client_max_body_size > max as i64 {
            core.client_max_body_size = max as i64;
        }
        core.client_body_buffer_size = core.client_body_buffer_size.max(max);
    }
}

unsafe extern "C" fn content<H: BodyHandler>(r: *mut ngx_http_request_t) -> ngx_int_t {
    guarded(INTERNAL_SERVER_ERROR, || {
        // SAFETY: nginx's request, in its content phase.
        let Some(request) = (unsafe { Request::from_ptr(r) }) else {
            return INTERNAL_SERVER_ERROR;
        };
        if usize::try_from(request.content_length()).is_ok_and(|length| length > H::MAX_BODY) {
            return match H::answer(request, None) {
                Ok(response) => response.serve(request),
                Err(status) => status,
            };
        }
        // SAFETY: as above. nginx counts the reading as a use of the request, which ends in `body_read`, or by the status.
        match unsafe { ngx_http_read_client_request_body(r, Some(body_read::<H>)) } {
            status if status >= NGX_HTTP_SPECIAL_RESPONSE as ngx_int_t => status,
            _ => DONE,
        }
    })
}

/// Goes on when the body has been read.
unsafe extern "C" fn body_read<H: BodyHandler>(r: *mut ngx_http_request_t) {
    let status = guarded(INTERNAL_SERVER_ERROR, || {
        // SAFETY: nginx's request, whose content handler waits for this.
        let Some(request) = (unsafe { Request::from_ptr(r) }) else {
            return INTERNAL_SERVER_ERROR;
        };
        let body = match request.whole_body(H::MAX_BODY) {
            Ok(body) => body,
            Err(BodyFailed) => return INTERNAL_SERVER_ERROR,
        };
        match H::answer(request, body.as_deref().map(Vec::as_slice)) {
            Ok(mut response) => {
                let status = response.send(request);
                // It may hold a secret.
                response.body.zeroize();
                status
            }
            Err(status) => status,
        }
    });
    // SAFETY: as above; ends the use that the reading was.
    unsafe { ngx_http_finalize_request(r, status) };
}

/// What is stored of a body cannot be read.
struct BodyFailed;

impl Request<'_> {
    /// Copies the body, which nginx has read, from memory and files; `None` if it is longer than `max`.
    fn whole_body(self, max: usize) -> Result<Option<Zeroizing<Vec<u8>>>, BodyFailed> {
        // SAFETY: null, or the body of a request in progress.
        let body = unsafe { self.raw().request_body.as_ref() };
        let mut link = body.map_or(ptr::null_mut(), |body| body.bufs);
        // It never grows, or a part would stay in freed memory.
        let mut whole = Zeroizing::new(Vec::with_capacity(max));
        // SAFETY: null, or a link of nginx's chain, which lives as long as the request.
        while let Some(part) = unsafe { link.as_ref() } {
            let (buf, next) = (part.buf, part.next);
            link = next;
            let room = max - whole.len();
            // SAFETY: a buffer of the chain.
            let length =
                usize::try_from(unsafe { shim_buf_length(buf) }).map_err(|_| BodyFailed)?;
            if length > room {
                return Ok(None);
            }
            let start = whole.len();
            // SAFETY: a buffer of the chain.
            if unsafe { shim_buf_in_memory(buf) } != 0 {
                // SAFETY: as above.
                let (data, length) = unsafe { data_of(buf) };
                if length > 0 && length <= room {
                    // SAFETY: the bytes of a buffer in memory, copied before nginx runs again.
                    whole.extend_from_slice(unsafe { std::slice::from_raw_parts(data, length) });
                }
            } else if length > 0 {
                whole.resize(start + length, 0);
                let to = whole.get_mut(start..).ok_or(BodyFailed)?;
                // SAFETY: a buffer of the chain.
                let at = unsafe { (*buf).file_pos };
                // SAFETY: there is so much room.
                let count = unsafe { shim_file_read(buf, to.as_mut_ptr(), length, at) };
                if usize::try_from(count) != Ok(length) {
                    return Err(BodyFailed);
                }
            }
        }
        Ok(Some(whole))
    }
}
