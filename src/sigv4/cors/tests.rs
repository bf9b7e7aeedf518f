//! What rules permit, and what they answer.
#![allow(clippy::unwrap_used)]
use super::*;

const LISTS: CorsLists<'static> = CorsLists {
    origins: b"*",
    methods: None,
    headers: None,
    expose: None,
    max_age: None,
    credentials: false,
};

fn origins(origins: &str) -> CorsLists<'_> {
    CorsLists {
        origins: origins.as_bytes(),
        ..LISTS
    }
}

fn rules(lists: &[CorsLists<'_>]) -> CorsRules {
    let mut rules = CorsRules::default();
    for lists in lists {
        rules.push(CorsRule::parse(lists).unwrap());
    }
    rules
}

/// The headers as text, a line each.
fn text(headers: Vec<CorsHeader>) -> String {
    let lines = headers.into_iter().map(|(name, value)| {
        let value = String::from_utf8(value).unwrap();
        format!("{}: {value}\n", name.to_str().unwrap())
    });
    lines.collect()
}

fn preflight(
    rules: &CorsRules,
    origin: &str,
    method: &str,
    headers: Option<&str>,
) -> Option<String> {
    let asked = Preflight {
        origin: origin.as_bytes(),
        method: method.as_bytes(),
        headers: headers.map(str::as_bytes),
    };
    rules.preflight_headers(&asked).map(text)
}

fn answer(rules: &CorsRules, method: &str, origin: Option<&str>) -> String {
    text(rules.answer_headers(method.as_bytes(), origin.map(str::as_bytes)))
}

fn permits(pattern: &str, origin: &str) -> bool {
    preflight(&rules(&[origins(pattern)]), origin, "GET", None).is_some()
}

#[test]
fn a_page_of_any_origin() {
    let rules = rules(&[LISTS]);
    assert_eq!(
        preflight(
            &rules,
            "https://a.example",
            "PUT",
            Some("Content-Type,x-amz-meta-a")
        )
        .unwrap(),
        "Access-Control-Allow-Origin: *\n\
         Access-Control-Allow-Methods: GET, HEAD, PUT, POST, DELETE\n\
         Access-Control-Allow-Headers: Content-Type, x-amz-meta-a\n\
         Vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers\n"
    );
    for origin in [None, Some("https://a.example"), Some("null")] {
        assert_eq!(
            answer(&rules, "GET", origin),
            "Access-Control-Allow-Origin: *\nAccess-Control-Expose-Headers: *\n"
        );
    }
    assert!(!rules.varies());
}

#[test]
fn a_page_of_one_origin_with_credentials() {
    let rules = rules(&[CorsLists {
        methods: Some(b"GET,PUT"),
        headers: Some(b"content-type,x-amz-*"),
        expose: Some(b"ETag,x-amz-request-id"),
        max_age: Some(3000),
        credentials: true,
        ..origins("https://app.example")
    }]);
    let app = "https://app.example";
    assert_eq!(
        preflight(&rules, app, "PUT", Some("X-AMZ-Date, Content-Type")).unwrap(),
        "Access-Control-Allow-Origin: https://app.example\n\
         Access-Control-Allow-Credentials: true\n\
         Access-Control-Allow-Methods: GET, PUT\n\
         Access-Control-Allow-Headers: X-AMZ-Date, Content-Type\n\
         Access-Control-Max-Age: 3000\n\
         Vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers\n"
    );
    assert_eq!(preflight(&rules, app, "DELETE", None), None);
    assert_eq!(preflight(&rules, app, "put", None), None);
    assert_eq!(preflight(&rules, app, "OPTIONS", None), None);
    assert_eq!(
        preflight(&rules, app, "PUT", Some("content-type,authorization")),
        None
    );
    assert_eq!(preflight(&rules, app, "PUT", Some("x-amz-a b")), None);
    assert_eq!(
        preflight(&rules, "https://other.example", "PUT", None),
        None
    );
    assert!(
        preflight(&rules, app, "GET", Some("")).is_some_and(|text| !text.contains("-Headers: "))
    );
    assert_eq!(
        answer(&rules, "GET", Some(app)),
        "Access-Control-Allow-Origin: https://app.example\n\
         Access-Control-Allow-Credentials: true\n\
         Access-Control-Expose-Headers: ETag, x-amz-request-id\n"
    );
    for (method, origin) in [
        ("GET", None),
        ("GET", Some("https://other.example")),
        ("DELETE", Some(app)),
        ("OPTIONS", Some(app)),
    ] {
        assert_eq!(answer(&rules, method, origin), "", "{method} {origin:?}");
    }
    assert!(rules.varies());
}

#[test]
fn the_first_rule_counts_that_permits_a_request() {
    let get = CorsLists {
        methods: Some(b"GET"),
        ..LISTS
    };
    let rules = rules(&[get, origins("https://a.example,https://b.example")]);
    assert!(answer(&rules, "GET", Some("https://a.example")).contains("Origin: *\n"));
    assert!(
        answer(&rules, "PUT", Some("https://b.example")).contains("Origin: https://b.example\n")
    );
    assert_eq!(answer(&rules, "PUT", Some("https://c.example")), "");
    assert!(preflight(&rules, "https://c.example", "GET", None).is_some());
    assert!(preflight(&rules, "https://c.example", "PUT", None).is_none());
    assert!(rules.varies());
    assert!(CorsRules::default().is_empty() && !rules.is_empty());
    // All is in one of them: the others say nothing more.
    assert!(!super::tests::rules(&[origins("https://a.example,*")]).varies());
}

#[test]
fn patterns_of_origins() {
    for (pattern, origin, expected) in [
        ("https://app.example", "https://app.example", true),
        ("HTTPS://App.Example", "https://app.example", true),
        ("https://app.example", "http://app.example", false),
        ("https://app.example", "https://app.example:8443", false),
        ("https://app.example", "https://app.example.evil", false),
        ("https://app.example", "https://app.example/", false),
        (
            "https://app.example",
            "https://app.example https://b",
            false,
        ),
        ("https://*.app.example", "https://a.b.app.example", true),
        ("https://*.app.example", "https://app.example", false),
        ("https://*.app.example", "https://evil/.app.example", false),
        ("https://*.app.example", "https://evil@x.app.example", false),
        ("https://*.app.example", "https://evil?.app.example", false),
        ("https://*.app.example", "https://evil#.app.example", false),
        ("https://*.app.example", "https://evil\\.app.example", false),
        (
            "https://*.app.example",
            "https://evil:1:.app.example",
            false,
        ),
        ("https://*.app.example", "https://*.app.example", false),
        (
            "https://*.app.example",
            "https://.app.examplehttps://.app.example",
            false,
        ),
        ("http://localhost:*", "http://localhost:3000", true),
        ("http://localhost:*", "http://localhost", false),
        (
            "http://localhost:*",
            "http://localhost:3000.evil.example",
            false,
        ),
        ("*://localhost", "http://localhost", true),
        ("*://localhost", "://localhost", false),
        ("http://[::1]:3000", "http://[::1]:3000", true),
        ("chrome-extension://abc", "chrome-extension://abc", true),
        ("null", "null", true),
        ("null", "NULL", false),
        ("https://app.example", "null", false),
        ("https://a*a.example", "https://a.example", false),
        ("*", "anything at all", true),
    ] {
        assert_eq!(permits(pattern, origin), expected, "{pattern} {origin}");
    }
}

#[test]
fn what_is_no_rule() {
    for origin in [
        "",
        "app.example",
        "https://",
        "https://app.example/",
        "https://app.example/path",
        "https:/app.example",
        "https://app.example:443",
        "HTTP://app.example:80",
        "https://app.example:",
        "https://app.example:x",
        "https://app.example:123456",
        "https://*.*.example",
        "https://b\u{fc}cher.example",
        "https://[]",
        "https://a b",
        "https://u@app.example",
        "://a",
        "1a://b",
        "**",
        "NULL",
        "https://[::1",
        "https://a:1:2",
    ] {
        let lists = origins(origin);
        let fault = CorsRule::parse(&lists).unwrap_err();
        assert_eq!(fault, CorsFault::Origin(origin.as_bytes()), "{origin}");
    }
    let lists = origins("https://a.example,,*");
    assert_eq!(CorsRule::parse(&lists).unwrap_err(), CorsFault::Origin(b""));
    let fault = |change: fn(&mut CorsLists<'static>)| {
        let mut lists = LISTS;
        change(&mut lists);
        CorsRule::parse(&lists).unwrap_err()
    };
    for method in [
        &b"get"[..],
        b"",
        b"OPTIONS",
        b"PATCH",
        b"GET, PUT",
        b"GET,*",
    ] {
        let lists = CorsLists {
            methods: Some(method),
            ..LISTS
        };
        assert!(matches!(CorsRule::parse(&lists), Err(CorsFault::Method(_))));
    }
    assert_eq!(
        fault(|l| l.headers = Some(b"a,x-*-*")),
        CorsFault::Header(b"x-*-*")
    );
    assert_eq!(fault(|l| l.headers = Some(b"")), CorsFault::Header(b""));
    assert_eq!(
        fault(|l| l.headers = Some(b"a b")),
        CorsFault::Header(b"a b")
    );
    assert_eq!(
        fault(|l| l.expose = Some(b"ETag,a:b")),
        CorsFault::Expose(b"a:b")
    );
}

#[test]
fn credentials_are_for_pages_of_known_owners() {
    let with = |origins: &'static str| {
        CorsRule::parse(&CorsLists {
            credentials: true,
            ..self::origins(origins)
        })
    };
    for origin in [
        "*",
        "null",
        "https://*",
        "https://app*",
        "https://app.example*",
        "https://*example.com",
        "https://*.com",
    ] {
        let fault = with(origin).unwrap_err();
        assert_eq!(fault, CorsFault::CredentialsForAll(origin.as_bytes()));
    }
    for origin in [
        "https://app.example",
        "https://*.app.example",
        "http://localhost:*",
        "*://app.example",
    ] {
        assert!(with(origin).is_ok(), "{origin}");
    }
    let all = CorsLists {
        credentials: true,
        expose: Some(b"*"),
        ..origins("https://app.example")
    };
    assert_eq!(
        CorsRule::parse(&all).unwrap_err(),
        CorsFault::CredentialsExposeAll
    );
    let rule = rules(&[CorsLists {
        expose: None,
        ..all
    }]);
    assert!(answer(&rule, "GET", Some("https://app.example")).contains(", ETag,"));
}

#[test]
fn headers_that_vary_by_origin() {
    for (vary, expected) in [
        ("Origin", true),
        ("accept-encoding , ORIGIN", true),
        ("*", true),
        ("Accept-Encoding", false),
        ("X-Origin", false),
        ("", false),
    ] {
        assert_eq!(varies_by_origin(vary.as_bytes()), expected, "{vary}");
    }
}
