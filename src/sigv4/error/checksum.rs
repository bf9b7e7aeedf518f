//! What is wrong with what a head says of checksums.

/// What about the announcement of checksums S3 rejects.
///
/// AWS documents none of it. These are the texts that S3 was seen to answer with, by versitygw (issues 1593, 1598,
/// 1657 and 1659) and by Swift, whose tests of its S3 API are run against S3 too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChecksumFault {
    /// `x-amz-trailer` is not the name of one checksum, or there without a trailer.
    Trailer,
    /// There are several checksums in headers.
    Several,
    /// There is one in a header, and one is to follow the body.
    HeaderAndTrailer,
    /// `x-amz-sdk-checksum-algorithm` names one, and there is none.
    Missing,
    /// It names another one than there is.
    Algorithm,
}

impl ChecksumFault {
    pub(super) fn text(self) -> &'static str {
        match self {
            ChecksumFault::Trailer => {
                "The value specified in the x-amz-trailer header is not supported"
            }
            ChecksumFault::Several => {
                "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."
            }
            ChecksumFault::HeaderAndTrailer => "Expecting a single x-amz-checksum- header",
            ChecksumFault::Missing => {
                "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or \
                 x-amz-trailer headers were found."
            }
            ChecksumFault::Algorithm => "Value for x-amz-sdk-checksum-algorithm header is invalid.",
        }
    }
}
