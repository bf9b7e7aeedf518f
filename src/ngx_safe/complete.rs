//! The end of a configuration load.

use std::marker::PhantomData;

use crate::conf::Conf;
use crate::module::Module;
use crate::upstream::{Upstream, UpstreamId};

/// A configuration of which everything has been read and merged.
pub struct Complete<'c, M: Module> {
    conf: Conf<'c>,
    module: PhantomData<M>,
}

impl<'c, M: Module> Complete<'c, M> {
    /// Wraps a configuration that has been read and merged.
    pub(crate) fn new(conf: Conf<'c>) -> Complete<'c, M> {
        Complete {
            conf,
            module: PhantomData,
        }
    }

    pub fn conf(&self) -> Conf<'c> {
        self.conf
    }

    pub fn main_conf(&self) -> &'c M::Main {
        self.conf.own_main_conf::<M>()
    }

    pub fn upstreams(&self) -> impl Iterator<Item = Upstream<'c>> {
        self.conf.upstreams()
    }

    pub fn upstream(&self, id: UpstreamId) -> Option<Upstream<'c>> {
        self.conf.upstream(id)
    }
}
