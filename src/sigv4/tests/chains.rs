//! Keys that are made with keys: none is wider than any that it was made with, or the issuers and roles on the way.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::rc::Rc;

use common::{
    Directory, Raw,
    allowance::Allowance,
    asking::{Asking, Dice, Thrower},
    credential, grant,
    minting::{ISSUER, ISSUER_SECRET, MAX_LIFETIME, id, issuer_with},
    reference::{KEY, NOW, SECRET, Sample},
    rules,
};
use proptest::{collection::vec, prelude::*};
use sigv4::*;

/// Whether a request may be made with a grant; `None` if it cannot be read, whatever the grant is.
fn permits(text: &str, grant: &Grant) -> Option<bool> {
    let clients = Directory::with_grant(KEY, SECRET, grant.clone());
    let rules = VerifyRules {
        signature_v2: true,
        ..rules()
    };
    let raw = Raw::new(text);
    let request = raw.request();
    match verify(
        &request,
        &clients,
        &rules,
        &mut KeyCache::new(1),
        Timestamp(NOW),
    ) {
        Ok(_) => Some(true),
        Err(rejected) if rejected.is_authenticated => Some(false),
        Err(_) => None,
    }
}

fn opened(issuer: &Issuer, key: &MintedKey) -> Rc<Client> {
    let access_key = key.access_key.as_bytes();
    let claim = Claim {
        access_key,
        session_token: Some(SessionToken::plain(key.session_token.as_bytes())),
        now: Timestamp(NOW),
    };
    let issuers = std::iter::once(issuer);
    let found = MintedKeys::new(1, 0).find(issuers, None, &claim, 900);
    found.unwrap().unwrap()
}

/// A chain of keys, and of all grants that have had a part in it.
fn check(bytes: &[u8]) -> Option<(bool, bool)> {
    let mut dice = Dice(bytes);
    let asking = Asking::roll(&mut dice).in_path_style();
    let text = asking.text();
    let roll = |dice: &mut Dice<'_>| {
        Allowance::roll(dice, asking.sent.name, &asking.bucket, &asking.key).parse()
    };
    let listed = roll(&mut dice)?;
    let mut grants = vec![listed.clone()];
    let mut client = Rc::new(Client::new(credential(KEY, SECRET), listed));
    for number in 0..1 + dice.below(4) {
        let of_issuer = roll(&mut dice)?;
        let role = roll(&mut dice)?;
        let issuer = issuer_with(ISSUER, ISSUER_SECRET, MAX_LIFETIME, of_issuer.clone());
        let terms = KeyTerms {
            scopes: role.scopes(),
            parent: Some(&client),
            ..KeyTerms::default()
        };
        let (issued, expires) = (Timestamp(NOW), Timestamp(NOW + 60));
        let Ok(key) = issuer.mint_with(&terms, id(number as u8), issued, expires) else {
            // It has no room for more.
            break;
        };
        client = opened(&issuer, &key);
        grants.extend([of_issuer, role]);
    }
    let expected = grants
        .iter()
        .map(|grant| permits(&text, grant))
        .collect::<Option<Vec<_>>>()?;
    let is_permitted = permits(&text, &client.grant)?;
    let all = expected.iter().all(|permits| *permits);
    assert_eq!(is_permitted, all, "{text}\n{grants:?}");
    let any = expected.iter().any(|permits| *permits);
    Some((all, any))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..Default::default() })]

    #[test]
    fn a_chain_is_as_wide_as_what_all_permit(bytes in vec(any::<u8>(), 0..400)) {
        check(&bytes);
    }
}

/// The dice make requests that some of a chain permit, and that all do.
#[test]
fn the_dice_are_fair() {
    let mut thrower = Thrower::new();
    let mut throw = || thrower.throw(400);
    let checked: Vec<_> = (0..600).filter_map(|_| check(&throw())).collect();
    let all = checked.iter().filter(|(all, _)| *all).count();
    let some = checked.iter().filter(|(all, any)| !all && *any).count();
    assert!(all > 8 && some > 80, "{all} {some} of {}", checked.len());
}

/// No limit is a limit for operations that have to be named: whoever has none may not make keys that have more.
#[test]
fn what_has_to_be_named() {
    let named = grant("all,CreateSession,WriteGetObjectResponse", "");
    let issuer = |grant: &Grant| issuer_with(ISSUER, ISSUER_SECRET, MAX_LIFETIME, grant.clone());
    let session = Sample::new("GET", "/media?session").header_form();
    let (issued, expires) = (Timestamp(NOW), Timestamp(NOW + 60));
    assert_eq!(permits(&session, &named), Some(true));
    for (parent, role, expected) in [
        (&named, &named, true),
        (&named, &Grant::default(), false),
        (&Grant::default(), &named, false),
        (&Grant::default(), &Grant::default(), false),
    ] {
        let parent = Client::new(credential(KEY, SECRET), parent.clone());
        let terms = KeyTerms {
            scopes: role.scopes(),
            parent: Some(&parent),
            ..KeyTerms::default()
        };
        let issuer = issuer(&named);
        let key = issuer.mint_with(&terms, id(1), issued, expires).unwrap();
        let client = opened(&issuer, &key);
        assert_eq!(permits(&session, &client.grant), Some(expected));
    }
    // Nor those that sign_s3 makes without a scope.
    let issuer = issuer(&named);
    for terms in [
        KeyTerms::default(),
        KeyTerms {
            scopes: vec![Scope::default()],
            ..KeyTerms::default()
        },
    ] {
        let key = issuer.mint_with(&terms, id(1), issued, expires).unwrap();
        let client = opened(&issuer, &key);
        assert_eq!(permits(&session, &client.grant), Some(false));
    }
}
