//! Good lines, and bad ones with their messages.
//!
//! A long file, since each one here is linked to a program of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    ffi::{OsStr, OsString},
    path::Path,
    time::Duration,
};

use directives::{
    AT_EACH_LEVEL, ClientMap, CorsLine, ErrorStyle, HealthCheckLine, HealthzLine, IN_A_LOCATION,
    IN_EACH_UPSTREAM, IssuerMap, ONE_ORIGIN, OriginLine, OriginLines, Reading, RegionRule,
    ServerLine, SseCLine, SseCLines, anonymous, bucket_map, bucket_map_of,
    check_bucket_map_servers, client, client_file, cors, domains, duplicate, errors, health_check,
    healthz, host, issuer, location_origin, max_age, max_skew, prefix, region, reserved, revoke,
    set_once, signed_header, sse_c, upstream_origin,
};
use health::{Expected, Thresholds};
use secrets::Outside;
use sigv4::{
    Account, Addressing, Anonymous, BucketName, BucketNames, Dialect, Domain, Framing, Region,
    Revocations, Timestamp,
};

fn variable(name: &OsStr) -> Option<OsString> {
    match name.to_str()? {
        "KEY" => Some("AKID".into()),
        "SECRET" => Some("a secret".into()),
        "SPACE" => Some(" secret".into()),
        "COMMA" => Some("AKID,x".into()),
        "LINES" => Some("a\nb".into()),
        _ => None,
    }
}

type Reader<T> = fn(&[&[u8]], &mut Reading<'_>) -> Result<T, String>;

/// Reads a line, split at its spaces; `~` is a space in a word. With what is doubtful.
fn read<T>(reader: Reader<T>, line: &str) -> (Result<T, String>, Vec<String>) {
    let outside = Outside {
        variable: &variable,
        folder: Path::new("/nonexistent"),
        wait: Duration::ZERO,
        process: "nginx's master process",
    };
    let words = words(line);
    let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
    let mut reading = Reading::new(&outside);
    let result = reader(&words, &mut reading);
    (result, reading.doubts().to_vec())
}

fn words(line: &str) -> Vec<Vec<u8>> {
    line.split(' ')
        .map(|word| word.replace('~', " ").into_bytes())
        .collect()
}

/// As `read`, of a reader that needs nothing but the words.
fn read_words<T>(reader: fn(&[&[u8]]) -> Result<T, String>, line: &str) -> Result<T, String> {
    let words = words(line);
    let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
    reader(&words)
}

fn good<T>(reader: Reader<T>, line: &str) -> T {
    let (result, doubts) = read(reader, line);
    assert_eq!(doubts, [""; 0], "{line}");
    result.unwrap_or_else(|why| panic!("{line}: {why}"))
}

/// Each line fails with its message.
fn bad<T>(reader: Reader<T>, rows: &[(&str, &str)]) {
    for (line, message) in rows {
        let (result, _) = read(reader, line);
        assert_eq!(result.err().as_deref(), Some(*message), "{line}");
    }
}

fn bad_words<T>(reader: fn(&[&[u8]]) -> Result<T, String>, rows: &[(&str, &str)]) {
    for (line, message) in rows {
        let result = read_words(reader, line);
        assert_eq!(result.err().as_deref(), Some(*message), "{line}");
    }
}

const NO_HOST: &str = "is not a host: write NAME or NAME:PORT, without scheme and path";
const NO_REGION: &str = "is not a region: write a name of at most 64 letters, digits, dashes, dots \
                         and underscores";

const NO_ACCOUNT: &str =
    "is not a name: write 1 to 64 letters, digits, dashes, dots and underscores";

#[test]
fn requests_without_a_signature() {
    for line in ["s3_anonymous off", "s3_anonymous OFF"] {
        let read = read_words(anonymous, line);
        assert!(matches!(read, Ok(Anonymous::Rejected)), "{line}");
    }
    for line in ["s3_anonymous on", "s3_anonymous On"] {
        let read = read_words(anonymous, line);
        assert!(matches!(read, Ok(Anonymous::PassedOn)), "{line}");
    }
    for (line, shown) in [
        ("s3_anonymous sign", [true, true]),
        ("s3_anonymous Sign allow=GetObject", [true, true]),
        ("s3_anonymous sign buckets=a allow=all", [true, false]),
        ("s3_anonymous sign buckets=a/k*,b", [true, true]),
        ("s3_anonymous sign account=acme buckets=a", [true, false]),
    ] {
        let Ok(Anonymous::Signed { grant, account }) = read_words(anonymous, line) else {
            panic!("{line}");
        };
        let named = line.contains("account=acme").then_some("acme");
        assert_eq!(account.as_ref().map(Account::as_str), named, "{line}");
        let shows = ["a", "b"].map(|name| grant.shows_bucket(name.as_bytes()));
        assert_eq!(shows, shown, "{line}");
    }
    let named = "\"s3_anonymous sign\"";
    bad_words(
        anonymous,
        &[
            (
                "s3_anonymous yes",
                "\"s3_anonymous yes\" is none of \"on\", \"off\" and \"sign\": write one of them",
            ),
            (
                "s3_anonymous on allow=read",
                "\"s3_anonymous on\" takes no parameters: write \"s3_anonymous sign\" with them, or remove them",
            ),
            (
                "s3_anonymous off buckets=a",
                "\"s3_anonymous off\" takes no parameters: write \"s3_anonymous sign\" with them, or remove them",
            ),
            (
                "s3_anonymous sign bucket=a",
                &format!(
                    "{named}: unknown parameter \"bucket\": it takes \"allow=\", \"buckets=\", \"account=\""
                ),
            ),
            (
                "s3_anonymous sign read",
                &format!(
                    "{named}: a word is not a parameter: it takes \"allow=\", \"buckets=\", \"account=\""
                ),
            ),
            (
                "s3_anonymous sign allow=read allow=list",
                &format!("{named}: \"allow=\" is duplicate: keep one"),
            ),
            (
                "s3_anonymous sign buckets=/a",
                &format!(
                    "{named}: \"/a\" in \"buckets=\" is not a pattern: write \"BUCKET\" or \"BUCKET/PREFIX*\" \
                     with \"*\" for any run of characters, separated by commas"
                ),
            ),
            (
                "s3_anonymous sign allow=raed",
                &format!(
                    "{named}: \"raed\" in \"allow=\" is neither a class nor an operation: write \"read\", \
                     \"write\", \"list\", \"delete\", \"all\", or names as \"GetObject\" or \"ListObject*\", \
                     separated by commas"
                ),
            ),
            (
                "s3_anonymous sign allow=read,CreateSession",
                &format!(
                    "{named}: \"CreateSession\" in \"allow=\" would give the origin's credentials to whoever \
                     asks: remove it"
                ),
            ),
        ],
    );
}

#[test]
fn clients() {
    for (line, access_key) in [
        ("s3_client AKID secret_key=x", "AKID"),
        ("s3_client AKID/x+y= secret_key=x", "AKID/x+y="),
        ("s3_client env:KEY secret_key=env:SECRET", "AKID"),
        ("s3_client A allow=read buckets=a,b/c* secret_key=x", "A"),
        ("s3_client A secret_key=a=b session_token=t", "A"),
    ] {
        let client = good(client, line);
        assert_eq!(client.credential.access_key(), access_key.as_bytes());
    }
    let (client, doubts) = read(client, "s3_client AKID secret_key=env:SPACE");
    assert!(client.is_ok());
    assert_eq!(
        doubts,
        [
            "\"s3_client AKID\" \"secret_key=\": the value of \"env:SPACE\" begins or ends with a space: \
          remove it, unless it belongs to the key"
        ]
    );
}

#[test]
fn ends_of_clients() {
    for (text, seconds) in [
        ("1970-01-01T00:00:00Z", 0),
        ("2026-12-31T23:59:59Z", 1_798_761_599),
        ("2026-12-31T23:59:59+00:00", 1_798_761_599),
        ("2026-12-31T23:59:59.5Z", 1_798_761_599),
        ("2028-02-29T12:00:00Z", 1_835_438_400),
    ] {
        let read = good(client, &format!("s3_client K secret_key=x expires={text}"));
        assert_eq!(read.expires, Some(Timestamp(seconds)), "{text}");
    }
    assert_eq!(good(client, "s3_client K secret_key=x").expires, None);
    for text in [
        "",
        "2026-12-31",
        "2026-12-31T23:59:59",
        "2026-12-31t23:59:59z",
        "2026-12-31 23:59:59Z",
        "2026-12-31T23:59:59+01:00",
        "2026-12-31T23:59:59ZZ",
        "2027-02-29T12:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-12-31T24:00:00Z",
        "+026-12-31T23:59:59Z",
        "20261231T235959Z",
        "1798761599",
    ] {
        let line = format!("s3_client K secret_key=x expires={text}");
        let why = "\"s3_client K\": \"expires=\" is no time: write it in UTC, as \"expires=2026-12-31T23:59:59Z\"";
        bad(client, &[(&line, why)]);
    }
}

#[test]
fn files_of_clients() {
    for (line, path) in [
        ("s3_client_file /etc/keys", "/etc/keys"),
        ("s3_client_file keys", "/nonexistent/keys"),
        ("s3_client_file ../a:b", "/nonexistent/../a:b"),
    ] {
        assert_eq!(good(client_file, line), std::path::Path::new(path));
    }
    let why = "\"s3_client_file\" takes the path of a file: write \"/PATH\"";
    bad(
        client_file,
        &[
            ("s3_client_file file:/etc/keys", why),
            ("s3_client_file env:KEYS", why),
        ],
    );
}

#[test]
fn bad_clients() {
    bad(
        client,
        &[
            (
                "s3_client",
                "\"s3_client\" access key is empty: give it a value, \"env:NAME\" or \"file:PATH\"",
            ),
            (
                "s3_client $KEY secret_key=x",
                "\"s3_client\" access key begins with \"$\", but variables are not expanded here: \
                 write \"env:NAME\", or \"file:PATH\" for a value that begins so",
            ),
            (
                "s3_client env:COMMA secret_key=x",
                "\"s3_client\" access key has a character that no access key has: use ASCII without \
                 spaces and commas",
            ),
            (
                "s3_client K",
                "\"s3_client K\" lacks \"secret_key=\": add \"secret_key=VALUE\", \
                 \"secret_key=env:NAME\" or \"secret_key=file:PATH\"",
            ),
            (
                "s3_client K secret_key=a secret_key=b",
                "\"s3_client K\": \"secret_key=\" is duplicate: keep one",
            ),
            (
                "s3_client K secret_key=a allow=read allow=read",
                "\"s3_client K\": \"allow=\" is duplicate: keep one",
            ),
            (
                "s3_client K secret_key=",
                "\"s3_client K\" \"secret_key=\" is empty: give it a value, \"env:NAME\" or \
                 \"file:PATH\"",
            ),
            (
                "s3_client K secret_key=env:UNSET",
                "\"s3_client K\" \"secret_key=\": the environment variable \"UNSET\" is not set: set \
                 \"UNSET\" for nginx's master process, or write \"file:PATH\"",
            ),
            (
                "s3_client K secret_key=env:LINES",
                "\"s3_client K\" \"secret_key=\": the value of \"env:LINES\" has a line break or \
                 another control character: remove it",
            ),
            (
                "s3_client K secret_key=file:s",
                "\"s3_client K\" \"secret_key=\": cannot read \"/nonexistent/s\": No such file or \
                 directory (os error 2): make it readable for nginx's master process",
            ),
            (
                "s3_client K secret_key=x colour=red",
                "\"s3_client K\": unknown parameter \"colour\": it takes \"secret_key=\", \"session_token=\", \
                 \"allow=\", \"buckets=\", \"expires=\", \"account=\"",
            ),
            // What may be a secret in the wrong place.
            (
                "s3_client K thesecret",
                "\"s3_client K\": a word is not a parameter: it takes \"secret_key=\", \"session_token=\", \
                 \"allow=\", \"buckets=\", \"expires=\", \"account=\"",
            ),
            (
                "s3_client K c2VjcmV0a2V5c2VjcmV0==",
                "\"s3_client K\": a word is not a parameter: it takes \"secret_key=\", \"session_token=\", \
                 \"allow=\", \"buckets=\", \"expires=\", \"account=\"",
            ),
            (
                "s3_client K =x",
                "\"s3_client K\": a word is not a parameter: it takes \"secret_key=\", \"session_token=\", \
                 \"allow=\", \"buckets=\", \"expires=\", \"account=\"",
            ),
            (
                "s3_client K secret_key=x allow=read,wirte",
                "\"s3_client K\": \"wirte\" in \"allow=\" is neither a class nor an operation: write \
                 \"read\", \"write\", \"list\", \"delete\", \"all\", or names as \"GetObject\" or \
                 \"ListObject*\", separated by commas",
            ),
            (
                "s3_client K secret_key=x buckets=a,,b",
                "\"s3_client K\": \"\" in \"buckets=\" is not a pattern: write \"BUCKET\" or \
                 \"BUCKET/PREFIX*\" with \"*\" for any run of characters, separated by commas",
            ),
        ],
    );
}

const ISSUER_SECRET: &str = "k3GmQ0Zr1vYt7sXw2LpNfHc9BdJu5TaE";

#[test]
fn issuers() {
    let of = |rest: &str| format!("s3_issuer ci secret={ISSUER_SECRET}{rest}");
    for rest in [
        "",
        " max_lifetime=15m",
        " max_lifetime=7d allow=read buckets=a,b/c*",
    ] {
        assert_eq!(good(issuer, &of(rest)).name(), b"ci", "{rest}");
    }
    let (result, doubts) = read(issuer, &of(" max_lifetime=8d"));
    assert!(result.is_ok());
    let long = "\"s3_issuer ci\": \"max_lifetime=\" lets whoever finds a key use it for that long: write at most \"7d\"";
    assert_eq!(doubts, [long]);
    let takes = "it takes \"secret=\", \"max_lifetime=\", \"allow=\", \"buckets=\", \"account=\"";
    let no_name = "\"s3_issuer\" begins with no name of an issuer: write one of 1 to 32 letters and digits, as access \
                   keys have";
    let weak = "\"s3_issuer ci\" \"secret=\" could be guessed, since it has less than 32 bytes, or few different ones: \
                make one with \"openssl rand -base64 32\"";
    let no_time = "is not a time: write one of at least a second, as \"12h\"";
    bad(
        issuer,
        &[
            ("s3_issuer", no_name),
            (&of("").replace("ci", "c-i"), no_name),
            (&format!("s3_issuer secret={ISSUER_SECRET} ci"), no_name),
            (
                "s3_issuer ci allow=read",
                "\"s3_issuer ci\" lacks \"secret=\": add \"secret=VALUE\", \"secret=env:NAME\" or \"secret=file:PATH\"",
            ),
            ("s3_issuer ci secret=x", weak),
            ("s3_issuer ci secret=env:SECRET", weak),
            (&of("").replace(ISSUER_SECRET, &"ab".repeat(20)), weak),
            (
                &of(" max_lifetime=0"),
                &format!("\"s3_issuer ci\": \"max_lifetime=0\" {no_time}"),
            ),
            (
                &of(" max_lifetime=12x"),
                &format!("\"s3_issuer ci\": \"max_lifetime=12x\" {no_time}"),
            ),
            (
                &of(" lifetime=12h"),
                &format!("\"s3_issuer ci\": unknown parameter \"lifetime\": {takes}"),
            ),
            (
                &format!("s3_issuer ci {ISSUER_SECRET}"),
                &format!("\"s3_issuer ci\": a word is not a parameter: {takes}"),
            ),
            (
                &of(" allow=raed"),
                "\"s3_issuer ci\": \"raed\" in \"allow=\" is neither a class nor an operation: write \"read\", \"write\", \
                 \"list\", \"delete\", \"all\", or names as \"GetObject\" or \"ListObject*\", separated by commas",
            ),
        ],
    );
    let mut map = IssuerMap::default();
    let mut insert = |line: &str| map.insert(good(issuer, line));
    assert_eq!(insert(&of("")), Ok(()));
    assert_eq!(
        insert(&of(" allow=read")),
        Err("\"s3_issuer ci\" is duplicate: keep one line for each secret of an issuer".into())
    );
    assert_eq!(insert(&of("2")), Ok(()));
    let two = "keep two lines for an issuer, with its old secret and its new one";
    assert_eq!(
        insert(&of("3")),
        Err(format!("\"s3_issuer ci\" is duplicate: {two}"))
    );
    assert_eq!(insert(&of("").replace("ci", "Ci")), Ok(()));
    assert_eq!(
        (
            map.named(b"ci").len(),
            map.named(b"Ci").len(),
            map.named(b"c").len()
        ),
        (2, 1, 0)
    );
}

#[test]
fn revoked_keys() {
    fn read(line: &str) -> Result<Revocations, String> {
        let mut revoked = Revocations::default();
        let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        revoke(&words, &mut revoked).map(|()| revoked)
    }

    for line in [
        "s3_revoke ci ABCDEFGHIJKLMNOP",
        "s3_revoke ci S3M1ciBUVOQ5VABCDEFGHIJKLMNOP before=2026-01-02T03:04:05Z 2222222222222222",
        "s3_revoke ci before=2026-01-02T03:04:05Z",
    ] {
        let revoked = read(line).unwrap();
        assert_eq!(revoked.issuers().collect::<Vec<_>>(), [b"ci"], "{line}");
    }
    let what = "write the last 16 characters of an access key, the whole of it, or \"before=2026-01-02T03:04:05Z\"";
    let no_time = "is not a time: write one as \"2026-01-02T03:04:05Z\"";
    for (line, message) in [
        (
            "s3_revoke ABCD-EFGH ABCDEFGHIJKLMNOP",
            "\"s3_revoke\" begins with no name of an issuer: write one of 1 to 32 letters and digits, as access keys have".into(),
        ),
        (
            "s3_revoke ci ABCDEFGHIJKLMNOP ABCDEFGHIJKLMNO",
            format!("\"s3_revoke ci\": word 3 after \"s3_revoke\" is no id of a key: {what}"),
        ),
        (
            "s3_revoke ci abcdefghijklmnop",
            format!("\"s3_revoke ci\": word 2 after \"s3_revoke\" is no id of a key: {what}"),
        ),
        (
            "s3_revoke ci before=2026-01-02",
            format!("\"s3_revoke ci\": \"before=2026-01-02\" {no_time}"),
        ),
        (
            "s3_revoke ci S3M1deployBUVOQ5VABCDEFGHIJKLMNOP",
            "\"s3_revoke ci\": \"S3M1deployBUVOQ5VABCDEFGHIJKLMNOP\" is an access key of \"deploy\": write \"s3_revoke \
             deploy S3M1deployBUVOQ5VABCDEFGHIJKLMNOP;\"".into(),
        ),
    ] {
        assert_eq!(read(line).err(), Some(message), "{line}");
    }
}

#[test]
fn clients_by_access_key() {
    let mut map = ClientMap::default();
    let read = |line| good(client, line);
    assert_eq!(map.insert(read("s3_client K secret_key=a")), Ok(()));
    assert_eq!(
        map.insert(read("s3_client k secret_key=b allow=read")),
        Ok(())
    );
    assert_eq!(
        map.insert(read("s3_client K secret_key=a allow=read")),
        Err("\"s3_client K\" is duplicate: keep one line for each secret of an access key".into())
    );
    assert_eq!(map.insert(read("s3_client K secret_key=b")), Ok(()));
    let two = "keep two lines for an access key, with its old secret and its new one";
    assert_eq!(
        map.insert(read("s3_client K secret_key=c")),
        Err(format!("\"s3_client K\" is duplicate: {two}"))
    );
    let of_k = map.find(b"K");
    assert!(
        of_k.iter()
            .all(|client| client.credential.access_key() == b"K")
    );
    assert_eq!(
        (of_k.len(), map.find(b"k").len(), map.find(b"").len()),
        (2, 1, 0)
    );
}

#[test]
fn origins() {
    let line = good(
        upstream_origin,
        "s3_origin s3.example.com:443 access_key=AKID secret_key=x",
    );
    assert_eq!(line.server.as_deref(), Some(&b"s3.example.com:443"[..]));
    assert_eq!(line.credential.access_key(), b"AKID");
    assert!(line.session_token.is_none() && line.region.is_none() && line.host.is_none());
    assert_eq!((line.addressing, line.framing), (None, None));
    assert!(line.dialect.is_none() && line.account.is_none());

    let all = "access_key=env:KEY secret_key=env:SECRET session_token=t region=eu_1.a host=[::1]:9000 \
               addressing=virtual framing=decode dialect=oss account=acme-1.eu_x";
    let check = |line: OriginLine| {
        assert_eq!(line.server, None);
        assert_eq!(line.credential.access_key(), b"AKID");
        assert!(line.session_token.is_some());
        assert_eq!(line.region, Region::parse(b"eu_1.a"));
        assert_eq!(line.host.as_deref(), Some(&b"[::1]:9000"[..]));
        assert_eq!(line.addressing, Some(Addressing::Virtual));
        assert_eq!(line.framing, Some(Framing::Decode));
        assert_eq!(line.dialect, Dialect::named(b"oss"));
        assert_eq!(line.account, Account::parse(b"acme-1.eu_x"));
    };
    check(good(upstream_origin, &format!("s3_origin default {all}")));
    check(good(location_origin, &format!("s3_origin default {all}")));
    check(good(location_origin, &format!("s3_origin {all}")));

    let line = good(
        location_origin,
        "s3_origin addressing=path framing=keep access_key=a secret_key=b",
    );
    assert_eq!(line.addressing, Some(Addressing::Path));
    assert_eq!(line.framing, Some(Framing::Keep));

    // What is said of the framing counts more than the dialect.
    for (words, framing) in [
        ("dialect=swift", Framing::Decode),
        ("dialect=oss", Framing::DecodeTrailers),
        ("dialect=swift framing=keep", Framing::Keep),
        ("framing=decode dialect=oss", Framing::Decode),
    ] {
        let line = format!("s3_origin access_key=a secret_key=b {words}");
        let mut lines = OriginLines::default();
        lines.push_only(good(location_origin, &line)).unwrap();
        let found = lines.of_server(b"a:1", None).unwrap();
        assert_eq!(found.framing(), framing, "{words}");
    }

    let line = "s3_origin default access_key=a secret_key='b'";
    for reader in [upstream_origin, location_origin] as [Reader<OriginLine>; 2] {
        let (_, doubts) = read(reader, line);
        assert_eq!(doubts.len(), 1);
        assert!(
            doubts[0].contains("\"secret_key=\": the value is in quotes"),
            "{}",
            doubts[0]
        );
    }
}

#[test]
fn bad_origins() {
    let takes = "it takes \"access_key=\", \"secret_key=\", \"session_token=\", \"region=\", \"host=\", \
                 \"addressing=\", \"framing=\", \"dialect=\", \"account=\", \"credentials=\", \"assume_role=\", \
                 \"external_id=\", \"endpoint=\", \"sts_endpoint=\", \"sts_region=\", \"credentials_ca=\"";
    let long = "x".repeat(65);
    let rows: Vec<(String, String)> = [
        ("weight=3", format!(": unknown parameter \"weight\": {takes}")),
        ("s3.example.com", format!(": a word is not a parameter: {takes}")),
        ("host=a host=b", ": \"host=\" is duplicate: keep one".into()),
        (
            "session_token=a~b",
            " \"session_token=\" has a character that no session token has: use ASCII without spaces"
                .into(),
        ),
        ("region=us/east", format!(": \"region=us/east\" {NO_REGION}")),
        ("region=", format!(": \"region=\" {NO_REGION}")),
        (&format!("region={long}"), format!(": \"region={long}\" {NO_REGION}")),
        ("host=https://a", format!(": \"host=https://a\" {NO_HOST}")),
        ("host=", format!(": \"host=\" {NO_HOST}")),
        ("host=$host", format!(": \"host=$host\" {NO_HOST}")),
        (
            "addressing=auto",
            ": \"addressing=auto\" is neither \"path\" nor \"virtual\"".into(),
        ),
        (
            "dialect=S3",
            ": \"dialect=S3\" is none that is known: write one of \"b2\", \"ceph\", \"gcs\", \
             \"minio-old\", \"oss\", \"r2\", \"swift\""
                .into(),
        ),
        ("account=", format!(": \"account=\" {NO_ACCOUNT}")),
        ("account=a/b", format!(": \"account=a/b\" {NO_ACCOUNT}")),
        (&format!("account={long}"), format!(": \"account={long}\" {NO_ACCOUNT}")),
        ("framing=", ": \"framing=\" is neither \"keep\" nor \"decode\"".into()),
        (
            "framing=Keep",
            ": \"framing=Keep\" is neither \"keep\" nor \"decode\"".into(),
        ),
    ]
    .map(|(params, message)| (format!("access_key=a secret_key=b {params}"), message))
    .into_iter()
    .chain([
        (
            "access_key=a".into(),
            " lacks \"secret_key=\": add \"secret_key=VALUE\", \"secret_key=env:NAME\" or \
             \"secret_key=file:PATH\""
                .into(),
        ),
        (
            "secret_key=a".into(),
            " lacks \"access_key=\": add \"access_key=VALUE\", \"access_key=env:NAME\" or \
             \"access_key=file:PATH\""
                .into(),
        ),
        (
            "access_key= secret_key=a".into(),
            " \"access_key=\" is empty: give it a value, \"env:NAME\" or \"file:PATH\"".into(),
        ),
        (
            "access_key=a secret_key=env:$X".into(),
            " \"secret_key=\" names an environment variable with a \"$\": write \"env:NAME\"".into(),
        ),
    ])
    .collect();
    for (params, message) in &rows {
        bad(
            upstream_origin,
            &[
                (
                    &*format!("s3_origin a:1 {params}"),
                    &*format!("\"s3_origin a:1\"{message}"),
                ),
                (
                    &*format!("s3_origin default {params}"),
                    &*format!("\"s3_origin default\"{message}"),
                ),
            ],
        );
        let message = format!("\"s3_origin\"{message}");
        bad(
            location_origin,
            &[
                (&*format!("s3_origin {params}"), &*message),
                (&*format!("s3_origin default {params}"), &*message),
            ],
        );
    }
    bad(
        upstream_origin,
        &[(
            "s3_origin access_key=x secret_key=y",
            "\"s3_origin\" in an upstream begins with a server, not with \"access_key\": write \
             \"s3_origin SERVER access_key=... secret_key=...;\", or \"default\" for SERVER",
        )],
    );
}

#[test]
fn one_origin_for_each_server() {
    let read = |server: &str| {
        good(
            upstream_origin,
            &format!(
                "s3_origin {server} access_key={} secret_key=x",
                &server[..1]
            ),
        )
    };
    let key =
        |line: Option<ServerLine<'_>>| line.map(|line| line.keys.credential.access_key().to_vec());
    let mut lines = OriginLines::default();
    assert!(lines.is_empty() && lines.of_server(b"a", None).is_none());
    assert_eq!(lines.push(read("a:1")), Ok(()));
    assert_eq!(key(lines.of_server(b"a:1", None)), Some(b"a".to_vec()));
    assert_eq!(key(lines.of_server(b"b:1", None)), None);
    assert_eq!(lines.push(read("default")), Ok(()));
    assert_eq!(key(lines.of_server(b"a:1", None)), Some(b"a".to_vec()));
    assert_eq!(key(lines.of_server(b"b:1", None)), Some(b"d".to_vec()));
    assert!(!lines.is_empty());
    for server in ["a:1", "default"] {
        assert_eq!(
            lines.push(read(server)),
            Err(format!(
                "\"s3_origin {server}\" is duplicate: keep one line for each server"
            ))
        );
    }
    assert_eq!(lines.servers().collect::<Vec<_>>(), [b"a:1"]);
}

#[test]
fn words_of_locations() {
    assert_eq!(read_words(region, "s3_region any"), Ok(RegionRule::Any));
    let us = Region::parse(b"us-east-1").unwrap();
    assert_eq!(
        read_words(region, "s3_region us-east-1"),
        Ok(RegionRule::Only(us))
    );
    assert_eq!(read_words(errors, "s3_errors s3"), Ok(ErrorStyle::S3));
    assert_eq!(
        read_words(errors, "s3_errors s3proxy"),
        Ok(ErrorStyle::S3proxy)
    );
    for value in ["s3.example.com:8443", "$http_host", "[::1]"] {
        assert_eq!(read_words(host, &format!("s3_host {value}")), Ok(()));
    }
    bad_words(
        region,
        &[
            (
                "s3_region us/east",
                &format!("\"s3_region us/east\" {NO_REGION}, or \"any\""),
            ),
            (
                "s3_region ",
                &format!("\"s3_region \" {NO_REGION}, or \"any\""),
            ),
            (
                "s3_region",
                &format!("\"s3_region \" {NO_REGION}, or \"any\""),
            ),
            (
                "s3_region Any!",
                &format!("\"s3_region Any!\" {NO_REGION}, or \"any\""),
            ),
        ],
    );
    bad_words(
        errors,
        &[
            (
                "s3_errors html",
                "\"s3_errors html\" is neither \"s3\" nor \"s3proxy\"",
            ),
            (
                "s3_errors S3",
                "\"s3_errors S3\" is neither \"s3\" nor \"s3proxy\"",
            ),
            (
                "s3_errors",
                "\"s3_errors \" is neither \"s3\" nor \"s3proxy\"",
            ),
        ],
    );
    bad_words(
        host,
        &[
            (
                "s3_host https://$host",
                &format!("\"s3_host https://$host\" {NO_HOST}"),
            ),
            ("s3_host a~b", &format!("\"s3_host a b\" {NO_HOST}")),
            ("s3_host", &format!("\"s3_host \" {NO_HOST}")),
        ],
    );
}

#[test]
fn domain_names() {
    let endpoint = |name: &str| Domain::Endpoint(name.as_bytes().into());
    let bucket = |host: &str, bucket: &str| Domain::Bucket {
        host: host.as_bytes().into(),
        bucket: BucketName::parse(bucket.as_bytes()).unwrap(),
    };
    for (line, expected) in [
        (
            "s3_domain s3.mydomain.com",
            vec![endpoint("s3.mydomain.com")],
        ),
        (
            "s3_domain S3.Mydomain.com localhost 10.0.0.1 [::1]",
            vec![
                endpoint("s3.mydomain.com"),
                endpoint("localhost"),
                endpoint("10.0.0.1"),
                endpoint("[::1]"),
            ],
        ),
        (
            "s3_domain media.example.com=media-1 a=b.c",
            vec![bucket("media.example.com", "media-1"), bucket("a", "b.c")],
        ),
    ] {
        assert_eq!(read_words(domains, line), Ok(expected), "{line}");
    }
    bad_words(
        domains,
        &[
            (
                "s3_domain *.s3.example.com",
                "\"s3_domain *.s3.example.com\": a name takes buckets in front of it as it is: write it \
                 without the dot at its beginning",
            ),
            (
                "s3_domain .s3.example.com",
                "\"s3_domain .s3.example.com\": a name takes buckets in front of it as it is: write it \
                 without the dot at its beginning",
            ),
            (
                "s3_domain s3.example.com:8080",
                "\"s3_domain s3.example.com:8080\" is for every port: write it without one",
            ),
            (
                "s3_domain https://s3.example.com",
                "\"s3_domain https://s3.example.com\" is not a domain: write NAME or HOST=BUCKET, without \
                 scheme, port and path",
            ),
            (
                "s3_domain =b",
                "\"s3_domain =b\" is not a domain: write NAME or HOST=BUCKET, without scheme, port and path",
            ),
            (
                "s3_domain a.example.com=Media",
                "\"s3_domain a.example.com=Media\" does not name a bucket: write HOST=BUCKET with at most \
                 63 lower-case letters, digits, dots and dashes",
            ),
            (
                "s3_domain a.example.com=",
                "\"s3_domain a.example.com=\" does not name a bucket: write HOST=BUCKET with at most 63 \
                 lower-case letters, digits, dots and dashes",
            ),
            (
                "s3_domain a.example.com A.example.com=b",
                "\"s3_domain A.example.com=b\" is there twice: keep one",
            ),
        ],
    );
}

#[test]
fn prefixes() {
    for path in ["/s3", "/a/b", "/v1.0_x-y", "/..."] {
        let prefix = read_words(prefix, &format!("s3_prefix {path}"));
        assert_eq!(prefix, Ok(path.as_bytes().into()));
    }
    assert!(prefix(&[b"s3_prefix", b"/~s3"]).is_ok());
    for path in [
        "", "s3", "/", "/s3/", "//s3", "/a//b", "/.", "/a/..", "/a%20", "/a~b", "/$x", "/a?b",
        "/\u{fc}",
    ] {
        let line = format!("s3_prefix {path}");
        let shown = match path {
            "/\u{fc}" => "/\\xc3\\xbc",
            "/a~b" => "/a b",
            path => path,
        };
        assert_eq!(
            read_words(prefix, &line),
            Err(format!(
                "\"s3_prefix {shown}\" is not the beginning of a path: write one as \"/s3\", of letters, \
                 digits, dashes, dots, underscores and tildes, without a slash at its end"
            ))
        );
    }
}

#[test]
fn signed_headers() {
    for name in ["Accept-Encoding", "Expect", "User-Agent", "x-amzn-trace-id"] {
        let line = format!("s3_signed_header {name} $http_x_original");
        assert_eq!(read_words(signed_header, &line), Ok(name.as_bytes().into()));
    }
    let decides = "is for a header that decides what is asked for, or how it is read: keep what is in \
                   front from changing it";
    let no_name =
        "is not for a header: write the name of one, as \"Accept-Encoding\", without a colon";
    bad_words(
        signed_header,
        &[
            (
                "s3_signed_header Host a",
                "\"s3_signed_header Host\" cannot be for the host: write \"s3_host VALUE;\"",
            ),
            (
                "s3_signed_header Authorization a",
                &format!("\"s3_signed_header Authorization\" {decides}"),
            ),
            (
                "s3_signed_header X-Amz-Date a",
                &format!("\"s3_signed_header X-Amz-Date\" {decides}"),
            ),
            (
                "s3_signed_header a: b",
                &format!("\"s3_signed_header a:\" {no_name}"),
            ),
        ],
    );
}

#[test]
fn reserved_names() {
    for (line, names) in [
        ("s3_reserved off", vec![]),
        ("s3_reserved minio", vec!["minio"]),
        (
            "s3_reserved a-b c.d _e offline",
            vec!["a-b", "c.d", "_e", "offline"],
        ),
    ] {
        let names: Vec<Box<[u8]>> = names.iter().map(|name| name.as_bytes().into()).collect();
        assert_eq!(read_words(reserved, line), Ok(names), "{line}");
    }
    for (line, word) in [
        ("s3_reserved minio off", "off"),
        ("s3_reserved off off", "off"),
        ("s3_reserved a/b", "a/b"),
        ("s3_reserved a ", ""),
        ("s3_reserved a\u{fc}", "a\\xc3\\xbc"),
        ("s3_reserved a%20", "a%20"),
    ] {
        assert_eq!(
            read_words(reserved, line),
            Err(format!(
                "\"s3_reserved {word}\" is not the first segment of a path: write names of letters, \
                 digits, dashes and dots, without slashes, or \"off\" alone"
            )),
            "{line}"
        );
    }
}

/// What the lines make of a bucket's name at a server.
fn mapped(lines: &[&str], server: &str, name: &str) -> Result<Option<String>, String> {
    let lines: Result<Vec<_>, _> = lines
        .iter()
        .map(|line| read_words(bucket_map, line))
        .collect();
    let map = bucket_map_of(lines?.iter(), server.as_bytes())?;
    let name = map.origin_name(name.as_bytes());
    Ok(name.map(|name| String::from_utf8(name.as_bytes().to_vec()).unwrap()))
}

#[test]
fn names_of_buckets() {
    let lines = [
        "s3_bucket_map media pictures origin=a:1",
        "s3_bucket_map media acme-media origin=b:1",
        "s3_bucket_map logs-* *.logs",
    ];
    for (server, name, expected) in [
        ("a:1", "media", Some("pictures")),
        ("b:1", "media", Some("acme-media")),
        ("c:1", "media", None),
        ("c:1", "logs-1", Some("1.logs")),
        ("a:1", "pictures", None),
    ] {
        let expected = expected.map(str::to_owned);
        assert_eq!(
            mapped(&lines, server, name),
            Ok(expected),
            "{server} {name}"
        );
    }
    assert_eq!(mapped(&[], "a:1", "media"), Ok(Some("media".into())));

    let read: Vec<_> = lines
        .iter()
        .map(|line| read_words(bucket_map, line).unwrap())
        .collect();
    let check =
        |servers: &[&[u8]]| check_bucket_map_servers(read.iter(), servers, "upstream \"u\"");
    assert_eq!(check(&[b"a:1", b"b:1"]), Ok(()));
    assert_eq!(
        check(&[b"a:1", b"b"]),
        Err("\"s3_bucket_map media acme-media\": \"origin=b:1\" is no server of upstream \"u\": write it \
             as it stands there, or leave it out"
            .into())
    );
    // Each differs from the others in one thing.
    let texts = ["a b", "a c", "c b", "a b origin=s", "a b origin=t"].map(|line| {
        let line = format!("s3_bucket_map {line}");
        read_words(bucket_map, &line).unwrap().text()
    });
    for (at, text) in texts.iter().enumerate() {
        assert!(!texts[..at].contains(text), "{text}");
    }
}

#[test]
fn bad_names_of_buckets() {
    let no_name = "is not the name of a bucket: write one of letters, digits, dots, dashes and \
                   underscores, with at most one \"*\" for what is the same on both sides";
    for (line, message) in [
        ("a/b c", format!("\"a/b\" {no_name}")),
        ("a** c*", format!("\"a**\" {no_name}")),
        ("a c:d", format!("\"c:d\" {no_name}")),
        (
            "a* c",
            "has \"*\" on one side only: write it on both, where the name goes on, or on none"
                .into(),
        ),
        (
            "a c d",
            "a word is not a parameter: it takes \"origin=\"".into(),
        ),
        (
            "a c server=d",
            "unknown parameter \"server\": it takes \"origin=\"".into(),
        ),
    ] {
        let said = mapped(&[&format!("s3_bucket_map {line}")], "", "").unwrap_err();
        let named: Vec<_> = line.split(' ').take(2).collect();
        let named = format!("\"s3_bucket_map {}\"", named.join(" "));
        let rest = said.strip_prefix(&named).unwrap();
        let rest = rest.trim_start_matches([':', ' ']);
        assert_eq!(rest, message, "{line}");
    }
    for (second, message) in [
        ("a d", "for clients as another line for \"s:1\": keep one"),
        (
            "d b origin=s:1",
            "at the origin as another line for \"s:1\": give each bucket a name of its own",
        ),
    ] {
        let second = format!("s3_bucket_map {second}");
        let said = mapped(&["s3_bucket_map a b", &second], "s:1", "a").unwrap_err();
        assert!(
            said.ends_with(message) && said.contains("has the same name"),
            "{said}"
        );
    }
}

#[test]
fn pages_of_other_origins() {
    assert!(matches!(read_words(cors, "s3_cors off"), Ok(CorsLine::Off)));
    for line in [
        "s3_cors origin=*",
        "s3_cors origin=https://a.example,http://localhost:* methods=GET,PUT headers=content-type,x-amz-* \
         expose=ETag max_age=1h credentials=on",
        "s3_cors credentials=off max_age=0 origin=null",
        "s3_cors origin=* max_age=86400 methods=* headers=* expose=*",
    ] {
        assert!(
            matches!(read_words(cors, line), Ok(CorsLine::Rule(_))),
            "{line}"
        );
    }
    let listed = "it takes \"origin=\", \"methods=\", \"headers=\", \"expose=\", \"max_age=\", \"credentials=\"";
    let on = "with \"credentials=on\"";
    for (line, message) in [
        (
            "s3_cors methods=GET",
            "lacks \"origin=\": add the origins of the pages, as \"origin=https://app.example.com\", or \
             \"origin=*\"".to_owned(),
        ),
        ("s3_cors off origin=*", format!(": a word is not a parameter: {listed}")),
        ("s3_cors origin=* origins=*", format!(": unknown parameter \"origins\": {listed}")),
        ("s3_cors origin=a origin=b", ": \"origin=\" is duplicate: keep one".into()),
        (
            "s3_cors origin=*,https://a.example/",
            ": \"https://a.example/\" in \"origin=\" is not an origin: write \"SCHEME://HOST\" or \
             \"SCHEME://HOST:PORT\" as browsers send it, without a path and without the scheme's own port, \
             with at most one \"*\" in it; or \"*\" or \"null\"".into(),
        ),
        (
            "s3_cors origin=* methods=get",
            ": \"get\" in \"methods=\" is not a method of S3: write \"GET\", \"HEAD\", \"PUT\", \"POST\", \
             \"DELETE\", separated by commas, or \"*\"".into(),
        ),
        (
            "s3_cors origin=* headers=a,~b",
            ": \" b\" in \"headers=\" is not the name of a header: write names with at most one \"*\" each, as \
             \"content-type,x-amz-*\", or \"*\"".into(),
        ),
        (
            "s3_cors origin=* expose=",
            ": \"\" in \"expose=\" is not the name of a header: write names as \"ETag,x-amz-request-id\", or \
             \"*\"".into(),
        ),
        (
            "s3_cors origin=* max_age=2d",
            ": \"max_age=2d\" is not such a time: write one from \"0\" to \"1d\"".into(),
        ),
        (
            "s3_cors origin=* credentials=yes",
            ": \"credentials=yes\" is neither \"on\" nor \"off\"".into(),
        ),
        (
            "s3_cors origin=https://app* credentials=on",
            format!(
                ": {on}, \"https://app*\" in \"origin=\" would give pages of anybody what is your users': name \
                 the origins, with a \"*\" only before \".DOMAIN.TLD\" or as the port"
            ),
        ),
        (
            "s3_cors origin=https://a.example expose=* credentials=on",
            format!(": {on}, browsers take \"expose=*\" for a name: write the names of the headers"),
        ),
    ] {
        let found = read_words(cors, line).unwrap_err();
        let expected = match message.strip_prefix(':') {
            Some(rest) => format!("\"s3_cors\":{rest}"),
            None => format!("\"s3_cors\" {message}"),
        };
        assert_eq!(found, expected, "{line}");
    }
}

#[test]
fn skews() {
    for (line, seconds) in [
        ("s3_max_skew 15m", 900),
        ("s3_max_skew 1", 1),
        ("s3_max_skew 1h~30m", 5400),
        ("s3_max_skew 1d", 86_400),
    ] {
        assert_eq!(good(max_skew, line), seconds);
    }
    let (seconds, doubts) = read(max_skew, "s3_max_skew 25h");
    assert_eq!(seconds, Ok(90_000));
    assert_eq!(
        doubts,
        [
            "\"s3_max_skew 25h\" lets whoever overhears a request send it again for that long: write at \
          most \"1d\""
        ]
    );
    for text in ["soon", "0", "-5m", "", "100ms", "9223372036854775808"] {
        let message = format!(
            "\"s3_max_skew {text}\" is not a time: write one of at least a second, as \"15m\""
        );
        bad(max_skew, &[(&format!("s3_max_skew {text}"), &message)]);
    }
}

#[test]
fn ages() {
    for (line, seconds) in [
        ("s3_max_age 1h", Some(3_600)),
        ("s3_max_age 1", Some(1)),
        ("s3_max_age 7d", Some(604_800)),
        ("s3_max_age off", None),
    ] {
        let read = max_age(&line.split(' ').map(str::as_bytes).collect::<Vec<_>>());
        assert_eq!(read, Ok(seconds), "{line}");
    }
    for text in ["never", "0", "-1h", "", "on"] {
        let message = format!(
            "\"s3_max_age {text}\" is not a time: write one of at least a second, as \"1h\", or \"off\""
        );
        let read = max_age(&[b"s3_max_age", text.as_bytes()]);
        assert_eq!(read, Err(message));
    }
}

fn usual_check() -> HealthCheckLine {
    HealthCheckLine {
        interval: 5000,
        timeout: 5000,
        rules: Thresholds { rise: 2, fall: 3 },
        expected: Expected::default(),
        head: b"GET / HTTP/1.1\r\nUser-Agent: s3_health_check\r\nConnection: close\r\n\r\n"
            .to_vec(),
        names: BucketNames::Origins,
        is_head: false,
    }
}

#[test]
fn health_checks() {
    let head = |line: &str| {
        format!("{line} HTTP/1.1\r\nUser-Agent: s3_health_check\r\nConnection: close\r\n\r\n")
            .into_bytes()
    };
    for (params, check) in [
        ("", usual_check()),
        (
            " interval=100ms timeout=1d rise=1 fall=1000",
            HealthCheckLine {
                interval: 100,
                timeout: 86_400_000,
                rules: Thresholds {
                    rise: 1,
                    fall: 1000,
                },
                ..usual_check()
            },
        ),
        (
            " interval=1s500ms",
            HealthCheckLine {
                interval: 1500,
                ..usual_check()
            },
        ),
        (
            " uri=/bucket/a%20key?versionId=1 method=GET expect=2xx,AccessDenied",
            HealthCheckLine {
                head: head("GET /bucket/a%20key?versionId=1"),
                expected: Expected::parse(b"2xx,AccessDenied").unwrap(),
                ..usual_check()
            },
        ),
        (
            " method=HEAD uri=/b expect=200,403",
            HealthCheckLine {
                head: head("HEAD /b"),
                expected: Expected::parse(b"200,403").unwrap(),
                is_head: true,
                ..usual_check()
            },
        ),
        (
            " bucket=my.bucket-1",
            HealthCheckLine {
                head: head("HEAD /my.bucket-1"),
                names: BucketNames::Clients,
                is_head: true,
                ..usual_check()
            },
        ),
    ] {
        let line = format!("s3_health_check{params}");
        assert_eq!(read_words(health_check, &line), Ok(check), "{line}");
    }
}

#[test]
fn bad_health_checks() {
    let no_time = "is not such a time: write one from \"100ms\" to \"1d\"";
    let no_count = "is not a number of checks: write one from 1 to 1000";
    let no_list = "is not a list of statuses and error codes: write \"2xx\", \"200,404\", \
                   \"2xx,AccessDenied\" or the like";
    let no_path = "is not a path: write it with a slash in front and percent-encoded, as \
                   \"/bucket/a%20key\"";
    let no_bucket = "is not the name of a bucket: write one of letters, digits, dashes and dots";
    let with_bucket = "\"bucket=\" is a \"HEAD\" of that bucket: remove \"method=\" and \"uri=\", or \
                       write \"uri=/BUCKET\" instead";
    let takes = "it takes \"interval=\", \"timeout=\", \"rise=\", \"fall=\", \"uri=\", \"method=\", \
                 \"bucket=\", \"expect=\"";
    for (params, message) in [
        ("interval=99ms", format!("\"interval=99ms\" {no_time}")),
        ("interval=", format!("\"interval=\" {no_time}")),
        ("timeout=25h", format!("\"timeout=25h\" {no_time}")),
        ("timeout=soon", format!("\"timeout=soon\" {no_time}")),
        ("rise=0", format!("\"rise=0\" {no_count}")),
        ("rise=1001", format!("\"rise=1001\" {no_count}")),
        ("rise=+2", format!("\"rise=+2\" {no_count}")),
        ("rise=\u{b2}", format!("\"rise=\\xc2\\xb2\" {no_count}")),
        ("fall=", format!("\"fall=\" {no_count}")),
        ("fall=99999999999999999999", format!("\"fall=99999999999999999999\" {no_count}")),
        ("uri=bucket", format!("\"uri=bucket\" {no_path}")),
        ("uri=", format!("\"uri=\" {no_path}")),
        ("uri=/a~b", format!("\"uri=/a b\" {no_path}")),
        ("uri=/a#b", format!("\"uri=/a#b\" {no_path}")),
        ("uri=/\r\nHost:x", format!("\"uri=/\\r\\nHost:x\" {no_path}")),
        ("uri=/\u{fc}", format!("\"uri=/\\xc3\\xbc\" {no_path}")),
        ("method=PUT", "\"method=PUT\" is neither \"GET\" nor \"HEAD\"".into()),
        ("method=get", "\"method=get\" is neither \"GET\" nor \"HEAD\"".into()),
        ("bucket=", format!("\"bucket=\" {no_bucket}")),
        ("bucket=a/b", format!("\"bucket=a/b\" {no_bucket}")),
        ("bucket=a method=HEAD", with_bucket.into()),
        ("bucket=a uri=/b", with_bucket.into()),
        ("expect=2x", format!("\"expect=2x\" {no_list}")),
        ("expect=4#0", format!("\"expect=4#0\" {no_list}")),
        ("expect=", format!("\"expect=\" {no_list}")),
        (
            "bucket=a expect=AccessDenied",
            "\"expect=AccessDenied\" names an error code, and the answer to a HEAD has none: write its \
             status instead, as 403"
                .into(),
        ),
        ("rise=1 rise=1", "\"rise=\" is duplicate: keep one".into()),
        ("every=5s", format!("unknown parameter \"every\": {takes}")),
        ("5s", format!("a word is not a parameter: {takes}")),
    ] {
        bad_words(
            health_check,
            &[(
                &format!("s3_health_check {params}"),
                &format!("\"s3_health_check\": {message}"),
            )],
        );
    }
}

#[test]
fn whose_health() {
    assert_eq!(healthz(&[b"s3_healthz"]), HealthzLine::All);
    let line = healthz(&[b"s3_healthz", b"origins"]);
    assert_eq!(line, HealthzLine::Of(b"origins".as_slice().into()));
    assert_eq!(healthz(&[]), HealthzLine::All);
}

#[test]
fn lines_that_may_be_there_once() {
    let mut setting = None;
    assert_eq!(
        set_once(&mut setting, 1, "s3_region", AT_EACH_LEVEL),
        Ok(())
    );
    for (directive, remedy, message) in [
        (
            "s3_region",
            AT_EACH_LEVEL,
            "\"s3_region\" is duplicate: keep one line at each level",
        ),
        (
            "s3_status",
            IN_A_LOCATION,
            "\"s3_status\" is duplicate: keep one line in a location",
        ),
        (
            "s3_health_check",
            IN_EACH_UPSTREAM,
            "\"s3_health_check\" is duplicate: keep one line in each upstream",
        ),
        (
            "s3_origin",
            ONE_ORIGIN,
            "\"s3_origin\" is duplicate: a location has one, servers have theirs in an \"upstream\"",
        ),
    ] {
        let again = set_once(&mut setting, 2, directive, remedy);
        assert_eq!(again, Err(message.into()));
        assert_eq!(duplicate(directive, remedy), message);
    }
    assert_eq!(setting, Some(1));
}

#[test]
fn one_origin_for_each_account() {
    let read = |line: &str| {
        let key = line.replace([' ', ':', '='], "-");
        good(
            upstream_origin,
            &format!("s3_origin {line} access_key={key} secret_key=x"),
        )
    };
    let mut lines = OriginLines::default();
    for line in [
        "a:1 region=r host=h framing=decode",
        "a:1 account=x",
        "b:1 account=x",
        "default account=y region=s dialect=oss",
        "a:1 account=y framing=keep",
    ] {
        assert_eq!(lines.push(read(line)), Ok(()), "{line}");
    }
    let account = |name: &str| Account::parse(name.as_bytes());
    let shown = |server: &str, name: &str| {
        let line = lines.of_server(server.as_bytes(), account(name).as_ref())?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Some((
            text(line.keys.credential.access_key()),
            line.region().map(|region| text(region.as_bytes())),
            line.host().map(text),
            line.framing(),
        ))
    };
    // What its line does not say is said by the common line of the server, but never its keys.
    let of = |key: &str, region: &str, host: &str, framing| {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Some((key.to_owned(), some(region), some(host), framing))
    };
    let (decode, keep) = (Framing::Decode, Framing::Keep);
    let oss = Framing::DecodeTrailers;
    for (server, name, expected) in [
        (
            "a:1",
            "",
            of("a-1-region-r-host-h-framing-decode", "r", "h", decode),
        ),
        ("a:1", "x", of("a-1-account-x", "r", "h", decode)),
        ("a:1", "y", of("a-1-account-y-framing-keep", "r", "h", keep)),
        ("b:1", "", None),
        ("b:1", "x", of("b-1-account-x", "", "", keep)),
        (
            "b:1",
            "y",
            of("default-account-y-region-s-dialect-oss", "s", "", oss),
        ),
        ("a:1", "z", None),
        ("c:1", "x", None),
    ] {
        assert_eq!(shown(server, name), expected, "{server} {name}");
    }
    assert!(lines.knows(None) && lines.knows(account("x").as_ref()));
    assert!(!lines.knows(account("z").as_ref()));
    let names: Vec<_> = lines.accounts().map(Account::as_str).collect();
    assert_eq!(names, ["x", "y"]);

    assert_eq!(
        lines.push(read("b:1 account=x host=h")),
        Err("\"s3_origin b:1\": \"account=x\" is duplicate: keep one line for each account".into())
    );
    let mut own = OriginLines::default();
    let read = |line: &str| good(location_origin, line);
    for line in [
        "s3_origin",
        "s3_origin default account=x",
        "s3_origin account=y",
    ] {
        let line = format!("{line} access_key=a secret_key=b");
        assert_eq!(own.push_only(read(&line)), Ok(()), "{line}");
    }
    for (line, message) in [
        (
            "s3_origin",
            "\"s3_origin\" is duplicate: a location has one, servers have theirs in an \"upstream\"",
        ),
        (
            "s3_origin account=y",
            "\"s3_origin account=y\" is duplicate: keep one line for each account",
        ),
    ] {
        let line = format!("{line} access_key=a secret_key=b");
        assert_eq!(own.push_only(read(&line)), Err(message.into()), "{line}");
    }
}

#[test]
fn accounts_of_clients() {
    let mut map = ClientMap::default();
    for line in [
        "s3_client D secret_key=a account=x",
        "s3_client C secret_key=a",
        "s3_client B secret_key=a account=y",
    ] {
        assert_eq!(map.insert(good(client, line)), Ok(()));
    }
    let account = |key: &[u8]| map.find(key)[0].account.as_ref().map(Account::as_str);
    assert_eq!(
        [account(b"D"), account(b"C"), account(b"B")],
        [Some("x"), None, Some("y")]
    );
    let stray = |known: &[Option<&str>]| {
        let found = map.find_stray(|account| known.contains(&account.map(Account::as_str)));
        found.map(|client| client.credential.access_key().to_vec())
    };
    assert_eq!(stray(&[None, Some("x"), Some("y")]), None);
    assert_eq!(stray(&[None]), Some(b"B".to_vec()));
    assert_eq!(stray(&[Some("x"), Some("y")]), Some(b"C".to_vec()));
    for name in ["", "a b".replace(' ', "~").as_str(), "é", "a,b"] {
        let (result, _) = read(client, &format!("s3_client K secret_key=x account={name}"));
        let shown = name.replace('~', " ").into_bytes();
        let message = format!(
            "\"s3_client K\": \"account={}\" {NO_ACCOUNT}",
            shown.escape_ascii()
        );
        assert_eq!(result.err(), Some(message));
    }
    bad_words(
        anonymous,
        &[(
            "s3_anonymous sign account=",
            &format!("\"s3_anonymous sign\": \"account=\" {NO_ACCOUNT}"),
        )],
    );
}

/// What `Debug` shows of lines with keys.
#[test]
fn nothing_shows_a_secret() {
    let line = "s3_origin default access_key=a secret_key=HIDDEN session_token=HIDDEN";
    let shown = format!("{:?}", good(upstream_origin, line));
    assert!(!shown.contains("HIDDEN"), "{shown}");
    let mut clients = ClientMap::default();
    clients
        .insert(good(client, "s3_client K secret_key=HIDDEN"))
        .unwrap();
    let shown = format!("{clients:?}");
    assert!(!shown.contains("HIDDEN"), "{shown}");
}

const A_KEY: &str = "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=";

#[test]
fn sse_c_lines() {
    for line in [
        format!("s3_sse_c b key={A_KEY}"),
        format!("s3_sse_c logs-*/a*/b key={A_KEY} cache=on"),
        format!("s3_sse_c * cache=off key={A_KEY}"),
        format!("s3_sse_c off key={A_KEY}"),
    ] {
        assert!(
            matches!(good(sse_c, &line), SseCLine::Rule { .. }),
            "{line}"
        );
    }
    assert!(matches!(good(sse_c, "s3_sse_c off"), SseCLine::Off));
    const NO_KEY: &str = "\"s3_sse_c b\" \"key=\" is not 32 bytes in base64: make a key with \
                          \"openssl rand -base64 32\", and keep it where it cannot be lost";
    const NO_PATTERN: &str = "\"s3_sse_c\" begins with no pattern of buckets: write \"s3_sse_c BUCKET key=...\" or \
                              \"s3_sse_c BUCKET/PREFIX* key=...\", with \"*\" for any run of characters";
    let with_key = |line: &str| line.replace("KEY", A_KEY);
    for (line, message) in [
        (
            "s3_sse_c b",
            "\"s3_sse_c b\" lacks \"key=\": add \"key=VALUE\", \"key=env:NAME\" or \"key=file:PATH\"",
        ),
        (
            "s3_sse_c b key=",
            "\"s3_sse_c b\" \"key=\" is empty: give it a value, \"env:NAME\" or \"file:PATH\"",
        ),
        ("s3_sse_c b key=short", NO_KEY),
        ("s3_sse_c b key=env:SECRET", NO_KEY),
        ("s3_sse_c b key=KEY=", NO_KEY),
        ("s3_sse_c b key=KEYKEY", NO_KEY),
        ("s3_sse_c KEY", NO_PATTERN),
        (
            "s3_sse_c a2/ra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=",
            NO_PATTERN,
        ),
        ("s3_sse_c key=KEY b", NO_PATTERN),
        ("s3_sse_c b/ key=KEY", NO_PATTERN),
        ("s3_sse_c a,b key=KEY", NO_PATTERN),
        (
            "s3_sse_c b key=KEY key=KEY",
            "\"s3_sse_c b\": \"key=\" is duplicate: keep one",
        ),
        (
            "s3_sse_c b key=KEY cache=1",
            "\"s3_sse_c b\": \"cache=1\" is neither \"cache=on\" nor \"cache=off\": write one of them",
        ),
        (
            "s3_sse_c b key=KEY hash=x",
            "\"s3_sse_c b\": unknown parameter \"hash\": it takes \"key=\", \"cache=\"",
        ),
        (
            "s3_sse_c b KEY key=KEY",
            "\"s3_sse_c b\": a word is not a parameter: it takes \"key=\", \"cache=\"",
        ),
    ] {
        let (result, _) = read(sse_c, &with_key(line));
        assert_eq!(result.err().as_deref(), Some(message), "{line}");
    }
}

#[test]
fn sse_c_lines_of_a_level() {
    const ONLY_OFF: &str = "\"s3_sse_c\" is duplicate: keep \"off\" or the keys";
    let insert = |lines: &[&str]| {
        let mut level = SseCLines::default();
        let mut last = Ok(());
        for line in lines {
            last = level.insert(good(
                sse_c,
                &format!("s3_sse_c {}", line.replace("KEY", A_KEY)),
            ));
        }
        last.map(|()| level.keys().is_some())
    };
    for (lines, expected) in [
        (&["off"][..], Ok(false)),
        (&["b key=KEY"], Ok(true)),
        (&["b key=KEY", "b* key=KEY", "b/k key=KEY"], Ok(true)),
        (&["b key=KEY", "off"], Err(ONLY_OFF)),
        (&["off", "b key=KEY"], Err(ONLY_OFF)),
        (&["off", "off"], Err(ONLY_OFF)),
        (
            &["b key=KEY", "b key=KEY"],
            Err("\"s3_sse_c b\" is duplicate: keep one line for each pattern"),
        ),
    ] {
        let found = insert(lines);
        assert_eq!(
            found.as_ref().map_err(|why| why.as_str()),
            expected.as_ref().map_err(|why| *why),
            "{lines:?}"
        );
    }
}
