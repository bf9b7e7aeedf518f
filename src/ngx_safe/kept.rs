//! Values that live as long as a request.

use std::ffi::c_void;
use std::ptr::NonNull;

use ngx::ffi::ngx_pool_cleanup_add;

use crate::guarded;
use crate::request::Request;

impl<'r> Request<'r> {
    /// Keeps a value until the request's pool ends; None where memory is out. It is dropped before the request's
    /// context, if that was there first.
    pub fn keep<T: 'static>(self, value: T) -> Option<&'r T> {
        // SAFETY: the request's pool.
        let cleanup = unsafe { ngx_pool_cleanup_add(self.pool(), 0) };
        let mut cleanup = NonNull::new(cleanup)?;
        // SAFETY: a new cleanup, to be filled in here.
        let entry = unsafe { cleanup.as_mut() };
        let value = Box::into_raw(Box::new(value));
        entry.data = value.cast();
        entry.handler = Some(end::<T>);
        // SAFETY: `end` alone frees it, when the pool ends, and nobody changes it until then.
        Some(unsafe { &*value })
    }
}

unsafe extern "C" fn end<T>(data: *mut c_void) {
    guarded((), || {
        // SAFETY: `keep` put it there; the pool calls this once, at its end.
        drop(unsafe { Box::from_raw(data.cast::<T>()) });
    });
}
