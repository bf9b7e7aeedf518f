//! The upstreams that are checked, and what is known of them.
//!
//! What is known of each address lies in shared memory, so that it outlives workers and binaries. One
//! worker checks an upstream, as long as it renews its lease; it marks peers as down in the upstream's
//! own shared memory, where all workers look when they pick one.

use std::cell::Cell;
use std::process;

use directives::HealthCheckLine;
use health::{Leader, UpstreamHealth, UpstreamRecord};
use ngx_safe::complete::Complete;
use ngx_safe::cycle::Cycle;
use ngx_safe::request::Request;
use ngx_safe::upstream::{Upstream, UpstreamId};
use ngx_safe::worker::Now;
use shm::Zone;

use crate::S3Resign;
use crate::conf::{OwnUpstream, UpstreamConf};
use crate::log::note_new_start;

/// Milliseconds between two looks at what there is to do, at the most.
pub(super) const TICK: u64 = 500;
/// Milliseconds without a look after which another worker goes on.
pub(super) const LEASE: u64 = 4 * TICK;

/// The upstreams of a configuration that are checked.
#[derive(Default)]
pub(crate) struct Checks {
    pub(super) zone: Option<Zone<UpstreamRecord>>,
    upstreams: Vec<Declared>,
}

/// An upstream that is checked; its record has the same index in the zone.
struct Declared {
    pub(super) upstream: UpstreamId,
    /// The generation of this configuration, once nginx is about to use it.
    generation: Cell<u32>,
}

/// An upstream that is checked, with all that belongs to it.
#[derive(Clone, Copy)]
pub(super) struct CheckedUpstream<'c> {
    pub(super) index: usize,
    pub(super) upstream: Upstream<'c>,
    pub(super) conf: &'c UpstreamConf,
    pub(super) check: &'c HealthCheckLine,
    generation: &'c Cell<u32>,
    pub(super) record: &'c UpstreamRecord,
}

/// A finder of upstreams by what is kept of them.
pub(crate) trait FindUpstream<'c> {
    fn upstream(&self, id: UpstreamId) -> Option<Upstream<'c>>;
}

impl<'c> FindUpstream<'c> for Cycle<'c, S3Resign> {
    fn upstream(&self, id: UpstreamId) -> Option<Upstream<'c>> {
        Cycle::upstream(*self, id)
    }
}

impl<'r> FindUpstream<'r> for Request<'r> {
    fn upstream(&self, id: UpstreamId) -> Option<Upstream<'r>> {
        Request::upstream(*self, id)
    }
}

impl Checks {
    /// Declares the checks at configuration time, when all upstreams have been read.
    pub(crate) fn declare(cf: &Complete<'_, S3Resign>) -> Result<Checks, String> {
        let is_checked =
            |upstream: &Upstream<'_>| upstream.own_conf().is_some_and(UpstreamConf::is_checked);
        let checked: Vec<_> = cf.upstreams().filter(is_checked).collect();
        if checked.is_empty() {
            return Ok(Checks::default());
        }
        let keys = checked.iter().map(|upstream| upstream.name());
        let zone = Zone::open("health", keys, UpstreamRecord::meaning(), cf.conf().heir());
        let zone = zone.map_err(|why| why.to_string())?;
        if zone.begins_again() {
            note_new_start(cf.conf().log(), &zone.name());
        }
        let declared = |upstream: &Upstream<'_>| {
            Some(Declared {
                upstream: upstream.id_among(cf.upstreams())?,
                generation: Cell::new(0),
            })
        };
        Ok(Checks {
            zone: Some(zone),
            upstreams: checked.iter().filter_map(declared).collect(),
        })
    }

    pub(super) fn is_needed(&self) -> bool {
        !self.upstreams.is_empty()
    }

    /// Prepares the checks in nginx's master, before the workers of this configuration start: their peers are
    /// new, and nobody else knows yet which of them are down.
    pub(crate) fn prepare(&self, cycle: Cycle<'_, S3Resign>) {
        let Some(zone) = &self.zone else { return };
        // What was known when the upstream was checked some time ago may be true no more.
        zone.adopt(UpstreamRecord::forget);
        let now = Now::read();
        for checked in self.iter(cycle) {
            let generation = zone.locked(|| checked.record.begin_generation(now.ticks));
            checked.generation.set(generation);
            checked.apply();
        }
    }

    pub(super) fn iter<'c>(
        &'c self,
        find: impl FindUpstream<'c>,
    ) -> impl Iterator<Item = CheckedUpstream<'c>> {
        (0..self.upstreams.len()).filter_map(move |index| self.get(&find, index))
    }

    pub(super) fn get<'c>(
        &'c self,
        find: &impl FindUpstream<'c>,
        index: usize,
    ) -> Option<CheckedUpstream<'c>> {
        let declared = self.upstreams.get(index)?;
        let upstream = find.upstream(declared.upstream)?;
        let conf = upstream.own_conf()?;
        Some(CheckedUpstream {
            index,
            upstream,
            conf,
            check: conf.health.as_ref()?,
            generation: &declared.generation,
            record: self.zone.as_ref()?.record(index)?,
        })
    }

    /// Tells whether the upstream, or else each one that is checked, has an origin that is not down.
    pub(crate) fn is_up(&self, request: Request<'_>, upstream: Option<UpstreamId>) -> bool {
        let upstream = upstream.and_then(|id| request.upstream(id));
        self.iter(request)
            .filter(|checked| upstream.is_none_or(|upstream| upstream == checked.upstream))
            .all(|checked| checked.has_origin_up())
    }

    /// Collects all that is known, for whoever wants to show it.
    pub(crate) fn snapshot(&self, request: Request<'_>) -> Vec<UpstreamHealth> {
        self.iter(request)
            .map(|checked| UpstreamHealth {
                name: checked.upstream.name().escape_ascii().to_string(),
                is_up: checked.has_origin_up(),
                addresses: checked.record.addresses(),
            })
            .collect()
    }
}

impl CheckedUpstream<'_> {
    pub(super) fn has_origin_up(&self) -> bool {
        self.upstream
            .any_peer_in_use(|server, address| !self.record.is_down(server, address))
    }

    /// Takes the origins that are down out of use, and the others back; where all are down, all are
    /// used, since an answer may come and a rejection is certain. Tells whether that has come to pass
    /// just now.
    pub(super) fn apply(&self) -> bool {
        let all_down = !self.has_origin_up();
        self.upstream
            .mark(|server, address| !all_down && self.record.is_down(server, address));
        self.record.begins_all_down(all_down)
    }

    /// This worker, with this configuration.
    pub(super) fn me(&self) -> Leader {
        Leader {
            generation: self.generation.get(),
            process: process::id(),
        }
    }

    /// Tells whether workers of this configuration cannot rely on the one that checks: it knows the peers of
    /// its own configuration only.
    pub(super) fn is_led_by_others(&self) -> bool {
        !self.record.is_led_by_generation(self.generation.get())
    }
}
