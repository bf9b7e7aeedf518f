//! Calls of the Security Token Service, of any text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sts::*;

// A line with the query, then the body.
fuzz_target!(|input: &[u8]| {
    let end = input.iter().position(|byte| *byte == b'\n');
    let (query, body) = input.split_at(end.unwrap_or(input.len()));
    let body = body.get(1..).unwrap_or_default();
    let read = shown(Call::read(query, body));
    // Wherever a parameter stands, it is the same one.
    let joined = [query, b"&", body].concat();
    assert_eq!(read, shown(Call::read(&joined, b"")));
    assert_eq!(read, shown(Call::read(b"", &joined)));
    if read.is_ok() {
        let twice = [&joined[..], b"&", &joined].concat();
        let fault = shown(Call::read(b"", &twice)).unwrap_err();
        assert_eq!(fault, FaultKind::MalformedQueryString.code());
    }
});

fn shown(read: Result<Call, UnreadableCall>) -> Result<String, &'static str> {
    let call = read.map_err(|UnreadableCall { fault, operation }| {
        assert!(operation.is_none_or(|operation| OPERATIONS.contains(&operation)));
        assert!(!fault.message.is_empty() && fault.xml("r").ends_with("</ErrorResponse>\n"));
        fault.kind.code()
    })?;
    let is_session = |name: &str| (2..=64).contains(&name.len()) && name.is_ascii();
    let is_duration =
        |seconds: Option<i64>| seconds.is_none_or(|seconds| (900..=43_200).contains(&seconds));
    match &call {
        Call::AssumeRole(call) => {
            assert!(call.session.as_deref().is_none_or(is_session));
            assert!(call.role.is_none() || call.session.is_some());
            assert!(is_duration(call.duration));
        }
        Call::AssumeRoleWithWebIdentity(call) => {
            assert!(is_session(&call.session) && is_duration(call.duration));
            assert!((1..=MAX_TOKEN).contains(&call.token.len()));
            return Ok(format!("{call:?} {}", *call.token));
        }
        Call::GetCallerIdentity => {}
    }
    Ok(format!("{call:?}"))
}
