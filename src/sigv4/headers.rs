//! The headers that verification reads, and those that a signature must cover.
use crate::{
    error::Rejection,
    request::{Header, MAX_HEADERS},
    text::token::{dashed, is, is_token},
};

/// A header that verification reads, which may occur once only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KnownHeader {
    AmzDate,
    Authorization,
    ContentLength,
    ContentMd5,
    ContentSha256,
    ContentType,
    CopySource,
    Date,
    DecodedLength,
    Host,
    RenameSource,
    SecurityToken,
    Trailer,
}

impl KnownHeader {
    const COUNT: usize = 13;

    /// Finds the header that has a name, in any case.
    #[inline(always)]
    pub(crate) fn named(name: &[u8]) -> Option<KnownHeader> {
        let field = match name.len() {
            4 if is(name, b"date") => KnownHeader::Date,
            4 if is(name, b"host") => KnownHeader::Host,
            10 if is(name, b"x-amz-date") => KnownHeader::AmzDate,
            11 if is(name, b"content-md5") => KnownHeader::ContentMd5,
            12 if is(name, b"content-type") => KnownHeader::ContentType,
            13 if is(name, b"authorization") => KnownHeader::Authorization,
            13 if is(name, b"x-amz-trailer") => KnownHeader::Trailer,
            14 if is(name, b"content-length") => KnownHeader::ContentLength,
            17 if is(name, b"x-amz-copy-source") => KnownHeader::CopySource,
            19 if is(name, b"x-amz-rename-source") => KnownHeader::RenameSource,
            20 if is(name, b"x-amz-content-sha256") => KnownHeader::ContentSha256,
            20 if is(name, b"x-amz-security-token") => KnownHeader::SecurityToken,
            28 if is(name, b"x-amz-decoded-content-length") => KnownHeader::DecodedLength,
            _ => return None,
        };
        Some(field)
    }
}

/// The headers that verification reads.
#[derive(Default)]
pub(crate) struct KnownHeaders<'a> {
    values: [Option<&'a [u8]>; KnownHeader::COUNT],
    /// How many headers there are that a signature must cover.
    pub(crate) to_be_signed: usize,
}

impl<'a> KnownHeaders<'a> {
    pub(crate) fn scan(headers: &[Header<'a>]) -> Result<KnownHeaders<'a>, Rejection> {
        let mut fields = KnownHeaders::default();
        fields.read(headers)?;
        Ok(fields)
    }

    /// Does what [`KnownHeaders::scan`] does, in place.
    #[inline(always)]
    pub(crate) fn read(&mut self, headers: &[Header<'a>]) -> Result<(), Rejection> {
        if headers.len() > MAX_HEADERS {
            return Err(Rejection::TooManyHeaders);
        }
        for header in headers {
            let field = KnownHeader::named(header.name);
            self.to_be_signed += usize::from(must_be_signed(header.name, field));
            if let Some(field) = field
                && self.values[field as usize].replace(header.value).is_some()
            {
                return Err(Rejection::RepeatedHeader);
            }
        }
        Ok(())
    }

    pub(crate) fn value(&self, field: KnownHeader) -> Option<&'a [u8]> {
        self.values[field as usize]
    }

    /// Whether it is a POST of a form, which may carry its signature in the body.
    pub(crate) fn is_browser_form(&self, method: &[u8]) -> bool {
        const TYPE: &[u8] = b"multipart/form-data";
        let content_type = self.value(KnownHeader::ContentType).unwrap_or_default();
        method == b"POST"
            && content_type
                .get(..TYPE.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(TYPE))
    }
}

/// Whether a configuration may say which value of a header was signed, if something in front of the server has
/// changed it: the header that has come goes on, and the signature holds for the other value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignedElsewhere {
    Accepted,
    /// There is another way to say it.
    Host,
    /// It is no name of a header.
    NoName,
    /// What is asked for, what is stored, or where the body ends would be another thing than was signed.
    Decides,
}

impl SignedElsewhere {
    pub fn of(name: &[u8]) -> SignedElsewhere {
        const NAMES: [&[u8]; 11] = [
            b"authorization",
            b"cache-control",
            b"date",
            b"expires",
            b"keep-alive",
            b"proxy-authorization",
            b"range",
            b"te",
            b"trailer",
            b"transfer-encoding",
            b"upgrade",
        ];
        const STARTS: [&[u8]; 3] = [b"content-", b"if-", b"x-http-method"];
        let dashed = |name: &[u8]| -> Vec<u8> {
            let dash = |byte: &u8| {
                if *byte == b'_' {
                    b'-'
                } else {
                    byte.to_ascii_lowercase()
                }
            };
            name.iter().map(dash).collect()
        };
        let dashed = dashed(name);
        if !is_token(name) {
            SignedElsewhere::NoName
        } else if dashed == b"host" {
            SignedElsewhere::Host
        } else if steers_server(name)
            || NAMES.contains(&&*dashed)
            || STARTS.iter().any(|start| dashed.starts_with(start))
        {
            SignedElsewhere::Decides
        } else {
            SignedElsewhere::Accepted
        }
    }
}

/// Whether a V4 signature must cover a header with this name, known or not: what steers an S3 server,
/// except for the payload hash, whose value is signed anyway.
#[inline(always)]
pub(crate) fn must_be_signed(name: &[u8], field: Option<KnownHeader>) -> bool {
    match field {
        Some(
            KnownHeader::Authorization
            | KnownHeader::ContentLength
            | KnownHeader::ContentMd5
            | KnownHeader::ContentSha256
            | KnownHeader::ContentType
            | KnownHeader::Date
            | KnownHeader::Host,
        ) => false,
        Some(_) => true,
        None => steers_server(name),
    }
}

/// Whether a header makes another request of the one it is in: S3's own, or one that an S3 server of
/// another maker has besides.
#[inline(always)]
pub(crate) fn steers_server(name: &[u8]) -> bool {
    // Nearly no other names begin so, and these are met in every request.
    matches!(
        name,
        [b'x' | b'X', b'-' | b'_', ..] | [b'r' | b'R', b'g' | b'G', ..]
    ) && (is_amz(name) || is_makers_own(name))
}

/// Headers of MinIO, RustFS, versitygw, Ceph and Dell ECS (`x-minio-force-delete` removes all below a
/// prefix), and those that name an object to copy from or to move, as Swift, Google, Alibaba and
/// others have them.
fn is_makers_own(name: &[u8]) -> bool {
    const STARTS: [&[u8]; 6] = [
        b"x-minio-",
        b"x-rustfs-",
        b"x-vgw-",
        b"x-rgw-",
        b"rgwx-",
        b"x-emc-",
    ];
    const ENDS: [&[u8]; 4] = [
        b"-copy-source",
        b"-rename-source",
        b"-move-source",
        b"-copy-from",
    ];
    let is = |part: Option<&[u8]>, text: &[u8]| {
        part.is_some_and(|part| part.iter().copied().map(dashed).eq(text.iter().copied()))
    };
    let end = |length| name.len().checked_sub(length).and_then(|at| name.get(at..));
    STARTS
        .iter()
        .any(|start| is(name.get(..start.len()), start))
        || ENDS.iter().any(|text| is(end(text.len()), text))
}

/// Whether a header says nothing of who asks for what. Only those that are known to are here.
#[inline(always)]
pub(crate) fn decides_nothing(name: &[u8]) -> bool {
    match name.len() {
        3 => is(name, b"dnt") || is(name, b"via"),
        5 => is(name, b"range"),
        6 => {
            is(name, b"accept") || is(name, b"cookie") || is(name, b"origin") || is(name, b"pragma")
        }
        7 => is(name, b"referer"),
        8 => is(name, b"if-match") || is(name, b"if-range") || is(name, b"priority"),
        9 => is(name, b"sec-ch-ua"),
        10 => is(name, b"user-agent") || is(name, b"connection") || is(name, b"keep-alive"),
        13 => is(name, b"cache-control") || is(name, b"if-none-match"),
        14 => {
            is(name, b"sec-fetch-dest")
                || is(name, b"sec-fetch-mode")
                || is(name, b"sec-fetch-site")
        }
        15 => {
            is(name, b"accept-encoding")
                || is(name, b"accept-language")
                || is(name, b"x-forwarded-for")
        }
        16 => is(name, b"sec-ch-ua-mobile"),
        17 => is(name, b"if-modified-since") || is(name, b"x-forwarded-proto"),
        18 => is(name, b"sec-ch-ua-platform"),
        19 => is(name, b"if-unmodified-since"),
        _ => false,
    }
}

/// Whether a header is S3's own. One in which `_` stands for `-` counts too, since servers behind
/// a CGI-like interface read both alike.
#[inline(always)]
pub(crate) fn is_amz(name: &[u8]) -> bool {
    let is_dash = |byte: u8| byte == b'-' || byte == b'_';
    matches!(name, [x, d1, a, m, z, d2, ..]
        if x | 0x20 == b'x' && a | 0x20 == b'a' && m | 0x20 == b'm' && z | 0x20 == b'z'
            && is_dash(*d1) && is_dash(*d2))
}

/// How headers go on after `x-` by which the server of another storage service, or one that takes the method or the
/// target out of a header, may be asked for something else. They need not be signed, unlike those that steer
/// a server of S3.
const FOREIGN: &[&[u8]] = &[
    b"auth-key",
    b"auth-token",
    b"auth-user",
    b"bz-",
    b"ceph-",
    b"cos-",
    b"goog-",
    b"http-method",
    b"ibm-",
    b"method-override",
    b"object-",
    b"obs-",
    b"original-url",
    b"oss-",
    b"rewrite-url",
    b"seaweedfs-",
    b"storage-",
    b"tos-",
];

/// Whether a header may be an order to the server of another storage service.
pub(crate) fn is_foreign(name: &[u8]) -> bool {
    // Servers behind a CGI-like interface read `_` as `-`.
    let [b'x' | b'X', b'-' | b'_', name @ ..] = name else {
        return false;
    };
    let matches = |(byte, wanted): (&u8, &u8)| match byte {
        b'_' => *wanted == b'-',
        byte => byte.to_ascii_lowercase() == *wanted,
    };
    FOREIGN.iter().any(|start| {
        name.get(..start.len())
            .is_some_and(|name| name.iter().zip(start.iter()).all(matches))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ties::each_edit;

    #[test]
    fn which_values_may_have_been_signed_elsewhere() {
        use SignedElsewhere::{Accepted, Decides, Host, NoName};
        for (name, expected) in [
            ("Accept-Encoding", Accepted),
            ("accept", Accepted),
            ("Expect", Accepted),
            ("User-Agent", Accepted),
            ("Via", Accepted),
            ("x-amzn-trace-id", Accepted),
            ("amz-sdk-request", Accepted),
            ("Host", Host),
            ("", NoName),
            ("Accept:", NoName),
            ("a b", NoName),
            ("Authorization", Decides),
            ("Proxy-Authorization", Decides),
            ("x-amz-date", Decides),
            ("X_Amz_Copy_Source", Decides),
            ("X-Minio-Force-Delete", Decides),
            ("Content-Length", Decides),
            ("content_length", Decides),
            ("Content-Type", Decides),
            ("Content-MD5", Decides),
            ("Content-Encoding", Decides),
            ("Transfer-Encoding", Decides),
            ("Trailer", Decides),
            ("Date", Decides),
            ("Range", Decides),
            ("If-None-Match", Decides),
            ("Cache-Control", Decides),
            ("Expires", Decides),
        ] {
            assert_eq!(SignedElsewhere::of(name.as_bytes()), expected, "{name}");
        }
    }

    const NAMES: [(&[u8], KnownHeader); KnownHeader::COUNT] = [
        (b"authorization", KnownHeader::Authorization),
        (b"content-length", KnownHeader::ContentLength),
        (b"content-md5", KnownHeader::ContentMd5),
        (b"content-type", KnownHeader::ContentType),
        (b"date", KnownHeader::Date),
        (b"host", KnownHeader::Host),
        (b"x-amz-content-sha256", KnownHeader::ContentSha256),
        (b"x-amz-copy-source", KnownHeader::CopySource),
        (b"x-amz-date", KnownHeader::AmzDate),
        (b"x-amz-decoded-content-length", KnownHeader::DecodedLength),
        (b"x-amz-rename-source", KnownHeader::RenameSource),
        (b"x-amz-security-token", KnownHeader::SecurityToken),
        (b"x-amz-trailer", KnownHeader::Trailer),
    ];

    /// Checks edits of a name in several cases of letters.
    fn each_spelling(name: &[u8], mut check: impl FnMut(&[u8])) {
        each_edit(name, &mut check);
        each_edit(&name.to_ascii_uppercase(), &mut check);
    }

    #[test]
    fn a_known_header_is_found_as_by_a_comparison_of_names() {
        for (name, _) in NAMES {
            each_spelling(name, |text| {
                let expected = NAMES
                    .iter()
                    .find(|(name, _)| text.eq_ignore_ascii_case(name));
                let expected = expected.map(|(_, header)| *header);
                assert_eq!(
                    KnownHeader::named(text),
                    expected,
                    "{}",
                    text.escape_ascii()
                );
            });
        }
    }

    /// Without a look at how the name begins.
    #[test]
    fn a_header_that_steers_a_server_is_found_by_its_beginning() {
        let of_makers = [
            b"x-minio-a",
            b"x-rustfs-a".as_slice(),
            b"x-vgw-a",
            b"x-rgw-a",
            b"rgwx-a",
            b"x-emc-a",
            b"x-goog-copy-source",
            b"x_a_rename_source",
            b"x-oss-move-source",
            b"x-copy-from",
            b"x-amz-a",
            b"x_amz_a",
        ];
        for name in of_makers {
            each_spelling(name, |text| {
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
                let is_amz_name = dashed.starts_with(b"x-amz-");
                assert_eq!(is_amz(text), is_amz_name, "{}", text.escape_ascii());
                let begins_so = [b"x-".as_slice(), b"rg"]
                    .iter()
                    .any(|start| dashed.starts_with(start));
                let expected = begins_so && (is_amz_name || is_makers_own(text));
                assert_eq!(steers_server(text), expected, "{}", text.escape_ascii());
                // What it is does not depend on its spelling.
                assert_eq!(steers_server(&dashed), expected, "{}", text.escape_ascii());
            });
        }
    }
}
