//! How long presigned links are good.
use crate::{
    date::{AmzDate, Timestamp},
    error::Rejection,
    rules::VerifyRules,
};

/// From when and for how long a presigned V4 request is valid.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lifetime {
    pub(crate) date: AmzDate,
    /// In seconds.
    pub(crate) expires: u32,
}

impl Lifetime {
    pub(crate) fn check(&self, rules: &VerifyRules, now: Timestamp) -> Result<(), Rejection> {
        let date = self.date.timestamp();
        if date.0 > now.0.saturating_add(rules.max_skew) {
            return Err(Rejection::NotYetValid);
        }
        let end = date.0.saturating_add(i64::from(self.expires));
        if now.0 > end || rules.is_too_old(date, now) {
            return Err(Rejection::RequestExpired);
        }
        Ok(())
    }
}
