//! Browsers' forms: in, out, and the ways to lie in one. The rules one by one are in t/190-forms.t.
//!
//! A long file, since each one here is linked to a program of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{
    form::{
        BOUNDARY, FAR, SampleForm, body, decode, head, in_pieces, sign_policy, verdict,
        verdict_under,
    },
    reference::{KEY, NOW, SECRET},
    *,
};
use proptest::{collection::vec, prelude::*, sample::select};
use sigv4::*;

const ORIGIN_KEY: &str = "AKIDORIGIN";
const ORIGIN_SECRET: &str = "origin/secret";

fn answer(form: &SampleForm) -> String {
    answer_to(&form.head(), &form.body())
}

/// What a form is answered, sent whole, byte by byte, and in two pieces.
fn answer_to(head: &str, body: &[u8]) -> String {
    let raw = Raw::new(head);
    let ones = vec![1; body.len()];
    let cuts = (1..body.len())
        .step_by(1.max(body.len() / 30))
        .map(|at| vec![at]);
    let mut answers: Vec<String> = [vec![], ones]
        .into_iter()
        .chain(cuts)
        .map(|pieces| {
            let outcome = decode(&raw, body, &pieces).and_then(|(decoder, _)| {
                let head = decoder.head().unwrap().to_vec();
                verdict(&raw, &decoder, &head, NOW).map(|verified| verified.auth_type().name())
            });
            match outcome {
                Ok(form) => form.into(),
                Err(rejection) => {
                    assert!(Rejection::CODES.contains(&rejection.code()));
                    format!("{} {}", rejection.code(), rejection.status())
                }
            }
        })
        .collect();
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    answers.remove(0)
}

const GOOD: &str = "post-policy";
const DENIED: &str = "AccessDenied 403";
const MALFORMED: &str = "MalformedPOSTRequest 400";
const POLICY: &str = "InvalidPolicyDocument 400";
const ARGUMENT: &str = "InvalidArgument 400";

/// AWS's own: <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-post-example.html>
mod published {
    pub(crate) const KEY: &str = "AKIAIOSFODNN7EXAMPLE";
    pub(crate) const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    pub(crate) const SIGNATURE: &str =
        "8afdbf4008c03f22c2cd3cdb72e4afbb1f6a588f3255ac628749a66d7f09699e";
    pub(crate) const POLICY: &str = "{ \"expiration\": \"2015-12-30T12:00:00.000Z\",\r
  \"conditions\": [\r
    {\"bucket\": \"sigv4examplebucket\"},\r
    [\"starts-with\", \"$key\", \"user/user1/\"],\r
    {\"acl\": \"public-read\"},\r
    {\"success_action_redirect\": \"http://sigv4examplebucket.s3.amazonaws.com/successful_upload.html\"},\r
    [\"starts-with\", \"$Content-Type\", \"image/\"],\r
    {\"x-amz-meta-uuid\": \"14365123651274\"},\r
    {\"x-amz-server-side-encryption\": \"AES256\"},\r
    [\"starts-with\", \"$x-amz-meta-tag\", \"\"],\r
\r
    {\"x-amz-credential\": \"AKIAIOSFODNN7EXAMPLE/20151229/us-east-1/s3/aws4_request\"},\r
    {\"x-amz-algorithm\": \"AWS4-HMAC-SHA256\"},\r
    {\"x-amz-date\": \"20151229T000000Z\" }\r
  ]\r
}";
    /// A form of V2, in AWS's guide to it.
    pub(crate) const SECRET_V2: &str = "uV3F3YluFJax1cknvbcGwgjvx4QpvB+leU8dUj2o";
    pub(crate) const SIGNATURE_V2: &str = "0RavWzkygo6QX9caELEqKi9kDbU=";
    pub(crate) const POLICY_V2: &str = "{ \"expiration\": \"2007-12-01T12:00:00.000Z\",
  \"conditions\": [
    {\"bucket\": \"johnsmith\"},
    [\"starts-with\", \"$key\", \"user/eric/\"],
    {\"acl\": \"public-read\"},
    {\"success_action_redirect\": \"http://johnsmith.s3.amazonaws.com/successful_upload.html\"},
    [\"starts-with\", \"$Content-Type\", \"image/\"],
    {\"x-amz-meta-uuid\": \"14365123651274\"},
    [\"starts-with\", \"$x-amz-meta-tag\", \"\"]
  ]
}
";
}

fn published_answer(
    target: &str,
    secret: &str,
    policy: &str,
    own: &[(&str, &str)],
    now: i64,
) -> Result<(), Rejection> {
    use base64ct::{Base64, Encoding};
    let policy = Base64::encode_string(policy.as_bytes());
    let redirect = format!(
        "http://{}.s3.amazonaws.com/successful_upload.html",
        &target[1..]
    );
    let user = if own.len() > 2 {
        "user/user1"
    } else {
        "user/eric"
    };
    let key = format!("{user}/${{filename}}");
    let mut fields = vec![
        ("key", key.as_str()),
        ("acl", "public-read"),
        ("success_action_redirect", &redirect),
        ("Content-Type", "image/jpeg"),
        ("x-amz-meta-uuid", "14365123651274"),
        ("X-Amz-Meta-Tag", ""),
        ("Policy", &policy),
    ];
    fields.extend(own);
    let fields: Vec<_> = fields
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let body = body(&fields, "; filename=\"MyPhoto.jpg\"", b"JFIF");
    let text = head(target);
    let raw = Raw::new(&text);
    let (decoder, _) = decode(&raw, &body, &[])?;
    let head = decoder.head().unwrap().to_vec();
    let clients = Directory::new(&[(published::KEY, secret)]);
    let rules = VerifyRules {
        signature_v2: true,
        ..rules()
    };
    let verified = verdict_under(&raw, &decoder, &head, &clients, &rules, now)?;
    assert_eq!(
        verified.form_key().unwrap(),
        format!("{user}/MyPhoto.jpg").as_bytes()
    );
    Ok(())
}

#[test]
fn the_published_example_of_v4() {
    const DEC_29: i64 = 1_451_347_200;
    let ask = |signature: &str, now| {
        let own = [
            ("x-amz-server-side-encryption", "AES256"),
            (
                "X-Amz-Credential",
                "AKIAIOSFODNN7EXAMPLE/20151229/us-east-1/s3/aws4_request",
            ),
            ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
            ("X-Amz-Date", "20151229T000000Z"),
            ("X-Amz-Signature", signature),
        ];
        let (secret, policy) = (published::SECRET, published::POLICY);
        published_answer("/sigv4examplebucket", secret, policy, &own, now)
    };
    assert_eq!(ask(published::SIGNATURE, DEC_29), Ok(()));
    // Its last second, and the one after it.
    let end = DEC_29 + 36 * 3600;
    assert_eq!(ask(published::SIGNATURE, end - 1), Ok(()));
    assert_eq!(
        ask(published::SIGNATURE, end),
        Err(Rejection::PolicyExpired)
    );
    let wrong = published::SIGNATURE.replace('8', "9");
    assert_eq!(ask(&wrong, DEC_29), Err(Rejection::SignatureDoesNotMatch));
}

#[test]
fn the_published_example_of_v2() {
    let ask = |signature: &str| {
        let own = [("AWSAccessKeyId", published::KEY), ("Signature", signature)];
        let (secret, policy) = (published::SECRET_V2, published::POLICY_V2);
        published_answer("/johnsmith", secret, policy, &own, 1_196_000_000)
    };
    assert_eq!(ask(published::SIGNATURE_V2), Ok(()));
    let wrong = published::SIGNATURE_V2.replace('0', "1");
    assert_eq!(ask(&wrong), Err(Rejection::SignatureDoesNotMatch));
}

/// What is signed is the policy as it came; there is no canonical request of it.
#[test]
fn a_signature_is_explained() {
    let form = SampleForm::new("key");
    let (text, body) = (form.head(), form.body());
    let raw = Raw::new(&text);
    let (decoder, _) = decode(&raw, &body, &[]).unwrap();
    let explained = explain_form(&decoder).unwrap();
    assert!(explained.canonical_request.is_none());
    let policy = String::from_utf8(explained.string_to_sign).unwrap();
    let body = String::from_utf8_lossy(&body);
    let field = format!("name=\"policy\"\r\n\r\n{policy}\r\n");
    assert!(body.contains(&field), "{body}");
    // Its fields are not there yet.
    let decoder = FormDecoder::new(&raw.request(), &Address::PATH_STYLE).unwrap();
    assert!(explain_form(&decoder).is_none());
}

#[test]
fn nobody_but_verify_form_lets_a_form_in() {
    let text = SampleForm::new("key").head();
    let open = VerifyRules {
        anonymous: Anonymous::PassedOn,
        ..rules()
    };
    let clients = Directory::new(&[(KEY, SECRET)]);
    let outcome = common::verdict(&Raw::new(&text), &clients, &open, NOW);
    assert_eq!(outcome.unwrap_err(), Rejection::ProofInBody);
}

/// Fields of one form and the head of another: no way to be accepted by somebody else's fields.
#[test]
fn fields_belong_to_their_form() {
    let form = SampleForm::new("key");
    let text = form.head();
    let raw = Raw::new(&text);
    let (decoder, _) = decode(&raw, &form.body(), &[]).unwrap();
    let mut other = decoder.head().unwrap().to_vec();
    other[60] ^= 1;
    let outcome = verdict(&raw, &decoder, &other, NOW);
    assert_eq!(outcome.unwrap_err(), Rejection::InternalError);
    let head = decoder.head().unwrap().to_vec();
    let text = text.replace(BOUNDARY, "other");
    let outcome = verdict(&Raw::new(&text), &decoder, &head, NOW);
    assert_eq!(outcome.unwrap_err(), Rejection::InternalError);
    // Nor is a form complete before its end.
    let body = form.body();
    let mut decoder = FormDecoder::new(&raw.request(), &Address::PATH_STYLE).unwrap();
    decoder
        .decode(&mut body[..body.len() - 5].to_vec())
        .unwrap();
    let head = decoder.head().unwrap().to_vec();
    let outcome = verdict(&raw, &decoder, &head, NOW);
    assert_eq!(outcome.unwrap_err(), Rejection::MalformedForm);
}

#[test]
fn escapes_of_a_policy() {
    let form = |value: &str, condition: &str| {
        answer(
            &SampleForm::new("key")
                .field("x-amz-meta-a", value)
                .condition(condition),
        )
    };
    assert_eq!(form("${x}", r#"["eq","$x-amz-meta-a","\${x}"]"#), GOOD);
    assert_eq!(form("${x}", r#"["eq","$x-amz-meta-a","${x}"]"#), GOOD);
    assert_eq!(form("\\$x", r#"["eq","$x-amz-meta-a","\\$x"]"#), GOOD);
    assert_eq!(form("\\$x", r#"["eq","$x-amz-meta-a","\\\$x"]"#), GOOD);
    assert_eq!(form("ü\"/", r#"{"x-amz-meta-a":"\u00fc\"\/"}"#), GOOD);
    assert_eq!(form("x", r#"{"x-amz-meta-a":"\v"}"#), DENIED);
    assert_eq!(form("x", r#"{"x-amz-meta-a":"\x"}"#), POLICY);
    assert_eq!(form("x", r#"{"x-amz-meta-a":"\ud800"}"#), POLICY);
    assert_eq!(form("x", "{\"x-amz-meta-a\":\"\n\"}"), POLICY);
    assert_eq!(form("x", r#"{"x-amz-meta-a":"x"},"#), POLICY);
    assert_eq!(
        form("x", r#"{"x-amz-meta-a":"x","X-Amz-Meta-A":"x"}"#),
        POLICY
    );
}

#[test]
fn operators_of_a_policy() {
    let form = |condition: &str| answer(&SampleForm::new("key").condition(condition));
    for condition in [
        r#"["StArTs-WiTh","$KeY","k"]"#,
        r#"["EQ","$key","key"]"#,
        r#"["Content-Length-Range",5,"5"]"#,
    ] {
        assert_eq!(form(condition), GOOD, "{condition}");
    }
    assert_eq!(form(r#"["STARTS-WITH","$key","K"]"#), DENIED);
    assert_eq!(form(r#"["Eq","$acl","key"]"#), DENIED);
    assert_eq!(
        form(r#"["CONTENT-LENGTH-RANGE",0,4]"#),
        "EntityTooLarge 400"
    );
    for condition in [
        r#"["starts_with","$key","k"]"#,
        r#"["eq ","$key","key"]"#,
        "[\"\u{17f}tarts-with\",\"$key\",\"k\"]",
    ] {
        assert_eq!(form(condition), POLICY, "{condition}");
    }
}

/// Each of several types has to begin as demanded, the space after a comma does not count:
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html>
#[test]
fn a_list_of_types() {
    let types = |types: &str, condition: &str| {
        let form = SampleForm::new("key").field("Content-Type", types);
        answer(&form.condition(condition))
    };
    let images = r#"["Starts-With","$Content-Type","image/"]"#;
    assert_eq!(types("image/png", images), GOOD);
    assert_eq!(types("image/jpg,image/png,image/gif", images), GOOD);
    assert_eq!(types("image/jpg, image/png", images), GOOD);
    for other in [
        "image/jpg,text/html",
        "image/jpg, text/html",
        "image/jpg,",
        "image/jpg, ",
        ",image/jpg",
        " image/jpg",
    ] {
        assert_eq!(types(other, images), DENIED, "{other}");
    }
    let both = r#"["eq","$Content-Type","image/jpg,text/html"]"#;
    assert_eq!(types("image/jpg,text/html", both), GOOD);
}

/// As scripts send a field: with a file's name, and what else describes a file.
#[test]
fn fields_that_look_like_files() {
    for head in [
        "; filename=\"key\"",
        "; filename=blob\r\nContent-Type: application/octet-stream",
        "; filename=\"\"",
        "; filename=\"file\"; filename*=utf-8''file",
        "\r\nContent-Type: text/plain; charset=ISO-8859-1\r\nContent-Transfer-Encoding: 8bit",
        "\r\nContent-Transfer-Encoding: binary\r\nContent-Length: 3",
    ] {
        let form = SampleForm {
            field_head: head.into(),
            ..SampleForm::new("user/${filename}")
        }
        .field("acl", "private")
        .condition(r#"["starts-with","$key","user/f"]"#);
        assert_eq!(answer(&form), GOOD, "{head}");
        // To an origin they are plain fields, and there is one file.
        let (wire, body) = resign(&form, &[]);
        assert_eq!(origin_reads(&wire, &body), (b"user/f.txt".to_vec(), 5));
        let text = String::from_utf8(body).unwrap();
        assert_eq!(text.matches("filename").count(), 1, "{text}");
        assert!(text.contains("name=\"acl\"\r\n\r\nprivate\r\n"), "{text}");
        // They must be in the policy as any field.
        let extra = SampleForm {
            conditions: vec![
                r#"["eq","$key","user/f.txt"]"#.into(),
                r#"{"bucket":"bucket"}"#.into(),
            ],
            ..form.clone()
        };
        assert_eq!(answer(&extra), GOOD);
        let denied = extra.condition(r#"{"acl":"public-read"}"#);
        assert_eq!(answer(&denied), DENIED, "{head}");
    }
    let encoded = |value: &str| SampleForm {
        field_head: format!("; filename=\"k\"\r\nContent-Transfer-Encoding: {value}"),
        ..SampleForm::new("key")
    };
    for value in ["base64", "quoted-printable", "gzip", ""] {
        assert_eq!(answer(&encoded(value)), MALFORMED, "{value}");
    }
    // Two servers could take different ones of two for the file.
    let nested = SampleForm {
        field_head: "; filename=\"k\"\r\nContent-Type: multipart/mixed; boundary=b".into(),
        ..SampleForm::new("key")
    };
    assert_eq!(answer(&nested), MALFORMED);
    for name in ["file", "FILE"] {
        let two = SampleForm::new("key").field(name, "hello");
        assert_eq!(answer(&two), "IncorrectNumberOfFilesInPostRequest 400");
    }
}

/// A status that S3 would not heed does not reach an origin, which might.
#[test]
fn a_status_of_success() {
    for (status, goes) in [
        ("200", true),
        ("201", true),
        ("204", true),
        ("404", false),
        ("", false),
        ("0201", false),
    ] {
        let form = SampleForm::new("key").field("Success_Action_Status", status);
        let (wire, body) = resign(&form, &[]);
        assert_eq!(origin_reads(&wire, &body), (b"key".to_vec(), 5));
        let text = String::from_utf8(body).unwrap();
        assert_eq!(text.contains("Success_Action_Status"), goes, "{status}");
    }
}

#[test]
fn times_of_a_policy() {
    let until = |expiration: &str| {
        answer(&SampleForm {
            expiration: expiration.into(),
            ..SampleForm::new("key")
        })
    };
    for time in [FAR, "2026-01-02T03:04:06Z", "2026-01-02T03:04:06.9Z"] {
        assert_eq!(until(time), GOOD, "{time}");
    }
    for time in ["2026-01-02T03:04:05Z", "2026-01-02T03:04:05.999999999Z"] {
        assert_eq!(until(time), DENIED, "{time}");
    }
    for time in [
        "",
        "Z",
        "2099-01-01T00:00:00",
        "2099-01-01T00:00:00.Z",
        "2099-01-01T00:00:00.0000000000Z",
        "2099-01-01T00:00:00,0Z",
        "2099-01-01 00:00:00Z",
        "2099-1-01T00:00:000Z",
        "20990101T000000Z",
        "2099-01-01T00:00:0üZ",
        "2099-13-01T00:00:00Z",
    ] {
        assert_eq!(until(time), POLICY, "{time}");
    }
}

#[test]
fn one_field_in_two_readings() {
    // Two parts in one, to those for whom a line feed is a line's end or no line break is needed.
    for value in [
        format!("a\n--{BOUNDARY}\nContent-Disposition: form-data; name=\"acl\"\n\nx"),
        format!("--{BOUNDARY}"),
        "a\rb".into(),
        "a\u{7f}".into(),
    ] {
        let form = SampleForm::new("key").field("x-amz-meta-a", &value);
        let answer = answer(&form.condition(r#"["starts-with","$x-amz-meta-a",""]"#));
        assert!(
            [ARGUMENT, MALFORMED].contains(&&*answer),
            "{value:?} {answer}"
        );
    }
    let split = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\nb");
    let file = SampleForm::new("key").file(split.as_bytes());
    assert_eq!(answer(&file), MALFORMED);
}

/// What is sent to an origin, and read by it: `verify_form` again, with the origin's key alone.
fn resign(form: &SampleForm, pieces: &[usize]) -> (String, Vec<u8>) {
    let text = form.head();
    let raw = Raw::new(&text);
    let (decoder, stored) = decode(&raw, &form.body(), pieces).unwrap();
    let head = decoder.head().unwrap().to_vec();
    let verified = verdict(&raw, &decoder, &head, NOW).unwrap();
    assert_eq!(verified.stored_length(), Some(stored.len() as u64));
    let origin = Origin {
        session_token: Some(SecretKey::new(b"ToKeN".to_vec())),
        region: Region::parse(b"eu-west-1"),
        ..Origin::new(credential(ORIGIN_KEY, ORIGIN_SECRET), b"s3.origin.example")
    };
    let plain = format!(
        "POST {} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer x\r\n\
         Content-Type: multipart/form-data; boundary={BOUNDARY}\r\nContent-Length: 999\r\n\r\n",
        form.target
    );
    let mut room = HeadRoom::default();
    let wire = WireHead::parse(plain.as_bytes(), &verified, &mut room).unwrap();
    let mut keys = KeyCache::new(8);
    let now = Timestamp(NOW + 60);
    let mut signed = sign(&verified, &wire, &origin, &mut keys, now).unwrap();
    let mut short = vec![0; signed.max_len()];
    assert_eq!(
        signed.write(&mut short),
        None,
        "only where the body is known to follow"
    );
    let mut signed = sign(&verified, &wire, &origin, &mut keys, now).unwrap();
    let mut out = vec![0; signed.max_len()];
    let (length, encoder) = signed.write_with_encoder(&mut out).unwrap();
    assert!(encoder.is_none());
    out.truncate(length);
    out.extend_from_slice(&stored);
    let end = memchr::memmem::find(&out, b"\r\n\r\n").unwrap();
    let body = out.split_off(end + 4);
    (String::from_utf8(out).unwrap(), body)
}

/// The fields and the file of a form that only an origin can verify.
fn origin_reads(wire: &str, body: &[u8]) -> (Vec<u8>, u64) {
    let text = wire.replace(" HTTP/1.1", "").replace("\r\n", "\n");
    let raw = Raw::new(&text);
    let (decoder, _) = decode(&raw, body, &[]).unwrap();
    let head = decoder.head().unwrap().to_vec();
    let clients = Directory::new(&[(ORIGIN_KEY, ORIGIN_SECRET)]);
    let rules = VerifyRules {
        region: Region::parse(b"eu-west-1"),
        ..rules()
    };
    let verified = verdict_under(&raw, &decoder, &head, &clients, &rules, NOW + 60).unwrap();
    (verified.form_key().unwrap(), decoder.file_length())
}

#[test]
fn a_form_is_written_again() {
    let form = SampleForm::new("user/${filename}")
        .field("acl", "private")
        .field("x-ignore-page", "7")
        .condition(r#"["starts-with","$key","user/"]"#)
        .condition(r#"["content-length-range",1,100]"#);
    let (wire, body) = resign(&form, &[]);
    assert_eq!(
        wire,
        format!(
            "POST /bucket HTTP/1.1\r\nHost: s3.origin.example\r\n\
             Content-Type: multipart/form-data; boundary={BOUNDARY}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        )
    );
    let text = String::from_utf8(body.clone()).unwrap();
    let names: Vec<_> = text
        .split("name=\"")
        .skip(1)
        .filter_map(|part| part.split('"').next())
        .collect();
    assert_eq!(
        names,
        [
            "key",
            "acl",
            "x-amz-algorithm",
            "x-amz-credential",
            "x-amz-date",
            "x-amz-security-token",
            "policy",
            "x-amz-signature",
            "file",
            "file",
        ]
    );
    assert!(
        !text.contains(KEY) && text.contains("\r\n\r\nuser/f.txt\r\n"),
        "{text}"
    );
    assert!(
        text.ends_with(&format!("\r\n\r\nhello\r\n--{BOUNDARY}--\r\n")),
        "{text}"
    );
    assert_eq!(origin_reads(&wire, &body), (b"user/f.txt".to_vec(), 5));
}

/// What goes out of a form that is sent on while it arrives, and what is left for its end; with a length
/// announced that differs from its own by `more`.
fn stream(
    form: &SampleForm,
    body: &[u8],
    pieces: &[usize],
    more: i64,
) -> Result<(Vec<u8>, Tail), Rejection> {
    let text = form.head();
    let raw = Raw::new(&text);
    let mut decoder = FormDecoder::new(&raw.request(), &Address::PATH_STYLE)?;
    let mut stream = FormStream::new(body.len().checked_add_signed(more as isize).unwrap() as u64);
    let mut length = 0;
    let sent = in_pieces(body, pieces, |piece| {
        let data = stream.take(&mut decoder, piece)?;
        length += data.len() as u64;
        assert_eq!(stream.sent(), length);
        Ok(data)
    })?;
    decoder.finish()?;
    let head = decoder.head().unwrap().to_vec();
    let verify = || {
        let mut keys = KeyCache::new(8);
        verify_form(
            &raw.request(),
            &decoder,
            &head,
            kept(Directory::new(&[(KEY, SECRET)])),
            kept(rules()),
            &mut keys,
            Timestamp(NOW),
        )
        .map_err(|rejected| rejected.rejection)
    };
    let tail = stream.end(&decoder, &verify()?)?;
    let verified = verify()?.streamed(&decoder, &stream)?;
    let length = sent.len() + tail.text.len() + tail.padding as usize;
    assert_eq!(verified.stored_length(), Some(length as u64));
    assert_eq!(length, body.len() - head.len());
    Ok((sent, tail))
}

#[test]
fn the_end_of_a_streamed_form() {
    let form = SampleForm::new("key").condition(r#"["content-length-range",5,5]"#);
    let whole = form.body();
    let end = format!("--{BOUNDARY}--\r\n").into_bytes();
    let before = &whole[..whole.len() - end.len()];
    let after = |epilogue: &str| [before, epilogue.replace('B', BOUNDARY).as_bytes()].concat();
    let open = format!("hello\r\n--{BOUNDARY}");
    let open = &open.as_bytes()[..open.len() - 1];
    for (epilogue, text, padding) in [
        ("--B--\r\n", "Y--\r\n", 0),
        ("--B--", "Y--", 0),
        ("--B--\r\n1234", "Y--\r\n", 4),
        (
            "--B\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n--B--",
            "Y--\r\n",
            54,
        ),
    ] {
        for pieces in [vec![], vec![1; whole.len() + 100]] {
            let (sent, tail) = stream(&form, &after(epilogue), &pieces, 0).unwrap();
            assert_eq!(sent, open, "{epilogue:?}");
            let found = (tail.text.as_slice(), tail.padding);
            assert_eq!(found, (text.as_bytes(), padding), "{epilogue:?}");
        }
    }
    let code =
        |form: &SampleForm, body: &[u8], more| stream(form, body, &[], more).unwrap_err().code();
    assert_eq!(code(&form, &whole, 1), "MalformedPOSTRequest");
    assert_eq!(code(&form, &whole, -1), "MalformedPOSTRequest");
    assert_eq!(
        code(&form, &whole[..whole.len() - 3], 0),
        "MalformedPOSTRequest"
    );
    let most = after("--B--\r\n").len() + (1 << 20) - 4;
    for (length, answer) in [
        (most, Ok((1 << 20) - 4)),
        (most + 1, Err("MaxPostPreDataLengthExceededError")),
    ] {
        let mut body = whole.clone();
        body.resize(length, b' ');
        let found = stream(&form, &body, &[1000; 2000], 0);
        let found = found.map(|(_, tail)| tail.padding);
        assert_eq!(found.map_err(|rejection| rejection.code()), answer);
    }
    let longer = SampleForm::new("key").condition(r#"["content-length-range",6,9]"#);
    assert_eq!(code(&longer, &longer.body(), 0), "EntityTooSmall");
    let shorter = SampleForm::new("key").condition(r#"["content-length-range",1,4]"#);
    assert_eq!(code(&shorter, &shorter.body(), 0), "EntityTooLarge");
}

/// An edge of the boundary, or anything.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let edge = format!("\r\n--{BOUNDARY}");
    let edges: Vec<Vec<u8>> = (1..edge.len())
        .map(|length| edge.as_bytes()[..length].to_vec())
        .chain([b"\r\r\n--".to_vec(), b"--\r\n".to_vec(), vec![0, 255]])
        .collect();
    let piece = prop_oneof![select(edges), vec(any::<u8>(), 0..20)];
    vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    /// However a form is cut and whatever is in its file: that file, and nothing else, is what the
    /// origin gets.
    #[test]
    fn any_file_in_any_pieces(file in bytes(), pieces in vec(1..40_usize, 0..60)) {
        let edge = format!("--{BOUNDARY}");
        prop_assume!(!file.starts_with(edge.as_bytes()));
        prop_assume!(memchr::memmem::find(&file, format!("\r\n{edge}").as_bytes()).is_none());
        let form = SampleForm::new("key").file(&file);
        let (wire, body) = resign(&form, &pieces);
        let end = format!("\r\n\r\n{}\r\n--{BOUNDARY}--\r\n", String::from_utf8_lossy(&file));
        prop_assert!(String::from_utf8_lossy(&body).ends_with(&end));
        prop_assert_eq!(origin_reads(&wire, &body), (b"key".to_vec(), file.len() as u64));
    }

    /// And so it is where the file is sent on while it arrives.
    #[test]
    fn any_streamed_file_in_any_pieces(
        file in bytes(),
        epilogue in bytes(),
        pieces in vec(1..40_usize, 0..60),
    ) {
        let edge = format!("--{BOUNDARY}");
        prop_assume!(!file.starts_with(edge.as_bytes()));
        prop_assume!(memchr::memmem::find(&file, format!("\r\n{edge}").as_bytes()).is_none());
        let form = SampleForm::new("key").file(&file);
        let body = [form.body(), epilogue.clone()].concat();
        let (mut sent, tail) = stream(&form, &body, &pieces, 0).unwrap();
        sent.extend_from_slice(&tail.text);
        let end = format!("\r\n--{BOUNDARY}--\r\n");
        prop_assert_eq!(sent, [&file, end.as_bytes()].concat());
        prop_assert_eq!(tail.padding, epilogue.len() as u64);
    }

    /// Whatever is done to a form, all ways to cut it end alike.
    #[test]
    fn any_damage_in_any_pieces(
        at in 0..1000_usize,
        with in bytes(),
        length in 0..30_usize,
        pieces in vec(1..50_usize, 0..60),
    ) {
        let form = SampleForm::new("key");
        let mut body = form.body();
        let at = at % body.len();
        let end = (at + length).min(body.len());
        body.splice(at..end, with);
        let text = form.head();
        let raw = Raw::new(&text);
        let [whole, cut] = [&[][..], &pieces].map(|pieces| {
            let (decoder, stored) = decode(&raw, &body, pieces)?;
            let head = decoder.head().unwrap().to_vec();
            verdict(&raw, &decoder, &head, NOW)?;
            Ok::<_, Rejection>((head, stored))
        });
        prop_assert_eq!(whole, cut);
    }

    /// No bytes are a danger to what reads a policy.
    #[test]
    fn any_policy(json in "[\\[\\]{}\":,$a-z0-9\\\\ -]{0,60}") {
        use base64ct::{Base64, Encoding};
        let policy = Base64::encode_string(json.as_bytes());
        let fields = [
            ("key", "key"),
            ("x-amz-algorithm", "AWS4-HMAC-SHA256"),
            ("x-amz-credential", &format!("{KEY}/20260102/us-east-1/s3/aws4_request")),
            ("x-amz-date", "20260102T030405Z"),
            ("x-amz-signature", &sign_policy(&policy)),
            ("policy", &policy),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let text = head("/bucket");
        let raw = Raw::new(&text);
        let (decoder, _) = decode(&raw, &body(&fields, "", b"x"), &[]).unwrap();
        let head = decoder.head().unwrap().to_vec();
        prop_assert_eq!(verdict(&raw, &decoder, &head, NOW).unwrap_err(), Rejection::InvalidPolicy);
    }
}

#[test]
fn heads_that_no_form_has() {
    let ask =
        |text: String| match FormDecoder::new(&Raw::new(&text).request(), &Address::PATH_STYLE) {
            Ok(_) => "a form".into(),
            Err(rejection) => format!("{} {}", rejection.code(), rejection.status()),
        };
    let form = head("/bucket");
    assert_eq!(ask(form.clone()), "a form");
    assert_eq!(ask(head("/bucket/")), "a form");
    assert_eq!(ask(head("/bucket%2F")), "a form");
    assert_eq!(ask(head("/bucket%2Fkey")), "MethodNotAllowed 405");
    assert_eq!(ask(head("/bucket//")), "MethodNotAllowed 405");
    assert_eq!(ask(head("/%zz")), "InvalidURI 400");
    for header in [
        "X_Amz_Copy_Source: /a/b",
        "x-amz-content-sha256: x",
        "X-AMZ-ACL: x",
    ] {
        assert_eq!(ask(format!("{form}{header}\n")), DENIED, "{header}");
    }
    assert_eq!(
        ask(format!(
            "{form}Content-Type: multipart/form-data; boundary=x\n"
        )),
        ARGUMENT
    );
}
