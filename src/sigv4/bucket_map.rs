//! The names that buckets have at an origin which has other ones than its clients use.
use arrayvec::ArrayVec;

use crate::resource::is_bucket_byte;

/// The longest name of a bucket, in bytes: what S3 allowed in its first region.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>
const MAX_NAME: usize = 255;

/// The name of a bucket on the other side of a map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MappedName(ArrayVec<u8, MAX_NAME>);

impl MappedName {
    /// In bytes.
    pub(crate) const LONGEST: usize = MAX_NAME;

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Display for MappedName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

/// What buckets are called at one origin. Without a rule, as clients call them; with one, there are no other
/// buckets than those that a rule names.
#[derive(Debug, Clone, Default)]
pub struct BucketMap {
    /// In the order in which they are tried: whole names, then patterns, the longest first.
    rules: Vec<BucketRule>,
}

/// Two patterns, for the same bucket: what stands for `*` in one stands for it in the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketRule {
    client: NamePattern,
    origin: NamePattern,
}

/// What of a rule cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BucketMapFault {
    /// The client's side is no name of a bucket, nor one with a `*` in it.
    Client,
    /// Likewise the origin's.
    Origin,
    /// One side has a `*`, and the other has none.
    OneStar,
    /// Another rule has the same client's side.
    ClientTwice,
    /// Another rule has the same origin's side, so its answers could mean either.
    OriginTwice,
}

/// A name, or one in which `*` stands for one or more characters.
#[derive(Debug, Clone, PartialEq, Eq)]
enum NamePattern {
    Whole(Box<[u8]>),
    Around { start: Box<[u8]>, end: Box<[u8]> },
}

impl BucketRule {
    /// Reads the two sides of a rule.
    ///
    /// # Errors
    /// If they are not two names, or two names with a `*`.
    pub fn parse(client: &[u8], origin: &[u8]) -> Result<BucketRule, BucketMapFault> {
        let client = NamePattern::parse(client).ok_or(BucketMapFault::Client)?;
        let origin = NamePattern::parse(origin).ok_or(BucketMapFault::Origin)?;
        match (&client, &origin) {
            (NamePattern::Whole(_), NamePattern::Whole(_))
            | (NamePattern::Around { .. }, NamePattern::Around { .. }) => {
                Ok(BucketRule { client, origin })
            }
            _ => Err(BucketMapFault::OneStar),
        }
    }
}

impl BucketMap {
    /// Adds a rule.
    ///
    /// # Errors
    /// If another one has the same name on one of its sides.
    pub fn push(&mut self, rule: BucketRule) -> Result<(), BucketMapFault> {
        if self.rules.iter().any(|other| other.client == rule.client) {
            return Err(BucketMapFault::ClientTwice);
        }
        if self.rules.iter().any(|other| other.origin == rule.origin) {
            return Err(BucketMapFault::OriginTwice);
        }
        let after = |other: &BucketRule| other.client.precedence() >= rule.client.precedence();
        let at = self.rules.iter().take_while(|other| after(other)).count();
        self.rules.insert(at, rule);
        Ok(())
    }

    /// Whether buckets have the same names on both sides.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Whether a bucket may have another name there.
    pub(crate) fn changes_names(&self) -> bool {
        self.rules.iter().any(|rule| rule.client != rule.origin)
    }

    /// Returns what the origin calls a client's bucket, decoded; `None` if it has no such bucket.
    pub fn origin_name(&self, client: &[u8]) -> Option<MappedName> {
        if self.is_empty() {
            return MappedName::of([client]);
        }
        let rule = self.rules.iter().find(|rule| rule.client.fits(client))?;
        rule.origin.with(rule.client.star(client)?)
    }

    /// Returns what clients call an origin's bucket; `None` if it is none of theirs.
    pub fn client_name(&self, origin: &[u8]) -> Option<MappedName> {
        if self.is_empty() {
            return MappedName::of([origin]);
        }
        self.rules.iter().find_map(|rule| {
            let client = rule.client.with(rule.origin.star(origin)?)?;
            // Another rule may come first on the way back.
            let back = self.origin_name(client.as_bytes())?;
            (back.as_bytes() == origin).then_some(client)
        })
    }
}

impl NamePattern {
    fn parse(text: &[u8]) -> Option<NamePattern> {
        let mut parts = text.split(|byte| *byte == b'*');
        let (start, end) = (parts.next()?, parts.next());
        let is_part = |part: &[u8]| part.iter().copied().all(is_bucket_byte);
        if parts.next().is_some() || !is_part(start) || !end.is_none_or(is_part) {
            return None;
        }
        match end {
            Some(end) => (start.len() + end.len() < MAX_NAME).then(|| NamePattern::Around {
                start: start.into(),
                end: end.into(),
            }),
            None => MappedName::of([start]).map(|_| NamePattern::Whole(start.into())),
        }
    }

    /// A whole name precedes all patterns, and a pattern those with fewer characters.
    fn precedence(&self) -> usize {
        match self {
            NamePattern::Whole(_) => usize::MAX,
            NamePattern::Around { start, end } => start.len() + end.len(),
        }
    }

    fn fits(&self, name: &[u8]) -> bool {
        self.star(name).is_some()
    }

    /// Returns what stands for `*` in a name: nothing where there is none. `None` if it is another name.
    fn star<'n>(&self, name: &'n [u8]) -> Option<&'n [u8]> {
        match self {
            NamePattern::Whole(whole) => (**whole == *name).then_some(b""),
            NamePattern::Around { start, end } => {
                let star = name.strip_prefix(&**start)?.strip_suffix(&**end)?;
                (!star.is_empty()).then_some(star)
            }
        }
    }

    /// Returns the name with this for `*`. `None` if it is no name of a bucket.
    fn with(&self, star: &[u8]) -> Option<MappedName> {
        match self {
            NamePattern::Whole(whole) => MappedName::of([&**whole]),
            NamePattern::Around { start, end } => MappedName::of([&**start, star, &**end]),
        }
    }
}

impl MappedName {
    /// Puts a name together. `None` if it is no name of a bucket, however old.
    fn of<const N: usize>(parts: [&[u8]; N]) -> Option<MappedName> {
        let mut name = ArrayVec::new();
        for part in parts {
            name.try_extend_from_slice(part).ok()?;
        }
        let is_name = !matches!(name.as_slice(), b"" | b"." | b"..")
            && name.iter().copied().all(is_bucket_byte);
        is_name.then_some(MappedName(name))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn map(rules: &[(&str, &str)]) -> BucketMap {
        let mut map = BucketMap::default();
        for (client, origin) in rules {
            let rule = BucketRule::parse(client.as_bytes(), origin.as_bytes()).unwrap();
            map.push(rule).unwrap();
        }
        map
    }

    fn text(name: Option<MappedName>) -> Option<String> {
        name.map(|name| String::from_utf8(name.as_bytes().to_vec()).unwrap())
    }

    #[test]
    fn names() {
        let rules = [
            ("*", "acme-*"),
            ("logs-*", "*.logs"),
            ("media", "acme-pictures"),
            ("logs-old", "archive"),
        ];
        for (rules, client, origin) in [
            (&rules[..0], "media", Some("media")),
            (&rules, "media", Some("acme-pictures")),
            (&rules, "logs-old", Some("archive")),
            (&rules, "logs-web", Some("web.logs")),
            (&rules, "logs-", Some("acme-logs-")),
            (&rules, "other", Some("acme-other")),
            (&rules, "Media", Some("acme-Media")),
            (&rules[1..], "other", None),
            (&rules[1..], "logs-", None),
            (&rules[2..], "medi", None),
            (&rules, "", None),
            (&rules, "a/b", None),
            (&rules, "a:b", None),
            (&[("*", "*")], "media", Some("media")),
            (&[("*", "*")], "..", None),
            (&[("a*", ".*")], "a.", None),
            (&[("a*b", "*")], "ab", None),
            (&[("a*a", "*")], "a", None),
            (&[("a*a", "*")], "aaa", Some("a")),
        ] {
            let map = map(rules);
            let name = map.origin_name(client.as_bytes());
            assert_eq!(text(name.clone()).as_deref(), origin, "{rules:?} {client}");
            if let Some(name) = name {
                let back = map.client_name(name.as_bytes());
                assert_eq!(text(back).as_deref(), Some(client), "{rules:?} {client}");
            }
        }
    }

    /// A bucket of an origin's that no client could ask for has no name.
    #[test]
    fn buckets_of_nobody() {
        let rules = [("*", "acme-*"), ("media", "pictures")];
        for (origin, client) in [
            ("acme-other", Some("other")),
            ("pictures", Some("media")),
            // `media` leads to `pictures`.
            ("acme-media", None),
            ("acme-", None),
            ("other", None),
            ("", None),
        ] {
            let name = map(&rules).client_name(origin.as_bytes());
            assert_eq!(text(name).as_deref(), client, "{origin}");
        }
    }

    #[test]
    fn longest_names() {
        let name = "b".repeat(MAX_NAME);
        let map = map(&[("*", "a*")]);
        assert!(map.origin_name(name.as_bytes()).is_none());
        assert!(map.origin_name(&name.as_bytes()[1..]).is_some());
        assert!(map.client_name(name.as_bytes()).is_none());
    }

    #[test]
    fn rules() {
        for (client, origin, expected) in [
            ("media", "pictures", Ok(())),
            ("m*a", "*", Ok(())),
            ("", "pictures", Err(BucketMapFault::Client)),
            ("m**", "p*", Err(BucketMapFault::Client)),
            ("a/b", "pictures", Err(BucketMapFault::Client)),
            ("..", "pictures", Err(BucketMapFault::Client)),
            ("media", "", Err(BucketMapFault::Origin)),
            ("m*", "p*p*", Err(BucketMapFault::Origin)),
            ("media", "a:b", Err(BucketMapFault::Origin)),
            ("m*", "pictures", Err(BucketMapFault::OneStar)),
            ("media", "p*", Err(BucketMapFault::OneStar)),
        ] {
            let rule = BucketRule::parse(client.as_bytes(), origin.as_bytes());
            assert_eq!(rule.map(|_| ()), expected, "{client} {origin}");
        }
        let mut map = map(&[("media", "pictures"), ("a*", "b*")]);
        for (client, origin, expected) in [
            ("media", "other", Err(BucketMapFault::ClientTwice)),
            ("a*", "c*", Err(BucketMapFault::ClientTwice)),
            ("other", "pictures", Err(BucketMapFault::OriginTwice)),
            ("c*", "b*", Err(BucketMapFault::OriginTwice)),
            ("*", "c*", Ok(())),
        ] {
            let rule = BucketRule::parse(client.as_bytes(), origin.as_bytes()).unwrap();
            assert_eq!(map.push(rule), expected, "{client} {origin}");
        }
    }
}
