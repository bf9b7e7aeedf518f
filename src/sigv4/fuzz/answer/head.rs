//! Where answers lead.
use sigv4::*;
use url::{Host, Url};

use crate::setting::{BUCKET, CLIENT_HOST, LOCATION, ORIGIN_HOST, ORIGIN_SERVER, Setting};

const STATUSES: [u16; 16] = [
    0, 100, 101, 199, 200, 201, 204, 300, 301, 302, 303, 304, 307, 308, 404, 503,
];

// The choices are the status, which is the client's address, and whether it is the origin's host that has the bucket.
pub fn check(location: &[u8], kind: u8, setting: &Setting) {
    let status = STATUSES[usize::from(kind % 16)];
    let has = |bit: u8| kind >> bit & 1 == 1;
    let endpoint = Endpoint {
        domains: vec![
            Domain::Endpoint(CLIENT_HOST.as_bytes().into()),
            Domain::Endpoint(b"other.example".as_slice().into()),
        ],
        prefix: if has(4) { b"/s 3".as_slice() } else { b"" }.into(),
        ..Default::default()
    };
    let host = if has(5) {
        "media.s3.mydomain.com"
    } else {
        CLIENT_HOST
    };
    let address = endpoint.address(host.as_bytes()).expect("is known");
    let answer = AnswerHead {
        address: &address,
        status,
        location: Some(location),
        has_more_locations: false,
        names: &setting.names,
        bucket_in_host: has(6).then_some(BUCKET.as_bytes()),
        url_of_new: has(7).then_some(LOCATION),
    };
    let hosts = [ORIGIN_HOST, ORIGIN_SERVER].map(str::as_bytes).into_iter();
    let base = Url::parse(&format!("http://{host}/media/a")).unwrap();
    // With other letters than ASCII's, it would be the tables of what all those are in a host that are explored.
    let leads_to = |location: &[u8]| {
        let text = str::from_utf8(location).ok()?;
        base.join(Some(text).filter(|text| text.is_ascii())?).ok()
    };
    let is_redirect = (300..=308).contains(&status) && status != 304;
    match judge(&answer, hosts.clone()) {
        Verdict::Reject(why) => {
            assert!(status < 200 || is_redirect, "{why:?}");
            assert_eq!(why == WhyRejected::NoAnswer, status < 200 && status != 101);
        }
        Verdict::RemoveLocation => assert!(status >= 200),
        Verdict::Pass => {
            assert!(status >= 200);
            let is_lead_there = leads_to(location).is_some_and(|url| is_origins(&url));
            assert!(!is_lead_there, "{}", location.escape_ascii());
        }
        Verdict::Relocate(place) => {
            let text = place.escape_ascii();
            assert!(
                place.len() <= location.len() + LOCATION.len() + "/s%203".len(),
                "{text}"
            );
            let is_new = (200..300).contains(&status);
            assert!(is_new || is_redirect, "{text}");
            if place != LOCATION.as_bytes() {
                assert!(place.starts_with(b"/"), "{text}");
                let there = leads_to(&place);
                let is_here = |url: &Url| url.host_str() == base.host_str();
                assert!(there.as_ref().is_none_or(is_here), "{text}");
            }
        }
    }
    // What leads there by a name has that in it.
    if let Some(url) = leads_to(location)
        && is_origins(&url)
        && matches!(url.host(), Some(Host::Domain(_)))
    {
        assert!(mentions_origin(location, hosts), "{url}");
    }
}

/// Whether it leads to an origin: to its address, or to its domain.
fn is_origins(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            name == "origin.example" || name.ends_with(".origin.example")
        }
        Some(Host::Ipv4(address)) => address.octets() == [10, 0, 0, 5],
        Some(Host::Ipv6(address)) => address
            .to_ipv4_mapped()
            .is_some_and(|v4| v4.octets() == [10, 0, 0, 5]),
        None => false,
    }
}
