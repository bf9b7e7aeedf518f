//! The documents of S3 that name a bucket or an object, as the client has to read them. Such a document is
//! written again while it arrives; all but the names stays as it is, less blanks after the root.
use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::xml::{Reader, Token, Unreadable, decoded, put_text};
use crate::{operation::Operation, sealed::Sealer};

/// The longest `<Upload>` in a list, in bytes: there is room for a key of 1,024 bytes that is encoded twice.
const MAX_UPLOAD: usize = 16 << 10;

/// A document with names in it.
#[derive(Debug)]
pub struct NamedDocument {
    reader: Reader,
    writer: NameWriter,
}

/// What the client calls what a document names. `None`: as the document does.
#[derive(Debug, Default)]
pub struct DocumentNames {
    /// The bucket that the client has asked.
    pub bucket: Option<String>,
    /// The URL of the object that the client has made.
    pub location: Option<String>,
    /// Seals the ids of the origin, where others do not know them.
    pub sealer: Option<Sealer>,
}

#[derive(Debug)]
struct NameWriter {
    kind: &'static DocumentKind,
    names: DocumentNames,
    /// What the element says that is being read.
    place: Option<Named>,
    /// The keys in it are percent-encoded.
    is_url_encoded: bool,
    /// The `<Upload>` that is being read.
    upload: Option<ListedUpload>,
    /// What is being read is an `<Error>`: of a key that could not be deleted.
    is_failure: bool,
}

/// An upload in a list, whose id is sealed together with its key, wherever the two stand.
#[derive(Debug, Default)]
struct ListedUpload {
    /// All of it but the id.
    raw: String,
    key: Option<Vec<u8>>,
    id: Option<ListedId>,
}

#[derive(Debug)]
struct ListedId {
    /// Where in `raw` it stood.
    at: usize,
    text: String,
}

/// One of S3's documents.
#[derive(Debug)]
struct DocumentKind {
    root: &'static str,
    /// The elements in the root whose texts are names.
    names: &'static [(&'static str, Named)],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Named {
    Bucket,
    Location,
    /// The id of the upload that the client has asked about.
    UploadId,
    UploadMarker,
    VersionMarker,
    Token,
    /// Where the next page begins, in a list whose markers are keys.
    Marker,
    /// How keys are encoded.
    Encoding,
    /// An upload in a list, and in it:
    Upload,
    Key,
    ListedId,
    /// An error among others, and in it:
    Failure,
    Message,
}

impl DocumentKind {
    /// Finds what an operation answers. `None` if that names nothing; the names in a list of buckets are a matter of
    /// [`BucketList`](super::BucketList).
    fn of(operation: Operation) -> Option<&'static DocumentKind> {
        use Named::{
            Bucket, Encoding, Failure, Location, Marker, Token, Upload, UploadId, UploadMarker,
            VersionMarker,
        };
        Some(match operation {
            Operation::ListBuckets => &DocumentKind {
                root: "ListAllMyBucketsResult",
                names: &[("ContinuationToken", Token)],
            },
            Operation::ListObjects => &DocumentKind {
                root: "ListBucketResult",
                names: &[("Name", Bucket), ("NextMarker", Marker)],
            },
            Operation::ListObjectsV2 => &DocumentKind {
                root: "ListBucketResult",
                names: &[
                    ("Name", Bucket),
                    ("ContinuationToken", Token),
                    ("NextContinuationToken", Token),
                ],
            },
            Operation::ListObjectVersions => &DocumentKind {
                root: "ListVersionsResult",
                names: &[
                    ("Name", Bucket),
                    ("VersionIdMarker", VersionMarker),
                    ("NextVersionIdMarker", VersionMarker),
                ],
            },
            Operation::ListMultipartUploads => &DocumentKind {
                root: "ListMultipartUploadsResult",
                names: &[
                    ("Bucket", Bucket),
                    ("EncodingType", Encoding),
                    ("UploadIdMarker", UploadMarker),
                    ("NextUploadIdMarker", UploadMarker),
                    ("Upload", Upload),
                ],
            },
            Operation::ListParts => &DocumentKind {
                root: "ListPartsResult",
                names: &[("Bucket", Bucket), ("UploadId", UploadId)],
            },
            Operation::CreateMultipartUpload => &DocumentKind {
                root: "InitiateMultipartUploadResult",
                names: &[("Bucket", Bucket), ("UploadId", UploadId)],
            },
            Operation::CompleteMultipartUpload => &DocumentKind {
                root: "CompleteMultipartUploadResult",
                names: &[("Bucket", Bucket), ("Location", Location)],
            },
            Operation::DeleteObjects => &DocumentKind {
                root: "DeleteResult",
                names: &[("Error", Failure)],
            },
            Operation::PostObject => &DocumentKind {
                root: "PostResponse",
                names: &[("Bucket", Bucket), ("Location", Location)],
            },
            _ => return None,
        })
    }

    fn named(&self, element: &str) -> Option<Named> {
        let found = self.names.iter().find(|(name, _)| *name == element);
        found.map(|(_, named)| *named)
    }
}

impl DocumentNames {
    /// Whether something of that kind has another name.
    fn changes(&self, named: Named) -> bool {
        match named {
            Named::Bucket => self.bucket.is_some(),
            Named::Location => self.location.is_some(),
            Named::Encoding => false,
            // What its message says is not known before.
            Named::Failure => true,
            _ => self.sealer.is_some(),
        }
    }

    /// Returns what the client calls what is called so; `None` if it is called so there too.
    fn of(&self, named: Named, text: &str) -> Result<Option<Cow<'_, str>>, Unreadable> {
        let sealer = self.sealer.as_ref();
        let seal = match named {
            Named::Bucket => return Ok(self.bucket.as_deref().map(Cow::Borrowed)),
            Named::Location => return Ok(self.location.as_deref().map(Cow::Borrowed)),
            Named::UploadId => Sealer::own_upload_id,
            Named::UploadMarker => Sealer::marker,
            Named::VersionMarker => Sealer::version_marker,
            Named::Token => Sealer::token,
            Named::Marker => Sealer::key_marker,
            Named::Encoding
            | Named::Upload
            | Named::Key
            | Named::ListedId
            | Named::Failure
            | Named::Message => return Ok(None),
        };
        sealer
            .map(|sealer| Ok(Cow::Owned(seal(sealer, &decoded(text)?))))
            .transpose()
    }
}

impl NamedDocument {
    /// Returns the rewriting of what an operation answers; `None` if nothing in that has another name.
    pub fn of(operation: Operation, names: DocumentNames) -> Option<NamedDocument> {
        let kind = DocumentKind::of(operation)?;
        let is_changed = kind.names.iter().any(|(_, named)| names.changes(*named));
        is_changed.then(|| NamedDocument {
            reader: Reader::keeping_references(),
            writer: NameWriter {
                kind,
                names,
                place: None,
                is_url_encoded: false,
                upload: None,
                is_failure: false,
            },
        })
    }

    /// Takes a piece and puts what the client reads of it; `told` is what it is told for the message of an error.
    ///
    /// # Errors
    /// If the document cannot be read, or is another one.
    pub fn write(
        &mut self,
        piece: &[u8],
        told: impl Fn(&str) -> String,
        out: &mut Vec<u8>,
    ) -> Result<(), Unreadable> {
        let writer = &mut self.writer;
        self.reader
            .read(piece, |token, depth| writer.write(token, depth, &told, out))
    }

    /// Ends the document.
    ///
    /// # Errors
    /// If the document is not whole.
    pub fn finish(&mut self) -> Result<(), Unreadable> {
        self.reader.finish()
    }
}

impl NameWriter {
    fn write(
        &mut self,
        token: Token<'_>,
        depth: usize,
        told: impl Fn(&str) -> String,
        out: &mut Vec<u8>,
    ) -> Result<(), Unreadable> {
        let raw = match token {
            Token::Open { name, raw } => {
                self.open(name, depth)?;
                raw
            }
            Token::Close { raw, .. } => {
                self.place = None;
                raw
            }
            Token::Text(text) => match self.text(text, told)? {
                TextWritten::AsItIs => text,
                TextWritten::Later => return Ok(()),
                TextWritten::As(name) => {
                    out.extend_from_slice(name.as_bytes());
                    return Ok(());
                }
            },
            Token::Declaration(raw) => raw,
        };
        let Some(upload) = &mut self.upload else {
            out.extend_from_slice(raw.as_bytes());
            return Ok(());
        };
        if upload.raw.len() + raw.len() > MAX_UPLOAD {
            return Err(Unreadable);
        }
        upload.raw.push_str(raw);
        if let (Token::Close { .. }, 2) = (token, depth) {
            let upload = self.upload.take().unwrap_or_default();
            upload.put(self.names.sealer.as_ref(), out)?;
        }
        Ok(())
    }

    fn open(&mut self, name: &str, depth: usize) -> Result<(), Unreadable> {
        // What has children is not what is known by its name.
        if depth == 1 && name != self.kind.root || self.place.is_some() {
            return Err(Unreadable);
        }
        let named = match (depth, &self.upload, name) {
            (2, ..) => self.kind.named(name),
            (3, Some(_), "Key") => Some(Named::Key),
            (3, Some(_), "UploadId") => Some(Named::ListedId),
            (3, None, "Message") if self.is_failure => Some(Named::Message),
            _ => None,
        };
        if depth == 2 {
            self.is_failure = named == Some(Named::Failure);
        }
        self.place = match named {
            Some(Named::Upload) => {
                let is_sealed = self.names.changes(Named::Upload);
                self.upload = is_sealed.then(ListedUpload::default);
                None
            }
            Some(Named::Failure) => None,
            named => named,
        };
        Ok(())
    }

    /// Takes a text, in the place of which something else may be written.
    fn text(
        &mut self,
        text: &str,
        told: impl Fn(&str) -> String,
    ) -> Result<TextWritten, Unreadable> {
        let Some(named) = self.place else {
            return Ok(TextWritten::AsItIs);
        };
        match (named, &mut self.upload) {
            (Named::Encoding, _) => self.is_url_encoded = decoded(text)?.trim() == "url",
            (Named::Key, Some(upload)) => {
                let key = decoded(text)?;
                // A `+` is a space there, and `%2B` is a plus.
                let key = match self.is_url_encoded {
                    true => percent_decode_str(&key.replace('+', " ")).collect(),
                    false => key.into_bytes(),
                };
                return match upload.key.replace(key) {
                    None => Ok(TextWritten::AsItIs),
                    Some(_) => Err(Unreadable),
                };
            }
            (Named::ListedId, Some(upload)) => {
                let id = ListedId {
                    at: upload.raw.len(),
                    text: decoded(text)?,
                };
                return match upload.id.replace(id) {
                    None => Ok(TextWritten::Later),
                    Some(_) => Err(Unreadable),
                };
            }
            _ => {}
        }
        let name = match named {
            Named::Message => Some(Cow::Owned(told(&decoded(text)?))),
            _ => self.names.of(named, text)?,
        };
        Ok(match name {
            None => TextWritten::AsItIs,
            Some(name) => {
                let mut text = String::new();
                put_text(&mut text, &name);
                TextWritten::As(text)
            }
        })
    }
}

/// What becomes of a text.
enum TextWritten {
    AsItIs,
    As(String),
    Later,
}

impl ListedUpload {
    /// Puts it with its id sealed. One without a key is nothing that could be asked for.
    fn put(&self, sealer: Option<&Sealer>, out: &mut Vec<u8>) -> Result<(), Unreadable> {
        let Some(id) = &self.id else {
            out.extend_from_slice(self.raw.as_bytes());
            return Ok(());
        };
        let (key, sealer) = self.key.as_ref().zip(sealer).ok_or(Unreadable)?;
        let (before, after) = self.raw.split_at_checked(id.at).ok_or(Unreadable)?;
        let mut text = String::from(before);
        put_text(&mut text, &sealer.upload_id(key, &id.text));
        text.push_str(after);
        out.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests;
