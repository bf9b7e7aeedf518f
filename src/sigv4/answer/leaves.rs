//! The texts of a short document that is not S3's own, as the Security Token Service answers.
use super::xml::{Reader, Token, Unreadable};

/// Hands `take` each element that has a text and no elements in it, with the names of the elements around it, the
/// root first, and its own one as the last.
///
/// # Errors
/// If the document is not one that all readers read alike, or has a character reference in such a text.
pub fn read_leaves(
    document: &[u8],
    mut take: impl FnMut(&[String], &str),
) -> Result<(), Unreadable> {
    let mut reader = Reader::default();
    let mut open = Vec::new();
    // Where the last tag has opened an element, as an offset in the names.
    let mut text = None;
    let mut read = |token: Token<'_>, _| {
        match token {
            Token::Open { name, .. } => {
                open.push(name.to_owned());
                text = Some(String::new());
            }
            Token::Text(piece) => {
                if let Some(text) = &mut text {
                    text.push_str(piece);
                }
            }
            Token::Close { .. } => {
                if let Some(mut text) = text.take() {
                    if text.contains('&') {
                        return Err(Unreadable);
                    }
                    take(&open, &text);
                    zeroize::Zeroize::zeroize(&mut text);
                }
                open.pop();
            }
            Token::Declaration(_) => {}
        }
        Ok(())
    };
    reader.read(document, &mut read)?;
    reader.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves(document: &str) -> Result<Vec<String>, Unreadable> {
        let mut found = Vec::new();
        read_leaves(document.as_bytes(), |path, text| {
            found.push(format!("{}={text}", path.join("/")));
        })?;
        Ok(found)
    }

    #[test]
    fn texts_with_their_places() {
        let document =
            "<?xml version=\"1.0\"?>\n<A xmlns=\"u:v\">\n <B><C>1</C>x<D/></B><C> 2 </C>\n</A>\n";
        let expected = ["A/B/C=1", "A/B/D=", "A/C= 2 "];
        assert_eq!(leaves(document), Ok(expected.map(str::to_owned).to_vec()));
    }

    #[test]
    fn what_readers_differ_on() {
        for document in [
            "",
            "<A>",
            "<A></B>",
            "<A><B></A></B>",
            "<A>1</A><A>2</A>",
            "<A>&lt;</A>",
            "<A><!-- x -->1</A>",
            "<A><![CDATA[1]]></A>",
            "<!DOCTYPE a [<!ENTITY b \"c\">]><A>&b;</A>",
            "<A>1</A>x",
            "{\"A\": 1}",
        ] {
            assert_eq!(leaves(document), Err(Unreadable), "{document}");
        }
    }
}
