//! The body of CreateBucket, which names the region of the bucket: the client's on the way in, the origin's on the
//! way out.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html>
use crate::{
    answer::{
        XML_DECLARATION, put_element,
        xml::{self, Reader, Token, Unreadable},
    },
    error::Rejection,
    region::Region,
    written_body::WrittenBody,
};

/// The longest body that is read, in bytes: there is room for all of the tags that a bucket may have.
pub(crate) const MAX_BODY: usize = 64 << 10;

const ROOT: &str = "CreateBucketConfiguration";

/// What a body says, without the region.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct BucketConfiguration {
    /// All up to the root's first child; empty if there is no document.
    start: String,
    /// The other elements, and what follows them.
    rest: String,
    has_others: bool,
    /// It is for a directory bucket, which has another kind of location.
    is_directory: bool,
    /// What goes out at the present try.
    sent: Option<SentConfiguration>,
}

/// A body for the origins of a region.
#[derive(Debug, PartialEq, Eq)]
struct SentConfiguration {
    region: Region,
    body: WrittenBody,
}

impl BucketConfiguration {
    /// Reads a body that was verified, of a client that must sign for `region`.
    pub(crate) fn read(body: &[u8], region: &Region) -> Result<BucketConfiguration, Rejection> {
        let mut configuration = BucketConfiguration::default();
        if body.is_empty() {
            return Ok(configuration);
        }
        let constraint = configuration
            .read_document(body)
            .map_err(|_| Rejection::MalformedXml)?;
        let constraint = constraint.as_bytes();
        let is_here = constraint.is_empty()
            || constraint == region.as_bytes()
            // What S3 has called it before there were others in Europe.
            || constraint == b"EU" && region.as_bytes() == b"eu-west-1";
        match is_here {
            true => Ok(configuration),
            false => Err(Rejection::IllegalLocationConstraint),
        }
    }

    /// Returns the `LocationConstraint`; empty if there is none.
    fn read_document(&mut self, body: &[u8]) -> Result<String, Unreadable> {
        let mut reader = Reader::default();
        let mut constraint: Option<String> = None;
        let mut is_in_constraint = false;
        reader.read(body, |token, depth| {
            match (token, depth) {
                (Token::Open { name: ROOT, raw }, 1) => {
                    self.start.push_str(raw.strip_suffix("/>").unwrap_or(raw));
                    if raw.ends_with("/>") {
                        self.start.push('>');
                    }
                    return Ok(());
                }
                (Token::Open { .. }, 1) => return Err(Unreadable),
                (Token::Close { raw: "", name }, 1) => {
                    self.rest.extend(["</", name, ">"]);
                    return Ok(());
                }
                (Token::Text(text), 1) if !xml::is_blank(text) => return Err(Unreadable),
                (Token::Open { name, .. }, 2) => {
                    is_in_constraint = name == "LocationConstraint";
                    // Of two, each reader could take another one.
                    if is_in_constraint && constraint.replace(String::new()).is_some() {
                        return Err(Unreadable);
                    }
                    self.has_others |= !is_in_constraint;
                    self.is_directory |= matches!(name, "Bucket" | "Location");
                }
                (Token::Open { .. }, _) if is_in_constraint => return Err(Unreadable),
                (Token::Text(text), 2) if is_in_constraint => {
                    constraint
                        .get_or_insert_default()
                        .push_str(&xml::decoded(text)?);
                }
                _ => {}
            }
            let raw = match token {
                Token::Open { raw, .. } | Token::Close { raw, .. } => raw,
                Token::Declaration(raw) | Token::Text(raw) => raw,
            };
            match (is_in_constraint, depth) {
                (true, _) => is_in_constraint = !matches!((token, depth), (Token::Close { .. }, 2)),
                (false, 0) if self.rest.is_empty() => self.start.push_str(raw),
                (false, _) => self.rest.push_str(raw),
            }
            Ok(())
        })?;
        reader.finish()?;
        Ok(constraint.unwrap_or_default())
    }

    /// Writes the body for an origin in a region.
    pub(crate) fn prepare(&mut self, region: &Region) {
        if self.sent_to(region).is_some() {
            return;
        }
        self.sent = Some(SentConfiguration {
            region: *region,
            body: WrittenBody::new(self.body_for(region).into_bytes()),
        });
    }

    /// Returns the body if it was written for that region last.
    pub(crate) fn sent_to(&self, region: &Region) -> Option<&WrittenBody> {
        let sent = self.sent.as_ref().filter(|sent| sent.region == *region);
        sent.map(|sent| &sent.body)
    }

    fn body_for(&self, region: &Region) -> String {
        let constraint = region.location_constraint().filter(|_| !self.is_directory);
        let mut element = String::new();
        if let Some(constraint) = constraint {
            let constraint = String::from_utf8_lossy(constraint);
            put_element(&mut element, "LocationConstraint", &constraint);
        }
        match (&*self.start, constraint) {
            // S3 has no word for the first region, and no document that says nothing.
            (_, None) if !self.has_others => String::new(),
            ("", _) => format!(
                "{XML_DECLARATION}<{ROOT} xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{element}</{ROOT}>"
            ),
            (start, _) => [start, &element, &self.rest].concat(),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn region(name: &str) -> Region {
        Region::parse(name.as_bytes()).unwrap()
    }

    /// What goes out to an origin in `to`, for clients in `here`.
    fn sent(body: &str, here: &str, to: &str) -> Result<String, Rejection> {
        let mut configuration = BucketConfiguration::read(body.as_bytes(), &region(here))?;
        configuration.prepare(&region(to));
        let sent = configuration.sent_to(&region(to)).unwrap();
        assert_eq!(configuration.sent_to(&region("other")), None);
        Ok(String::from_utf8(sent.bytes.clone()).unwrap())
    }

    /// A document with these elements.
    fn document(elements: &str) -> String {
        format!("<?xml version=\"1.0\"?>\n<{ROOT} xmlns=\"n\">{elements}</{ROOT}>")
    }

    fn constraint(name: &str) -> String {
        format!("<LocationConstraint>{name}</LocationConstraint>")
    }

    #[test]
    fn the_constraint_becomes_the_origins() {
        let tags = "<Tags><Tag><Key>LocationConstraint</Key><Value>here-1</Value></Tag></Tags>";
        let there = constraint("there-1");
        for elements in [
            constraint("here-1"),
            constraint("here&#45;1"),
            "<LocationConstraint a='b' >here-1</LocationConstraint >".into(),
            "<LocationConstraint/>".into(),
            String::new(),
        ] {
            let body = document(&elements);
            assert_eq!(
                sent(&body, "here-1", "there-1"),
                Ok(document(&there)),
                "{body}"
            );
            assert_eq!(
                sent(&body, "here-1", "us-east-1"),
                Ok(String::new()),
                "{body}"
            );
            for body in [format!("{tags}{elements}"), format!("{elements}{tags}")] {
                let body = document(&body);
                let told = document(&format!("{there}{tags}"));
                assert_eq!(sent(&body, "here-1", "there-1"), Ok(told), "{body}");
                assert_eq!(
                    sent(&body, "here-1", "us-east-1"),
                    Ok(document(tags)),
                    "{body}"
                );
            }
        }
        // White space after the end is none of it.
        let body = document(&constraint("here-1")) + "\n";
        assert_eq!(sent(&body, "here-1", "there-1"), Ok(document(&there)));
        let empty = "<CreateBucketConfiguration/>";
        let told = format!("<{ROOT}>{there}</{ROOT}>");
        assert_eq!(sent(empty, "here-1", "there-1"), Ok(told));
        assert_eq!(sent("", "here-1", "us-east-1"), Ok(String::new()));
        assert!(sent("", "us-east-1", "there-1").unwrap().contains(&there));
        assert!(
            sent(&document(&constraint("EU")), "eu-west-1", "there-1")
                .unwrap()
                .contains(&there)
        );
    }

    #[test]
    fn directory_buckets_have_no_region() {
        let body = document(
            "<Location><Name>zone</Name></Location><Bucket><Type>Directory</Type></Bucket>",
        );
        assert_eq!(sent(&body, "here-1", "there-1"), Ok(body.clone()));
    }

    #[test]
    fn another_region_is_not_here() {
        for name in ["there-1", "us-east-1", "EU", "here-1 ", "HERE-1"] {
            let body = document(&constraint(name));
            let rejected = Err(Rejection::IllegalLocationConstraint);
            assert_eq!(sent(&body, "here-1", "there-1"), rejected, "{name}");
        }
    }

    #[test]
    fn what_cannot_be_read() {
        let twice = constraint("here-1").repeat(2);
        for body in [
            " ",
            "{}",
            "<CreateBucketConfiguration>",
            "<Other/>",
            "<CreateBucketConfiguration/><CreateBucketConfiguration/>",
            &document("text"),
            &document(&twice),
            &document("<LocationConstraint>here-1<a/></LocationConstraint>"),
            &document("<LocationConstraint><![CDATA[here-1]]></LocationConstraint>"),
            &document("<LocationConstraint>here-1<!-- --></LocationConstraint>"),
            &document("<a:LocationConstraint>here-1</a:LocationConstraint>"),
            &format!("<!DOCTYPE a>{}", document("")),
        ] {
            assert_eq!(
                sent(body, "here-1", "b"),
                Err(Rejection::MalformedXml),
                "{body}"
            );
        }
    }
}
