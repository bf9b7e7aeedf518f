//! Takes a form apart as it arrives: `multipart/form-data`, RFC 7578 and RFC 2046 section 5.1, in the
//! one way in which browsers and HTTP libraries write it.
use std::ops::Range;

use arrayvec::ArrayVec;

use super::part::PartHead;
use crate::{
    address::Address,
    error::Rejection,
    headers::{KnownHeader, KnownHeaders, steers_server},
    request::ClientRequest,
    text::token::is_token,
    text::uri::{self, Part},
};

/// Bytes before the file at the most; S3 itself takes 20 KB.
const MAX_HEAD: usize = 64 << 10;

/// Fields before the file at the most.
const MAX_FIELDS: usize = 128;

/// Bytes of the head of a part after the file at the most.
const MAX_TRAILING_HEAD: usize = 4 << 10;

/// RFC 2046 section 5.1.1.
const MAX_BOUNDARY: usize = 70;

/// What ends a form after its last delimiter.
pub(super) const CLOSE: [u8; 4] = *b"--\r\n";

/// A form as far as it has arrived.
#[derive(Debug)]
pub struct FormDecoder {
    /// CRLF, two hyphens and the boundary.
    delimiter: ArrayVec<u8, { 4 + MAX_BOUNDARY }>,
    /// Bytes of a delimiter that are the last that came.
    matched: usize,
    place: FormPosition,
    /// All that is before the file's data; after it the head of a part that follows the file.
    text: Vec<u8>,
    fields: Vec<FieldPlace>,
    file: Option<FilePlace>,
    /// Bytes of the present part's content.
    content: u64,
    /// Bytes of the file.
    file_length: u64,
    /// Bytes written after the file's delimiter.
    closed: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FormPosition {
    /// Before the first delimiter.
    Start,
    /// In the two bytes after a delimiter: a line break, or two hyphens.
    Delimiter(Option<u8>),
    /// In the head of a part, which begins there in `text`.
    Head(usize),
    /// In a field's value, which begins there in `text`.
    Value(usize),
    File,
    /// In what follows the file, which nobody reads.
    Trailing,
    End,
}

/// Where a field is in the text.
#[derive(Debug)]
pub(super) struct FieldPlace {
    pub(super) name: Range<usize>,
    pub(super) value: Range<usize>,
}

#[derive(Debug)]
pub(super) struct FilePlace {
    /// The length of what is before the data.
    head: usize,
    pub(super) filename: Range<usize>,
    pub(super) content_type: Option<Range<usize>>,
}

impl FormDecoder {
    /// Starts a form that the head of a request announces.
    ///
    /// # Errors
    /// If the head shows already that the form must be rejected: nothing in it is signed.
    pub fn new(
        request: &ClientRequest<'_, '_>,
        address: &Address<'_>,
    ) -> Result<FormDecoder, Rejection> {
        let fields = KnownHeaders::scan(request.headers)?;
        let target = request.target();
        let path = address
            .resource(target.path)
            .filter(|_| uri::is_canonical(target.path, Part::Path).is_some())
            .ok_or(Rejection::InvalidUri)?;
        if path.bucket().is_none() || path.key().is_some() {
            return Err(Rejection::MethodNotAllowed);
        }
        if !request.query.is_empty() || !target.query.is_empty() {
            return Err(Rejection::UnsignedParameter);
        }
        if (request.headers.iter()).any(|header| steers_server(header.name)) {
            return Err(Rejection::UnsignedHeaders);
        }
        // It would be the hash of the form as the client wrote it.
        if fields.value(KnownHeader::ContentMd5).is_some() {
            return Err(Rejection::NotImplemented);
        }
        let mut delimiter = ArrayVec::new();
        delimiter.extend(*b"\r\n--");
        let boundary = boundary(fields.value(KnownHeader::ContentType).unwrap_or_default())
            .ok_or(Rejection::MalformedForm)?;
        delimiter
            .try_extend_from_slice(boundary)
            .map_err(|_| Rejection::MalformedForm)?;
        Ok(FormDecoder {
            delimiter,
            // The first delimiter needs no line break before it.
            matched: 2,
            place: FormPosition::Start,
            text: Vec::new(),
            fields: Vec::new(),
            file: None,
            content: 0,
            file_length: 0,
            closed: 0,
        })
    }

    /// Takes the next piece of the body and tells which part of it is to be stored: of the whole form
    /// it is the file, its delimiter and, written over what came there, the end of the form.
    ///
    /// # Errors
    /// If it is no form, or not one that S3 would take.
    pub fn decode(&mut self, piece: &mut [u8]) -> Result<Range<usize>, Rejection> {
        let mut stored = 0..0;
        let mut at = 0;
        while let Some(rest) = piece.get_mut(at..).filter(|rest| !rest.is_empty()) {
            let start = at;
            let stores = match (self.place, rest) {
                (FormPosition::End, _) if self.file.is_some() && self.closed == CLOSE.len() => {
                    break;
                }
                (FormPosition::File, rest) => {
                    at += self.find_delimiter(rest)?;
                    true
                }
                (_, [byte, ..]) => {
                    at += 1;
                    let taken = *byte;
                    let closes = self.is_after_file();
                    self.take(taken)?;
                    match CLOSE.get(self.closed).filter(|_| closes) {
                        Some(closing) => {
                            *byte = *closing;
                            self.closed += 1;
                            true
                        }
                        None => false,
                    }
                }
                (_, []) => false,
            };
            if stores {
                if stored.is_empty() {
                    stored.start = start;
                }
                stored.end = at;
            }
        }
        Ok(stored)
    }

    /// Ends the form.
    ///
    /// # Errors
    /// If the form had not.
    pub fn finish(&self) -> Result<(), Rejection> {
        match self.is_complete() {
            true => Ok(()),
            false => Err(Rejection::MalformedForm),
        }
    }

    pub fn is_complete(&self) -> bool {
        self.place == FormPosition::End && self.file.is_some()
    }

    /// Returns everything before the file's data, as soon as all of it has arrived.
    pub fn head(&self) -> Option<&[u8]> {
        self.file
            .as_ref()
            .and_then(|file| self.text.get(..file.head))
    }

    /// Counts the bytes of the file so far.
    pub fn file_length(&self) -> u64 {
        self.file_length
    }

    /// Counts the bytes to be stored of a complete form.
    pub(super) fn stored_length(&self) -> u64 {
        self.file_length + (self.delimiter.len() + self.closed) as u64
    }

    /// Counts the bytes of the file with the delimiter after it, as soon as the delimiter has arrived.
    pub(super) fn delimited_length(&self) -> Option<u64> {
        self.is_after_file()
            .then(|| self.file_length + self.delimiter.len() as u64)
    }

    /// Returns the boundary between two hyphens and a line's end.
    pub(super) fn boundary(&self) -> &[u8] {
        self.delimiter.get(4..).unwrap_or_default()
    }

    pub(super) fn fields(&self) -> &[FieldPlace] {
        &self.fields
    }

    pub(super) fn file(&self) -> Option<&FilePlace> {
        self.file.as_ref()
    }

    fn is_after_file(&self) -> bool {
        self.file.is_some() && self.place != FormPosition::File
    }

    /// Takes of the file's data what there is; tells how many bytes, with the delimiter.
    fn find_delimiter(&mut self, data: &[u8]) -> Result<usize, Rejection> {
        let mut at = 0;
        while let Some(&byte) = data.get(at) {
            if self.delimiter.get(self.matched) == Some(&byte) {
                self.matched += 1;
                at += 1;
                if self.matched == self.delimiter.len() {
                    self.check_content(at)?;
                    self.file_length = self.content - self.matched as u64;
                    self.place = FormPosition::Delimiter(None);
                    return Ok(at);
                }
                continue;
            }
            // No byte of a delimiter but its first is a CR.
            self.matched = 0;
            at = match memchr::memchr(b'\r', data.get(at..).unwrap_or_default()) {
                Some(distance) => at + distance,
                None => data.len(),
            };
        }
        self.content += data.len() as u64;
        self.file_length = self.content.saturating_sub(self.matched as u64);
        Ok(data.len())
    }

    /// Takes so many more bytes of a part's content, to the end of a delimiter. One that has no line
    /// break before it is none to some readers, and one to others.
    fn check_content(&mut self, count: usize) -> Result<(), Rejection> {
        self.content += count as u64;
        match self.content < self.delimiter.len() as u64 {
            true => Err(Rejection::MalformedForm),
            false => Ok(()),
        }
    }

    /// Takes a byte that is not of the file.
    fn take(&mut self, byte: u8) -> Result<(), Rejection> {
        let is_kept = !matches!(self.place, FormPosition::Trailing | FormPosition::End);
        let limit = match &self.file {
            None => MAX_HEAD,
            Some(file) => file.head + MAX_TRAILING_HEAD,
        };
        if is_kept {
            if self.text.len() >= limit {
                return Err(Rejection::FormFieldsTooLong);
            }
            self.text.push(byte);
        }
        match self.place {
            FormPosition::Start | FormPosition::Value(_) | FormPosition::Trailing => {
                self.take_content(byte)
            }
            FormPosition::Delimiter(None) => {
                self.place = FormPosition::Delimiter(Some(byte));
                Ok(())
            }
            FormPosition::Delimiter(Some(first)) => self.take_delimiter_end(first, byte),
            FormPosition::Head(start) => self.take_head(start),
            FormPosition::File | FormPosition::End => Ok(()),
        }
    }

    fn take_content(&mut self, byte: u8) -> Result<(), Rejection> {
        if self.delimiter.get(self.matched) == Some(&byte) {
            self.matched += 1;
        } else {
            // Some clients begin with an empty line.
            if self.place == FormPosition::Start && (byte != b'\r' || self.text.len() > 1) {
                return Err(Rejection::MalformedForm);
            }
            self.matched = usize::from(byte == b'\r');
        }
        if self.matched < self.delimiter.len() {
            self.content += 1;
            return Ok(());
        }
        if self.place != FormPosition::Start {
            self.check_content(1)?;
        }
        if let (FormPosition::Value(start), Some(field)) = (self.place, self.fields.last_mut()) {
            field.value = start..self.text.len() - self.delimiter.len();
        }
        self.place = FormPosition::Delimiter(None);
        Ok(())
    }

    fn take_delimiter_end(&mut self, first: u8, byte: u8) -> Result<(), Rejection> {
        match &[first, byte] {
            b"\r\n" => {
                if let Some(file) = &self.file {
                    self.text.truncate(file.head);
                }
                self.place = FormPosition::Head(self.text.len());
                Ok(())
            }
            b"--" if self.file.is_none() => Err(Rejection::NotOneFile),
            b"--" => {
                self.place = FormPosition::End;
                Ok(())
            }
            _ => Err(Rejection::MalformedForm),
        }
    }

    /// Ends the head of a part at its empty line.
    fn take_head(&mut self, start: usize) -> Result<(), Rejection> {
        let block = self.text.get(start..).unwrap_or_default();
        if !block.ends_with(b"\r\n\r\n") {
            return match block {
                b"\r\n" => Err(Rejection::MalformedForm),
                _ => Ok(()),
            };
        }
        let head = PartHead::parse(&self.text, start)?;
        let end = self.text.len();
        // A delimiter that follows without a line break of its own is found, and rejected.
        self.matched = 2;
        self.content = 0;
        if self.file.is_some() {
            if head.is_file(&self.text) {
                return Err(Rejection::NotOneFile);
            }
            self.place = FormPosition::Trailing;
        } else if head.is_file(&self.text) {
            self.file = Some(FilePlace {
                head: end,
                filename: head.filename.unwrap_or(end..end),
                content_type: head.content_type,
            });
            self.place = FormPosition::File;
        } else {
            if self.fields.len() == MAX_FIELDS {
                return Err(Rejection::FormFieldsTooLong);
            }
            self.fields.push(FieldPlace {
                name: head.name,
                value: end..end,
            });
            self.place = FormPosition::Value(end);
        }
        Ok(())
    }
}

/// Returns the boundary in a Content-Type; `None` where there is none, or where two readers could find
/// different ones.
fn boundary(content_type: &[u8]) -> Option<&[u8]> {
    let mut parameters = content_type.split(|&byte| byte == b';');
    let essence = parameters.next()?.trim_ascii();
    if !essence.eq_ignore_ascii_case(b"multipart/form-data") {
        return None;
    }
    let mut boundary = None;
    for parameter in parameters {
        let (name, value) = parameter.split_at(memchr::memchr(b'=', parameter)?);
        let value = value.get(1..)?.trim_ascii_end();
        let value = match value {
            [b'"', quoted @ .., b'"'] => quoted,
            token => Some(token).filter(|token| is_token(token))?,
        };
        let fits = value
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"'()+_,-./:=?".contains(byte));
        if !fits || value.is_empty() {
            return None;
        }
        let name = name.trim_ascii_start();
        if name.eq_ignore_ascii_case(b"boundary") {
            if boundary.replace(value).is_some() {
                return None;
            }
        } else if !name.eq_ignore_ascii_case(b"charset") {
            return None;
        }
    }
    boundary
}
