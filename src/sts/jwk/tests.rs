#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;

const TEXT: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

/// RFC 7515 appendix A.2.
const RSA: &str = r#"{"kty": "RSA", "e": "AQAB", "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ""#;
const RSA_SIGNATURE: &str = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";

/// RFC 7515 appendix A.3.
const EC: &str = r#"{"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0""#;
const EC_SIGNATURE: &str =
    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";

/// RFC 8037 appendix A.4.
const ED: &str =
    r#"{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo""#;
const ED_TEXT: &str = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
const ED_SIGNATURE: &str =
    "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";

struct Vector {
    key: &'static str,
    algorithm: Algorithm,
    text: String,
    signature: Vec<u8>,
}

fn vectors() -> [Vector; 3] {
    let vector = |key, algorithm, text: String, signature| Vector {
        key,
        algorithm,
        text,
        signature: Base64UrlUnpadded::decode_vec(signature).unwrap(),
    };
    [
        vector(
            RSA,
            Algorithm::Rs256,
            format!("eyJhbGciOiJSUzI1NiJ9.{TEXT}"),
            RSA_SIGNATURE,
        ),
        vector(
            EC,
            Algorithm::Es256,
            format!("eyJhbGciOiJFUzI1NiJ9.{TEXT}"),
            EC_SIGNATURE,
        ),
        vector(ED, Algorithm::EdDsa, ED_TEXT.into(), ED_SIGNATURE),
    ]
}

fn set(keys: &[String]) -> Result<JwkSet, JwkSetFault> {
    JwkSet::parse(format!("{{\"keys\": [{}]}}", keys.join(", ")).as_bytes())
}

/// Makes a key of its beginning.
fn key(begin: &str, more: &str) -> String {
    format!("{begin}{more}}}")
}

#[test]
fn examples_of_the_standards() {
    for vector in vectors() {
        let Vector {
            text, signature, ..
        } = &vector;
        let set = set(&[key(vector.key, "")]).unwrap();
        let verify =
            |text: &[u8], signature: &[u8]| set.verify(vector.algorithm, None, text, signature);
        assert_eq!(verify(text.as_bytes(), signature), Verified::Yes);
        for at in 0..text.len() {
            let mut other = text.clone().into_bytes();
            other[at] ^= 1;
            assert_eq!(verify(&other, signature), Verified::No);
        }
        for at in 0..signature.len() {
            let mut other = signature.clone();
            other[at] ^= 1;
            assert_eq!(verify(text.as_bytes(), &other), Verified::No);
        }
        for other in [&[], &signature[1..], &[&[0], &signature[..]].concat()[..]] {
            assert_eq!(verify(text.as_bytes(), other), Verified::No);
        }
    }
}

#[test]
fn a_key_is_of_one_algorithm() {
    let all = vectors();
    for vector in &all {
        for other in &all {
            let set = set(&[key(other.key, ", \"kid\": \"a\"")]).unwrap();
            for kid in [None, Some("a")] {
                let text = vector.text.as_bytes();
                let verified = set.verify(vector.algorithm, kid, text, &vector.signature);
                let expected = match vector.key == other.key {
                    true => Verified::Yes,
                    false => Verified::No,
                };
                assert_eq!(verified, expected);
            }
        }
    }
}

#[test]
fn keys_are_found_by_name() {
    let [rsa, ec, ed] = vectors();
    let named = |vector: &Vector, kid| key(vector.key, &format!(", \"kid\": \"{kid}\""));
    let nameless = key(ed.key, "");
    let set = set(&[named(&rsa, "1"), named(&ec, "1"), named(&ec, "2"), nameless]).unwrap();
    let verify = |vector: &Vector, kid| {
        let text = vector.text.as_bytes();
        set.verify(vector.algorithm, kid, text, &vector.signature)
    };
    for (vector, kid, expected) in [
        (&rsa, Some("1"), Verified::Yes),
        (&ec, Some("1"), Verified::Yes),
        (&ec, Some("2"), Verified::Yes),
        (&rsa, Some("2"), Verified::No),
        (&ed, Some("1"), Verified::No),
        (&ed, Some(""), Verified::UnknownKey),
        (&ed, Some("3"), Verified::UnknownKey),
        (&rsa, None, Verified::Yes),
        (&ec, None, Verified::Yes),
        (&ed, None, Verified::Yes),
    ] {
        assert_eq!(verify(vector, kid), expected, "{kid:?}");
    }
}

/// As many as are tried, and one more.
#[test]
fn few_keys_are_tried() {
    let [_, ec, ed] = vectors();
    let other = |at: usize| {
        let key = format!("{ED}, \"kid\": \"{at}\"}}");
        // A key of someone else's: its last digit is another one.
        key.replace("URo", &format!("U{}o", char::from(b'A' + at as u8)))
    };
    for (before, expected) in [(MAX_TRIED - 1, Verified::Yes), (MAX_TRIED, Verified::No)] {
        let mut keys: Vec<String> = (0..before).map(other).collect();
        // Those of another kind are not tried, so they do not count.
        keys.splice(0..0, vec![key(ec.key, ""); 20]);
        keys.push(key(ed.key, ""));
        let set = set(&keys).unwrap();
        let verified = set.verify(ed.algorithm, None, ed.text.as_bytes(), &ed.signature);
        assert_eq!(verified, expected, "{before}");
    }
}

#[test]
fn keys_that_are_of_no_use() {
    let usable = [
        key(RSA, ""),
        key(
            RSA,
            ", \"alg\": \"RS256\", \"use\": \"sig\", \"key_ops\": [\"sign\", \"verify\"]",
        ),
        key(EC, ", \"alg\": \"ES256\", \"x5c\": [1], \"d\": null"),
        key(ED, ", \"alg\": \"EdDSA\""),
        key(ED, ", \"alg\": \"Ed25519\""),
        // Some write a leading zero.
        key(&RSA.replace("\"AQAB\"", "\"AAEAAQ\""), ""),
    ];
    for text in &usable {
        assert_eq!(set(std::slice::from_ref(text)).unwrap().keys(), 1, "{text}");
    }
    let n = RSA.rsplit('"').nth(1).unwrap();
    let short = Base64UrlUnpadded::encode_string(&[0xff; 255]);
    let less = Base64UrlUnpadded::encode_string(&[&[0x7f], &[0xff; 255][..]].concat());
    let long = Base64UrlUnpadded::encode_string(&[0xff; 1_025]);
    let useless = [
        "{}".into(),
        "{\"kty\": \"oct\", \"k\": \"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ\"}".into(),
        "{\"kty\": \"RSA\"}".into(),
        key(RSA, ", \"alg\": \"RS512\""),
        key(RSA, ", \"alg\": \"PS256\""),
        key(RSA, ", \"alg\": \"HS256\""),
        key(RSA, ", \"alg\": null"),
        key(RSA, ", \"use\": \"enc\""),
        key(RSA, ", \"use\": [\"sig\"]"),
        key(RSA, ", \"key_ops\": [\"encrypt\"]"),
        key(RSA, ", \"key_ops\": \"verify\""),
        key(RSA, ", \"kid\": 1"),
        key(&RSA.replace(n, &short), ""),
        key(&RSA.replace(n, &less), ""),
        key(&RSA.replace(n, &long), ""),
        key(&RSA.replace(n, ""), ""),
        key(&RSA.replace(n, "AAAA"), ""),
        key(&RSA.replace(n, &format!("{n}==")), ""),
        key(&RSA.replace("\"RSA\"", "\"rsa\""), ""),
        key(&EC.replace("P-256", "P-384"), ""),
        key(&EC.replace("P-256", "secp256k1"), ""),
        key(&EC.replace("\"x\": \"f8", "\"x\": \""), ""),
        key(&EC.replace("\"x\": \"f83O", "\"x\": \"f83OAAAA"), ""),
        key(EC, ", \"alg\": \"ES384\""),
        key(&ED.replace("Ed25519", "X25519"), ""),
        key(&ED.replace("Ed25519", "Ed448"), ""),
        key(&ED.replace("11qY", ""), ""),
    ];
    for text in &useless {
        assert_eq!(
            set(std::slice::from_ref(text)),
            Err(JwkSetFault::NoUsableKey),
            "{text}"
        );
        assert_eq!(set(&[text.clone(), usable[0].clone()]).unwrap().keys(), 1);
    }
}

#[test]
fn what_is_no_set() {
    let rsa = key(RSA, "");
    for (text, fault) in [
        (String::new(), JwkSetFault::Json),
        ("[]".into(), JwkSetFault::Json),
        (format!("{{\"keys\": [{rsa}]}} x"), JwkSetFault::Json),
        (
            format!("{{\"keys\": [{rsa}], \"keys\": []}}"),
            JwkSetFault::Json,
        ),
        (
            format!("{{\"keys\": [{}]}}", key(RSA, ", \"kty\": \"RSA\"")),
            JwkSetFault::Json,
        ),
        ("{\"keys\": ".repeat(20_000), JwkSetFault::TooLong),
        ("[".repeat(60_000), JwkSetFault::Json),
        ("{}".into(), JwkSetFault::NoKeys),
        ("{\"keys\": {}}".into(), JwkSetFault::NoKeys),
        (format!("{{\"keys\": [{rsa}, 1]}}"), JwkSetFault::NoKeys),
        ("{\"keys\": []}".into(), JwkSetFault::NoUsableKey),
        (
            format!("{{\"keys\": [{}]}}", vec![key(ED, ""); 65].join(", ")),
            JwkSetFault::TooLong,
        ),
    ] {
        assert_eq!(JwkSet::parse(text.as_bytes()), Err(fault), "{text:.80}");
    }
    assert_eq!(set(&vec![key(ED, ""); 64]).unwrap().keys(), 64);
}
