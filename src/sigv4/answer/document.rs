//! The documents of S3 that name a bucket or an object, as the client has to read them. Such a document is
//! written again while it arrives; all but the names stays as it is, less blanks after the root.
use super::xml::{Reader, Token, Unreadable, put_text};
use crate::operation::Operation;

/// A document with names in it.
#[derive(Debug)]
pub struct NamedDocument {
    reader: Reader,
    kind: &'static DocumentKind,
    names: DocumentNames,
    /// What the element says that is being read.
    place: Option<Named>,
}

/// What the client calls what a document names. `None`: as the document does.
#[derive(Debug, Default)]
pub struct DocumentNames {
    /// The bucket that the client has asked.
    pub bucket: Option<String>,
    /// The URL of the object that the client has made.
    pub location: Option<String>,
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
}

impl DocumentKind {
    /// Finds what an operation answers. `None` if that names nothing; the list of buckets is a matter of
    /// [`BucketList`](super::BucketList).
    fn of(operation: Operation) -> Option<&'static DocumentKind> {
        use Named::{Bucket, Location};
        Some(match operation {
            Operation::ListObjects | Operation::ListObjectsV2 => &DocumentKind {
                root: "ListBucketResult",
                names: &[("Name", Bucket)],
            },
            Operation::ListObjectVersions => &DocumentKind {
                root: "ListVersionsResult",
                names: &[("Name", Bucket)],
            },
            Operation::ListMultipartUploads => &DocumentKind {
                root: "ListMultipartUploadsResult",
                names: &[("Bucket", Bucket)],
            },
            Operation::ListParts => &DocumentKind {
                root: "ListPartsResult",
                names: &[("Bucket", Bucket)],
            },
            Operation::CreateMultipartUpload => &DocumentKind {
                root: "InitiateMultipartUploadResult",
                names: &[("Bucket", Bucket)],
            },
            Operation::CompleteMultipartUpload => &DocumentKind {
                root: "CompleteMultipartUploadResult",
                names: &[("Bucket", Bucket), ("Location", Location)],
            },
            Operation::PostObject => &DocumentKind {
                root: "PostResponse",
                names: &[("Bucket", Bucket), ("Location", Location)],
            },
            _ => return None,
        })
    }
}

impl DocumentNames {
    /// Returns what the client calls it; `None` if it is called so there too.
    fn of(&self, named: Named) -> Option<&str> {
        match named {
            Named::Bucket => self.bucket.as_deref(),
            Named::Location => self.location.as_deref(),
        }
    }
}

impl NamedDocument {
    /// Returns the rewriting of what an operation answers; `None` if nothing in that has another name.
    pub fn of(operation: Operation, names: DocumentNames) -> Option<NamedDocument> {
        let kind = DocumentKind::of(operation)?;
        let has_names = kind.names.iter().any(|(_, name)| names.of(*name).is_some());
        has_names.then(|| NamedDocument {
            reader: Reader::default(),
            kind,
            names,
            place: None,
        })
    }

    /// Takes a piece and puts what the client reads of it.
    ///
    /// # Errors
    /// If the document cannot be read, or is another one.
    pub fn write(&mut self, piece: &[u8], out: &mut Vec<u8>) -> Result<(), Unreadable> {
        let NamedDocument {
            reader,
            kind,
            names,
            place,
        } = self;
        reader.read(piece, |token, depth| {
            let raw = match token {
                Token::Open { name, raw } => {
                    if depth == 1 && name != kind.root || place.is_some() {
                        return Err(Unreadable);
                    }
                    if depth == 2 {
                        *place = kind.named(name);
                    }
                    raw
                }
                Token::Close { raw, .. } => {
                    *place = None;
                    raw
                }
                Token::Text(text) => {
                    if let Some(name) = place.and_then(|named| names.of(named)) {
                        let mut text = String::new();
                        put_text(&mut text, name);
                        out.extend_from_slice(text.as_bytes());
                        return Ok(());
                    }
                    text
                }
                Token::Declaration(raw) => raw,
            };
            out.extend_from_slice(raw.as_bytes());
            Ok(())
        })
    }

    /// Ends the document.
    ///
    /// # Errors
    /// If the document is not whole.
    pub fn finish(&mut self) -> Result<(), Unreadable> {
        self.reader.finish()
    }
}

impl DocumentKind {
    fn named(&self, element: &str) -> Option<Named> {
        let found = self.names.iter().find(|(name, _)| *name == element);
        found.map(|(_, named)| *named)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn names() -> DocumentNames {
        DocumentNames {
            bucket: Some("media".into()),
            location: Some("https://s3.mydomain.com/media/a&b".into()),
        }
    }

    fn written(operation: Operation, document: &str) -> Result<String, Unreadable> {
        let mut rewriting = NamedDocument::of(operation, names()).unwrap();
        let mut out = Vec::new();
        for piece in document.as_bytes().chunks(7) {
            rewriting.write(piece, &mut out)?;
        }
        rewriting.finish()?;
        Ok(String::from_utf8(out).unwrap())
    }

    /// The documents as S3 has them, with the origin's names and with the client's.
    #[test]
    fn documents() {
        for (operation, document) in [
            (
                Operation::ListObjects,
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
                 <Name>{b}</Name><Prefix>acme-media</Prefix><Marker/><MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated>\
                 <Contents><Key>acme-media</Key><Owner><ID>1</ID><Name>acme-media</Name></Owner></Contents>\
                 <CommonPrefixes><Prefix>acme-media/</Prefix></CommonPrefixes></ListBucketResult>",
            ),
            (
                Operation::ListObjectsV2,
                "<ListBucketResult>\n  <Name>{b}</Name>\n  <KeyCount>0</KeyCount>\n</ListBucketResult>",
            ),
            (
                Operation::ListObjectVersions,
                "<ListVersionsResult><Name>{b}</Name><Version><Key>k</Key></Version></ListVersionsResult>",
            ),
            (
                Operation::ListMultipartUploads,
                "<ListMultipartUploadsResult><Bucket>{b}</Bucket><Upload><Key>Bucket</Key><Initiator><ID>a</ID></Initiator>\
                 </Upload></ListMultipartUploadsResult>",
            ),
            (
                Operation::ListParts,
                "<ListPartsResult><Bucket>{b}</Bucket><Key>k</Key><Part><ETag>&quot;e&quot;</ETag></Part></ListPartsResult>",
            ),
            (
                Operation::CreateMultipartUpload,
                "<InitiateMultipartUploadResult><Bucket>{b}</Bucket><Key>k</Key></InitiateMultipartUploadResult>",
            ),
            (
                Operation::CompleteMultipartUpload,
                "<CompleteMultipartUploadResult><Location>{l}</Location><Bucket>{b}</Bucket><Key>k</Key>\
                 </CompleteMultipartUploadResult>",
            ),
            (
                Operation::PostObject,
                "<PostResponse><Location>{l}</Location><Bucket>{b}</Bucket><Key>k</Key><ETag>e</ETag></PostResponse>",
            ),
        ] {
            let with = |bucket: &str, location: &str| {
                document.replace("{b}", bucket).replace("{l}", location)
            };
            let there = with("acme-media", "http://acme-media.s3.example/a%26b");
            let here = with("media", "https://s3.mydomain.com/media/a&amp;b");
            assert_eq!(written(operation, &there), Ok(here), "{operation:?}");
        }
    }

    #[test]
    fn what_is_no_such_document() {
        for document in [
            "",
            "text",
            "<Error><Code>C</Code></Error>",
            "<ListVersionsResult><Name>b</Name></ListVersionsResult>",
            "<ListBucketResult><Name>b</Name>",
            "<ListBucketResult><Name>a<b/></Name></ListBucketResult>",
            "<ListBucketResult><x:Name>b</x:Name></ListBucketResult>",
            "<ListBucketResult><Name><![CDATA[b]]></Name></ListBucketResult>",
        ] {
            assert_eq!(
                written(Operation::ListObjectsV2, document),
                Err(Unreadable),
                "{document}"
            );
        }
        let empty = "<ListBucketResult><Name/></ListBucketResult>";
        assert_eq!(written(Operation::ListObjectsV2, empty), Ok(empty.into()));
    }

    #[test]
    fn documents_that_stay_as_they_are() {
        let location = |location: &str| DocumentNames {
            bucket: None,
            location: Some(location.into()),
        };
        assert!(NamedDocument::of(Operation::GetObject, names()).is_none());
        assert!(NamedDocument::of(Operation::CopyObject, names()).is_none());
        assert!(NamedDocument::of(Operation::ListParts, location("l")).is_none());
        assert!(NamedDocument::of(Operation::PostObject, location("l")).is_some());
        assert!(NamedDocument::of(Operation::PostObject, DocumentNames::default()).is_none());
    }
}
