#![allow(clippy::unwrap_used)]
use super::*;
use crate::{BucketRule, Credential, Origin, SecretKey};

fn rewritten(body: &[u8]) -> ErrorBody {
    let origin = Origin::new(
        Credential::new(b"AKIDORIGIN", SecretKey::new(b"oRiGiN/sEcReT+".into())),
        b"s3.origin.example",
    );
    let mut traces = Traces::default();
    traces.add(&origin, b"10.0.0.5:9000");
    ErrorBody::of(body, &traces, &ToldInErrors::default())
}

/// Makes an error of S3's with these elements.
fn error(elements: &str) -> String {
    format!("<Error>{elements}</Error>")
}

#[test]
fn what_is_the_clients_is_kept() {
    for name in KEPT
        .iter()
        .filter(|name| !matches!(**name, "Code" | "Endpoint"))
    {
        let body = error(&format!(
            "<Code>C</Code><{name}>a &lt;b&gt; &amp; c</{name}>"
        ));
        assert_eq!(
            rewritten(body.as_bytes()),
            ErrorBody::Rewrite(body.clone()),
            "{name}"
        );
    }
}

#[test]
fn the_region_is_that_of_the_clients() {
    let body = error(
        "<Code>C</Code><Region>eu-west-1</Region><LocationConstraint>eu-west-1</LocationConstraint>",
    );
    let region = Region::parse(b"proxy-1");
    let told = ToldInErrors {
        region: region.as_ref(),
        ..ToldInErrors::default()
    };
    let expected = body.replace("eu-west-1", "proxy-1");
    assert_eq!(
        ErrorBody::of(body.as_bytes(), &Traces::default(), &told),
        ErrorBody::Rewrite(expected)
    );
    assert_eq!(
        ErrorBody::of(
            body.as_bytes(),
            &Traces::default(),
            &ToldInErrors::default()
        ),
        ErrorBody::Rewrite(body)
    );
}

#[test]
fn an_id_is_the_one_that_the_client_has() {
    let id = |id| {
        error(&format!(
            "<Code>C</Code><Key>1</Key><UploadId>{id}</UploadId><ArgumentValue>{id}</ArgumentValue>"
        ))
    };
    let told = ToldInErrors {
        id: Some(AskedId {
            origin: "1".into(),
            client: "sealed".into(),
        }),
        ..ToldInErrors::default()
    };
    for (there, here) in [("1", "sealed"), ("12", "12")] {
        assert_eq!(
            ErrorBody::of(id(there).as_bytes(), &Traces::default(), &told),
            ErrorBody::Rewrite(id(here))
        );
    }
}

#[test]
fn names_are_those_of_the_clients() {
    let secret = SecretKey::new(b"oRiGiN/sEcReT+".into());
    let mut origin = Origin::new(Credential::new(b"AKIDORIGIN", secret), b"s3.origin.example");
    let rule = BucketRule::parse(b"*", b"acme-*").unwrap();
    origin.buckets.push(rule).unwrap();
    let mut told = ToldInErrors {
        region: None,
        host: "s3.mydomain.com",
        names: ClientNames::default(),
        ..ToldInErrors::default()
    };
    told.names.add(b"media", &origin);
    let of = |body: &str| ErrorBody::of(body.as_bytes(), &Traces::default(), &told);
    for (there, here) in [
        (
            "<Message>No acme-media.</Message>",
            "<Message>No media.</Message>",
        ),
        (
            "<Resource>/acme-media/acme-media</Resource>",
            "<Resource>/media/acme-media</Resource>",
        ),
        (
            "<Resource>/acme-media</Resource>",
            "<Resource>/media</Resource>",
        ),
        (
            "<CopySource>acme-media/k</CopySource>",
            "<CopySource>media/k</CopySource>",
        ),
        ("<Bucket>acme-media</Bucket>", "<Bucket>media</Bucket>"),
        (
            "<BucketName>acme-media</BucketName>",
            "<BucketName>media</BucketName>",
        ),
        (
            "<BucketName>other</BucketName>",
            "<BucketName>other</BucketName>",
        ),
        ("<Key>acme-media</Key>", "<Key>acme-media</Key>"),
        (
            "<Endpoint>acme-media.s3.origin.example</Endpoint>",
            "<Endpoint>s3.mydomain.com</Endpoint>",
        ),
    ] {
        let [there, here] = [there, here].map(|rest| error(&format!("<Code>C</Code>{rest}")));
        assert_eq!(of(&there), ErrorBody::Rewrite(here));
    }
    assert_eq!(of("No bucket acme-media"), ErrorBody::Replace);
    assert_eq!(of("No bucket media"), ErrorBody::Keep);
}

#[test]
fn what_is_the_origins_is_not() {
    for name in [
        "AWSAccessKeyId",
        "StringToSign",
        "StringToSignBytes",
        "CanonicalRequest",
        "CanonicalRequestBytes",
        "SignatureProvided",
        "SignatureCalculated",
        "Token-0",
        "HostId",
        "Server",
        "RequestTime",
        "Details",
        "message",
    ] {
        let body = error(&format!("<Code>C</Code><{name}>a</{name}><Key>k</Key>"));
        let expected = error("<Code>C</Code><Key>k</Key>");
        assert_eq!(
            rewritten(body.as_bytes()),
            ErrorBody::Rewrite(expected),
            "{name}"
        );
    }
}

#[test]
fn texts_that_name_the_origin() {
    for text in [
        "no key AKIDORIGIN",
        "no key &#65;KIDORIGIN",
        "secret oRiGiN/sEcReT+",
        "http://b.s3.origin.example/k",
        "dial tcp 10.0.0.5:9000: refused",
        "User: arn:aws:iam::123456789012:user/proxy is not authorized to perform: s3:GetObject",
        "User: arn:aws-cn:sts::1:assumed-role/a/b is not authorized",
    ] {
        let body = error(&format!(
            "<Code>C</Code><Message>{text}</Message><Resource>{text}</Resource><Key>k</Key>"
        ));
        let expected = error(
            "<Code>C</Code><Message>(It names the origin, and is left out.)</Message><Key>k</Key>",
        );
        assert_eq!(
            rewritten(body.as_bytes()),
            ErrorBody::Rewrite(expected),
            "{text}"
        );
        let body = error(&format!("<Code>{text}</Code>"));
        if !text.contains("arn:") {
            assert_eq!(rewritten(body.as_bytes()), ErrorBody::Replace, "{text}");
        }
    }
}

#[test]
fn spellings() {
    let expected = error("<Code>NoSuchKey</Code><Message></Message><Key>k</Key>");
    for body in [
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>NoSuchKey</Code><Message/><Key>k</Key></Error>",
        "<?xml version='1.0' encoding='UTF-8'?><Error xmlns='http://s3.amazonaws.com/doc/2006-03-01/'>\
         <Code>NoSuchKey</Code>\n  <Message></Message><Details>a<b>c</b></Details><Key>k</Key></Error>\n",
        "<Error><Code>NoSuchKey</Code><Message/><Resource><a>b</a></Resource><Key a='b'>k</Key></Error>",
    ] {
        assert_eq!(
            rewritten(body.as_bytes()),
            ErrorBody::Rewrite(expected.clone()),
            "{body}"
        );
    }
}

/// A host that is told again and again would be as long as a client likes.
#[test]
fn elements_are_told_once() {
    let body = error("<Code>C</Code><Endpoint>e</Endpoint><Endpoint/><Code>D</Code><A/><A/><Key/>");
    let expected = error("<Code>C</Code><Endpoint></Endpoint><Key></Key>");
    assert_eq!(rewritten(body.as_bytes()), ErrorBody::Rewrite(expected));
}

#[test]
fn other_bodies() {
    for (body, expected) in [
        ("", ErrorBody::Keep),
        (
            "<html><body>504 Gateway Time-out</body></html>",
            ErrorBody::Keep,
        ),
        ("{\"error\": \"no such key\"}", ErrorBody::Keep),
        ("<html>at s3.origin.example</html>", ErrorBody::Replace),
        ("{\"key\": \"AKIDORIGIN\"}", ErrorBody::Replace),
        ("<Error>", ErrorBody::Replace),
        ("<Error/>", ErrorBody::Replace),
        ("<Error><Code/></Error>", ErrorBody::Replace),
        ("<Error><Message>m</Message></Error>", ErrorBody::Replace),
        ("<Error>text<Code>C</Code></Error>", ErrorBody::Replace),
        (
            "<Error><Code>C</Code><!-- c --></Error>",
            ErrorBody::Replace,
        ),
        (
            "<Error><Code>C</Code><a><![CDATA[c]]></a></Error>",
            ErrorBody::Replace,
        ),
        (
            "<!DOCTYPE Error><Error><Code>C</Code></Error>",
            ErrorBody::Replace,
        ),
        (
            "<ErrorResponse><Error><Code>C</Code></Error></ErrorResponse>",
            ErrorBody::Replace,
        ),
        ("<s:Error><Code>C</Code></s:Error>", ErrorBody::Replace),
        ("<X><StringToSign>a</StringToSign></X>", ErrorBody::Replace),
        ("<\0E\0r\0r\0o\0r\0>", ErrorBody::Replace),
    ] {
        assert_eq!(rewritten(body.as_bytes()), expected, "{body}");
    }
    assert_eq!(
        rewritten(b"<Error><Code>\xff</Code></Error>"),
        ErrorBody::Replace
    );
}

/// Returns what the beginning tells, what is sent before that, what is held, and what is left.
fn beginning(body: &str) -> (Beginning, String, String, String) {
    let mut outcome = Outcome::default();
    let mut out = Vec::new();
    let (beginning, left) = outcome.take(body.as_bytes(), &mut out);
    let left = body.get(body.len() - left..).unwrap_or_default();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (beginning, text(&out), text(&outcome.held()), left.into())
}

#[test]
fn beginnings() {
    use Beginning::{Error, Open, Success};
    for (body, expected, sent, held) in [
        ("", Open, "", ""),
        (" \n", Open, " \n", ""),
        (
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n  ",
            Open,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n  ",
            "",
        ),
        ("<?xml version=\"1.0\"", Open, "", "<?xml version=\"1.0\""),
        ("<", Open, "", "<"),
        ("\u{feff}", Open, "\u{feff}", ""),
        ("\u{feff}<Error>", Error, "\u{feff}", "<Error>"),
        ("\u{feff} <Result>", Success, "\u{feff} ", "<Result>"),
        ("\u{feff}\u{feff}<Error>", Success, "\u{feff}", ""),
        ("<Error", Open, "", "<Error"),
        ("<Error>", Error, "", "<Error>"),
        (
            "<?xml version=\"1.0\"?>\n <Error><Code>",
            Error,
            "<?xml version=\"1.0\"?>\n ",
            "<Error>",
        ),
        ("<Error xmlns=\"", Error, "", "<Error "),
        ("<Error/>", Error, "", "<Error/"),
        ("<a:Error>", Error, "", "<a:Error>"),
        ("<!-- --><Error>", Error, "", "<!-- "),
        (
            "<?xml version=\"1.0\"?><?xml version=\"1.0\"?>",
            Error,
            "<?xml version=\"1.0\"?>",
            "<?xml ",
        ),
        ("<?b ?>", Error, "", "<?b "),
        (
            "<?xml version=\"1.0\" encoding=\"UTF-7\"?><Result>",
            Error,
            "",
            "<?xml version=\"1.0\" encoding=\"UTF-7\"?>",
        ),
        (
            "<?xml version=\"1.1\"?><Result>",
            Error,
            "",
            "<?xml version=\"1.1\"?>",
        ),
        ("<Errors>", Success, "", "<Errors>"),
        (
            "<CopyObjectResult xmlns='a'>",
            Success,
            "",
            "<CopyObjectResult ",
        ),
        ("\0\0\0a<Error>", Success, "", ""),
        ("text<Error>", Success, "", ""),
    ] {
        let (beginning, out, kept, left) = beginning(body);
        assert_eq!((beginning, &*out, &*kept), (expected, sent, held), "{body}");
        assert_eq!(format!("{out}{kept}{left}"), body);
    }
    let blank = " ".repeat(MAX_BEFORE);
    assert_eq!(beginning(&blank).0, Open);
    assert_eq!(beginning(&format!("{blank} ")).0, Success);
    let no_mark = b"\n\xbb\xbf<Error>";
    let begun = Outcome::default().take(no_mark, &mut Vec::new());
    assert_eq!(begun, (Success, no_mark.len() - 1));
    for utf_16 in [b"\xff\xfe<\0E\0", b"\xfe\xff\0<\0E"] {
        let mut out = Vec::new();
        let begun = Outcome::default().take(utf_16, &mut out);
        assert_eq!((begun, out.len()), ((Error, utf_16.len()), 0));
    }
    let long = format!("<{}", "a".repeat(MAX_START));
    assert_eq!(beginning(&long).0, Error);
}
