//! Why a head cannot be signed.

/// Why a request head cannot be signed: it must be answered 500 and never sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unsignable {
    NotHttp1,
    Target,
    TooLong,
    TooManyHeaders,
    TooManyParameters,
    Header,
    ObsoleteFold,
    ControlByte,
    NoBlankLine,
    TrailingBytes,
    ContentLength,
    PathChanged,
    /// It was rewritten into one that its client may not send.
    NotAdmitted,
    Bucket,
    /// The origin has no bucket that has such a name with clients.
    NoSuchBucket,
    /// It may name buckets where names are not mapped.
    NamesNotMapped,
    /// A source that names no bucket, or in another way than S3's own.
    Source,
    /// A body that was not written for the origin.
    Body,
    /// A checksum in its head was not checked, and the origin would not get it.
    Dialect,
    /// An upload, or a list, that another origin has begun.
    OtherOrigin,
    /// Its client has another account than the keys are for.
    OtherAccount,
    /// An object that is encrypted with a key which no unsigned request gets.
    UnsignedKey,
    /// An origin whose keys have not been fetched yet.
    NoKeys,
}

impl std::fmt::Display for Unsignable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Unsignable::NotHttp1 => "not an HTTP/1 request head",
            Unsignable::Target => "a request target that is not a valid path and query",
            Unsignable::TooLong => "a request head longer than 4 GiB",
            Unsignable::TooManyHeaders => "more than 256 headers",
            Unsignable::TooManyParameters => "more than 128 query parameters, or 64 KiB of them",
            Unsignable::Header => "a line that is not a header",
            Unsignable::ObsoleteFold => "a header folded over several lines",
            Unsignable::ControlByte => "a CR, LF or NUL byte inside a line",
            Unsignable::NoBlankLine => "no blank line at the end of the head",
            Unsignable::TrailingBytes => "bytes after the head (proxy_set_body?)",
            Unsignable::ContentLength => {
                "a Content-Length or Transfer-Encoding that is unreadable, repeated or contradicted"
            }
            Unsignable::PathChanged => {
                "a path with empty, \".\" or \"..\" segments that was normalised after verification \
                 (proxy_pass with a URI part, or a rewrite)"
            }
            Unsignable::NotAdmitted => {
                "a request that was changed into one that its client must not send"
            }
            Unsignable::Bucket => {
                "a bucket name that cannot be a host name (addressing=virtual)"
            }
            Unsignable::NoSuchBucket => "a bucket that its origin does not have (s3_bucket_map)",
            Unsignable::NamesNotMapped => {
                "a request that may name buckets where names are not mapped (s3_bucket_map)"
            }
            Unsignable::Source => {
                "a copy whose source's bucket cannot be mapped (s3_bucket_map)"
            }
            Unsignable::Dialect => "checksums that its origin would not get were not checked",
            Unsignable::Body => "a body that was written for another origin, or by another way of signing",
            Unsignable::OtherOrigin => "an upload id or continuation token of another origin",
            Unsignable::OtherAccount => "keys of another account than its client's",
            Unsignable::UnsignedKey => {
                "an unsigned request for what is encrypted with a key (s3_sse_c)"
            }
            Unsignable::NoKeys => "its origin has no keys yet (credentials=)",
        })
    }
}

impl std::error::Error for Unsignable {}
