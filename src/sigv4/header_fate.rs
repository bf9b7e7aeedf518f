//! What becomes of the headers in a head.
use arrayvec::ArrayVec;

use crate::{
    headers::steers_server,
    text::token::{LOW_LINE, dashed, is, kinds},
};

/// What becomes of a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HeaderFate {
    /// The client's signature has it, or it is written again.
    Drop,
    Keep,
    /// Kept, and signed.
    Sign,
    /// Likewise; it names another object.
    Source,
    /// It delimits the body.
    Length,
    /// Content-Encoding, of which `aws-chunked` may be a part.
    Encoding,
    /// It announces what is in the framing of the body.
    Framing,
    /// A checksum of the body, or a question about one: `x-amz-checksum-*`. Signed.
    Checksum,
    /// It says that there is a checksum, in a header or a trailer.
    ChecksumAlgorithm,
}

/// What becomes of the headers that tell of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyHeaders {
    /// It is sent as the client sent it.
    Untouched,
    /// It is framed again.
    Reframed,
    /// It came in `aws-chunked` framing, and is sent without.
    Decoded { checksum_known: bool },
    /// Another one is sent; those that hold of one body only go too.
    Replaced,
}

impl HeaderFate {
    /// Bytes of the longest name that is known.
    const LONGEST: usize = 28;

    /// Finds the fate of a header, by its name and the kinds of the bytes in it.
    pub(crate) fn of(name: &[u8], kinds: u8) -> HeaderFate {
        if kinds & LOW_LINE != 0 {
            // As in `steers_server`, `_` counts as `-`.
            let mut dashed = ArrayVec::<u8, { HeaderFate::LONGEST }>::new();
            dashed.extend(
                name.iter()
                    .take(HeaderFate::LONGEST)
                    .map(|&byte| match byte {
                        b'_' => b'-',
                        byte => byte,
                    }),
            );
            return HeaderFate::of(
                if name.len() > HeaderFate::LONGEST {
                    name
                } else {
                    &dashed
                },
                0,
            );
        }
        match name.len() {
            4 if is(name, b"host") => HeaderFate::Drop,
            10 if is(name, b"x-amz-date") => HeaderFate::Drop,
            13 if is(name, b"authorization") => HeaderFate::Drop,
            19 if is(name, b"proxy-authorization") => HeaderFate::Drop,
            20 if is(name, b"x-amz-content-sha256") => HeaderFate::Drop,
            20 if is(name, b"x-amz-security-token") => HeaderFate::Drop,
            13 if is(name, b"x-amz-trailer") => HeaderFate::Framing,
            14 if is(name, b"content-length") => HeaderFate::Length,
            16 if is(name, b"content-encoding") => HeaderFate::Encoding,
            17 if is(name, b"transfer-encoding") => HeaderFate::Length,
            17 if is(name, b"x-amz-copy-source") => HeaderFate::Source,
            19 if is(name, b"x-amz-rename-source") => HeaderFate::Source,
            28 if is(name, b"x-amz-decoded-content-length") => HeaderFate::Framing,
            28 if is(name, b"x-amz-sdk-checksum-algorithm") => HeaderFate::ChecksumAlgorithm,
            11 if is(name, b"content-md5") => HeaderFate::Sign,
            12 if is(name, b"content-type") => HeaderFate::Sign,
            _ if steers_server(name) => match is_checksum(name) {
                true => HeaderFate::Checksum,
                false => HeaderFate::Sign,
            },
            _ => HeaderFate::Keep,
        }
    }

    pub(crate) fn is_in(self, fates: HeaderFates) -> bool {
        fates >> self as u8 & 1 == 1
    }
}

/// A set of fates, a bit each.
pub(crate) type HeaderFates = u16;

const fn set(fates: &[HeaderFate]) -> HeaderFates {
    let mut set = 0;
    let mut at = 0;
    while at < fates.len() {
        set |= 1 << fates[at] as u8;
        at += 1;
    }
    set
}

impl BodyHeaders {
    /// Returns which headers go on the wire as they are.
    pub(crate) fn kept(self) -> HeaderFates {
        use HeaderFate::{
            Checksum, ChecksumAlgorithm, Encoding, Framing, Keep, Length, Sign, Source,
        };
        match self {
            BodyHeaders::Untouched => {
                const {
                    set(&[
                        Keep,
                        Sign,
                        Source,
                        Length,
                        Encoding,
                        Framing,
                        Checksum,
                        ChecksumAlgorithm,
                    ])
                }
            }
            BodyHeaders::Reframed => {
                const {
                    set(&[
                        Keep,
                        Sign,
                        Source,
                        Encoding,
                        Framing,
                        Checksum,
                        ChecksumAlgorithm,
                    ])
                }
            }
            BodyHeaders::Decoded {
                checksum_known: true,
            } => const { set(&[Keep, Sign, Source, Checksum, ChecksumAlgorithm]) },
            // S3 rejects the announcement of a checksum that it does not get.
            BodyHeaders::Decoded {
                checksum_known: false,
            }
            | BodyHeaders::Replaced => const { set(&[Keep, Sign, Source, Checksum]) },
        }
    }

    /// Returns which of the kept headers are signed.
    pub(crate) fn signed(self) -> HeaderFates {
        self.kept()
            & const {
                set(&[
                    HeaderFate::Sign,
                    HeaderFate::Source,
                    HeaderFate::Framing,
                    HeaderFate::Checksum,
                    HeaderFate::ChecksumAlgorithm,
                ])
            }
    }
}

/// What becomes of the headers of a head for one origin.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SentHeaders {
    pub(crate) body: BodyHeaders,
    /// The origin reads no checksums.
    pub(crate) drops_checksums: bool,
}

impl SentHeaders {
    pub(crate) fn kept(self) -> HeaderFates {
        self.body.kept() & self.read()
    }

    pub(crate) fn signed(self) -> HeaderFates {
        self.body.signed() & self.read()
    }

    /// Returns which headers the origin reads.
    fn read(self) -> HeaderFates {
        const CHECKSUMS: HeaderFates = set(&[HeaderFate::Checksum, HeaderFate::ChecksumAlgorithm]);
        if self.drops_checksums {
            !CHECKSUMS
        } else {
            HeaderFates::MAX
        }
    }
}

impl From<BodyHeaders> for SentHeaders {
    fn from(body: BodyHeaders) -> SentHeaders {
        SentHeaders {
            body,
            drops_checksums: false,
        }
    }
}

const CHECKSUM: &[u8] = b"x-amz-checksum-";

fn is_checksum(name: &[u8]) -> bool {
    let start = name.get(..CHECKSUM.len());
    start.is_some_and(|start| start.eq_ignore_ascii_case(CHECKSUM))
}

/// Whether what follows `x-amz-checksum-` in a header's name tells something else than a checksum: these tell of the
/// checksums of parts, and of those in an answer.
pub(crate) fn tells_no_checksum(rest: &[u8]) -> bool {
    let others: [&[u8]; 3] = [b"algorithm", b"mode", b"type"];
    others.iter().any(|other| rest.eq_ignore_ascii_case(other))
}

/// Whether a header holds of one body only.
pub(crate) fn is_digest(name: &[u8]) -> bool {
    let is_checksum =
        is_checksum(name) && !(name.get(CHECKSUM.len()..)).is_some_and(tells_no_checksum);
    is_checksum || name.eq_ignore_ascii_case(b"content-md5")
}

/// Returns the end of the name of an `x-amz-checksum-*` header, with `-` for each `_`; `None` for any other header.
pub(crate) fn checksum_header(name: &[u8]) -> Option<ArrayVec<u8, { HeaderFate::LONGEST }>> {
    if HeaderFate::of(name, kinds(name)) != HeaderFate::Checksum {
        return None;
    }
    let end = name.iter().skip(CHECKSUM.len()).copied().map(dashed);
    Some(end.take(HeaderFate::LONGEST).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{text::token::kinds, ties::each_edit};

    /// What becomes of a header is looked up by the length of its name, and again with `-` for `_`.
    #[test]
    fn a_fate_is_that_of_the_dashed_name() {
        const FATES: [(&str, HeaderFate); 16] = [
            ("host", HeaderFate::Drop),
            ("x-amz-date", HeaderFate::Drop),
            ("authorization", HeaderFate::Drop),
            ("proxy-authorization", HeaderFate::Drop),
            ("x-amz-content-sha256", HeaderFate::Drop),
            ("x-amz-security-token", HeaderFate::Drop),
            ("x-amz-trailer", HeaderFate::Framing),
            ("x-amz-decoded-content-length", HeaderFate::Framing),
            ("content-length", HeaderFate::Length),
            ("transfer-encoding", HeaderFate::Length),
            ("content-encoding", HeaderFate::Encoding),
            ("x-amz-copy-source", HeaderFate::Source),
            ("x-amz-rename-source", HeaderFate::Source),
            (
                "x-amz-sdk-checksum-algorithm",
                HeaderFate::ChecksumAlgorithm,
            ),
            ("content-md5", HeaderFate::Sign),
            ("content-type", HeaderFate::Sign),
        ];
        for (name, _) in FATES {
            each_edit(name.as_bytes(), |text| {
                let dashed: Vec<u8> = text
                    .iter()
                    .map(|byte| {
                        if *byte == b'_' {
                            b'-'
                        } else {
                            byte.to_ascii_lowercase()
                        }
                    })
                    .collect();
                let known = FATES.iter().find(|(name, _)| name.as_bytes() == dashed);
                let expected = match known {
                    Some((_, fate)) => *fate,
                    None if dashed.starts_with(b"x-amz-checksum-") => HeaderFate::Checksum,
                    None if steers_server(text) => HeaderFate::Sign,
                    None => HeaderFate::Keep,
                };
                let kinds = kinds(text);
                assert_eq!(
                    HeaderFate::of(text, kinds),
                    expected,
                    "{}",
                    text.escape_ascii()
                );
            });
        }
    }
}
