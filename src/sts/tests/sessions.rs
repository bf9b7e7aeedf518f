//! Keys that are minted: never more than their role, their parent and their issuer, and what is answered with them.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::*;
use sigv4::*;
use sts::*;

fn account(name: &str) -> Account {
    Account::parse(name.as_bytes()).unwrap()
}

fn web_role(allow: &str, lifetime: i64, account: Option<Account>) -> Role {
    let conditions = vec![Condition::parse(b"sub:*").unwrap()];
    let trust = WebIdentityTrust::new(ISSUER, &[AUDIENCE], conditions, account).unwrap();
    Role::new(
        "deploy",
        scope(allow, ""),
        lifetime,
        Trust::WebIdentity(trust),
    )
    .unwrap()
}

fn client_role(allow: &str, buckets: &str, lifetime: i64) -> Role {
    Role::new("narrow", scope(allow, buckets), lifetime, Trust::Clients).unwrap()
}

fn web_call(duration: Option<i64>) -> AssumeRoleWithWebIdentity {
    AssumeRoleWithWebIdentity {
        role: "deploy".into(),
        session: "pod-1".into(),
        duration,
        token: "a.b.c".to_owned().into(),
    }
}

fn client_call(role: Option<&str>, duration: Option<i64>) -> AssumeRole {
    AssumeRole {
        role: role.map(str::to_owned),
        session: Some("it".into()),
        duration,
    }
}

fn subject() -> Subject {
    Subject {
        issuer: ISSUER.into(),
        subject: "system:serviceaccount:a&b".into(),
        audience: AUDIENCE.into(),
    }
}

fn listed(allow: &str, buckets: &str) -> Client {
    let credential = Credential::new(b"AKLISTED", SecretKey::new(b"secret".to_vec()));
    Client::new(credential, scope(allow, buckets).grant().unwrap())
}

fn texts(client: &Client) -> Vec<String> {
    let text = |part: Option<&[u8]>| String::from_utf8(part.unwrap_or(b"-").to_vec()).unwrap();
    let scopes = client.grant.scopes();
    let limited = scopes.iter().filter(|scope| **scope != Scope::default());
    let texts = limited.map(|scope| format!("{} {}", text(scope.allow), text(scope.buckets)));
    texts.collect()
}

#[test]
fn a_key_for_a_token() {
    let issuer = issuer(scope("read,list", "").grant().unwrap());
    let (role, call) = (web_role("read", 7_200, None), web_call(None));
    let session = Session::of_subject(&role, &call, &subject()).unwrap();
    let (key, caller) = session.mint(&issuer, id(1), Timestamp(NOW)).unwrap();
    assert_eq!(key.expires, Timestamp(NOW + 3_600));
    let arn = "arn:aws:sts::000000000000:assumed-role/deploy/pod-1";
    assert_eq!(caller.arn, arn);
    let client = client(&issuer, &key);
    assert_eq!(texts(&client), ["read,list -", "read -"]);
    let lineage = client.lineage.as_deref().unwrap();
    assert_eq!(lineage.role.as_deref(), Some("deploy"));
    assert_eq!(lineage.session.as_deref(), Some("pod-1"));
    assert!(lineage.ancestors.is_empty());
    // Whoever asks who it is gets the same answer.
    assert_eq!(Caller::of(&client), caller);
    let xml = answer::assume_role_with_web_identity(&key, &caller, &subject(), "r-1");
    let expected = format!(
        "<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
         <AssumeRoleWithWebIdentityResult>\
         <SubjectFromWebIdentityToken>system:serviceaccount:a&amp;b</SubjectFromWebIdentityToken>\
         <Audience>{AUDIENCE}</Audience>\
         <AssumedRoleUser><AssumedRoleId>{}</AssumedRoleId><Arn>{arn}</Arn></AssumedRoleUser>\
         <Credentials><AccessKeyId>{}</AccessKeyId><SecretAccessKey>{}</SecretAccessKey>\
         <SessionToken>{}</SessionToken><Expiration>2026-05-28T21:34:56Z</Expiration></Credentials>\
         <Provider>{ISSUER}</Provider></AssumeRoleWithWebIdentityResult>\
         <ResponseMetadata><RequestId>r-1</RequestId></ResponseMetadata></AssumeRoleWithWebIdentityResponse>\n",
        caller.user_id, key.access_key, *key.secret_key, key.session_token
    );
    assert_eq!(*xml, expected);
    assert!(caller.user_id.starts_with("AROA") && caller.user_id.ends_with(":pod-1"));
    assert_eq!(caller.user_id.len(), 21 + ":pod-1".len());
}

#[test]
fn roles_are_for_whom_they_say() {
    let mut roles = Roles::default();
    roles.insert(web_role("read", 900, None)).unwrap();
    roles.insert(client_role("read", "", 900)).unwrap();
    assert_eq!(
        roles.insert(client_role("", "", 1)),
        Err(RoleFault::Duplicate)
    );
    assert!(roles.for_web_identity("deploy").is_ok());
    assert!(roles.for_client("narrow").is_ok());
    for name in ["narrow", "none", "", "path/deploy"] {
        let fault = roles.for_web_identity(name).unwrap_err();
        assert_eq!(fault.kind, FaultKind::AccessDenied, "{name}");
    }
    for name in ["deploy", "none", ""] {
        assert!(roles.for_client(name).is_err(), "{name}");
    }
    let role = client_role("read", "", 900);
    assert!(Session::of_subject(&role, &web_call(None), &subject()).is_none());
    for (name, lifetime, allow) in [
        ("a b", 900, ""),
        ("", 900, ""),
        ("a", 0, ""),
        ("a", 43_201, ""),
        ("a", 1, "reed"),
    ] {
        assert!(Role::new(name, scope(allow, ""), lifetime, Trust::Clients).is_err());
    }
}

#[test]
fn how_long_keys_live() {
    let issuer_of = |lifetime| {
        let secret = SecretKey::new(b"k3GmQ0Zr1vYt7sXw2LpNfHc9BdJu5TaE".to_vec());
        Issuer::new(b"sts", &secret, lifetime, Grant::default()).unwrap()
    };
    for (of_issuer, of_role, asked, expected) in [
        (43_200, 43_200, None, Some(3_600)),
        (43_200, 600, None, Some(600)),
        (1_800, 43_200, None, Some(1_800)),
        (43_200, 43_200, Some(43_200), Some(43_200)),
        (43_200, 3_600, Some(3_600), Some(3_600)),
        (43_200, 3_600, Some(3_601), None),
        (1_800, 3_600, Some(1_801), None),
        (43_200, 600, Some(900), None),
    ] {
        let role = web_role("read", of_role, None);
        let call = web_call(asked);
        let session = Session::of_subject(&role, &call, &subject()).unwrap();
        let minted = session.mint(&issuer_of(of_issuer), id(1), Timestamp(NOW));
        let lives = minted.as_ref().map(|(key, _)| key.expires.0 - NOW).ok();
        assert_eq!(lives, expected, "{of_issuer} {of_role} {asked:?}");
        if let Err(fault) = minted {
            assert_eq!(fault.kind, FaultKind::ValidationError);
        }
    }
    // Never longer than the key that it is made with.
    for (end, asked, expected) in [
        (None, None, 3_600),
        (Some(100), None, 100),
        (Some(100), Some(900), 100),
        (Some(9_000), None, 3_600),
    ] {
        let parent = Client {
            expires: end.map(|end| Timestamp(NOW + end)),
            ..listed("", "")
        };
        let call = client_call(None, asked);
        let session = Session::of_client(None, &call, &parent);
        let (key, _) = session
            .mint(&issuer_of(43_200), id(1), Timestamp(NOW))
            .unwrap();
        assert_eq!(key.expires.0 - NOW, expected);
    }
    let ended = Client {
        expires: Some(Timestamp(NOW)),
        ..listed("", "")
    };
    let call = client_call(None, None);
    let minted =
        Session::of_client(None, &call, &ended).mint(&issuer_of(900), id(1), Timestamp(NOW));
    assert_eq!(minted.unwrap_err().kind, FaultKind::ExpiredToken);
}

#[test]
fn a_key_for_a_key() {
    let issuer = issuer(Grant::default());
    let parent = listed("read,write", "media,logs/a*");
    let role = client_role("read", "media", 3_600);
    for (role, expected) in [
        (None, vec!["read,write media,logs/a*"]),
        (Some(&role), vec!["read media", "read,write media,logs/a*"]),
    ] {
        let call = client_call(role.map(Role::name), None);
        let (key, caller) = Session::of_client(role, &call, &parent)
            .mint(&issuer, id(1), Timestamp(NOW))
            .unwrap();
        let client = client(&issuer, &key);
        assert_eq!(texts(&client), expected);
        assert_eq!(Caller::of(&client), caller);
        let xml = answer::assume_role(&key, &caller, "r-1");
        assert!(xml.starts_with("<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult><AssumedRoleUser><AssumedRoleId>"));
        assert!(xml.contains(&format!("<Arn>{}</Arn>", caller.arn)));
    }
}

/// Whichever key of a chain is revoked, all that were made with it are.
#[test]
fn chains_are_revoked_as_a_whole() {
    let issuer = issuer(Grant::default());
    let role = web_role("read", 43_200, None);
    let (web, call) = (web_call(None), client_call(None, None));
    let session = Session::of_subject(&role, &web, &subject()).unwrap();
    let (mut key, _) = session.mint(&issuer, id(0), Timestamp(NOW)).unwrap();
    let mut chain = vec![];
    for number in 1..=9 {
        let parent = client(&issuer, &key);
        chain.push(key);
        // Each is made a second later; no clock of a proxy is as slow as that.
        let now = Timestamp(NOW + i64::from(number));
        let minted = Session::of_client(None, &call, &parent).mint(&issuer, id(number), now);
        match minted {
            Ok((next, _)) => key = next,
            Err(fault) => {
                assert_eq!((number, fault.kind), (9, FaultKind::AccessDenied));
                break;
            }
        }
    }
    assert_eq!(chain.len(), 9, "a key with eight ancestors");
    let is_revoked =
        |key: &MintedKey, revoked: &Revocations| match opened(&issuer, key, Some(revoked), NOW) {
            Ok(_) => false,
            Err(rejection) => {
                assert_eq!(rejection, Rejection::Revoked);
                true
            }
        };
    for at in 0..chain.len() {
        let mut revoked = Revocations::default();
        revoked.revoke(b"sts", id(at as u8));
        let mut before = Revocations::default();
        // The keys up to this one were minted before.
        before.revoke_before(b"sts", Timestamp(NOW + at as i64 + 1));
        let mut of_other = Revocations::default();
        of_other.revoke(b"other", id(at as u8));
        for (number, key) in chain.iter().enumerate() {
            assert_eq!(is_revoked(key, &revoked), number >= at, "{at} {number}");
            assert!(is_revoked(key, &before), "{at} {number}");
            assert!(!is_revoked(key, &of_other));
        }
    }
    let mut before = Revocations::default();
    before.revoke_before(b"sts", Timestamp(NOW));
    assert!(!is_revoked(&chain[8], &before));
}

#[test]
fn accounts() {
    let (a, b) = (account("a"), account("123456789012"));
    let issuers = [
        IssuerAccount::One(None),
        IssuerAccount::One(Some(a.clone())),
        IssuerAccount::Any,
    ];
    let web = web_call(None);
    let call = client_call(None, None);
    // Whom the key is for, and its account with each of the issuers; a fault if there is none.
    for (of_role, of_parent, expected) in [
        (None, None, [Some(None), Some(Some(&a)), Some(None)]),
        (Some(&a), None, [None, Some(Some(&a)), Some(Some(&a))]),
        (Some(&b), None, [None, None, Some(Some(&b))]),
        (None, Some(None), [Some(None), None, Some(None)]),
        (None, Some(Some(&a)), [None, Some(Some(&a)), Some(Some(&a))]),
        (None, Some(Some(&b)), [None, None, Some(Some(&b))]),
    ] {
        let role = web_role("", 900, of_role.cloned());
        let parent = of_parent.map(|account| Client {
            account: account.cloned(),
            ..listed("", "")
        });
        for (of_issuer, expected) in issuers.iter().zip(expected) {
            let minting = issuer(Grant::default()).with_account(of_issuer.clone());
            let session = match &parent {
                Some(parent) => Session::of_client(None, &call, parent),
                None => Session::of_subject(&role, &web, &subject()).unwrap(),
            };
            let minted = session.mint(&minting, id(1), Timestamp(NOW));
            let Some(expected) = expected else {
                assert_eq!(minted.unwrap_err().kind, FaultKind::AccessDenied);
                continue;
            };
            let (key, caller) = minted.unwrap();
            let client = client(&minting, &key);
            assert_eq!(client.account.as_ref(), expected);
            assert_eq!(Caller::of(&client), caller);
            let number = if expected == Some(&b) {
                "123456789012"
            } else {
                "000000000000"
            };
            assert_eq!(caller.account, number);
            // An issuer of other accounts does not open it, but for a key that names none itself.
            for other in &issuers {
                let opening = issuer(Grant::default()).with_account(other.clone());
                let found = opened(&opening, &key, None, NOW);
                let names_none = of_role.is_none() && parent.is_none();
                let may = match other {
                    IssuerAccount::Any => true,
                    IssuerAccount::One(account) => names_none || account.as_ref() == expected,
                };
                match found {
                    Ok(client) if may => {
                        assert!(names_none || client.account.as_ref() == expected);
                    }
                    Err(rejection) if !may => assert_eq!(rejection, Rejection::InvalidToken),
                    other => panic!("{other:?}"),
                }
            }
        }
    }
}

#[test]
fn callers() {
    let mut client = listed("", "");
    let expected = Caller {
        account: "000000000000".into(),
        arn: "arn:aws:iam::000000000000:user/AKLISTED".into(),
        user_id: "AKLISTED".into(),
    };
    assert_eq!(Caller::of(&client), expected);
    for (name, number) in [
        ("12345678901", "000000000000"),
        ("123456789012", "123456789012"),
        ("tenant", "000000000000"),
    ] {
        client.account = Some(account(name));
        assert_eq!(Caller::of(&client).account, number);
    }
    // One that sign_s3 has minted.
    let issuer = issuer(Grant::default());
    let (now, end) = (Timestamp(NOW), Timestamp(NOW + 60));
    let key = issuer.mint(Scope::default(), id(1), now, end).unwrap();
    let caller = Caller::of(&common::client(&issuer, &key));
    let arn = format!("arn:aws:sts::000000000000:federated-user/{}", key.id);
    assert_eq!(caller.arn, arn);
    assert_eq!(caller.user_id, format!("000000000000:{}", key.id));
    let xml = answer::caller_identity(&caller, "r");
    let expected = format!(
        "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
         <Arn>{arn}</Arn><UserId>000000000000:{}</UserId><Account>000000000000</Account></GetCallerIdentityResult>\
         <ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></GetCallerIdentityResponse>\n",
        key.id
    );
    assert_eq!(*xml, expected);
}

#[test]
fn what_has_no_room() {
    let issuer = issuer(Grant::default());
    let buckets = vec!["a-bucket-with-quite-a-long-name"; 60].join(",");
    let parent = listed("", &buckets);
    let call = client_call(None, None);
    let minted = Session::of_client(None, &call, &parent).mint(&issuer, id(1), Timestamp(NOW));
    assert_eq!(minted.unwrap_err().kind, FaultKind::PackedPolicyTooLarge);
}
