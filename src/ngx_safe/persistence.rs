//! How much of the client's body has been read when its answer is sent, and whether the connection is
//! closed then.

use crate::request::Request;
use crate::shim::*;

impl Request<'_> {
    /// Tells whether a part of the body that it announced is still to be read from the connection. Never over
    /// HTTP/2 and HTTP/3, where each request has a stream of its own.
    pub fn has_unread_body(self) -> bool {
        // SAFETY: looks at a request in progress.
        unsafe { shim_has_unread_body(self.as_ptr()) != 0 }
    }

    /// Tells whether nginx reads the rest of the body, and drops it.
    pub fn is_discarding_body(self) -> bool {
        // SAFETY: reads a bit of a request in progress.
        unsafe { shim_is_discarding(self.as_ptr()) != 0 }
    }

    /// Tells whether the client may still wait for a `100 Continue` before it sends the body, which it
    /// withholds once it has the answer.
    pub fn awaits_continue(self) -> bool {
        // SAFETY: looks at a request in progress, which has a connection.
        unsafe { shim_awaits_continue(self.as_ptr()) != 0 }
    }

    /// Has, from a header filter, the connection closed once the answer is sent. What the client sends by
    /// then is read and dropped for a while, so that it can read the answer. For a main request.
    pub fn close_after_answer(self) {
        if self.is_main() {
            // SAFETY: a main request in progress.
            unsafe { shim_close_after_answer(self.as_ptr()) }
        }
    }
}
