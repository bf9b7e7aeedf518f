//! The request body filter: a body in `aws-chunked` framing is decoded and verified as it arrives,
//! so that nginx stores and forwards the plain one.

use std::ops::Range;

use ngx::ffi::ngx_int_t;
use sigv4::{Checksum, Decoder, Rejection};

use crate::context::Context;
use crate::ffi::request::Request;
use crate::reject;

/// A body in `aws-chunked` framing, as far as it has arrived.
pub(crate) struct Upload {
    decoder: Decoder,
    /// nginx has handed over all of it.
    ended: bool,
}

/// What is left of a piece of the body.
pub(crate) struct Plain {
    pub(crate) data: Range<usize>,
    /// A byte behind it that had been held back, where the piece has no room for it.
    pub(crate) late: Option<u8>,
}

impl Upload {
    /// Decodes a piece in its place; `ends` says that it is the body's last.
    pub(crate) fn decode(&mut self, piece: &mut [u8], ends: bool) -> Result<Plain, Rejection> {
        let mut data = self.decoder.decode(piece)?;
        let mut late = None;
        if ends {
            late = self.decoder.finish()?;
            self.ended = true;
        }
        if let (Some(byte), Some(room)) = (late, piece.get_mut(data.end)) {
            *room = byte;
            data.end += 1;
            late = None;
        }
        Ok(Plain { data, late })
    }

    /// Whether the body is there as a whole, and verified.
    pub(crate) fn is_complete(&self) -> bool {
        self.ended && self.decoder.is_complete()
    }

    /// The trailing checksum of a complete body.
    pub(crate) fn checksum(&self) -> Option<&Checksum> {
        self.decoder.checksum().filter(|_| self.ended)
    }

    /// See `Decoder::chunk_hash`.
    pub(crate) fn chunk_hash(&mut self, offset: u64, length: u64) -> Option<[u8; 32]> {
        self.decoder.chunk_hash(offset, length)
    }
}

/// The context of a request whose body is in `aws-chunked` framing, with an upload in it.
pub(crate) fn framed<'r>(request: Request<'r>) -> Option<&'r Context<'r>> {
    let context = request.context()?;
    if !request.location_conf().is_resign() {
        return None;
    }
    let mut upload = context.upload.borrow_mut();
    if upload.is_none() {
        let decoder = context.verified.borrow().as_ref()?.decoder()?;
        *upload = Some(Box::new(Upload {
            decoder,
            ended: false,
        }));
    }
    Some(context)
}

/// The status to end the request with; `answer` then has the rest of what S3 would answer.
pub(crate) fn refuse(
    request: Request<'_>,
    context: &Context<'_>,
    rejection: Rejection,
) -> ngx_int_t {
    reject::note(request, context, &rejection);
    let status = rejection.status() as ngx_int_t;
    context.rejected.set(Some(rejection));
    status
}
