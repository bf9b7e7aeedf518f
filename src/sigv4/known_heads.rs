//! Heads that have gone out for a presigned link before.
//!
//! What goes out for a link that was accepted by its kept verdict is a function of the head that nginx has written and
//! of the origin with its keys: a presigned request keeps its date. So it is kept beside the verdict, and is sent again
//! where all of that is the same.
use arrayvec::ArrayVec;
use zeroize::Zeroizing;

/// The longest head that is kept, in bytes.
const MAX_HEAD: usize = 2048;

/// Those of a link: of several origins, or of clients that write other heads.
const HEADS: usize = 4;

/// How many heads that are not known go by until one takes the place of the oldest: clients that write another one each
/// time, as readers of ranges do, ought not to pay for each.
const PATIENCE: u8 = 16;

/// The heads of a link that are kept.
#[derive(Default)]
pub(crate) struct KnownHeads {
    /// The oldest first.
    heads: ArrayVec<KnownHead, HEADS>,
    /// Since there was no place for one.
    missed: u8,
}

/// What goes out in the place of what nginx has written.
struct KnownHead {
    /// The identity of the origin with its keys.
    origin: u64,
    reads_answer: bool,
    /// Session tokens may be in both.
    plain: Zeroizing<Box<[u8]>>,
    signed: Zeroizing<Box<[u8]>>,
}

impl KnownHeads {
    pub(crate) fn find(&self, plain: &[u8], origin: u64, reads_answer: bool) -> Option<&[u8]> {
        let mut heads = self.heads.iter();
        let is_it = |head: &&KnownHead| {
            head.origin == origin && head.reads_answer == reads_answer && **head.plain == *plain
        };
        heads.find(is_it).map(|head| &**head.signed)
    }

    pub(crate) fn put(&mut self, plain: &[u8], origin: u64, reads_answer: bool, signed: &[u8]) {
        if plain.len() > MAX_HEAD || signed.len() > MAX_HEAD || !self.has_room() {
            return;
        }
        self.heads.push(KnownHead {
            origin,
            reads_answer,
            plain: Zeroizing::new(plain.into()),
            signed: Zeroizing::new(signed.into()),
        });
    }

    /// Makes room for one more, if there is to be one.
    fn has_room(&mut self) -> bool {
        if self.heads.is_full() {
            self.missed += 1;
            if self.missed < PATIENCE {
                return false;
            }
            self.heads.remove(0);
        }
        self.missed = 0;
        true
    }
}
