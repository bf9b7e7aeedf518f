//! Two hashes through the SHA instructions of x86-64.
//!
//! <https://www.intel.com/content/www/us/en/developer/articles/technical/intel-sha-extensions.html>
use std::{
    arch::x86_64::{
        __m128i, _mm_add_epi32, _mm_alignr_epi8, _mm_extract_epi32, _mm_set_epi32, _mm_set_epi64x,
        _mm_sha256msg1_epu32, _mm_sha256msg2_epu32, _mm_sha256rnds2_epu32, _mm_shuffle_epi8,
        _mm_shuffle_epi32,
    },
    hint::black_box,
};

/// FIPS 180-4 section 4.2.2, four a row.
const CONSTANTS: [[u32; 4]; 16] = [
    [0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5],
    [0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5],
    [0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3],
    [0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174],
    [0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc],
    [0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da],
    [0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7],
    [0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967],
    [0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13],
    [0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85],
    [0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3],
    [0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070],
    [0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5],
    [0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3],
    [0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208],
    [0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2],
];

/// A state as the instructions have it: its words A, B, E, F, and C, D, G, H.
#[derive(Clone, Copy)]
struct Halves {
    abef: __m128i,
    cdgh: __m128i,
}

/// Compresses the blocks of two messages, as many of one as of the other.
#[target_feature(enable = "sha,ssse3,sse4.1")]
pub(crate) fn compress(states: [&mut [u32; 8]; 2], [of_first, of_second]: [&[[u8; 64]]; 2]) {
    let [to_first, to_second] = states;
    let before = [load(to_first), load(to_second)];
    let [first, second] = match std::ptr::eq(of_first, of_second) {
        true => compress_same(before, of_first),
        false => compress_different(before, of_first, of_second),
    };
    store(to_first, first);
    store(to_second, second);
}

/// Compresses blocks that are those of both messages.
#[target_feature(enable = "sha,ssse3,sse4.1")]
fn compress_same([mut first, mut second]: [Halves; 2], blocks: &[[u8; 64]]) -> [Halves; 2] {
    for block in blocks {
        let before = aside([first, second]);
        let mut words = words(block);
        for quarter in 0..4 {
            for row in 0..4 {
                if quarter > 0 {
                    extend(&mut words, row);
                }
                let keyed = keyed(words[row], CONSTANTS[4 * quarter + row]);
                four_rounds([&mut first, &mut second], [keyed, keyed]);
            }
        }
        [first, second] = [sum(first, before[0]), sum(second, before[1])];
    }
    [first, second]
}

/// Compresses blocks of each message.
#[target_feature(enable = "sha,ssse3,sse4.1")]
fn compress_different(
    [mut first, mut second]: [Halves; 2],
    of_first: &[[u8; 64]],
    of_second: &[[u8; 64]],
) -> [Halves; 2] {
    for (of_first, of_second) in of_first.iter().zip(of_second) {
        let before = aside([first, second]);
        let (mut of_first, mut of_second) = (words(of_first), words(of_second));
        for quarter in 0..4 {
            for row in 0..4 {
                if quarter > 0 {
                    extend(&mut of_first, row);
                    extend(&mut of_second, row);
                }
                let constants = CONSTANTS[4 * quarter + row];
                let keyed = [
                    keyed(of_first[row], constants),
                    keyed(of_second[row], constants),
                ];
                four_rounds([&mut first, &mut second], keyed);
            }
        }
        [first, second] = [sum(first, before[0]), sum(second, before[1])];
    }
    [first, second]
}

/// Puts states into memory until the end of a block. There are too few registers for all, and left to itself the
/// compiler saves those that the rounds are waiting for: two messages then cost 1.1 to 1.4 times one.
#[inline]
#[target_feature(enable = "sse2")]
fn aside(states: [Halves; 2]) -> [Halves; 2] {
    black_box(states)
}

/// Reads the 16 words of a block, four a row.
#[inline]
#[target_feature(enable = "ssse3")]
fn words(block: &[u8; 64]) -> [__m128i; 4] {
    let big_endian = _mm_set_epi64x(0x0c0d_0e0f_0809_0a0b, 0x0405_0607_0001_0203);
    let pairs = block.as_chunks().0;
    std::array::from_fn(|row| {
        let pair = |at: usize| i64::from_le_bytes(pairs[2 * row + at]);
        _mm_shuffle_epi8(_mm_set_epi64x(pair(1), pair(0)), big_endian)
    })
}

/// Replaces a row of the message schedule with the row that is four later: section 6.2.2, step 1.
#[inline]
#[target_feature(enable = "sha,ssse3")]
fn extend(words: &mut [__m128i; 4], row: usize) {
    let [next, second_last, last] = [1, 2, 3].map(|after| words[(row + after) % 4]);
    let earlier = _mm_sha256msg1_epu32(words[row], next);
    let middle = _mm_alignr_epi8(last, second_last, 4);
    words[row] = _mm_sha256msg2_epu32(_mm_add_epi32(earlier, middle), last);
}

/// Adds the constants of four rounds to the words.
#[inline]
#[target_feature(enable = "sse2")]
fn keyed(words: __m128i, constants: [u32; 4]) -> __m128i {
    let [a, b, c, d] = constants.map(u32::cast_signed);
    _mm_add_epi32(words, _mm_set_epi32(d, c, b, a))
}

/// Does step 3 four times: rounds of one message while those of the other are being computed.
#[inline]
#[target_feature(enable = "sha")]
fn four_rounds([first, second]: [&mut Halves; 2], [of_first, of_second]: [__m128i; 2]) {
    first.cdgh = _mm_sha256rnds2_epu32(first.cdgh, first.abef, of_first);
    second.cdgh = _mm_sha256rnds2_epu32(second.cdgh, second.abef, of_second);
    let later = [of_first, of_second].map(|keyed| _mm_shuffle_epi32(keyed, 0b1110));
    first.abef = _mm_sha256rnds2_epu32(first.abef, first.cdgh, later[0]);
    second.abef = _mm_sha256rnds2_epu32(second.abef, second.cdgh, later[1]);
}

/// Does step 4.
#[inline]
#[target_feature(enable = "sse2")]
fn sum(state: Halves, before: Halves) -> Halves {
    Halves {
        abef: _mm_add_epi32(state.abef, before.abef),
        cdgh: _mm_add_epi32(state.cdgh, before.cdgh),
    }
}

#[inline]
#[target_feature(enable = "sse2")]
fn load(state: &[u32; 8]) -> Halves {
    let [a, b, c, d, e, f, g, h] = state.map(u32::cast_signed);
    Halves {
        abef: _mm_set_epi32(a, b, e, f),
        cdgh: _mm_set_epi32(c, d, g, h),
    }
}

#[inline]
#[target_feature(enable = "sse4.1")]
fn store(state: &mut [u32; 8], Halves { abef, cdgh }: Halves) {
    *state = [
        _mm_extract_epi32(abef, 3),
        _mm_extract_epi32(abef, 2),
        _mm_extract_epi32(cdgh, 3),
        _mm_extract_epi32(cdgh, 2),
        _mm_extract_epi32(abef, 1),
        _mm_extract_epi32(abef, 0),
        _mm_extract_epi32(cdgh, 1),
        _mm_extract_epi32(cdgh, 0),
    ]
    .map(i32::cast_unsigned);
}
