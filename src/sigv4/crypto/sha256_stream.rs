//! SHA-256 of data that comes in pieces of any length; several hashes of the same data in one pass.
use sha256_lanes::Lanes;

use crate::crypto::sha256::{INITIAL_STATE, PADDING, compress, pad, to_bytes};

/// A SHA-256 in the making.
#[derive(Clone)]
pub(crate) struct Sha256Stream {
    state: [u32; 8],
    /// Bytes so far.
    length: u64,
    /// Begins with those of them that do not fill a block.
    block: [u8; 64],
}

impl Default for Sha256Stream {
    fn default() -> Sha256Stream {
        Sha256Stream {
            state: INITIAL_STATE,
            length: 0,
            block: [0; 64],
        }
    }
}

impl Sha256Stream {
    /// Counts the bytes so far.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    pub(crate) fn update(&mut self, data: &[u8]) {
        let (blocks, rest) = self.fill(data).as_chunks();
        compress(&mut self.state, blocks);
        self.keep(rest);
    }

    /// Updates each by the same data: two at once, for little more than one costs.
    pub(crate) fn update_all(streams: &mut [&mut Sha256Stream], data: &[u8]) {
        let (pairs, rest) = streams.as_chunks_mut();
        for [first, second] in pairs {
            Sha256Stream::update_both(Lanes::of_cpu(), [first, second], data);
        }
        for stream in rest {
            stream.update(data);
        }
    }

    fn update_both(lanes: Lanes, [first, second]: [&mut Sha256Stream; 2], data: &[u8]) {
        let (of_first, first_rest) = first.fill(data).as_chunks();
        let (of_second, second_rest) = second.fill(data).as_chunks();
        let states = [&mut first.state, &mut second.state];
        lanes.compress(states, [of_first, of_second]);
        first.keep(first_rest);
        second.keep(second_rest);
    }

    /// Returns the hash of all the data, and begins again.
    pub(crate) fn finish(&mut self) -> [u8; 32] {
        let pending = self.pending();
        let mut last = [0; 64 + PADDING.len()];
        for (to, from) in last.iter_mut().zip(self.block.iter().take(pending)) {
            *to = *from;
        }
        let blocks = pad(&mut last, pending, self.length - pending as u64);
        compress(&mut self.state, blocks);
        let hash = to_bytes(&self.state);
        *self = Sha256Stream::default();
        hash
    }

    /// Counts the bytes that do not fill a block.
    fn pending(&self) -> usize {
        (self.length % 64) as usize
    }

    /// Counts the data, and completes with it a block that has begun; returns what begins a block.
    fn fill<'d>(&mut self, data: &'d [u8]) -> &'d [u8] {
        let pending = self.pending();
        self.length += data.len() as u64;
        if pending == 0 {
            return data;
        }
        let room = self.block.get_mut(pending..).unwrap_or_default();
        room.iter_mut().zip(data).for_each(|(to, from)| *to = *from);
        match data.split_at_checked(room.len()) {
            Some((_, rest)) => {
                compress(&mut self.state, &[self.block]);
                rest
            }
            None => &[],
        }
    }

    /// Keeps what does not fill a block, and begins one.
    fn keep(&mut self, rest: &[u8]) {
        let block = self.block.iter_mut();
        block.zip(rest).for_each(|(to, from)| *to = *from);
    }
}

impl std::fmt::Debug for Sha256Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sha256Stream")
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};
    use sha2::{Digest, Sha256};

    use super::*;

    proptest! {
        /// Streams that begin at any place of the same data, which comes in any pieces.
        #[test]
        fn each_is_the_hash_of_its_data(
            data in vec(any::<u8>(), 0..1_000),
            starts in vec(0_usize..300, 0..5),
            pieces in vec(0_usize..300, 1..20),
        ) {
            let mut streams = vec![Sha256Stream::default(); starts.len()];
            let mut both = [Sha256Stream::default(), Sha256Stream::default()];
            let mut at = 0;
            for length in pieces.iter().chain([&data.len()]) {
                let piece = &data[at..data.len().min(at + length)];
                at += piece.len();
                // Those that have not begun yet begin with the first piece that is at or after their start.
                let begun = streams.iter_mut().zip(&starts);
                let begun = begun.filter(|(_, start)| **start <= at - piece.len());
                let mut begun: Vec<_> = begun.map(|(stream, _)| stream).collect();
                Sha256Stream::update_all(&mut begun, piece);
                if at - piece.len() > 0 {
                    let [first, second] = &mut both;
                    Sha256Stream::update_both(Lanes::IN_TURN, [first, second], piece);
                } else {
                    both[0].update(piece);
                }
            }
            prop_assert_eq!(at, data.len());
            for stream in streams.iter_mut().chain(&mut both) {
                let start = data.len() - stream.length() as usize;
                let expected: [u8; 32] = Sha256::digest(&data[start..]).into();
                prop_assert_eq!(stream.finish(), expected);
                prop_assert_eq!(stream.finish(), <[u8; 32]>::from(Sha256::digest(b"")));
            }
        }
    }
}
