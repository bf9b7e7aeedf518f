//! The settings of a location that are one word or a list of words.

use sigv4::Region;

use crate::{
    host::{NOT_A_HOST, may_be_host},
    is_name_byte,
    reading::Reading,
    time, word, words_from,
};

pub(crate) const NOT_A_REGION: &str = "is not a region";

/// An `s3_region` line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegionRule {
    Any,
    Only(Region),
}

/// An `s3_errors` line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorStyle {
    S3,
    S3proxy,
}

/// Checks `s3_host VALUE`, which may have variables in it.
pub fn host(words: &[&[u8]]) -> Result<(), String> {
    let host = word(words, 1);
    match may_be_host(host) {
        true => Ok(()),
        false => Err(format!("\"s3_host {}\" {NOT_A_HOST}", host.escape_ascii())),
    }
}

/// Reads `s3_signed_header NAME VALUE`, of which the value may have variables in it; returns the name.
pub fn signed_header(words: &[&[u8]]) -> Result<Box<[u8]>, String> {
    let name = word(words, 1);
    let shown = name.escape_ascii();
    let no_header = match sigv4::SignedElsewhere::of(name) {
        sigv4::SignedElsewhere::Accepted => return Ok(name.into()),
        sigv4::SignedElsewhere::Host => "cannot be for the host: write \"s3_host VALUE;\"",
        sigv4::SignedElsewhere::NoName => {
            "is not for a header: write the name of one, as \"Accept-Encoding\", without a colon"
        }
        sigv4::SignedElsewhere::Decides => {
            "is for a header that decides what is asked for, or how it is read: keep what is in front from \
             changing it"
        }
    };
    Err(format!("\"s3_signed_header {shown}\" {no_header}"))
}

/// Reads the value of a flag, as nginx reads its own.
pub fn flag(words: &[&[u8]]) -> Result<bool, String> {
    let value = word(words, 1);
    if value.eq_ignore_ascii_case(b"on") {
        return Ok(true);
    }
    if value.eq_ignore_ascii_case(b"off") {
        return Ok(false);
    }
    Err(format!(
        "invalid value \"{}\" in \"{}\" directive, it must be \"on\" or \"off\"",
        value.escape_ascii(),
        word(words, 0).escape_ascii()
    ))
}

/// Reads `s3_region NAME|any`.
pub fn region(words: &[&[u8]]) -> Result<RegionRule, String> {
    let name = word(words, 1);
    if name == b"any" {
        return Ok(RegionRule::Any);
    }
    let region = Region::parse_name(name).map(RegionRule::Only);
    region.ok_or_else(|| {
        format!(
            "\"s3_region {}\" {NOT_A_REGION}: {}, or \"any\"",
            name.escape_ascii(),
            Region::RULE
        )
    })
}

/// A day, in seconds: no clock is that wrong.
const LONG_SKEW: i64 = 86_400;

/// Reads `s3_max_skew TIME`, in seconds.
pub fn max_skew(words: &[&[u8]], reading: &mut Reading<'_>) -> Result<i64, String> {
    let seconds = positive_seconds(words, "\"15m\"")?;
    if seconds > LONG_SKEW {
        let shown = word(words, 1).escape_ascii();
        reading.doubt(format!(
            "\"s3_max_skew {shown}\" lets whoever overhears a request send it again for that long: \
             write at most \"1d\""
        ));
    }
    Ok(seconds)
}

/// Reads `s3_max_age TIME|off`, in seconds.
pub fn max_age(words: &[&[u8]]) -> Result<Option<i64>, String> {
    match word(words, 1) {
        b"off" => Ok(None),
        _ => positive_seconds(words, "\"1h\", or \"off\"").map(Some),
    }
}

/// Reads the time of a directive that has nothing else.
fn positive_seconds(words: &[&[u8]], examples: &str) -> Result<i64, String> {
    let text = word(words, 1);
    let seconds = time::seconds(text).filter(|seconds| *seconds > 0);
    seconds.ok_or_else(|| {
        let name = word(words, 0).escape_ascii();
        let shown = text.escape_ascii();
        format!("\"{name} {shown}\" is not a time: write one of at least a second, as {examples}")
    })
}

/// Reads `s3_errors s3|s3proxy`.
pub fn errors(words: &[&[u8]]) -> Result<ErrorStyle, String> {
    match word(words, 1) {
        b"s3" => Ok(ErrorStyle::S3),
        b"s3proxy" => Ok(ErrorStyle::S3proxy),
        other => Err(format!(
            "\"s3_errors {}\" is neither \"s3\" nor \"s3proxy\"",
            other.escape_ascii()
        )),
    }
}

/// Reads `s3_reserved NAME ...|off`.
pub fn reserved(words: &[&[u8]]) -> Result<Vec<Box<[u8]>>, String> {
    let names = words_from(words, 1);
    if let [b"off"] = names {
        return Ok(Vec::new());
    }
    let is_name =
        |name: &[u8]| !name.is_empty() && name != b"off" && name.iter().all(|c| is_name_byte(*c));
    match names.iter().find(|name| !is_name(name)) {
        Some(other) => Err(format!(
            "\"s3_reserved {}\" is not the first segment of a path: write names of letters, digits, \
             dashes and dots, without slashes, or \"off\" alone",
            other.escape_ascii()
        )),
        None => Ok(names.iter().map(|name| (*name).into()).collect()),
    }
}
