//! What a location demands of requests.
use std::sync::Arc;

use crate::{
    account::Account, address::Endpoint, auth_type::AuthType, date::Timestamp, error::Rejection,
    grant::Grant, identity::Identity, region::Region, scope::ClaimedScope, sse_c::CustomerKeys,
};

/// The location's settings.
#[derive(Debug, Clone, Default)]
pub struct VerifyRules {
    /// Seconds a request's date may differ from now.
    pub max_skew: i64,
    /// Seconds that a presigned link or a browser's form is good for at the most, whatever it says itself.
    pub max_age: Option<i64>,
    /// The one region that clients must sign for.
    pub region: Option<Region>,
    pub anonymous: Anonymous,
    pub signature_v2: bool,
    /// Small chunks, but the last one, are rejected as S3 rejects them, which other servers take.
    pub rejects_small_chunks: bool,
    /// Bodies are verified by the hash in their head.
    pub verify_payload: bool,
    /// First segments of paths that are no buckets: such a request goes nowhere.
    pub reserved: Vec<Box<[u8]>>,
    pub endpoint: Endpoint,
    /// The keys with which its objects are encrypted.
    pub customer_keys: Option<Arc<CustomerKeys>>,
    /// By which verdicts are kept: nothing above changes once it is in use.
    pub identity: Identity,
}

/// What becomes of requests without a signature.
#[derive(Debug, Clone, Default)]
pub enum Anonymous {
    #[default]
    Rejected,
    /// They go out as they are, unsigned.
    PassedOn,
    /// Those within this grant are signed for the origin, with the keys of this account there.
    Signed {
        grant: Arc<Grant>,
        account: Option<Account>,
    },
}

impl VerifyRules {
    pub(crate) fn check_region(
        &self,
        scope: ClaimedScope<'_>,
        auth_type: AuthType,
    ) -> Result<(), Rejection> {
        match &self.region {
            Some(expected) if expected.as_bytes() != scope.region => Err(Rejection::WrongRegion {
                expected: *expected,
                auth_type,
            }),
            _ => Ok(()),
        }
    }

    /// Whether a link or form was made too long ago.
    pub(crate) fn is_too_old(&self, date: Timestamp, now: Timestamp) -> bool {
        self.ends_too_late(now, date)
    }

    /// Whether something ends later than what begins then may.
    pub(crate) fn ends_too_late(&self, end: Timestamp, start: Timestamp) -> bool {
        self.max_age
            .is_some_and(|age| end.0 > start.0.saturating_add(age))
    }

    pub(crate) fn check_skew(&self, date: Timestamp, now: Timestamp) -> Result<(), Rejection> {
        if date.distance(now) > u64::try_from(self.max_skew).unwrap_or(0) {
            return Err(Rejection::RequestTimeTooSkewed);
        }
        Ok(())
    }
}
