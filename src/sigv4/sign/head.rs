//! The head to send.
use std::ops::Range;

use super::{
    body::BodyOut,
    header::{AddedHeader, AddedHeaders, SignedHeaders, put_header, put_other_encodings},
    names::{Destination, PlacedNames},
    query::{AddedParameters, Presigning},
};
use crate::{
    canonical::{self, CanonicalText, SignedHeader},
    chunked::{chain::Chain, encoder::Encoder},
    credential::Credential,
    crypto::{sha256::Sha256Sink, signature::SignatureV4},
    date::AmzDate,
    digests::Digests,
    error::Unsignable,
    header_fate::SentHeaders,
    keys::SigningKey,
    origin::Origin,
    proof::PresignedPayload,
    request::Header,
    scope::Scope,
    seen_links::SeenLink,
    sse_c::AddedKeys,
    text::{
        query::{QueryChanges, ReplacedValue},
        sink::{CountSink, Sink, SliceSink, put_number},
    },
    wire::WireHead,
};

/// The head to send: signed as it is written into memory of the caller's.
pub struct SignedHead<'a> {
    head: &'a WireHead<'a, 'a>,
    replaced: Option<ReplacedValue<'a>>,
    origin: &'a Origin,
    date: AmzDate,
    names: PlacedNames<'a>,
    added_keys: AddedKeys<'a>,
    auth: HeadAuth<'a>,
    /// `None` where the head is not signed.
    signer: Option<HeadSigner<'a>>,
    body: BodyOut<'a>,
    /// A header that is added for the body.
    digest: Option<Header<'a>>,
    max_len: usize,
}

/// Signs a head.
pub(super) struct HeadSigner<'a> {
    pub(super) key: &'a mut SigningKey,
    /// What is kept of a link, of which the head may have been signed before.
    pub(super) seen: Option<&'a mut SeenLink>,
}

impl<'a> From<&'a mut SigningKey> for HeadSigner<'a> {
    fn from(key: &'a mut SigningKey) -> HeadSigner<'a> {
        HeadSigner { key, seen: None }
    }
}

impl HeadSigner<'_> {
    #[inline(always)]
    fn sign(
        &mut self,
        credential: &Credential,
        date: &AmzDate,
        text: &impl CanonicalText,
    ) -> SignatureV4 {
        let key = &mut *self.key;
        let mut compute = || {
            let mut hash = Sha256Sink::default();
            text.put(&mut hash);
            key.sign_request(date, &hash.finish())
        };
        match &mut self.seen {
            Some(seen) => seen.for_origin(credential, text, compute),
            None => compute(),
        }
    }
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
        head: &'a WireHead<'a, 'a>,
        to: Destination<'a>,
        date: AmzDate,
        auth: HeadAuth<'a>,
        signer: Option<HeadSigner<'a>>,
        body: BodyOut<'a>,
        digests: Option<&'a Digests>,
    ) -> Result<SignedHead<'a>, Unsignable> {
        let mut signed = SignedHead {
            head,
            replaced: to.replaced,
            origin: to.origin,
            date,
            names: PlacedNames::default(),
            added_keys: to.added_keys,
            auth,
            signer,
            digest: body.digest(head, digests, to.origin.dialect),
            body,
            max_len: 0,
        };
        signed.names.place(head, &to)?;
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
            + (self.signer.as_ref()).map_or(0, |signer| signer.key.scope().as_bytes().len())
            + self.head.names_length
            + self.added_keys.names_length()
            + self.digest.map_or(0, |digest| digest.name.len() + 1);
        // In a query a byte may become three.
        let factor = if self.is_presigned() { 3 } else { 1 };
        let kept: usize = self.kept().map(<[u8]>::len).sum();
        let mut changed = CountSink::default();
        self.put_changed_headers(&mut changed);
        FIXED
            + self.head.target_max_len()
            + (self.replaced.as_ref()).map_or(0, ReplacedValue::max_len)
            + self.names.max_len()
            + self.host().len()
            + kept
            + changed.0
            + self.body.start().len()
            + factor * varying
    }

    /// Returns the lines that go on the wire as they are.
    fn kept(&self) -> impl Iterator<Item = &'a [u8]> {
        let has_source = self.names.source().is_some();
        self.head.kept(self.sent_headers(), has_source)
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
            let key = self.signer.as_ref()?.key.clone();
            chain = Some(Chain::new(key, self.date, signature?));
        }
        Some((length, Some(Encoder::new(shape, chain))))
    }

    fn put_signed(&mut self, out: &mut [u8]) -> Option<(usize, Option<SignatureV4>)> {
        // It changes as it signs, while the rest is read.
        let mut signer = self.signer.take();
        let written = self.put(signer.as_mut(), out);
        self.signer = signer;
        written
    }

    /// Writes the head; returns its length and the signature in it. `None` if `out` is too short.
    fn put(
        &self,
        signer: Option<&mut HeadSigner<'_>>,
        out: &mut [u8],
    ) -> Option<(usize, Option<SignatureV4>)> {
        if out.len() < self.max_len {
            return None;
        }
        let mut sink = SliceSink::new(out);
        let added = self.added();
        let mut headers = SignedHeaders::new();
        if signer.is_some() {
            self.list_signed(&added, &mut headers);
        }
        let scope = signer.as_ref().map(|signer| signer.key.scope());
        let mut places = self.put_request_line(&mut sink, scope, &headers);
        put_header(&mut sink, AddedHeader::Host.label(), self.host());
        self.kept().for_each(|lines| sink.put(lines));
        self.put_changed_headers(&mut sink);
        for (header, value) in &added {
            put_header(&mut sink, header.label(), value);
        }
        if let Some(scope) = scope
            && !self.is_presigned()
        {
            self.put_authorization(&mut sink, scope, &headers, &mut places);
        }
        let signature = signer.map(|signer| {
            let text = CanonicalHead {
                head: self,
                headers: &headers,
                places: &places,
                written: sink.filled(),
            };
            signer.sign(&self.origin.credential, &self.date, &text)
        });
        if let Some(signature) = &signature {
            signature.replace_placeholder(&mut sink, places.signature);
        }
        sink.put(b"\r\n");
        sink.put(self.body.start());
        Some((sink.finish()?.len(), signature))
    }

    /// Lists the headers to sign, sorted; repeated ones in their order on the wire.
    fn list_signed<'h>(&'h self, added: &AddedHeaders<'h>, headers: &mut SignedHeaders<'h>) {
        let source = self.names.source();
        for header in self.head.to_sign(self.sent_headers()) {
            let header = match source {
                Some(source) if source.name == header.name => source,
                _ => header,
            };
            headers.push(header.into());
        }
        for header in self.added_keys.headers() {
            headers.push(header.into());
        }
        if let Some(digest) = self.digest {
            headers.push(digest.into());
        }
        // Most often there are no others, and these are in order.
        let are_sorted = headers.is_empty();
        let host = std::iter::once((AddedHeader::Host, self.host()));
        for (header, value) in host.chain(added.iter().copied()) {
            headers.push(SignedHeader {
                name: header.name(),
                value,
                canonical: header != AddedHeader::SecurityToken,
            });
        }
        if !are_sorted {
            headers.sort_by(|a, b| canonical::order(a.name, b.name));
        }
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
        self.names.put_path(sink, self.head);
        places.path.end = sink.len();
        if self.is_presigned() || self.head.query.has_others_but(self.names.dropped()) {
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

    /// Puts the headers that are other ones than the client's: the source of a copy, keys for its objects, and what
    /// tells of a body whose framing is another now.
    fn put_changed_headers(&self, sink: &mut impl Sink) {
        if let Some(source) = self.names.source() {
            sink.put(source.name);
            put_header(sink, b": ", source.value);
        }
        for header in self.added_keys.headers() {
            sink.put(header.name);
            put_header(sink, b": ", header.value);
        }
        if let BodyOut::Decoded { .. } = self.body {
            self.head
                .encodings()
                .for_each(|value| put_other_encodings(sink, value));
        }
        if let Some(digest) = self.digest {
            sink.put(digest.name);
            put_header(sink, b": ", digest.value);
        }
        if let Some(length) = self.body.length() {
            sink.put(b"Content-Length: ");
            put_number(sink, length);
            sink.put(b"\r\n");
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
        self.head.query.put_with(sink, &added, self.query_changes());
    }

    fn query_changes(&self) -> QueryChanges<'_> {
        QueryChanges {
            dropped: self.names.dropped(),
            replaced: self.replaced,
        }
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

    fn sent_headers(&self) -> SentHeaders {
        SentHeaders {
            body: self.body.headers(),
            drops_checksums: self.origin.dialect.drops_checksums(),
        }
    }

    fn is_presigned(&self) -> bool {
        matches!(self.auth, HeadAuth::Query { .. })
    }

    fn host(&self) -> &[u8] {
        self.names.host(self.origin)
    }
}

/// The canonical request of a head, in which path and query are as they have been written.
struct CanonicalHead<'h, 'a> {
    head: &'h SignedHead<'a>,
    headers: &'h SignedHeaders<'h>,
    places: &'h HeadSpans,
    written: &'h [u8],
}

impl CanonicalText for CanonicalHead<'_, '_> {
    #[inline(always)]
    fn put(&self, sink: &mut impl Sink) {
        let part = |range: &Range<usize>| self.written.get(range.clone()).unwrap_or_default();
        let headers = || self.headers.iter().copied();
        canonical::put_request(
            sink,
            self.head.head.method,
            |sink| sink.put(part(&self.places.path)),
            |sink| sink.put(part(&self.places.query)),
            |sink| canonical::put_headers(sink, headers()),
            |sink| match self.head.is_presigned() {
                true => canonical::put_names(sink, headers()),
                false => sink.put(part(&self.places.names)),
            },
            match &self.head.auth {
                HeadAuth::Header { payload } => payload,
                HeadAuth::Query { payload, .. } => payload.payload().as_bytes(),
                HeadAuth::Nowhere => b"",
            },
        );
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
