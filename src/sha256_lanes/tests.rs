use proptest::{collection::vec, prelude::*};
use sha2::{Digest, Sha256, block_api::compress256};

use crate::Lanes;

/// Both ways: of this CPU, and of any.
const WAYS: [fn() -> Lanes; 2] = [Lanes::of_cpu, || Lanes::IN_TURN];

fn after(mut state: [u32; 8], blocks: &[[u8; 64]]) -> [u32; 8] {
    compress256(&mut state, blocks);
    state
}

/// Compresses both in each way, and compares with `sha2`.
fn check(states: [[u32; 8]; 2], blocks: [&[[u8; 64]]; 2]) {
    let expected = [after(states[0], blocks[0]), after(states[1], blocks[1])];
    for way in WAYS {
        let [mut first, mut second] = states;
        way().compress([&mut first, &mut second], blocks);
        assert_eq!([first, second], expected, "{:?}", way());
    }
}

/// FIPS 180-4's example, beside another message.
#[test]
fn published_value() {
    let initial = [
        0x6a09_e667,
        0xbb67_ae85,
        0x3c6e_f372,
        0xa54f_f53a,
        0x510e_527f,
        0x9b05_688c,
        0x1f83_d9ab,
        0x5be0_cd19,
    ];
    let mut block = [0; 64];
    block[..4].copy_from_slice(b"abc\x80");
    block[63] = 24;
    for way in WAYS {
        let (mut first, mut second) = (initial, [7; 8]);
        way().compress([&mut first, &mut second], [&[block], &[[1; 64]]]);
        let digest: Vec<u8> = first.iter().flat_map(|word| word.to_be_bytes()).collect();
        assert_eq!(digest, Sha256::digest(b"abc").to_vec());
        assert_eq!(second, after([7; 8], &[[1; 64]]));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 8 } else { 512 }))]

    #[test]
    fn two_are_each_what_one_is(
        states in any::<[[u32; 8]; 2]>(),
        data in vec(any::<u8>(), 0..1_500),
        offsets in [0_usize..130, 0_usize..130],
        counts in [0_usize..20, 0_usize..20],
    ) {
        let blocks = |at: usize| {
            let blocks = data.get(offsets[at]..).unwrap_or_default().as_chunks().0;
            &blocks[..counts[at].min(blocks.len())]
        };
        let (first, second) = (blocks(0), blocks(1));
        check(states, [first, second]);
        // The same slice, a part of it, and a copy.
        check(states, [first, first]);
        check(states, [first, &first[..first.len() / 2]]);
        let copy = first.to_vec();
        check(states, [first, &copy]);
        check([states[0]; 2], [second, second]);
    }
}
