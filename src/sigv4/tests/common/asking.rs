//! Requests of every operation in every spelling, rolled with dice: with random bytes, or with those of
//! a fuzzer. Where the dice end, each roll is a 0, which makes a request plain.
use super::{
    addressing::ClientAddressing,
    operations::{OPERATIONS, Sent},
    reading::is_of_maker,
    reference::{SIGNED_BY_V2, Sample},
};

pub struct Dice<'a>(pub &'a [u8]);

impl<'a> Dice<'a> {
    pub fn byte(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        *first
    }

    pub fn below(&mut self, sides: usize) -> usize {
        usize::from(self.byte()) % sides
    }

    pub fn one_in(&mut self, sides: usize) -> bool {
        self.below(sides) == sides - 1
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// The next of them, to be rolled by others.
    pub fn split(&mut self, count: usize) -> Dice<'a> {
        let (first, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        Dice(first)
    }
}

/// Throws dice, the same ones each time.
pub struct Thrower(u64);

impl Thrower {
    pub fn new() -> Thrower {
        Thrower(1)
    }

    pub fn throw(&mut self, count: usize) -> Vec<u8> {
        let mut byte = || {
            self.0 = (self.0)
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (self.0 >> 56) as u8
        };
        (0..count).map(|_| byte()).collect()
    }
}

/// How a request is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signing {
    Header,
    Query,
    V2Header,
    V2Query,
}

/// A request about to be signed.
#[derive(Debug, Clone)]
pub struct Asking {
    pub sent: Sent,
    /// It has all that its operation must have, and nothing that it may not have.
    pub is_usual: bool,
    /// Whether a V2 signature covers what has to be covered.
    pub fits_v2: bool,
    pub bucket: String,
    pub key: String,
    pub signing: Signing,
    /// What is sent; its parameters are in some order, and in some spelling.
    pub sample: Sample,
    pub addressing: ClientAddressing,
    /// The same with its bucket in the path, and nothing before it.
    pub path_style: Sample,
    /// How far the parameters are turned round once those of the signature are among them.
    pub turn: usize,
}

pub const BUCKETS: [&str; 8] = [
    "b", "media", "logs-1", "logs-22", "a.b-c", "Old_Name", "bb", "logs-1:x",
];

const SEGMENTS: [&str; 24] = [
    "k", "a", "b", "2026", "k.gz", "aa", "ab", "k2", "x y", "a+b", "100%", "%41", "ü", "..", ".",
    "", "a\\b", "#1?", "k=v&w", "~_-", "b..c", "a:b", "*", "ka",
];

const VALUES: [&str; 10] = [
    "1", "2", "a", "a/b", "k", "x y", "", "é", "a=b+c", "100%&acl",
];

/// Parameters of other operations, or of none.
const STRANGERS: [(&str, &str); 18] = [
    ("policy", ""),
    ("acl", ""),
    ("tagging", ""),
    ("uploads", ""),
    ("uploadId", "1"),
    ("partNumber", "1"),
    ("list-type", "2"),
    ("versions", ""),
    ("versionId", "1"),
    ("prefix", "a"),
    ("id", "1"),
    ("select", ""),
    ("select-type", "2"),
    ("unheard-of", ""),
    ("ACL", ""),
    ("acl", "1"),
    ("x-amz-copy-source", "media/k"),
    ("x-amz-unheard-of", "1"),
];

/// Some SDKs put headers into the query of a presigned request.
const HOISTED: [(&str, &str); 5] = [
    ("x-amz-storage-class", "STANDARD"),
    ("X-Amz-Meta-A", "b c"),
    ("x-amz-acl", "public-read"),
    ("X-Amz-Acl", "private"),
    ("x-amz-expected-bucket-owner", "1"),
];

/// What a V2 signature may leave out: all that it changes is how a listing is cut.
pub const OPEN_IN_V2: &[&str] = &[
    "continuation-token",
    "delimiter",
    "encoding-type",
    "fetch-owner",
    "key-marker",
    "list-type",
    "marker",
    "max-keys",
    "max-parts",
    "max-uploads",
    "part-number-marker",
    "prefix",
    "start-after",
    "upload-id-marker",
    "version-id-marker",
    "x-id",
];

const SIGNED: [(&str, &str); 11] = [
    ("x-amz-meta-a", "b  c"),
    ("x-amz-storage-class", "STANDARD"),
    ("content-type", "text/plain"),
    ("x-amz-acl", "private"),
    ("x-amz-acl", "public-read"),
    ("x-amz-grant-read", "id=1"),
    ("x-amz-unheard-of", "1"),
    ("x-amz-meta-snowball-auto-extract", "true"),
    ("x-goog-copy-source", "media/k"),
    ("x-minio-force-delete", "true"),
    ("range", "bytes=0-1"),
];

/// No server's, some by one byte.
const UNSIGNED: [(&str, &str); 6] = [
    ("User-Agent", "x"),
    ("Accept", "*/*"),
    ("x-amy-acl", "public-read"),
    ("xxamz-meta-a", "b"),
    ("y-goog-copy-source", "media/k"),
    ("w-minio-force-delete", "true"),
];

const SOURCES: [&str; 8] = [
    "arn:aws:s3:us-east-1:1:accesspoint/media/object/k",
    "//media/k",
    "media",
    "media/k?x=y",
    "media/../k",
    "media/a/../../k",
    "http://media/k",
    "",
];

impl Asking {
    pub fn roll(dice: &mut Dice<'_>) -> Asking {
        let sent = dice.pick(OPERATIONS);
        let mut is_usual = true;
        let mut fits_v2 = true;
        let method = match dice.one_in(24) {
            true => {
                is_usual = false;
                dice.pick(&["GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS", "PATCH"])
            }
            false => sent.method,
        };
        let bucket = match sent.path {
            "/" => "",
            "/WriteGetObjectResponse" => "WriteGetObjectResponse",
            _ => dice.pick(&BUCKETS),
        };
        let key = match sent.path {
            "/b/k" => roll_key(dice),
            _ => String::new(),
        };
        let path = spell_path(dice, bucket, &key);

        let mut parameters = Vec::new();
        for name in sent.query.split('&').filter(|name| !name.is_empty()) {
            let (name, value) = name.split_once('=').unwrap_or((name, ""));
            let value = match value {
                "1" => dice.pick(&["1", "a b", "x/y", "é"]),
                fixed => fixed,
            };
            parameters.push((name, value));
        }
        for name in sent.optional.split(' ').filter(|name| !name.is_empty()) {
            if dice.one_in(4) {
                let value = match dice.pick(&VALUES) {
                    "" if name == "partNumber" => "1",
                    value => value,
                };
                parameters.push((name, value));
            }
        }
        if dice.one_in(5) {
            let name = match dice.one_in(4) {
                true => {
                    is_usual = false;
                    dice.pick(OPERATIONS).name
                }
                false => sent.name,
            };
            parameters.push(("x-id", name));
        }
        if dice.one_in(8) {
            is_usual = false;
            parameters.push(dice.pick(&STRANGERS));
        }
        if dice.one_in(8) {
            fits_v2 = false;
            parameters.push(dice.pick(&HOISTED));
        }
        let query = spell_query(dice, parameters, &mut fits_v2);

        let signing = dice.pick(&[
            Signing::Header,
            Signing::Query,
            Signing::Header,
            Signing::Query,
            Signing::V2Header,
            Signing::V2Query,
        ]);
        let mut sample = Sample::new(method, &format!("{path}?{query}"));
        for headers in [SIGNED.as_slice(), &UNSIGNED] {
            let mut found = Vec::new();
            while found.len() < 3 && dice.one_in(3) {
                let (name, value) = dice.pick(headers);
                if name.starts_with("x-amz-meta") || !found.contains(&name) {
                    found.push(name);
                    fits_v2 &= !is_of_maker(name.as_bytes());
                    let name = spell_name(dice, name);
                    sample = match headers == SIGNED {
                        true => sample.header(&name, value),
                        false => sample.unsigned(&name, value),
                    };
                }
            }
        }
        let source = match sent.source {
            "" if dice.one_in(48) => {
                is_usual = false;
                dice.pick(&["copy", "rename"])
            }
            source => source,
        };
        if !source.is_empty() {
            let name = spell_name(dice, &format!("x-amz-{source}-source"));
            sample = sample.header(&name, &roll_source(dice));
        }
        if dice.one_in(2) {
            sample.payload = "UNSIGNED-PAYLOAD".into();
        }
        let turn = dice.below(4);
        let addressing = ClientAddressing::roll(dice, bucket);
        let way = dice.below(8);
        Asking {
            sent,
            is_usual,
            fits_v2,
            bucket: bucket.into(),
            key,
            signing,
            path_style: sample.clone(),
            sample,
            addressing,
            turn,
        }
        .address(way)
    }

    /// The signed request.
    pub fn text(&self) -> String {
        let sample = self.sample.clone();
        let text = match self.signing {
            Signing::Header => sample.header_form(),
            Signing::Query => sample.query_form(),
            Signing::V2Header => sample.v2_header_form(),
            Signing::V2Query => sample.v2_query_form(),
        };
        // The order of parameters is not signed.
        let (line, headers) = text.split_once('\n').unwrap();
        let Some((start, query)) = line.split_once('?') else {
            return text;
        };
        let mut pairs: Vec<_> = query.split('&').collect();
        let turn = self.turn % pairs.len();
        pairs.rotate_left(turn);
        format!("{start}?{}\n{headers}", pairs.join("&"))
    }

    /// Whether its signature covers a header of that name, in lower case, that is not S3's own.
    pub fn signs(&self, name: &str) -> bool {
        let is_it = |(other, _): &&(String, String)| other.eq_ignore_ascii_case(name);
        let header = self.sample.headers.iter().find(is_it);
        !self.is_v2() && header.is_some_and(|(name, _)| !self.sample.unsigned.contains(name))
    }

    /// The header that names another object, as a line.
    pub fn source_line(&self) -> String {
        let is_it = |(name, _): &&(String, String)| name.to_lowercase().ends_with("e-source");
        let header = self.sample.headers.iter().rfind(is_it);
        header.map_or(String::new(), |(name, value)| {
            format!("{name}: {value}\r\n")
        })
    }

    pub fn is_v2(&self) -> bool {
        matches!(self.signing, Signing::V2Header | Signing::V2Query)
    }
}

pub fn roll_key(dice: &mut Dice<'_>) -> String {
    let mut key = dice.pick(&SEGMENTS).to_string();
    while dice.one_in(3) {
        key += "/";
        key += dice.pick(&SEGMENTS);
    }
    // Else it would be the bucket that is meant.
    if key.is_empty() { "k".into() } else { key }
}

fn roll_source(dice: &mut Dice<'_>) -> String {
    if dice.one_in(6) {
        return dice.pick(&SOURCES).to_string();
    }
    let start = dice.pick(&["", "/", "", "%2F", "%2f"]);
    let bucket = dice.pick(&BUCKETS);
    let bucket = spell_text(dice, bucket, b"/?#% +&");
    let separator = dice.pick(&["/", "/", "%2F"]);
    let key = roll_key(dice);
    let key = spell_text(dice, &key, b"?#% +&");
    let version = dice.pick(&["", "", "?versionId=1", "?versionId=a%26b"]);
    format!("{start}{bucket}{separator}{key}{version}")
}

pub fn spell_path(dice: &mut Dice<'_>, bucket: &str, key: &str) -> String {
    let special = b"?#%+";
    let bucket = spell_text(dice, bucket, special);
    let separator = match key {
        "" if bucket.is_empty() => "",
        "" => dice.pick(&["", "", "/", "%2f"]),
        _ => dice.pick(&["/", "/", "/", "%2F", "%2f"]),
    };
    format!("/{bucket}{separator}{}", spell_text(dice, key, special))
}

/// Joins parameters in any order. Their names must be spelled as they are for V2 to cover them.
fn spell_query(
    dice: &mut Dice<'_>,
    mut parameters: Vec<(&str, &str)>,
    fits_v2: &mut bool,
) -> String {
    if dice.one_in(3) && !parameters.is_empty() {
        let turn = dice.below(parameters.len());
        parameters.rotate_left(turn);
        parameters[..].reverse();
    }
    let mut query = dice.pick(&["", "", "", "&"]).to_string();
    for (at, (name, value)) in parameters.iter().enumerate() {
        if at > 0 {
            query += dice.pick(&["&", "&", "&", "&&"]);
        }
        let special = b"%+&=#/";
        let spelled = spell_text(dice, name, special);
        let is_covered = SIGNED_BY_V2.contains(name) || OPEN_IN_V2.contains(name);
        let is_single = parameters.iter().filter(|(other, _)| other == name).count() == 1;
        *fits_v2 &= is_covered && is_single && spelled == *name;
        query += &spelled;
        if !value.is_empty() || dice.one_in(2) {
            query += "=";
            query += &spell_text(dice, value, special);
        }
        // Which server ends the value there?
        *fits_v2 &= !value.contains('&');
    }
    query + dice.pick(&["", "", "", "&"])
}

/// Percent-encodes what has a meaning in its place, and of the rest what the dice say.
fn spell_text(dice: &mut Dice<'_>, text: &str, special: &[u8]) -> String {
    let way = dice.pick(&[0, 0, 0, 1, 2, 3]);
    text.bytes()
        .map(|byte| {
            let must = !byte.is_ascii_graphic() || special.contains(&byte);
            let choice = match way {
                0 => usize::from(must),
                1 | 2 => way,
                _ => dice.below(3),
            };
            match choice {
                0 if !must => char::from(byte).to_string(),
                2 => format!("%{byte:02x}"),
                _ => format!("%{byte:02X}"),
            }
        })
        .collect()
}

fn spell_name(dice: &mut Dice<'_>, name: &str) -> String {
    match dice.below(4) {
        1 => name.to_uppercase(),
        2 => {
            let title = |word: &str| word[..1].to_uppercase() + &word[1..];
            let words: Vec<_> = name.split('-').map(title).collect();
            words.join("-")
        }
        _ => name.into(),
    }
}
