//! The body of an origin's answer, as its client gets it.
use sigv4::*;

/// What a client gets of it.
#[derive(Debug, PartialEq, Eq)]
pub enum Told {
    AsItCame(Vec<u8>),
    Document(Vec<u8>),
    Error(String),
    /// An error of the module's.
    Failure,
}

/// Does what is said of a body as it arrives, as the module does it.
pub fn told<'p>(
    mut body: AnswerBody,
    words: &impl ClientWords,
    mut pieces: impl Iterator<Item = &'p [u8]>,
) -> Told {
    let mut sent = Vec::new();
    let mut has_begun = false;
    let last = loop {
        let step = match pieces.next() {
            Some(piece) => body.take(piece, words),
            None => {
                let is_open = body.is_open();
                let last = body.end(true, words);
                if let (true, BodyStep::PassOn(held)) = (is_open, &last) {
                    assert!(held.len() <= 512);
                }
                break last;
            }
        };
        match step {
            BodyStep::Hold => {}
            BodyStep::Send(part) => {
                assert!(!part.is_empty());
                has_begun = true;
                sent.extend(part);
                // Nothing else goes out before the root is known.
                if body.is_open() {
                    check_sent(&sent);
                }
            }
            last => break last,
        }
    };
    match last {
        BodyStep::PassOn(start) => {
            sent.extend(start);
            pieces.for_each(|piece| sent.extend(piece));
            Told::AsItCame(sent)
        }
        BodyStep::End(end) => {
            sent.extend(end);
            Told::Document(sent)
        }
        BodyStep::EndInError { code, xml } => {
            let xml = match has_begun {
                true => &*xml,
                false => xml.strip_prefix(XML_DECLARATION).expect("is declared"),
            };
            assert!(xml.contains(&format!("<Code>{code}</Code>")), "{code:?}");
            Told::Error(xml.into())
        }
        BodyStep::EndInOwnError(_) | BodyStep::CutShort(_) => {
            assert!(has_begun);
            Told::Failure
        }
        BodyStep::Reject(_) | BodyStep::ReplaceError(_) => {
            assert!(!has_begun);
            Told::Failure
        }
        BodyStep::Hold | BodyStep::Send(_) => unreachable!(),
    }
}

/// Likewise, and checks that the client gets the same in these pieces.
pub fn told_whole<'p>(
    reading: impl Fn() -> AnswerBody,
    words: &impl ClientWords,
    body: &'p [u8],
    pieces: impl Iterator<Item = &'p [u8]>,
) -> Told {
    let whole = told(reading(), words, [body].into_iter());
    assert_eq!(told(reading(), words, pieces), whole);
    if let Told::AsItCame(text) = &whole {
        assert_eq!(**text, *body);
    }
    whole
}

/// Checks what is sent on before the root is known: a mark, or a part of one, blanks, and a declaration of nothing but
/// UTF-8.
fn check_sent(sent: &[u8]) {
    assert!(sent.len() <= (16 << 10) + 512);
    let is_mark = |(place, byte): &(usize, &u8)| "\u{feff}".as_bytes().get(*place) == Some(*byte);
    let mark = sent.iter().enumerate().take_while(is_mark).count();
    let text = str::from_utf8(&sent[mark..]).expect("is ASCII");
    let (before, declaration) = text.split_once('<').unwrap_or((text, ""));
    assert!(before.trim().is_empty(), "{text:?}");
    if let Some(rest) = declaration.strip_prefix("?xml") {
        let (inner, after) = rest.split_once("?>").expect("is whole");
        assert!(after.trim().is_empty() && inner.contains("1.0"), "{text:?}");
        let encoding = inner
            .split_once("encoding")
            .map(|(_, of)| of.to_ascii_lowercase());
        assert!(encoding.is_none_or(|of| of.contains("utf-8")), "{text:?}");
    }
}
