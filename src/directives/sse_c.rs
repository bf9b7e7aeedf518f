//! `s3_sse_c`: with which keys origins encrypt objects.

use std::sync::Arc;

use sigv4::{CustomerKey, CustomerKeyRule, CustomerKeys};

use crate::{
    once::duplicate,
    params::{Params, missing},
    reading::Reading,
    word, words_from,
};

/// One `s3_sse_c` line.
#[derive(Debug)]
pub enum SseCLine {
    /// There are no keys here.
    Off,
    Rule {
        rule: CustomerKeyRule,
        /// For messages.
        named: String,
    },
}

/// The lines of one level.
#[derive(Debug, Clone, Default)]
pub struct SseCLines {
    keys: Arc<CustomerKeys>,
    is_off: bool,
}

impl SseCLines {
    /// Returns the keys; `None` if there are none.
    pub fn keys(&self) -> Option<&Arc<CustomerKeys>> {
        Some(&self.keys).filter(|keys| !keys.is_empty())
    }

    /// Adds a line; an error if it contradicts another one.
    pub fn insert(&mut self, line: SseCLine) -> Result<(), String> {
        let keys = Arc::get_mut(&mut self.keys).ok_or("keys are merged already")?;
        let one = || duplicate("s3_sse_c", "keep \"off\" or the keys");
        match line {
            _ if self.is_off => Err(one()),
            SseCLine::Off if !keys.is_empty() => Err(one()),
            SseCLine::Off => {
                self.is_off = true;
                Ok(())
            }
            SseCLine::Rule { rule, named } => keys
                .push(rule)
                .map_err(|_| format!("{named} is duplicate: keep one line for each pattern")),
        }
    }
}

/// Reads `s3_sse_c BUCKET[/KEY] key=V [cache=on|off]`, or `s3_sse_c off`.
pub fn sse_c(words: &[&[u8]], reading: &mut Reading<'_>) -> Result<SseCLine, String> {
    if let [_, b"off"] = words {
        return Ok(SseCLine::Off);
    }
    let pattern = word(words, 1);
    // It is not shown, since it may be the key.
    if !CustomerKeyRule::is_pattern(pattern) {
        return Err(
            "\"s3_sse_c\" begins with no pattern of buckets: write \"s3_sse_c BUCKET key=...\" or \
             \"s3_sse_c BUCKET/PREFIX* key=...\", with \"*\" for any run of characters"
                .into(),
        );
    }
    let named = named(pattern);
    let mut params = Params::new(&named, words_from(words, 2));
    let key = params.take_key("key", |named, text| customer_key(named, text, reading))?;
    let cache = params.take("cache")?;
    params.done()?;

    let key = key.ok_or_else(|| missing(&named, "key"))?;
    let is_cached = match cache {
        None | Some(b"off") => false,
        Some(b"on") => true,
        Some(other) => {
            return Err(format!(
                "{named}: \"cache={}\" is neither \"cache=on\" nor \"cache=off\": write one of them",
                other.escape_ascii()
            ));
        }
    };
    match CustomerKeyRule::new(pattern, key, is_cached) {
        Some(rule) => Ok(SseCLine::Rule { rule, named }),
        None => Err(format!("{named} names no objects")),
    }
}

fn named(pattern: &[u8]) -> String {
    format!("\"s3_sse_c {}\"", pattern.escape_ascii())
}

fn customer_key(
    named: &str,
    text: &[u8],
    reading: &mut Reading<'_>,
) -> Result<CustomerKey, String> {
    CustomerKey::parse(reading.secret_key(named, text)?).ok_or_else(|| {
        format!(
            "{named} is not 32 bytes in base64: make a key with \"openssl rand -base64 32\", and keep it where \
             it cannot be lost"
        )
    })
}
