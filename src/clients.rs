//! The clients that a request may be from.

use std::rc::Rc;

use client_files::ClientFile;
use ngx_safe::request::Request;
use sigv4::{Claim, Claimants, Clients, Rejection};

use crate::conf::ClientSources;
use crate::context::OwnRequest;

/// The clients of the location where a request is. A key that several sources have is that of the first of them.
#[derive(Clone, Copy)]
pub(crate) struct RequestClients<'r> {
    request: Request<'r>,
}

impl<'r> RequestClients<'r> {
    pub(crate) fn of(request: Request<'r>) -> RequestClients<'r> {
        RequestClients { request }
    }

    fn sources(self) -> Option<&'r ClientSources> {
        self.request.location_conf().clients.as_deref()
    }

    /// Tells whether a client has this access key.
    pub(crate) fn knows(self, access_key: &[u8]) -> bool {
        let sources = self.sources();
        sources.is_some_and(|sources| {
            let is_in =
                |file: &Rc<ClientFile>| file.find(access_key).is_ok_and(|found| !found.is_empty());
            !sources.listed.find(access_key).is_empty() || sources.files.iter().any(is_in)
        })
    }
}

impl<'r> Clients<'r> for RequestClients<'r> {
    fn find(self, claim: &Claim<'_>) -> Result<Claimants<'r>, Rejection> {
        let Some(sources) = self.sources() else {
            return Ok(Claimants::new());
        };
        let listed = sources.listed.find(claim.access_key);
        if !listed.is_empty() {
            return Ok(listed);
        }
        for file in &sources.files {
            let found = file.find(claim.access_key);
            let found = found.map_err(|_| Rejection::InternalError)?;
            if !found.is_empty() {
                let kept = found.into_iter().map(|client| {
                    let kept = self.request.keep(client);
                    kept.map(|client| &**client).ok_or(Rejection::InternalError)
                });
                return kept.collect();
            }
        }
        Ok(Claimants::new())
    }
}
