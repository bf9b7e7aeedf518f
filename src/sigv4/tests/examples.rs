//! AWS's published examples, with the very signatures they print.
//!
//! V4: <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html> and
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html>,
//! V2: <https://docs.aws.amazon.com/AmazonS3/latest/API/RESTAuthentication.html>.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::*;
use sigv4::*;

const V4_KEY: &str = "AKIAIOSFODNN7EXAMPLE";
const V4_SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
/// 2013-05-24T00:00:00Z
const MAY_24: i64 = 1_369_353_600;

fn v4(text: &str) -> Result<(), Rejection> {
    let people = Directory::new(&[(V4_KEY, V4_SECRET)]);
    let rules = endpoint(b"examplebucket.s3.amazonaws.com");
    verdict(&Raw::new(text), &people, &rules, MAY_24).map(|_| ())
}

/// AWS's examples have their buckets in the host, which is a name of the server then.
fn endpoint(host: &[u8]) -> VerifyRules {
    VerifyRules {
        endpoint: Endpoint {
            server_names: vec![host.into()],
            ..Default::default()
        },
        ..rules()
    }
}

fn v4_header(request_line: &str, headers: &str, signed: &str, hash: &str, signature: &str) {
    let text = |signature: &str| {
        format!(
            "{request_line}\nHost: examplebucket.s3.amazonaws.com\n{headers}\
             x-amz-content-sha256: {hash}\n\
             Authorization: AWS4-HMAC-SHA256 \
             Credential={V4_KEY}/20130524/us-east-1/s3/aws4_request,\
             SignedHeaders={signed},Signature={signature}\n"
        )
    };
    assert_eq!(v4(&text(signature)), Ok(()), "{request_line}");
    let wrong = format!("0{}", &signature[1..]);
    assert_eq!(v4(&text(&wrong)), Err(Rejection::SignatureDoesNotMatch));
}

#[test]
fn get_object_with_range() {
    v4_header(
        "GET /test.txt",
        "Range: bytes=0-9\nx-amz-date: 20130524T000000Z\n",
        "host;range;x-amz-content-sha256;x-amz-date",
        EMPTY,
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
    );
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html>; the chunks that follow
/// are among the core's own tests.
#[test]
fn put_object_in_chunks() {
    streaming(
        "content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;\
         x-amz-decoded-content-length;x-amz-storage-class",
        "content-length: 66824\nx-amz-content-sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD\n",
        "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
    );
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html>
#[test]
fn put_object_in_chunks_with_trailer() {
    streaming(
        "content-encoding;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;\
         x-amz-storage-class;x-amz-trailer",
        "x-amz-trailer: x-amz-checksum-crc32c\n\
         x-amz-content-sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER\n",
        "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
    );
}

fn streaming(signed: &str, headers: &str, signature: &str) {
    let text = |signature: &str| {
        format!(
            "PUT /examplebucket/chunkObject.txt\nHost: s3.amazonaws.com\n{headers}\
             x-amz-date: 20130524T000000Z\nx-amz-storage-class: REDUCED_REDUNDANCY\n\
             content-encoding: aws-chunked\nx-amz-decoded-content-length: 66560\n\
             Authorization: AWS4-HMAC-SHA256 \
             Credential={V4_KEY}/20130524/us-east-1/s3/aws4_request,\
             SignedHeaders={signed},Signature={signature}\n"
        )
    };
    assert_eq!(v4(&text(signature)), Ok(()), "{signed}");
    let wrong = format!("0{}", &signature[1..]);
    assert_eq!(v4(&text(&wrong)), Err(Rejection::SignatureDoesNotMatch));
}

#[test]
fn put_object() {
    v4_header(
        "PUT /test$file.text",
        "Date: Fri, 24 May 2013 00:00:00 GMT\nx-amz-date: 20130524T000000Z\n\
         x-amz-storage-class: REDUCED_REDUNDANCY\n",
        "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
        "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
        "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
    );
}

#[test]
fn get_bucket_lifecycle() {
    v4_header(
        "GET /?lifecycle",
        "x-amz-date: 20130524T000000Z\n",
        "host;x-amz-content-sha256;x-amz-date",
        EMPTY,
        "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
    );
}

#[test]
fn list_objects() {
    v4_header(
        "GET /?max-keys=2&prefix=J",
        "x-amz-date: 20130524T000000Z\n",
        "host;x-amz-content-sha256;x-amz-date",
        EMPTY,
        "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
    );
}

#[test]
fn presigned_get_object() {
    let text = "GET /test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256\
        &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request\
        &X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host\
        &X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404\n\
        Host: examplebucket.s3.amazonaws.com\n";
    assert_eq!(v4(text), Ok(()));
    let explained = explain(&Raw::new(text).request()).unwrap();
    assert!(
        explained
            .string_to_sign
            .ends_with(b"\n3bfa292879f6447bbcda7001decf97f4a54dc650c8942174ae0a9121cf58ad04")
    );
    assert_eq!(
        v4(&text.replace("test.txt", "test.doc")),
        Err(Rejection::SignatureDoesNotMatch)
    );
}

/// AWS's examples address most buckets by host, which V2's CanonicalizedResource moves to the front
/// of the path. Two are fed as their printed strings to sign have them: DELETE has no x-amz-date
/// line, and the presigned signature is that of the page's former bucket, `johnsmith`.
fn v2(text: &str, now: i64) -> Result<(), Rejection> {
    let people = Directory::new(&[(
        "AKIAIOSFODNN7EXAMPLE",
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    )]);
    let raw = Raw::new(text);
    let host = raw
        .headers
        .iter()
        .find(|header| header.name == b"Host")
        .unwrap();
    let rules = VerifyRules {
        signature_v2: true,
        ..endpoint(host.value)
    };
    verdict(&raw, &people, &rules, now).map(|_| ())
}

/// 2007-03-27T19:36:42Z
const MARCH_27: i64 = 1_175_024_202;

#[test]
fn v2_examples() {
    for (text, seconds) in [
        (
            "GET /awsexamplebucket1/photos/puppy.jpg\nHost: awsexamplebucket1.us-west-1.s3.amazonaws.com\n\
             Date: Tue, 27 Mar 2007 19:36:42 +0000\n\
             Authorization: AWS AKIAIOSFODNN7EXAMPLE:qgk2+6Sv9/oM7G3qLEjTH1a1l1g=\n",
            0,
        ),
        (
            "PUT /awsexamplebucket1/photos/puppy.jpg\nContent-Type: image/jpeg\nContent-Length: 94328\n\
             Host: awsexamplebucket1.s3.us-west-1.amazonaws.com\n\
             Date: Tue, 27 Mar 2007 21:15:45 +0000\n\
             Authorization: AWS AKIAIOSFODNN7EXAMPLE:iqRzw+ileNPu1fhspnRs8nOjjIA=\n",
            5_943,
        ),
        (
            "GET /awsexamplebucket1/?prefix=photos&max-keys=50&marker=puppy\n\
             User-Agent: Mozilla/5.0\nHost: awsexamplebucket1.s3.us-west-1.amazonaws.com\n\
             Date: Tue, 27 Mar 2007 19:42:41 +0000\n\
             Authorization: AWS AKIAIOSFODNN7EXAMPLE:m0WP8eCtspQl5Ahe6L1SozdX9YA=\n",
            359,
        ),
        (
            "GET /awsexamplebucket1/?acl\nHost: awsexamplebucket1.s3.us-west-1.amazonaws.com\n\
             Date: Tue, 27 Mar 2007 19:44:46 +0000\n\
             Authorization: AWS AKIAIOSFODNN7EXAMPLE:82ZHiFIjc+WbcwFKGUVEQspPn+0=\n",
            484,
        ),
        (
            "DELETE /awsexamplebucket1/photos/puppy.jpg\nUser-Agent: dotnet\n\
             Host: s3.us-west-1.amazonaws.com\nDate: Tue, 27 Mar 2007 21:20:26 +0000\n\
             Authorization: AWS AKIAIOSFODNN7EXAMPLE:XbyTlbQdu9Xw5o8P4iMwPktxQd8=\n",
            6_224,
        ),
        (
            "PUT /static.example.com/db-backup.dat.gz\nUser-Agent: curl/7.15.5\n\
             Host: static.example.com:8080\nDate: Tue, 27 Mar 2007 21:06:08 +0000\n\
             x-amz-acl: public-read\ncontent-type: application/x-download\n\
             Content-MD5: 4gJE4saaMU4BqNR0kLY+lw==\nX-Amz-Meta-ReviewedBy: joe@example.com\n\
             X-Amz-Meta-ReviewedBy: jane@example.com\nX-Amz-Meta-FileChecksum: 0x02661779\n\
             X-Amz-Meta-ChecksumAlgorithm: crc32\n\
             Content-Disposition: attachment; filename=database.dat\n\
             Content-Encoding: gzip\nContent-Length: 5913339\n\
             Authorization: AWS AKIAIOSFODNN7EXAMPLE:jtBQa0Aq+DkULFI8qrpwIjGEx0E=\n",
            5_366,
        ),
        (
            "GET /\nHost: s3.us-west-1.amazonaws.com\nDate: Wed, 28 Mar 2007 01:29:59 +0000\n\
             Authorization: AWS AKIAIOSFODNN7EXAMPLE:qGdzdERIC03wnaRNKh6OqZehG9s=\n",
            21_197,
        ),
        (
            "GET /dictionary/fran%C3%A7ais/pr%c3%a9f%c3%a8re\nHost: s3.us-west-1.amazonaws.com\n\
             Date: Wed, 28 Mar 2007 01:49:49 +0000\n\
             Authorization: AWS AKIAIOSFODNN7EXAMPLE:DNEZGsoieTZ92F3bUfSPQcbGmlM=\n",
            22_387,
        ),
        (
            "GET /johnsmith/photos/puppy.jpg?AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE\
             &Signature=NpgCjnDzrM%2BWFzoENXmpNDUsSn8%3D&Expires=1175139620\n\
             Host: awsexamplebucket1.s3.us-west-1.amazonaws.com\n",
            0,
        ),
    ] {
        assert_eq!(v2(text, MARCH_27 + seconds), Ok(()), "{text}");
    }
}
