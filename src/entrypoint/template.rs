//! Fills a template in: `${name}` stands for the lines that have that name.

/// What a template's names stand for.
pub(crate) type Values = [(&'static str, Vec<String>)];

/// A name of a template that nothing has.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unknown {
    /// From 1.
    pub(crate) line: usize,
    pub(crate) name: String,
}

/// Fills a template in. Several lines are indented as the first. A line of empty values is left out, and
/// so is an empty line after another.
pub(crate) fn fill(template: &[u8], values: &Values) -> Result<Vec<u8>, Unknown> {
    let template = template.strip_suffix(b"\n").unwrap_or(template);
    let mut filled = Vec::new();
    let mut is_last_empty = true;
    for (index, line) in template.split(|c| *c == b'\n').enumerate() {
        let number = index + 1;
        let (text, has_values) =
            fill_line(line, values).map_err(|name| Unknown { line: number, name })?;
        if has_values && text.iter().all(|c| *c == b' ') {
            continue;
        }
        if !(text.is_empty() && is_last_empty) {
            filled.extend_from_slice(&text);
            filled.push(b'\n');
        }
        is_last_empty = text.is_empty();
    }
    Ok(filled)
}

/// Fills a line in; tells whether there was a name in it. An unknown name is the error.
fn fill_line(line: &[u8], values: &Values) -> Result<(Vec<u8>, bool), String> {
    let indent = line.iter().take_while(|c| **c == b' ').count();
    let newline = [b"\n", line.get(..indent).unwrap_or_default()].concat();
    let mut filled = Vec::with_capacity(line.len());
    let mut has_values = false;
    let mut rest = line;
    while let Some(dollar) = rest.iter().position(|c| *c == b'$') {
        let (before, after) = rest.split_at_checked(dollar).unwrap_or_default();
        filled.extend_from_slice(before);
        let Some((name, after_name)) = split_name(after) else {
            filled.push(b'$');
            rest = after.get(1..).unwrap_or_default();
            continue;
        };
        let lines = values.iter().find(|(known, _)| known.as_bytes() == name);
        let (_, lines) = lines.ok_or_else(|| String::from_utf8_lossy(name).into_owned())?;
        for (index, line) in lines.iter().enumerate() {
            if index > 0 {
                filled.extend_from_slice(&newline);
            }
            filled.extend_from_slice(line.as_bytes());
        }
        has_values = true;
        rest = after_name;
    }
    filled.extend_from_slice(rest);
    Ok((filled, has_values))
}

/// The name of `${name}` at the start, and what comes after it.
fn split_name(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let text = text.strip_prefix(b"${")?;
    let end = text
        .iter()
        .position(|c| !c.is_ascii_lowercase() && *c != b'_')?;
    let (name, rest) = text.split_at_checked(end)?;
    match (name, rest) {
        ([_, ..], [b'}', rest @ ..]) => Some((name, rest)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(template: &str) -> Result<String, Unknown> {
        let values = [
            ("none", vec![]),
            ("one", vec!["a;".to_owned()]),
            ("two_of", vec!["b;".to_owned(), "c;".to_owned()]),
        ];
        fill(template.as_bytes(), &values).map(|text| String::from_utf8_lossy(&text).into_owned())
    }

    #[test]
    fn names_are_replaced() {
        for (template, expected) in [
            ("", ""),
            ("x", "x\n"),
            ("x\n", "x\n"),
            ("${one}", "a;\n"),
            ("  x ${one} y ${one}", "  x a; y a;\n"),
            ("  ${two_of} # d", "  b;\n  c; # d\n"),
            ("  e ${two_of}${one}", "  e b;\n  c;a;\n"),
            ("x\n  ${none}\n${none} ${none}\ny", "x\ny\n"),
            ("x ${none};", "x ;\n"),
            ("\n\nx\n\n\n\ny\n\n", "x\n\ny\n\n"),
            ("x\n\n${none}\n\ny", "x\n\ny\n"),
            (
                "$one ${} ${ONE} ${one ${o1} $ {one} ${",
                "$one ${} ${ONE} ${one ${o1} $ {one} ${\n",
            ),
            ("${${one}}", "${a;}\n"),
            ("'$${one}'", "'$a;'\n"),
        ] {
            assert_eq!(filled(template).as_deref(), Ok(expected), "{template:?}");
        }
    }

    #[test]
    fn unknown_names() {
        let unknown = |line, name: &str| {
            Err(Unknown {
                line,
                name: name.into(),
            })
        };
        assert_eq!(filled("x\n\n  ${one} ${three}"), unknown(3, "three"));
        assert_eq!(filled("${_}"), unknown(1, "_"));
    }

    #[test]
    fn any_bytes() {
        let values = [("one", vec!["a".to_owned()])];
        let filled = fill(b"\xff\0${one}\xfe$", &values);
        assert_eq!(filled.as_deref(), Ok(b"\xff\0a\xfe$\n".as_slice()));
    }
}
