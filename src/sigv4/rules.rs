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
    /// The one region that clients must sign for.
    pub region: Option<Region>,
    pub anonymous: Anonymous,
    pub signature_v2: bool,
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

    pub(crate) fn check_skew(&self, date: Timestamp, now: Timestamp) -> Result<(), Rejection> {
        if date.distance(now) > u64::try_from(self.max_skew).unwrap_or(0) {
            return Err(Rejection::RequestTimeTooSkewed);
        }
        Ok(())
    }
}
