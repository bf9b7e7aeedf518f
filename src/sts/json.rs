//! JSON that all readers read alike: no member of an object twice.
//!
//! RFC 7515 section 4 and RFC 7519 section 4 have those rejected; RFC 8259 section 4 says why.
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    /// A number without fraction and exponent, of at most 64 bits.
    Integer(i128),
    /// Any other number, as near as can be.
    Real(f64),
    String(String),
    Array(Vec<Json>),
    Object(Object),
}

/// An object's members, in their order.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Object(Vec<(String, Json)>);

impl Object {
    /// Reads an object that is all there is; `None` if it is anything else.
    pub(crate) fn parse(text: &[u8]) -> Option<Object> {
        match serde_json::from_slice(text).ok()? {
            Json::Object(object) => Some(object),
            _ => None,
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Json> {
        let mut members = self.0.iter();
        members
            .find(|member| member.0 == name)
            .map(|member| &member.1)
    }

    /// Returns a string; `None` if it is absent or anything else.
    pub(crate) fn string(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Json::as_str)
    }
}

impl Json {
    pub(crate) fn as_str(&self) -> Option<&str> {
        match self {
            Json::String(text) => Some(text),
            _ => None,
        }
    }

    /// Finds what a pointer leads to (RFC 6901).
    pub(crate) fn at<'j>(&'j self, pointer: &[String]) -> Option<&'j Json> {
        let mut value = self;
        for part in pointer {
            value = match value {
                Json::Object(object) => object.get(part)?,
                Json::Array(values) => values.get(index(part)?)?,
                _ => return None,
            };
        }
        Some(value)
    }
}

/// Reads an index of an array: no sign, and no leading zero (RFC 6901 section 4).
fn index(text: &str) -> Option<usize> {
    let is_index = text == "0" || !text.starts_with('0');
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_index && is_number)
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Json, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Integer(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Integer(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        Ok(Json::Real(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Json, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = access.next_element()? {
            values.push(value);
        }
        Ok(Json::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Json, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = access.next_entry::<String, Json>()? {
            members.push(member);
        }
        let mut names: Vec<&str> = members.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        if names.windows(2).any(|pair| pair.first() == pair.last()) {
            return Err(A::Error::custom("a member is there twice"));
        }
        Ok(Json::Object(Object(members)))
    }
}
