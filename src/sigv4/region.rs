//! Names of regions.
use crate::text::bytes::copy;

/// The longest name of a region, in bytes.
pub(crate) const MAX_REGION: usize = 64;

/// A region name in a credential scope: at most 64 letters, digits, `-`, `_` and `.`; may be
/// empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Region {
    /// The name, padded with zeros.
    name: [u8; MAX_REGION],
    length: u8,
}

impl Region {
    /// Ends a message about a text that is not a region.
    pub const RULE: &str =
        "write a name of at most 64 letters, digits, dashes, dots and underscores";

    /// Parses a name. `None` if it is not the name of a region.
    pub fn parse(name: &[u8]) -> Option<Region> {
        Region::is_name(name).then(|| Region::of(name))
    }

    /// Parses the name that a configuration gives. `None` if it is no region name, or empty.
    pub fn parse_name(name: &[u8]) -> Option<Region> {
        Region::parse(name).filter(|_| !name.is_empty())
    }

    /// Makes a region of a valid name.
    pub(crate) fn of(name: &[u8]) -> Region {
        let mut region = Region {
            name: [0; MAX_REGION],
            length: name.len() as u8,
        };
        if let Some(place) = region.name.get_mut(..name.len()) {
            copy(place, name);
        }
        region
    }

    fn is_name(name: &[u8]) -> bool {
        name.len() <= MAX_REGION && name.iter().all(|byte| is_region_byte(*byte))
    }

    /// The region that S3 takes where none is named.
    pub const US_EAST_1: Region = {
        let name = b"us-east-1";
        let mut region = Region {
            name: [0; MAX_REGION],
            length: name.len() as u8,
        };
        let mut at = 0;
        while at < name.len() {
            region.name[at] = name[at];
            at += 1;
        }
        region
    };

    pub fn as_bytes(&self) -> &[u8] {
        self.name
            .get(..usize::from(self.length))
            .unwrap_or_default()
    }
}

impl std::fmt::Display for Region {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.as_bytes().escape_ascii().fmt(f)
    }
}

pub(crate) fn is_region_byte(byte: u8) -> bool {
    static VALID: [bool; 256] = {
        let mut table = [false; 256];
        let mut byte = 0_usize;
        while byte < 256 {
            let b = byte as u8;
            table[byte] = b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
            byte += 1;
        }
        table
    };
    VALID[usize::from(byte)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_regions() {
        let longest = [b'x'; MAX_REGION];
        for name in [&b"us-east-1"[..], b"eu_1.A", b"-", b".", &longest] {
            assert_eq!(Region::parse_name(name), Region::parse(name));
            assert_eq!(
                Region::parse(name).map(|region| region.as_bytes().to_vec()),
                Some(name.to_vec())
            );
        }
        let long = [b'x'; MAX_REGION + 1];
        for name in [&b"us/east"[..], b"us east", b"a\0", b"\xff", b"a,b", &long] {
            assert_eq!(Region::parse(name), None);
            assert_eq!(Region::parse_name(name), None);
        }
        assert!(Region::parse(b"").is_some() && Region::parse_name(b"").is_none());
        assert!(Region::RULE.contains(&MAX_REGION.to_string()));
    }
}
