//! The policy: until when, and which forms.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html>
use std::{fmt, ops::RangeInclusive};

use base64ct::{Base64, Encoding};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::fields::FormFields;
use crate::{date::Timestamp, error::Rejection};

#[derive(Debug)]
pub(super) struct Policy {
    pub(super) expiration: Timestamp,
    conditions: Vec<Condition>,
}

#[derive(Debug)]
enum Condition {
    Equal { field: String, value: String },
    StartsWith { field: String, start: String },
    Length(RangeInclusive<u64>),
}

impl Policy {
    /// Reads the value of a `policy` field.
    pub(super) fn parse(field: &[u8]) -> Result<Policy, Rejection> {
        // Some encoders break lines.
        let encoded: Vec<u8> = field
            .iter()
            .copied()
            .filter(|byte| !byte.is_ascii_whitespace())
            .collect();
        let mut json = vec![0; encoded.len()];
        let json = std::str::from_utf8(&encoded)
            .ok()
            .and_then(|encoded| Base64::decode(encoded, &mut json).ok())
            .and_then(|json| std::str::from_utf8(json).ok())
            .ok_or(Rejection::InvalidPolicy)?;
        serde_json::from_str(&unescape(json)).map_err(|_| Rejection::InvalidPolicy)
    }

    /// Checks that the policy is about such a form, and all of it; tells how long the file may be.
    pub(super) fn check(
        &self,
        fields: &FormFields<'_>,
        bucket: &str,
    ) -> Result<RangeInclusive<u64>, Rejection> {
        let value_of = |field: &str| match field.eq_ignore_ascii_case("bucket") {
            true => Some(bucket.as_bytes()),
            false => fields.find(field),
        };
        let mut length = 0..=u64::MAX;
        for condition in &self.conditions {
            let holds = match condition {
                Condition::Length(range) => {
                    length = *length.start().max(range.start())..=*length.end().min(range.end());
                    true
                }
                Condition::Equal { field, value } => value_of(field) == Some(value.as_bytes()),
                Condition::StartsWith { field, start } => value_of(field).is_some_and(|value| {
                    let begins = |value: &[u8]| value.starts_with(start.as_bytes());
                    let mut values = value.split(|byte| *byte == b',' && is_list(field));
                    values.next().is_some_and(begins)
                        && values.all(|value| begins(value.trim_ascii_start()))
                }),
            };
            if !holds {
                return Err(Rejection::PolicyCondition(condition.to_string().into()));
            }
        }
        if !self.mentions("bucket") {
            return Err(Rejection::ExtraField("bucket".into()));
        }
        for field in fields.iter().filter(|field| !field.is_exempt()) {
            let name = String::from_utf8_lossy(field.name);
            if !self.mentions(&name) {
                return Err(Rejection::ExtraField(name.into()));
            }
            // Two names of a bucket: one of them would be another's.
            if field.is("bucket") && *field.value != *bucket.as_bytes() {
                return Err(Rejection::InvalidField);
            }
        }
        Ok(length)
    }

    fn mentions(&self, name: &str) -> bool {
        self.conditions.iter().any(|condition| match condition {
            Condition::Equal { field, .. } | Condition::StartsWith { field, .. } => {
                field.eq_ignore_ascii_case(name)
            }
            Condition::Length(_) => false,
        })
    }
}

/// Whether commas in a field's value separate several, each of which has to begin as demanded.
fn is_list(field: &str) -> bool {
    field.eq_ignore_ascii_case("content-type")
}

/// Resolves the two escapes that S3 has and JSON has not: `\$` and `\v`.
fn unescape(json: &str) -> String {
    let mut plain = String::with_capacity(json.len());
    let mut characters = json.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            plain.push(character);
            continue;
        }
        match characters.next() {
            Some('$') => plain.push('$'),
            Some('v') => plain.push_str("\\u000b"),
            escaped => {
                plain.push('\\');
                plain.extend(escaped);
            }
        }
    }
    plain
}

/// Reads `2015-12-30T12:00:00.000Z`; drops the fraction, which prolongs nothing.
fn parse_expiration(text: &str) -> Option<Timestamp> {
    let (time, fraction) = text.strip_suffix('Z')?.split_at_checked(19)?;
    let digits = fraction.strip_prefix('.');
    let is_fraction = |digits: &str| {
        (1..=9).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    if !fraction.is_empty() && !digits.is_some_and(is_fraction) {
        return None;
    }
    Timestamp::parse_iso(&[time.as_bytes(), b"Z"].concat())
}

/// As S3 writes it into an error; nothing in it could break a line of a log.
impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (operator, field, value) = match self {
            Condition::Equal { field, value } => ("eq", field, value),
            Condition::StartsWith { field, start } => ("starts-with", field, start),
            Condition::Length(range) => {
                let (least, most) = (range.start(), range.end());
                return write!(f, "[\"content-length-range\", {least}, {most}]");
            }
        };
        let (field, value) = (field.escape_debug(), value.escape_debug());
        write!(f, "[\"{operator}\", \"${field}\", \"{value}\"]")
    }
}

impl<'de> Deserialize<'de> for Policy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Policy, D::Error> {
        struct Document;
        impl<'de> Visitor<'de> for Document {
            type Value = Policy;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a policy document")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Policy, M::Error> {
                let (mut expiration, mut conditions) = (None, None);
                while let Some(name) = map.next_key::<String>()? {
                    let is_repeated = match name.as_str() {
                        "expiration" => {
                            let text = map.next_value::<String>()?;
                            let time = parse_expiration(&text)
                                .ok_or_else(|| M::Error::custom("no ISO 8601 time"))?;
                            expiration.replace(time).is_some()
                        }
                        "conditions" => conditions.replace(map.next_value()?).is_some(),
                        _ => return Err(M::Error::unknown_field(&name, &[])),
                    };
                    if is_repeated {
                        return Err(M::Error::custom("repeated"));
                    }
                }
                match (expiration, conditions) {
                    (Some(expiration), Some(conditions)) => Ok(Policy {
                        expiration,
                        conditions,
                    }),
                    _ => Err(M::Error::custom("incomplete")),
                }
            }
        }
        deserializer.deserialize_map(Document)
    }
}

impl<'de> Deserialize<'de> for Condition {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Condition, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Condition;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a condition")
            }

            /// Reads `{"acl": "public-read"}`.
            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Condition, M::Error> {
                let (field, value) = map
                    .next_entry()?
                    .ok_or_else(|| M::Error::custom("an empty condition"))?;
                match map.next_key::<String>()? {
                    None => Ok(Condition::Equal { field, value }),
                    Some(_) => Err(M::Error::custom("more than one in a condition")),
                }
            }

            /// Reads `["starts-with", "$key", "user/"]`.
            fn visit_seq<S: SeqAccess<'de>>(self, mut seq: S) -> Result<Condition, S::Error> {
                let short = || S::Error::custom("a condition has three parts");
                // In any case, as ceph/s3-tests has S3 read them.
                let operator = seq.next_element::<String>()?.ok_or_else(short)?;
                let operator = operator.to_ascii_lowercase();
                let condition = if operator == "content-length-range" {
                    let Bound(least) = seq.next_element()?.ok_or_else(short)?;
                    let Bound(most) = seq.next_element()?.ok_or_else(short)?;
                    Condition::Length(least..=most)
                } else {
                    let field = seq.next_element::<String>()?.ok_or_else(short)?;
                    let field = field
                        .strip_prefix('$')
                        .ok_or_else(|| S::Error::custom("a field begins with $"))?
                        .to_owned();
                    let value = seq.next_element()?.ok_or_else(short)?;
                    match operator.as_str() {
                        "eq" => Condition::Equal { field, value },
                        "starts-with" => Condition::StartsWith {
                            field,
                            start: value,
                        },
                        _ => return Err(S::Error::custom("an unknown operator")),
                    }
                };
                match seq.next_element::<serde::de::IgnoredAny>()? {
                    None => Ok(condition),
                    Some(_) => Err(short()),
                }
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// Reads a length: a number, in quotes or not.
struct Bound(u64);

impl<'de> Deserialize<'de> for Bound {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Bound, D::Error> {
        struct Number;
        impl Visitor<'_> for Number {
            type Value = Bound;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of bytes")
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Bound, E> {
                Ok(Bound(number))
            }

            fn visit_str<E: Error>(self, digits: &str) -> Result<Bound, E> {
                Some(digits)
                    .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
                    .and_then(|digits| digits.parse().ok())
                    .map(Bound)
                    .ok_or_else(|| E::custom("no number of bytes"))
            }
        }
        deserializer.deserialize_any(Number)
    }
}
