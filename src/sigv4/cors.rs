//! Which pages of other origins may make which requests (CORS), where the proxy decides that and not the
//! origin.
//!
//! <https://fetch.spec.whatwg.org/#http-cors-protocol>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/ManageCorsUsing.html>
mod pattern;
#[cfg(test)]
mod tests;

use std::ffi::CStr;

use self::pattern::{OriginPattern, StarPattern};
use crate::{canonical::trim, preflight::Preflight, text::token::is_token};

/// A header of an answer.
pub type CorsHeader = (&'static CStr, Vec<u8>);

/// The methods that S3 has. `OPTIONS` is the preflight's own.
const METHODS: [&[u8]; 5] = [b"GET", b"HEAD", b"PUT", b"POST", b"DELETE"];

/// What a page may read where `*` stands for nothing: `ETag`, without which there are no multipart uploads,
/// and what tells of an object, a range or an error.
const EXPOSED: &[u8] =
    b"Accept-Ranges, Content-Disposition, Content-Encoding, Content-Range, ETag, \
    x-amz-bucket-region, x-amz-delete-marker, x-amz-request-id, x-amz-version-id";

/// The lists of a rule, separated by commas, as they are written; a list that is `None` has its default.
#[derive(Debug, Clone, Copy)]
pub struct CorsLists<'a> {
    pub origins: &'a [u8],
    pub methods: Option<&'a [u8]>,
    pub headers: Option<&'a [u8]>,
    pub expose: Option<&'a [u8]>,
    /// Seconds.
    pub max_age: Option<u32>,
    pub credentials: bool,
}

/// What of a rule cannot be read, or must not be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CorsFault<'a> {
    Origin(&'a [u8]),
    Method(&'a [u8]),
    Header(&'a [u8]),
    Expose(&'a [u8]),
    /// With credentials, any page could have that origin.
    CredentialsForAll(&'a [u8]),
    /// Browsers take `*` for a name if there are credentials.
    CredentialsExposeAll,
}

/// A rule: pages of these origins may make requests with these methods and headers.
#[derive(Debug)]
pub struct CorsRule {
    /// Empty for all, whose answers are the same.
    origins: Vec<OriginPattern>,
    methods: Vec<&'static [u8]>,
    headers: Vec<StarPattern>,
    /// As it is sent.
    exposed: Vec<u8>,
    max_age: Option<u32>,
    credentials: bool,
}

impl CorsRule {
    /// Reads a rule.
    ///
    /// # Errors
    /// With the first word that cannot be read.
    pub fn parse<'a>(lists: &CorsLists<'a>) -> Result<CorsRule, CorsFault<'a>> {
        let split = |list: &'a [u8]| list.split(|byte| *byte == b',');
        let mut origins = Vec::new();
        let mut is_for_all = false;
        for text in split(lists.origins) {
            let pattern = OriginPattern::parse(text).ok_or(CorsFault::Origin(text))?;
            if lists.credentials && !pattern.is_of_one_owner() {
                return Err(CorsFault::CredentialsForAll(text));
            }
            is_for_all |= pattern.is_any();
            origins.push(pattern);
        }
        if is_for_all {
            origins.clear();
        }
        let methods = match lists.methods {
            None | Some(b"*") => METHODS.to_vec(),
            Some(list) => {
                let known = |text| METHODS.into_iter().find(|method| *method == text);
                split(list)
                    .map(|text| known(text).ok_or(CorsFault::Method(text)))
                    .collect::<Result<_, _>>()?
            }
        };
        let headers = split(lists.headers.unwrap_or(b"*"))
            .map(|text| StarPattern::of_name(text).ok_or(CorsFault::Header(text)))
            .collect::<Result<_, _>>()?;
        let exposed = match lists.expose {
            None if lists.credentials => EXPOSED.to_vec(),
            None => b"*".to_vec(),
            Some(b"*") if lists.credentials => return Err(CorsFault::CredentialsExposeAll),
            Some(list) => match split(list).find(|text| !is_token(text)) {
                Some(text) => return Err(CorsFault::Expose(text)),
                None => split(list).collect::<Vec<_>>().join(&b", "[..]),
            },
        };
        Ok(CorsRule {
            origins,
            methods,
            headers,
            exposed,
            max_age: lists.max_age,
            credentials: lists.credentials,
        })
    }

    fn is_for_all(&self) -> bool {
        self.origins.is_empty()
    }

    fn permits_origin(&self, origin: Option<&[u8]>) -> bool {
        let is_listed = |origin| self.origins.iter().any(|known| known.matches(origin));
        self.is_for_all() || origin.is_some_and(is_listed)
    }

    fn permits(&self, origin: Option<&[u8]>, method: &[u8]) -> bool {
        self.methods.contains(&method) && self.permits_origin(origin)
    }

    fn permits_header(&self, name: &[u8]) -> bool {
        is_token(name) && self.headers.iter().any(|known| known.matches(name))
    }

    /// Puts who may read an answer.
    fn put_origin(&self, origin: Option<&[u8]>, out: &mut Vec<CorsHeader>) {
        let origin = origin.filter(|_| !self.is_for_all()).unwrap_or(b"*");
        out.push((c"Access-Control-Allow-Origin", origin.to_vec()));
        if self.credentials {
            out.push((c"Access-Control-Allow-Credentials", b"true".to_vec()));
        }
    }
}

/// The rules of a location: the first one counts that permits a request.
#[derive(Debug, Default)]
pub struct CorsRules(Vec<CorsRule>);

impl CorsRules {
    pub fn push(&mut self, rule: CorsRule) {
        self.0.push(rule);
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the headers of the answer to a preflight; `None` if no rule permits the request that is to
    /// follow.
    pub fn preflight_headers(&self, asked: &Preflight<'_>) -> Option<Vec<CorsHeader>> {
        let origin = Some(asked.origin);
        let requested = || listed(asked.headers.unwrap_or_default());
        let rule = self.0.iter().find(|rule| {
            rule.permits(origin, asked.method) && requested().all(|name| rule.permits_header(name))
        })?;
        let mut out = Vec::new();
        rule.put_origin(origin, &mut out);
        let methods = rule.methods.join(&b", "[..]);
        out.push((c"Access-Control-Allow-Methods", methods));
        let headers = requested().collect::<Vec<_>>().join(&b", "[..]);
        if !headers.is_empty() {
            // Not `*`, which stands for `*` with credentials, and never for `Authorization`.
            out.push((c"Access-Control-Allow-Headers", headers));
        }
        if let Some(seconds) = rule.max_age {
            let seconds = seconds.to_string().into_bytes();
            out.push((c"Access-Control-Max-Age", seconds));
        }
        let varies = b"Origin, Access-Control-Request-Method, Access-Control-Request-Headers";
        out.push((c"Vary", varies.to_vec()));
        Some(out)
    }

    /// Returns the headers by which a page may read the answer to its request. `origin` is the page's; `None`
    /// if the request says nothing of a page, or several things.
    pub fn answer_headers(&self, method: &[u8], origin: Option<&[u8]>) -> Vec<CorsHeader> {
        let mut out = Vec::new();
        let permits = |rule: &&CorsRule| rule.permits(origin, method);
        if let Some(rule) = self.0.iter().find(permits) {
            rule.put_origin(origin, &mut out);
            let exposed = rule.exposed.clone();
            out.push((c"Access-Control-Expose-Headers", exposed));
        }
        out
    }

    /// Whether answers depend on the page's origin, also those to requests that say nothing of one: a cache
    /// must not give them to a page.
    pub fn varies(&self) -> bool {
        !self.0.iter().all(CorsRule::is_for_all)
    }
}

/// Lists the words of a header that is a list.
fn listed(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    let words = list.split(|byte| *byte == b',').map(trim);
    words.filter(|word| !word.is_empty())
}

/// Whether a `Vary` header says that an answer depends on the page's origin.
pub fn varies_by_origin(vary: &[u8]) -> bool {
    listed(vary).any(|name| name == b"*" || name.eq_ignore_ascii_case(b"origin"))
}
