//! A body on its way through: verified as it arrives, and plain where it goes on.

use std::ops::Range;

use crate::{
    body::BodyVerifier, checksum::Checksum, chunked::fault::BodyFault, digests::Digesting,
    error::Rejection, post_object::stream::Tail,
};

/// A body that is verified, as far as it has arrived.
#[derive(Debug)]
pub struct Upload {
    body: BodyVerifier,
    /// Computes what is to be known of the plain body besides. In a box, since few bodies have it.
    digesting: Option<Box<Digesting>>,
    /// The MD5 of a complete body, if it was to be computed.
    md5: Option<Checksum>,
    /// All of it has been handed over.
    ended: bool,
}

/// What is left of a piece of the body.
#[derive(Debug, Default)]
pub struct PlainPiece {
    pub data: Range<usize>,
    /// The body's end, which had been held back, where the piece has no room for it.
    pub tail: Tail,
}

impl Upload {
    pub fn new(body: BodyVerifier) -> Upload {
        Upload::with_digests(body, None)
    }

    pub(crate) fn with_digests(body: BodyVerifier, digesting: Option<Digesting>) -> Upload {
        Upload {
            body,
            digesting: digesting.map(Box::new),
            md5: None,
            ended: false,
        }
    }

    /// Takes a piece, in its place; `ends` says that it is the body's last.
    pub fn take(&mut self, piece: &mut [u8], ends: bool) -> Result<PlainPiece, Rejection> {
        let mut data = self.body.take(piece)?;
        let mut late = None;
        if let Some(digesting) = &mut self.digesting {
            digesting.update(piece.get(data.clone()).unwrap_or_default());
        }
        if ends {
            late = self.body.finish()?;
            if let Some(digesting) = &mut self.digesting {
                digesting.update(late.as_slice());
                self.md5 = digesting.finish()?;
            }
            self.ended = true;
        }
        if let (Some(byte), Some(room)) = (late, piece.get_mut(data.end)) {
            *room = byte;
            data.end += 1;
            late = None;
        }
        let mut tail = Tail::default();
        tail.text.extend(late);
        Ok(PlainPiece { data, tail })
    }

    /// Whether the body is there as a whole, and verified.
    pub fn is_complete(&self) -> bool {
        self.ended && self.body.is_complete()
    }

    /// Whether what is left is another body than the client sent.
    pub fn is_framed(&self) -> bool {
        self.body.is_framed()
    }

    /// Returns what is wrong with the framing of a rejected body, and where.
    pub fn fault(&self) -> Option<BodyFault> {
        self.body.fault()
    }

    /// Returns the trailing checksum of a complete body.
    pub fn checksum(&self) -> Option<&Checksum> {
        self.body.checksum().filter(|_| self.ended)
    }

    pub(crate) fn digesting(&self) -> Option<&Digesting> {
        self.digesting.as_deref()
    }

    /// Returns the MD5 of a complete body, if that was to be computed.
    pub fn md5(&self) -> Option<&Checksum> {
        self.md5.as_ref()
    }

    /// Does what [`Decoder::chunk_size`](crate::Decoder::chunk_size) does.
    pub fn chunk_size(&self) -> Option<u64> {
        self.body.chunk_size()
    }

    /// Does what [`Decoder::hash_pieces`](crate::Decoder::hash_pieces) does.
    pub fn hash_pieces(&mut self, size: u64) {
        self.body.hash_pieces(size);
    }

    /// Does what [`Decoder::chunk_hash`](crate::Decoder::chunk_hash) does.
    pub fn chunk_hash(&mut self, offset: u64, length: u64) -> Option<[u8; 32]> {
        self.body.chunk_hash(offset, length)
    }
}
