//! What holds for every request, whatever its operation and its spelling: see common/model.rs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::collections::BTreeSet;

use common::{
    asking::{Asking, Dice, Signing, Thrower},
    model,
    operations::OPERATIONS,
};
use proptest::{collection::vec, prelude::*};

/// 2,000 of each, or as many as PROPTEST_CASES says.
fn config() -> ProptestConfig {
    let default = ProptestConfig::default();
    ProptestConfig {
        cases: std::env::var_os("PROPTEST_CASES").map_or(2_000, |_| default.cases),
        failure_persistence: None,
        ..default
    }
}

fn dice() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 160)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn goes_out_as_it_came(dice in dice()) {
        model::goes_out_as_it_came(&dice);
    }

    #[test]
    fn stays_the_same_or_is_rejected(dice in dice()) {
        model::stays_the_same_or_is_rejected(&dice);
    }

    #[test]
    fn stays_within_its_grant(dice in dice()) {
        model::stays_within_its_grant(&dice);
    }

    #[test]
    fn form_stays_within_its_grant(dice in dice()) {
        model::form_stays_within_its_grant(&dice);
    }
}

/// Else what holds for all requests would hold for few.
#[test]
fn the_dice_make_every_request() {
    let mut thrower = Thrower::new();
    let mut throw = || thrower.throw(160);
    let (mut made, mut addressed) = (BTreeSet::new(), BTreeSet::new());
    for _ in 0..10_000 {
        let asking = Asking::roll(&mut Dice(&throw()));
        if asking.is_usual {
            made.insert((asking.sent.name, asking.signing == Signing::Query));
            addressed.insert((asking.sent.name, asking.addressing));
        }
    }
    assert_eq!(made.len(), 2 * OPERATIONS.len());
    // What is of no bucket has none in its host.
    let most = 6 * OPERATIONS.len();
    assert!(addressed.len() > most - 30, "{} of {most}", addressed.len());

    const TRIES: usize = 400;
    let gone: Vec<_> = (0..TRIES)
        .filter_map(|_| model::goes_out_as_it_came(&throw()))
        .collect();
    assert!(gone.len() > TRIES / 2, "{}", gone.len());
    assert!(gone.iter().filter(|name| **name == "Unknown").count() > TRIES / 50);
    let outcomes: Vec<_> = (0..TRIES)
        .map(|_| model::stays_within_its_grant(&throw()))
        .collect();
    for is_changed in [false, true] {
        let count = |outcome| outcomes.iter().filter(|other| **other == outcome).count();
        let counts = [true, false].map(|has_gone| count((is_changed, has_gone)));
        assert!(counts.iter().all(|count| *count > TRIES / 20), "{counts:?}");
    }
    let gone = (0..TRIES).filter(|_| model::form_stays_within_its_grant(&throw()));
    let gone = gone.count();
    assert!((TRIES / 10..TRIES * 9 / 10).contains(&gone), "{gone}");
}
