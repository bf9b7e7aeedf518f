//! The clients that a request may be from.

use std::rc::Rc;

use client_files::ClientFile;
use ngx_safe::request::Request;
use sigv4::{
    Account, Claim, Claimants, Client, Clients, Issuer, IssuerAccount, MintedAccessKey, Rejection,
};

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

    /// Tells whether a client has this access key: a minted one only if someone has signed with it lately, since
    /// strangers can make up any number of them.
    pub(crate) fn knows(self, access_key: &[u8]) -> bool {
        let Some(sources) = self.sources() else {
            return false;
        };
        let is_in =
            |file: &Rc<ClientFile>| file.find(access_key).is_ok_and(|found| !found.is_empty());
        if !sources.listed.find(access_key).is_empty() || sources.files.iter().any(is_in) {
            return true;
        }
        let minted = &self.request.main_conf().minted;
        let issuers = issuers(sources, access_key);
        minted.borrow().has(issuers.iter(), access_key)
    }

    /// Returns the account of an access key; None if nobody has that key, its secrets are of several accounts, or its token
    /// tells.
    pub(crate) fn account(self, access_key: &[u8]) -> Option<Option<Account>> {
        let sources = self.sources()?;
        let listed = sources.listed.find(access_key);
        let in_file = || {
            let mut files = sources.files.iter();
            files.find_map(|file| file.find(access_key).ok().filter(|found| !found.is_empty()))
        };
        let mut accounts = match listed.is_empty() {
            false => listed
                .iter()
                .map(|client| client.account.clone())
                .collect::<Vec<_>>(),
            true => match in_file() {
                Some(found) => found.iter().map(|client| client.account.clone()).collect(),
                None => issuers_of_key(sources, access_key)
                    .iter()
                    .map(|issuer| match issuer.account() {
                        IssuerAccount::One(account) => Some(account.clone()),
                        IssuerAccount::Any => None,
                    })
                    .collect::<Option<Vec<_>>>()?,
            },
        };
        accounts.dedup();
        match accounts.as_slice() {
            [account] => Some(account.clone()),
            _ => None,
        }
    }

    /// Returns the issuer that an access key names, if there is one, whether that has minted it or not.
    pub(crate) fn issuer(self, access_key: &[u8]) -> Option<&'r [u8]> {
        let sources = self.sources()?;
        let issuer = issuers_of_key(sources, access_key).first()?;
        let is_listed = !sources.listed.find(access_key).is_empty();
        (!is_listed).then_some(issuer.name())
    }

    /// Finds a client by its minted key, and keeps it for as long as the request.
    fn find_minted(
        self,
        sources: &'r ClientSources,
        claim: &Claim<'_>,
    ) -> Result<Option<&'r Client>, Rejection> {
        let issuers = issuers(sources, claim.access_key);
        if issuers.is_empty() {
            return Ok(None);
        }
        let conf = self.request.location_conf();
        let mut keys = self.request.main_conf().minted.borrow_mut();
        let revoked = conf.revoked.as_deref();
        let max_skew = conf.rules().max_skew;
        let Some(client) = keys.find(issuers.iter(), revoked, claim, max_skew)? else {
            return Ok(None);
        };
        if let Some(context) = self.request.context() {
            context.issuer.set(issuers.first().map(Issuer::name));
        }
        self.keep(client).map(Some)
    }

    /// Keeps a client for as long as the request: without new memory, if it is the first one.
    fn keep(self, client: Rc<Client>) -> Result<&'r Client, Rejection> {
        let place = self.request.context().map(|context| &context.client);
        let kept = match place.filter(|place| place.get().is_none()) {
            Some(place) => Some(place.get_or_init(|| client)),
            None => self.request.keep(client),
        };
        kept.map(|client| &**client).ok_or(Rejection::InternalError)
    }
}

/// Finds the issuers that an access key names, whether it could be a key of theirs or not.
fn issuers<'r>(sources: &'r ClientSources, access_key: &[u8]) -> &'r [Issuer] {
    let name = match sources.issuers.is_empty() {
        true => None,
        false => MintedAccessKey::claimed_issuer(access_key),
    };
    name.map_or(&[], |name| sources.issuers.named(name))
}

/// Finds the issuers that could have minted an access key.
fn issuers_of_key<'r>(sources: &'r ClientSources, access_key: &[u8]) -> &'r [Issuer] {
    match issuers(sources, access_key) {
        [] => &[],
        _ if MintedAccessKey::parse(access_key).is_none() => &[],
        issuers => issuers,
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
                return found.into_iter().map(|client| self.keep(client)).collect();
            }
        }
        let minted = self.find_minted(sources, claim)?;
        Ok(minted.into_iter().collect())
    }

    fn admitted(self, client: &'r Client) {
        if let (Some(context), Some(lineage)) = (self.request.context(), &client.lineage) {
            context.role.set(lineage.role.as_deref());
            context.session.set(lineage.session.as_deref());
        }
        let has_issuers = |sources: &ClientSources| !sources.issuers.is_empty();
        if self.sources().is_some_and(has_issuers) {
            self.request
                .main_conf()
                .minted
                .borrow_mut()
                .admitted(client);
        }
    }
}
