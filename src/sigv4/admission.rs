//! Checks whether a request may go out: by the rules of its location, and by the grant of its client or location. A
//! request is checked as the client sent it, and again if it goes out as another one.
use crate::{
    error::Rejection,
    grant::Grant,
    lent::check_lent,
    proof::Proof,
    request::Header,
    rules::VerifyRules,
    s3_request::S3Request,
    text::query::Query,
    text::uri::{self, Part},
};

/// Whose rules and grant a request is under.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Admission<'r> {
    rules: &'r VerifyRules,
    /// `None` for a request that goes out unsigned.
    grant: Option<&'r Grant>,
    /// Nobody has signed it: the grant is the location's.
    is_lent: bool,
}

impl<'r> Admission<'r> {
    pub(crate) fn new(rules: &'r VerifyRules, proof: &Proof<'r>) -> Admission<'r> {
        Admission {
            rules,
            grant: proof.grant(),
            is_lent: matches!(proof, Proof::Granted { .. }),
        }
    }

    /// Checks a request as it goes out. `Grant::permits_form` checks the key of a form.
    pub(crate) fn check<'h>(
        &self,
        request: &S3Request<'_>,
        query: &Query<'_, '_>,
        headers: impl Iterator<Item = Header<'h>> + Clone,
    ) -> Result<(), Rejection> {
        self.rules.check_name(request)?;
        if self.rules.customer_keys.is_some() && !request.path.stays_on_windows() {
            return Err(Rejection::LeavesBucket);
        }
        let is_permitted = |grant: &Grant| grant.permits(request, query, headers.clone());
        if !self.grant.is_none_or(is_permitted) {
            return Err(Rejection::AccessDenied);
        }
        match self.is_lent {
            true => check_lent(request.operation(), query, headers),
            false => Ok(()),
        }
    }
}

impl VerifyRules {
    /// Rejects names that stand for something else at origins, as their administration.
    pub(crate) fn check_name(&self, request: &S3Request<'_>) -> Result<(), Rejection> {
        let bucket = request.path.raw_bucket();
        let mut reserved = self.reserved.iter();
        let is_reserved =
            reserved.any(|name| bucket.len() >= name.len() && is_decoded(bucket, name));
        match is_reserved {
            true => Err(Rejection::ReservedName),
            false => Ok(()),
        }
    }
}

/// Whether a raw segment is a name once it is decoded.
fn is_decoded(raw: &[u8], name: &[u8]) -> bool {
    // Most differ in the first byte.
    let may_be = matches!(raw, [first, ..] if *first == b'%' || name.first() == Some(first));
    may_be && uri::decoded(raw, Part::Path).eq(name.iter().copied())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ties::each_edit;

    #[test]
    fn a_name_is_found_as_in_the_decoded_segment() {
        for text in ["minio", "%6dinio", "%6D%69nio"] {
            each_edit(text.as_bytes(), |raw| {
                for name in [b"minio".as_slice(), b"%6dinio", b""] {
                    let expected = percent_encoding::percent_decode(raw).eq(name.iter().copied());
                    let found = !name.is_empty() && is_decoded(raw, name);
                    assert_eq!(
                        found,
                        expected && !name.is_empty(),
                        "{}",
                        raw.escape_ascii()
                    );
                }
            });
        }
    }
}
