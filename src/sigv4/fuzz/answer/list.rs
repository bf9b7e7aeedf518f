//! Lists of buckets.
use std::borrow::Cow;

use sigv4::*;

use crate::{
    setting::{Cut, REGION, Setting},
    tree,
};

fn filtered<'p>(
    pieces: impl Iterator<Item = &'p [u8]>,
    setting: &Setting,
    shown: impl Fn(&str) -> Option<Cow<'static, str>>,
) -> (Result<(), Unreadable>, Vec<u8>) {
    let mut list = BucketList::new(setting.prefix.clone(), setting.sealer(), setting.region);
    let mut out = Vec::new();
    for piece in pieces {
        if let Err(fault) = list.filter(piece, &shown, &mut out) {
            return (Err(fault), out);
        }
    }
    (list.finish(), out)
}

pub fn check(body: &[u8], setting: &Setting, cut: Cut) {
    let map = &setting.origin.buckets;
    let shown = |bucket: &str| {
        let name = match map.is_empty() {
            true => bucket.to_owned(),
            false => map.client_name(bucket.as_bytes())?.to_string(),
        };
        let is_shown = setting.grant.shows_bucket(name.as_bytes());
        is_shown.then(|| name.into())
    };
    let (read, out) = filtered([body].into_iter(), setting, shown);
    assert_eq!(
        filtered(cut.pieces(body), setting, shown),
        (read, out.clone())
    );
    if read.is_err() {
        return;
    }
    let text = out.escape_ascii();
    // A region of 64 bytes would be the longest that takes the place of something, in at least two tags of three
    // letters, and ids are longer by less than their own length and what is around them.
    assert!(
        out.len() <= 2 * body.len() + (body.len() / 14 + 1) * 64,
        "{text}"
    );
    // What has been filtered is a list, all of which may be seen.
    let plain = Setting::of(0);
    let all = |name: &str| Some(name.to_owned().into());
    let again = filtered([&*out].into_iter(), &plain, all);
    assert_eq!(again, (Ok(()), out.clone()));
    let Some(there) = tree::parsed(body) else {
        return;
    };
    let here = tree::parsed(&out).expect("is read by others");
    let prefix = setting.prefix.as_deref().unwrap_or_default();
    let names = names(&there).into_iter();
    let names = names
        .filter_map(|name| shown(&name))
        .filter(|name| name.starts_with(prefix));
    assert_eq!(self::names(&here), names.collect::<Vec<_>>(), "{text}");
    check_others(&here, setting);
}

fn buckets<'a, 'i>(
    document: &'a roxmltree::Document<'i>,
) -> impl Iterator<Item = roxmltree::Node<'a, 'i>> {
    let lists = tree::named(document.root_element(), "Buckets");
    lists.flat_map(|list| tree::named(list, "Bucket"))
}

fn names(document: &roxmltree::Document<'_>) -> Vec<String> {
    let name = |bucket| tree::named(bucket, "Name").map(tree::text).collect();
    buckets(document).map(name).collect()
}

/// Checks what else a list says.
fn check_others(list: &roxmltree::Document<'_>, setting: &Setting) {
    let root = list.root_element();
    assert_eq!(root.tag_name().name(), "ListAllMyBucketsResult");
    for child in tree::elements(root) {
        let (name, text) = (child.tag_name().name(), tree::text(child));
        match name {
            "Owner" | "Buckets" => assert!(text.trim().is_empty(), "{text:?}"),
            "Prefix" => {
                let prefix = setting.prefix.as_deref();
                assert!(prefix.is_none_or(|prefix| prefix == text), "{text:?}");
            }
            "ContinuationToken" => {
                let is_plain = setting.sealer().is_none() || text.is_empty();
                assert!(
                    is_plain || text.len() > 3_000 || text.starts_with("s3r1_"),
                    "{text:?}"
                );
            }
            _ => panic!("{name}"),
        }
    }
    let regions = buckets(list).flat_map(|bucket| tree::named(bucket, "BucketRegion"));
    for region in regions.map(tree::text).filter(|text| !text.is_empty()) {
        assert!(setting.region.is_none() || region == REGION, "{region:?}");
    }
}
