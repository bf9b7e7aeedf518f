//! The typed configuration: what the directives say, its defaults and how levels merge.

mod location;
mod origin;
mod pass;
mod upstream;

use std::cell::{Cell, OnceCell, RefCell};

use metrics::{Metrics, OriginName};
use ngx_safe::complete::Complete;
use ngx_safe::level::Level;
use ngx_safe::upstream::Upstream;
use sigv4::KeyCache;

use crate::S3Resign;
use crate::health_checks::Checks;
use crate::log::log_notice;
use crate::variables::SIGN_TIME;
pub(crate) use location::LocationConf;
pub(crate) use origin::NamedOrigin;
pub(crate) use upstream::UpstreamConf;

/// Signing keys that a worker keeps: one for each credential, day and region in use. About 1 MiB.
const SIGNING_KEYS: usize = 4096;

pub(crate) struct MainConf {
    pub(crate) keys: RefCell<KeyCache>,
    /// Empty until the configuration is whole.
    checks: OnceCell<Checks>,
    /// `$s3_sign_time` is in use, or `s3_status`, which counts it.
    pub(crate) sign_time: Cell<bool>,
    /// `s3_status` is in use.
    pub(crate) wants_status: Cell<bool>,
    pub(crate) origins: Origins,
    /// Where it is in use, once the configuration is whole.
    pub(crate) metrics: OnceCell<Metrics>,
}

/// Every origin of the configuration: each has a number.
#[derive(Default)]
pub(crate) struct Origins(RefCell<Vec<OriginName>>);

impl Origins {
    /// The origin's number; the same for the same name.
    pub(crate) fn id(&self, upstream: &[u8], server: &[u8]) -> usize {
        let name = OriginName {
            upstream: upstream.into(),
            server: server.into(),
        };
        let mut names = self.0.borrow_mut();
        names.iter().position(|n| *n == name).unwrap_or_else(|| {
            names.push(name);
            names.len() - 1
        })
    }

    /// In the order of their numbers.
    pub(crate) fn names(&self) -> Vec<OriginName> {
        self.0.borrow().clone()
    }
}

impl Default for MainConf {
    fn default() -> MainConf {
        MainConf {
            keys: RefCell::new(KeyCache::new(SIGNING_KEYS)),
            checks: OnceCell::new(),
            sign_time: Cell::new(false),
            wants_status: Cell::new(false),
            origins: Origins::default(),
            metrics: OnceCell::new(),
        }
    }
}

impl MainConf {
    /// None until the configuration is whole.
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
    // Times are taken only where they are asked for.
    let is_used = main.wants_status.get() || cf.conf().uses_variable(SIGN_TIME);
    main.sign_time.set(is_used);
    for upstream in cf.upstreams() {
        if let Some(conf) = upstream.own_conf() {
            conf.complete(upstream, &main.origins)?;
        }
    }
    let is_whole = "the configuration is whole already";
    main.checks
        .set(Checks::declare(cf)?)
        .map_err(|_| is_whole)?;
    // Where `s3_status` is in use, everything is counted.
    if main.wants_status.get() {
        let metrics = Metrics::open(main.origins.names(), cf.conf().heir());
        let metrics = metrics.map_err(|why| why.to_string())?;
        metrics
            .begins_again()
            .for_each(|name| note_new_start(cf, &name));
        main.metrics.set(metrics).map_err(|_| is_whole)?;
    }
    Ok(())
}

/// Tells the log that an old binary's memory of that name is not used.
pub(crate) fn note_new_start(cf: &Complete<'_, S3Resign>, name: &str) {
    log_notice!(
        cf.conf().log(),
        "\"{name}\" begins again: another version of this module has left it"
    );
}

pub(crate) type OwnLevel<'c> = Level<'c, S3Resign>;

/// The module's own of an upstream.
pub(crate) trait OwnUpstream<'c> {
    /// None for an implicit one.
    fn own_conf(self) -> Option<&'c UpstreamConf>;
    fn has_origin_lines(self) -> bool;
}

impl<'c> OwnUpstream<'c> for Upstream<'c> {
    fn own_conf(self) -> Option<&'c UpstreamConf> {
        self.conf::<S3Resign>()
    }

    fn has_origin_lines(self) -> bool {
        self.own_conf().is_some_and(|conf| !conf.lines.is_empty())
    }
}
