//! What holds for every request, whatever its operation and its spelling. Each is asked of requests
//! that dice make: of random ones, or of those that a fuzzer finds.
use sigv4::*;

use super::{
    Directory, Raw,
    allowance::Allowance,
    asking::{Asking, BUCKETS, Dice, OPEN_IN_V2, roll_key, spell_path},
    credential, form, grant,
    naming::{self, Naming, RESERVED},
    reading::{Asked, Head, is_of_maker, read},
    reference::{KEY, NOW, SECRET, decode},
    rules,
};

const ORIGIN_KEY: &str = "AKIDORIGIN";
const ORIGIN_SECRET: &str = "origin/secret";
const ENDPOINT: &str = "storage.origin.example:9000";
const ADDRESSINGS: [Addressing; 2] = [Addressing::Path, Addressing::Virtual];

/// Each kind of origin.
fn kinds() -> impl Iterator<Item = (Addressing, Naming)> {
    (ADDRESSINGS.into_iter()).flat_map(|addressing| Naming::ALL.map(|naming| (addressing, naming)))
}

fn origin(addressing: Addressing, naming: Naming) -> Origin {
    Origin {
        addressing,
        buckets: naming.map(),
        ..Origin::new(credential(ORIGIN_KEY, ORIGIN_SECRET), ENDPOINT.as_bytes())
    }
}

fn open() -> VerifyRules {
    VerifyRules {
        signature_v2: true,
        reserved: vec![RESERVED.as_bytes().into()],
        ..rules()
    }
}

/// As `open`, at the server that a request is for.
fn open_at(asking: &Asking) -> VerifyRules {
    VerifyRules {
        endpoint: asking.endpoint(),
        ..open()
    }
}

/// What a request asks, wherever its bucket is.
fn came(asking: &Asking) -> Asked {
    let text = asking.in_path_style().text();
    read(&Head::parse(text.as_bytes()).unwrap(), None)
}

/// The head that is sent for one that nginx has made.
fn send(
    verified: &Verified<'_>,
    wire: &[u8],
    (addressing, naming): (Addressing, Naming),
    keys: &mut KeyCache,
) -> Result<Vec<u8>, Unsignable> {
    let mut room = HeadRoom::default();
    let head = WireHead::parse(wire, verified, &mut room)?;
    let origin = origin(addressing, naming);
    let mut signed = sign(verified, &head, &origin, keys, Timestamp(NOW))?;
    let mut out = vec![0; signed.max_len()];
    let written = signed.write_with_encoder(&mut out);
    let (length, _) = written.expect("a head as long as was said");
    out.truncate(length);
    Ok(out)
}

/// The endpoint under which buckets are names of hosts.
fn endpoint(addressing: Addressing) -> Option<&'static str> {
    (addressing == Addressing::Virtual).then_some(ENDPOINT)
}

/// Whether a name cannot stand in front of a host's.
fn is_no_label(bucket: &[u8]) -> bool {
    bucket
        .iter()
        .any(|byte| byte.is_ascii_uppercase() || b"_:".contains(byte))
}

fn assert_is(model: &S3Request<'_>, asked: &Asked, text: &str) {
    let written = |part: Option<Encoded<'_>>| {
        part.map_or(Vec::new(), |part| {
            let mut out = vec![0; part.len()];
            part.write(&mut out);
            decode(&out, false)
        })
    };
    assert_eq!(model.operation().name(), asked.operation, "{text}");
    assert_eq!(written(model.bucket()), asked.bucket, "{text}");
    assert_eq!(written(model.key()), asked.key, "{text}");
}

/// What a request asks is what is asked by what goes out for it. The operation, where it goes out.
pub fn goes_out_as_it_came(bytes: &[u8]) -> Option<&'static str> {
    let asking = Asking::roll(&mut Dice(bytes));
    let text = asking.text();
    let head = Head::parse(text.as_bytes()).unwrap();
    let came = came(&asking);
    if asking.is_usual {
        let is = (came.operation, came.bucket.as_slice(), came.key.as_slice());
        let wanted = (
            asking.sent.name,
            asking.bucket.as_bytes(),
            asking.key.as_bytes(),
        );
        assert_eq!(is, wanted, "{text}");
    }
    let (clients, rules) = (Directory::new(&[(KEY, SECRET)]), open_at(&asking));
    let mut keys = KeyCache::new(2);
    let verified = match verify(&head.request(), &clients, &rules, &mut keys, Timestamp(NOW)) {
        Ok(verified) => verified,
        Err(rejected) => {
            let is_unsigned = asking.is_v2() && !asking.fits_v2;
            let is_named = came.operation == "CreateSession";
            assert!(
                is_unsigned || is_named || !came.is_of_s3(),
                "{}: {text}",
                rejected.rejection
            );
            return None;
        }
    };
    assert!(came.is_of_s3(), "{text}");
    let request = head.request();
    let address = rules.endpoint.address(request.signed_host()).unwrap();
    assert_is(&S3Request::of(&request, &address).unwrap(), &came, &text);
    assert_eq!(verified.operation().name(), came.operation, "{text}");
    for kind in kinds() {
        let (addressing, naming) = kind;
        let wanted = naming.goes(&came, addressing);
        naming::check(&verified, &came, naming, &origin(addressing, naming));
        let sent = match send(&verified, &head.wire(""), kind, &mut keys) {
            Ok(sent) => sent,
            Err(Unsignable::Bucket)
                if endpoint(addressing).is_some() && is_no_label(&came.bucket) =>
            {
                continue;
            }
            Err(fault) => {
                assert_eq!(wanted, Err(fault), "{naming:?} {text}");
                continue;
            }
        };
        let out = Head::parse(&sent).unwrap();
        let mut goes = read(&out, endpoint(addressing));
        if asking.is_v2() {
            goes.payload = None;
        }
        let sent = sent.escape_ascii();
        assert_eq!(Ok(goes), wanted, "{text}\n{sent}");
        if (addressing, naming) == (Addressing::Path, Naming::Same) {
            assert_is(
                &S3Request::of(&out.request(), &Address::PATH_STYLE).unwrap(),
                &came,
                &text,
            );
        }
    }
    Some(came.operation)
}

/// A request changed in one byte is rejected, or goes out as the same request.
pub fn stays_the_same_or_is_rejected(bytes: &[u8]) {
    let mut dice = Dice(bytes);
    let changes: Vec<(usize, u8)> = (0..4)
        .map(|_| {
            (
                usize::from(dice.byte()) << 8 | usize::from(dice.byte()),
                dice.byte(),
            )
        })
        .collect();
    let asking = Asking::roll(&mut dice);
    let text = asking.text();
    let (clients, rules) = (Directory::new(&[(KEY, SECRET)]), open_at(&asking));
    let mut keys = KeyCache::new(2);
    let kind = (Addressing::Path, Naming::Same);
    let mut sent = |text: &[u8]| {
        let head = Head::parse(text)?;
        let verified = verify(&head.request(), &clients, &rules, &mut keys, Timestamp(NOW)).ok()?;
        let sent = send(&verified, &head.wire(""), kind, &mut keys).ok()?;
        Some(Essence::of(&sent, &asking))
    };
    let Some(wanted) = sent(text.as_bytes()) else {
        return;
    };
    if text.contains("X-Amz-Signature=") {
        // What was found about the link is known by then.
        for _ in 0..3 {
            assert_eq!(sent(text.as_bytes()).as_ref(), Some(&wanted), "{text}");
        }
    }
    for (at, byte) in changes {
        let mut changed = text.clone().into_bytes();
        let at = at % changed.len();
        changed[at] = if changed[at] == byte { byte ^ 1 } else { byte };
        if let Some(sent) = sent(&changed) {
            assert_eq!(sent, wanted, "{text}\n{}", changed.escape_ascii());
        }
    }
}

/// What a signature covers of a request that goes out.
#[derive(Debug, PartialEq, Eq)]
struct Essence {
    method: String,
    path: String,
    query: Vec<String>,
    headers: Vec<(String, String)>,
}

impl Essence {
    fn of(sent: &[u8], asking: &Asking) -> Essence {
        let head = Head::parse(sent).unwrap();
        let shown = |bytes: &[u8]| bytes.escape_ascii().to_string();
        let is_covered = |pair: &&[u8]| {
            let name = pair.split(|byte| *byte == b'=').next().unwrap_or_default();
            let is_open = OPEN_IN_V2.iter().any(|open| open.as_bytes() == name);
            // The new signature may name other headers.
            let is_new = [b"X-Amz-Signature".as_slice(), b"X-Amz-SignedHeaders"].contains(&name);
            !(is_new || asking.is_v2() && is_open)
        };
        let query = head.query.split(|byte| *byte == b'&').filter(is_covered);
        let signed = ["content-type", "range"];
        let mut headers: Vec<_> = head
            .headers
            .iter()
            .map(|header| (shown(header.name).to_lowercase(), shown(header.value)))
            .filter(|(name, _)| {
                let is_signed = signed.contains(&name.as_str()) && asking.signs(name);
                name.replace('_', "-").starts_with("x-amz-")
                    || is_of_maker(name.as_bytes())
                    || is_signed
            })
            .collect();
        headers.sort();
        Essence {
            method: shown(head.method),
            path: shown(head.path),
            query: query.map(shown).collect(),
            headers,
        }
    }
}

/// What a grant permits is within it as it goes out, also after a rewrite and where nginx has changed
/// the head, and is permitted once more; what is not permitted would not have been within it. Whether
/// it was rewritten or changed, and whether it goes out.
pub fn stays_within_its_grant(bytes: &[u8]) -> (bool, bool) {
    let mut dice = Dice(bytes);
    let mut of_grant = dice.split(20);
    let way = dice.below(5);
    let (asking, other) = (Asking::roll(&mut dice), Asking::roll(&mut dice));
    let other = other.in_path_style();
    let asking = if way >= 2 {
        asking.in_path_style()
    } else {
        asking
    };
    let wanted = if way == 2 || way == 3 {
        &other
    } else {
        &asking
    };
    let allowance = Allowance::roll(&mut of_grant, wanted.sent.name, &wanted.bucket, &wanted.key);
    let text = asking.text();
    let shown = || format!("{allowance:?} {text}");
    let came = Head::parse(text.as_bytes()).unwrap();
    // What nginx makes of it: another target, of the same method or of another one.
    let mut head = came.clone();
    let mut added = String::new();
    if way >= 2 {
        head.path = other.sample.path.as_bytes();
        head.query = other.sample.query.as_bytes();
    }
    if way == 4 {
        let changed = dice.one_in(3) && asking.sent.source.is_empty();
        if changed {
            head.method = other.sample.method.as_bytes();
            added = other.source_line();
        }
    }
    let is_rewritten = way == 2 || way == 3;
    let request = ClientRequest {
        path_with_plus: None,
        rewritten: is_rewritten.then_some(Target {
            path: head.path,
            query: head.query,
        }),
        ..came.request()
    };
    let clients = Directory::with_grant(KEY, SECRET, allowance.grant());
    let (rules, mut keys) = (open_at(&asking), KeyCache::new(2));
    let asked = match is_rewritten {
        true => read(&head, None),
        false => self::came(&asking),
    };
    let verified = match verify(&request, &clients, &rules, &mut keys, Timestamp(NOW)) {
        Ok(verified) => verified,
        Err(rejected) => {
            let is_unsigned = asking.is_v2() && !asking.fits_v2;
            let within = asked.is_of_s3() && allowance.permits(&asked);
            assert!(
                is_unsigned || !within,
                "{}: {} {asked:?}",
                rejected.rejection,
                shown()
            );
            return (way >= 2, false);
        }
    };
    assert!(
        asked.is_of_s3() && allowance.permits(&asked),
        "{} {asked:?}",
        shown()
    );
    let wire = head.wire(&added);
    let goes = match way {
        0 | 1 => self::came(&asking),
        _ => as_asked(read(&Head::parse(&wire).unwrap(), None), came.method),
    };
    let within = goes.is_of_s3() && allowance.permits(&goes);
    let at_origin = VerifyRules {
        reserved: Vec::new(),
        ..open()
    };
    let mut has_gone = false;
    for kind in kinds() {
        let (addressing, naming) = kind;
        let wanted = naming.goes(&goes, addressing);
        let sent = match send(&verified, &wire, kind, &mut keys) {
            Ok(sent) => sent,
            Err(Unsignable::Bucket)
                if endpoint(addressing).is_some() && is_no_label(&goes.bucket) =>
            {
                continue;
            }
            Err(Unsignable::PathChanged) if way >= 2 => continue,
            Err(Unsignable::NotAdmitted) if !within => continue,
            Err(fault) if wanted == Err(fault) => continue,
            Err(fault) => panic!("{fault}: {} {goes:?}", shown()),
        };
        has_gone = true;
        let shown = || format!("{} {}", shown(), sent.escape_ascii());
        let out = Head::parse(&sent).unwrap();
        let is = as_asked(read(&out, endpoint(addressing)), came.method);
        assert!(is.is_of_s3() && within, "{} {is:?}", shown());
        let wanted = wanted.unwrap_or_else(|fault| panic!("not {fault}: {}", shown()));
        assert_eq!(
            (&is.bucket, &is.key, &is.sources, is.operation),
            (
                &wanted.bucket,
                &wanted.key,
                &wanted.sources,
                wanted.operation
            ),
            "{}",
            shown()
        );
        // Once more, by what goes out; with the bucket in the path again.
        let path = [b"/".as_slice(), &is.bucket, out.path].concat();
        let path = if is.bucket.is_empty() {
            b"/".to_vec()
        } else {
            path
        };
        if is.method != out.method {
            continue;
        }
        let again = ClientRequest {
            path_with_plus: None,
            rewritten: endpoint(addressing).map(|_| Target {
                path: &path,
                query: out.query,
            }),
            ..out.request()
        };
        // It speaks of the clients' names.
        let grant = match naming {
            Naming::Same => allowance.grant(),
            _ => grant("all,CreateSession", ""),
        };
        let clients = Directory::with_grant(ORIGIN_KEY, ORIGIN_SECRET, grant);
        let answer = verify(&again, &clients, &at_origin, &mut keys, Timestamp(NOW));
        let operation = answer.map(|verified| verified.operation().name());
        assert_eq!(
            operation.map_err(|rejected| rejected.rejection),
            Ok(is.operation),
            "{}",
            shown()
        );
    }
    (way >= 2, has_gone)
}

/// nginx fills its cache by a GET where a HEAD came, whose answer the client gets.
fn as_asked(mut asked: Asked, came: &[u8]) -> Asked {
    if came == b"HEAD" && asked.method == b"GET" {
        asked.method = b"HEAD".to_vec();
        asked.name_operation();
    }
    asked
}

/// A file goes where the grant of a form's client lets it go. Whether it goes.
pub fn form_stays_within_its_grant(bytes: &[u8]) -> bool {
    let mut dice = Dice(bytes);
    let mut of_grant = dice.split(20);
    let bucket = dice.pick(&BUCKETS);
    let key = roll_key(&mut dice);
    let key = key + dice.pick(&["", "", "${filename}", "/${filename}"]);
    let allowance = Allowance::roll(&mut of_grant, "PostObject", bucket, &key);
    let path = spell_path(&mut dice, bucket, "");
    let mut sent = form::SampleForm {
        target: path.clone(),
        conditions: vec![
            serde_json::json!({ "bucket": bucket }).to_string(),
            r#"["starts-with","$key",""]"#.into(),
        ],
        disposition: format!(
            "; filename=\"{}\"",
            dice.pick(&["f.txt", "a.gz", "..", "x/y"])
        ),
        ..form::SampleForm::new(&key)
    };
    while dice.one_in(3) {
        let fields = [
            ("acl", "private"),
            ("acl", "public-read"),
            ("x-amz-storage-class", "STANDARD"),
            ("x-amz-grant-read", "id=1"),
            ("x-amz-unheard-of", "1"),
            ("x-amz-copy-source", "media/k"),
            ("X-Amz-Meta-A", "b"),
            ("bucket", bucket),
        ];
        let (name, value) = dice.pick(&fields);
        sent = sent.field(name, value);
    }
    // To another bucket, in another spelling, or just as it came.
    let other = dice.pick(&BUCKETS);
    let other = if dice.one_in(4) { other } else { bucket };
    let wire_path = match dice.one_in(2) || other != bucket {
        true => spell_path(&mut dice, other, ""),
        false => path.clone(),
    };
    let is_same = decode(wire_path.as_bytes(), false) == decode(path.as_bytes(), false);

    let text = sent.head();
    let shown = || format!("{allowance:?} {sent:?} to {wire_path}");
    let raw = Raw::new(&text);
    let Ok((decoder, stored)) = form::decode(&raw, &sent.body(), &[]) else {
        return false;
    };
    let head = decoder.head().unwrap().to_vec();
    let (clients, rules) = (
        Directory::with_grant(KEY, SECRET, allowance.grant()),
        open(),
    );
    let Ok(verified) = form::verdict_under(&raw, &decoder, &head, &clients, &rules, NOW) else {
        return false;
    };
    let mut keys = KeyCache::new(2);
    let wire = text.replacen(&sent.target, &format!("{wire_path} HTTP/1.1"), 1);
    let wire = wire.replace('\n', "\r\n") + "\r\n";
    let mut has_gone = false;
    for kind in kinds() {
        let (addressing, naming) = kind;
        let wanted = naming.name(bucket.as_bytes(), addressing);
        let mut out = match send(&verified, wire.as_bytes(), kind, &mut keys) {
            Ok(out) => out,
            Err(Unsignable::NotAdmitted) if !is_same => continue,
            Err(Unsignable::NoSuchBucket) if wanted.is_none() => continue,
            Err(Unsignable::Bucket)
                if endpoint(addressing).is_some() && is_no_label(bucket.as_bytes()) =>
            {
                continue;
            }
            Err(fault) => panic!("{fault}: {}", shown()),
        };
        has_gone = true;
        out.extend(&stored);
        let mut asked = form::read_sent(&out, endpoint(addressing));
        assert_eq!(Some(&asked.bucket), wanted.as_ref(), "{}", shown());
        asked.bucket = bucket.into();
        assert!(allowance.permits(&asked), "{} {asked:?}", shown());
        let name = sent.disposition.split('"').nth(1).unwrap();
        let names = [name, name.rsplit('/').next().unwrap()];
        let keys = names.map(|name| key.replace("${filename}", name).into_bytes());
        assert!(keys.contains(&asked.key), "{} {asked:?}", shown());
    }
    has_gone
}
