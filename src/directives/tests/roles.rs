//! Lines of `s3_sts` and `s3_role`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{path::Path, time::Duration};

use directives::{Reading, RoleLine, RoleMap, role, sts};
use providers::KeySetSource;
use secrets::Outside;
use sts::Trust;

/// Reads a line, split at its spaces.
fn read(line: &str) -> Result<RoleLine, String> {
    let outside = Outside {
        variable: &|_| None,
        folder: Path::new("/folder"),
        wait: Duration::ZERO,
        process: "nginx's master process",
    };
    let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
    role(&words, &mut Reading::new(&outside))
}

const TOKENS: &str =
    "s3_role ci issuer=https://issuer audience=a,b jwks=https://issuer/jwks/ condition=sub:x*";

#[test]
fn the_issuer_that_mints() {
    assert_eq!(sts(&[b"s3_sts"]), Ok(None));
    assert_eq!(sts(&[b"s3_sts", b"ci"]), Ok(Some(b"ci"[..].into())));
    for name in ["", "a-b", "é", &"x".repeat(33)] {
        let message = format!(
            "\"s3_sts {}\" names no issuer: write the name of an \"s3_issuer\", of 1 to 32 letters and digits",
            name.as_bytes().escape_ascii()
        );
        assert_eq!(sts(&[b"s3_sts", name.as_bytes()]), Err(message));
    }
}

#[test]
fn good_lines() {
    let line = read("s3_role r").unwrap();
    assert_eq!((line.role.name(), line.role.lifetime()), ("r", 3_600));
    assert!(matches!(line.role.trust(), Trust::Clients) && line.key_set.is_none());
    let line = read("s3_role a+=,.@_-9 allow=read buckets=x/* lifetime=12h").unwrap();
    assert_eq!(line.role.lifetime(), 43_200);
    assert_eq!(line.role.scope().allow, Some(&b"read"[..]));
    assert_eq!(line.role.scope().buckets, Some(&b"x/*"[..]));

    let line = read(&format!(
        "{TOKENS} condition=a:b account=acme lifetime=1s jwks_ca=ca.pem"
    ))
    .unwrap();
    let Trust::WebIdentity(trust) = line.role.trust() else {
        panic!()
    };
    assert_eq!(trust.issuer(), "https://issuer");
    assert_eq!(trust.account().unwrap().as_str(), "acme");
    let key_set = line.key_set.unwrap();
    assert_eq!(key_set.ca.as_deref(), Some(Path::new("/folder/ca.pem")));
    let KeySetSource::Url(endpoint) = &key_set.source else {
        panic!()
    };
    assert_eq!((&*endpoint.host, &*endpoint.path), ("issuer", "/jwks/"));

    for (jwks, shown) in [
        ("file:keys", "file:/folder/keys"),
        ("file:/a/keys", "file:/a/keys"),
        ("http://127.0.0.1:80/x?a=b", "http://127.0.0.1/x"),
        ("https://issuer", "https://issuer"),
    ] {
        let line = TOKENS.replace("https://issuer/jwks/", jwks);
        let key_set = read(&line).unwrap().key_set.unwrap();
        assert_eq!(key_set.source.to_string(), shown);
    }
}

#[test]
fn bad_lines() {
    let takes = "it takes \"issuer=\", \"audience=\", \"jwks=\", \"jwks_ca=\", \"condition=\", \"account=\", \"allow=\", \
                 \"buckets=\", \"lifetime=\"";
    let without = |param: &str| {
        let words = TOKENS.split(' ').filter(|word| !word.starts_with(param));
        words.collect::<Vec<_>>().join(" ")
    };
    let with = |from: &str, to: &str| TOKENS.replace(from, to);
    let for_tokens = |param: &str| {
        format!(
            "\"s3_role ci\" has \"{param}=\", which is for tokens of an issuer: add \"issuer=URL\", or remove it"
        )
    };
    let no_time = |text: &str| {
        format!(
            "\"s3_role r\": \"lifetime={text}\" is not a time of a second to 12 hours: write one as \"1h\""
        )
    };
    let in_clear = "\"s3_role ci\": the URL of \"jwks\" would be asked in clear, where others could answer with keys of \
                    their own: write \"https://\"; without TLS only this machine is asked";
    for (line, message) in [
        (
            "s3_role".into(),
            "\"s3_role \" has no name of a role: write one of 1 to 64 letters, digits, and characters of \"+=,.@_-\""
                .into(),
        ),
        (
            "s3_role a/b".into(),
            "\"s3_role a/b\" has no name of a role: write one of 1 to 64 letters, digits, and characters of \"+=,.@_-\""
                .into(),
        ),
        ("s3_role r lifetime=0".into(), no_time("0")),
        ("s3_role r lifetime=13h".into(), no_time("13h")),
        ("s3_role r lifetime=x".into(), no_time("x")),
        (
            "s3_role r allow=fly".into(),
            "\"s3_role r\": \"fly\" in \"allow=\" is neither a class nor an operation: write \"read\", \"write\", \
             \"list\", \"delete\", \"all\", or names as \"GetObject\" or \"ListObject*\", separated by commas"
                .into(),
        ),
        (
            "s3_role r account=acme".into(),
            "\"s3_role r\" has \"account=\", and is for clients, whose own it stays: remove it, or add \
             \"issuer=URL\" for tokens of an issuer"
                .into(),
        ),
        (
            "s3_role r x".into(),
            format!("\"s3_role r\": a word is not a parameter: {takes}"),
        ),
        (
            "s3_role r secret=x".into(),
            format!("\"s3_role r\": unknown parameter \"secret\": {takes}"),
        ),
        (without("issuer"), for_tokens("audience")),
        (
            "s3_role ci condition=sub:*".into(),
            for_tokens("condition"),
        ),
        ("s3_role ci jwks_ca=x".into(), for_tokens("jwks_ca")),
        (
            without("audience"),
            "\"s3_role ci\" lacks \"audience=\": add \"audience=NAME\", as tokens have it in \"aud\"".into(),
        ),
        (
            without("jwks"),
            "\"s3_role ci\" lacks \"jwks=\": add \"jwks=https://HOST/PATH\" or \"jwks=file:PATH\"".into(),
        ),
        (
            without("condition"),
            "\"s3_role ci\" lacks \"condition=\": add \"condition=sub:PATTERN\", or \"condition=sub:*\" for all tokens \
             of the issuer"
                .into(),
        ),
        (
            with("https://issuer ", " "),
            "\"s3_role ci\": \"issuer=\" is none: write what tokens have as \"iss\", as \"issuer=https://HOST/PATH\""
                .into(),
        ),
        (
            with("a,b", "a,,b"),
            "\"s3_role ci\": \"audience=\" has an empty name, or a character that none has: write what tokens have as \
             \"aud\", separated by commas"
                .into(),
        ),
        (with("https://issuer/jwks/", "http://issuer/"), in_clear.into()),
        (
            with("https://issuer/jwks/", "issuer/jwks"),
            "\"s3_role ci\": the URL of \"jwks\" does not begin with \"http://\" or \"https://\": write a URL, or \
             \"file:PATH\""
                .into(),
        ),
        (
            with("https://issuer/jwks/", "file:"),
            "\"s3_role ci\": \"jwks=file:\" takes the path of a file: write \"/PATH\"".into(),
        ),
        (
            with("https://issuer/jwks/", "file:x jwks_ca=y"),
            "\"s3_role ci\": \"jwks_ca=\" is for \"jwks=https://...\": remove it".into(),
        ),
        (
            with("sub:x*", "sub"),
            "\"s3_role ci\": \"condition=sub\" has no colon: write \"CLAIM:PATTERN\", as \"condition=sub:repo/*\"".into(),
        ),
        (
            with("sub:x*", "sub:"),
            "\"s3_role ci\": \"condition=sub:\" has nothing after its colon: write \"CLAIM:PATTERN\", with \"*\" for \
             any run of characters"
                .into(),
        ),
        (
            with("sub:x*", "/a~2:b"),
            "\"s3_role ci\": \"condition=/a~2:b\" has a \"~\" in its JSON pointer without \"0\" or \"1\" after it: \
             write \"~0\" for \"~\""
                .into(),
        ),
        (
            with("sub:x*", "a%3:b"),
            "\"s3_role ci\": \"condition=a%3:b\" names no claim: write its name, with \"%3A\" for a colon and \"%25\" \
             for \"%\", or a JSON pointer as \"/a/b\""
                .into(),
        ),
        (
            format!("{TOKENS} account=a/b"),
            "\"s3_role ci\": \"account=a/b\" is not a name: write 1 to 64 letters, digits, dashes, dots and \
             underscores"
                .into(),
        ),
        (
            format!("{TOKENS} issuer=x"),
            "\"s3_role ci\": \"issuer=\" is duplicate: keep one".into(),
        ),
    ] {
        assert_eq!(read(&line).err(), Some(message), "{line}");
    }
}

#[test]
fn one_of_a_name_at_a_level() {
    let mut roles = RoleMap::default();
    let insert = |roles: &mut RoleMap<usize>, line: &str, at: Option<usize>| {
        roles.insert(read(line).unwrap().role, at)
    };
    assert_eq!(insert(&mut roles, "s3_role r", None), Ok(()));
    assert_eq!(insert(&mut roles, TOKENS, Some(3)), Ok(()));
    assert_eq!(
        insert(&mut roles, "s3_role r allow=read", Some(4)),
        Err("\"s3_role r\" is duplicate: keep one line for each name at each level".into())
    );
    assert_eq!((roles.key_set("r"), roles.key_set("ci")), (None, Some(&3)));
    assert!(roles.roles().named("ci").is_some() && roles.roles().named("x").is_none());
}
