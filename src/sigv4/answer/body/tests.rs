#![allow(clippy::unwrap_used)]
use std::io::Write;

use flate2::{Compression, write::GzEncoder};

use super::*;
use crate::{answer::DocumentNames, operation::Operation};

/// A client that sees the buckets whose names begin with "m", without that letter.
struct Client;

impl ClientWords for Client {
    fn error(&self, body: &[u8]) -> ErrorBody {
        match body {
            b"kept" | b"<Error/>" => ErrorBody::Keep,
            body if body.starts_with(b"<Error><Code>") => {
                ErrorBody::Rewrite(String::from_utf8_lossy(body).into())
            }
            _ => ErrorBody::Replace,
        }
    }

    fn message(&self, message: &str) -> String {
        message.to_uppercase()
    }

    fn bucket(&self, bucket: &str) -> Option<String> {
        bucket.strip_prefix('m').map(Into::into)
    }
}

/// How each kind of body is begun.
const ERROR: fn() -> AnswerBody = AnswerBody::error;
const OUTCOME: fn() -> AnswerBody = || AnswerBody::outcome(None);
const DOCUMENT: fn() -> AnswerBody = || {
    let names = DocumentNames {
        bucket: Some("media".into()),
        ..DocumentNames::default()
    };
    AnswerBody::outcome(NamedDocument::of(Operation::ListObjectsV2, names))
};
const LOCATION: fn() -> AnswerBody = || AnswerBody::location(&Region::parse(b"eu-west-1").unwrap());
const BUCKETS: fn() -> AnswerBody = || AnswerBody::buckets(BucketList::default());

/// Returns the steps of a body that arrives in these pieces, without those that hold.
fn steps(mut body: AnswerBody, pieces: &[&[u8]], is_whole: bool) -> Vec<BodyStep> {
    let mut steps = Vec::new();
    for piece in pieces {
        match body.take(piece, &Client) {
            BodyStep::Hold => {}
            BodyStep::Send(part) => steps.push(BodyStep::Send(part)),
            last => {
                steps.push(last);
                return steps;
            }
        }
    }
    steps.push(body.end(is_whole, &Client));
    steps
}

fn whole(body: fn() -> AnswerBody, text: &str) -> Vec<BodyStep> {
    steps(body(), &[text.as_bytes()], true)
}

fn send(text: &str) -> BodyStep {
    BodyStep::Send(text.into())
}

fn pass_on(text: &str) -> BodyStep {
    BodyStep::PassOn(text.into())
}

fn end(text: &str) -> BodyStep {
    BodyStep::End(text.into())
}

fn error(declaration: &str, code: &str) -> BodyStep {
    BodyStep::EndInError {
        code: code.into(),
        xml: format!("{declaration}<Error><Code>{code}</Code></Error>"),
    }
}

const SLOW_DOWN: &str = "<Error><Code>SlowDown</Code></Error>";
const LIST: &str = "<ListBucketResult><Name>there</Name></ListBucketResult>";
const RENAMED: &str = "<ListBucketResult><Name>media</Name></ListBucketResult>";
const FOUND: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<LocationConstraint \
                     xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">eu-west-1</LocationConstraint>";

#[test]
fn what_each_body_becomes() {
    use AnswerFault::*;
    use BodyStep::{CutShort, EndInOwnError, Reject, ReplaceError};
    let declared = |text: &str| format!("<?xml version=\"1.0\"?>{text}");
    let long = "a".repeat(MAX_ERROR + 1);
    for (body, pieces, expected) in [
        (
            ERROR,
            &[SLOW_DOWN][..],
            vec![error(XML_DECLARATION, "SlowDown")],
        ),
        (ERROR, &["ke", "pt"], vec![pass_on("kept")]),
        (ERROR, &["other"], vec![ReplaceError(UnreadableError)]),
        (ERROR, &[&long], vec![ReplaceError(LongError)]),
        (
            AnswerBody::encoded_error,
            &[],
            vec![ReplaceError(EncodedError)],
        ),
        (
            AnswerBody::encoded_error,
            &["a"],
            vec![ReplaceError(EncodedError)],
        ),
        (OUTCOME, &[], vec![pass_on("")]),
        (OUTCOME, &["<", "a>text", "rest"], vec![pass_on("<a>text")]),
        (OUTCOME, &["text"], vec![pass_on("text")]),
        (OUTCOME, &["<a"], vec![pass_on("<a")]),
        (OUTCOME, &[" ", "<a>"], vec![send(" "), pass_on("<a>")]),
        (
            OUTCOME,
            &[SLOW_DOWN],
            vec![error(XML_DECLARATION, "SlowDown")],
        ),
        (
            OUTCOME,
            &[" ", SLOW_DOWN],
            vec![send(" "), error("", "SlowDown")],
        ),
        (
            OUTCOME,
            &[&declared(SLOW_DOWN)],
            vec![error(XML_DECLARATION, "SlowDown")],
        ),
        (OUTCOME, &["\n<Error/>"], vec![pass_on("\n<Error/>")]),
        (OUTCOME, &["<Error>text"], vec![Reject(UnreadableError)]),
        (
            OUTCOME,
            &[" ", "<Error>"],
            vec![send(" "), EndInOwnError(UnreadableError)],
        ),
        (
            OUTCOME,
            &[" ", "<Error>", &long],
            vec![send(" "), EndInOwnError(LongError)],
        ),
        (OUTCOME, &["<Error>", &long], vec![Reject(LongError)]),
        (DOCUMENT, &[LIST], vec![end(RENAMED)]),
        (
            DOCUMENT,
            &[" ", LIST],
            vec![send(" "), send(RENAMED), end("")],
        ),
        (DOCUMENT, &[], vec![pass_on("")]),
        (DOCUMENT, &["text"], vec![pass_on("text")]),
        (DOCUMENT, &["<Other/>"], vec![Reject(UnreadableDocument)]),
        (
            DOCUMENT,
            &[" ", "<Other/>"],
            vec![send(" "), CutShort(UnreadableDocument)],
        ),
        (
            DOCUMENT,
            &["<ListBucketResult>"],
            vec![Reject(UnreadableDocument)],
        ),
        (
            DOCUMENT,
            &[SLOW_DOWN],
            vec![error(XML_DECLARATION, "SlowDown")],
        ),
        (DOCUMENT, &["<Error/>"], vec![Reject(UnreadableDocument)]),
        (
            DOCUMENT,
            &[" ", "<Error/>"],
            vec![send(" "), CutShort(UnreadableDocument)],
        ),
        (LOCATION, &[], vec![end(FOUND)]),
        (LOCATION, &[" ", "<LocationConstraint/>"], vec![end(FOUND)]),
        (LOCATION, &["not even XML"], vec![end(FOUND)]),
        (
            LOCATION,
            &[" ", SLOW_DOWN],
            vec![error(XML_DECLARATION, "SlowDown")],
        ),
        (LOCATION, &["<Error/>"], vec![Reject(UnreadableDocument)]),
        (LOCATION, &["<Error>"], vec![Reject(UnreadableError)]),
        (
            BUCKETS,
            &[&buckets(&["ma", "b"])],
            vec![end(&buckets(&["a"]))],
        ),
        (BUCKETS, &["<Error/>"], vec![Reject(UnreadableList)]),
        (
            BUCKETS,
            &["<ListAllMyBucketsResult>"],
            vec![Reject(UnreadableList)],
        ),
    ] {
        let texts = pieces;
        let pieces: Vec<&[u8]> = pieces.iter().map(|piece| piece.as_bytes()).collect();
        assert_eq!(steps(body(), &pieces, true), expected, "{texts:?}");
    }
}

/// What breaks off is an error of its own, of which the client must learn if it has got a part.
#[test]
fn what_breaks_off() {
    for body in [
        ERROR,
        AnswerBody::encoded_error,
        OUTCOME,
        DOCUMENT,
        LOCATION,
        BUCKETS,
    ] {
        let rejected = [BodyStep::Reject(AnswerFault::BrokenOff)];
        assert_eq!(steps(body(), &[], false), rejected);
        let packed = steps(body().compressed(), &[], false);
        assert_eq!(packed, rejected);
    }
    for body in [OUTCOME, DOCUMENT] {
        for begun in [&[&b" "[..]][..], &[b" ", b"<Error>"]] {
            let expected = [send(" "), BodyStep::CutShort(AnswerFault::BrokenOff)];
            assert_eq!(steps(body(), begun, false), expected);
        }
    }
}

fn buckets(names: &[&str]) -> String {
    let bucket = |name: &&str| format!("<Bucket><Name>{name}</Name></Bucket>");
    let all: String = names.iter().map(bucket).collect();
    format!("<ListAllMyBucketsResult><Buckets>{all}</Buckets></ListAllMyBucketsResult>")
}

#[test]
fn a_list_without_buckets() {
    let emptied = || AnswerBody::buckets(BucketList::default().emptied());
    assert_eq!(
        whole(emptied, &buckets(&["ma", "mb"])),
        [end(&buckets(&[]))]
    );
}

#[test]
fn a_long_list() {
    let name = format!("m{}", "a".repeat(1_000));
    let count = MAX_LIST / buckets(&[&name[1..]]).len();
    let long = |count| whole(BUCKETS, &buckets(&vec![&*name; count]));
    assert!(matches!(long(count)[..], [BodyStep::End(_)]));
    let fault = AnswerFault::LongList;
    assert_eq!(long(count * 2), [BodyStep::Reject(fault)]);
}

/// A short document is sent with its length, a long one as it is written.
#[test]
fn a_long_document() {
    let object = "<Contents/>";
    let objects = object.repeat(MAX_HELD / object.len());
    let pieces = [
        "<ListBucketResult>",
        &objects,
        "<Name>there</Name>",
        "</ListBucketResult>",
    ];
    let pieces = pieces.map(str::as_bytes);
    let expected = [
        send(&format!("<ListBucketResult>{objects}")),
        send("<Name>media</Name>"),
        send("</ListBucketResult>"),
        end(""),
    ];
    assert_eq!(steps(DOCUMENT(), &pieces, true), expected);
    let broken = [pieces[0], pieces[1], b"</Other>"];
    let fault = AnswerFault::UnreadableDocument;
    let cut = steps(DOCUMENT(), &broken, true);
    assert_eq!(
        cut,
        [
            send(&format!("<ListBucketResult>{objects}")),
            BodyStep::CutShort(fault)
        ]
    );
}

fn packed(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// What is packed becomes what it would be as it is, unless that goes on as it came.
#[test]
fn what_is_compressed() {
    let list = buckets(&["ma", "b"]);
    for (body, text, kept) in [
        (ERROR, SLOW_DOWN, BodyStep::Hold),
        (
            ERROR,
            "kept",
            BodyStep::ReplaceError(AnswerFault::EncodedError),
        ),
        (ERROR, "other", BodyStep::Hold),
        (DOCUMENT, LIST, BodyStep::Hold),
        (DOCUMENT, SLOW_DOWN, BodyStep::Hold),
        (DOCUMENT, "text", BodyStep::Reject(AnswerFault::Encoded)),
        (DOCUMENT, "", BodyStep::Reject(AnswerFault::Encoded)),
        (DOCUMENT, "<Error/>", BodyStep::Hold),
        (BUCKETS, &list, BodyStep::Hold),
    ] {
        let expected = match kept {
            BodyStep::Hold => whole(body, text),
            kept => vec![kept],
        };
        let packed = packed(text);
        for size in [1, 7, packed.len()] {
            let pieces: Vec<&[u8]> = packed.chunks(size).collect();
            let is = steps(body().compressed(), &pieces, true);
            assert_eq!(is, expected, "{text} in pieces of {size}");
        }
        let not_whole = steps(body().compressed(), &[&packed[..packed.len() - 1]], true);
        assert!(
            matches!(
                not_whole[..],
                [BodyStep::ReplaceError(_) | BodyStep::Reject(_)]
            ),
            "{text}: {not_whole:?}"
        );
    }
    // Where a bucket is is told whatever arrives.
    assert_eq!(
        steps(LOCATION().compressed(), &[&packed("a")], true),
        [end(FOUND)]
    );
}
