//! The names in a request: bucket and key in its path, and the source object that it copies.
use crate::{
    error::Rejection,
    text::sink::{CountSink, SliceSink},
    text::uri::{self, Part},
};

/// Bucket and key of a raw path. Both are parts of it as sent; [`Encoded`] writes them in canonical
/// form.
#[derive(Debug, Clone, Copy)]
pub struct ResourcePath<'a> {
    bucket: &'a [u8],
    key: &'a [u8],
}

impl<'a> ResourcePath<'a> {
    /// Splits a path. `None` if it does not begin with `/`.
    pub fn of(path: &'a [u8]) -> Option<ResourcePath<'a>> {
        let (bucket, key) = split_segment(path.strip_prefix(b"/")?);
        let key = key.unwrap_or_default();
        Some(ResourcePath { bucket, key })
    }

    /// Takes a path for a key in a bucket. `None` if it does not begin with `/`.
    pub(crate) fn in_bucket(bucket: &'a [u8], path: &'a [u8]) -> Option<ResourcePath<'a>> {
        let key = path.strip_prefix(b"/")?;
        Some(ResourcePath { bucket, key })
    }

    /// Whether a path that stays in its bucket does so for a server on Windows, too. Where the bucket decides what
    /// is permitted, or becomes of an object, it must.
    pub(crate) fn stays_on_windows(&self) -> bool {
        !leaves_root(self.key, Separators::Both)
    }

    /// Returns what is wrong with a target whose path the server cannot read.
    pub fn fault_of(target: &[u8]) -> Rejection {
        let path = target.split(|byte| *byte == b'?').next();
        let path = path.filter(|path| uri::is_canonical(path, Part::Path).is_some());
        match path.and_then(ResourcePath::of).map(|path| path.check()) {
            Some(Err(rejection)) => rejection,
            _ => Rejection::InvalidUri,
        }
    }

    /// Returns the first segment; `None` if the service itself is meant.
    pub fn bucket(&self) -> Option<Encoded<'a>> {
        (!self.bucket.is_empty()).then_some(Encoded(self.bucket))
    }

    /// Returns everything after the bucket's slash; `None` if the bucket itself is meant.
    pub fn key(&self) -> Option<Encoded<'a>> {
        (!self.key.is_empty()).then_some(Encoded(self.key))
    }

    pub(crate) fn raw_bucket(&self) -> &'a [u8] {
        self.bucket
    }

    pub(crate) fn raw_key(&self) -> &'a [u8] {
        self.key
    }

    /// Checks that the path stays in its bucket, also for a server that resolves it like a file's, but not on
    /// Windows ([`ResourcePath::stays_on_windows`]).
    pub(crate) fn check(&self) -> Result<(), Rejection> {
        // Only a path of the service has no bucket.
        let is_named = match self.bucket {
            b"" => self.key.is_empty(),
            bucket => is_one_segment(bucket),
        };
        match is_named {
            false => Err(Rejection::InvalidUri),
            true if leaves_root(self.key, Separators::Slash) => Err(Rejection::LeavesBucket),
            true => Ok(()),
        }
    }
}

/// Part of a path, to be written in canonical percent-encoding.
#[derive(Debug, Clone, Copy)]
pub struct Encoded<'a>(&'a [u8]);

impl Encoded<'_> {
    /// Counts the bytes that `write` fills.
    #[allow(clippy::len_without_is_empty, reason = "an empty part is None")]
    pub fn len(&self) -> usize {
        let mut count = CountSink::default();
        uri::put_canonical(&mut count, self.0, Part::Path);
        count.0
    }

    /// Writes it to the beginning of `out`, as far as there is room.
    pub fn write(&self, out: &mut [u8]) {
        uri::put_canonical(&mut SliceSink::new(out), self.0, Part::Path);
    }
}

/// An object named in `x-amz-copy-source` or `x-amz-rename-source`: `[/]bucket/key[?versionId=ID]`,
/// percent-encoded. Its parts are as sent.
///
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html#API_CopyObject_RequestSyntax>
#[derive(Debug, Clone, Copy)]
pub(crate) struct SourceObject<'a> {
    pub(crate) bucket: &'a [u8],
    pub(crate) key: &'a [u8],
    /// What follows a `?`.
    version: Option<&'a [u8]>,
}

impl<'a> SourceObject<'a> {
    /// Reads a source. `None` if two servers could read it differently, or if it is an ARN.
    pub(crate) fn parse(source: &'a [u8]) -> Option<SourceObject<'a>> {
        if source
            .iter()
            .any(|&byte| byte == b'#' || byte.is_ascii_control())
        {
            return None;
        }
        let (path, version) = split_query(source);
        if version.is_some_and(|version| {
            !version.starts_with(b"versionId=") || version.iter().any(|byte| b"&?".contains(byte))
        }) {
            return None;
        }
        let (first, rest) = split_segment(path);
        let (bucket, key) = match (first, rest) {
            // With one slash in front; after two, URL parsers take the next segment for a host.
            (b"", Some(rest)) => split_segment(rest),
            named => named,
        };
        let key = key.filter(|key| !key.is_empty())?;
        let is_name = uri::decoded(bucket, Part::Path).all(is_bucket_byte);
        (is_name && !bucket.is_empty() && !is_relative(bucket)).then_some(SourceObject {
            bucket,
            key,
            version,
        })
    }

    /// Writes it as the same object of another bucket, whose name needs no encoding.
    pub(crate) fn in_bucket(&self, bucket: &[u8]) -> Vec<u8> {
        let mut source = [bucket, b"/", self.key].concat();
        if let Some(version) = self.version {
            source.push(b'?');
            source.extend_from_slice(version);
        }
        source
    }

    /// Whether a source, readable or not, stays in the bucket that it names, on Windows too.
    pub(crate) fn stays_in_bucket(source: &[u8]) -> bool {
        let (mut rest, _) = split_query(source);
        loop {
            match split_segment(rest) {
                (b"", Some(tail)) => rest = tail,
                (bucket, key) => {
                    return is_one_segment(bucket)
                        && !leaves_root(key.unwrap_or_default(), Separators::Both);
                }
            }
        }
    }
}

/// Whether names of buckets have this byte.
pub(crate) fn is_bucket_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_')
}

/// What separates the segments of a key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Separators {
    /// As for S3.
    Slash,
    /// A backslash too, as on Windows.
    Both,
}

/// Whether there is a segment `..` in a raw key, on Windows too.
pub(crate) fn has_parent_segment(key: &[u8]) -> bool {
    let mut found = false;
    visit_segments(key, Separators::Both, |segment| {
        found |= segment == Segment::Parent;
    });
    found
}

/// Whether there are at some point more `..` than segments before them. AWS's rule:
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html> (relative path elements)
pub(crate) fn leaves_root(key: &[u8], separators: Separators) -> bool {
    let mut depth = 0_usize;
    let mut leaves = false;
    visit_segments(key, separators, |segment| match segment {
        Segment::Name => depth += 1,
        Segment::Parent if depth == 0 => leaves = true,
        Segment::Parent => depth -= 1,
        Segment::Nothing => {}
    });
    leaves
}

/// Whether a raw segment is one, and is itself, also for a server to which a backslash separates.
fn is_one_segment(segment: &[u8]) -> bool {
    let is_plain = memchr::memchr2(b'\\', b'%', segment).is_none();
    let has_separator = || uri::decoded(segment, Part::Path).any(|byte| byte == b'\\');
    !is_relative(segment) && (is_plain || !has_separator())
}

/// Whether a raw segment is `.` or `..`.
fn is_relative(segment: &[u8]) -> bool {
    matches!(segment, [b'.' | b'%', ..])
        && (uri::decoded(segment, Part::Path).eq(*b".")
            || uri::decoded(segment, Part::Path).eq(*b".."))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Segment {
    Name,
    /// `..`
    Parent,
    /// `.` or empty.
    Nothing,
}

/// Shows the segments of a raw path.
fn visit_segments(path: &[u8], separators: Separators, mut visit: impl FnMut(Segment)) {
    // Most keys have no two dots in a row, and nothing that is encoded.
    let mut rest = path;
    loop {
        match memchr::memchr2(b'.', b'%', rest).and_then(|at| rest.get(at..)) {
            None => return visit(Segment::Name),
            Some([b'.', next, ..]) if *next == b'.' => break,
            Some([b'.', after @ ..]) => rest = after,
            Some(_) => break,
        }
    }
    let (mut length, mut dots) = (0_usize, 0_usize);
    let mut end = |length: usize, dots: usize| {
        visit(match (length, dots) {
            (0, _) | (1, 1) => Segment::Nothing,
            (2, 2) => Segment::Parent,
            _ => Segment::Name,
        });
    };
    for byte in uri::decoded(path, Part::Path) {
        if byte == b'/' || byte == b'\\' && separators == Separators::Both {
            end(length, dots);
            (length, dots) = (0, 0);
        } else {
            length += 1;
            dots += usize::from(byte == b'.');
        }
    }
    end(length, dots);
}

/// Splits a raw path after its first segment; `None` where there is no slash.
fn split_segment(path: &[u8]) -> (&[u8], Option<&[u8]>) {
    // As it is in most paths: nothing is encoded up to there.
    let plain = memchr::memchr2(b'/', b'%', path).and_then(|at| path.split_at_checked(at));
    match plain {
        None => return (path, None),
        Some((segment, [b'/', rest @ ..])) => return (segment, Some(rest)),
        Some(_) => {}
    }
    let mut decoder = uri::decoded(path, Part::Path);
    loop {
        let before = decoder.rest();
        match decoder.next() {
            None => return (path, None),
            Some(b'/') => {
                let segment = path.get(..path.len() - before.len());
                return (segment.unwrap_or_default(), Some(decoder.rest()));
            }
            Some(_) => {}
        }
    }
}

fn split_query(source: &[u8]) -> (&[u8], Option<&[u8]>) {
    match memchr::memchr(b'?', source) {
        Some(at) => {
            let (path, query) = source.split_at(at);
            (path, query.get(1..))
        }
        None => (source, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ties::{each_edit, each_text};

    /// AWS's examples, and each way to spell a dot or a slash.
    #[test]
    fn relative_path_elements() {
        for (key, leaves) in [
            ("videos/2014/overview-final.wmv", false),
            ("videos/2014/../../video1.wmv", false),
            ("videos/../../video1.wmv", true),
            ("videos/../../2014/overview-final.wmv", true),
            ("..", true),
            ("../k", true),
            ("a/..", false),
            ("a/../..", true),
            ("a//../..", true),
            ("a/./../..", true),
            ("...", false),
            ("..a/b", false),
            (".", false),
            ("%2e%2E/k", true),
            ("%2e./k", true),
            ("a%2f..%2f..", true),
            ("a/%2e/..%2f../k", true),
            ("%252e%252e/k", false),
        ] {
            let both = leaves_root(key.as_bytes(), Separators::Both);
            assert_eq!(both, leaves, "{key}");
            let path = format!("/bucket/{key}");
            let path = ResourcePath::of(path.as_bytes()).map(|path| path.check());
            let expected = match leaves {
                true => Err(Rejection::LeavesBucket),
                false => Ok(()),
            };
            assert_eq!(path, Some(expected), "{key}");
            for source in [
                format!("bucket/{key}"),
                format!("/bucket/{key}?versionId=x"),
            ] {
                assert_eq!(
                    SourceObject::stays_in_bucket(source.as_bytes()),
                    !leaves,
                    "{source}"
                );
            }
        }
        for key in [
            "..\\k",
            "..%5Ck",
            "a/b\\..\\..\\..",
            "..\\u2215..\\u2215etc",
        ] {
            let path = format!("/bucket/{key}");
            let path = ResourcePath::of(path.as_bytes());
            let path = path.unwrap_or_else(|| unreachable!());
            assert_eq!(path.check(), Ok(()), "{key}");
            assert!(!path.stays_on_windows(), "{key}");
            let source = format!("bucket/{key}");
            assert!(!SourceObject::stays_in_bucket(source.as_bytes()), "{key}");
        }
        for path in [
            "/..",
            "/../b/k",
            "/.",
            "/./b/k",
            "/%2e%2e/b",
            "//b/k",
            "/%2Fb/k",
            "/b\\..\\c/k",
            "/b%5c",
        ] {
            let checked = ResourcePath::of(path.as_bytes()).map(|path| path.check());
            assert_eq!(checked, Some(Err(Rejection::InvalidUri)), "{path}");
        }
    }

    #[test]
    fn targets_that_cannot_be_read() {
        for (target, expected) in [
            ("/bucket/../../key", Rejection::LeavesBucket),
            ("/bucket/..?list-type=2", Rejection::LeavesBucket),
            ("/bucket/%2e%2e/%2e%2e/key?", Rejection::LeavesBucket),
            ("/../key", Rejection::InvalidUri),
            ("/bucket/../../%zz", Rejection::InvalidUri),
            ("/bucket/key%00", Rejection::InvalidUri),
            ("/bucket/key?a=/../..", Rejection::InvalidUri),
            ("http://host/../..", Rejection::InvalidUri),
            ("", Rejection::InvalidUri),
        ] {
            assert_eq!(
                ResourcePath::fault_of(target.as_bytes()),
                expected,
                "{target}"
            );
        }
    }

    #[test]
    fn a_source_with_a_backslash_in_its_bucket() {
        for source in ["b\\..\\c/k", "/b%5C/k"] {
            assert!(
                !SourceObject::stays_in_bucket(source.as_bytes()),
                "{source}"
            );
        }
    }

    #[test]
    fn sources() {
        let parse = |source: &'static str| {
            let source = SourceObject::parse(source.as_bytes())?;
            Some((source.bucket, source.key))
        };
        let is = Some((b"mine".as_slice(), b"k".as_slice()));
        for source in [
            "mine/k",
            "/mine/k",
            "%2Fmine/k",
            "mine%2fk",
            "mine/k?versionId=a%26b",
        ] {
            assert_eq!(parse(source), is, "{source}");
        }
        assert_eq!(parse("%6dine/k").map(|(_, key)| key), Some(b"k".as_slice()));
        for source in [
            "",
            "/",
            "mine",
            "mine/",
            "/mine/",
            "//mine/k",
            "/%2Fmine/k",
            "mine/k?x=y",
            "mine/k?",
            "mine/k?versionId=a&x",
            "mine/k?versionId=a?b",
            "mine/k#f",
            "http://mine/k",
            "../k",
            "arn:aws:s3:us-east-1:123456789012:accesspoint/mine/object/k",
            "mine\n/k",
            "mi ne/k",
        ] {
            assert_eq!(parse(source), None, "{source}");
        }
    }
    fn decoded(raw: &[u8]) -> Vec<u8> {
        percent_encoding::percent_decode(raw).collect()
    }

    fn segments(raw: &[u8], separators: &[u8]) -> Vec<Vec<u8>> {
        let decoded = decoded(raw);
        let segments = decoded.split(|byte| separators.contains(byte));
        segments.map(<[u8]>::to_vec).collect()
    }

    fn leaves(raw: &[u8], separators: &[u8]) -> bool {
        let mut depth = 0_i32;
        segments(raw, separators).iter().any(|segment| {
            depth += match segment.as_slice() {
                b"" | b"." => 0,
                b".." => -1,
                _ => 1,
            };
            depth < 0
        })
    }

    /// However a dot, a slash and a backslash are spelled.
    #[test]
    fn segments_are_found_as_in_the_decoded_path() {
        each_text(b"a./%2eEfF5c\\", 4, &mut |text| check_segments(text));
        for text in [
            "a/..",
            "../a",
            "a%2F.%2E/b",
            "abc/def/..%5c../..",
            "a.b/.c/d.",
        ] {
            each_edit(text.as_bytes(), check_segments);
        }
    }

    fn check_segments(text: &[u8]) {
        let name = text.escape_ascii();
        let slash = leaves_root(text, Separators::Slash);
        assert_eq!(slash, leaves(text, b"/"), "{name}");
        let both = leaves_root(text, Separators::Both);
        assert_eq!(both, leaves(text, b"/\\"), "{name}");
        let has_parent = (segments(text, b"/\\").iter()).any(|segment| segment == b"..");
        assert_eq!(has_parent_segment(text), has_parent, "{name}");
        let is_dots = [b".".as_slice(), b".."].contains(&decoded(text).as_slice());
        assert_eq!(is_relative(text), is_dots, "{name}");

        let (segment, rest) = split_segment(text);
        let whole = decoded(text);
        let slash = whole.iter().position(|byte| *byte == b'/');
        let expected = slash.map(|at| whole.split_at(at));
        let expected = expected.map_or((whole.clone(), None), |(segment, rest)| {
            (segment.to_vec(), Some(rest[1..].to_vec()))
        });
        assert_eq!((decoded(segment), rest.map(decoded)), expected, "{name}");
        // Both are parts of what was sent.
        assert!(text.starts_with(segment) && text.ends_with(rest.unwrap_or_default()));
    }
}
