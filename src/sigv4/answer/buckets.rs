//! The answer to ListBuckets, without the buckets that a client must not see.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBuckets.html>
use super::xml::{self, Reader, Token, Unreadable};

/// The longest `<Bucket>` element, in bytes.
const MAX_BUCKET: usize = 8 << 10;

/// Filters a `ListAllMyBucketsResult`. What is kept is kept byte by byte; blanks after the root, and elements that S3 does not
/// have are left out: they could hold names in a way that is not known here.
#[derive(Debug, Default)]
pub struct BucketList {
    reader: Reader,
    list: ListFilter,
}

#[derive(Debug, Default)]
struct ListFilter {
    place: ListPosition,
    /// The `<Bucket>` that is being read.
    bucket: String,
    /// What its `<Name>` says; there must be one.
    name: Option<String>,
    is_in_name: bool,
}

/// Which child of the root is being read.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum ListPosition {
    #[default]
    None,
    Buckets,
    Owner,
    /// An element with nothing but text in it.
    Leaf,
    /// One that is left out.
    Other,
}

impl BucketList {
    /// Takes a piece and puts what may be seen of it to `out`: of the buckets those whose name, decoded,
    /// `shows` holds of.
    ///
    /// # Errors
    /// If the document cannot be read, or is another one. What was put is not to be sent then.
    pub fn filter(
        &mut self,
        piece: &[u8],
        shows: impl Fn(&[u8]) -> bool,
        out: &mut Vec<u8>,
    ) -> Result<(), Unreadable> {
        let list = &mut self.list;
        self.reader
            .read(piece, |token, depth| list.take(token, depth, &shows, out))
    }

    /// Ends the document.
    ///
    /// # Errors
    /// If the document is not whole.
    pub fn finish(&mut self) -> Result<(), Unreadable> {
        self.reader.finish()
    }
}

impl ListFilter {
    fn take(
        &mut self,
        token: Token<'_>,
        depth: usize,
        shows: impl Fn(&[u8]) -> bool,
        out: &mut Vec<u8>,
    ) -> Result<(), Unreadable> {
        let raw = match token {
            Token::Open { name, raw } => {
                self.open(name, depth)?;
                raw
            }
            Token::Text(text) => {
                if self.has_children(depth) && !xml::is_blank(text) {
                    return Err(Unreadable);
                }
                if let Some(name) = self.name.as_mut().filter(|_| self.is_in_name) {
                    name.push_str(&xml::decoded(text)?);
                }
                text
            }
            Token::Declaration(raw) | Token::Close { raw, .. } => raw,
        };
        match self.place {
            ListPosition::Other => {}
            ListPosition::Buckets if depth >= 3 => {
                if self.bucket.len() + raw.len() > MAX_BUCKET {
                    return Err(Unreadable);
                }
                self.bucket.push_str(raw);
            }
            _ => out.extend_from_slice(raw.as_bytes()),
        }
        match token {
            Token::Close { .. } => self.close(depth, shows, out),
            _ => Ok(()),
        }
    }

    fn open(&mut self, name: &str, depth: usize) -> Result<(), Unreadable> {
        match (depth, self.place, name) {
            (1, _, "ListAllMyBucketsResult") => {}
            (2, _, "Buckets") => self.place = ListPosition::Buckets,
            (2, _, "Owner") => self.place = ListPosition::Owner,
            (2, _, "Prefix" | "ContinuationToken") => self.place = ListPosition::Leaf,
            (2, ..) => self.place = ListPosition::Other,
            (3, ListPosition::Buckets, "Bucket") => {}
            (4, ListPosition::Buckets, "Name") if self.name.is_none() => {
                self.name = Some(String::new());
                self.is_in_name = true;
            }
            // A second name would be the one that another reader goes by.
            (4, ListPosition::Buckets, "Name") => return Err(Unreadable),
            (4, ListPosition::Buckets, _)
            | (3, ListPosition::Owner, _)
            | (_, ListPosition::Other, _) => {}
            _ => return Err(Unreadable),
        }
        Ok(())
    }

    fn close(
        &mut self,
        depth: usize,
        shows: impl Fn(&[u8]) -> bool,
        out: &mut Vec<u8>,
    ) -> Result<(), Unreadable> {
        match (depth, self.place) {
            (4, ListPosition::Buckets) => self.is_in_name = false,
            (3, ListPosition::Buckets) => {
                let name = self.name.take().ok_or(Unreadable)?;
                if shows(name.as_bytes()) {
                    out.extend_from_slice(self.bucket.as_bytes());
                }
                self.bucket.clear();
            }
            (2, _) => self.place = ListPosition::None,
            _ => {}
        }
        Ok(())
    }

    /// Whether the element with so many open ones around it has others in it, and no text.
    fn has_children(&self, depth: usize) -> bool {
        match self.place {
            ListPosition::None => true,
            ListPosition::Buckets => depth <= 3,
            ListPosition::Owner => depth <= 2,
            ListPosition::Leaf | ListPosition::Other => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filtered(document: &str) -> Result<String, Unreadable> {
        let mut list = BucketList::default();
        let mut out = Vec::new();
        list.filter(
            document.as_bytes(),
            |name| name.starts_with(b"mine"),
            &mut out,
        )?;
        list.finish()?;
        String::from_utf8(out).map_err(|_| Unreadable)
    }

    /// Makes a list of some buckets.
    fn list(buckets: &str) -> String {
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListAllMyBucketsResult \
             xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Owner><ID>1</ID><DisplayName>o &amp; \
             p</DisplayName></Owner><Buckets>{buckets}</Buckets><Prefix/></ListAllMyBucketsResult>"
        )
    }

    fn bucket(name: &str) -> String {
        format!(
            "<Bucket><Name>{name}</Name><CreationDate>2026-01-01T00:00:00.000Z</CreationDate></Bucket>"
        )
    }

    #[test]
    fn buckets() {
        for (all, shown) in [
            (vec![], vec![]),
            (vec!["mine"], vec!["mine"]),
            (vec!["other"], vec![]),
            (
                vec!["other", "mine-a", "others", "mine-b"],
                vec!["mine-a", "mine-b"],
            ),
            (
                vec!["&#109;ine", "m&#x69;ne", "&#x6f;ther"],
                vec!["&#109;ine", "m&#x69;ne"],
            ),
            (vec![" mine", "", "other mine"], vec![]),
        ] {
            let [all, shown] =
                [all, shown].map(|names| list(&names.into_iter().map(bucket).collect::<String>()));
            assert_eq!(filtered(&all), Ok(shown));
        }
    }

    #[test]
    fn elements_of_a_bucket() {
        for (buckets, shown) in [
            (
                "<Bucket ><Name\t>mine</Name ></Bucket\n>",
                "<Bucket ><Name\t>mine</Name ></Bucket\n>",
            ),
            ("<Bucket a='other'><Name>other</Name></Bucket>", ""),
            ("\n <Bucket>\n<Name>other</Name>\n</Bucket>\n", "\n \n"),
            (
                "<Bucket><BucketRegion>r</BucketRegion><Name>mine</Name><New/></Bucket>",
                "<Bucket><BucketRegion>r</BucketRegion><Name>mine</Name><New/></Bucket>",
            ),
            ("<Bucket><Name/></Bucket>", ""),
        ] {
            assert_eq!(filtered(&list(buckets)), Ok(list(shown)), "{buckets}");
        }
    }

    #[test]
    fn what_could_be_read_otherwise() {
        for buckets in [
            "<Bucket/>",
            "<Bucket></Bucket>",
            "<Bucket><name>mine</name></Bucket>",
            "<Bucket><Name>mine</Name><Name>other</Name></Bucket>",
            "<Bucket><Name>mine<Name>other</Name></Name></Bucket>",
            "<Bucket><Name>mine<i/></Name></Bucket>",
            "<Bucket><Name>mine</Name><A><Name>other</Name></A></Bucket>",
            "<Bucket><Name>mine</Name>other</Bucket>",
            "<Bucket>other<Name>mine</Name></Bucket>",
            "<Bucket><Name>mine<!-- --></Name></Bucket>",
            "<Bucket><Name><![CDATA[mine]]></Name></Bucket>",
            "<Bucket><Name>mine&other;</Name></Bucket>",
            "<Bucket><x:Name>other</x:Name><Name>mine</Name></Bucket>",
            "<x:Bucket><Name>mine</Name></x:Bucket>",
            "<bucket><Name>mine</Name></bucket>",
            "<Buckets><Bucket><Name>mine</Name></Bucket></Buckets>",
            "<Name>mine</Name>",
            "other",
            "&#111;ther",
            "<Bucket><Name>mine</Name>",
            "<!-- <Bucket><Name>other</Name></Bucket> -->",
            "<?other?>",
        ] {
            assert_eq!(filtered(&list(buckets)), Err(Unreadable), "{buckets}");
        }
    }

    #[test]
    fn other_documents() {
        for document in [
            "",
            "<ListAllMyBucketsResult>",
            "<Error><Code>AccessDenied</Code></Error>",
            "<ListBucketResult><Name>other</Name></ListBucketResult>",
            "<ListAllMyBucketsResult>other</ListAllMyBucketsResult>",
            "<ListAllMyBucketsResult/><ListAllMyBucketsResult/>",
            "<ListAllMyBucketsResult><Owner>other</Owner></ListAllMyBucketsResult>",
            "<ListAllMyBucketsResult><Owner><ID><ID/></ID></Owner></ListAllMyBucketsResult>",
            "<ListAllMyBucketsResult><Prefix><Bucket/></Prefix></ListAllMyBucketsResult>",
            "<a><ListAllMyBucketsResult/></a>",
            "{\"Buckets\":[\"other\"]}",
        ] {
            assert_eq!(filtered(document), Err(Unreadable), "{document}");
        }
        for (document, shown) in [
            ("<ListAllMyBucketsResult/>", "<ListAllMyBucketsResult/>"),
            (
                "<ListAllMyBucketsResult>\n<Bucket><Name>other</Name></Bucket><All>other<a><b/></a></All>\n\
                 <ContinuationToken>t</ContinuationToken></ListAllMyBucketsResult>\n",
                "<ListAllMyBucketsResult>\n\n<ContinuationToken>t</ContinuationToken>\
                 </ListAllMyBucketsResult>",
            ),
        ] {
            assert_eq!(filtered(document), Ok(shown.into()), "{document}");
        }
    }

    #[test]
    fn one_bucket_has_a_limit() {
        let with = |length| {
            let half = "x".repeat(length / 2);
            format!("<Bucket><Name>mine</Name><A>{half}</A><A>{half}</A></Bucket>")
        };
        let fits = MAX_BUCKET - with(0).len();
        assert!(filtered(&list(&with(fits))).is_ok());
        assert_eq!(filtered(&list(&with(fits + 2))), Err(Unreadable));
    }
}
