//! What another reader of XML finds in a document.
use roxmltree::{Document, Node};

/// Reads a document. `None` if the other reader cannot, which knows namespaces and no two attributes of one name.
pub fn parsed(text: &[u8]) -> Option<Document<'_>> {
    Document::parse(std::str::from_utf8(text).ok()?).ok()
}

pub fn elements<'a, 'i>(node: Node<'a, 'i>) -> impl Iterator<Item = Node<'a, 'i>> {
    node.children().filter(Node::is_element)
}

/// The elements in it that have this name, whatever namespace it is in.
pub fn named<'a, 'i>(node: Node<'a, 'i>, name: &str) -> impl Iterator<Item = Node<'a, 'i>> {
    elements(node).filter(move |child| child.tag_name().name() == name)
}

/// All text in an element that is in no other one in it.
pub fn text(node: Node<'_, '_>) -> String {
    let texts = node.children().filter(Node::is_text);
    texts.filter_map(|text| text.text()).collect()
}

/// Readers make a line feed of a line's end.
pub fn with_line_feeds(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}

/// Compares two documents but for their texts, which `check` gets with the names of the elements that they are in.
pub fn compare(
    [there, here]: [Node<'_, '_>; 2],
    path: &mut Vec<String>,
    check: &mut impl FnMut(&[String], &str, &str),
) {
    let head = |node: Node<'_, '_>| {
        let attributes = node.attributes();
        let attributes = attributes.map(|one| (one.name().to_owned(), one.value().to_owned()));
        (
            node.tag_name().name().to_owned(),
            attributes.collect::<Vec<_>>(),
        )
    };
    assert_eq!(head(here), head(there));
    path.push(here.tag_name().name().to_owned());
    check(path, &text(there), &text(here));
    let (mut there, mut here) = (elements(there), elements(here));
    loop {
        match (there.next(), here.next()) {
            (Some(there), Some(here)) => compare([there, here], path, check),
            (None, None) => break,
            other => panic!("{other:?}"),
        }
    }
    path.pop();
}
