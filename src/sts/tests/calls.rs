//! Calls: what is read of them, and what is not.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use proptest::prelude::*;
use sts::*;

const ROLE: &str = "RoleArn=arn:aws:iam::123456789012:role/deploy";

fn read(body: &str) -> Result<Call, Fault> {
    Call::read(b"", body.as_bytes()).map_err(|unreadable| unreadable.fault)
}

fn kind(body: &str) -> Option<FaultKind> {
    read(body).err().map(|fault| fault.kind)
}

fn assume(more: &str) -> Result<AssumeRole, Fault> {
    match read(&format!("Action=AssumeRole&Version=2011-06-15{more}"))? {
        Call::AssumeRole(call) => Ok(call),
        other => panic!("{other:?}"),
    }
}

fn web(more: &str) -> Result<AssumeRoleWithWebIdentity, Fault> {
    let text = format!("Action=AssumeRoleWithWebIdentity&Version=2011-06-15{more}");
    match read(&text)? {
        Call::AssumeRoleWithWebIdentity(call) => Ok(call),
        other => panic!("{other:?}"),
    }
}

#[test]
fn calls_as_sdks_write_them() {
    // botocore 1.44.
    let call = web(
        "&RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fdeploy&RoleSessionName=a%40b%3D%2C.%2B-_1\
         &WebIdentityToken=a.b.c&DurationSeconds=900",
    );
    let call = call.unwrap();
    assert_eq!(
        (
            &*call.role,
            &*call.session,
            call.duration,
            call.token.as_str()
        ),
        ("deploy", "a@b=,.+-_1", Some(900), "a.b.c")
    );
    assert!(!format!("{call:?}").contains("a.b.c"));
    let call = assume(&format!(
        "&{ROLE}&RoleSessionName=it&Tags.member.1.Key=k&ExternalId=12"
    ));
    let expected = AssumeRole {
        role: Some("deploy".into()),
        session: Some("it".into()),
        duration: None,
    };
    assert_eq!(call, Ok(expected));
    // MinIO's SDKs.
    let bare = AssumeRole {
        role: None,
        session: None,
        duration: Some(3_600),
    };
    assert_eq!(assume("&DurationSeconds=3600"), Ok(bare));
    let query = b"Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Signature=0&X-Amz-Signature=1";
    assert!(matches!(
        Call::read(query, b""),
        Ok(Call::GetCallerIdentity)
    ));
    // In both, as some write it.
    let call = Call::read(b"Action=AssumeRole", b"Version=2011-06-15").unwrap();
    assert_eq!(call.operation(), "AssumeRole");
}

#[test]
fn actions() {
    use FaultKind::{InvalidAction, MalformedQueryString, MissingAction};
    for (body, expected) in [
        ("", Some(MissingAction)),
        ("&&", Some(MissingAction)),
        ("Action", Some(MissingAction)),
        ("Action=", Some(MissingAction)),
        ("action=GetCallerIdentity", Some(MissingAction)),
        ("Action=getcalleridentity", Some(InvalidAction)),
        ("Action=AssumeRoleWithSAML", Some(InvalidAction)),
        ("Action=GetSessionToken", Some(InvalidAction)),
        ("Action=GetCallerIdentity+", Some(InvalidAction)),
        (
            "Action=GetCallerIdentity&Version=2010-05-08",
            Some(InvalidAction),
        ),
        ("Action=GetCallerIdentity&Version=", None),
        ("Action=GetCallerIdentity", None),
        ("Action=Get%43allerIdentity", None),
        ("A%63tion=GetCallerIdentity", None),
        (
            "Action=GetCallerIdentity&Action=GetCallerIdentity",
            Some(MalformedQueryString),
        ),
        (
            "Action=GetCallerIdentity&A%63tion=AssumeRole",
            Some(MalformedQueryString),
        ),
        (
            "Action=GetCallerIdentity&Action",
            Some(MalformedQueryString),
        ),
        ("Action=GetCallerIdentity&x=1&x=2", None),
        ("Action=GetCallerIdentity&x=%", None),
        ("Action=GetCallerIdentity&x%=1", Some(MalformedQueryString)),
        ("Action=GetCallerIdentity&%ff=1", Some(MalformedQueryString)),
        ("Action=GetCallerIdentity%", Some(MalformedQueryString)),
        ("Action=GetCallerIdentity%f", Some(MalformedQueryString)),
        ("Action=GetCallerIdentity%+f", Some(MalformedQueryString)),
        ("Action=GetCallerIdentity%FF", Some(MalformedQueryString)),
    ] {
        assert_eq!(kind(body), expected, "{body}");
    }
    let twice = Call::read(b"Action=GetCallerIdentity", b"Action=GetCallerIdentity");
    assert!(twice.is_err());
}

/// Logs and metrics tell of it.
#[test]
fn the_operation_is_known_of_what_cannot_be_read() {
    for (body, expected) in [
        ("Action=AssumeRole&Policy={}", Some("AssumeRole")),
        ("Action=AssumeRole&Version=1", Some("AssumeRole")),
        (
            "RoleSessionName=x&Action=AssumeRoleWithWebIdentity",
            Some("AssumeRoleWithWebIdentity"),
        ),
        ("Action=AssumeRoleWithSAML", None),
        ("", None),
        ("Action=AssumeRole&Action=AssumeRole", None),
    ] {
        let read = Call::read(b"", body.as_bytes());
        assert_eq!(read.unwrap_err().operation, expected, "{body}");
    }
}

#[test]
fn roles() {
    let name = |arn: &str| {
        let call = assume(&format!("&RoleSessionName=it&RoleArn={arn}"));
        call.map(|call| call.role.unwrap())
            .map_err(|fault| fault.kind)
    };
    for (arn, expected) in [
        ("arn:aws:iam::123456789012:role/deploy", Some("deploy")),
        ("arn:aws-cn:iam::x:role/a+b", None),
        ("arn:aws-cn:iam::x:role/a%2Bb", Some("a+b")),
        ("arn:minio:iam:::role/d", Some("d")),
        // It is none that there can be.
        ("arn:aws:iam::1:role/path/deploy", Some("path/deploy")),
        ("arn:aws:iam::1:role//deploy", None),
        ("arn:aws:iam::1:role/deploy/", None),
        ("arn:aws:iam::1:role/", None),
        ("arn:aws:iam::1:user/deploy", None),
        ("arn:aws:iam:eu:1:role/deploy", None),
        ("arn:aws:sts::1:role/deploy", None),
        ("arn::iam::1:role/deploy", None),
        ("arn:aws:iam::role/deploy", None),
        ("deploy", None),
        ("arn:aws:iam::1:role/de:ploy", None),
        ("arn:aws:iam::1:role/de ploy", None),
    ] {
        let expected = expected
            .map(str::to_owned)
            .ok_or(FaultKind::ValidationError);
        assert_eq!(name(arn), expected, "{arn}");
    }
    let long = |length| format!("arn:aws:iam::{}:role/d", "1".repeat(length));
    let rest = long(0).len();
    assert!(name(&long(2_048 - rest)).is_ok());
    assert!(name(&long(2_049 - rest)).is_err());
}

#[test]
fn limits() {
    let session = |name: &str| assume(&format!("&{ROLE}&RoleSessionName={name}")).is_ok();
    for (name, is_good) in [
        ("ab", true),
        ("a", false),
        ("", false),
        (&"x".repeat(64), true),
        (&"x".repeat(65), false),
        ("a b", false),
        ("a+b", false),
        ("a/b", false),
        ("a%C3%A4", false),
        ("a%0Ab", false),
        ("_%2B%3D%2C.%40-", true),
    ] {
        assert_eq!(session(name), is_good, "{name}");
    }
    assert!(assume(&format!("&{ROLE}")).is_err());
    let duration = |text: &str| assume(&format!("&DurationSeconds={text}"));
    for (text, expected) in [
        ("900", Some(Some(900))),
        ("43200", Some(Some(43_200))),
        ("0900", Some(Some(900))),
        ("", Some(None)),
        ("899", None),
        ("43201", None),
        ("-900", None),
        ("+900", None),
        ("%2B900", None),
        ("900.0", None),
        ("1e3", None),
        ("99999999999999999999", None),
    ] {
        let read = duration(text).map(|call| call.duration).ok();
        assert_eq!(read, expected, "{text}");
    }
    let token = |length| {
        let token = "x".repeat(length);
        web(&format!(
            "&{ROLE}&RoleSessionName=it&WebIdentityToken={token}"
        ))
    };
    assert!(token(20_000).is_ok());
    for length in [0, 20_001] {
        let fault = token(length).unwrap_err();
        assert_eq!(fault.kind, FaultKind::ValidationError);
        assert!(!fault.message.contains("xxx"));
    }
    let whole = format!("&{ROLE}&RoleSessionName=it&WebIdentityToken=a");
    assert!(web(&whole).is_ok());
    for part in whole.split('&').skip(1) {
        let without = whole.replace(&format!("&{part}"), "");
        assert_eq!(
            web(&without).unwrap_err().kind,
            FaultKind::ValidationError,
            "{part}"
        );
    }
    assert!(web(&format!("{whole}&ProviderId=www.amazon.com")).is_err());
}

/// What would narrow the keys is never passed over.
#[test]
fn what_narrows() {
    for more in [
        "&Policy=%7B%7D",
        "&PolicyArns.member.1.arn=arn:aws:iam::aws:policy/ReadOnlyAccess",
        "&PolicyArns.member.1=",
        "&PolicyArns",
    ] {
        let fault = assume(more).unwrap_err();
        assert_eq!(fault.kind, FaultKind::MalformedPolicyDocument, "{more}");
    }
}

#[test]
fn the_table_of_faults() {
    for kind in FaultKind::ALL {
        let (code, status) = (kind.code(), kind.status());
        let others = FaultKind::ALL.iter().filter(|other| other.code() == code);
        assert_eq!(others.count(), 1);
        assert_eq!(kind.is_senders(), status < 500, "{code}");
        let fault = Fault::new(kind, "<a & \u{1}b>");
        let side = if kind.is_senders() {
            "Sender"
        } else {
            "Receiver"
        };
        let expected = format!(
            "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>{side}</Type>\
             <Code>{code}</Code><Message>&lt;a &amp; ?b&gt;</Message></Error><RequestId>r-1</RequestId></ErrorResponse>\n"
        );
        assert_eq!(fault.xml("r-1"), expected);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..Default::default() })]

    #[test]
    fn bytes_of_any_kind(query: Vec<u8>, body: Vec<u8>) {
        let _ = Call::read(&query, &body);
    }

    /// Whatever is read is what the limits say.
    #[test]
    fn forms_of_any_kind(body in "Action=AssumeRole(WithWebIdentity)?(&(RoleArn=arn:aws:iam::[0-9]{0,2}:role/[a-z/+%]{0,4}|RoleSessionName=[a-z%2+@]{0,5}|DurationSeconds=[0-9]{1,6}|WebIdentityToken=[a-z.]{0,4}|Policy(Arns)?=?)){0,5}") {
        match read(&body) {
            Ok(Call::AssumeRole(call)) => {
                prop_assert!(!body.contains("Policy=") || body.contains("Policy=&") || body.ends_with("Policy="));
                prop_assert!(!body.contains("PolicyArns"));
                prop_assert!(call.session.is_none_or(|name| (2..=64).contains(&name.len())));
                prop_assert!(call.duration.is_none_or(|seconds| (900..=43_200).contains(&seconds)));
            }
            Ok(Call::AssumeRoleWithWebIdentity(call)) => prop_assert!(!call.token.is_empty()),
            Ok(Call::GetCallerIdentity) => prop_assert!(false),
            Err(fault) => prop_assert!(FaultKind::ALL.contains(&fault.kind)),
        }
    }
}
