//! Re-signs a verified request for the origin that was picked.
mod body;
mod head;
mod header;
mod known_head;
mod names;
mod query;

use self::{
    body::BodyOut,
    head::{HeadAuth, HeadSigner},
    names::Destination,
};
pub use self::{
    head::SignedHead,
    known_head::{known_head, note_head},
    names::BucketNames,
};
use crate::{
    bucket_map::MappedName,
    chunked::encoder::Shape,
    crypto::sha256::EMPTY,
    date::Timestamp,
    error::Unsignable,
    keys::KeyCache,
    origin::Origin,
    payload::Payload,
    post_object::verified_form::PolicySigner,
    proof::{Proof, SignedBody},
    region::Region,
    text::uri,
    verified::Verified,
    wire::{HeadRoom, WireHead},
};

/// Signs the head of a verified request for an origin.
///
/// What is signed is what is on the wire. A header signature, and one of V2, becomes a V4 header
/// signature of `now`; a presigned request keeps its date and its end.
///
/// # Errors
/// If the head must not be sent.
pub fn sign<'a>(
    verified: &'a Verified<'_>,
    head: &'a WireHead<'a, 'a>,
    origin: &'a Origin,
    keys: &'a mut KeyCache,
    now: Timestamp,
) -> Result<SignedHead<'a>, Unsignable> {
    if !verified.may_use_keys_of(origin) {
        return Err(Unsignable::OtherAccount);
    }
    let operation = head.check_admitted(verified)?;
    if verified.auth_type().is_signed_for_origins() && !origin.has_keys() {
        return Err(Unsignable::NoKeys);
    }
    let admitted_path = verified.request.path;
    // In a path that nginx has decoded, a plus may have been a space. Where nobody has signed the client's path,
    // what nginx has made of it is what is asked for.
    if verified.auth_type().is_signed()
        && !uri::same_path(admitted_path, head.path)
        && (verified.request.has_plus || !uri::is_plain_path(admitted_path))
    {
        return Err(Unsignable::PathChanged);
    }
    let replaced = verified.opened_in(&head.query, origin)?;
    let mut to = Destination::of(verified, origin, replaced);
    to.added_keys = verified.added_keys(head, operation)?;
    to.check_mappable(verified, head, operation)?;
    let proof = &verified.proof;
    let date = match proof {
        Proof::V4Query { lifetime, .. } => lifetime.date,
        _ => keys.date(now),
    };
    let signing_key = |keys: &'a mut KeyCache| {
        let region = origin.region_for(proof.region());
        HeadSigner::from(keys.signing_key(&origin.credential, date.day(), region))
    };
    if let Some(document) = &verified.document {
        let sent = document.sent_to(origin, proof.region());
        let sent = sent.ok_or(Unsignable::Body)?;
        let payload = Payload::Hash(&sent.hash);
        let auth = match proof {
            Proof::V4Header { .. }
            | Proof::V2Header { .. }
            | Proof::V2Query { .. }
            | Proof::Granted { .. } => HeadAuth::Header {
                payload: payload.as_bytes(),
            },
            Proof::V4Query {
                lifetime,
                payload: signed,
                ..
            } => HeadAuth::Query {
                expires: lifetime.expires,
                payload: signed.replaced(payload),
            },
            Proof::PostPolicy { .. } | Proof::Preflight { .. } | Proof::Anonymous { .. } => {
                return Err(Unsignable::Body);
            }
        };
        let body = BodyOut::Replaced(&sent.bytes);
        return SignedHead::new(head, to, date, auth, Some(signing_key(keys)), body, None);
    }
    // What is dropped was checked for it.
    if origin.dialect.drops_checksums() && verified.digests.is_none() {
        return Err(Unsignable::Dialect);
    }
    let (auth, key, body) = match proof {
        Proof::V4Header {
            body: SignedBody::Streaming(upload),
            ..
        } => {
            let streaming = &upload.streaming;
            let (payload, body) = match origin.framing.decodes(streaming.kind) {
                false => (
                    streaming.kind.name().as_bytes(),
                    BodyOut::Framed(Shape::of(streaming, upload.chunk_size)),
                ),
                true => (
                    Payload::Unsigned.as_bytes(),
                    BodyOut::Decoded {
                        length: streaming.decoded_length,
                        checksum: upload.checksum.as_ref(),
                    },
                ),
            };
            (HeadAuth::Header { payload }, Some(signing_key(keys)), body)
        }
        Proof::V4Header {
            body: SignedBody::Plain(payload),
            ..
        }
        | Proof::V2Header { payload, .. }
        | Proof::V2Query { payload, .. } => {
            let payload = payload.as_bytes();
            let key = signing_key(keys);
            (HeadAuth::Header { payload }, Some(key), BodyOut::Untouched)
        }
        Proof::Granted { payload, .. } => {
            let payload = match payload {
                // Not every server takes what says nothing of a body that is not there.
                Payload::Unsigned if !head.has_body() => EMPTY,
                payload => payload.as_bytes(),
            };
            let key = signing_key(keys);
            (HeadAuth::Header { payload }, Some(key), BodyOut::Untouched)
        }
        Proof::V4Query {
            lifetime,
            payload,
            link,
            ..
        } => {
            let auth = HeadAuth::Query {
                expires: lifetime.expires,
                payload: *payload,
            };
            let region = origin.region_for(proof.region());
            let link = link.map(|link| link.id);
            let (key, seen) = keys.link_signing_key(&origin.credential, date.day(), region, link);
            let signer = HeadSigner { key, seen };
            (auth, Some(signer), BodyOut::Untouched)
        }
        Proof::PostPolicy { post, .. } => {
            // It is the policy that is signed, in the place of the head.
            let bucket = to.form_bucket(post.bucket())?;
            let bucket = bucket.as_ref().map(MappedName::as_bytes);
            let head = post.head(
                bucket,
                verified.added_field_key(post.bucket(), post.key()),
                PolicySigner {
                    credential: &origin.credential,
                    session_token: origin.session_token.as_ref(),
                    date: &date,
                    key: signing_key(keys).key,
                },
            );
            let stored_length = post.stored_length();
            let body = BodyOut::Form {
                head,
                stored_length,
            };
            (HeadAuth::Nowhere, None, body)
        }
        Proof::Anonymous { .. } | Proof::Preflight(_) => {
            (HeadAuth::Nowhere, None, BodyOut::Untouched)
        }
    };
    let digests = verified.digests.as_deref();
    SignedHead::new(head, to, date, auth, key, body, digests)
}

/// Signs the head of a request that the proxy makes in its own name, as a health check is. It has no
/// body. `names` says whose names it has for buckets.
///
/// # Errors
/// If the head must not be sent.
pub fn sign_own(
    head: &[u8],
    names: BucketNames,
    origin: &Origin,
    keys: &mut KeyCache,
    now: Timestamp,
) -> Result<Vec<u8>, Unsignable> {
    if !origin.has_keys() {
        return Err(Unsignable::NoKeys);
    }
    let mut room = HeadRoom::default();
    let head = WireHead::parse_own(head, &mut room)?;
    let date = keys.date(now);
    let region = origin.region_for(&Region::US_EAST_1);
    let key = keys.signing_key(&origin.credential, date.day(), region);
    let auth = HeadAuth::Header { payload: EMPTY };
    let mut signed = SignedHead::new(
        &head,
        Destination::of_own(names, origin),
        date,
        auth,
        Some(key.into()),
        BodyOut::Untouched,
        None,
    )?;
    let mut out = vec![0; signed.max_len()];
    let length = signed.write(&mut out).ok_or(Unsignable::TooLong)?;
    out.truncate(length);
    Ok(out)
}
