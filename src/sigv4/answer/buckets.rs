//! The answer to ListBuckets, without the buckets that a client must not see, and with the names by which it
//! knows the others.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBuckets.html>
use std::borrow::Cow;
use std::ops::Range;

use super::xml::{self, Reader, Token, Unreadable, put_element, put_text};
use crate::{region::Region, sealed::Sealer};

/// The longest `<Bucket>` element, in bytes.
const MAX_BUCKET: usize = 8 << 10;

/// Filters a `ListAllMyBucketsResult`. What is kept is kept byte by byte, but for names; blanks after the root, and
/// elements that S3 does not have are left out: they could hold names in a way that is not known here.
#[derive(Debug, Default)]
pub struct BucketList {
    reader: Reader,
    list: ListFilter,
}

#[derive(Debug, Default)]
struct ListFilter {
    place: ListPosition,
    /// What the client's names begin with, where the origin was not asked for that.
    prefix: Option<String>,
    sealer: Option<Sealer>,
    /// Where clients are told that buckets are.
    region: Option<Region>,
    /// There are none there.
    is_empty: bool,
    /// The `<Bucket>` that is being read.
    bucket: String,
    /// What its `<Name>` says; there must be one.
    name: Option<String>,
    /// Where `bucket` has the name, and the region.
    spans: Vec<(Range<usize>, BucketChild)>,
    /// Which child of `<Bucket>` is being read.
    child: BucketChild,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum BucketChild {
    Name,
    /// `<BucketArn>`, which ends in the name.
    Arn,
    Region,
    #[default]
    Other,
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
    /// Likewise, a token that is sealed.
    Token,
    /// One that is left out.
    Other,
}

impl BucketList {
    /// Makes a filter. If `prefix` is set, the list shows those buckets alone whose names begin with it, and says so:
    /// the origin has not been asked for that, since its names are others. `sealer` seals the place where the next
    /// page begins. `region` is where each of them is, if the client is not told where they are at the origin.
    pub fn new(
        prefix: Option<String>,
        sealer: Option<Sealer>,
        region: Option<Region>,
    ) -> BucketList {
        BucketList {
            reader: Reader::default(),
            list: ListFilter {
                prefix,
                sealer,
                region,
                ..ListFilter::default()
            },
        }
    }

    /// Leaves all buckets out: the client asks for those in another region than the one where it is told that they are.
    pub fn emptied(mut self) -> BucketList {
        self.list.is_empty = true;
        self
    }

    /// Takes a piece and puts what may be seen of it to `out`: of the buckets those that `shown` has a name for,
    /// which is the client's, by the origin's.
    ///
    /// # Errors
    /// If the document cannot be read, or is another one. What was put is not to be sent then.
    pub fn filter<'n>(
        &mut self,
        piece: &[u8],
        shown: impl Fn(&str) -> Option<Cow<'n, str>>,
        out: &mut Vec<u8>,
    ) -> Result<(), Unreadable> {
        let list = &mut self.list;
        self.reader
            .read(piece, |token, depth| list.take(token, depth, &shown, out))
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
    fn take<'n>(
        &mut self,
        token: Token<'_>,
        depth: usize,
        shown: impl Fn(&str) -> Option<Cow<'n, str>>,
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
                self.note_text(text)?;
                if let (ListPosition::Token, Some(sealer)) = (self.place, &self.sealer) {
                    let mut sealed = String::new();
                    put_text(&mut sealed, &sealer.token(&xml::decoded(text)?));
                    out.extend_from_slice(sealed.as_bytes());
                    return Ok(());
                }
                text
            }
            Token::Close { raw, .. } => {
                if let (1, false, Some(prefix)) = (depth, raw.is_empty(), &self.prefix) {
                    let mut element = String::new();
                    put_element(&mut element, "Prefix", prefix);
                    out.extend_from_slice(element.as_bytes());
                }
                raw
            }
            Token::Declaration(raw) => raw,
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
            Token::Close { .. } => self.close(depth, shown, out),
            _ => Ok(()),
        }
    }

    /// Takes note of a text that is a name, or ends in one, or is a region.
    fn note_text(&mut self, text: &str) -> Result<(), Unreadable> {
        let start = self.bucket.len();
        let whole = start..start + text.len();
        match (self.child, &mut self.name) {
            (BucketChild::Name, Some(name)) => {
                name.push_str(&xml::decoded(text)?);
                self.spans.push((whole, BucketChild::Name));
            }
            (BucketChild::Arn, _) => {
                let name = text.rfind(':').map_or(0, |colon| colon + 1);
                self.spans.push((start + name..whole.end, BucketChild::Arn));
            }
            (BucketChild::Region, _) => self.spans.push((whole, BucketChild::Region)),
            _ => {}
        }
        Ok(())
    }

    /// Puts the `<Bucket>` that has been read, with this name, if there is one, in the place of its own.
    fn put_bucket(&self, name: Option<&str>, out: &mut Vec<u8>) {
        let region = self.region.map(|region| region.to_string());
        let mut text = String::new();
        let mut rest = 0;
        for (span, child) in &self.spans {
            let other = match child {
                BucketChild::Region => region.as_deref(),
                _ => name,
            };
            if let Some(other) = other {
                text.push_str(self.bucket.get(rest..span.start).unwrap_or_default());
                put_text(&mut text, other);
                rest = span.end;
            }
        }
        text.push_str(self.bucket.get(rest..).unwrap_or_default());
        out.extend_from_slice(text.as_bytes());
    }

    fn open(&mut self, name: &str, depth: usize) -> Result<(), Unreadable> {
        match (depth, self.place, name) {
            (1, _, "ListAllMyBucketsResult") => {}
            (2, _, "Buckets") => self.place = ListPosition::Buckets,
            (2, _, "Owner") => self.place = ListPosition::Owner,
            (2, _, "Prefix") if self.prefix.is_some() => self.place = ListPosition::Other,
            (2, _, "ContinuationToken") if self.sealer.is_some() => {
                self.place = ListPosition::Token
            }
            (2, _, "Prefix" | "ContinuationToken") => self.place = ListPosition::Leaf,
            (2, ..) => self.place = ListPosition::Other,
            (3, ListPosition::Buckets, "Bucket") => {}
            (4, ListPosition::Buckets, "Name") if self.name.is_none() => {
                self.name = Some(String::new());
                self.child = BucketChild::Name;
            }
            // A second name would be the one that another reader goes by.
            (4, ListPosition::Buckets, "Name") => return Err(Unreadable),
            (4, ListPosition::Buckets, "BucketArn") => self.child = BucketChild::Arn,
            (4, ListPosition::Buckets, "BucketRegion") => self.child = BucketChild::Region,
            (4, ListPosition::Buckets, _)
            | (3, ListPosition::Owner, _)
            | (_, ListPosition::Other, _) => {}
            _ => return Err(Unreadable),
        }
        Ok(())
    }

    fn close<'n>(
        &mut self,
        depth: usize,
        shown: impl Fn(&str) -> Option<Cow<'n, str>>,
        out: &mut Vec<u8>,
    ) -> Result<(), Unreadable> {
        match (depth, self.place) {
            (4, ListPosition::Buckets) => self.child = BucketChild::Other,
            (3, ListPosition::Buckets) => {
                let name = self.name.take().ok_or(Unreadable)?;
                let prefix = self.prefix.as_deref().unwrap_or_default();
                let shown = Some(&*name).filter(|_| !self.is_empty).and_then(shown);
                if let Some(shown) = shown.filter(|shown| shown.starts_with(prefix)) {
                    self.put_bucket(Some(&*shown).filter(|shown| **shown != *name), out);
                }
                self.bucket.clear();
                self.spans.clear();
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
            ListPosition::Leaf | ListPosition::Token | ListPosition::Other => false,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{Credential, Origin, SecretKey};

    fn filtered(document: &str) -> Result<String, Unreadable> {
        let mut list = BucketList::default();
        let mut out = Vec::new();
        let mine = |name: &str| name.starts_with("mine").then(|| name.to_owned().into());
        list.filter(document.as_bytes(), mine, &mut out)?;
        list.finish()?;
        String::from_utf8(out).map_err(|_| Unreadable)
    }

    /// Shows the buckets of an origin that calls them `acme-NAME`.
    fn renamed(document: &str, prefix: Option<&str>) -> Result<String, Unreadable> {
        let mut list = BucketList::new(prefix.map(Into::into), None, None);
        let mut out = Vec::new();
        let client = |name: &str| Some(name.strip_prefix("acme-")?.to_owned().into());
        list.filter(document.as_bytes(), client, &mut out)?;
        list.finish()?;
        String::from_utf8(out).map_err(|_| Unreadable)
    }

    #[test]
    fn other_names() {
        for (buckets, shown) in [
            (bucket("acme-a"), bucket("a")),
            (bucket("a") + &bucket("acme-b"), bucket("b")),
            (bucket("&#97;cme-b"), bucket("b")),
            (bucket("acme-&lt;b>"), bucket("&lt;b&gt;")),
            (
                "<Bucket><BucketArn>arn:aws:s3:::acme-b</BucketArn><Name>acme-b</Name><A>acme-b</A></Bucket>"
                    .into(),
                "<Bucket><BucketArn>arn:aws:s3:::b</BucketArn><Name>b</Name><A>acme-b</A></Bucket>".into(),
            ),
            (
                "<Bucket><Name>acme-b</Name>\n<BucketArn>acme-b</BucketArn></Bucket>".into(),
                "<Bucket><Name>b</Name>\n<BucketArn>b</BucketArn></Bucket>".into(),
            ),
            ("<Bucket><BucketArn>acme-b</BucketArn></Bucket>".into(), "x".into()),
        ] {
            let expected = match &*shown {
                "x" => Err(Unreadable),
                shown => Ok(list(shown)),
            };
            assert_eq!(renamed(&list(&buckets), None), expected, "{buckets}");
        }
    }

    #[test]
    fn tokens() {
        let secret = SecretKey::new(b"secret".into());
        let origin = Origin::new(Credential::new(b"AKID", secret), b"s3.example");
        let sealer = || Sealer::new(&origin, (Vec::new(), Vec::new()));
        let mut list = BucketList::new(None, Some(sealer()), None);
        let mut out = Vec::new();
        let document = "<ListAllMyBucketsResult><Buckets/><ContinuationToken>t&amp;1</ContinuationToken>\
                        </ListAllMyBucketsResult>";
        let all = |name: &str| Some(name.to_owned().into());
        list.filter(document.as_bytes(), all, &mut out).unwrap();
        let expected = document.replace("t&amp;1", &sealer().token("t&1"));
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn regions() {
        let with = |name: &str, region: &str| {
            list(&format!(
                "<Bucket><BucketRegion>{region}</BucketRegion><Name>{name}</Name><BucketRegion/></Bucket>\
                 <Bucket><Name>{name}</Name><BucketArn>a:{name}</BucketArn><BucketRegion>{region}</BucketRegion></Bucket>"
            ))
        };
        for (told, region) in [(None, "there"), (Some("here"), "here")] {
            let told = told.and_then(|told: &str| Region::parse(told.as_bytes()));
            for (shown, name) in [("there", "there"), ("mine", "mine")] {
                let mut list = BucketList::new(None, None, told);
                let mut out = Vec::new();
                let client = |_: &str| Some(shown.into());
                let document = with("there", "there");
                list.filter(document.as_bytes(), client, &mut out).unwrap();
                list.finish().unwrap();
                assert_eq!(String::from_utf8(out).unwrap(), with(name, region));
            }
        }
    }

    #[test]
    fn prefixes_of_other_names() {
        let all = list(&["acme-a1", "acme-b", "acme-a2"].map(bucket).concat());
        let shown = list(&["a1", "a2"].map(bucket).concat());
        let shown = shown.replace("<Prefix/>", "").replace(
            "</ListAllMyBucketsResult>",
            "<Prefix>a</Prefix></ListAllMyBucketsResult>",
        );
        assert_eq!(renamed(&all, Some("a")), Ok(shown));
        let none = "<ListAllMyBucketsResult/>";
        assert_eq!(renamed(none, Some("a")), Ok(none.into()));
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
