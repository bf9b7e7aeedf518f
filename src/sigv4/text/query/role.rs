//! The parameters of a signature.
use arrayvec::ArrayVec;

use crate::text::uri::{self, Part};

/// What a parameter is to a signature. Names are compared as decoded, V4's in any case, so
/// that no spelling of one can slip through to an origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Role {
    V2AccessKey,
    V2Expires,
    V2Signature,
    Algorithm,
    ContentSha256,
    Credential,
    Date,
    Expires,
    SecurityToken,
    Signature,
    SignedHeaders,
    /// The token of a V2 signature, which signs it as the header of that name.
    V2SecurityToken,
    Other,
}

/// The only spellings in which the parameters of a signature are accepted, sorted as the roles are.
pub(super) const SPELLINGS: [(&[u8], Role); Role::Other as usize] = [
    (b"AWSAccessKeyId", Role::V2AccessKey),
    (b"Expires", Role::V2Expires),
    (b"Signature", Role::V2Signature),
    (b"X-Amz-Algorithm", Role::Algorithm),
    (b"X-Amz-Content-Sha256", Role::ContentSha256),
    (b"X-Amz-Credential", Role::Credential),
    (b"X-Amz-Date", Role::Date),
    (b"X-Amz-Expires", Role::Expires),
    (b"X-Amz-Security-Token", Role::SecurityToken),
    (b"X-Amz-Signature", Role::Signature),
    (b"X-Amz-SignedHeaders", Role::SignedHeaders),
    (b"x-amz-security-token", Role::V2SecurityToken),
];

impl Role {
    /// Finds the role of the parameter that `text` begins with, and the length of its name. `None` unless it
    /// is one of V4's, spelled as it should be, with a value.
    #[inline(always)]
    pub(super) fn spelled(text: &[u8]) -> Option<(Role, usize)> {
        const PREFIX: &[u8] = b"X-Amz-";
        let name = text.strip_prefix(PREFIX)?;
        SPELLINGS.iter().find_map(|(spelling, role)| {
            let after = name.strip_prefix(spelling.strip_prefix(PREFIX)?)?;
            after.starts_with(b"=").then_some((*role, spelling.len()))
        })
    }

    /// Finds the role of a name, and whether it is spelled as it should be.
    pub(super) fn named(name: &[u8]) -> (Role, bool) {
        let mut decoder = uri::decoded(name, Part::Query);
        // Most names are none of a signature's.
        if !matches!(decoder.next(), Some(b'A' | b'E' | b'S' | b'X' | b'x')) {
            return (Role::Other, false);
        }
        // One byte more than the longest.
        let decoded: ArrayVec<u8, 21> = uri::decoded(name, Part::Query).take(21).collect();
        let exact = SPELLINGS
            .iter()
            .find(|(spelling, _)| **spelling == *decoded);
        let found = exact.or_else(|| {
            let mut spellings = SPELLINGS.iter();
            spellings
                .find(|(spelling, role)| !role.is_v2() && spelling.eq_ignore_ascii_case(&decoded))
        });
        found.map_or((Role::Other, false), |(spelling, role)| {
            (*role, *spelling == name)
        })
    }

    fn is_v2(self) -> bool {
        matches!(
            self,
            Role::V2AccessKey | Role::V2Expires | Role::V2Signature | Role::V2SecurityToken
        )
    }

    pub(super) fn bit(self) -> u16 {
        1 << self as u8
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::ties::each_edit;
    use percent_encoding::percent_decode;

    #[test]
    fn roles_are_sorted_as_their_names() {
        assert!(SPELLINGS.is_sorted_by(|a, b| a.0 < b.0 && a.1 < b.1));
        assert!(SPELLINGS.iter().all(|(_, role)| *role < Role::Other));
    }

    #[test]
    fn a_spelled_role_is_found_in_any_other_way_too() {
        let mut found = 0;
        for (spelling, _) in SPELLINGS {
            each_edit(&[spelling, b"=a&"].concat(), |text| {
                let Some((role, length)) = Role::spelled(text) else {
                    return;
                };
                let (name, after) = text.split_at(length);
                let scanned = uri::scan(text, b"=&").unwrap();
                assert_eq!((scanned.after, scanned.canonical), (after, true));
                assert_eq!(Role::named(name), (role, true), "{}", text.escape_ascii());
                found += 1;
            });
        }
        assert!(found > 1_000, "{found}");
    }

    #[test]
    fn a_role_is_that_of_the_decoded_name() {
        for (spelling, _) in SPELLINGS {
            let encoded: String = spelling.iter().map(|byte| format!("%{byte:02x}")).collect();
            for text in [spelling, encoded.as_bytes()] {
                each_edit(text, |name| {
                    let decoded = decoded(name);
                    let spelled = |(spelling, role): &(&[u8], Role)| {
                        !role.is_v2() && decoded.eq_ignore_ascii_case(spelling)
                    };
                    let mut found = SPELLINGS.iter().find(|(spelling, _)| decoded == *spelling);
                    found = found.or_else(|| SPELLINGS.iter().find(|entry| spelled(entry)));
                    let expected = found.map_or((Role::Other, false), |(spelling, role)| {
                        (*role, *spelling == name)
                    });
                    assert_eq!(Role::named(name), expected, "{}", name.escape_ascii());
                });
            }
        }
    }

    fn decoded(text: &[u8]) -> Vec<u8> {
        let spaced: Vec<u8> = text
            .iter()
            .map(|byte| if *byte == b'+' { b' ' } else { *byte })
            .collect();
        percent_decode(&spaced).collect()
    }
}
