//! An origin, and its keys.

use serde::Serialize;

use super::AnswersJson;
use crate::{FIRST_BYTE_BOUNDS, FirstByteTimes, OriginKeysRow, OriginRow, RECENT_ORIGIN_SECONDS};

#[derive(Serialize)]
pub(super) struct OriginJson<'a> {
    upstream: &'a str,
    server: &'a str,
    weight: u64,
    backup: bool,
    switched_off: bool,
    state: &'static str,
    in_flight: u64,
    answers: AnswersJson<'a>,
    given_up: u64,
    received_bytes: u64,
    sent_bytes: u64,
    first_byte: FirstByteJson<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_success: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_rejection: Option<LastStatusJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_failure: Option<LastStatusJson>,
    recent: RecentTriesJson<'a>,
}

#[derive(Serialize)]
struct FirstByteJson<'a> {
    bounds_ms: &'static [u64],
    counts: &'a [u64],
    sum_ms: u64,
    recent_counts: &'a [u64],
    #[serde(skip_serializing_if = "Option::is_none")]
    recent_p50_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recent_p99_ms: Option<u64>,
}

#[derive(Serialize)]
struct LastStatusJson {
    time: u64,
    status: u32,
}

#[derive(Serialize)]
struct RecentTriesJson<'a> {
    period_seconds: u64,
    successes: &'a [u64],
    rejections: &'a [u64],
    failures: &'a [u64],
}

#[derive(Serialize)]
pub(super) struct OriginKeysJson<'a> {
    upstream: &'a str,
    server: &'a str,
    provider: &'a str,
    usable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_refresh: Option<u64>,
    refreshed: u64,
    failed: u64,
    last_error: &'a str,
}

impl<'a> OriginJson<'a> {
    pub(super) fn of(origin: &'a OriginRow) -> OriginJson<'a> {
        OriginJson {
            upstream: &origin.upstream,
            server: &origin.server,
            weight: origin.role.weight,
            backup: origin.role.is_backup,
            switched_off: origin.role.is_off,
            state: origin.state.name(),
            in_flight: origin.in_flight,
            answers: AnswersJson(&origin.answers),
            given_up: origin.given_up,
            received_bytes: origin.received,
            sent_bytes: origin.sent,
            first_byte: FirstByteJson::of(&origin.first_byte),
            last_success: origin.succeeded,
            last_rejection: origin.rejected.map(LastStatusJson::of),
            last_failure: origin.failed.map(LastStatusJson::of),
            recent: RecentTriesJson {
                period_seconds: RECENT_ORIGIN_SECONDS,
                successes: &origin.successes,
                rejections: &origin.rejections,
                failures: &origin.failures,
            },
        }
    }
}

impl<'a> FirstByteJson<'a> {
    fn of(times: &'a FirstByteTimes) -> FirstByteJson<'a> {
        let within = |percent| times.within(percent).and_then(Result::ok);
        FirstByteJson {
            bounds_ms: &FIRST_BYTE_BOUNDS,
            counts: &times.counts,
            sum_ms: times.milliseconds,
            recent_counts: &times.recent,
            recent_p50_ms: within(50),
            recent_p99_ms: within(99),
        }
    }
}

impl LastStatusJson {
    fn of((time, status): (u64, u32)) -> LastStatusJson {
        LastStatusJson { time, status }
    }
}

impl<'a> OriginKeysJson<'a> {
    pub(super) fn of(keys: &'a OriginKeysRow) -> OriginKeysJson<'a> {
        OriginKeysJson {
            upstream: &keys.upstream,
            server: &keys.server,
            provider: &keys.provider,
            usable: keys.are_there,
            expires: keys.expires,
            last_refresh: keys.refreshed_at,
            refreshed: keys.refreshed,
            failed: keys.failed,
            last_error: &keys.error,
        }
    }
}
