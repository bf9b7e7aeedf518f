//! The origins that requests of a location or an upstream may go to, by account.

use std::collections::HashMap;

use directives::{BucketMapLine, OriginLines};
use foldhash::fast::RandomState;
use sigv4::{Account, SecretKey};

use crate::conf::NamedOrigin;
use crate::origin_keys::Providers;

/// Origins: for each account those servers that have keys for it, and one for each server besides. A fast hash is safe:
/// the configuration alone puts names there.
#[derive(Default)]
pub(crate) struct OriginSet {
    /// With the keys of no account.
    common: Vec<NamedOrigin>,
    of_accounts: HashMap<Account, Vec<NamedOrigin>, RandomState>,
    /// One for each server, where some have keys for accounts only. Empty where `common` has them all.
    of_each_server: Vec<NamedOrigin>,
}

impl OriginSet {
    /// Makes the origins of these servers, with the names that these maps give to buckets; `id` numbers a server.
    /// `lacks_line` says what is wrong with a server that no line is for.
    pub(super) fn new<'l, M: Iterator<Item = &'l BucketMapLine>>(
        lines: &OriginLines,
        servers: &[&[u8]],
        maps: impl Fn() -> M,
        id: impl Fn(&[u8]) -> usize,
        keys: (&Providers, Option<&SecretKey>),
        lacks_line: impl Fn(&[u8]) -> String,
    ) -> Result<OriginSet, String> {
        let origin = |server: &[u8], account: Option<&Account>| {
            let line = lines.of_server(server, account);
            line.map(|line| NamedOrigin::new(line, maps(), server, id(server), keys))
        };
        let of = |account: Option<&Account>| -> Result<Vec<NamedOrigin>, String> {
            let servers = servers.iter();
            servers
                .filter_map(|server| origin(server, account))
                .collect()
        };
        let mut set = OriginSet {
            common: of(None)?,
            ..OriginSet::default()
        };
        for account in lines.accounts() {
            set.of_accounts.insert(account.clone(), of(Some(account))?);
        }
        let any = |server: &&[u8]| {
            let known = [None].into_iter().chain(lines.accounts().map(Some));
            let mut origins = known.filter_map(|account| origin(server, account));
            origins.next().ok_or_else(|| lacks_line(server))?
        };
        if set.common.len() < servers.len() {
            set.of_each_server = servers.iter().map(any).collect::<Result<_, _>>()?;
        }
        set.check_hosts()?;
        Ok(set)
    }

    /// Checks that each server has one host, whatever the account: connections to it are kept alive for all.
    fn check_hosts(&self) -> Result<(), String> {
        for (account, origins) in &self.of_accounts {
            for named in origins {
                let host = self.host_of(&named.server).unwrap_or_default();
                if *host != *named.origin.host {
                    return Err(format!(
                        "\"s3_origin\" of \"{}\": \"account={}\" has the host \"{}\" there, and others have \"{}\": \
                         write the same \"host=\" in each of its lines, or add a \"server\" line for another host",
                        named.server.escape_ascii(),
                        account.as_str(),
                        named.origin.host.escape_ascii(),
                        host.escape_ascii()
                    ));
                }
            }
        }
        Ok(())
    }

    fn host_of(&self, server: &[u8]) -> Option<&[u8]> {
        let origin = find(self.of_each_server(), server)?;
        Some(&origin.origin.host)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.of_each_server().is_empty()
    }

    /// Lists the origins that have keys for an account; without one, those that have keys for no account.
    pub(crate) fn of(&self, account: Option<&Account>) -> &[NamedOrigin] {
        match account {
            None => &self.common,
            Some(account) => self.of_accounts.get(account).map_or(&[], Vec::as_slice),
        }
    }

    /// Lists one for each server: that for no account if there is one, else that of the account whose name is first.
    pub(crate) fn of_each_server(&self) -> &[NamedOrigin] {
        match self.of_each_server.as_slice() {
            [] => &self.common,
            origins => origins,
        }
    }

    /// Lists the origins that requests of one account may go to, for each account and for none.
    pub(super) fn of_each_account(&self) -> impl Iterator<Item = &[NamedOrigin]> {
        let of_accounts = self.of_accounts.values().map(Vec::as_slice);
        [self.common.as_slice()].into_iter().chain(of_accounts)
    }

    /// Tells whether a server has an origin, be it for whichever account.
    pub(crate) fn has_server(&self, server: &[u8]) -> bool {
        find(self.of_each_server(), server).is_some()
    }

    /// Tells apart sets that have other objects: other keys, or other hosts.
    pub(crate) fn fingerprint(&self) -> String {
        let of_accounts = self.of_accounts.values().flatten();
        let all = self.common.iter().chain(of_accounts);
        let mut prints: Vec<_> = all.map(|named| named.origin.fingerprint()).collect();
        prints.sort_unstable();
        match prints.len() {
            0 | 1 => prints.concat(),
            _ => sigv4::sha256_hex(prints.concat().as_bytes()),
        }
    }
}

/// Finds the origin of a server.
pub(crate) fn find<'o>(origins: &'o [NamedOrigin], server: &[u8]) -> Option<&'o NamedOrigin> {
    origins.iter().find(|origin| *origin.server == *server)
}
