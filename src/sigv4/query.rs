//! The query string, split and in canonical order.
use std::cmp::Ordering;

use arrayvec::ArrayVec;

use crate::{
    sink::Sink,
    uri::{self, Part},
};

/// The most query parameters a request may have.
pub(crate) const MAX_PARAMETERS: usize = 128;

/// Why a query cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum QueryFault {
    /// More than 128 parameters, or 64 KiB of them.
    TooMany,
    Escape,
}

/// What a parameter is to a signature. Names are compared as decoded, those of V4 in any case, so
/// that no spelling of one can slip through to an origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Role {
    Algorithm,
    ContentSha256,
    Credential,
    Date,
    Expires,
    SecurityToken,
    SignedHeaders,
    Signature,
    V2AccessKey,
    V2Expires,
    V2Signature,
    Other,
}

/// The only spellings in which the parameters of a signature are accepted; V4's first.
const SPELLINGS: [(&[u8], Role); 11] = [
    (b"X-Amz-Algorithm", Role::Algorithm),
    (b"X-Amz-Content-Sha256", Role::ContentSha256),
    (b"X-Amz-Credential", Role::Credential),
    (b"X-Amz-Date", Role::Date),
    (b"X-Amz-Expires", Role::Expires),
    (b"X-Amz-Security-Token", Role::SecurityToken),
    (b"X-Amz-SignedHeaders", Role::SignedHeaders),
    (b"X-Amz-Signature", Role::Signature),
    (b"AWSAccessKeyId", Role::V2AccessKey),
    (b"Expires", Role::V2Expires),
    (b"Signature", Role::V2Signature),
];

impl Role {
    fn spelled(name: &[u8]) -> Option<Role> {
        let (_, role) = SPELLINGS.iter().find(|(spelling, _)| *spelling == name)?;
        Some(*role)
    }

    fn disguised(name: &[u8]) -> Role {
        // One byte more than the longest.
        let name: ArrayVec<u8, 21> = uri::decoded(name, Part::Query).take(21).collect();
        let is_v4 = |role: &Role| {
            !matches!(
                role,
                Role::V2AccessKey | Role::V2Expires | Role::V2Signature
            )
        };
        let found = SPELLINGS.iter().find(|(spelling, role)| {
            **spelling == *name || is_v4(role) && spelling.eq_ignore_ascii_case(&name)
        });
        found.map_or(Role::Other, |(_, role)| *role)
    }

    fn bit(self) -> u16 {
        1 << self as u8
    }
}

/// One parameter, as offsets into the raw query.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parameter {
    start: u16,
    /// Where the name ends: at the `=`, or at `end` without one.
    equals: u16,
    end: u16,
    /// Name and value are in canonical form as they are.
    canonical: bool,
    role: Role,
}

/// Room for the parameters of a query, lent to it so that it need not be moved with it.
pub(crate) type Parameters = ArrayVec<Parameter, MAX_PARAMETERS>;

/// A query in canonical order: by encoded name, then by encoded value.
pub(crate) struct Query<'s, 'a> {
    raw: &'a [u8],
    parameters: &'s [Parameter],
    /// V4's, raw; it is not among the parameters, since it is not signed itself.
    signature: Option<&'a [u8]>,
    roles: u16,
    ambiguous: bool,
    canonical: bool,
}

impl<'s, 'a> Query<'s, 'a> {
    pub(crate) const NONE: Query<'static, 'static> = Query {
        raw: b"",
        parameters: &[],
        signature: None,
        roles: 0,
        ambiguous: false,
        canonical: true,
    };

    pub(crate) fn parse(
        raw: &'a [u8],
        room: &'s mut Parameters,
    ) -> Result<Query<'s, 'a>, QueryFault> {
        Query::read(raw, room, |_| true)
    }

    /// Leaves the signature's parameters out.
    pub(crate) fn parse_others(
        raw: &'a [u8],
        room: &'s mut Parameters,
    ) -> Result<Query<'s, 'a>, QueryFault> {
        Query::read(raw, room, |role| role == Role::Other)
    }

    #[inline(always)]
    fn read(
        raw: &'a [u8],
        room: &'s mut Parameters,
        keep: impl Fn(Role) -> bool,
    ) -> Result<Query<'s, 'a>, QueryFault> {
        // Offsets are 16 bits wide.
        if u16::try_from(raw.len()).is_err() {
            return Err(QueryFault::TooMany);
        }
        if raw.is_empty() {
            return Ok(Query::NONE);
        }
        room.clear();
        let mut query = Query { raw, ..Query::NONE };
        let mut rest = raw;
        while !rest.is_empty() {
            let start = raw.len() - rest.len();
            let name = uri::scan(rest, b"=&").ok_or(QueryFault::Escape)?;
            let equals = raw.len() - name.behind.len();
            let role = query.role(slice(raw, start as u16, equals as u16));
            let value = match name.behind {
                [b'=', value @ ..] if keep(role) => {
                    uri::scan(value, b"&").ok_or(QueryFault::Escape)?
                }
                [b'=', value @ ..] => uri::skip(value, b'&'),
                _ => name,
            };
            let end = raw.len() - value.behind.len();
            let canonical = name.canonical && value.canonical;
            query.canonical &= canonical;
            if role == Role::Signature {
                query.signature = Some(raw.get(equals + 1..end).unwrap_or_default());
            } else if start < end && keep(role) {
                room.try_push(Parameter {
                    start: start as u16,
                    equals: equals as u16,
                    end: end as u16,
                    canonical,
                    role,
                })
                .map_err(|_| QueryFault::TooMany)?;
            }
            rest = value.behind.get(1..).unwrap_or_default();
        }
        let order = |a: &Parameter, b: &Parameter| a.compare(b, raw);
        if !room.is_sorted_by(|a, b| order(a, b).is_le()) {
            room.sort_unstable_by(order);
        }
        query.parameters = room;
        Ok(query)
    }

    /// Takes note of what a name is.
    fn role(&mut self, name: &[u8]) -> Role {
        let spelled = Role::spelled(name);
        let role = spelled.unwrap_or_else(|| Role::disguised(name));
        if role != Role::Other {
            self.ambiguous |= self.roles & role.bit() != 0 || spelled.is_none();
            self.roles |= role.bit();
        }
        role
    }

    /// Bytes of the canonical form at the most: each parameter may get a `=`, and has a separator.
    pub(crate) fn max_len(&self) -> usize {
        let length = |parameter: &Parameter| {
            let raw = usize::from(parameter.end - parameter.start);
            2 + if parameter.canonical { raw } else { 3 * raw }
        };
        self.parameters.iter().map(length).sum()
    }

    /// Whether a parameter of a V4 signature is there.
    pub(crate) fn has_v4(&self) -> bool {
        let v2 = Role::V2AccessKey.bit() | Role::V2Expires.bit() | Role::V2Signature.bit();
        self.roles & !v2 != 0
    }

    /// Whether a parameter that only a V2 signature has is there.
    pub(crate) fn has_v2(&self) -> bool {
        self.roles & (Role::V2AccessKey.bit() | Role::V2Signature.bit()) != 0
    }

    /// Whether it holds nothing but a signature's parameters, each in its canonical form.
    pub(crate) fn is_plain(&self) -> bool {
        self.canonical && self.others().next().is_none()
    }

    /// Whether a signature parameter is there twice, or in a spelling that not every server knows.
    pub(crate) fn is_ambiguous(&self) -> bool {
        self.ambiguous
    }

    /// The raw value of a signature parameter.
    pub(crate) fn find(&self, role: Role) -> Option<&'a [u8]> {
        if role == Role::Signature {
            return self.signature;
        }
        self.parameters
            .iter()
            .find(|parameter| parameter.role == role)
            .map(|parameter| parameter.value(self.raw))
    }

    /// The parameters that are none of a signature: raw name, and raw value where there is a `=`.
    pub(crate) fn others(&self) -> impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)> {
        let raw = self.raw;
        self.parameters
            .iter()
            .filter(|parameter| parameter.role == Role::Other)
            .map(move |parameter| {
                let value = (parameter.equals < parameter.end).then(|| parameter.value(raw));
                (parameter.name(raw), value)
            })
    }

    /// Puts the canonical query string that a client signed: all but the signature. What lies
    /// together in canonical form and order is put together.
    pub(crate) fn put_signed(&self, sink: &mut impl Sink) {
        let runs = self.parameters.chunk_by(Parameter::is_followed_by);
        for (at, run) in runs.enumerate() {
            if at > 0 {
                sink.put(b"&");
            }
            match run {
                [first, .., last] => sink.put(slice(self.raw, first.start, last.end)),
                [parameter] => parameter.put(sink, self.raw),
                [] => {}
            }
        }
    }

    /// Puts the canonical query string without the client's signature parameters and with `added`,
    /// which are sorted by name.
    pub(crate) fn put_with(&self, sink: &mut impl Sink, added: &[(&[u8], impl Value)]) {
        let mut added = added.iter().peekable();
        let mut first = true;
        let mut separate = |sink: &mut _| {
            if !std::mem::take(&mut first) {
                Sink::put(sink, b"&");
            }
        };
        for parameter in self
            .parameters
            .iter()
            .filter(|parameter| parameter.role == Role::Other)
        {
            let name = parameter.name(self.raw);
            while let Some((name, value)) =
                added.next_if(|(added, _)| uri::compare(added, name).is_lt())
            {
                separate(sink);
                put_added(sink, name, value);
            }
            separate(sink);
            parameter.put(sink, self.raw);
        }
        for (name, value) in added {
            separate(sink);
            put_added(sink, name, value);
        }
    }
}

/// The value of a parameter that is added.
pub(crate) trait Value {
    /// Puts it encoded.
    fn put(&self, sink: &mut impl Sink);
}

impl Value for &[u8] {
    fn put(&self, sink: &mut impl Sink) {
        uri::put_encoded(sink, self, Part::Query);
    }
}

fn put_added(sink: &mut impl Sink, name: &[u8], value: &impl Value) {
    sink.put(name);
    sink.put(b"=");
    value.put(sink);
}

impl Parameter {
    fn name<'a>(&self, raw: &'a [u8]) -> &'a [u8] {
        slice(raw, self.start, self.equals)
    }

    fn value<'a>(&self, raw: &'a [u8]) -> &'a [u8] {
        slice(raw, self.equals.saturating_add(1), self.end)
    }

    fn compare(&self, other: &Parameter, raw: &[u8]) -> Ordering {
        let compare = match self.canonical && other.canonical {
            true => |a: &[u8], b: &[u8]| a.cmp(b),
            false => uri::compare,
        };
        compare(self.name(raw), other.name(raw))
            .then_with(|| compare(self.value(raw), other.value(raw)))
    }

    /// Both stand on the wire as in the canonical query.
    fn is_followed_by(&self, other: &Parameter) -> bool {
        let is_whole =
            |parameter: &Parameter| parameter.canonical && parameter.equals < parameter.end;
        is_whole(self) && is_whole(other) && usize::from(self.end) + 1 == usize::from(other.start)
    }

    fn put(&self, sink: &mut impl Sink, raw: &[u8]) {
        if self.canonical {
            sink.put(slice(raw, self.start, self.end));
            if self.equals == self.end {
                sink.put(b"=");
            }
        } else {
            uri::put_canonical(sink, self.name(raw), Part::Query);
            sink.put(b"=");
            uri::put_canonical(sink, self.value(raw), Part::Query);
        }
    }
}

fn slice(raw: &[u8], start: u16, end: u16) -> &[u8] {
    raw.get(usize::from(start)..usize::from(end))
        .unwrap_or_default()
}
