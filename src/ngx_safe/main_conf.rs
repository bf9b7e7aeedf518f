//! What nginx keeps for a module at the main level of a configuration.

use std::cell::OnceCell;

use crate::module::Module;
use crate::pass::PassHandler;
use crate::proxy::ProxyPlaces;
use crate::upstream::HookedUpstream;
use crate::workspace::Workspaces;

/// The settings that nginx keeps at the main level.
pub(crate) struct MainOf<M: Module> {
    pub(crate) own: M::Main,
    pub(crate) workspaces: Workspaces<M>,
    /// Sorted by upstream; empty until they are hooked.
    pub(crate) hooked: OnceCell<Vec<HookedUpstream>>,
    pub(crate) passes: OnceCell<Vec<PassHandler>>,
    /// Empty where `proxy_*` directives cannot be read.
    pub(crate) proxy: OnceCell<ProxyPlaces>,
}

impl<M: Module> Default for MainOf<M> {
    fn default() -> MainOf<M> {
        MainOf {
            own: M::Main::default(),
            workspaces: Workspaces::default(),
            hooked: OnceCell::new(),
            passes: OnceCell::new(),
            proxy: OnceCell::new(),
        }
    }
}
