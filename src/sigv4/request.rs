//! The client's request as it arrived, borrowed.
use arrayvec::ArrayVec;

use crate::error::Rejection;

/// The most headers a request may have; one with more is refused before any work.
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
pub struct Request<'h, 'a> {
    pub method: &'a [u8],
    /// Raw bytes of the request target before `?`.
    pub path: &'a [u8],
    /// Raw bytes behind `?`, empty without one.
    pub query: &'a [u8],
    /// What the client signed as host where it is not the header's value (`s3_host`).
    pub host: Option<&'a [u8]>,
    pub headers: &'h [Header<'a>],
}

/// The headers that verification reads, each of which may occur once only.
#[derive(Default)]
pub(crate) struct Fields<'a> {
    pub(crate) authorization: Option<&'a [u8]>,
    pub(crate) amz_date: Option<&'a [u8]>,
    pub(crate) content_length: Option<&'a [u8]>,
    pub(crate) content_md5: Option<&'a [u8]>,
    pub(crate) content_sha256: Option<&'a [u8]>,
    pub(crate) content_type: Option<&'a [u8]>,
    pub(crate) copy_source: Option<&'a [u8]>,
    pub(crate) date: Option<&'a [u8]>,
    pub(crate) decoded_length: Option<&'a [u8]>,
    host: Option<&'a [u8]>,
    pub(crate) trailer: Option<&'a [u8]>,
}

impl<'a> Fields<'a> {
    pub(crate) fn scan(headers: &[Header<'a>]) -> Result<Fields<'a>, Rejection> {
        if headers.len() > MAX_HEADERS {
            return Err(Rejection::TooManyHeaders);
        }
        let mut fields = Fields::default();
        for header in headers {
            let is = |name: &[u8]| header.name.eq_ignore_ascii_case(name);
            let field = match header.name.len() {
                4 if is(b"date") => &mut fields.date,
                4 if is(b"host") => &mut fields.host,
                10 if is(b"x-amz-date") => &mut fields.amz_date,
                11 if is(b"content-md5") => &mut fields.content_md5,
                12 if is(b"content-type") => &mut fields.content_type,
                13 if is(b"authorization") => &mut fields.authorization,
                13 if is(b"x-amz-trailer") => &mut fields.trailer,
                14 if is(b"content-length") => &mut fields.content_length,
                17 if is(b"x-amz-copy-source") => &mut fields.copy_source,
                20 if is(b"x-amz-content-sha256") => &mut fields.content_sha256,
                28 if is(b"x-amz-decoded-content-length") => &mut fields.decoded_length,
                _ => continue,
            };
            if field.replace(header.value).is_some() {
                return Err(Rejection::RepeatedHeader);
            }
        }
        Ok(fields)
    }
}

/// Whether a header is S3's own. One in which `_` stands for `-` counts too, since servers behind
/// a CGI-like interface read both alike.
pub(crate) fn is_amz(name: &[u8]) -> bool {
    let is_dash = |byte: u8| byte == b'-' || byte == b'_';
    matches!(name, [b'x' | b'X', d1, b'a' | b'A', b'm' | b'M', b'z' | b'Z', d2, ..]
        if is_dash(*d1) && is_dash(*d2))
}

/// A token of RFC 9110 section 5.6.2: a method or a header's name.
pub(crate) fn is_token(name: &[u8]) -> bool {
    !name.is_empty() && kinds(name) & OTHER == 0
}

/// A token without upper-case letters.
pub(crate) fn is_lower_token(name: &[u8]) -> bool {
    !name.is_empty() && kinds(name) & (OTHER | UPPER) == 0
}

/// The kinds of the bytes of a name, all together.
pub(crate) fn kinds(name: &[u8]) -> u8 {
    // Nearly every name is a token: no branch for each byte.
    let kind = |byte: &u8| KINDS[usize::from(*byte)];
    name.iter().fold(0, |all, byte| all | kind(byte))
}

/// Splits off the bytes of a token that `text` begins with, and tells their kinds.
pub(crate) fn split_token(text: &[u8]) -> (&[u8], u8, &[u8]) {
    let mut kinds = 0;
    let mut length = 0;
    for byte in text {
        let kind = KINDS[usize::from(*byte)];
        if kind & OTHER != 0 {
            break;
        }
        kinds |= kind;
        length += 1;
    }
    let (token, rest) = text.split_at(length);
    (token, kinds, rest)
}

pub(crate) const UPPER: u8 = 1;
pub(crate) const LOW_LINE: u8 = 2;
/// No byte of a token.
const OTHER: u8 = 4;

const KINDS: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0_usize;
    while byte < 256 {
        table[byte] = match byte as u8 {
            b'A'..=b'Z' => UPPER,
            b'_' => LOW_LINE,
            b'a'..=b'z' | b'0'..=b'9' => 0,
            b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'`'
            | b'|' | b'~' => 0,
            _ => OTHER,
        };
        byte += 1;
    }
    table
};
