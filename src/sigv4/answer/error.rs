//! The body of an origin's error: what of it is the client's business.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>
use std::borrow::Cow;

use super::{
    names::ClientNames,
    traces::Traces,
    xml::{self, BYTE_ORDER_MARK, Reader, Token, Unreadable},
};
use crate::region::Region;

/// The longest body of an error that is looked at, in bytes.
pub const MAX_ERROR: usize = 64 << 10;

/// The elements of an `<Error>` that speak of the client's request and its objects. Others speak of the
/// request that the proxy made of it (`AWSAccessKeyId`, `StringToSign`, `CanonicalRequest`,
/// `SignatureProvided`, `Token-0`, ...) or of the origin (`HostId`, ...), or are not known.
const KEPT: &[&str] = &[
    "AccessTier",
    "ActualObjectSize",
    "ArgumentName",
    "ArgumentValue",
    "Bucket",
    "BucketName",
    "CalculatedDigest",
    "ClientComputedContentSHA256",
    "Code",
    "Condition",
    "Content-MD5",
    "CopySource",
    "ETag",
    "Endpoint",
    "ExpectedDigest",
    "Expires",
    "Header",
    "Key",
    "LocationConstraint",
    "MaxMessageLengthBytes",
    "MaxSizeAllowed",
    "Message",
    "Method",
    "MinSizeAllowed",
    "MissingHeaderName",
    "ObjectSize",
    "PartNumber",
    "ProposedSize",
    "QueryParameterName",
    "QueryParameterValue",
    "RangeRequested",
    "Region",
    "RequestId",
    "Resource",
    "ResourceType",
    "S3ComputedContentSHA256",
    "ServerTime",
    "Size",
    "StorageClass",
    "TagKey",
    "TagValue",
    "UploadId",
    "VersionId",
    "X-Amz-Expires",
];

/// What a client is told of itself and its request where an origin would tell of the proxy's.
#[derive(Debug, Default)]
pub struct ToldInErrors<'a> {
    /// The region that clients must sign for.
    pub region: Option<&'a Region>,
    /// The host that the client has asked.
    pub host: &'a str,
    pub names: ClientNames,
    /// The id that the client has asked with, if it is a sealed one.
    pub id: Option<AskedId>,
}

/// An id that is sealed, as it is known on both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskedId {
    pub origin: String,
    pub client: String,
}

impl ToldInErrors<'_> {
    fn tell(&self, element: &str, text: &mut String) {
        let told = match element {
            "LocationConstraint" | "Region" => match self.region {
                Some(region) => Cow::Owned(region.to_string()),
                None => return,
            },
            "Endpoint" => Cow::Borrowed(self.host),
            "Bucket" | "BucketName" => Cow::Borrowed(self.names.bucket(text)),
            "CopySource" | "Resource" => self.names.in_path(text),
            "Message" => self.names.in_words(text),
            "ArgumentValue" | "QueryParameterValue" | "UploadId" => match &self.id {
                Some(id) if id.origin == *text => Cow::Borrowed(&*id.client),
                _ => return,
            },
            _ => return,
        };
        *text = told.into_owned();
    }
}

/// What becomes of the body of an error.
#[derive(Debug, PartialEq, Eq)]
pub enum ErrorBody {
    /// It is no error of S3's, and says nothing of an origin.
    Keep,
    /// S3's error, written again.
    Rewrite(String),
    /// It cannot be understood, and could say anything.
    Replace,
}

impl ErrorBody {
    /// Decides on a whole body, which is at most [`MAX_ERROR`] bytes long. What is in `told` stands in the place
    /// of what the origin says of it.
    pub fn of(body: &[u8], traces: &Traces<'_>, told: &ToldInErrors<'_>) -> ErrorBody {
        if let Ok(mut elements) = read(body) {
            for (name, text) in &mut elements {
                told.tell(name, text);
            }
            return rewrite(&elements, traces);
        }
        // A reader that is less strict than ours could see S3's error in it.
        let is_like_error = [
            &b"<Error"[..],
            b":Error",
            b"AWSAccessKeyId",
            b"StringToSign",
            b"CanonicalRequest",
            b"SignatureProvided",
        ]
        .iter()
        .any(|mark| memchr::memmem::find(body, mark).is_some());
        let is_renamed = !told.names.is_empty()
            && told.names.in_words(&String::from_utf8_lossy(body)) != String::from_utf8_lossy(body);
        match is_like_error || body.contains(&0) || traces.are_in(body) || is_renamed {
            true => ErrorBody::Replace,
            false => ErrorBody::Keep,
        }
    }
}

/// Reads the kept elements of an `<Error>`, with their texts: each once, as S3 has them, or what is told in their place
/// could become much longer than the body.
fn read(body: &[u8]) -> Result<Vec<(&'static str, String)>, Unreadable> {
    let mut reader = Reader::default();
    let mut elements = Vec::new();
    let mut current: Option<(&'static str, String)> = None;
    reader.read(body, |token, depth| {
        match (depth, token) {
            (1, Token::Open { name, .. }) if name != "Error" => return Err(Unreadable),
            (1, Token::Text(text)) if !xml::is_blank(text) => return Err(Unreadable),
            (2, Token::Open { name, .. }) => {
                let kept = KEPT.iter().find(|kept| **kept == name);
                current = kept.map(|kept| (*kept, String::new()));
            }
            // What has children is not what is known by that name.
            (3, Token::Open { .. }) => current = None,
            (2, Token::Text(text)) => {
                if let Some((_, kept)) = &mut current {
                    kept.push_str(&xml::decoded(text)?);
                }
            }
            (2, Token::Close { .. }) => {
                let element = current.take();
                let is_new =
                    |(name, _): &(&str, String)| elements.iter().all(|(other, _)| other != name);
                elements.extend(element.filter(is_new));
            }
            _ => {}
        }
        Ok(())
    })?;
    reader.finish()?;
    Ok(elements)
}

fn rewrite(elements: &[(&'static str, String)], traces: &Traces<'_>) -> ErrorBody {
    let code = elements.iter().find(|(name, _)| *name == "Code");
    if code.is_none_or(|(_, code)| code.is_empty() || traces.are_in(code.as_bytes())) {
        return ErrorBody::Replace;
    }
    let mut xml = String::from("<Error>");
    for (name, text) in elements {
        if is_told(text, traces) {
            xml::put_element(&mut xml, name, text);
        } else if *name == "Message" {
            xml::put_element(&mut xml, name, LEFT_OUT);
        }
    }
    xml.push_str("</Error>");
    ErrorBody::Rewrite(xml)
}

/// What a message is that the client is not told.
const LEFT_OUT: &str = "(It names the origin, and is left out.)";

/// Returns what the client is told for the message of an error.
pub fn told_message(message: &str, traces: &Traces<'_>, names: &ClientNames) -> String {
    let message = names.in_words(message);
    match is_told(&message, traces) {
        true => message.into_owned(),
        false => LEFT_OUT.into(),
    }
}

fn is_told(text: &str, traces: &Traces<'_>) -> bool {
    !traces.are_in(text.as_bytes()) && !names_account(text)
}

/// Whether the text names who the origin takes the proxy for, as AWS's messages of a denied access do:
/// `User: arn:aws:iam::123456789012:user/proxy is not authorized to perform: ...`
fn names_account(text: &str) -> bool {
    let services = [":iam:", ":sts:"];
    text.split("arn:")
        .skip(1)
        .any(|arn| services.iter().any(|service| arn.contains(service)))
}

/// The declaration that stands before an error.
pub const XML_DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

/// How an answer of success begins: S3 says 200 before it knows the outcome of some operations, and what
/// follows may be an error.
///
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html>
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// From the `<` that may be the root's.
    held: Vec<u8>,
    /// Bytes before that.
    before: usize,
    /// Those of a byte order mark, which nothing stands before.
    mark: usize,
    /// A declaration has been read.
    is_declared: bool,
}

/// What an answer's beginning tells of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beginning {
    /// Nothing yet.
    Open,
    /// It is an error, or could be read as one.
    Error,
    /// It is what it says.
    Success,
}

/// S3 sends a blank now and then while it works; what is longer is no answer of S3's.
const MAX_BEFORE: usize = 16 << 10;
const MAX_START: usize = 512;

impl Outcome {
    /// Takes a piece. While the beginning is open, `out` gets what can be sent: all bytes but those that
    /// are held. Once it is not, it gets nothing, and what is [`held`](Outcome::held) and the rest of the
    /// piece, of which the length is returned, are the caller's.
    pub(super) fn take(&mut self, piece: &[u8], out: &mut Vec<u8>) -> (Beginning, usize) {
        for (at, &byte) in piece.iter().enumerate() {
            let rest = piece.len() - at;
            if self.held.is_empty() {
                match byte {
                    b' ' | b'\t' | b'\r' | b'\n' if self.before < MAX_BEFORE => {
                        self.before += 1;
                        out.push(byte);
                        continue;
                    }
                    b'<' => {}
                    // UTF-16, in which an error could stand.
                    0xfe | 0xff if self.before == 0 => return (Beginning::Error, rest),
                    // A reader of the root skips the mark.
                    _ if self.is_in_mark(byte) => {
                        self.mark += 1;
                        self.before += 1;
                        out.push(byte);
                        continue;
                    }
                    _ => return (Beginning::Success, rest),
                }
            }
            self.held.push(byte);
            let Some((name, rest_of_tag)) = split_name(&self.held) else {
                if self.held.len() >= MAX_START {
                    return (Beginning::Error, rest - 1);
                }
                continue;
            };
            match (name, rest_of_tag) {
                // To be read to its end, and to be followed by the root.
                (b"?xml", [.., b'?', b'>']) if !self.is_declared => {
                    if !is_declaration(&self.held) {
                        return (Beginning::Error, rest - 1);
                    }
                    self.is_declared = true;
                    self.before += self.held.len();
                    out.append(&mut self.held);
                }
                (b"?xml", _) if !self.is_declared && self.held.len() < MAX_START => {}
                ([b'?' | b'!', ..], _) => return (Beginning::Error, rest - 1),
                (name, _) => {
                    let local = name.rsplit(|byte| *byte == b':').next();
                    let beginning = match local {
                        Some(b"Error") => Beginning::Error,
                        _ => Beginning::Success,
                    };
                    return (beginning, rest - 1);
                }
            }
        }
        (Beginning::Open, 0)
    }

    /// Whether a byte order mark, in UTF-8, goes on with this byte.
    fn is_in_mark(&self, byte: u8) -> bool {
        self.mark == self.before && BYTE_ORDER_MARK.as_bytes().get(self.mark) == Some(&byte)
    }

    /// Returns what has been taken and not been sent.
    pub(super) fn held(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held)
    }
}

/// Whether a reader reads what follows this declaration as it is read here.
fn is_declaration(tag: &[u8]) -> bool {
    let inner = tag
        .strip_prefix(b"<?")
        .and_then(|tag| tag.strip_suffix(b"?>"));
    let inner = inner.and_then(|inner| str::from_utf8(inner).ok());
    inner.is_some_and(xml::is_declaration)
}

/// Splits off the name after a `<`; `None` until the name has ended.
fn split_name(tag: &[u8]) -> Option<(&[u8], &[u8])> {
    let inner = tag.get(1..)?;
    let end = inner
        .iter()
        .position(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b'/' | b'>'))?;
    inner.split_at_checked(end)
}

#[cfg(test)]
mod tests;
