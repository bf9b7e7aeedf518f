//! Reads XML as it arrives: the part of XML 1.0 that S3's documents are written in, on which no two
//! readers differ. Whatever else XML has (comments, CDATA, DOCTYPE, processing instructions, prefixes of
//! names, encodings but UTF-8) is unreadable here, as is what is not well-formed.
//!
//! <https://www.w3.org/TR/xml/>
use std::borrow::Cow;

/// The longest tag or text between tags, in bytes.
pub(super) const MAX_TOKEN: usize = 8 << 10;
/// How deep elements may stand in each other.
const MAX_DEPTH: usize = 16;
/// The longest name of an element.
const MAX_NAME: usize = 128;
/// In front of a document it says nothing.
pub(super) const BYTE_ORDER_MARK: &str = "\u{feff}";

/// The document is not one that all readers read alike, or not the one that is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreadable;

/// A part of a document, with its bytes as they came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token<'a> {
    /// `<?xml ...?>`
    Declaration(&'a str),
    /// A tag that opens an element.
    Open { name: &'a str, raw: &'a str },
    /// A tag that closes one; `raw` is empty where `<name/>` has opened it.
    Close { name: &'a str, raw: &'a str },
    /// All that is between two tags, if anything is.
    Text(&'a str),
}

/// Puts a document's tokens together, whatever pieces it comes in.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    held: Vec<u8>,
    place: XmlPosition,
    /// The names of the open elements, the root first.
    open: Vec<Box<str>>,
    /// Something has been read.
    has_begun: bool,
    /// The root has been closed.
    has_ended: bool,
    /// Texts may have references to what is no character of XML 1.0.
    keeps_references: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum XmlPosition {
    #[default]
    Text,
    Tag,
    /// In an attribute's value, with its quote.
    Value(u8),
}

impl Reader {
    /// Makes a reader of documents whose texts go on as they came. S3 writes keys with control characters as
    /// `&#x1;`, which some clients can read.
    pub(crate) fn keeping_references() -> Reader {
        Reader {
            keeps_references: true,
            ..Reader::default()
        }
    }

    /// Hands each token that is complete to `take`, with the number of elements that are open: 0 outside
    /// the root. The element of a tag counts.
    pub(crate) fn read(
        &mut self,
        piece: &[u8],
        mut take: impl FnMut(Token<'_>, usize) -> Result<(), Unreadable>,
    ) -> Result<(), Unreadable> {
        for &byte in piece {
            let ends = match (self.place, byte) {
                (XmlPosition::Text, b'<') => {
                    self.end_text(&mut take)?;
                    self.place = XmlPosition::Tag;
                    false
                }
                (XmlPosition::Tag | XmlPosition::Value(_), b'<') => return Err(Unreadable),
                // Seen here already, since a quote in a comment quotes nothing.
                (XmlPosition::Tag, b'!') if self.held.len() == 1 => return Err(Unreadable),
                (XmlPosition::Tag, quote @ (b'"' | b'\'')) => {
                    self.place = XmlPosition::Value(quote);
                    false
                }
                (XmlPosition::Value(quote), byte) if byte == quote => {
                    self.place = XmlPosition::Tag;
                    false
                }
                (XmlPosition::Tag, b'>') => true,
                _ => false,
            };
            if self.held.len() >= MAX_TOKEN {
                return Err(Unreadable);
            }
            self.held.push(byte);
            if ends {
                self.end_tag(&mut take)?;
                self.place = XmlPosition::Text;
            }
        }
        Ok(())
    }

    /// Ends the document, which must be whole.
    pub(crate) fn finish(&mut self) -> Result<(), Unreadable> {
        if self.place != XmlPosition::Text {
            return Err(Unreadable);
        }
        self.end_text(&mut |_, _| Ok(()))?;
        match self.has_ended {
            true => Ok(()),
            false => Err(Unreadable),
        }
    }

    fn end_text(
        &mut self,
        take: &mut impl FnMut(Token<'_>, usize) -> Result<(), Unreadable>,
    ) -> Result<(), Unreadable> {
        if self.held.is_empty() {
            return Ok(());
        }
        let held = std::mem::take(&mut self.held);
        let text = checked(&held)?;
        let is_outside = self.open.is_empty();
        let is_first = !self.has_begun;
        self.has_begun |= !is_outside || !text.is_empty();
        match is_outside {
            true => {
                let text = match text.strip_prefix(BYTE_ORDER_MARK) {
                    Some(rest) if is_first => {
                        // A declaration may still follow the mark.
                        self.has_begun = !rest.is_empty();
                        rest
                    }
                    _ => text,
                };
                if !is_blank(text) {
                    return Err(Unreadable);
                }
                if !text.is_empty() {
                    take(Token::Text(text), 0)?;
                }
            }
            false => {
                if !self.keeps_references {
                    decoded(text)?;
                }
                take(Token::Text(text), self.open.len())?;
            }
        }
        self.reuse(held);
        Ok(())
    }

    fn end_tag(
        &mut self,
        take: &mut impl FnMut(Token<'_>, usize) -> Result<(), Unreadable>,
    ) -> Result<(), Unreadable> {
        let held = std::mem::take(&mut self.held);
        let raw = checked(&held)?;
        let inner = raw
            .strip_prefix('<')
            .and_then(|tag| tag.strip_suffix('>'))
            .ok_or(Unreadable)?;
        let is_first = !std::mem::replace(&mut self.has_begun, true);
        if let Some(inner) = inner.strip_prefix('?') {
            let inner = inner.strip_suffix('?').ok_or(Unreadable)?;
            if !is_first || !is_declaration(inner) {
                return Err(Unreadable);
            }
            take(Token::Declaration(raw), 0)?;
        } else if let Some(name) = inner.strip_prefix('/') {
            let name = name.trim_end_matches(is_space);
            if self.open.last().is_none_or(|open| **open != *name) {
                return Err(Unreadable);
            }
            take(Token::Close { name, raw }, self.open.len())?;
            self.close();
        } else {
            let (inner, is_empty) = match inner.strip_suffix('/') {
                Some(inner) => (inner, true),
                None => (inner, false),
            };
            let name = tag_name(inner).ok_or(Unreadable)?;
            if self.has_ended || self.open.len() >= MAX_DEPTH {
                return Err(Unreadable);
            }
            self.open.push(name.into());
            take(Token::Open { name, raw }, self.open.len())?;
            if is_empty {
                take(Token::Close { name, raw: "" }, self.open.len())?;
                self.close();
            }
        }
        self.reuse(held);
        Ok(())
    }

    fn close(&mut self) {
        self.open.pop();
        self.has_ended = self.open.is_empty();
    }

    fn reuse(&mut self, mut held: Vec<u8>) {
        held.clear();
        self.held = held;
    }
}

/// Reads the name in a tag that opens an element; nothing but attributes may follow it.
fn tag_name(inner: &str) -> Option<&str> {
    let end = inner.find(is_space).unwrap_or(inner.len());
    let (name, attributes) = inner.split_at_checked(end)?;
    (is_name(name) && each_attribute(attributes, |_, _| true)).then_some(name)
}

/// Whether it is `xml version="1.0" encoding="UTF-8" standalone="yes"`, the last two of which may be missing.
pub(super) fn is_declaration(inner: &str) -> bool {
    let mut names = [("version", false), ("encoding", true), ("standalone", true)].into_iter();
    let mut has_version = false;
    let holds = |name: &str, value: &str| {
        let is_next = names.any(|(known, _)| known == name);
        has_version |= name == "version";
        is_next
            && match name {
                "version" => value == "1.0",
                "encoding" => value.eq_ignore_ascii_case("utf-8"),
                _ => matches!(value, "yes" | "no"),
            }
    };
    inner
        .strip_prefix("xml")
        .is_some_and(|attributes| each_attribute(attributes, holds))
        && has_version
}

/// Whether text is ` name="value"` any number of times, and `holds` of each.
fn each_attribute(mut text: &str, mut holds: impl FnMut(&str, &str) -> bool) -> bool {
    loop {
        let rest = text.trim_start_matches(is_space);
        if rest.is_empty() {
            return true;
        }
        if rest.len() == text.len() {
            return false;
        }
        let Some((name, rest)) = rest.split_once('=') else {
            return false;
        };
        let name = name.trim_end_matches(is_space);
        let rest = rest.trim_start_matches(is_space);
        let value = match rest.chars().next() {
            Some(quote @ ('"' | '\'')) => rest.get(1..).and_then(|rest| rest.split_once(quote)),
            _ => None,
        };
        let Some((value, rest)) = value else {
            return false;
        };
        let is_named = match name.split_once(':') {
            Some((prefix, name)) => is_name(prefix) && is_name(name),
            None => is_name(name),
        };
        if !is_named || decoded(value).is_err() || !holds(name, value) {
            return false;
        }
        text = rest;
    }
}

/// Whether it is a name without a prefix, of the letters that S3 uses.
fn is_name(name: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    name.len() <= MAX_NAME
        && name.bytes().all(is_part)
        && name
            .bytes()
            .next()
            .is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

pub(crate) fn is_blank(text: &str) -> bool {
    text.chars().all(is_space)
}

/// Checks that the text is UTF-8, and that each of its characters may stand in a document.
fn checked(text: &[u8]) -> Result<&str, Unreadable> {
    let text = str::from_utf8(text).map_err(|_| Unreadable)?;
    match text.chars().all(is_character) {
        true => Ok(text),
        false => Err(Unreadable),
    }
}

/// Whether XML 1.0 has that character, in whatever spelling.
fn is_character(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..)
}

/// Decodes text between tags: makes a line feed of each end of a line, and resolves its references.
pub(crate) fn decoded(text: &str) -> Result<String, Unreadable> {
    if text.contains("]]>") {
        return Err(Unreadable);
    }
    let text = match text.contains('\r') {
        true => Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n")),
        false => Cow::Borrowed(text),
    };
    let mut pieces = text.split('&');
    let mut decoded: String = pieces.next().unwrap_or_default().into();
    for piece in pieces {
        let (name, rest) = piece.split_once(';').ok_or(Unreadable)?;
        decoded.push(character(name).ok_or(Unreadable)?);
        decoded.push_str(rest);
    }
    Ok(decoded)
}

/// Returns the character that `&name;` stands for.
fn character(name: &str) -> Option<char> {
    let code = match name {
        "lt" => return Some('<'),
        "gt" => return Some('>'),
        "amp" => return Some('&'),
        "quot" => return Some('"'),
        "apos" => return Some('\''),
        _ => name.strip_prefix('#')?,
    };
    let (digits, radix) = match code.strip_prefix('x') {
        Some(digits) => (digits, 16),
        None => (code, 10),
    };
    // The parser of numbers takes a sign.
    if !digits.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    let code = u32::from_str_radix(digits, radix).ok()?;
    char::from_u32(code).filter(|c| is_character(*c))
}

/// Writes `<name>text</name>`, whatever is in the text.
pub fn put_element(xml: &mut String, name: &str, text: &str) {
    xml.push('<');
    xml.push_str(name);
    xml.push('>');
    put_text(xml, text);
    xml.push_str("</");
    xml.push_str(name);
    xml.push('>');
}

/// Writes text between tags, whatever is in it.
pub(super) fn put_text(xml: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '<' => xml.push_str("&lt;"),
            '>' => xml.push_str("&gt;"),
            '&' => xml.push_str("&amp;"),
            '"' => xml.push_str("&quot;"),
            // A reader would make a line feed of it.
            '\r' => xml.push_str("&#13;"),
            // Not a character of XML 1.0, or none that a log should have to show.
            c if !is_character(c) || c.is_control() && !is_space(c) => xml.push('\u{fffd}'),
            c => xml.push(c),
        }
    }
}

#[cfg(test)]
mod tests;
