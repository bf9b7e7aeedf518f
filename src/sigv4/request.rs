//! The client's request as it arrived, borrowed.
use arrayvec::ArrayVec;

/// The most headers a request may have; one with more is rejected before any work.
pub const MAX_HEADERS: usize = 256;

/// A header as it was on the wire, less the white space around the value.
#[derive(Debug, Clone, Copy)]
pub struct Header<'a> {
    pub name: &'a [u8],
    pub value: &'a [u8],
}

pub type Headers<'a> = ArrayVec<Header<'a>, MAX_HEADERS>;

/// The client's request, borrowed; what is made of it outlives the array of headers.
#[derive(Debug, Clone, Copy)]
pub struct ClientRequest<'h, 'a> {
    pub method: &'a [u8],
    /// Raw bytes of the request target before `?`, but with `%20` for a `+`.
    pub path: &'a [u8],
    /// The path with the `+` in it, as it was sent, if it has any. A V2 signature is made of it.
    pub path_with_plus: Option<&'a [u8]>,
    /// Raw bytes after `?`, empty without one.
    pub query: &'a [u8],
    /// What the client signed as host where it is not the header's value (`s3_host`).
    pub host: Option<&'a [u8]>,
    /// What goes to the origin where a rewrite has made it another target.
    pub rewritten: Option<Target<'a>>,
    pub headers: &'h [Header<'a>],
}

/// A request target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target<'a> {
    /// Raw bytes before `?`.
    pub path: &'a [u8],
    /// Raw bytes after `?`, empty without one.
    pub query: &'a [u8],
}

impl<'a> ClientRequest<'_, 'a> {
    /// Returns the host that the client signed; empty without one.
    pub fn signed_host(&self) -> &'a [u8] {
        let is_host = |header: &&Header<'_>| header.name.eq_ignore_ascii_case(b"host");
        let header = || self.headers.iter().find(is_host);
        let host = self.host.or_else(|| header().map(|header| header.value));
        host.unwrap_or_default()
    }

    /// Returns what goes to the origin, except for the signature.
    pub fn target(&self) -> Target<'a> {
        self.rewritten.unwrap_or(Target {
            path: self.path,
            query: self.query,
        })
    }
}
