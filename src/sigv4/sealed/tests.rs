//! What is sealed can be opened where it belongs, and nowhere else.
#![allow(clippy::unwrap_used)]
use proptest::{collection::vec, prelude::*};

use super::*;
use crate::credential::{Credential, SecretKey};
use crate::origin::LastingName;

fn origin(secret: &str, host: &str) -> Origin {
    let secret = SecretKey::new(secret.into());
    Origin::new(Credential::new(b"AKIDORIGIN", secret), host.as_bytes())
}

fn key(secret: &str, host: &str) -> SealKey {
    SealKey::of(&origin(secret, host)).unwrap()
}

/// An owner of each kind.
fn owners<'a>(bucket: &'a [u8], key: &'a [u8]) -> [Owner<'a>; 3] {
    [
        Owner::Upload { bucket, key },
        Owner::UploadMarker { bucket },
        Owner::List { bucket },
    ]
}

/// Computed by another implementation (Python's cryptography). A change would end all uploads that have begun.
#[test]
fn the_form_stays_as_it_is() {
    let key = key("origin/secret", "storage.example.com:9000");
    let expected = [
        "s3r1_fukuwc4dhpcm2v4hpuzrp645x4p6djsdgl4f4gxsq2lzdnehqihavva",
        "s3r1_a3b42d7ozotcgkhuvhpamlm4fjqbcc4rl3c7u4bbyajwtn7k26qpvoa",
        "s3r1_ahh5gpqsoc7u5b5rehvltgdriw562eof7opa4pzurv4vwbicofmyfla",
    ];
    for (owner, expected) in owners(b"bucket", b"a key/\xc3\xa4")
        .into_iter()
        .zip(expected)
    {
        assert_eq!(key.seal(owner, "2~Id.of+an/upload="), expected);
    }
}

#[test]
fn what_is_no_id_stays_as_it_is() {
    let key = key("secret", "host");
    let longest = "i".repeat(MAX_ID);
    for owner in owners(b"b", b"k") {
        assert_eq!(key.seal(owner, ""), "");
        let longer = longest.clone() + "i";
        assert_eq!(key.seal(owner, &longer), longer);
        let sealed = key.seal(owner, &longest);
        assert!(is_sealed_value(sealed.as_bytes()) && sealed.len() == MAX_SEALED);
        let opened = key.open(owner, sealed.as_bytes()).unwrap();
        assert!(opened == longest.as_bytes());
        // Too long, although it is authentic.
        let too_long = key.cipher().encrypt(owner.parts(), longer.as_bytes());
        let text = Base32Unpadded::encode_string(&too_long.unwrap());
        assert!(
            key.open(owner, format!("{PREFIX}{text}").as_bytes())
                .is_none()
        );
        let empty = key.cipher().encrypt(owner.parts(), b"").unwrap();
        let text = Base32Unpadded::encode_string(&empty);
        assert_eq!(key.open(owner, format!("{PREFIX}{text}").as_bytes()), None);
    }
}

#[test]
fn origins_that_share_their_ids() {
    let origins = [("s", "h"), ("s", "h"), ("s", "i"), ("t", "h"), ("", "sh")];
    let origins = origins.map(|(secret, host)| origin(secret, host));
    for (a, first) in origins.iter().enumerate() {
        for (b, second) in origins.iter().enumerate() {
            let shared = a == b || a < 2 && b < 2;
            assert_eq!(first.shares_ids_with(second), shared);
            let [one, another] = [first, second].map(|origin| SealKey::of(origin).unwrap());
            assert_eq!(*one.0 == *another.0, shared);
            assert_eq!(seals_ids([first, second].into_iter()), !shared);
            assert_eq!(seals_ids([first, first, second].into_iter()), !shared);
        }
        assert!(!seals_ids([first].into_iter()));
    }
    assert!(!seals_ids(std::iter::empty()));
}

/// Origins whose keys change have a secret for it that does not, and are told apart by where their keys are from.
#[test]
fn keys_that_change() {
    let lasting = |name: &str, seal_key: Option<&str>, host: &str| {
        let mut origin = origin("first", host);
        origin.lasting = Some(LastingName {
            name: name.as_bytes().into(),
            seal_key: seal_key.map(|key| SecretKey::new(key.into())),
        });
        origin
    };
    let first = lasting("imds", Some("seal"), "h");
    let rotated = first.with_keys(
        Credential::new(b"AKIDSECOND", SecretKey::new(b"second".to_vec())),
        Some(SecretKey::new(b"token".to_vec())),
    );
    assert!(first.shares_ids_with(&rotated));
    assert_eq!(first.fingerprint(), rotated.fingerprint());
    let owner = Owner::List { bucket: b"b" };
    let sealed = SealKey::of(&first).unwrap().seal(owner, "id");
    let opened = |origin: &Origin| SealKey::of(origin)?.open(owner, sealed.as_bytes());
    assert_eq!(opened(&rotated), Some(b"id".to_vec()));
    for other in [
        lasting("ecs", Some("seal"), "h"),
        lasting("imds", Some("other"), "h"),
        lasting("imds", Some("seal"), "i"),
        lasting("imds", None, "h"),
        origin("seal", "h"),
        origin("first", "h"),
    ] {
        assert!(!first.shares_ids_with(&other) && !other.shares_ids_with(&first));
        assert_eq!(opened(&other), None, "{other:?}");
        assert!(seals_ids([&first, &other].into_iter()));
    }
    // Without such a secret nothing is sealed that nobody could open.
    let bare = lasting("imds", None, "h");
    assert!(bare.shares_ids_with(&lasting("imds", None, "h")));
    let sealer = Sealer::new(&bare, (b"b".to_vec(), b"k".to_vec()));
    assert_eq!(sealer.own_upload_id("id"), "id");
    let names = ["imds", "ecs"].map(|name| lasting(name, None, "h").fingerprint());
    assert_ne!(names[0], names[1]);
}

#[test]
fn an_id_has_one_spelling() {
    let key = key("secret", "host");
    for id in ["1", "22", "333", "4444", "55555"] {
        let sealed = key.seal(Owner::List { bucket: b"b" }, id);
        let (front, last) = sealed.split_at(sealed.len() - 1);
        for digit in "abcdefghijklmnopqrstuvwxyz234567ABCDEFGHIJKLMNOPQRSTUVWXYZ".chars() {
            let opened = key.open(
                Owner::List { bucket: b"b" },
                format!("{front}{digit}").as_bytes(),
            );
            let expected = last.starts_with(digit).then(|| id.as_bytes().to_vec());
            assert_eq!(opened, expected, "{id} {digit}");
        }
    }
}

#[test]
fn nothing_shows_a_key() {
    let sealer = Sealer::new(&origin("secret", "host"), (b"b".to_vec(), b"k".to_vec()));
    let shown = format!("{sealer:?} {:?}", sealer.seal_key.as_ref().unwrap());
    assert_eq!(
        shown,
        "Sealer { bucket: \"b\", key: \"k\", .. } SealKey(redacted)"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_id_is_opened_where_it_belongs(
        id in "\\PC{1,300}", bucket in vec(any::<u8>(), 0..40), name in vec(any::<u8>(), 0..40),
        kind in 0_usize..3, at in any::<prop::sample::Index>(), byte in any::<u8>(),
        split in any::<prop::sample::Index>(),
    ) {
        let key = key("secret", "host");
        let owner = owners(&bucket, &name)[kind];
        let sealed = key.seal(owner, &id);
        prop_assert!(is_sealed_value(sealed.as_bytes()));
        prop_assert!(sealed.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)));
        prop_assert_eq!(&sealed, &self::key("secret", "host").seal(owner, &id));
        prop_assert_eq!(key.open(owner, sealed.as_bytes()).unwrap(), id.as_bytes());

        // Another kind, bucket or key; another border between these two.
        for (other_kind, other) in owners(&bucket, &name).into_iter().enumerate() {
            prop_assert_eq!(key.open(other, sealed.as_bytes()).is_some(), other_kind == kind);
        }
        let longer = [&bucket[..], b"x"].concat();
        prop_assert_eq!(key.open(owners(&longer, &name)[kind], sealed.as_bytes()), None);
        let longer = [&name[..], b"x"].concat();
        prop_assert_eq!(key.open(owners(&bucket, &longer)[0], sealed.as_bytes()), None);
        let both = [&bucket[..], &name[..]].concat();
        let (front, back) = both.split_at(split.index(both.len() + 1));
        if front != bucket {
            prop_assert_eq!(key.open(owners(front, back)[kind], sealed.as_bytes()), None);
        }
        for other in [self::key("secret", "hosts"), self::key("secre", "host"), self::key("secrethost", "")] {
            prop_assert_eq!(other.open(owner, sealed.as_bytes()), None);
        }

        // A changed byte, one more and one less.
        let mut changed = sealed.clone().into_bytes();
        let at = at.index(changed.len());
        if std::mem::replace(&mut changed[at], byte) != byte {
            prop_assert_eq!(key.open(owner, &changed), None);
        }
        prop_assert_eq!(key.open(owner, &sealed.as_bytes()[..at]), None);
        let mut longer = sealed.into_bytes();
        longer.insert(at, byte);
        prop_assert_eq!(key.open(owner, &longer), None);
    }

    #[test]
    fn any_text_is_refused(text in vec(any::<u8>(), 0..200), base32 in "[a-z2-7]{0,200}") {
        let key = key("secret", "host");
        let seeming = format!("{PREFIX}{base32}").into_bytes();
        for text in [&text, &[PREFIX.as_bytes(), &text].concat(), &seeming] {
            for owner in owners(b"b", b"k") {
                prop_assert_eq!(key.open(owner, text), None);
            }
        }
    }
}
