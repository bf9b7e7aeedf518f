//! What nginx answers by itself: an error that no configuration has a page for.

use std::ptr;

use ngx::ffi::{ngx_http_core_loc_conf_t, ngx_str_t};

use crate::bytes;
use crate::module::Module;
use crate::request::Request;
use crate::shim::*;
use crate::tables::{core_index, settings_at};

/// An error of nginx's own that is about to be answered.
#[derive(Clone, Copy, Debug)]
pub struct OwnError<'r> {
    /// The status that nginx gives it.
    pub status: u16,
    /// The head of the request is longer than `large_client_header_buffers`.
    pub is_head_too_large: bool,
    /// The request's target, if it is that which nginx cannot read.
    pub bad_target: Option<&'r [u8]>,
}

impl<'r> Request<'r> {
    /// Returns the error that nginx is about to answer by itself; None where it answers something else: the
    /// upstream's answer, or a page of the configuration's.
    pub fn own_error<M: Module>(self) -> Option<OwnError<'r>> {
        if self.raw().err_status < 400 || !self.is_main() {
            return None;
        }
        // SAFETY: looks at a request in progress.
        let is_passed_on = unsafe { shim_is_being_passed_on(self.as_ptr()) != 0 };
        // SAFETY: as above. A page of `error_page`'s comes after an internal redirect, and is none of what
        // passes requests on.
        let may_be_page = unsafe { shim_is_internal(self.as_ptr()) != 0 } && !self.passes_on::<M>();
        if is_passed_on || may_be_page {
            return None;
        }
        Some(OwnError {
            status: u16::try_from(self.raw().err_status).ok()?,
            // SAFETY: as above.
            is_head_too_large: unsafe { shim_is_head_too_large(self.as_ptr()) != 0 },
            bad_target: self.bad_target(),
        })
    }

    fn bad_target(self) -> Option<&'r [u8]> {
        let mut target = ngx_str_t {
            len: 0,
            data: ptr::null_mut(),
        };
        // SAFETY: looks at a request in progress.
        let is_bad = unsafe { shim_bad_target(self.as_ptr(), &mut target) != 0 };
        // SAFETY: it is where the head was read to, which stays while the error is answered.
        is_bad.then(|| unsafe { bytes(target) })
    }

    /// Tells whether the location answers with what an upstream says, and not from a cache.
    fn passes_on<M: Module>(self) -> bool {
        let Some(handler) = self.raw().content_handler else {
            return false;
        };
        // SAFETY: looks at a request in progress.
        let is_cached = unsafe { shim_is_from_upstream(self.as_ptr()) != 0 };
        let passes = self.main_of::<M>().passes.get();
        !is_cached && passes.is_some_and(|passes| passes.iter().any(|pass| pass.is(handler)))
    }

    /// Returns what `client_max_body_size` says; None for no limit.
    pub fn max_body_size(self) -> Option<u64> {
        // SAFETY: the location's settings of all modules, of which the core is one.
        let core = unsafe { settings_at(self.raw().loc_conf, core_index()) };
        // SAFETY: the type of the core's settings, which outlive requests.
        let core = unsafe { &*core.cast::<ngx_http_core_loc_conf_t>() };
        u64::try_from(core.client_max_body_size)
            .ok()
            .filter(|size| *size > 0)
    }
}
