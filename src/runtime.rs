//! What a process keeps for a configuration: keys, checks, counters.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
use std::ffi::CStr;
use std::rc::Rc;

use client_files::ClientFile;
use metrics::{Metrics, OriginName, ServerRole};
use ngx_safe::complete::Complete;
use sigv4::{KeyCache, MintedKeys};

use crate::S3Resign;
use crate::conf::{Accounts, Origins, OwnUpstream};
use crate::health_checks::checks::Checks;
use crate::key_sets::KeySets;
use crate::log::note_new_start;
use crate::origin_keys::Providers;

const SIGN_TIME: &CStr = c"s3_sign_time";

/// Signing keys that a worker keeps: one for each credential, day and region in use. About 1 MiB.
const SIGNING_KEYS: usize = 4096;

/// Minted keys that a worker keeps opened, and how many bytes they may need: about 3 KiB each, but up to 60 with the
/// longest list of buckets, which clients choose.
const MINTED_KEYS: usize = 4096;
const MINTED_SIZE: usize = 32 << 20;

pub(crate) struct Runtime {
    pub(crate) keys: RefCell<KeyCache>,
    pub(crate) minted: RefCell<MintedKeys>,
    /// Empty until the configuration is whole.
    checks: OnceCell<Checks>,
    /// `$s3_sign_time` is in use, or `s3_status`, which counts it.
    pub(crate) sign_time: Cell<bool>,
    /// `s3_status` is in use.
    pub(crate) wants_status: Cell<bool>,
    pub(crate) origins: Origins,
    pub(crate) providers: Providers,
    pub(crate) key_sets: KeySets,
    pub(crate) accounts: Accounts,
    /// Each of the configuration's once, however many levels have it.
    pub(crate) client_files: RefCell<Vec<Rc<ClientFile>>>,
    /// Where it is in use, once the configuration is whole.
    pub(crate) metrics: OnceCell<Metrics>,
}

impl Default for Runtime {
    fn default() -> Runtime {
        Runtime {
            keys: RefCell::new(KeyCache::new(SIGNING_KEYS)),
            minted: RefCell::new(MintedKeys::new(MINTED_KEYS, MINTED_SIZE)),
            checks: OnceCell::new(),
            sign_time: Cell::new(false),
            wants_status: Cell::new(false),
            origins: Origins::default(),
            providers: Providers::default(),
            key_sets: KeySets::default(),
            accounts: Accounts::default(),
            client_files: RefCell::default(),
            metrics: OnceCell::new(),
        }
    }
}

impl Runtime {
    /// Returns the checks; None until the configuration is whole.
    pub(crate) fn checks(&self) -> Option<&Checks> {
        self.checks.get()
    }

    pub(crate) fn metrics(&self) -> Option<&Metrics> {
        self.metrics.get()
    }

    pub(crate) fn wants_sign_time(&self) -> bool {
        self.sign_time.get()
    }
}

/// Gives every upstream's servers their origins, and has them checked.
pub(crate) fn complete(cf: &Complete<'_, S3Resign>) -> Result<(), String> {
    let main = cf.main_conf();
    // Times are taken only where something shows them.
    let is_used = main.wants_status.get() || cf.conf().uses_variable(SIGN_TIME);
    main.sign_time.set(is_used);
    for upstream in cf.upstreams() {
        if let Some(conf) = upstream.own_conf() {
            conf.complete(upstream, main)?;
        }
    }
    main.accounts.check()?;
    main.providers.open(cf)?;
    main.key_sets.open(cf)?;
    let is_whole = "the configuration is whole already";
    main.checks
        .set(Checks::declare(cf)?)
        .map_err(|_| is_whole)?;
    // Where `s3_status` is in use, everything is counted.
    if main.wants_status.get() {
        let metrics = Metrics::open(origins(cf), cf.conf().heir());
        let metrics = metrics.map_err(|why| why.to_string())?;
        metrics
            .begins_again()
            .for_each(|name| note_new_start(cf.conf().log(), &name));
        main.metrics.set(metrics).map_err(|_| is_whole)?;
    }
    Ok(())
}

/// Lists all origins, with what their `server` lines say.
fn origins(cf: &Complete<'_, S3Resign>) -> Vec<(OriginName, ServerRole)> {
    let mut roles = HashMap::new();
    for upstream in cf.upstreams() {
        upstream.each_server(|server, line| {
            let role = roles.entry((upstream.name(), server.to_vec()));
            let role = role.or_insert(ServerRole {
                weight: 0,
                is_backup: true,
                is_off: true,
            });
            // Several lines with one text are one origin.
            role.weight = role.weight.saturating_add(line.weight);
            role.is_backup &= line.is_backup;
            role.is_off &= line.is_off;
        });
    }
    let with_role = |name: OriginName| {
        let role = roles.get(&(&*name.upstream, name.server.to_vec()));
        let role = role.copied().unwrap_or_default();
        (name, role)
    };
    let names = cf.main_conf().origins.names().into_iter();
    names.map(with_role).collect()
}
