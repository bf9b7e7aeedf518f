//! What a location says, with what it inherits.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use directives::{
    BucketMapLine, ErrorStyle, HealthzLine, OriginLines, RegionRule, SseCLines,
    check_bucket_map_servers,
};
use ngx_safe::cache::ProxyCache;
use ngx_safe::level::PassTarget;
use ngx_safe::phase::Answerer;
use ngx_safe::template::Template;
use ngx_safe::upstream::{Upstream, UpstreamId};
use ngx_safe::watched::Watches;
use sigv4::{Anonymous, CorsRules, CustomerKeys, Domain, Endpoint, Revocations, VerifyRules};

use crate::conf::clients::ClientSources;
use crate::conf::pass::OwnLines;
use crate::conf::sts::LocationRoles;
use crate::conf::{OriginSet, OwnLevel, OwnUpstream, UpstreamConf};

/// Seconds; what S3 allows.
const DEFAULT_MAX_SKEW: i64 = 15 * 60;

/// Where MinIO, Ceph's gateway and RustFS are administered, by the same keys and signatures.
const DEFAULT_RESERVED: [&[u8]; 3] = [b"minio", b"admin", b"rustfs"];

/// A header, and the value with which clients signed it.
pub(crate) struct SignedHeader {
    pub(crate) name: Box<[u8]>,
    pub(crate) value: Template,
}

/// The settings of a location. What no line says is None until `merge` inherits or defaults it.
#[derive(Default)]
pub(crate) struct LocationConf {
    /// Stays None where no level says it.
    pub(crate) resign: Option<bool>,
    /// `s3_resign off` is here, or in a location around this one.
    pub(super) off_in_location: bool,
    pub(crate) anonymous: Option<Anonymous>,
    pub(crate) signature_v2: Option<bool>,
    pub(crate) verify_payload: Option<bool>,
    pub(crate) small_chunks: Option<bool>,
    pub(crate) debug_errors: Option<bool>,
    pub(crate) host: Option<Template>,
    pub(crate) signed_headers: Option<Rc<Vec<SignedHeader>>>,
    pub(crate) region: Option<RegionRule>,
    /// Seconds.
    pub(crate) max_skew: Option<i64>,
    /// Seconds; the inner `None` is `off`.
    pub(crate) max_age: Option<Option<i64>>,
    pub(crate) errors: Option<ErrorStyle>,
    /// Which pages of other origins may do what. Empty with `s3_cors off`, which is this level's own.
    pub(crate) cors: Option<Rc<CorsRules>>,
    pub(crate) cors_off: bool,
    /// First segments of paths that are never passed on.
    pub(crate) reserved: Option<Vec<Box<[u8]>>>,
    pub(crate) domains: Option<Vec<Domain>>,
    /// What the endpoint's paths begin with, decoded.
    pub(crate) prefix: Option<Box<[u8]>>,
    pub(crate) clients: Option<Rc<ClientSources>>,
    /// Minted keys that are revoked here, and in the levels around.
    pub(crate) revoked: Option<Rc<Revocations>>,
    /// It has taken over what the levels around say. The outermost level never does.
    is_merged: bool,
    pub(crate) origin: Option<Rc<OriginLines>>,
    /// What buckets are called at the origins of this location.
    pub(crate) bucket_maps: Option<Rc<Vec<BucketMapLine>>>,
    /// With which keys objects are encrypted. None of them with `s3_sse_c off`, which is this level's own.
    pub(crate) customer_keys: Option<SseCLines>,
    /// The roles that may be had where keys are minted.
    pub(crate) roles: Option<Rc<LocationRoles>>,
    /// `s3_sts` is here, with the name of the issuer that mints; once it is merged, that is always known.
    pub(crate) sts: Option<Option<Box<[u8]>>>,
    /// `s3_status` is here.
    pub(crate) status: bool,
    /// What answers here, if a directive of the module's does.
    pub(crate) answerer: Option<Answerer>,
    pub(crate) healthz: Option<HealthzLine>,
    /// Whose health `s3_healthz` tells; None for every upstream that is checked.
    healthz_upstream: Option<UpstreamId>,
    /// Its own: that of a host in `proxy_pass`, or those of the upstream's servers where buckets have other names
    /// from here.
    origins: Rc<OriginSet>,
    /// Where `proxy_pass` leads.
    upstream: Option<UpstreamId>,
    streams_bodies: bool,
    cache: Option<ProxyCache>,
    /// Tells apart, in the keys of a cache, locations whose origins have objects of their own.
    cache_origin: Box<[u8]>,
    rules: VerifyRules,
    /// Of a server whose location `/` has `s3_resign on`: how it tells of errors. What nginx answers before
    /// it has found a location is S3's then, too.
    catch_all: Cell<Option<ErrorStyle>>,
    /// `client_max_body_size` stands here, or around this.
    has_max_body_size: bool,
}

impl Watches for LocationConf {
    fn note_max_body_size(&mut self) {
        self.has_max_body_size = true;
    }
}

impl LocationConf {
    pub(crate) fn is_resign(&self) -> bool {
        self.resign == Some(true)
    }

    pub(crate) fn is_debug_errors(&self) -> bool {
        self.debug_errors == Some(true)
    }

    pub(crate) fn error_style(&self) -> ErrorStyle {
        let style = self.errors.or(self.catch_all.get());
        style.unwrap_or(ErrorStyle::S3)
    }

    /// Tells whether an error of nginx's own is told as S3 would.
    pub(crate) fn speaks_s3(&self) -> bool {
        self.is_resign() || self.catch_all.get().is_some()
    }

    /// Returns the rules by which requests of pages are judged here; None if the origin judges them.
    pub(crate) fn cors(&self) -> Option<&CorsRules> {
        let is_ours = self.is_resign() || self.speaks_sts();
        (self.cors.as_deref()).filter(|rules| is_ours && !rules.is_empty())
    }

    /// Returns the keys with which objects are encrypted; None where there are none.
    pub(crate) fn customer_keys(&self) -> Option<&Arc<CustomerKeys>> {
        self.customer_keys.as_ref()?.keys()
    }

    pub(crate) fn host(&self) -> Option<&Template> {
        self.host.as_ref()
    }

    /// Lists the headers that clients signed with other values than they arrive with.
    pub(crate) fn signed_headers(&self) -> &[SignedHeader] {
        self.signed_headers.as_deref().map_or(&[], Vec::as_slice)
    }

    pub(crate) fn rules(&self) -> &VerifyRules {
        &self.rules
    }

    /// Tells whether `proxy_request_buffering` is off.
    pub(crate) fn streams_bodies(&self) -> bool {
        self.streams_bodies
    }

    /// Returns what `proxy_cache` says.
    pub(crate) fn cache(&self) -> Option<&ProxyCache> {
        self.cache.as_ref()
    }

    pub(crate) fn set_cache(&mut self, cache: Option<ProxyCache>) {
        self.cache = cache;
    }

    pub(crate) fn cache_origin(&self) -> &[u8] {
        &self.cache_origin
    }

    /// Returns whose health `s3_healthz` tells; None for every upstream that is checked.
    pub(crate) fn healthz_upstream(&self) -> Option<UpstreamId> {
        self.healthz_upstream
    }

    /// Tells where `proxy_pass` leads.
    pub(crate) fn upstream(&self) -> Option<UpstreamId> {
        self.upstream
    }

    /// Lists the origins that are this location's own; none where they are those of its upstream.
    pub(crate) fn origins(&self) -> Option<&OriginSet> {
        Some(&*self.origins).filter(|origins| !origins.is_empty())
    }

    /// Takes from `outer` what is not set here, then checks the whole.
    pub(crate) fn merge(
        &mut self,
        outer: &LocationConf,
        level: &OwnLevel<'_>,
    ) -> Result<(), String> {
        if self.status {
            self.check_answers_itself("s3_status", level)?;
            self.resign = Some(false);
        }
        if let Some(line) = &self.healthz {
            self.check_answers_itself("s3_healthz", level)?;
            self.healthz_upstream = find_checked(line, level)?;
            self.resign = Some(false);
        }
        if self.sts.is_some() {
            self.check_answers_itself("s3_sts", level)?;
            self.resign = Some(false);
        }
        let is_answered_as_around =
            (outer.answerer).is_some_and(|answerer| level.answers_as_around(answerer));
        if level.is_condition() || is_answered_as_around {
            self.sts.clone_from(&outer.sts);
            self.healthz_upstream = outer.healthz_upstream;
        }
        let own = OwnLines::of(self);
        self.off_in_location = match self.resign {
            None => outer.off_in_location,
            Some(resign) => !resign && level.is_location(),
        };
        self.resign = self.resign.or(outer.resign);
        inherit_flag(&mut self.signature_v2, outer.signature_v2);
        inherit_flag(&mut self.verify_payload, outer.verify_payload);
        inherit(&mut self.small_chunks, &outer.small_chunks);
        inherit_flag(&mut self.debug_errors, outer.debug_errors);
        inherit(&mut self.anonymous, &outer.anonymous);
        inherit(&mut self.host, &outer.host);
        inherit(&mut self.signed_headers, &outer.signed_headers);
        inherit(&mut self.region, &outer.region);
        inherit(&mut self.max_skew, &outer.max_skew);
        inherit(&mut self.max_age, &outer.max_age);
        inherit(&mut self.errors, &outer.errors);
        inherit(&mut self.reserved, &outer.reserved);
        inherit(&mut self.domains, &outer.domains);
        inherit(&mut self.prefix, &outer.prefix);
        inherit(&mut self.cors, &outer.cors);
        inherit(&mut self.clients, &outer.clients);
        inherit(&mut self.roles, &outer.roles);
        self.check_sts(level)?;
        if !outer.is_merged {
            outer.check_revoked()?;
        }
        self.check_revoked()?;
        self.inherit_revoked(outer);
        self.is_merged = true;
        inherit(&mut self.origin, &outer.origin);
        inherit(&mut self.bucket_maps, &outer.bucket_maps);
        inherit(&mut self.customer_keys, &outer.customer_keys);

        self.rules = VerifyRules {
            max_skew: self.max_skew.unwrap_or(DEFAULT_MAX_SKEW),
            max_age: self.max_age.flatten(),
            region: match &self.region {
                Some(RegionRule::Only(region)) => Some(*region),
                Some(RegionRule::Any) | None => None,
            },
            anonymous: self.anonymous.clone().unwrap_or_default(),
            signature_v2: self.signature_v2 == Some(true),
            verify_payload: self.verify_payload == Some(true),
            rejects_small_chunks: self.small_chunks == Some(false),
            reserved: (self.reserved.clone())
                .unwrap_or_else(|| DEFAULT_RESERVED.map(Into::into).to_vec()),
            endpoint: Endpoint {
                server_names: match self.is_resign() {
                    true => level.server_names().map(Into::into).collect(),
                    false => Vec::new(),
                },
                domains: self.domains.clone().unwrap_or_default(),
                prefix: self.prefix.clone().unwrap_or_default(),
            },
            customer_keys: self.customer_keys().cloned(),
            ..VerifyRules::default()
        };
        self.has_max_body_size |= outer.has_max_body_size;
        if self.is_resign() {
            // nginx's default is 1 MiB, which hardly an upload fits in.
            if !self.has_max_body_size {
                level.allow_any_body_size();
            }
            if level.is_catch_all() {
                outer.catch_all.set(Some(self.error_style()));
            }
            self.check(&own, outer, level)
        } else {
            self.check_unsigned(&own, level)
        }
    }

    /// Tells whether requests may go from here to an upstream with `s3_origin` lines as they are: someone
    /// has said so.
    pub(crate) fn may_forward_unsigned(&self) -> bool {
        self.resign == Some(false)
    }

    /// Checks, with `s3_resign on`, that every request that gets here can be verified and signed.
    fn check(
        &mut self,
        own: &OwnLines,
        outer: &LocationConf,
        level: &OwnLevel<'_>,
    ) -> Result<(), String> {
        let place = level.name().escape_ascii();
        let upstream = match level.pass_target() {
            PassTarget::None => {
                if level.is_condition() {
                    self.pass_on_as(outer);
                }
                return Ok(());
            }
            PassTarget::Proxy(upstream) => upstream,
            PassTarget::AtRunTime => {
                return Err(format!(
                    "\"s3_resign\" in location \"{place}\": \"proxy_pass\" with variables leaves \
                     the origin open until run time, when it cannot be signed for: \
                     name an upstream or a host, and change the path with \"rewrite ... break\""
                ));
            }
            PassTarget::Other(directive) => {
                return Err(format!(
                    "\"s3_resign\" in location \"{place}\": \"{directive}\" cannot be signed: \
                     use \"proxy_pass\", or \"s3_resign off\" here"
                ));
            }
        };
        if self.clients.is_none() && matches!(self.rules.anonymous, Anonymous::Rejected) {
            return Err(format!(
                "\"s3_resign\" in location \"{place}\" has no \"s3_client\", so nobody could get \
                 in: add \"s3_client ACCESS_KEY secret_key=...;\", or \"s3_client_file PATH;\""
            ));
        }
        self.upstream = upstream.id_among(level.upstreams());
        self.streams_bodies = level.streams_bodies();
        self.check_origin(level, &place.to_string(), upstream)?;
        self.cache_origin = self.name_cached(upstream).into();
        self.check_signed(own, level, upstream)
    }

    /// Takes over where requests go. No line of the module's can stand in an `if`, so all else is the same too.
    fn pass_on_as(&mut self, outer: &LocationConf) {
        self.upstream = outer.upstream;
        self.origins.clone_from(&outer.origins);
        self.streams_bodies = outer.streams_bodies;
        self.cache_origin.clone_from(&outer.cache_origin);
    }

    /// Checks that nothing else answers where `s3_status`, `s3_healthz` or `s3_sts` does.
    fn check_answers_itself(&self, directive: &str, level: &OwnLevel<'_>) -> Result<(), String> {
        let place = level.name().escape_ascii();
        let other = match level.pass_target() {
            _ if self.is_resign() => "s3_resign",
            PassTarget::None => return Ok(()),
            PassTarget::Proxy(_) | PassTarget::AtRunTime => "proxy_pass",
            PassTarget::Other(directive) => directive,
        };
        Err(format!(
            "\"{directive}\" in location \"{place}\" answers its requests by itself: remove \
             \"{other}\" here"
        ))
    }

    /// Tells the upstream how this location speaks to it: health checks do as it does.
    pub(crate) fn note_transport(&self, level: &OwnLevel<'_>) -> Result<(), String> {
        let upstream = self.upstream.and_then(|id| level.upstream(id));
        match upstream.and_then(Upstream::own_conf) {
            Some(conf) if conf.is_checked() => conf.note_transport(level.tls()?),
            _ => {}
        }
        Ok(())
    }

    fn bucket_maps(&self) -> &[BucketMapLine] {
        self.bucket_maps.as_deref().map_or(&[], Vec::as_slice)
    }

    /// Tells apart origins that have other objects, or have them in buckets of other names.
    fn name_cached(&self, upstream: Upstream<'_>) -> Vec<u8> {
        let conf = upstream.own_conf();
        let mut name = match (conf, self.origins.of_each_server()) {
            // The same host may be asked with other credentials elsewhere.
            (None, [named]) => {
                [&*named.server, b"~", self.origins.fingerprint().as_bytes()].concat()
            }
            _ => upstream.name().to_vec(),
        };
        let of_upstream = conf.map_or(&[][..], |conf| &conf.bucket_maps);
        let maps = of_upstream.iter().chain(self.bucket_maps());
        let maps: String = maps.map(BucketMapLine::text).collect();
        if !maps.is_empty() {
            name.push(b'~');
            name.extend_from_slice(sigv4::sha256_hex(maps.as_bytes()).as_bytes());
        }
        name
    }

    /// Checks that all who may send requests here have keys at an origin. `of` says whose lines these are.
    fn check_accounts(&self, lines: &OriginLines, place: &str, of: &str) -> Result<(), String> {
        let unsigned = match &self.rules.anonymous {
            Anonymous::Signed { account, .. } if !lines.knows(account.as_ref()) => {
                Some(("s3_anonymous sign".into(), account.as_ref()))
            }
            _ => None,
        };
        let clients = self.clients.as_deref();
        let stray =
            || clients.and_then(|clients| clients.find_stray(|account| lines.knows(account)));
        match unsigned.or_else(stray) {
            None => Ok(()),
            Some((line, Some(account))) => Err(format!(
                "\"{line}\" for location \"{place}\" has \"account={0}\", for which there is no \"s3_origin\"{of}: \
                 add one with \"account={0} access_key=... secret_key=...\", or correct the name",
                account.as_str()
            )),
            Some((line, None)) => Err(format!(
                "\"{line}\" for location \"{place}\" has no \"account=\", and each \"s3_origin\"{of} is for one: add \
                 \"account=NAME\" to it, or an \"s3_origin\" without"
            )),
        }
    }

    fn check_origin(
        &mut self,
        level: &OwnLevel<'_>,
        place: &str,
        upstream: Upstream<'_>,
    ) -> Result<(), String> {
        let host = upstream.name().escape_ascii();
        match (upstream.own_conf(), &self.origin) {
            (Some(conf), _) if !conf.lines.is_empty() => {
                self.check_accounts(&conf.lines, place, &format!(" of upstream \"{host}\""))?;
                if let Some(maps) = &self.bucket_maps {
                    let origins = conf.origins_of(upstream, level.main_conf(), maps)?;
                    self.origins = Rc::new(origins);
                }
                Ok(())
            }
            (Some(_), _) => Err(format!(
                "\"s3_resign\" in location \"{place}\": upstream \"{host}\" has no \"s3_origin\": \
                 add one for each of its servers, or \"s3_origin default ...\""
            )),
            (None, Some(lines)) => {
                self.check_accounts(lines, place, "")?;
                let server = match upstream.port() {
                    0 | 80 | 443 => upstream.name().to_vec(),
                    port => [upstream.name(), b":", port.to_string().as_bytes()].concat(),
                };
                let id = level.main_conf().origins.id(b"", &server);
                let maps = self.bucket_maps();
                let place = format!("\"proxy_pass\" to \"{host}\"");
                check_bucket_map_servers(maps.iter(), &[&server], &place)?;
                let lacks_line = |_: &[u8]| "\"s3_origin\" is missing".into();
                let keys = (&level.main_conf().providers, None);
                let origins =
                    OriginSet::new(lines, &[&server], || maps.iter(), |_| id, keys, lacks_line)?;
                self.origins = Rc::new(origins);
                Ok(())
            }
            (None, None) => Err(format!(
                "\"s3_resign\" in location \"{place}\": \"proxy_pass\" to \"{host}\" has no \
                 \"s3_origin\": add \"s3_origin default access_key=... secret_key=...;\" here"
            )),
        }
    }
}

/// Returns the upstream that an `s3_healthz` line names; None where it is for all of them.
fn find_checked(line: &HealthzLine, level: &OwnLevel<'_>) -> Result<Option<UpstreamId>, String> {
    let is_checked =
        |upstream: &Upstream<'_>| upstream.own_conf().is_some_and(UpstreamConf::is_checked);
    let mut checked = level.upstreams().filter(is_checked);
    match line {
        HealthzLine::Of(name) => match checked.find(|upstream| upstream.name() == &**name) {
            Some(upstream) => Ok(upstream.id_among(level.upstreams())),
            None => Err(format!(
                "\"s3_healthz {0}\": there is no upstream \"{0}\" with health checks: write the \
                 name of one, and add \"s3_health_check;\" there",
                name.escape_ascii()
            )),
        },
        HealthzLine::All if checked.next().is_none() => Err(
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

/// Inherits a flag that is off by default.
fn inherit_flag(flag: &mut Option<bool>, outer: Option<bool>) {
    *flag = Some(flag.or(outer).unwrap_or(false));
}
