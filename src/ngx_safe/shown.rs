//! What logs and variables show of a request's target.

use ngx::ffi::ngx_str_t;

use crate::bytes;
use crate::request::Request;

impl Request<'_> {
    /// Puts other texts in the places where logs and variables find the request line, the target and the query, if
    /// `respell` gives one. What was read from them before stays as it was. None where memory is out.
    pub fn show_instead(self, respell: impl Fn(&[u8]) -> Option<Vec<u8>>) -> Option<()> {
        let r = self.as_ptr();
        // SAFETY: a field of a request in progress.
        let line = unsafe { &raw mut (*r).request_line };
        // SAFETY: as above.
        let target = unsafe { &raw mut (*r).unparsed_uri };
        // SAFETY: as above.
        let query = unsafe { &raw mut (*r).args };
        for place in [line, target, query] {
            // SAFETY: as above.
            let text = unsafe { place.read() };
            // SAFETY: in the request's header buffer or pool.
            let Some(other) = respell(unsafe { bytes(text) }) else {
                continue;
            };
            let other = self.copy(&other)?;
            let other = ngx_str_t {
                len: other.len(),
                data: other.as_mut_ptr(),
            };
            // SAFETY: as above; nginx only reads the text, which lives as long as the request.
            unsafe { place.write(other) };
        }
        Some(())
    }
}
