//! The typed configuration: what the directives say, its defaults and how levels merge.

mod accounts;
mod clients;
mod location;
mod origin;
mod origin_set;
mod pass;
mod sts;
mod upstream;

use ngx_safe::level::Level;
use ngx_safe::upstream::Upstream;

use crate::S3Resign;
pub(crate) use accounts::Accounts;
pub(crate) use clients::ClientSources;
pub(crate) use location::{LocationConf, SignedHeader};
pub(crate) use origin::{NamedOrigin, Origins};
pub(crate) use origin_set::{OriginSet, find};
pub(crate) use sts::{LocationRoles, account_of};
pub(crate) use upstream::UpstreamConf;

pub(crate) type OwnLevel<'c> = Level<'c, S3Resign>;

/// The module's own of an upstream.
pub(crate) trait OwnUpstream<'c> {
    /// Returns the module's settings; None for an implicit one.
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
