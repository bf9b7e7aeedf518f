//! How nginx is to find origins: by the machine's name servers, or by the addresses of the start.

use crate::{environment::Outside, machine::Machine, origins::Origin};

/// The machine's name servers, for an nginx that follows addresses that change.
#[derive(Debug)]
pub(crate) struct Resolver<'a> {
    servers: Vec<String>,
    ipv6: bool,
    search: Search<'a>,
    hosts: &'a [u8],
}

/// How the machine completes names.
#[derive(Debug)]
struct Search<'a> {
    domains: Vec<&'a str>,
    /// A name with fewer dots is tried with a domain first.
    dots: usize,
}

impl<'a> Resolver<'a> {
    /// `None` where nginx cannot follow addresses, or there is no name server.
    pub(crate) fn find(machine: &'a Machine) -> Option<Resolver<'a>> {
        if !machine.build.follows_addresses() {
            return None;
        }
        let mut servers = Vec::new();
        let mut search = Search {
            domains: Vec::new(),
            dots: 1,
        };
        for words in lines(&machine.resolv_conf) {
            match words.as_slice() {
                ["nameserver", address, ..] if is_address(address) => {
                    servers.push(match address.contains(':') {
                        true => format!("[{address}]"),
                        false => (*address).to_owned(),
                    });
                }
                ["search" | "domain", domains @ ..] => search.domains = domains.to_vec(),
                ["options", options @ ..] => {
                    let dots = |option: &&str| option.strip_prefix("ndots:")?.parse().ok();
                    search.dots = options
                        .iter()
                        .filter_map(dots)
                        .next_back()
                        .unwrap_or(search.dots);
                }
                _ => {}
            }
        }
        let interfaces = machine.if_inet6.as_deref().unwrap_or_default();
        (!servers.is_empty()).then(|| Resolver {
            servers,
            ipv6: lines(interfaces).any(|words| words.get(3) == Some(&"00")),
            search,
            hosts: &machine.hosts,
        })
    }

    /// The directive. Where no IPv6 address can be reached, a try at one is lost.
    pub(crate) fn directive(&self) -> String {
        let no_ipv6 = if self.ipv6 { "" } else { " ipv6=off" };
        format!("resolver {}{no_ipv6};", self.servers.join(" "))
    }

    /// The whole name that nginx is to follow for an origin: nginx asks the name servers for a name as it
    /// stands, so one that is short for another is written out. `None` for an address, and for a name in
    /// `/etc/hosts`, which stay as they are.
    pub(crate) fn followed(&self, origin: &Origin, outside: &dyn Outside) -> Option<String> {
        let host = origin.host.as_str();
        let is_ipv4 = host.bytes().all(|c| c.is_ascii_digit() || c == b'.');
        if host.starts_with('[') || is_ipv4 || self.is_in_hosts(host) {
            return None;
        }
        let mut names = self.search.whole_names(host).into_iter();
        let found = names.find(|name| outside.has_address(&format!("{name}.")));
        Some(found.unwrap_or_else(|| host.to_owned()))
    }

    fn is_in_hosts(&self, host: &str) -> bool {
        let lines = self.hosts.split(|c| *c == b'\n');
        let mut entries = lines.filter_map(|line| line.split(|c| *c == b'#').next());
        entries.any(|entry| {
            let mut names = words(entry).into_iter().skip(1);
            names.any(|name| name.eq_ignore_ascii_case(host))
        })
    }
}

impl Search<'_> {
    /// What a host may be short for, in the order in which the machine's own resolver asks.
    fn whole_names(&self, host: &str) -> Vec<String> {
        let is_first = host.bytes().filter(|c| *c == b'.').count() >= self.dots;
        let as_it_stands = || host.to_owned();
        let mut names = Vec::new();
        names.extend(is_first.then(as_it_stands));
        let domains = self.domains.iter().filter(|domain| is_domain(domain));
        names.extend(domains.map(|domain| format!("{host}.{domain}")));
        names.extend((!is_first).then(as_it_stands));
        names
    }
}

/// The words of each line.
fn lines(text: &[u8]) -> impl Iterator<Item = Vec<&str>> {
    text.split(|c| *c == b'\n').map(words)
}

/// The words of a line. What is not UTF-8 is in no name and in no address.
fn words(line: &[u8]) -> Vec<&str> {
    let text = line.utf8_chunks().next().map_or("", |chunk| chunk.valid());
    text.split_ascii_whitespace().collect()
}

fn is_address(text: &str) -> bool {
    text.bytes()
        .all(|c| c.is_ascii_hexdigit() || c == b'.' || c == b':')
}

fn is_domain(text: &str) -> bool {
    text.bytes()
        .all(|c| c.is_ascii_alphanumeric() || b"._-".contains(&c))
        && text.ends_with(|c: char| c.is_ascii_alphanumeric())
}
