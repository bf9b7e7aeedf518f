//! Errors.
use sigv4::*;

use crate::{
    common::answered::{Told, told_whole},
    setting::{BUCKET, CLIENT_HOST, Cut, REGION, Setting, has_origin_bucket},
    tree,
};

/// What a message is that the client is not told.
const LEFT_OUT: &str = "(It names the origin, and is left out.)";

pub fn check(body: &[u8], setting: &Setting, cut: Cut) {
    let other = tree::parsed(body);
    let decided = setting.error(body);
    let told = match &decided {
        ErrorBody::Replace => Told::Failure,
        ErrorBody::Keep => Told::AsItCame(body.into()),
        ErrorBody::Rewrite(xml) => Told::Error(xml.clone()),
    };
    let whole = told_whole(AnswerBody::error, setting, body, cut.pieces(body));
    assert_eq!(whole, told);
    match decided {
        ErrorBody::Replace => {}
        ErrorBody::Keep => {
            assert!(!setting.traces.are_in(body));
            let is_error = other.is_some_and(|other| is_error(&other));
            assert!(!is_error, "{}", body.escape_ascii());
            let text = String::from_utf8_lossy(body);
            assert!(!setting.is_naming() || !has_origin_bucket(&text), "{text}");
        }
        ErrorBody::Rewrite(xml) => {
            check_rewritten(&xml, setting);
            // Each text becomes at most six times as long, and each element is there once.
            assert!(xml.len() <= 6 * body.len() + (4 << 10), "{xml}");
            if let Some(other) = other {
                check_texts(&other, &xml, setting);
            }
        }
    }
}

pub fn is_error(document: &roxmltree::Document<'_>) -> bool {
    document.root_element().tag_name().name() == "Error"
}

/// Checks what the client is told for an error by itself.
pub fn check_rewritten(xml: &str, setting: &Setting) {
    assert!(!setting.traces.are_in(xml.as_bytes()), "{xml}");
    let again = setting.error(xml.as_bytes());
    assert_eq!(again, ErrorBody::Rewrite(xml.into()));
    let document = tree::parsed(xml.as_bytes()).expect("is read by others");
    let root = document.root_element();
    assert!(is_error(&document) && tree::text(root).is_empty(), "{xml}");
    let mut seen = Vec::new();
    for element in tree::elements(root) {
        let (name, text) = (element.tag_name().name(), tree::text(element));
        assert_eq!(tree::elements(element).count(), 0, "{xml}");
        assert!(!seen.contains(&name), "{xml}");
        seen.push(name);
        match name {
            "Region" | "LocationConstraint" if setting.region.is_some() => assert_eq!(text, REGION),
            "Endpoint" => assert_eq!(text, CLIENT_HOST),
            "Message" => assert!(!setting.is_naming() || !has_origin_bucket(&text), "{xml}"),
            "AWSAccessKeyId" | "StringToSign" | "CanonicalRequest" | "HostId" => panic!("{xml}"),
            _ => {}
        }
    }
    assert!(seen.contains(&"Code"), "{xml}");
}

/// Checks that all that the client is told stands in the error, as another reader reads that, or is the client's.
fn check_texts(there: &roxmltree::Document<'_>, xml: &str, setting: &Setting) {
    let here = tree::parsed(xml.as_bytes()).expect("is read by others");
    for element in tree::elements(here.root_element()) {
        let name = element.tag_name().name();
        let mut same = tree::named(there.root_element(), name);
        let same = same.find(|same| tree::elements(*same).next().is_none());
        let same = tree::text(same.expect("is there"));
        let told = tree::text(element);
        // What no log should have to show.
        let is_shown = |c: &char| !c.is_control() || "\t\n\r".contains(*c);
        let is_same = same.chars().filter(is_shown).collect::<String>()
            == told.replace('\u{fffd}', "")
            || same.contains('\u{fffd}');
        let is_ours = [LEFT_OUT, CLIENT_HOST, REGION, "s3r1_ID"].contains(&&*told);
        let is_named = setting.is_naming() && told.contains(BUCKET);
        assert!(is_same || is_ours || is_named, "{same:?} {told:?}");
    }
}
