//! Parameters of a call, from its query and its body.
use percent_encoding::percent_decode;
use zeroize::Zeroizing;

use crate::fault::{Fault, FaultKind};

/// The parameters that are read here; all others are ignored, as AWS does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parameter {
    Action,
    DurationSeconds,
    Policy,
    ProviderId,
    RoleArn,
    RoleSessionName,
    Version,
    WebIdentityToken,
}

impl Parameter {
    const ALL: [(&'static str, Parameter); 8] = [
        ("Action", Parameter::Action),
        ("DurationSeconds", Parameter::DurationSeconds),
        ("Policy", Parameter::Policy),
        ("ProviderId", Parameter::ProviderId),
        ("RoleArn", Parameter::RoleArn),
        ("RoleSessionName", Parameter::RoleSessionName),
        ("Version", Parameter::Version),
        ("WebIdentityToken", Parameter::WebIdentityToken),
    ];

    fn named(name: &str) -> Option<Parameter> {
        let mut all = Parameter::ALL.into_iter();
        all.find(|(known, _)| *known == name).map(|(_, it)| it)
    }

    pub(crate) fn name(self) -> &'static str {
        let mut all = Parameter::ALL.into_iter();
        all.find(|(_, it)| *it == self).map_or("", |(name, _)| name)
    }
}

/// Parameters, decoded; wiped when dropped, since a token may be among them.
#[derive(Default)]
pub(crate) struct Form {
    values: [Option<Zeroizing<String>>; Parameter::ALL.len()],
    /// There are `PolicyArns.member.N.arn`.
    pub(crate) has_policy_arns: bool,
}

impl Form {
    /// Reads a query and a body in `application/x-www-form-urlencoded`.
    pub(crate) fn read(query: &[u8], body: &[u8]) -> Result<Form, Fault> {
        let mut form = Form::default();
        for part in [query, body] {
            let pairs = part.split(|byte| *byte == b'&');
            for pair in pairs.filter(|pair| !pair.is_empty()) {
                form.put(pair)?;
            }
        }
        Ok(form)
    }

    fn put(&mut self, pair: &[u8]) -> Result<(), Fault> {
        let equals = pair.iter().position(|byte| *byte == b'=');
        let (name, value) = pair.split_at(equals.unwrap_or(pair.len()));
        let name = decoded(name)?;
        self.has_policy_arns |= name.starts_with("PolicyArns");
        let Some(parameter) = Parameter::named(&name) else {
            return Ok(());
        };
        let value = decoded(value.get(1..).unwrap_or_default())?;
        let place = self.values.get_mut(parameter as usize);
        if place.is_some_and(|place| place.replace(value).is_some()) {
            return Err(Fault::new(
                FaultKind::MalformedQueryString,
                format!("The parameter {} is there twice.", parameter.name()),
            ));
        }
        Ok(())
    }

    /// Takes a parameter. An empty one is as good as none.
    pub(crate) fn take(&mut self, parameter: Parameter) -> Option<Zeroizing<String>> {
        let value = self.values.get_mut(parameter as usize)?.take()?;
        (!value.is_empty()).then_some(value)
    }
}

/// Decodes a name or a value; a `+` stands for a space.
fn decoded(text: &[u8]) -> Result<Zeroizing<String>, Fault> {
    let malformed = || {
        Fault::new(
            FaultKind::MalformedQueryString,
            "The query string contains a syntax error.",
        )
    };
    let mut pieces = text.split(|byte| *byte == b'%');
    pieces.next();
    let is_digits = |digits: &[u8]| digits.iter().all(u8::is_ascii_hexdigit);
    if !pieces.all(|piece| piece.get(..2).is_some_and(is_digits)) {
        return Err(malformed());
    }
    // Of one size from the beginning: what grows leaves a copy behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
    for part in text.split_inclusive(|byte| *byte == b'+') {
        let (plain, space) = match part.strip_suffix(b"+") {
            Some(plain) => (plain, true),
            None => (part, false),
        };
        bytes.extend(percent_decode(plain));
        if space {
            bytes.push(b' ');
        }
    }
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(_) => Err(malformed()),
    }
}
