//! The most frequent causes of errors, for who reads the page.

/// What an S3 error code means here; empty for an unknown one.
pub(super) fn hint(code: &str) -> &'static str {
    match code {
        "AccessDenied" => "not signed, expired, revoked, or not granted to the client",
        "RequestTimeTooSkewed" => "a clock is wrong",
        "InvalidAccessKeyId" => "no client has that access key, or it lacks its session token",
        "InvalidToken" => "a session token of another access key",
        "ExpiredToken" => "an access key after its end",
        "SignatureDoesNotMatch" => "another secret, or a host or path changed on the way",
        "AuthorizationHeaderMalformed" => "another region, or not readable",
        "AuthorizationQueryParametersError" => "a presigned URL for another region, or cut off",
        "InvalidURI" => "a path or query that is not encoded well",
        "InvalidRequest" => {
            "no payload hash, an unknown host, V2 where it is off, or checksums that do not fit"
        }
        "InvalidArgument" => "a header, parameter or field that is repeated or has a bad value",
        "RequestHeaderSectionTooLarge" => "more headers than large_client_header_buffers hold",
        "NotImplemented" => "a kind of upload or call that cannot be passed on here",
        "MissingContentLength" => "an upload that does not say how long it is",
        "EntityTooLarge" => "longer than client_max_body_size, or than a form's policy allows",
        "EntityTooSmall" => "a form's file is shorter than its policy wants",
        "IncompleteBody" => "an upload that broke off, or was longer than it said",
        "MalformedTrailerError" => "other trailers than the upload has announced",
        "BadDigest" => "the body is not what its checksum says: it changed on the way",
        "XAmzContentSHA256Mismatch" => "the body is not the one that was signed",
        "IncorrectNumberOfFilesInPostRequest" => "a form without a file, or with several",
        "InvalidPolicyDocument" => "a form's policy that cannot be read",
        "KeyTooLongError" => "an object's name of more than 1024 bytes",
        "MalformedPOSTRequest" => "a form that cannot be read",
        "MaxPostPreDataLengthExceededError" => "too many or too long fields before a form's file",
        "MethodNotAllowed" => "a method that S3 does not have there",
        "UserKeyMustBeSpecified" => "a form without a key",
        "AccessForbidden" => "a page of another site asked, and s3_cors does not name it",
        "MalformedXML" => "a document that cannot be read, or is too long",
        "IllegalLocationConstraintException" => "a bucket was to be made in another region",
        "BadRequest" => "not HTTP, or not for this server",
        "InvalidRange" => "a part that the object does not have",
        "NoSuchKey" => "nginx itself was to answer, and has no such file",
        "NoSuchBucket" => "no origin has a bucket of that name",
        "NoSuchUpload" => "an upload id of an origin that is gone, or of another object",
        "PreconditionFailed" => "a condition of the request does not hold",
        "ServiceUnavailable" => "nginx could not serve it: see its error log",
        "SlowDown" => "limit_req or limit_conn held the client back",
        "400" => "a path that leaves its bucket",
        "InvalidChunkSizeError" => "small chunks, where s3_small_chunks is off",
        "InternalError" => "no origin could be reached or has answered: see nginx's error log",
        _ => "",
    }
}

/// What the code of a fault of the Security Token Service means here; empty for an unknown one.
pub(super) fn sts_hint(code: &str) -> &'static str {
    match code {
        "ok" => "credentials were given, or the caller named",
        "AccessDenied" => "no s3_role trusts that caller or token",
        "ExpiredToken" => "called with a session key after its end",
        "ExpiredTokenException" => "a token of the identity provider after its end",
        "IDPCommunicationError" => "the issuer's key set could not be fetched yet",
        "IncompleteSignature" => "a signature that is not whole",
        "InternalFailure" => "no fault of the caller: see nginx's error log",
        "InvalidAction" => "not an operation that is answered here",
        "InvalidClientTokenId" => "no client has that access key",
        "InvalidIdentityToken" => "no token of an issuer that is known, or not for here",
        "MalformedPolicyDocument" => "a session policy that cannot be read",
        "MalformedQueryString" => "parameters that cannot be read",
        "MissingAction" => "a call that does not say what it wants",
        "MissingAuthenticationToken" => "a call that must be signed, and is not",
        "PackedPolicyTooLarge" => "a session policy that is too long",
        "RequestEntityTooLarge" => "a call that is too long",
        "SignatureDoesNotMatch" => "another secret, or a host changed on the way",
        "Throttling" => "limit_req or limit_conn held the caller back",
        "ValidationError" => "a parameter that is missing or has a bad value",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use sigv4::Rejection;
    use sts::FaultKind;

    use super::*;

    /// Each has one of its own, so that none is the answer to something else.
    #[test]
    fn every_code_has_a_hint() {
        let faults: Vec<_> = FaultKind::ALL.iter().map(|kind| kind.code()).collect();
        let hints = |codes: &[&'static str], hint: fn(&str) -> &'static str| {
            codes.iter().map(|code| hint(code)).collect::<Vec<_>>()
        };
        for hints in [hints(&Rejection::CODES, hint), hints(&faults, sts_hint)] {
            assert!(!hints.contains(&""), "{hints:?}");
            assert_eq!(hints.iter().collect::<HashSet<_>>().len(), hints.len());
        }
        assert_eq!((hint("Unheard"), sts_hint("Unheard")), ("", ""));
        assert_ne!(sts_hint("ok"), "");
    }
}
