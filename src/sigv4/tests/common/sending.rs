//! The same request in every way of signing, with the parts of a key.
use sigv4::*;

use super::{
    Raw,
    form::{SampleForm, decode},
    reference::{self, NOW, Sample},
    rules,
};

#[derive(Debug, Clone, Copy)]
pub enum Way {
    V4Header,
    V4Query,
    V2Header,
    V2Query,
    V4Form,
}

impl Way {
    pub const ALL: [Way; 5] = [
        Way::V4Header,
        Way::V4Query,
        Way::V2Header,
        Way::V2Query,
        Way::V4Form,
    ];
}

/// A key as a client has it.
#[derive(Debug, Clone)]
pub struct Parts {
    pub access_key: String,
    pub secret: String,
    pub token: Option<String>,
}

impl Parts {
    pub fn of(key: &MintedKey) -> Parts {
        Parts {
            access_key: key.access_key.clone(),
            secret: key.secret_key.to_string(),
            token: Some(key.session_token.clone()),
        }
    }
}

/// What comes of a request.
pub fn sent<C>(way: Way, clients: &C, parts: &Parts) -> String
where
    for<'c> &'c C: Clients<'c>,
{
    sent_at(way, clients, parts, NOW)
}

/// The same at some time.
pub fn sent_at<C>(way: Way, clients: &C, parts: &Parts, now: i64) -> String
where
    for<'c> &'c C: Clients<'c>,
{
    let rules = VerifyRules {
        signature_v2: true,
        // So that a key can be used at any time.
        max_skew: 1 << 40,
        ..rules()
    };
    let mut keys = KeyCache::new(8);
    let now = Timestamp(now);
    let text = text(way, parts);
    let raw = Raw::new(&text);
    if let Way::V4Form = way {
        let (decoder, _) = decode(&raw, &form(parts).body(), &[]).unwrap();
        let head = decoder.head().unwrap().to_vec();
        let request = raw.request();
        let pending = verify_form(&request, &decoder, &head, clients, &rules, &mut keys, now);
        return outcome(pending.map(|_| ()));
    }
    let verified = verify(&raw.request(), clients, &rules, &mut keys, now);
    outcome(verified.map(|_| ()))
}

fn text(way: Way, parts: &Parts) -> String {
    let mut sample = Sample::new("GET", "/bucket/key");
    sample.key.clone_from(&parts.access_key);
    sample.secret.clone_from(&parts.secret);
    sample.expires = "604800".into();
    let token = parts.token.as_deref();
    let sample = match (way, token) {
        (Way::V4Query, Some(token)) => {
            let token = reference::encode(token.as_bytes(), false);
            sample.query = format!("X-Amz-Security-Token={token}");
            sample
        }
        (_, Some(token)) => sample.header("x-amz-security-token", token),
        (_, None) => sample,
    };
    match way {
        Way::V4Header => sample.header_form(),
        Way::V4Query => sample.query_form(),
        Way::V2Header => sample.v2_header_form(),
        Way::V2Query => sample.v2_query_form(),
        Way::V4Form => form(parts).head(),
    }
}

fn form(parts: &Parts) -> SampleForm {
    let form = SampleForm {
        access_key: parts.access_key.clone(),
        secret: parts.secret.clone(),
        ..SampleForm::new("key")
    };
    match &parts.token {
        Some(token) => form.field("x-amz-security-token", token),
        None => form,
    }
}

fn outcome(verdict: Result<(), Rejected<'_>>) -> String {
    match verdict {
        Ok(()) => "accepted".into(),
        Err(rejected) => rejected.rejection.code().into(),
    }
}
