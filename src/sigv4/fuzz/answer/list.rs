//! Lists of buckets.
use sigv4::*;

use crate::{
    common::answered::{Told, told_whole},
    setting::{Cut, REGION, Setting},
    tree,
};

fn list(setting: &Setting) -> AnswerBody {
    let (prefix, sealer) = (setting.prefix.clone(), setting.sealer());
    AnswerBody::buckets(BucketList::new(prefix, sealer, setting.region))
}

pub fn check(body: &[u8], setting: &Setting, cut: Cut) {
    let Told::Document(out) = told_whole(|| list(setting), setting, body, cut.pieces(body)) else {
        return;
    };
    let text = out.escape_ascii();
    // A region of 64 bytes would be the longest that takes the place of something, in at least two tags of three
    // letters, and ids are longer by less than their own length and what is around them.
    assert!(
        out.len() <= 2 * body.len() + (body.len() / 14 + 1) * 64,
        "{text}"
    );
    // What has been filtered is a list, all of which may be seen.
    let plain = Setting::of(0);
    let again = told_whole(|| list(&plain), &plain, &out, cut.pieces(&out));
    assert_eq!(again, Told::Document(out.clone()));
    let Some(there) = tree::parsed(body) else {
        return;
    };
    let here = tree::parsed(&out).expect("is read by others");
    let prefix = setting.prefix.as_deref().unwrap_or_default();
    let names = names(&there).into_iter();
    let names = names
        .filter_map(|name| setting.bucket(&name))
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
