//! Signatures as they are sent, compared in constant time only.
use subtle::ConstantTimeEq;

use crate::{
    crypto::hex::hex,
    text::sink::{Sink, SliceSink},
};

/// The text of a signature that was computed here. It has no `PartialEq`, and shows its text to
/// nothing but a sink, so [`Signature::matches`] is the only way to compare it.
#[derive(Clone, Copy)]
pub(crate) struct Signature<const N: usize>([u8; N]);

/// 64 hexadecimal digits.
pub(crate) type SignatureV4 = Signature<64>;

/// 28 base64 digits.
pub(crate) type SignatureV2 = Signature<28>;

impl<const N: usize> Signature<N> {
    /// Stands where a signature will be.
    pub(crate) const PLACEHOLDER: Signature<N> = Signature([b'0'; N]);

    pub(crate) fn new(text: [u8; N]) -> Signature<N> {
        Signature(text)
    }

    /// Whether a client has sent this signature; takes a time that does not tell where a difference is.
    pub(crate) fn matches(&self, sent: &[u8]) -> bool {
        let Ok(sent) = <&[u8; N]>::try_from(sent) else {
            return false;
        };
        // Eight bytes at once: `subtle` takes a slice byte by byte.
        let ((computed, computed_rest), (sent, sent_rest)) = (self.0.as_chunks(), sent.as_chunks());
        let difference = computed.iter().zip(sent).fold(0, |all, (a, b)| {
            all | (u64::from_ne_bytes(*a) ^ u64::from_ne_bytes(*b))
        });
        (difference.ct_eq(&0) & computed_rest.ct_eq(sent_rest)).into()
    }

    pub(crate) fn put(&self, sink: &mut impl Sink) {
        sink.put(&self.0);
    }

    /// Overwrites the placeholder at that place.
    pub(crate) fn replace_placeholder(&self, sink: &mut SliceSink<'_>, at: usize) {
        sink.replace(at, &self.0);
    }
}

impl SignatureV4 {
    /// Writes an HMAC-SHA256 as a signature.
    pub(crate) fn of_mac(mac: &[u8; 32]) -> SignatureV4 {
        Signature(hex(mac))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<const N: usize>() {
        let text: [u8; N] = std::array::from_fn(|at| b'0' + at as u8);
        let signature = Signature::new(text);
        assert!(signature.matches(&text));
        for at in 0..N {
            for bit in 0..8 {
                let mut other = text;
                other[at] ^= 1 << bit;
                assert!(!signature.matches(&other), "{at} {bit}");
            }
        }
        assert!(!signature.matches(&text[1..]));
        assert!(!signature.matches(&[&text[..], b"0"].concat()));
        assert!(!signature.matches(b""));
    }

    #[test]
    fn a_signature_matches_itself_alone() {
        check::<64>();
        check::<28>();
        check::<1>();
    }
}
