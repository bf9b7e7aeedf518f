//! The directives: the table, and how each line is read. Defaults are in `conf`.

#[path = "directives/host.rs"]
mod host;
#[path = "directives/value.rs"]
mod value;

use std::ffi::{CStr, c_char, c_void};
use std::mem::offset_of;
use std::ptr;
use std::rc::Rc;

use health::Expected;
use ngx::ffi::{
    NGX_CONF_1MORE, NGX_CONF_2MORE, NGX_CONF_ANY, NGX_CONF_FLAG, NGX_CONF_NOARGS, NGX_CONF_TAKE1,
    NGX_HTTP_LOC_CONF, NGX_HTTP_LOC_CONF_OFFSET, NGX_HTTP_MAIN_CONF, NGX_HTTP_SRV_CONF,
    NGX_HTTP_SRV_CONF_OFFSET, NGX_HTTP_UPS_CONF, ngx_command_t, ngx_conf_set_flag_slot, ngx_conf_t,
    ngx_http_set_complex_value_slot, ngx_str_t, ngx_uint_t,
};
use sigv4::{Addressing, Client, Credential, Framing, Grant, GrantFault, Region, SecretKey};

use crate::conf::{
    ClientMap, ErrorStyle, HealthCheck, Healthz, LocationConf, OriginLine, RegionRule, UpstreamConf,
};
use crate::ffi::conf::{Conf, Handler, Value};
use crate::ffi::{bytes, guarded, str_of};

const ANYWHERE: u32 = NGX_HTTP_MAIN_CONF | NGX_HTTP_SRV_CONF | NGX_HTTP_LOC_CONF;

type Setter = unsafe extern "C" fn(*mut ngx_conf_t, *mut ngx_command_t, *mut c_void) -> *mut c_char;

const fn command(
    name: &'static CStr,
    contexts_and_args: u32,
    set: Setter,
    conf: usize,
    offset: usize,
) -> ngx_command_t {
    ngx_command_t {
        name: str_of(name),
        type_: contexts_and_args as ngx_uint_t,
        set: Some(set),
        conf,
        offset,
        post: ptr::null_mut(),
    }
}

/// A directive of a location; `offset` is for nginx's own setters.
const fn slot(name: &'static CStr, args: u32, set: Setter, offset: usize) -> ngx_command_t {
    command(name, ANYWHERE | args, set, NGX_HTTP_LOC_CONF_OFFSET, offset)
}

const fn flag(name: &'static CStr, offset: usize) -> ngx_command_t {
    slot(name, NGX_CONF_FLAG, ngx_conf_set_flag_slot, offset)
}

pub(crate) static mut COMMANDS: [ngx_command_t; 17] = [
    flag(c"s3_resign", offset_of!(LocationConf, resign)),
    slot(c"s3_client", NGX_CONF_2MORE, set_client, 0),
    slot(c"s3_origin", NGX_CONF_1MORE, set_location_origin, 0),
    command(
        c"s3_origin",
        NGX_HTTP_UPS_CONF | NGX_CONF_2MORE,
        set_upstream_origin,
        NGX_HTTP_SRV_CONF_OFFSET,
        0,
    ),
    slot(
        c"s3_host",
        NGX_CONF_TAKE1,
        set_host,
        offset_of!(LocationConf, host),
    ),
    slot(c"s3_region", NGX_CONF_TAKE1, set_region, 0),
    slot(c"s3_max_skew", NGX_CONF_TAKE1, set_max_skew, 0),
    flag(c"s3_anonymous", offset_of!(LocationConf, anonymous)),
    flag(c"s3_signature_v2", offset_of!(LocationConf, signature_v2)),
    flag(
        c"s3_verify_payload",
        offset_of!(LocationConf, verify_payload),
    ),
    flag(c"s3_debug_errors", offset_of!(LocationConf, debug_errors)),
    slot(c"s3_reserved", NGX_CONF_1MORE, set_reserved, 0),
    slot(c"s3_errors", NGX_CONF_TAKE1, set_errors, 0),
    command(
        c"s3_status",
        NGX_HTTP_LOC_CONF | NGX_CONF_NOARGS,
        set_status,
        NGX_HTTP_LOC_CONF_OFFSET,
        0,
    ),
    command(
        c"s3_health_check",
        NGX_HTTP_UPS_CONF | NGX_CONF_ANY,
        set_health_check,
        NGX_HTTP_SRV_CONF_OFFSET,
        0,
    ),
    command(
        c"s3_healthz",
        NGX_HTTP_LOC_CONF | NGX_CONF_NOARGS | NGX_CONF_TAKE1,
        set_healthz,
        NGX_HTTP_LOC_CONF_OFFSET,
        0,
    ),
    ngx_command_t::empty(),
];

/// Setters that nginx can call, each for a reader below. The conf that nginx hands to a setter is the
/// one that its command names: of a location, or of an upstream.
macro_rules! setters {
    ($($setter:ident: $reader:ident;)*) => {$(
        unsafe extern "C" fn $setter(
            cf: *mut ngx_conf_t,
            _command: *mut ngx_command_t,
            conf: *mut c_void,
        ) -> *mut c_char {
            // SAFETY: nginx reads a directive of this module's.
            unsafe { read_line(cf, conf, $reader) }
        }
    )*};
}

setters! {
    set_client: read_client;
    set_location_origin: read_location_origin;
    set_upstream_origin: read_upstream_origin;
    set_region: read_region;
    set_max_skew: read_max_skew;
    set_errors: read_errors;
    set_reserved: read_reserved;
    set_status: read_status;
    set_health_check: read_health_check;
    set_healthz: read_healthz;
}

/// `s3_host VALUE`: checked here, kept by nginx's own setter.
unsafe extern "C" fn set_host(
    cf: *mut ngx_conf_t,
    command: *mut ngx_command_t,
    conf: *mut c_void,
) -> *mut c_char {
    guarded(ngx::core::NGX_CONF_ERROR as *mut c_char, || {
        // SAFETY: nginx reads a directive of this module's, whose place in `conf` is the command's.
        unsafe {
            let Some(line) = Conf::from_ptr(cf) else {
                return ngx::core::NGX_CONF_ERROR as *mut c_char;
            };
            let host = line.word(1);
            if !host::may_be_host(host) {
                return line.refuse(&format!(
                    "\"s3_host {}\" is not a host: write NAME or NAME:PORT, without scheme and path",
                    host.escape_ascii()
                ));
            }
            ngx_http_set_complex_value_slot(cf, command, conf)
        }
    })
}

/// # Safety
/// `cf` and `conf` are what nginx handed to a setter whose configuration is `C`.
unsafe fn read_line<C>(
    cf: *mut ngx_conf_t,
    conf: *mut c_void,
    read: fn(&mut C, Conf) -> Result<(), String>,
) -> *mut c_char {
    guarded(ngx::core::NGX_CONF_ERROR as *mut c_char, || {
        // SAFETY: by this function's contract; nothing else holds the configuration meanwhile.
        let (cf, conf) = unsafe { (Conf::from_ptr(cf), conf.cast::<C>().as_mut()) };
        let (Some(cf), Some(conf)) = (cf, conf) else {
            return ngx::core::NGX_CONF_ERROR as *mut c_char;
        };
        match read(conf, cf) {
            Ok(()) => ptr::null_mut(),
            Err(why) => cf.refuse(&why),
        }
    })
}

/// `s3_client KEY secret_key=V [allow=CLASS|OPERATION,...] [buckets=BUCKET[/KEY],...]`
fn read_client(conf: &mut LocationConf, cf: Conf) -> Result<(), String> {
    let words = cf.args();
    let access_key = value::read_access_key(cf, "\"s3_client\" access key", words[1], 0)?;
    let named = format!("\"s3_client {}\"", access_key.escape_ascii());

    let mut params = Params::new(cf, &named, &words[2..]);
    let secret = params.value("secret_key")?;
    let allow = params.text("allow")?;
    let buckets = params.text("buckets")?;
    params.done()?;

    let secret = secret.ok_or_else(|| missing(&named, "secret_key"))?;
    let client = Client {
        credential: Credential::new(&access_key, SecretKey::new(secret.to_vec())),
        grant: read_grant(&named, allow, buckets)?,
    };
    let clients = conf.clients.get_or_insert_default();
    let clients: &mut ClientMap = Rc::get_mut(clients).ok_or("clients are merged already")?;
    if clients.insert(client) {
        Ok(())
    } else {
        Err(format!(
            "{named} is duplicate: keep one line for each access key"
        ))
    }
}

/// `allow=` and `buckets=`
fn read_grant(named: &str, allow: Option<&[u8]>, buckets: Option<&[u8]>) -> Result<Grant, String> {
    Grant::parse(allow, buckets).map_err(|fault| match fault {
        GrantFault::Allow(word) => format!(
            "{named}: \"{}\" in \"allow=\" is neither a class nor an operation: write \"read\", \
             \"write\", \"list\", \"delete\", \"all\", or names as \"GetObject\" or \"ListObject*\", \
             separated by commas",
            word.escape_ascii()
        ),
        GrantFault::Place(pattern) => format!(
            "{named}: \"{}\" in \"buckets=\" is not a pattern: write \"BUCKET\" or \
             \"BUCKET/PREFIX*\" with \"*\" for any run of characters, separated by commas",
            pattern.escape_ascii()
        ),
        _ => format!("{named}: \"allow=\" or \"buckets=\" cannot be read"),
    })
}

/// `s3_origin SERVER|default access_key=V secret_key=V ...` in an upstream
fn read_upstream_origin(conf: &mut UpstreamConf, cf: Conf) -> Result<(), String> {
    let words = cf.args();
    let server = cf.word(1);
    if server.contains(&b'=') {
        return Err(format!(
            "\"s3_origin\" in an upstream begins with a server, not with \"{}\": \
             write \"s3_origin SERVER access_key=... secret_key=...;\", or \"default\" for SERVER",
            server
                .split(|c| *c == b'=')
                .next()
                .unwrap_or_default()
                .escape_ascii()
        ));
    }
    let named = format!("\"s3_origin {}\"", server.escape_ascii());
    let server = (server != b"default").then(|| server.into());
    if conf.lines.iter().any(|line| line.server == server) {
        return Err(format!(
            "{named} is duplicate: keep one line for each server"
        ));
    }
    let line = read_origin(cf, &named, server, &words[2..])?;
    conf.lines.push(line);
    Ok(())
}

/// `s3_origin [default] access_key=V secret_key=V ...` for a `proxy_pass` that names a host
fn read_location_origin(conf: &mut LocationConf, cf: Conf) -> Result<(), String> {
    let words = &cf.args()[1..];
    let params = if cf.word(1) == b"default" {
        &words[1..]
    } else {
        words
    };
    if conf.origin.is_some() {
        return Err(
            "\"s3_origin\" is duplicate: a location has one, servers have theirs in an \
                    \"upstream\""
                .into(),
        );
    }
    let line = read_origin(cf, "\"s3_origin\"", None, params)?;
    conf.origin = Some(Rc::new(line));
    Ok(())
}

fn read_origin(
    cf: Conf,
    named: &str,
    server: Option<Box<[u8]>>,
    words: &[ngx_str_t],
) -> Result<OriginLine, String> {
    let mut params = Params::new(cf, named, words);
    let access_key = params.access_key("access_key")?;
    let secret = params.value("secret_key")?;
    let session_token = params.token("session_token")?;
    let region = params.text("region")?;
    let host = params.text("host")?;
    let addressing = params.text("addressing")?;
    let framing = params.text("framing")?;
    params.done()?;

    let access_key = access_key.ok_or_else(|| missing(named, "access_key"))?;
    let secret = secret.ok_or_else(|| missing(named, "secret_key"))?;
    Ok(OriginLine {
        server,
        credential: Credential::new(&access_key, SecretKey::new(secret.to_vec())),
        session_token: session_token.map(|token| SecretKey::new(token.to_vec())),
        region: region
            .map(|name| {
                parse_region(name)
                    .ok_or_else(|| format!("{named}: \"region={}\" {NO_REGION}", name.escape_ascii()))
            })
            .transpose()?,
        host: host
            .map(|host| {
                if !host::is_host(host) {
                    return Err(format!(
                        "{named}: \"host={}\" is not a host: write NAME or NAME:PORT, without scheme \
                         and path",
                        host.escape_ascii()
                    ));
                }
                Ok(host.into())
            })
            .transpose()?,
        addressing: match addressing {
            None | Some(b"path") => Addressing::Path,
            Some(b"virtual") => Addressing::Virtual,
            Some(other) => {
                return Err(format!(
                    "{named}: \"addressing={}\" is neither \"path\" nor \"virtual\"",
                    other.escape_ascii()
                ));
            }
        },
        framing: match framing {
            None | Some(b"keep") => Framing::Keep,
            Some(b"decode") => Framing::Decode,
            Some(other) => {
                return Err(format!(
                    "{named}: \"framing={}\" is neither \"keep\" nor \"decode\"",
                    other.escape_ascii()
                ));
            }
        },
    })
}

/// `s3_region NAME|any`
fn read_region(conf: &mut LocationConf, cf: Conf) -> Result<(), String> {
    let name = cf.word(1);
    let rule = match name {
        b"any" => RegionRule::Any,
        name => RegionRule::Only(parse_region(name).ok_or_else(|| {
            format!(
                "\"s3_region {}\" {NO_REGION}, or \"any\"",
                name.escape_ascii()
            )
        })?),
    };
    set_once(&mut conf.region, rule, "s3_region")
}

const NO_REGION: &str =
    "is not a region: write a name of at most 64 letters, digits, dashes, dots and underscores";

fn parse_region(name: &[u8]) -> Option<Region> {
    Region::parse(name).filter(|_| !name.is_empty())
}

/// A day, in seconds: no clock is that wrong.
const LONG_SKEW: i64 = 86_400;

/// `s3_max_skew TIME`
fn read_max_skew(conf: &mut LocationConf, cf: Conf) -> Result<(), String> {
    let seconds = cf
        .seconds(1)
        .filter(|seconds| *seconds > 0)
        .ok_or_else(|| {
            format!(
                "\"s3_max_skew {}\" is not a time: write one of at least a second, as \"15m\"",
                cf.word(1).escape_ascii()
            )
        })?;
    if seconds > LONG_SKEW {
        cf.warn(&format!(
            "\"s3_max_skew {}\" lets whoever overhears a request send it again for that long: write at \
             most \"1d\"",
            cf.word(1).escape_ascii()
        ));
    }
    set_once(&mut conf.max_skew, seconds, "s3_max_skew")
}

/// `s3_errors s3|s3proxy`
fn read_errors(conf: &mut LocationConf, cf: Conf) -> Result<(), String> {
    let style = match cf.word(1) {
        b"s3" => ErrorStyle::S3,
        b"s3proxy" => ErrorStyle::S3proxy,
        other => {
            return Err(format!(
                "\"s3_errors {}\" is neither \"s3\" nor \"s3proxy\"",
                other.escape_ascii()
            ));
        }
    };
    set_once(&mut conf.errors, style, "s3_errors")
}

/// `s3_reserved NAME ...|off`
fn read_reserved(conf: &mut LocationConf, cf: Conf) -> Result<(), String> {
    let words = 1..cf.args().len();
    let names: Vec<Box<[u8]>> = words.map(|index| cf.word(index).into()).collect();
    if names.len() == 1 && *names[0] == *b"off" {
        return set_once(&mut conf.reserved, Vec::new(), "s3_reserved");
    }
    let is_plain = |c: &u8| c.is_ascii_alphanumeric() || b"-._".contains(c);
    let is_name = |name: &[u8]| !name.is_empty() && name != b"off" && name.iter().all(is_plain);
    match names.iter().find(|name| !is_name(name)) {
        Some(other) => Err(format!(
            "\"s3_reserved {}\" is not the first segment of a path: write names of letters, digits, \
             dashes and dots, without slashes, or \"off\" alone",
            other.escape_ascii()
        )),
        None => set_once(&mut conf.reserved, names, "s3_reserved"),
    }
}

/// `s3_status`
fn read_status(conf: &mut LocationConf, cf: Conf) -> Result<(), String> {
    if conf.status {
        return Err("\"s3_status\" is duplicate: keep one line in a location".into());
    }
    conf.status = true;
    cf.main_conf().wants_status.set(true);
    set_answer(cf, "s3_status", crate::status)
}

/// The location is answered by that directive alone.
fn set_answer(cf: Conf, directive: &str, handler: Handler) -> Result<(), String> {
    if cf.set_content_handler(handler) {
        return Ok(());
    }
    Err(format!(
        "\"{directive}\" is in a location that another directive answers: remove that one here"
    ))
}

/// `s3_health_check [interval=5s] [timeout=5s] [rise=2] [fall=3] [uri=/] [method=GET] [bucket=B]
/// [expect=2xx,...]`
fn read_health_check(conf: &mut UpstreamConf, cf: Conf) -> Result<(), String> {
    let named = "\"s3_health_check\"";
    let mut params = Params::new(cf, named, &cf.args()[1..]);
    let interval = params.text("interval")?;
    let timeout = params.text("timeout")?;
    let rise = params.text("rise")?;
    let fall = params.text("fall")?;
    let uri = params.text("uri")?;
    let method = params.text("method")?;
    let bucket = params.text("bucket")?;
    let expect = params.text("expect")?;
    params.done()?;

    let (method, target) = check_request(method, uri, bucket)?;
    let expected = match expect {
        None => Expected::default(),
        Some(list) => Expected::parse(list).ok_or_else(|| {
            format!(
                "{named}: \"expect={}\" is not a list of statuses and error codes: write \"2xx\", \
                 \"200,404\", \"2xx,AccessDenied\" or the like",
                list.escape_ascii()
            )
        })?,
    };
    let is_head = method == b"HEAD";
    if is_head && expected.has_codes() {
        return Err(format!(
            "{named}: \"expect={}\" names an error code, and the answer to a HEAD has none: write its \
             status instead, as 403",
            expect.unwrap_or_default().escape_ascii()
        ));
    }
    let check = HealthCheck {
        interval: check_time("interval", interval)?,
        timeout: check_time("timeout", timeout)?,
        rules: health::Thresholds {
            rise: check_count("rise", rise, 2)?,
            fall: check_count("fall", fall, 3)?,
        },
        expected,
        head: [
            method,
            b" ",
            &target,
            b" HTTP/1.1\r\nUser-Agent: s3_health_check\r\nConnection: close\r\n\r\n",
        ]
        .concat(),
        is_head,
    };
    if conf.health.is_some() {
        return Err(format!(
            "{named} is duplicate: keep one line in each upstream"
        ));
    }
    conf.health = Some(check);
    Ok(())
}

/// Method and target of a check.
fn check_request(
    method: Option<&[u8]>,
    uri: Option<&[u8]>,
    bucket: Option<&[u8]>,
) -> Result<(&'static [u8], Vec<u8>), String> {
    if let Some(bucket) = bucket {
        if method.is_some() || uri.is_some() {
            return Err(
                "\"s3_health_check\": \"bucket=\" is a \"HEAD\" of that bucket: remove \"method=\" \
                 and \"uri=\", or write \"uri=/BUCKET\" instead"
                    .into(),
            );
        }
        let is_plain = |c: &u8| c.is_ascii_alphanumeric() || b"-._".contains(c);
        if bucket.is_empty() || !bucket.iter().all(is_plain) {
            return Err(format!(
                "\"s3_health_check\": \"bucket={}\" is not the name of a bucket: write one of \
                 letters, digits, dashes and dots",
                bucket.escape_ascii()
            ));
        }
        return Ok((b"HEAD", [b"/", bucket].concat()));
    }
    let method = match method {
        None | Some(b"GET") => b"GET".as_slice(),
        Some(b"HEAD") => b"HEAD",
        Some(other) => {
            return Err(format!(
                "\"s3_health_check\": \"method={}\" is neither \"GET\" nor \"HEAD\"",
                other.escape_ascii()
            ));
        }
    };
    let uri = uri.unwrap_or(b"/");
    if !uri.starts_with(b"/") || !uri.iter().all(u8::is_ascii_graphic) || uri.contains(&b'#') {
        return Err(format!(
            "\"s3_health_check\": \"uri={}\" is not a path: write it with a slash in front and \
             percent-encoded, as \"/bucket/a%20key\"",
            uri.escape_ascii()
        ));
    }
    Ok((method, uri.to_vec()))
}

/// In milliseconds.
fn check_time(name: &str, text: Option<&[u8]>) -> Result<u64, String> {
    let text = text.unwrap_or(b"5s");
    Conf::milliseconds(text)
        .filter(|time| (100..=86_400_000).contains(time))
        .ok_or_else(|| {
            format!(
                "\"s3_health_check\": \"{name}={}\" is not such a time: write one from \"100ms\" to \
                 \"1d\"",
                text.escape_ascii()
            )
        })
}

fn check_count(name: &str, text: Option<&[u8]>, default: u32) -> Result<u32, String> {
    let Some(text) = text else {
        return Ok(default);
    };
    std::str::from_utf8(text)
        .ok()
        .filter(|text| text.bytes().all(|c| c.is_ascii_digit()))
        .and_then(|text| text.parse().ok())
        .filter(|count| (1..=1000).contains(count))
        .ok_or_else(|| {
            format!(
                "\"s3_health_check\": \"{name}={}\" is not a number of checks: write one from 1 to \
                 1000",
                text.escape_ascii()
            )
        })
}

/// `s3_healthz [UPSTREAM]`
fn read_healthz(conf: &mut LocationConf, cf: Conf) -> Result<(), String> {
    let healthz = match cf.args().len() {
        1 => Healthz::All,
        _ => Healthz::Named(cf.word(1)),
    };
    set_once(&mut conf.healthz, healthz, "s3_healthz")?;
    set_answer(cf, "s3_healthz", crate::healthz)
}

fn set_once<T>(setting: &mut Option<T>, value: T, directive: &str) -> Result<(), String> {
    if setting.is_some() {
        return Err(format!(
            "\"{directive}\" is duplicate: keep one line at each level"
        ));
    }
    *setting = Some(value);
    Ok(())
}

fn missing(named: &str, param: &str) -> String {
    format!(
        "{named} lacks \"{param}=\": add \"{param}=VALUE\", \"{param}=env:NAME\" or \
             \"{param}=file:PATH\""
    )
}

/// The `name=value` words of a directive. Each is asked for by name; what is left is unknown.
struct Params<'a> {
    cf: Conf,
    named: &'a str,
    words: Vec<ngx_str_t>,
    known: Vec<&'static str>,
}

impl<'a> Params<'a> {
    fn new(cf: Conf, named: &'a str, words: &[ngx_str_t]) -> Params<'a> {
        Params {
            cf,
            named,
            words: words.to_vec(),
            known: Vec::new(),
        }
    }

    /// A value that may be a secret.
    fn value(&mut self, name: &'static str) -> Result<Option<Value>, String> {
        self.read(name, value::read)
    }

    fn access_key(&mut self, name: &'static str) -> Result<Option<Value>, String> {
        self.read(name, value::read_access_key)
    }

    fn token(&mut self, name: &'static str) -> Result<Option<Value>, String> {
        self.read(name, value::read_token)
    }

    fn read(
        &mut self,
        name: &'static str,
        read: fn(Conf, &str, ngx_str_t, usize) -> Result<Value, String>,
    ) -> Result<Option<Value>, String> {
        let Some(word) = self.take(name)? else {
            return Ok(None);
        };
        let named = format!("{} \"{name}=\"", self.named);
        read(self.cf, &named, word, name.len() + 1).map(Some)
    }

    fn text<'w>(&mut self, name: &'static str) -> Result<Option<&'w [u8]>, String> {
        // SAFETY: words live as long as the configuration being read.
        Ok(self
            .take(name)?
            .map(|word| unsafe { &bytes(word)[name.len() + 1..] }))
    }

    fn take(&mut self, name: &'static str) -> Result<Option<ngx_str_t>, String> {
        self.known.push(name);
        let is_it = |word: &ngx_str_t| {
            // SAFETY: a word of the directive.
            let word = unsafe { bytes(*word) };
            word.strip_prefix(name.as_bytes())
                .is_some_and(|rest| rest.first() == Some(&b'='))
        };
        let mut matching = self.words.extract_if(.., |word| is_it(word));
        let first = matching.next();
        if matching.next().is_some() {
            return Err(format!(
                "{}: \"{name}=\" is duplicate: keep one",
                self.named
            ));
        }
        Ok(first)
    }

    fn done(self) -> Result<(), String> {
        let Some(word) = self.words.first() else {
            return Ok(());
        };
        // SAFETY: a word of the directive.
        let word = unsafe { bytes(*word) };
        // What stands behind the sign may be a secret.
        let name = word.split(|c| *c == b'=').next().unwrap_or_default();
        Err(format!(
            "{}: unknown parameter \"{}\": it takes \"{}=\"",
            self.named,
            name.escape_ascii(),
            self.known.join("=\", \"")
        ))
    }
}
