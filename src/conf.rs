//! The typed configuration: what the directives say, its defaults and how levels merge.

mod pass;

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;

use directives::{
    ClientMap, ErrorStyle, HealthCheckLine, HealthzLine, OriginLine, OriginLines, RegionRule,
};
use health::MAX_PEERS;
use metrics::snapshot::OriginName;
use ngx::ffi::{ngx_flag_t, ngx_http_complex_value_t};
use sigv4::{Addressing, Client, Clients, KeyCache, Timestamp, VerifyRules};

use crate::checks::Checks;
use crate::conf::pass::OwnLines;
use crate::ngx_safe::cache::Cache;
use crate::ngx_safe::conf::{Level, Pass, Tls};
use crate::ngx_safe::proxy::ProxyPlaces;
use crate::ngx_safe::upstream::{Hooked, Upstream};
use crate::ngx_safe::workspace::Workspaces;
use crate::status::Status;

/// Signing keys that a worker keeps: one for each credential, day and region in use. About 1 MiB.
const SIGNING_KEYS: usize = 4096;

pub(crate) struct MainConf {
    pub(crate) keys: RefCell<KeyCache>,
    pub(crate) workspaces: Workspaces,
    /// Sorted by upstream.
    pub(crate) upstreams: Vec<Hooked>,
    pub(crate) passes: Vec<crate::ngx_safe::conf::PassHandler>,
    /// None where `proxy_*` directives cannot be read.
    pub(crate) proxy: Option<ProxyPlaces>,
    pub(crate) checks: Checks,
    /// `$s3_sign_time` is in use, or `s3_status`, which counts it.
    pub(crate) sign_time: Cell<bool>,
    /// `s3_status` is in use.
    pub(crate) wants_status: Cell<bool>,
    pub(crate) origins: Origins,
    /// Where it is in use, once the configuration is whole.
    pub(crate) status: OnceCell<Status>,
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
            workspaces: Workspaces::default(),
            upstreams: Vec::new(),
            passes: Vec::new(),
            proxy: None,
            checks: Checks::default(),
            sign_time: Cell::new(false),
            wants_status: Cell::new(false),
            origins: Origins::default(),
            status: OnceCell::new(),
        }
    }
}

impl MainConf {
    pub(crate) fn status(&self) -> Option<&Status> {
        self.status.get()
    }

    pub(crate) fn wants_sign_time(&self) -> bool {
        self.sign_time.get()
    }
}

/// An origin with the name that users know it by.
pub(crate) struct NamedOrigin {
    /// The text of its `server` line, or of the host in `proxy_pass`.
    pub(crate) server: Box<[u8]>,
    /// Its number in `Origins`.
    pub(crate) id: usize,
    pub(crate) origin: sigv4::Origin,
}

fn without_default_port(server: &[u8]) -> &[u8] {
    server
        .strip_suffix(b":443")
        .or_else(|| server.strip_suffix(b":80"))
        .unwrap_or(server)
}

impl NamedOrigin {
    /// The origin of a server, by the line that is for it.
    fn new(line: &OriginLine, server: &[u8], id: usize) -> Result<NamedOrigin, String> {
        let host = match &line.host {
            Some(host) => host.clone(),
            None if server.starts_with(b"unix:") => {
                return Err(format!(
                    "\"s3_origin\" of \"{}\" needs a \"host=\" parameter: a socket has no host name",
                    server.escape_ascii()
                ));
            }
            None => without_default_port(server).into(),
        };
        let named = NamedOrigin {
            server: server.into(),
            id,
            origin: sigv4::Origin {
                credential: line.credential.clone(),
                session_token: line.session_token.clone(),
                region: line.region,
                host,
                addressing: line.addressing,
                framing: line.framing,
            },
        };
        if line.addressing == Addressing::Virtual && !pass::takes_virtual_hosts(&named) {
            return Err(format!(
                "\"s3_origin\" of \"{}\": \"addressing=virtual\" puts buckets before the host, and \
                 \"{}\" is an address: add \"host=NAME\", or write \"addressing=path\"",
                server.escape_ascii(),
                named.origin.host.escape_ascii()
            ));
        }
        Ok(named)
    }

    /// The host without its port: the name in its certificate.
    pub(crate) fn host_name(&self) -> &[u8] {
        without_port(&self.origin.host)
    }
}

/// The host of `HOST` or `HOST:PORT`.
pub(crate) fn without_port(authority: &[u8]) -> &[u8] {
    match authority.iter().rposition(|c| *c == b':') {
        Some(colon) if authority[colon + 1..].iter().all(u8::is_ascii_digit) => &authority[..colon],
        _ => authority,
    }
}

/// An `upstream` block.
#[derive(Default)]
pub(crate) struct UpstreamConf {
    pub(crate) lines: OriginLines,
    pub(crate) health: Option<HealthCheckLine>,
    /// How requests get to it from where they are signed; None where nothing passes any to it.
    transport: Option<Transport>,
    /// An origin for each `server` line, once the block is whole.
    origins: Vec<NamedOrigin>,
}

#[derive(Clone)]
enum Transport {
    Plain,
    Tls(Tls),
}

impl UpstreamConf {
    pub(crate) fn origins(&self) -> &[NamedOrigin] {
        &self.origins
    }

    /// As a location does that passes requests to it, the strictest one.
    pub(crate) fn tls(&self) -> Option<&Tls> {
        match &self.transport {
            Some(Transport::Tls(tls)) => Some(tls),
            Some(Transport::Plain) | None => None,
        }
    }

    fn note_transport(&mut self, tls: Option<Tls>) {
        let is_stricter = match (self.tls(), &tls) {
            (None, _) => true,
            (Some(known), Some(new)) => new.verifies() && !known.verifies(),
            (Some(_), None) => false,
        };
        if is_stricter {
            self.transport = Some(tls.map_or(Transport::Plain, Transport::Tls));
        }
    }

    /// `s3_health_check`: can the servers be asked, and all workers be told?
    pub(crate) fn check_health(&self, upstream: Upstream) -> Result<(), String> {
        let Some(check) = &self.health else {
            return Ok(());
        };
        let name = upstream.name().escape_ascii();
        let named = format!("\"s3_health_check\" in upstream \"{name}\"");
        if !upstream.has_zone() {
            return Err(format!(
                "{named} needs shared memory, so that all workers obey: add \"zone {name} 256k;\""
            ));
        }
        if self.origins.is_empty() {
            return Err(format!(
                "{named} has no \"s3_origin\" to sign with: add one for each of its servers, or \
                 \"s3_origin default ...\""
            ));
        }
        if self.transport.is_none() {
            return Err(format!(
                "{named}: no location with \"s3_resign on\" passes requests to it, so nothing says \
                 whether by TLS: add one with \"proxy_pass\", or remove \"s3_health_check\""
            ));
        }
        if upstream.peer_count() > MAX_PEERS {
            return Err(format!(
                "{named}: its servers have more than {MAX_PEERS} addresses: divide them among \
                 upstreams, or remove \"s3_health_check\""
            ));
        }
        for origin in &self.origins {
            let mut keys = KeyCache::new(1);
            sigv4::sign_own(&check.head, &origin.origin, &mut keys, Timestamp(0)).map_err(
                |unsignable| {
                    format!(
                        "{named} cannot be signed for \"{}\": {unsignable}: write another \"uri=\" \
                         or \"bucket=\"",
                        origin.server.escape_ascii()
                    )
                },
            )?;
        }
        Ok(())
    }

    pub(crate) fn origin(&self, server: &[u8]) -> Option<&NamedOrigin> {
        self.origins.iter().find(|origin| *origin.server == *server)
    }

    /// Gives each `server` line its origin; `id` is the number of the one with that text.
    pub(crate) fn complete(
        &mut self,
        name: &[u8],
        servers: &[&[u8]],
        id: impl Fn(&[u8]) -> usize,
    ) -> Result<(), String> {
        let name = name.escape_ascii();
        for server in self.lines.servers() {
            if !servers.contains(&server) {
                return Err(format!(
                    "\"s3_origin {0}\" in upstream \"{name}\" names no server: \
                     write it as a \"server\" line of the upstream does, or add \"server {0};\"",
                    server.escape_ascii(),
                ));
            }
        }
        if self.lines.is_empty() {
            return Ok(());
        }
        for server in servers {
            let line = self.lines.of_server(server).ok_or_else(|| {
                format!(
                    "\"server {0}\" in upstream \"{name}\" has no \"s3_origin\": \
                     add \"s3_origin {0} access_key=... secret_key=...;\"",
                    server.escape_ascii()
                )
            })?;
            let origin = NamedOrigin::new(line, server, id(server))?;
            self.origins.push(origin);
        }
        Ok(())
    }
}

const UNSET: ngx_flag_t = -1;
/// Seconds; what S3 allows.
const DEFAULT_MAX_SKEW: i64 = 15 * 60;

/// Where MinIO, Ceph's gateway and RustFS are administered, by the same keys and signatures.
const DEFAULT_RESERVED: [&[u8]; 3] = [b"minio", b"admin", b"rustfs"];

/// One location's settings. Flags are set by nginx's own setter and -1 until then; what is unset is
/// inherited or defaulted by `merge`.
pub(crate) struct LocationConf {
    /// Stays -1 where no level says it.
    pub(crate) resign: ngx_flag_t,
    /// `s3_resign off` is here, or in a location around this one.
    off_in_location: bool,
    pub(crate) anonymous: ngx_flag_t,
    pub(crate) signature_v2: ngx_flag_t,
    pub(crate) verify_payload: ngx_flag_t,
    pub(crate) debug_errors: ngx_flag_t,
    /// A null pointer, to nginx's setter, is None.
    pub(crate) host: Option<&'static ngx_http_complex_value_t>,
    pub(crate) region: Option<RegionRule>,
    /// Seconds.
    pub(crate) max_skew: Option<i64>,
    pub(crate) errors: Option<ErrorStyle>,
    /// First segments of paths that are never passed on.
    pub(crate) reserved: Option<Vec<Box<[u8]>>>,
    pub(crate) clients: Option<Rc<ClientMap>>,
    pub(crate) origin: Option<Rc<OriginLine>>,
    /// `s3_status` is here.
    pub(crate) status: bool,
    pub(crate) healthz: Option<HealthzLine>,
    /// Whose health `s3_healthz` tells; None for every upstream that is checked.
    healthz_upstream: Option<Upstream>,
    implicit_origin: Option<NamedOrigin>,
    /// Where `proxy_pass` leads.
    upstream: Option<Upstream>,
    streams_bodies: bool,
    cache: Option<Cache>,
    /// Tells apart, in the keys of a cache, locations whose origins have objects of their own.
    cache_origin: Box<[u8]>,
    rules: VerifyRules,
}

impl Default for LocationConf {
    fn default() -> LocationConf {
        LocationConf {
            resign: UNSET,
            off_in_location: false,
            anonymous: UNSET,
            signature_v2: UNSET,
            verify_payload: UNSET,
            debug_errors: UNSET,
            host: None,
            region: None,
            max_skew: None,
            errors: None,
            reserved: None,
            clients: None,
            origin: None,
            status: false,
            healthz: None,
            healthz_upstream: None,
            implicit_origin: None,
            upstream: None,
            streams_bodies: false,
            cache: None,
            cache_origin: Box::default(),
            rules: VerifyRules::default(),
        }
    }
}

impl Clients for LocationConf {
    fn find(&self, access_key: &[u8]) -> Option<&Client> {
        self.clients.as_deref()?.find(access_key)
    }
}

impl LocationConf {
    pub(crate) fn is_resign(&self) -> bool {
        self.resign == 1
    }

    pub(crate) fn is_debug_errors(&self) -> bool {
        self.debug_errors == 1
    }

    pub(crate) fn error_style(&self) -> ErrorStyle {
        self.errors.unwrap_or(ErrorStyle::S3)
    }

    pub(crate) fn host(&self) -> Option<&'static ngx_http_complex_value_t> {
        self.host
    }

    pub(crate) fn rules(&self) -> &VerifyRules {
        &self.rules
    }

    /// `proxy_request_buffering off`.
    pub(crate) fn streams_bodies(&self) -> bool {
        self.streams_bodies
    }

    /// `proxy_cache`.
    pub(crate) fn cache(&self) -> Option<&Cache> {
        self.cache.as_ref()
    }

    pub(crate) fn set_cache(&mut self, cache: Option<Cache>) {
        self.cache = cache;
    }

    pub(crate) fn cache_origin(&self) -> &[u8] {
        &self.cache_origin
    }

    /// Whose health `s3_healthz` tells; None for every upstream that is checked.
    pub(crate) fn healthz_upstream(&self) -> Option<Upstream> {
        self.healthz_upstream
    }

    /// All that requests may go to from here.
    pub(crate) fn origins(&self) -> &[NamedOrigin] {
        match (
            &self.implicit_origin,
            self.upstream.and_then(Upstream::conf),
        ) {
            (Some(origin), _) => std::slice::from_ref(origin),
            (None, Some(conf)) => &conf.origins,
            (None, None) => &[],
        }
    }

    /// For a `proxy_pass` that names a host.
    pub(crate) fn implicit_origin(&self) -> Option<&NamedOrigin> {
        self.implicit_origin.as_ref()
    }

    /// Takes from `outer` what is not set here, then checks the whole.
    pub(crate) fn merge(&mut self, outer: &LocationConf, level: &Level) -> Result<(), String> {
        if self.status {
            self.check_answers_itself("s3_status", level)?;
            self.resign = 0;
        }
        if let Some(line) = &self.healthz {
            self.check_answers_itself("s3_healthz", level)?;
            self.healthz_upstream = find_checked(line, level)?;
            self.resign = 0;
        }
        let own = OwnLines::of(self);
        self.off_in_location = match self.resign {
            UNSET => outer.off_in_location,
            resign => resign == 0 && level.is_location(),
        };
        if self.resign == UNSET {
            self.resign = outer.resign;
        }
        inherit_flag(&mut self.anonymous, outer.anonymous);
        inherit_flag(&mut self.signature_v2, outer.signature_v2);
        inherit_flag(&mut self.verify_payload, outer.verify_payload);
        inherit_flag(&mut self.debug_errors, outer.debug_errors);
        inherit(&mut self.host, &outer.host);
        inherit(&mut self.region, &outer.region);
        inherit(&mut self.max_skew, &outer.max_skew);
        inherit(&mut self.errors, &outer.errors);
        inherit(&mut self.reserved, &outer.reserved);
        inherit(&mut self.clients, &outer.clients);
        inherit(&mut self.origin, &outer.origin);

        self.rules = VerifyRules {
            max_skew: self.max_skew.unwrap_or(DEFAULT_MAX_SKEW),
            region: match &self.region {
                Some(RegionRule::Only(region)) => Some(*region),
                Some(RegionRule::Any) | None => None,
            },
            anonymous: self.anonymous == 1,
            signature_v2: self.signature_v2 == 1,
            verify_payload: self.verify_payload == 1,
            reserved: (self.reserved.clone())
                .unwrap_or_else(|| DEFAULT_RESERVED.map(Into::into).to_vec()),
            endpoints: match self.is_resign() {
                true => level.server_names().map(Into::into).collect(),
                false => Vec::new(),
            },
        };
        if self.is_resign() {
            self.check(&own, level)
        } else {
            self.check_unsigned(&own, level)
        }
    }

    /// Whether requests may go from here to an upstream with `s3_origin` lines as they are: someone
    /// has said so.
    pub(crate) fn lets_unsigned_out(&self) -> bool {
        self.resign == 0
    }

    /// `s3_resign on`: can every request that gets here be verified and signed?
    fn check(&mut self, own: &OwnLines, level: &Level) -> Result<(), String> {
        let place = level.name().escape_ascii();
        let upstream = match level.pass() {
            Pass::None => return Ok(()),
            Pass::Proxy(upstream) => upstream,
            Pass::AtRunTime => {
                return Err(format!(
                    "\"s3_resign\" in location \"{place}\": \"proxy_pass\" with variables leaves \
                     the origin open until run time, when it cannot be signed for: \
                     name an upstream or a host, and change the path with \"rewrite ... break\""
                ));
            }
            Pass::Other(directive) => {
                return Err(format!(
                    "\"s3_resign\" in location \"{place}\": \"{directive}\" cannot be signed: \
                     use \"proxy_pass\", or \"s3_resign off\" here"
                ));
            }
        };
        if self.clients.is_none() && !self.rules.anonymous {
            return Err(format!(
                "\"s3_resign\" in location \"{place}\" has no \"s3_client\", so nobody could get \
                 in: add \"s3_client ACCESS_KEY secret_key=...;\""
            ));
        }
        self.upstream = Some(upstream);
        self.streams_bodies = level.streams_bodies();
        self.check_origin(level, &place.to_string(), upstream)?;
        self.cache_origin = match &self.implicit_origin {
            // The same host may be asked with other credentials elsewhere.
            Some(named) => [&*named.server, b"~", named.origin.fingerprint().as_bytes()]
                .concat()
                .into(),
            None => upstream.name().into(),
        };
        self.check_signed(own, level, upstream)
    }

    /// `s3_status` and `s3_healthz`: for people and their tools, which sign nothing.
    fn check_answers_itself(&self, directive: &str, level: &Level) -> Result<(), String> {
        let place = level.name().escape_ascii();
        let other = match level.pass() {
            _ if self.resign == 1 => "s3_resign",
            Pass::None => return Ok(()),
            Pass::Proxy(_) | Pass::AtRunTime => "proxy_pass",
            Pass::Other(directive) => directive,
        };
        Err(format!(
            "\"{directive}\" in location \"{place}\" answers its requests by itself: remove \
             \"{other}\" here"
        ))
    }

    /// Tells the upstream how this location speaks to it: health checks do as it does.
    pub(crate) fn note_transport(&self, level: &Level) -> Result<(), String> {
        match self.upstream.and_then(Upstream::conf_mut) {
            Some(conf) if conf.health.is_some() => conf.note_transport(level.tls()?),
            _ => {}
        }
        Ok(())
    }

    fn check_origin(
        &mut self,
        level: &Level,
        place: &str,
        upstream: Upstream,
    ) -> Result<(), String> {
        let host = upstream.name().escape_ascii();
        match (upstream.conf(), &self.origin) {
            (Some(conf), _) if !conf.lines.is_empty() => Ok(()),
            (Some(_), _) => Err(format!(
                "\"s3_resign\" in location \"{place}\": upstream \"{host}\" has no \"s3_origin\": \
                 add one for each of its servers, or \"s3_origin default ...\""
            )),
            (None, Some(line)) => {
                let server = match upstream.port() {
                    0 | 80 | 443 => upstream.name().to_vec(),
                    port => [upstream.name(), b":", port.to_string().as_bytes()].concat(),
                };
                let id = level.main_conf().origins.id(b"", &server);
                self.implicit_origin = Some(NamedOrigin::new(line, &server, id)?);
                Ok(())
            }
            (None, None) => Err(format!(
                "\"s3_resign\" in location \"{place}\": \"proxy_pass\" to \"{host}\" has no \
                 \"s3_origin\": add \"s3_origin default access_key=... secret_key=...;\" here"
            )),
        }
    }
}

/// The upstream that an `s3_healthz` line names; None where it is for all of them.
fn find_checked(line: &HealthzLine, level: &Level) -> Result<Option<Upstream>, String> {
    let checked: Vec<_> = level
        .upstreams()
        .into_iter()
        .filter(|upstream| upstream.conf().is_some_and(|conf| conf.health.is_some()))
        .collect();
    match line {
        HealthzLine::Of(name) => match checked.iter().find(|u| u.name() == &**name) {
            Some(upstream) => Ok(Some(*upstream)),
            None => Err(format!(
                "\"s3_healthz {0}\": there is no upstream \"{0}\" with health checks: write the \
                 name of one, and add \"s3_health_check;\" there",
                name.escape_ascii()
            )),
        },
        HealthzLine::All if checked.is_empty() => Err(
            "\"s3_healthz\": no upstream has health checks: add \"s3_health_check;\" to one".into(),
        ),
        HealthzLine::All => Ok(None),
    }
}

fn inherit<T: Clone>(setting: &mut Option<T>, outer: &Option<T>) {
    if setting.is_none() {
        setting.clone_from(outer);
    }
}

/// Every flag is off by default.
fn inherit_flag(flag: &mut ngx_flag_t, outer: ngx_flag_t) {
    if *flag == UNSET {
        *flag = outer.max(0);
    }
}
