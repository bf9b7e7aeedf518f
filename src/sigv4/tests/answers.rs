//! What holds for any answer, in whatever pieces it comes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::answered::told_whole;
use proptest::{collection::vec, prelude::*, sample::Index};
use sigv4::{AnswerBody, BucketList, ClientWords, ErrorBody, ToldInErrors, Traces, Unreadable};

/// A document cut at some places, which may be the same.
fn pieces<'a>(document: &'a [u8], cuts: &[Index]) -> Vec<&'a [u8]> {
    let mut places: Vec<usize> = cuts
        .iter()
        .map(|cut| cut.index(document.len() + 1))
        .collect();
    places.extend([0, document.len()]);
    places.sort_unstable();
    places
        .windows(2)
        .map(|pair| &document[pair[0]..pair[1]])
        .collect()
}

fn cuts() -> impl Strategy<Value = Vec<Index>> {
    vec(any::<Index>(), 0..8)
}

/// Shows the names that begin with "m"; what was put before an error does not count.
fn filtered(pieces: &[&[u8]]) -> Result<Vec<u8>, Unreadable> {
    let mut list = BucketList::default();
    let mut out = Vec::new();
    for piece in pieces {
        let shown = |name: &str| name.starts_with('m').then(|| name.to_owned().into());
        list.filter(piece, shown, &mut out)?;
    }
    list.finish()?;
    Ok(out)
}

/// A `<Bucket>` with its name, in some of the ways to write it.
fn bucket() -> impl Strategy<Value = (String, String)> {
    let name = "[ms][a-z0-9.&<>'\"é-]{0,12}";
    (
        name,
        vec(0..4_u8, 13),
        " ?",
        any::<bool>(),
        "(<Date>[a-z]*</Date>|<Region/>)?",
    )
        .prop_map(|(name, ways, space, name_first, other)| {
            let written: String = name
                .chars()
                .zip(ways)
                .map(|(c, way)| match (way, c) {
                    (0, c) => format!("&#{};", u32::from(c)),
                    (1, c) => format!("&#x{:X};", u32::from(c)),
                    (_, '&') => "&amp;".into(),
                    (_, '<') => "&lt;".into(),
                    (2, '>') => "&gt;".into(),
                    (2, '\'') => "&apos;".into(),
                    (2, '"') => "&quot;".into(),
                    (_, c) => c.into(),
                })
                .collect();
            let element = format!("<Name{space}>{written}</Name{space}>");
            let inner = match name_first {
                true => element + &other,
                false => other + &element,
            };
            (name, format!("<Bucket{space}>{space}{inner}</Bucket>"))
        })
}

fn document(buckets: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?>\n<ListAllMyBucketsResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
         <Owner><ID>o</ID></Owner>\n<Buckets>{buckets}</Buckets></ListAllMyBucketsResult>"
    )
}

/// A client that knows everything by the origin's names.
struct Plain;

impl ClientWords for Plain {
    fn error(&self, body: &[u8]) -> ErrorBody {
        ErrorBody::of(body, &Traces::default(), &ToldInErrors::default())
    }

    fn message(&self, message: &str) -> String {
        message.into()
    }

    fn bucket(&self, bucket: &str) -> Option<String> {
        Some(bucket.into())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_list_shows_what_it_may(buckets in vec(bucket(), 0..6), cuts in cuts()) {
        let all: String = buckets.iter().map(|(_, element)| &**element).collect();
        let shown = buckets.iter().filter(|(name, _)| name.starts_with('m'));
        let shown: String = shown.map(|(_, element)| &**element).collect();
        let expected = document(&shown);
        let document = document(&all);
        let out = filtered(&pieces(document.as_bytes(), &cuts));
        prop_assert_eq!(out, Ok(expected.into_bytes()));
    }

    /// A list with a byte more, less or changed shows no hidden name, whatever has become of its
    /// structure, and is one and the same in all pieces.
    #[test]
    fn a_broken_list_shows_nothing_more(
        buckets in vec("[mh]", 1..5),
        at in any::<Index>(),
        byte in prop_oneof![any::<u8>(), prop::sample::select(&b"<>/&;!?'\"= \n:m"[..])],
        way in 0..3_u8,
        cuts in cuts(),
    ) {
        let element = |name: &String| match &**name {
            "h" => "<Bucket><Name>hidden</Name><Date a=\"hidden\">hidden</Date></Bucket>",
            _ => "<Bucket><Date>d</Date><Name>mine</Name></Bucket>",
        };
        let all: String = buckets.iter().map(element).collect();
        let mut broken = document(&all).into_bytes();
        let at = at.index(broken.len());
        match way {
            0 => broken[at] = byte,
            1 => broken.insert(at, byte),
            _ => drop(broken.remove(at)),
        }
        let whole = filtered(&[&broken]);
        if let Ok(out) = &whole {
            // A name with something before it may be another name.
            let changed = broken.windows(7).any(|w| w == b"mhidden" || w == b"midden<");
            prop_assert!(changed || !out.windows(6).any(|w| w == b"hidden"), "{}", out.escape_ascii());
        }
        prop_assert_eq!(filtered(&pieces(&broken, &cuts)), whole);
    }

    #[test]
    fn a_success_becomes_the_same_in_all_pieces(
        document in "(<\\?xml version='1.0' ?\\?>)?[ \n]{0,3}(<[!?]?[aE:]?[Err?]{0,5}[or]{0,3}[ />]?.{0,3}|<Error><Code>[a-z]</Code></Error>)?",
        cuts in cuts(),
    ) {
        let document = document.as_bytes();
        let pieces = pieces(document, &cuts).into_iter();
        told_whole(|| AnswerBody::outcome(None), &Plain, document, pieces);
    }
}
