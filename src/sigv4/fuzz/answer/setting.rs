//! What is configured where an answer is read, and how it is cut.
use std::sync::LazyLock;

use sigv4::*;

use crate::common::{
    Directory, Raw, credential, kept,
    reference::{KEY, NOW, SECRET, Sample},
    rules, verdict,
};

pub const ORIGIN_KEY: &str = "AKIDORIGIN";
pub const ORIGIN_SECRET: &str = "oRiGiN/sEcReT+";
pub const ORIGIN_HOST: &str = "s3.origin.example";
pub const ORIGIN_SERVER: &str = "10.0.0.5:9000";
/// The client's bucket, and what the origin calls it.
pub const BUCKET: &str = "media";
pub const ORIGIN_BUCKET: &str = "acme-media";
pub const CLIENT_HOST: &str = "s3.mydomain.com";
pub const LOCATION: &str = "https://s3.mydomain.com/media/a%20b";
pub const REGION: &str = "here-1";

/// How an answer is cut into pieces.
#[derive(Clone, Copy)]
pub struct Cut {
    first: usize,
    others: usize,
}

impl Cut {
    pub fn new(first: u8, others: u8) -> Cut {
        Cut {
            first: first.into(),
            others: usize::from(others).max(1),
        }
    }

    /// The first piece may be empty.
    pub fn pieces(self, body: &[u8]) -> impl Iterator<Item = &[u8]> {
        let (first, rest) = body.split_at(self.first.min(body.len()));
        [first].into_iter().chain(rest.chunks(self.others))
    }
}

pub struct Setting {
    pub origin: &'static Origin,
    pub traces: Traces<'static>,
    pub names: ClientNames,
    pub region: Option<Region>,
    /// What listed buckets begin with.
    pub prefix: Option<String>,
    pub grant: &'static Grant,
    has_sealer: bool,
}

static PLAIN: LazyLock<Origin> = LazyLock::new(|| Origin {
    session_token: Some(SecretKey::new(b"ToKeN/of+it==".into())),
    ..Origin::new(
        credential(ORIGIN_KEY, ORIGIN_SECRET),
        ORIGIN_HOST.as_bytes(),
    )
});

/// Calls its buckets otherwise.
static NAMING: LazyLock<Origin> = LazyLock::new(|| {
    let mut origin = PLAIN.clone();
    let rule = BucketRule::parse(b"*", b"acme-*").unwrap();
    origin.buckets.push(rule).unwrap();
    origin
});

static ALL: LazyLock<Grant> = LazyLock::new(Grant::default);
static SOME: LazyLock<Grant> = LazyLock::new(|| Grant::parse(None, Some(b"m*,logs-*-x")).unwrap());

thread_local! {
    /// A request whose ids are sealed.
    static VERIFIED: Verified<'static> = {
        let text = kept(Sample::new("GET", "/media/a%20b").header_form());
        let clients = kept(Directory::new(&[(KEY, SECRET)]));
        verdict(&Raw::new(text), clients, kept(rules()), NOW).unwrap()
    };
}

impl Setting {
    pub fn of(bits: u8) -> Setting {
        let has = |bit: u8| bits >> bit & 1 == 1;
        let origin: &Origin = if has(0) { &NAMING } else { &PLAIN };
        let mut names = ClientNames::default();
        names.add(BUCKET.as_bytes(), origin);
        let mut traces = Traces::default();
        traces.add(origin, ORIGIN_SERVER.as_bytes());
        Setting {
            origin,
            traces,
            names,
            region: has(2).then(|| Region::parse(REGION.as_bytes()).unwrap()),
            prefix: has(3).then(|| "me".to_owned()),
            grant: if has(4) { &SOME } else { &ALL },
            has_sealer: has(1),
        }
    }

    pub fn is_naming(&self) -> bool {
        !self.names.is_empty()
    }

    pub fn sealer(&self) -> Option<Sealer> {
        self.has_sealer
            .then(|| VERIFIED.with(|verified| verified.sealer(self.origin)))
    }

    pub fn told(&self) -> ToldInErrors<'_> {
        ToldInErrors {
            region: self.region.as_ref(),
            host: CLIENT_HOST,
            names: self.names.clone(),
            id: self.has_sealer.then(|| AskedId {
                origin: "id1".into(),
                client: "s3r1_ID".into(),
            }),
        }
    }
}

impl ClientWords for Setting {
    fn error(&self, body: &[u8]) -> ErrorBody {
        ErrorBody::of(body, &self.traces, &self.told())
    }

    fn message(&self, message: &str) -> String {
        told_message(message, &self.traces, &self.names)
    }

    fn bucket(&self, bucket: &str) -> Option<String> {
        let map = &self.origin.buckets;
        let name = match map.is_empty() {
            true => bucket.to_owned(),
            false => map.client_name(bucket.as_bytes())?.to_string(),
        };
        self.grant.shows_bucket(name.as_bytes()).then_some(name)
    }
}

/// Whether a text has the origin's name of the client's bucket as a word in it.
pub fn has_origin_bucket(text: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || ".-_:".contains(c);
    text.split(|c| !is_part(c))
        .any(|word| word.trim_end_matches('.') == ORIGIN_BUCKET)
}
