//! AWS's signing test suite, read at test time from the source of the `aws-sigv4` crate.
//!
//! Its service is `service`, which only the parts below the parsers know; so the cases run on the
//! canonicaliser, the string to sign and the key derivation themselves.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{
    canonical,
    crypto::hex::hex,
    date::AmzDate,
    keys::SigningKey,
    region::Region,
    request::Header,
    scope::ScopeText,
    text::query::Query,
    text::uri::{self, Part},
};

#[test]
fn all_cases() {
    let mut run = 0;
    let mut other_form = Vec::new();
    let mut normalised = Vec::new();
    for entry in fs::read_dir(folder().join("aws-signing-test-suite/v4")).unwrap() {
        let folder = entry.unwrap().path();
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        if !folder.join("context.json").exists() {
            other_form.push(name);
            continue;
        }
        let case = Case::read(&folder, name);
        if case.normalises() {
            normalised.push(case.name.clone());
        }
        case.run("header");
        case.run("query");
        run += 1;
    }
    normalised.sort();
    other_form.sort();
    assert_eq!(run, 38);
    // Two are no requests to sign but checks of a double encoding, which S3 does not have.
    assert_eq!(other_form, ["double-encode-path", "double-url-encode"]);
    // S3 normalises no path; these are fed with what normalising makes of theirs.
    assert_eq!(
        normalised,
        [
            "get-relative-normalized",
            "get-relative-relative-normalized",
            "get-slash-dot-slash-normalized",
            "get-slash-normalized",
            "get-slash-pointless-dot-normalized",
            "get-slashes-normalized",
        ]
    );
}

fn folder() -> PathBuf {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version",
            "1",
            "--locked",
            "--manifest-path",
        ])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let package = packages
        .iter()
        .find(|package| package["name"] == "aws-sigv4")
        .unwrap();
    Path::new(package["manifest_path"].as_str().unwrap())
        .parent()
        .unwrap()
        .to_owned()
}

struct Case {
    name: String,
    folder: PathBuf,
    context: Value,
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Case {
    fn read(folder: &Path, name: String) -> Case {
        let context = fs::read_to_string(folder.join("context.json")).unwrap();
        let request = fs::read_to_string(folder.join("request.txt")).unwrap();
        let (head, body) = request.split_once("\n\n").unwrap_or((&request, ""));
        let (request_line, lines) = head.split_once('\n').unwrap();
        let (method, target) = request_line.split_once(' ').unwrap();
        let target = target.strip_suffix(" HTTP/1.1").unwrap();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut headers = Vec::<(String, String)>::new();
        for line in lines.lines() {
            match line.split_once(':') {
                Some((name, value)) if !line.starts_with(' ') => {
                    headers.push((name.into(), value.into()));
                }
                // A folded header, which a server would have unfolded.
                _ => headers.last_mut().unwrap().1 += &format!(" {}", line.trim()),
            }
        }
        Case {
            name,
            folder: folder.into(),
            context: serde_json::from_str(&context).unwrap(),
            method: method.into(),
            path: path.into(),
            query: query.into(),
            headers,
            body: body.into(),
        }
    }

    /// Whether normalising changes the path.
    fn normalises(&self) -> bool {
        self.context["normalize"] == true && self.normalised() != self.path
    }

    /// Returns the path without `.`, `..` and empty segments (RFC 3986 section 5.2.4).
    fn normalised(&self) -> String {
        let mut kept = Vec::new();
        for segment in self.path.split('/') {
            match segment {
                "" | "." => {}
                ".." => drop(kept.pop()),
                other => kept.push(other),
            }
        }
        let end = if self.path.ends_with('/') && !kept.is_empty() {
            "/"
        } else {
            ""
        };
        format!("/{}{end}", kept.join("/"))
    }

    fn run(&self, form: &str) {
        let text = |name: &str| self.context[name].as_str().unwrap().to_owned();
        let secret = |name: &str| self.context["credentials"][name].as_str();
        let token = secret("token");
        let signs_token = token.filter(|_| self.context["omit_session_token"] != true);
        let stamp = text("timestamp").replace(['-', ':'], "");
        let date = AmzDate::parse(stamp.as_bytes()).unwrap();
        let region = Region::parse(text("region").as_bytes()).unwrap();
        let scope = ScopeText::new(date.day(), &region, b"service");
        let secret_key = secret("secret_access_key").unwrap();
        let mut key = SigningKey::derive(secret_key.as_bytes(), scope);
        let body_hash = hex(&Sha256::digest(&self.body).into());
        let body_hash = std::str::from_utf8(&body_hash).unwrap();

        let mut headers = self.headers.clone();
        let mut query = self.query.clone();
        let signs_body = self.context["sign_body"] == true;
        if form == "header" {
            headers.push(("X-Amz-Date".into(), stamp.clone()));
            if signs_body {
                headers.push(("x-amz-content-sha256".into(), body_hash.into()));
            }
            if let Some(token) = signs_token {
                headers.push(("X-Amz-Security-Token".into(), token.into()));
            }
        }
        // Stable, so that repeated headers keep their order.
        headers.sort_by_key(|(name, _)| name.to_lowercase());
        let list: Vec<_> = headers
            .iter()
            .map(|(name, value)| Header {
                name: name.as_bytes(),
                value: value.as_bytes(),
            })
            .collect();
        if form == "query" {
            let scope = key.scope().as_bytes().to_vec();
            let mut names = Vec::new();
            canonical::put_names(&mut names, list.iter().copied());
            let credential = format!(
                "{}/{}",
                secret("access_key_id").unwrap(),
                String::from_utf8(scope).unwrap()
            );
            for (name, value) in [
                ("X-Amz-Algorithm", Some("AWS4-HMAC-SHA256")),
                ("X-Amz-Credential", Some(credential.as_str())),
                ("X-Amz-Date", Some(stamp.as_str())),
                (
                    "X-Amz-Expires",
                    Some(self.context["expiration_in_seconds"].to_string().as_str()),
                ),
                ("X-Amz-Security-Token", signs_token),
                (
                    "X-Amz-SignedHeaders",
                    Some(std::str::from_utf8(&names).unwrap()),
                ),
            ] {
                let Some(value) = value else { continue };
                let mut encoded = Vec::new();
                uri::put_encoded(&mut encoded, value.as_bytes(), Part::Query);
                query += &format!("&{name}={}", String::from_utf8(encoded).unwrap());
            }
        }
        let path = if self.normalises() {
            self.normalised()
        } else {
            self.path.clone()
        };
        let mut room = crate::text::query::Parameters::new();
        let query = Query::parse(query.as_bytes(), &mut room).unwrap();
        let mut request = Vec::new();
        canonical::put_request(
            &mut request,
            self.method.as_bytes(),
            |sink| uri::put_canonical(sink, path.as_bytes(), Part::Path),
            |sink| query.put_signed(sink),
            |sink| canonical::put_headers(sink, list.iter().copied()),
            |sink| canonical::put_names(sink, list.iter().copied()),
            body_hash.as_bytes(),
        );
        let mut to_sign = Vec::new();
        let hash = Sha256::digest(&request).into();
        canonical::put_string_to_sign(&mut to_sign, &date, key.scope(), &hash);
        let mut signature = Vec::new();
        key.sign_request(&date, &hash).put(&mut signature);

        for (file, ours) in [
            ("canonical-request", request.as_slice()),
            ("string-to-sign", &to_sign),
            ("signature", &signature),
        ] {
            let file = self.folder.join(format!("{form}-{file}.txt"));
            let theirs = fs::read_to_string(&file).unwrap();
            let ours = String::from_utf8_lossy(ours);
            assert_eq!(ours, theirs.trim_end_matches('\n'), "{} {form}", self.name);
        }
    }
}
