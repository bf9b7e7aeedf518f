//! SHA-256 of two messages at once. Each round of a hash waits for the round before it, so that one hash
//! leaves a CPU's SHA instructions without work most of the time: a second hash goes in between, and costs
//! next to nothing. `cargo bench -p sha256_lanes` measures it.
//!
//! <https://doi.org/10.6028/NIST.FIPS.180-4>
#![warn(clippy::multiple_unsafe_ops_per_block)]

#[cfg(target_arch = "x86_64")]
mod sha_ni;
#[cfg(test)]
mod tests;

use sha2::block_api::compress256;

/// How two messages are compressed.
#[derive(Debug, Clone, Copy)]
pub struct Lanes {
    /// Set only where the CPU has the instructions of `sha_ni`.
    are_interleaved: bool,
}

impl Lanes {
    /// One after the other, by the crate `sha2`; on any CPU.
    pub const IN_TURN: Lanes = Lanes {
        are_interleaved: false,
    };

    /// Returns the fastest way of this CPU, which is looked at once.
    pub fn of_cpu() -> Lanes {
        #[cfg(target_arch = "x86_64")]
        let are_interleaved = std::arch::is_x86_feature_detected!("sha")
            && std::arch::is_x86_feature_detected!("ssse3")
            && std::arch::is_x86_feature_detected!("sse4.1");
        #[cfg(not(target_arch = "x86_64"))]
        let are_interleaved = false;
        Lanes { are_interleaved }
    }

    /// Whether two messages cost less than twice one.
    pub fn are_interleaved(self) -> bool {
        self.are_interleaved
    }

    /// Compresses the blocks of each message into its state. There may be more of one than of the other.
    /// Where both are the same slice, its message schedule is computed once.
    pub fn compress(self, states: [&mut [u32; 8]; 2], blocks: [&[[u8; 64]]; 2]) {
        let [first, second] = states;
        let [of_first, of_second] = blocks;
        let count = of_first.len().min(of_second.len());
        let (Some((both_first, rest_first)), Some((both_second, rest_second))) = (
            of_first.split_at_checked(count),
            of_second.split_at_checked(count),
        ) else {
            return;
        };
        self.compress_pairs([first, second], [both_first, both_second]);
        compress256(first, rest_first);
        compress256(second, rest_second);
    }

    /// Compresses as many blocks of one message as of the other.
    fn compress_pairs(self, states: [&mut [u32; 8]; 2], blocks: [&[[u8; 64]]; 2]) {
        #[cfg(target_arch = "x86_64")]
        if self.are_interleaved {
            // SAFETY: `are_interleaved` is private, and set only where the CPU has these instructions.
            return unsafe { sha_ni::compress(states, blocks) };
        }
        let [first, second] = states;
        let [of_first, of_second] = blocks;
        compress256(first, of_first);
        compress256(second, of_second);
    }
}
