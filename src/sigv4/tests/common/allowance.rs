//! A grant as it is configured, and whether it permits a request: by the words of nginx/README.md, with a
//! matcher that tries every way.
use std::sync::Arc;

use sigv4::Grant;

use super::{
    asking::Dice,
    operations::{Class, OPERATIONS},
    reading::{Asked, Pair, has_parent, is_bucket_name, leaves_on_windows},
};

#[derive(Debug)]
pub struct Allowance {
    /// Classes and names; none for all.
    pub allow: Vec<String>,
    /// None for all.
    pub buckets: Vec<String>,
    /// What it stays within, as what a minted key may do does within what its issuer may give.
    pub outer: Option<Box<Allowance>>,
}

impl Allowance {
    /// One that has a chance to permit a request.
    pub fn roll(dice: &mut Dice<'_>, operation: &str, bucket: &str, key: &str) -> Allowance {
        let mut allowance = Allowance::roll_one(dice, operation, bucket, key);
        if dice.one_in(3) {
            let outer = Allowance::roll_one(dice, operation, bucket, key);
            allowance.outer = Some(Box::new(outer));
        }
        allowance
    }

    fn roll_one(dice: &mut Dice<'_>, operation: &str, bucket: &str, key: &str) -> Allowance {
        let words = [
            "read",
            "write",
            "all",
            "list",
            "delete",
            "Get*",
            "*Object*",
            "List*",
            "*",
            operation,
            "read",
            "write",
            "P*t*",
            dice.pick(OPERATIONS).name,
        ];
        let mut allow = Vec::new();
        let count = dice.below(4);
        while allow.len() < count {
            allow.push(dice.pick(&words).to_string());
        }
        let mut buckets = Vec::new();
        let count = dice.below(3);
        while buckets.len() < count {
            let place = pattern(dice, bucket, &["*", "logs-*", "m*a", "*b*", "*"]);
            let place = if place.contains(':') {
                "logs-*".into()
            } else {
                place
            };
            let key = match dice.one_in(2) {
                true => format!(
                    "/{}",
                    pattern(dice, key, &["*", "a*", "*.gz", "k*k*", "2026/*"])
                ),
                false => String::new(),
            };
            buckets.push(place + &key);
        }
        Allowance {
            allow,
            buckets,
            outer: None,
        }
    }

    pub fn grant(&self) -> Grant {
        self.parse().unwrap()
    }

    /// `None` where a word cannot be read.
    pub fn parse(&self) -> Option<Grant> {
        let list = |words: &[String]| (!words.is_empty()).then(|| words.join(",").into_bytes());
        let (allow, buckets) = (list(&self.allow), list(&self.buckets));
        let grant = Grant::parse(allow.as_deref(), buckets.as_deref()).ok()?;
        match &self.outer {
            Some(outer) => Some(grant.within(Arc::new(outer.parse()?))),
            None => Some(grant),
        }
    }

    pub fn permits(&self, asked: &Asked) -> bool {
        let outer = self.outer.as_deref();
        outer.is_none_or(|outer| outer.permits(asked))
            && self.permits_operation(asked)
            && (self.is_unconfined() || self.permits_headers(asked) && self.permits_place(asked))
    }

    fn has(&self, word: &str) -> bool {
        self.allow.iter().any(|had| had == word)
    }

    fn allows_all(&self) -> bool {
        self.allow.is_empty() || self.has("all")
    }

    fn is_unconfined(&self) -> bool {
        self.allows_all() && self.buckets.is_empty()
    }

    fn permits_operation(&self, asked: &Asked) -> bool {
        let class = asked.class();
        self.permits_named(asked.operation, class)
    }

    fn permits_named(&self, name: &str, class: Class) -> bool {
        let anywhere = self.buckets.is_empty();
        let (read, write) = (self.has("read"), self.has("write"));
        let delete = write || self.has("delete");
        let by_class = match class {
            Class::Read => read,
            Class::List => read || self.has("list"),
            Class::Write => write,
            Class::Delete => delete,
            Class::Copy => read && write,
            Class::Configure | Class::Elsewhere => write && anywhere,
            Class::Unconfigure => delete && anywhere,
            Class::Credentials | Class::Other => false,
        };
        let in_full = class == Class::Credentials || class == Class::Elsewhere && !anywhere;
        let by_name = self.allow.iter().any(|word| match in_full {
            true => word == name,
            false => name != "Unknown" && glob(word.as_bytes(), name.as_bytes()),
        });
        by_name || by_class || self.allows_all() && !in_full
    }

    fn permits_headers(&self, asked: &Asked) -> bool {
        let access = match asked.operation {
            "CreateBucket" | "PutBucketAcl" => "PutBucketAcl",
            _ => "PutObjectAcl",
        };
        let gives_access = self.buckets.is_empty() || self.permits_named(access, Class::Configure);
        let in_query = |name: &str| {
            let mut names = asked.parameters.iter().map(|(name, _)| name);
            names.any(|other| other.eq_ignore_ascii_case(name.as_bytes()))
        };
        let source = |(bucket, key): &Pair| self.has_place(bucket, |pattern| has_key(pattern, key));
        !asked.has_foreign_header
            && asked.headers().all(|(name, value)| match name.as_str() {
                "x-amz-copy-source" | "x-amz-rename-source" => {
                    !in_query(&name) && asked.is_source_clear && asked.sources.iter().all(source)
                }
                "x-amz-acl" => value == b"private" || gives_access,
                "x-amz-grant-read" => gives_access,
                "x-amz-unheard-of" | "x-amz-meta-snowball-auto-extract" => false,
                _ => true,
            })
    }

    pub fn permits_place(&self, asked: &Asked) -> bool {
        if self.buckets.is_empty() || asked.operation == "ListBuckets" {
            return true;
        }
        if leaves_on_windows(&asked.key) {
            return false;
        }
        let lists = [
            "ListObjects",
            "ListObjectsV2",
            "ListObjectVersions",
            "ListMultipartUploads",
        ];
        self.has_place(&asked.bucket, |pattern| match asked.operation {
            "HeadBucket" | "GetBucketLocation" | "GetBucketVersioning" => true,
            "Unknown" => pattern.is_none(),
            name if lists.contains(&name) => {
                let prefix = asked.prefix.as_deref().unwrap_or_default();
                // Whatever follows it.
                let mut keys = ["", "z", "/y"]
                    .map(|more| [prefix, more.as_bytes()].concat())
                    .into_iter();
                keys.all(|key| has_key(pattern, &key))
            }
            _ if asked.is_object() => has_key(pattern, &asked.key),
            _ => pattern.is_none(),
        })
    }

    /// Whether a bucket is in one of the patterns, of which `fits` judges the key's part.
    fn has_place(&self, bucket: &[u8], fits: impl Fn(Option<&str>) -> bool) -> bool {
        let is_in = |place: &String| {
            let (name, key) = match place.split_once('/') {
                Some((name, key)) => (name, Some(key)),
                None => (place.as_str(), None),
            };
            glob(name.as_bytes(), bucket) && fits(key)
        };
        self.buckets.is_empty() || is_bucket_name(bucket) && self.buckets.iter().any(is_in)
    }
}

fn has_key(pattern: Option<&str>, key: &[u8]) -> bool {
    pattern.is_none_or(|pattern| !has_parent(key) && glob(pattern.as_bytes(), key))
}

/// A text, the beginning of it, or something else; each not empty.
fn pattern(dice: &mut Dice<'_>, text: &str, others: &[&str]) -> String {
    let start: String = text.chars().take(dice.below(4)).collect();
    match dice.below(3) {
        0 => start + "*",
        1 if !text.is_empty() => text.into(),
        _ => dice.pick(others).to_string(),
    }
}

/// Whether a text is what a pattern says, tried in every way.
pub fn glob(pattern: &[u8], text: &[u8]) -> bool {
    match pattern {
        [] => text.is_empty(),
        [b'*', rest @ ..] => (0..=text.len()).any(|at| glob(rest, &text[at..])),
        [byte, rest @ ..] => text.first() == Some(byte) && glob(rest, &text[1..]),
    }
}
