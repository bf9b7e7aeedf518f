//! What two SHA-256 cost beside one: `cargo bench -p sha256_lanes`.
use std::{hint::black_box, time::Instant};

use sha2::block_api::compress256;
use sha256_lanes::Lanes;

/// Bytes of data, which stay in the CPU's caches.
const LENGTH: usize = 64 << 10;

const ROUNDS: usize = 3_000;

fn main() {
    let data: Vec<u8> = (0..2 * LENGTH).map(|at| (at * 31 / 7) as u8).collect();
    let (one, other) = data.split_at(LENGTH);
    // Not aligned, as data between lines of framing is not.
    let (one, other) = (one.as_chunks().0, other.get(5..).unwrap_or_default());
    let other = other.as_chunks().0;
    let lanes = Lanes::of_cpu();
    println!("interleaved: {}", lanes.are_interleaved());

    let single = time(|[first, _]| compress256(first, black_box(one)));
    let report = |name: &str, took: f64| {
        let rate = LENGTH as f64 / took / 1e6;
        println!(
            "{name:<30} {rate:6.0} MB/s of each, {:.3} of the time of one",
            took / single
        );
    };
    report("one", single);
    let in_turn = time(|states| Lanes::IN_TURN.compress(states, black_box([one, one])));
    report("two, one after the other", in_turn);
    let same = time(|states| lanes.compress(states, black_box([one, one])));
    report("two at once, of the same data", same);
    let different = time(|states| lanes.compress(states, black_box([one, other])));
    report("two at once, of other data", different);
}

/// Returns the seconds of the fastest round, which is the one least disturbed by the rest of the machine.
fn time(mut compress: impl FnMut([&mut [u32; 8]; 2])) -> f64 {
    let mut states = [[1; 8], [2; 8]];
    let rounds = (0..ROUNDS).map(|_| {
        let start = Instant::now();
        let [first, second] = black_box(&mut states);
        compress([first, second]);
        start.elapsed().as_secs_f64()
    });
    rounds.fold(f64::MAX, f64::min)
}
