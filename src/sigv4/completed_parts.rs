//! The body of CompleteMultipartUpload, in which a client may tell the checksums of the parts again. A store that knows
//! none may reject such a document: Swift's schema of a part has two elements.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html>
use crate::{
    answer::xml::{Reader, Token, Unreadable},
    dialect::Dialect,
    written_body::WrittenBody,
};

/// The longest body that is read, in bytes: there is room for 10,000 parts with all of their checksums.
pub(crate) const MAX_BODY: usize = 8 << 20;

/// A document, and what origins get that know no checksums.
#[derive(Debug)]
pub(crate) struct CompletedParts {
    as_sent: WrittenBody,
    without_checksums: WrittenBody,
}

impl CompletedParts {
    /// Reads a body that was verified. One that cannot be read goes out as it is, for the origin to say so.
    pub(crate) fn read(body: &[u8]) -> CompletedParts {
        let without = without_checksums(body).map_or_else(|_| body.to_vec(), String::into_bytes);
        CompletedParts {
            as_sent: WrittenBody::new(body.to_vec()),
            without_checksums: WrittenBody::new(without),
        }
    }

    pub(crate) fn sent_to(&self, dialect: Dialect) -> &WrittenBody {
        match dialect.drops_checksums() {
            true => &self.without_checksums,
            false => &self.as_sent,
        }
    }
}

/// Writes a document again without the checksums of its parts.
fn without_checksums(body: &[u8]) -> Result<String, Unreadable> {
    /// How many elements are open in the root's child's child.
    const OF_A_PART: usize = 3;

    let mut reader = Reader::default();
    let mut kept = String::with_capacity(body.len());
    let mut is_in_part = false;
    let mut is_in_checksum = false;
    reader.read(body, |token, depth| {
        match (token, depth) {
            (Token::Open { name, .. }, 2) => is_in_part = name == "Part",
            (Token::Open { name, .. }, OF_A_PART) if is_in_part => {
                is_in_checksum = name.starts_with("Checksum");
            }
            _ => {}
        }
        if !is_in_checksum {
            kept.push_str(match token {
                Token::Open { raw, .. } | Token::Close { raw, .. } => raw,
                Token::Declaration(raw) | Token::Text(raw) => raw,
            });
        }
        is_in_checksum &= !matches!((token, depth), (Token::Close { .. }, OF_A_PART));
        Ok(())
    })?;
    reader.finish()?;
    Ok(kept)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn written(body: &str) -> String {
        let parts = CompletedParts::read(body.as_bytes());
        let as_sent = &parts.sent_to(Dialect::default()).bytes;
        assert_eq!(as_sent, body.as_bytes());
        let swift = Dialect::named(b"swift").unwrap();
        String::from_utf8(parts.sent_to(swift).bytes.clone()).unwrap()
    }

    fn document(part: &str) -> String {
        format!(
            "<?xml version=\"1.0\"?>\n<CompleteMultipartUpload xmlns=\"n\">\n  {part}\n</CompleteMultipartUpload>\n"
        )
    }

    #[test]
    fn checksums_of_parts_are_left_out() {
        let plain = "<Part><ETag>&quot;e&quot;</ETag><PartNumber>1</PartNumber></Part>";
        for checksum in [
            "<ChecksumCRC32>AAAAAA==</ChecksumCRC32>",
            "<ChecksumCRC32 a='>'>AAAAAA==</ChecksumCRC32 >",
            "<ChecksumSHA256/>",
            "<ChecksumXXHASH128><a><ETag/></a>x</ChecksumXXHASH128>",
        ] {
            for part in [
                format!(
                    "<Part>{checksum}<ETag>&quot;e&quot;</ETag><PartNumber>1</PartNumber></Part>"
                ),
                format!(
                    "<Part><ETag>&quot;e&quot;</ETag>{checksum}<PartNumber>1</PartNumber>{checksum}</Part>"
                ),
            ] {
                let many = document(&part.repeat(3));
                assert_eq!(
                    written(&many).trim(),
                    document(&plain.repeat(3)).trim(),
                    "{many}"
                );
            }
        }
    }

    #[test]
    fn all_else_stays() {
        for body in [
            "",
            "{}",
            "<CompleteMultipartUpload>",
            &document(""),
            &document("<Part><ETag>Checksum</ETag></Part>"),
            &document("<ChecksumCRC32>at the top</ChecksumCRC32>"),
            &document("<Other><ChecksumCRC32>of something else</ChecksumCRC32></Other>"),
            &document("<Part><ETag><ChecksumCRC32>deeper</ChecksumCRC32></ETag></Part>"),
            &document("<Part><!-- --><ChecksumCRC32>unreadable</ChecksumCRC32></Part>"),
        ] {
            assert_eq!(written(body).trim(), body.trim());
        }
    }
}
