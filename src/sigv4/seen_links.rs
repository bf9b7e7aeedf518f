//! Presigned links that were seen: players, loaders of models and readers of ranges ask for one link thousands of times.
//!
//! What a link was signed to, by its client and for its origins, is a function of its canonical request and of the
//! credential, so it is kept beside both. A kept signature takes the place of one that would be computed, and of nothing
//! else. Where all of a link is the same, so is what was found about it: see `link_verdict`.
use std::num::NonZeroUsize;

use arrayvec::ArrayVec;
use lru::LruCache;
use zeroize::Zeroizing;

use crate::{
    canonical::CanonicalText,
    credential::Credential,
    crypto::signature::SignatureV4,
    link_verdict::LinkVerdict,
    text::{
        bytes::same,
        sink::{CountSink, Sink},
    },
};

/// Links that are kept. Each needs about 4 KiB, and 40 KiB at the most.
const KEPT: usize = 1024;

/// The longest canonical request that is kept.
const MAX_TEXT: usize = 4096;

/// Links that are known to have been seen once.
const NOTED: usize = 4096;

/// Origins whose signatures of a link are kept.
const ORIGINS: usize = 4;

/// The first 16 digits of the signature that a link has. Links that share them can only take each other's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct LinkId([u64; 2]);

impl LinkId {
    /// `None` if it is too short for a signature.
    #[inline(always)]
    pub(crate) fn of(signature: &[u8]) -> Option<LinkId> {
        let halves = signature.as_chunks().0;
        let (first, second) = (halves.first()?, halves.get(1)?);
        Some(LinkId(
            [first, second].map(|half| u64::from_ne_bytes(*half)),
        ))
    }

    /// Returns the two places where it may be noted.
    fn places(self) -> [usize; 2] {
        // The digits differ in few bits, which multiplication spreads.
        self.0
            .map(|half| (half.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 48) as usize % NOTED)
    }
}

/// One per worker. A link is kept when it is seen for the second time, so that one which is asked for once costs no
/// memory; the least recently used one is dropped first.
pub(crate) struct SeenLinks {
    kept: LruCache<LinkId, SeenLink>,
    /// Each in one of the places that its id tells.
    noted: Box<[Option<LinkId>; NOTED]>,
    found: u64,
    hashed: u64,
}

impl Default for SeenLinks {
    fn default() -> SeenLinks {
        SeenLinks {
            kept: LruCache::new(NonZeroUsize::new(KEPT).unwrap_or(NonZeroUsize::MIN)),
            noted: Box::new([None; NOTED]),
            found: 0,
            hashed: 0,
        }
    }
}

impl SeenLinks {
    /// Counts the links whose signatures were found here.
    pub(crate) fn found(&self) -> u64 {
        self.found
    }

    /// Counts those whose signatures were computed.
    pub(crate) fn hashed(&self) -> u64 {
        self.hashed
    }

    pub(crate) fn find(&mut self, link: LinkId) -> Option<&mut SeenLink> {
        self.kept.get_mut(&link)
    }

    /// Whether the verdict about a known link was not sought yet.
    pub(crate) fn lacks_verdict(&mut self, link: LinkId) -> bool {
        self.find(link).is_some_and(|seen| seen.verdict.is_none())
    }

    /// Takes note that a link was accepted by its kept signature.
    pub(crate) fn note_found(&mut self) {
        self.found += 1;
    }

    /// Takes note of a link whose computed signature has matched; keeps it if it was seen before. To be called for no
    /// other, else strangers could flush what is kept.
    pub(crate) fn note_hashed(
        &mut self,
        link: LinkId,
        credential: &Credential,
        text: &impl CanonicalText,
        signature: SignatureV4,
    ) {
        self.hashed += 1;
        let places = link.places();
        let Some(place) = places
            .into_iter()
            .find(|place| self.noted[*place] == Some(link))
        else {
            // Not always the same one, of which two links might deprive each other for ever.
            self.noted[places[(self.hashed % 2) as usize]] = Some(link);
            return;
        };
        self.noted[place] = None;
        if let Some(by_client) = SignedText::new(credential, text, signature) {
            let for_origins = ArrayVec::new();
            let seen = SeenLink {
                by_client,
                for_origins,
                verdict: None,
            };
            self.kept.put(link, seen);
        }
    }

    /// Forgets a link that has expired.
    pub(crate) fn forget(&mut self, link: LinkId) {
        self.kept.pop(&link);
    }
}

/// What a link was signed to.
pub(crate) struct SeenLink {
    by_client: SignedText,
    /// At most one for each credential; the oldest first.
    for_origins: ArrayVec<SignedText, ORIGINS>,
    /// `None` until it was sought, and in it if there is none.
    verdict: Option<Option<Box<LinkVerdict>>>,
}

impl SeenLink {
    /// Returns the signature that the client has made, with its credential's identity, if this is what it has signed.
    pub(crate) fn by_client<R>(
        &self,
        put: impl FnOnce(&mut Comparison<'_>) -> R,
    ) -> (R, Option<KnownSignature>) {
        let mut comparison = Comparison::new(&self.by_client.text);
        let result = put(&mut comparison);
        let known = comparison.is_same().then_some(self.by_client.known);
        (result, known)
    }

    /// Returns the verdict, and the signature that the client has made.
    pub(crate) fn verdict(&mut self) -> Option<(KnownSignature, &mut LinkVerdict)> {
        let verdict = self.verdict.as_mut()?.as_mut()?;
        Some((self.by_client.known, verdict))
    }

    /// Keeps the verdict, or that there is none.
    pub(crate) fn put_verdict(&mut self, verdict: Option<LinkVerdict>) {
        self.verdict = Some(verdict.map(Box::new));
    }

    /// Returns the signature of a text with the credential of an origin, which `sign` computes if it is not known.
    pub(crate) fn for_origin(
        &mut self,
        credential: &Credential,
        text: &impl CanonicalText,
        sign: impl FnOnce() -> SignatureV4,
    ) -> SignatureV4 {
        let is_its = |signed: &SignedText| signed.known.credential == credential.id();
        let place = self.for_origins.iter().position(is_its);
        if let Some(signed) = place.and_then(|place| self.for_origins.get(place))
            && signed.is_of(text)
        {
            return signed.known.signature;
        }
        let signature = sign();
        if let Some(place) = place {
            self.for_origins.remove(place);
        } else if self.for_origins.is_full() {
            self.for_origins.remove(0);
        }
        if let Some(signed) = SignedText::new(credential, text, signature) {
            self.for_origins.push(signed);
        }
        signature
    }
}

/// A signature, and whose it is.
#[derive(Clone, Copy)]
pub(crate) struct KnownSignature {
    /// The identity of the credential.
    credential: u64,
    signature: SignatureV4,
}

impl KnownSignature {
    /// Returns the signature, if it was made with that credential.
    pub(crate) fn by(&self, credential: &Credential) -> Option<SignatureV4> {
        (self.credential == credential.id()).then_some(self.signature)
    }
}

struct SignedText {
    known: KnownSignature,
    /// Session tokens may be in it.
    text: Zeroizing<Vec<u8>>,
}

impl SignedText {
    /// `None` if it is too long to be kept.
    fn new(
        credential: &Credential,
        text: &impl CanonicalText,
        signature: SignatureV4,
    ) -> Option<SignedText> {
        let mut length = CountSink::default();
        text.put(&mut length);
        if length.0 > MAX_TEXT {
            return None;
        }
        // It does not grow, which would leave parts of it in freed memory.
        let mut kept = Zeroizing::new(Vec::with_capacity(length.0));
        text.put(&mut *kept);
        Some(SignedText {
            known: KnownSignature {
                credential: credential.id(),
                signature,
            },
            text: kept,
        })
    }

    fn is_of(&self, text: &impl CanonicalText) -> bool {
        let mut comparison = Comparison::new(&self.text);
        text.put(&mut comparison);
        comparison.is_same()
    }
}

/// Compares what is put with a text.
pub(crate) struct Comparison<'t> {
    /// What is to come; `None` once something else came.
    rest: Option<&'t [u8]>,
}

impl<'t> Comparison<'t> {
    fn new(text: &'t [u8]) -> Comparison<'t> {
        Comparison { rest: Some(text) }
    }

    /// Whether all of it was put, and nothing else.
    fn is_same(&self) -> bool {
        self.rest.is_some_and(<[u8]>::is_empty)
    }
}

impl Sink for Comparison<'_> {
    #[inline(always)]
    fn put(&mut self, bytes: &[u8]) {
        self.rest = self.rest.and_then(|rest| {
            let (expected, rest) = rest.split_at_checked(bytes.len())?;
            same(expected, bytes).then_some(rest)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credential::SecretKey;

    #[test]
    fn a_text_is_the_same_in_any_pieces_and_no_other_is() {
        let text = b"GET\n/bucket/key\n";
        for split in 0..=text.len() {
            let (start, end) = text.split_at(split);
            let is_same = |pieces: &[&[u8]]| {
                let mut comparison = Comparison::new(text);
                pieces.iter().for_each(|piece| comparison.put(piece));
                comparison.is_same()
            };
            assert!(is_same(&[start, end]));
            assert!(is_same(&[start, b"", end, b""]));
            assert!(!is_same(&[start, end, b"x"]));
            assert!(!is_same(&[start, b"x", end]));
            assert!(!is_same(&[end, start]) || start.is_empty() || end.is_empty());
            assert_eq!(is_same(&[start]), end.is_empty());
        }
    }

    #[test]
    fn an_id_is_of_sixteen_digits() {
        let id = |text: &str| LinkId::of(text.as_bytes());
        for at in 0..16 {
            let mut other = *b"00000000000000000";
            other[at] = b'1';
            assert_ne!(LinkId::of(&other), id("00000000000000000"));
        }
        assert_eq!(id("00000000000000ffrest"), id("00000000000000ffmore"));
        assert_eq!(id("000000000000000"), None);
        assert_eq!(id(""), None);
    }

    /// Two links that are asked for in turn, however few places there are for them.
    #[test]
    fn links_do_not_deprive_each_other() {
        let text = Text;
        let credential = Credential::new(b"AKID", SecretKey::new(b"secret".to_vec()));
        let mut links = SeenLinks::default();
        let first = LinkId([1, 2]);
        let with_its_places = |link: &LinkId| *link != first && link.places() == first.places();
        let mut others = (0..).map(|number| LinkId([1, number]));
        let second = others.find(with_its_places).unwrap_or(first);
        assert_ne!(first, second);
        let signature = SignatureV4::of_mac(&[0; 32]);
        for _ in 0..8 {
            for link in [first, second] {
                links.note_hashed(link, &credential, &text, signature);
            }
        }
        assert!(links.find(first).is_some() && links.find(second).is_some());
    }

    struct Text;

    impl CanonicalText for Text {
        fn put(&self, sink: &mut impl Sink) {
            sink.put(b"GET");
        }
    }
}
