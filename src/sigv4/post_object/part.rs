//! The head of one part of a form.
use std::ops::Range;

use crate::{error::Rejection, text::token::is_token};

/// Where the head of a part says what; places in the whole text.
pub(super) struct PartHead {
    pub(super) name: Range<usize>,
    pub(super) filename: Option<Range<usize>>,
    pub(super) content_type: Option<Range<usize>>,
}

impl PartHead {
    /// Reads the head that begins at `start` and ends with the text.
    pub(super) fn parse(text: &[u8], start: usize) -> Result<PartHead, Rejection> {
        let mut disposition = None;
        let mut content_type = None;
        let mut line_start = start;
        for line in lines(text.get(start..).unwrap_or_default()) {
            let line = line?;
            let colon = memchr::memchr(b':', line).ok_or(Rejection::MalformedForm)?;
            let (name, value) = line.split_at(colon);
            if !is_token(name) {
                return Err(Rejection::MalformedForm);
            }
            let value_start = line_start + colon + 1;
            let place = value_start..line_start + line.len();
            let value = value.get(1..).unwrap_or_default().trim_ascii();
            if name.eq_ignore_ascii_case(b"content-disposition") {
                if disposition.replace(place).is_some() {
                    return Err(Rejection::MalformedForm);
                }
            } else if name.eq_ignore_ascii_case(b"content-type") {
                // Files in a part of their own kind (RFC 2388 section 4.2) are more than one.
                let is_nested = value
                    .get(..10)
                    .is_some_and(|start| start.eq_ignore_ascii_case(b"multipart/"));
                if is_nested || content_type.replace(place).is_some() {
                    return Err(Rejection::MalformedForm);
                }
            } else if name.eq_ignore_ascii_case(b"content-transfer-encoding") {
                // What RFC 7578 section 4.7 deprecates, unless it says nothing.
                let says_nothing = [b"binary".as_slice(), b"8bit", b"7bit"]
                    .iter()
                    .any(|plain| value.eq_ignore_ascii_case(plain));
                if !says_nothing {
                    return Err(Rejection::MalformedForm);
                }
            }
            line_start += line.len() + 2;
        }
        let disposition = disposition.ok_or(Rejection::MalformedForm)?;
        let (name, filename) =
            parse_disposition(text, disposition).ok_or(Rejection::MalformedForm)?;
        let head = PartHead {
            name,
            filename,
            content_type,
        };
        // In quotes these could be read in two ways.
        let is_plain = |byte: &u8| byte.is_ascii_graphic() && !b"\"\\".contains(byte);
        let name = text.get(head.name.clone()).unwrap_or_default();
        match !name.is_empty() && name.iter().all(is_plain) {
            true => Ok(head),
            false => Err(Rejection::MalformedForm),
        }
    }

    /// Whether the part is the file: the one of that name, whatever else carries a file name. Scripts give
    /// one to each field: `requests.post(files=...)`, `FormData.append(name, blob)`.
    ///
    /// S3 goes by the name, and ignores what follows that part:
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html>
    pub(super) fn is_file(&self, text: &[u8]) -> bool {
        let name = text.get(self.name.clone()).unwrap_or_default();
        name.eq_ignore_ascii_case(b"file")
    }
}

/// Splits the lines up to an empty one.
fn lines(block: &[u8]) -> impl Iterator<Item = Result<&[u8], Rejection>> {
    let mut rest = block;
    std::iter::from_fn(move || {
        let is_control = |byte: &u8| byte.is_ascii_control() && *byte != b'\t';
        let end = rest.iter().position(is_control)?;
        match rest.split_at(end) {
            (line, [b'\r', b'\n', tail @ ..]) => {
                rest = tail;
                (!line.is_empty()).then_some(Ok(line))
            }
            _ => Some(Err(Rejection::MalformedForm)),
        }
    })
}

/// Finds the places of `name` and `filename` in a Content-Disposition; ignores other parameters.
fn parse_disposition(
    text: &[u8],
    place: Range<usize>,
) -> Option<(Range<usize>, Option<Range<usize>>)> {
    let mut at = place.start;
    let peek = |at: usize| text.get(at).filter(|_| at < place.end).copied();
    let skip_space = |mut at: usize| {
        while matches!(peek(at), Some(b' ' | b'\t')) {
            at += 1;
        }
        at
    };
    let token = |at: usize| {
        let ends = |byte: &u8| !is_token(&[*byte]);
        let rest = text.get(at..place.end)?;
        let length = rest.iter().position(ends).unwrap_or(rest.len());
        Some(at..at + length)
    };

    at = skip_space(at);
    let kind = token(at)?;
    if !text.get(kind.clone())?.eq_ignore_ascii_case(b"form-data") {
        return None;
    }
    at = kind.end;
    let (mut name, mut filename) = (None, None);
    loop {
        at = skip_space(at);
        match peek(at) {
            None => break,
            Some(b';') => at = skip_space(at + 1),
            Some(_) => return None,
        }
        let parameter = token(at)?;
        if peek(parameter.end) != Some(b'=') {
            return None;
        }
        at = parameter.end + 1;
        let value = if peek(at) == Some(b'"') {
            let rest = text.get(at + 1..place.end)?;
            let length = memchr::memchr(b'"', rest)?;
            // Some take this quote for one in the name, some for its end.
            if rest.get(..length)?.ends_with(b"\\") {
                return None;
            }
            let value = at + 1..at + 1 + length;
            at = value.end + 1;
            value
        } else {
            let value = token(at)?;
            at = value.end;
            value
        };
        let parameter = text.get(parameter)?;
        let slot = if parameter.eq_ignore_ascii_case(b"name") {
            &mut name
        } else if parameter.eq_ignore_ascii_case(b"filename") {
            &mut filename
        } else {
            continue;
        };
        if slot.replace(value).is_some() {
            return None;
        }
    }
    Some((name?, filename))
}
