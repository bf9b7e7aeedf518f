//! The faces of a snapshot.

mod html;
mod json;
mod prometheus;
mod units;

use std::error::Error;
use std::ffi::CStr;

pub use html::POLICY;

use crate::snapshot::Snapshot;

/// The ways in which a snapshot is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A page for people.
    Html,
    Json,
    /// The text that Prometheus reads.
    Prometheus,
}

impl Format {
    /// The format that a query asks for; `None` if there is no such format.
    pub fn of(query: &[u8]) -> Option<Format> {
        let mut parameters = query.split(|c| *c == b'&');
        match parameters.find_map(|parameter| parameter.strip_prefix(b"format=")) {
            None | Some(b"html") => Some(Format::Html),
            Some(b"json") => Some(Format::Json),
            Some(b"prometheus") => Some(Format::Prometheus),
            Some(_) => None,
        }
    }

    pub fn content_type(self) -> &'static CStr {
        match self {
            Format::Html => c"text/html; charset=utf-8",
            Format::Json => c"application/json",
            Format::Prometheus => c"text/plain; version=0.0.4; charset=utf-8",
        }
    }

    pub fn render(self, snapshot: &Snapshot) -> Result<String, Box<dyn Error>> {
        Ok(match self {
            Format::Html => html::write(snapshot)?,
            Format::Json => json::write(snapshot)?,
            Format::Prometheus => prometheus::write(snapshot),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_says_which_format() {
        for (query, format) in [
            ("", Some(Format::Html)),
            ("a=b", Some(Format::Html)),
            ("xformat=json", Some(Format::Html)),
            ("format=html", Some(Format::Html)),
            ("format=json", Some(Format::Json)),
            ("a=b&format=prometheus&c", Some(Format::Prometheus)),
            ("format=json&format=html", Some(Format::Json)),
            ("format=", None),
            ("format=JSON", None),
            ("format=xml", None),
        ] {
            assert_eq!(Format::of(query.as_bytes()), format, "{query}");
        }
    }

    #[test]
    fn each_has_a_type_of_its_own() {
        let types = [Format::Html, Format::Json, Format::Prometheus]
            .map(|format| format.content_type().to_str().unwrap_or_default());
        assert!(types[0].starts_with("text/html;"));
        assert_eq!(types[1], "application/json");
        assert!(types[2].starts_with("text/plain; version=0.0.4;"));
    }
}
