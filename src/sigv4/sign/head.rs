//! The head to send.
use std::ops::Range;

use arrayvec::ArrayVec;

use super::{
    body::BodyOut,
    header::{AddedHeader, AddedHeaders, SignedHeaders, insert, put_header, put_other_encodings},
    query::{AddedParameters, Presigning},
};
use crate::{
    address::{Address, BucketName},
    canonical::{self, SignedHeader},
    chunked::{chain::Chain, encoder::Encoder},
    crypto::{sha256::Sha256Sink, signature::SignatureV4},
    date::AmzDate,
    error::Unsignable,
    keys::SigningKey,
    origin::{Addressing, Origin},
    request::Header,
    scope::Scope,
    text::{
        query::ReplacedValue,
        sink::{CountSink, Sink, SliceSink, put_number},
        uri::{self, Part},
    },
    verified::PresignedPayload,
    wire::WireHead,
};

/// The head to send: signed as it is written into memory of the caller's.
pub struct SignedHead<'a> {
    head: &'a WireHead<'a, 'a>,
    replaced: Option<ReplacedValue<'a>>,
    origin: &'a Origin,
    date: AmzDate,
    /// The host with the bucket in front, where the origin wants it there.
    virtual_host: Option<ArrayVec<u8, 320>>,
    path: OutgoingPath<'a>,
    auth: HeadAuth<'a>,
    /// `None` where the head is not signed.
    key: Option<&'a mut SigningKey>,
    body: BodyOut<'a>,
    max_len: usize,
}

/// A request that is to be signed.
pub(super) struct Outgoing<'a> {
    pub(super) head: &'a WireHead<'a, 'a>,
    /// How the client has addressed it.
    pub(super) address: &'a Address<'a>,
    /// What its query has at the origin that is picked.
    pub(super) replaced: Option<ReplacedValue<'a>>,
}

/// What path goes out.
enum OutgoingPath<'a> {
    /// The one on the wire.
    AsSent,
    /// One of these, raw, where the client or the origin has its bucket in another place.
    Of {
        /// Empty if it is in the host.
        bucket: &'a [u8],
        key: &'a [u8],
    },
}

/// Where the signature of a head is.
#[derive(Clone, Copy)]
pub(super) enum HeadAuth<'a> {
    Header {
        /// What is signed in the place of the body.
        payload: &'a [u8],
    },
    Query {
        /// In seconds.
        expires: u32,
        payload: PresignedPayload<'a>,
    },
    /// The head of an anonymous request, or of a browser's form, is not signed.
    Nowhere,
}

/// Where the parts of a head that belong to its signature were written.
#[derive(Default)]
struct HeadSpans {
    path: Range<usize>,
    query: Range<usize>,
    /// SignedHeaders, but not in a query, where it is percent-encoded.
    names: Range<usize>,
    /// Where the signature begins, of which there are only zeros yet.
    signature: usize,
}

impl<'a> SignedHead<'a> {
    #[inline(always)]
    pub(super) fn new(
        request: Outgoing<'a>,
        origin: &'a Origin,
        date: AmzDate,
        auth: HeadAuth<'a>,
        key: Option<&'a mut SigningKey>,
        body: BodyOut<'a>,
    ) -> Result<SignedHead<'a>, Unsignable> {
        let mut signed = SignedHead {
            head: request.head,
            replaced: request.replaced,
            origin,
            date,
            virtual_host: None,
            path: OutgoingPath::AsSent,
            auth,
            key,
            body,
            max_len: 0,
        };
        signed.place_bucket(request.address)?;
        signed.max_len = signed.bound();
        Ok(signed)
    }

    /// Counts the bytes that `write` needs at the most.
    pub fn max_len(&self) -> usize {
        self.max_len
    }

    fn bound(&self) -> usize {
        // All that has a fixed length: names, algorithm, dates, hash, signature, separators.
        const FIXED: usize = 448;
        let varying = self.origin.credential.access_key().len()
            + (self.origin.session_token.as_ref()).map_or(0, |token| token.expose().len())
            + (self.key.as_ref()).map_or(0, |key| key.scope().as_bytes().len())
            + self.head.names_length;
        // In a query a byte may become three.
        let factor = if self.is_presigned() { 3 } else { 1 };
        let kept: usize = self.head.kept(self.body.headers()).map(<[u8]>::len).sum();
        let mut body = CountSink::default();
        self.put_body_headers(&mut body);
        FIXED
            + self.head.target_max_len()
            + (self.replaced.as_ref()).map_or(0, ReplacedValue::max_len)
            + self.bucket_max_len()
            + self.host().len()
            + kept
            + body.0
            + self.body.start().len()
            + factor * varying
    }

    /// Counts the bytes by which the path that goes out may be longer than the one on the wire.
    fn bucket_max_len(&self) -> usize {
        match &self.path {
            OutgoingPath::AsSent => 0,
            OutgoingPath::Of { bucket, .. } => bucket.len() + 2,
        }
    }

    /// Returns Content-Length if it is written again: for a body that came in `aws-chunked` framing, for a
    /// browser's form, and for a body that was written again.
    pub fn body_length(&self) -> Option<u64> {
        self.body.length()
    }

    /// Writes the head to the beginning of `out`, which has `max_len` bytes, and returns its length.
    /// `None` if `out` is too short, or if the body after it must be a decoded one and not the
    /// client's as it is.
    #[must_use = "without a head nothing may be sent"]
    pub fn write(&mut self, out: &mut [u8]) -> Option<usize> {
        match self.body {
            BodyOut::Untouched => self.put_signed(out).map(|(length, _)| length),
            _ => None,
        }
    }

    /// As [`SignedHead::write`], for any body: where an encoder is returned, what follows the head is
    /// the decoded body framed by it, else the body as it is, decoded where it came in
    /// `aws-chunked` framing. The head of a browser's form is followed by all of the form that
    /// precedes what was stored, and that of a body that was written again by all of this.
    #[must_use = "without a head nothing may be sent"]
    pub fn write_with_encoder(&mut self, out: &mut [u8]) -> Option<(usize, Option<Encoder>)> {
        let (length, signature) = self.put_signed(out)?;
        let BodyOut::Framed(shape) = self.body else {
            return Some((length, None));
        };
        let mut chain = None;
        if shape.is_signed() {
            let key = self.key.as_deref()?.clone();
            chain = Some(Chain::new(key, self.date, signature?));
        }
        Some((length, Some(Encoder::new(shape, chain))))
    }

    fn put_signed(&mut self, out: &mut [u8]) -> Option<(usize, Option<SignatureV4>)> {
        // The key changes as it signs, while the rest is read.
        let mut key = self.key.take();
        let written = self.put(key.as_deref_mut(), out);
        self.key = key;
        written
    }

    /// Writes the head; returns its length and the signature in it. `None` if `out` is too short.
    fn put(
        &self,
        key: Option<&mut SigningKey>,
        out: &mut [u8],
    ) -> Option<(usize, Option<SignatureV4>)> {
        if out.len() < self.max_len {
            return None;
        }
        let mut sink = SliceSink::new(out);
        let added = self.added();
        let mut headers = SignedHeaders::new();
        if key.is_some() {
            self.list_signed(&added, &mut headers);
        }
        let scope = key.as_ref().map(|key| key.scope());
        let mut places = self.put_request_line(&mut sink, scope, &headers);
        put_header(&mut sink, AddedHeader::Host.label(), self.host());
        self.head
            .kept(self.body.headers())
            .for_each(|lines| sink.put(lines));
        self.put_body_headers(&mut sink);
        for (header, value) in &added {
            put_header(&mut sink, header.label(), value);
        }
        if let Some(scope) = scope
            && !self.is_presigned()
        {
            self.put_authorization(&mut sink, scope, &headers, &mut places);
        }
        let signature = key.map(|key| {
            let hash = self.hash(&headers, &places, sink.filled());
            key.sign_request(&self.date, &hash)
        });
        if let Some(signature) = &signature {
            signature.replace_placeholder(&mut sink, places.signature);
        }
        sink.put(b"\r\n");
        sink.put(self.body.start());
        Some((sink.finish()?.len(), signature))
    }

    /// Moves the bucket from where the client has it to where the origin wants it.
    fn place_bucket(&mut self, address: &'a Address<'_>) -> Result<(), Unsignable> {
        if self.origin.addressing == Addressing::Path && address.is_path_style() {
            return Ok(());
        }
        let path = address.resource(self.head.path);
        let path = path.ok_or(Unsignable::Target)?;
        let (bucket, key) = (path.raw_bucket(), path.raw_key());
        if bucket.is_empty() && !key.is_empty() {
            return Err(Unsignable::Bucket);
        }
        self.path = OutgoingPath::Of { bucket, key };
        if self.origin.addressing == Addressing::Path || bucket.is_empty() {
            return Ok(());
        }
        let name = BucketName::collect(uri::decoded(bucket, Part::Path));
        let name = name.ok_or(Unsignable::Bucket)?;
        let host = self.virtual_host.insert(ArrayVec::new());
        for part in [name.as_bytes(), b".", &self.origin.host] {
            host.try_extend_from_slice(part)
                .map_err(|_| Unsignable::Bucket)?;
        }
        self.path = OutgoingPath::Of { bucket: b"", key };
        Ok(())
    }

    /// Lists the headers to sign, sorted; repeated ones in their order on the wire.
    fn list_signed<'h>(&'h self, added: &AddedHeaders<'h>, headers: &mut SignedHeaders<'h>) {
        for header in self.head.to_sign(self.body.headers()) {
            insert(headers, header.into());
        }
        if let Some(checksum) = self.body.checksum() {
            let (name, value) = (checksum.algorithm().header(), checksum.value());
            insert(headers, Header { name, value }.into());
        }
        // Most often there are no others, and these are in order.
        let sorted = headers.is_empty();
        let host = std::iter::once((AddedHeader::Host, self.host()));
        for (header, value) in host.chain(added.iter().copied()) {
            let header = SignedHeader {
                name: header.name(),
                value,
                canonical: header != AddedHeader::SecurityToken,
            };
            match sorted {
                true => headers.push(header),
                false => insert(headers, header),
            }
        }
    }

    /// Hashes the canonical request, in which path and query are as they have been written.
    fn hash(&self, headers: &SignedHeaders<'_>, places: &HeadSpans, written: &[u8]) -> [u8; 32] {
        let part = |range: &Range<usize>| written.get(range.clone()).unwrap_or_default();
        let mut hash = Sha256Sink::default();
        canonical::put_request(
            &mut hash,
            self.head.method,
            |sink| sink.put(part(&places.path)),
            |sink| sink.put(part(&places.query)),
            |sink| canonical::put_headers(sink, headers.iter().copied()),
            |sink| match self.is_presigned() {
                true => canonical::put_names(sink, headers.iter().copied()),
                false => sink.put(part(&places.names)),
            },
            match &self.auth {
                HeadAuth::Header { payload } => payload,
                HeadAuth::Query { payload, .. } => payload.payload().as_bytes(),
                HeadAuth::Nowhere => b"",
            },
        );
        hash.finish()
    }

    fn put_request_line(
        &self,
        sink: &mut SliceSink<'_>,
        scope: Option<Scope<'_>>,
        headers: &SignedHeaders<'_>,
    ) -> HeadSpans {
        let mut places = HeadSpans::default();
        sink.put(self.head.method);
        sink.put(b" ");
        places.path.start = sink.len();
        self.put_path(sink);
        places.path.end = sink.len();
        if self.is_presigned() || self.head.query.others().next().is_some() {
            sink.put(b"?");
            places.query.start = sink.len();
            self.put_query(sink, scope, headers);
            places.query.end = sink.len();
        }
        if self.is_presigned() {
            sink.put(b"&X-Amz-Signature=");
            places.signature = sink.len();
            SignatureV4::PLACEHOLDER.put(sink);
        }
        sink.put(b" ");
        sink.put(self.head.version);
        sink.put(b"\r\n");
        places
    }

    /// Puts the headers that tell of a body whose framing is another now.
    fn put_body_headers(&self, sink: &mut impl Sink) {
        if let BodyOut::Decoded { .. } = self.body {
            self.head
                .encodings()
                .for_each(|value| put_other_encodings(sink, value));
        }
        if let Some(checksum) = self.body.checksum() {
            sink.put(checksum.algorithm().header());
            put_header(sink, b": ", checksum.value());
        }
        if let Some(length) = self.body.length() {
            sink.put(b"Content-Length: ");
            put_number(sink, length);
            sink.put(b"\r\n");
        }
    }

    /// Puts the canonical path.
    fn put_path(&self, sink: &mut impl Sink) {
        let canonical = self.head.canonical_path;
        match &self.path {
            OutgoingPath::AsSent => uri::put_path(sink, self.head.path, canonical),
            OutgoingPath::Of { bucket, key } => {
                sink.put(b"/");
                uri::put_path(sink, bucket, canonical);
                if !bucket.is_empty() && !key.is_empty() {
                    sink.put(b"/");
                }
                uri::put_path(sink, key, canonical);
            }
        }
    }

    /// Puts the canonical query, which most requests do not have.
    #[inline(never)]
    fn put_query(
        &self,
        sink: &mut impl Sink,
        scope: Option<Scope<'_>>,
        headers: &SignedHeaders<'_>,
    ) {
        let mut added = AddedParameters::new();
        if let (Some(scope), HeadAuth::Query { expires, payload }) = (scope, self.auth) {
            let presigning = Presigning {
                credential: &self.origin.credential,
                session_token: self.origin.session_token.as_ref(),
                scope,
                date: &self.date,
                expires,
                payload,
                headers,
            };
            presigning.list(&mut added);
        }
        self.head.query.put_with(sink, &added, self.replaced);
    }

    fn put_authorization(
        &self,
        sink: &mut SliceSink<'_>,
        scope: Scope<'_>,
        headers: &SignedHeaders<'_>,
        places: &mut HeadSpans,
    ) {
        sink.put(b"Authorization: AWS4-HMAC-SHA256 Credential=");
        scope.put_credential(sink, self.origin.credential.access_key());
        sink.put(b", SignedHeaders=");
        places.names.start = sink.len();
        canonical::put_names(sink, headers.iter().copied());
        places.names.end = sink.len();
        sink.put(b", Signature=");
        places.signature = sink.len();
        SignatureV4::PLACEHOLDER.put(sink);
        sink.put(b"\r\n");
    }

    /// Lists the headers that are written again, besides Host and those that tell of the body.
    fn added(&self) -> AddedHeaders<'_> {
        let mut added = AddedHeaders::new();
        match self.auth {
            HeadAuth::Header { payload } => {
                added.push((AddedHeader::ContentSha256, payload));
                added.push((AddedHeader::Date, self.date.as_bytes()));
                if let Some(token) = &self.origin.session_token {
                    added.push((AddedHeader::SecurityToken, token.expose()));
                }
            }
            HeadAuth::Query {
                payload: PresignedPayload::Header(payload),
                ..
            } => added.push((AddedHeader::ContentSha256, payload.as_bytes())),
            HeadAuth::Query { .. } | HeadAuth::Nowhere => {}
        }
        added
    }

    fn is_presigned(&self) -> bool {
        matches!(self.auth, HeadAuth::Query { .. })
    }

    fn host(&self) -> &[u8] {
        self.virtual_host.as_deref().unwrap_or(&self.origin.host)
    }
}

impl std::fmt::Debug for SignedHead<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignedHead")
            .field("head", self.head)
            .field("date", &self.date)
            .finish_non_exhaustive()
    }
}
