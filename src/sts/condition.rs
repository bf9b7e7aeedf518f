//! What claims of a token must be for a role.
use percent_encoding::percent_decode;
use sigv4::is_match;

use crate::json::{Json, Object};

/// `CLAIM:PATTERN`: one of several conditions, which all have to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// The names on the way to the value: one for a claim by its name, several for a JSON pointer.
    path: Vec<String>,
    pattern: Box<[u8]>,
}

/// What is wrong with a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConditionFault {
    /// There is no colon.
    NoPattern,
    /// The claim's name is empty, or no UTF-8, or has a `%` without two hexadecimal digits.
    Claim,
    /// A JSON pointer with a `~` that neither `0` nor `1` follows.
    Pointer,
    /// Nothing could match it.
    EmptyPattern,
}

impl Condition {
    /// Reads `CLAIM:PATTERN`. The first colon ends the claim, which is percent-encoded; it is a JSON pointer (RFC 6901) if it
    /// begins with `/` as it is written, and a name else. In the pattern, `*` stands for any run of bytes.
    ///
    /// # Errors
    /// If it is none.
    pub fn parse(text: &[u8]) -> Result<Condition, ConditionFault> {
        let colon = text.iter().position(|byte| *byte == b':');
        let colon = colon.ok_or(ConditionFault::NoPattern)?;
        let (claim, pattern) = text.split_at(colon);
        let pattern = pattern.get(1..).unwrap_or_default();
        if pattern.is_empty() {
            return Err(ConditionFault::EmptyPattern);
        }
        let path = match claim.strip_prefix(b"/") {
            None => vec![decoded(claim)?],
            Some(pointer) => pointer
                .split(|byte| *byte == b'/')
                .map(|part| unescaped(&decoded(part)?))
                .collect::<Result<_, _>>()?,
        };
        if claim.is_empty() {
            return Err(ConditionFault::Claim);
        }
        Ok(Condition {
            path,
            pattern: pattern.into(),
        })
    }

    /// Whether it holds: for a string as it is, for a number of at most 64 bits without fraction and exponent and for `true`
    /// and `false` by their JSON text, for an array if it holds for one of those in it. For all else it does not.
    pub(crate) fn holds(&self, claims: &Object) -> bool {
        let mut path = self.path.iter();
        let first = path.next().and_then(|name| claims.get(name));
        match first.and_then(|value| value.at(path.as_slice())) {
            Some(Json::Array(values)) => values.iter().any(|value| self.matches(value)),
            Some(value) => self.matches(value),
            None => false,
        }
    }

    fn matches(&self, value: &Json) -> bool {
        match value {
            Json::String(text) => is_match(&self.pattern, text.as_bytes()),
            Json::Integer(number) => is_match(&self.pattern, number.to_string().as_bytes()),
            Json::Bool(truth) => is_match(&self.pattern, truth.to_string().as_bytes()),
            Json::Real(_) | Json::Null | Json::Array(_) | Json::Object(_) => false,
        }
    }
}

fn decoded(text: &[u8]) -> Result<String, ConditionFault> {
    if !is_encoding(text) {
        return Err(ConditionFault::Claim);
    }
    String::from_utf8(percent_decode(text).collect()).map_err(|_| ConditionFault::Claim)
}

/// Whether two hexadecimal digits follow each `%`.
fn is_encoding(text: &[u8]) -> bool {
    let mut pieces = text.split(|byte| *byte == b'%');
    pieces.next();
    let is_digits = |digits: &[u8]| digits.iter().all(u8::is_ascii_hexdigit);
    pieces.all(|piece| piece.get(..2).is_some_and(is_digits))
}

/// Reads a part of a JSON pointer: `~1` stands for `/`, and `~0` for `~` (RFC 6901 section 4).
fn unescaped(part: &str) -> Result<String, ConditionFault> {
    let mut pieces = part.split('~');
    let mut text = String::from(pieces.next().unwrap_or_default());
    for piece in pieces {
        let (sign, rest) = match (piece.strip_prefix('0'), piece.strip_prefix('1')) {
            (Some(rest), _) => ('~', rest),
            (None, Some(rest)) => ('/', rest),
            (None, None) => return Err(ConditionFault::Pointer),
        };
        text.push(sign);
        text.push_str(rest);
    }
    Ok(text)
}
