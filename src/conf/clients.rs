//! The clients of a level.

use std::rc::Rc;

use client_files::ClientFile;
use directives::ClientMap;

use crate::conf::LocationConf;

/// Where the clients of a level are looked up. They are one set: a level that has any of its own, of whatever
/// source, inherits none.
#[derive(Default)]
pub(crate) struct ClientSources {
    /// Its `s3_client` lines.
    pub(crate) listed: ClientMap,
    /// Its `s3_client_file` lines.
    pub(crate) files: Vec<Rc<ClientFile>>,
}

impl ClientSources {
    /// Names a directive that is here, for messages.
    pub(crate) fn directive(&self) -> &'static str {
        match self.files.is_empty() {
            true => "s3_client",
            false => "s3_client_file",
        }
    }
}

impl LocationConf {
    /// Returns the sources of this level's own, to add to.
    pub(crate) fn own_clients(&mut self) -> Result<&mut ClientSources, String> {
        let clients = self.clients.get_or_insert_default();
        Rc::get_mut(clients).ok_or_else(|| "clients are merged already".into())
    }
}
