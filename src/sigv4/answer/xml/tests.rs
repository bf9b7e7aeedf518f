//! Documents that are readable, and those that are not.
use super::*;

/// Writes the tokens of a document, a line for each.
fn tokens(document: &[u8]) -> Result<String, Unreadable> {
    let mut reader = Reader::default();
    let mut lines = String::new();
    reader.read(document, |token, depth| {
        lines += &match token {
            Token::Declaration(raw) => format!("{depth} declaration {raw}\n"),
            Token::Open { name, .. } => format!("{depth} open {name}\n"),
            Token::Close { name, .. } => format!("{depth} close {name}\n"),
            Token::Text(text) => format!("{depth} text {text:?}\n"),
        };
        Ok(())
    })?;
    reader.finish()?;
    Ok(lines)
}

#[test]
fn documents() {
    let text = "<?xml version='1.0' encoding=\"utf-8\" ?>\n<a b = '>' x:c=\"'\" ><b-1/>t&amp;<_ ></_\n></a>\n";
    let expected = "0 declaration <?xml version='1.0' encoding=\"utf-8\" ?>\n0 text \"\\n\"\n1 open a\n\
                    2 open b-1\n2 close b-1\n1 text \"t&amp;\"\n2 open _\n2 close _\n1 close a\n";
    assert_eq!(tokens(text.as_bytes()), Ok(expected.into()));
}

#[test]
fn readable() {
    for text in [
        "<a/>",
        "\n<a/>",
        "\u{feff}<a/>",
        "\u{feff}<?xml version=\"1.0\"?><a/>",
        "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?><a/>",
        "<?xml version=\"1.0\" standalone='no'?><a/>",
        "<a>&lt;&gt;&amp;&quot;&apos;&#65;&#x1F600;&#x0A;</a>",
        "<a xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\" xsi:type='b'>\u{e9}\u{10ffff}</a>",
        "<a b=\"/\"/>",
    ] {
        assert!(tokens(text.as_bytes()).is_ok(), "{text}");
    }
}

#[test]
fn unreadable() {
    for text in [
        "",
        " ",
        "a",
        "<",
        "<a>",
        "<a",
        "<a/",
        "</a>",
        "<a></b>",
        "<a></a></a>",
        "<a/><a/>",
        "<a/>b",
        "b<a/>",
        "<a/>&amp;",
        "<a><b></a></b>",
        "<a b/>",
        "<a b=c/>",
        "<a b='c'd='e'/>",
        "<a b='c' d/>",
        "<a 'b'/>",
        "<a b='<'/>",
        "<a b='&c;'/>",
        "<a b:c:d='e'/>",
        "<a/ >",
        "< a/>",
        "<a//>",
        "<x:a/>",
        "<1/>",
        "<a\u{e9}/>",
        "<\u{e9}/>",
        "</a/>",
        "<a></a b='c'>",
        "<!-- a --><a/>",
        "<a><!-- b --></a>",
        "<a><!-- ' --></a>",
        "<a><![CDATA[b]]></a>",
        "<!DOCTYPE a><a/>",
        "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
        "<?b?><a/>",
        "<a/><?b?>",
        "<a><?xml version=\"1.0\"?></a>",
        " <?xml version=\"1.0\"?><a/>",
        "<?xml version=\"1.0\"?><?xml version=\"1.0\"?><a/>",
        "\u{feff}\u{feff}<a/>",
        "<a>\u{feff}</a>\u{feff}",
        "<?xml?><a/>",
        "<?xml version=\"1.1\"?><a/>",
        "<?xml encoding=\"UTF-8\"?><a/>",
        "<?xml encoding=\"UTF-8\" version=\"1.0\"?><a/>",
        "<?xml version=\"1.0\" version=\"1.0\"?><a/>",
        "<?xml version=\"1.0\" encoding=\"UTF-16\"?><a/>",
        "<?xml version=\"1.0\" encoding=\"UTF-7\"?><a/>",
        "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><a/>",
        "<?XML version=\"1.0\"?><a/>",
        "<?xmlversion=\"1.0\"?><a/>",
        "<a>&b;</a>",
        "<a>&</a>",
        "<a>&amp</a>",
        "<a>&#0;</a>",
        "<a>&#11;</a>",
        "<a>&#xFFFE;</a>",
        "<a>&#xD800;</a>",
        "<a>&#x110000;</a>",
        "<a>&#-1;</a>",
        "<a>&#+65;</a>",
        "<a>&#;</a>",
        "<a>&#X41;</a>",
        "<a>]]></a>",
        "<a>\u{0}</a>",
        "<a>\u{1b}</a>",
        "<a>\u{ffff}</a>",
        "<a b='\u{1}'/>",
    ] {
        assert_eq!(tokens(text.as_bytes()), Err(Unreadable), "{text}");
    }
    for text in [
        &b"<a>\xff</a>"[..],
        b"<a>\xc3</a>",
        b"\xff\xfe<\0a\0/\0>\0",
        b"<a>\xed\xa0\x80</a>",
    ] {
        assert_eq!(tokens(text), Err(Unreadable), "{}", text.escape_ascii());
    }
}

#[test]
fn limits() {
    for (length, fits) in [(MAX_TOKEN, true), (MAX_TOKEN + 1, false)] {
        let text = format!("<a>{}</a>", "b".repeat(length));
        assert_eq!(tokens(text.as_bytes()).is_ok(), fits);
        let tag = format!("<a b='{}'/>", "b".repeat(length - "<a b=''/>".len()));
        assert_eq!(tokens(tag.as_bytes()).is_ok(), fits);
    }
    for (depth, fits) in [(MAX_DEPTH, true), (MAX_DEPTH + 1, false)] {
        let text = "<a>".repeat(depth) + &"</a>".repeat(depth);
        assert_eq!(tokens(text.as_bytes()).is_ok(), fits);
    }
}

#[test]
fn ends_of_lines() {
    let read = decoded("a\r\nb\rc\n\rd&#13;&#xD;\n");
    assert_eq!(read, Ok("a\nb\nc\n\nd\r\r\n".into()));
}

#[test]
fn what_is_written_is_read() {
    let text = "a<b>&\"'\r\n\t\u{e9}\u{1f600}";
    let mut xml = String::new();
    put_element(&mut xml, "a", text);
    let inner = xml
        .strip_prefix("<a>")
        .and_then(|xml| xml.strip_suffix("</a>"));
    assert_eq!(inner.map(decoded), Some(Ok(text.into())));
    xml.clear();
    put_element(&mut xml, "a", "\0\u{1b}\u{7f}\u{ffff}");
    assert!(tokens(xml.as_bytes()).is_ok(), "{xml}");
}
