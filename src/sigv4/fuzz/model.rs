//! What holds for every request, whatever its operation and its spelling, with dice that are guided by
//! the code that they reach.
#![no_main]

#[path = "../tests/common/mod.rs"]
mod common;

use common::model;
use libfuzzer_sys::fuzz_target;

// Which property, and the dice.
fuzz_target!(|input: &[u8]| {
    let Some((property, dice)) = input.split_first() else {
        return;
    };
    match property % 4 {
        0 => drop(model::goes_out_as_it_came(dice)),
        1 => model::stays_the_same_or_is_rejected(dice),
        2 => drop(model::stays_within_its_grant(dice)),
        _ => drop(model::form_stays_within_its_grant(dice)),
    }
});
