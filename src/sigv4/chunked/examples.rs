//! AWS's published bodies, byte for byte, in and out.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use super::{
    chain::Chain,
    decoder::Decoder,
    encoder::{Encoder, Shape},
    streaming::{Streaming, StreamingKind},
};
use crate::{
    checksum::ChecksumAlgorithm, crypto::signature::Signature, date::AmzDate, keys::SigningKey,
    region::Region, scope::ScopeText,
};

struct Example {
    streaming: Streaming,
    seed: &'static [u8; 64],
    body: Vec<u8>,
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html>
fn chunks() -> Example {
    Example {
        streaming: Streaming {
            kind: StreamingKind::Signed,
            decoded_length: 66_560,
            framed_length: Some(66_824),
            checksum: None,
        },
        seed: b"4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
        body: body(
            [
                "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
                "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
                "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
            ],
            "",
        ),
    }
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html>
fn trailer() -> Example {
    Example {
        streaming: Streaming {
            kind: StreamingKind::SignedTrailer,
            decoded_length: 66_560,
            framed_length: Some(66_946),
            checksum: Some(ChecksumAlgorithm::Crc32c),
        },
        seed: b"106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
        body: body(
            [
                "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
                "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
                "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
            ],
            "x-amz-checksum-crc32c:sOO8/Q==\r\nx-amz-trailer-signature:\
             d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n",
        ),
    }
}

/// 65 KiB of the letter a, the first 64 of them as one chunk.
fn body(signatures: [&str; 3], trailer: &str) -> Vec<u8> {
    let [first, second, last] = signatures;
    format!(
        "10000;chunk-signature={first}\r\n{}\r\n400;chunk-signature={second}\r\n{}\r\n\
         0;chunk-signature={last}\r\n{trailer}\r\n",
        "a".repeat(65_536),
        "a".repeat(1_024)
    )
    .into_bytes()
}

fn chain(seed: &[u8; 64]) -> Chain {
    let date = AmzDate::parse(b"20130524T000000Z").unwrap();
    let scope = ScopeText::s3(date.day(), &Region::US_EAST_1);
    let key = SigningKey::derive(b"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", scope);
    Chain::new(key, date, Signature::new(*seed))
}

#[test]
fn in_and_out() {
    for example in [chunks(), trailer()] {
        let Example {
            streaming,
            seed,
            body,
        } = example;
        assert_eq!(Some(body.len() as u64), streaming.framed_length);
        let mut decoder = Decoder::new(streaming, Some(chain(seed)));
        let mut received = body.clone();
        let data = decoder.decode(&mut received).unwrap();
        let mut data = received.get(data).unwrap().to_vec();
        data.extend(decoder.finish().unwrap());
        assert!(data == [b'a'; 66_560]);

        let shape = Shape::of(&streaming, decoder.chunk_size());
        for known in [true, false] {
            let mut encoder = Encoder::new(shape, Some(chain(seed)));
            assert_eq!(encoder.framed_length(), body.len() as u64);
            let mut sent = Vec::new();
            for chunk in data.chunks(65_536) {
                assert_eq!(encoder.next_length(), chunk.len() as u64);
                let hash = decoder.chunk_hash(encoder.offset(), chunk.len() as u64);
                // The second time, the hashes of the first chunks are gone.
                let hash = hash.filter(|_| known);
                if hash.is_none() {
                    chunk.chunks(1_000).for_each(|piece| encoder.hash(piece));
                }
                sent.extend(encoder.chunk(hash.as_ref()).unwrap());
                sent.extend(chunk);
            }
            sent.extend(encoder.end(decoder.checksum()).unwrap());
            assert!(sent == body);
        }
    }
}
