//! The query string, split and in canonical order.
mod role;

use std::cmp::Ordering;

use arrayvec::ArrayVec;

pub(crate) use self::role::Role;
use crate::{
    text::sink::Sink,
    text::uri::{self, Part},
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

/// One parameter, as offsets into the raw query.
#[derive(Debug, Clone, Copy)]
pub(crate) struct QueryParameter {
    start: u16,
    /// Where the name ends: at the `=`, or at `end` without one.
    equals: u16,
    end: u16,
    /// Name and value are in canonical form as they are.
    canonical: bool,
    role: Role,
}

/// Room for the parameters of a query, lent to it so that it need not be moved with it.
pub(crate) type Parameters = ArrayVec<QueryParameter, MAX_PARAMETERS>;

/// A query in canonical order: by encoded name, then by encoded value.
pub(crate) struct Query<'s, 'a> {
    raw: &'a [u8],
    parameters: &'s [QueryParameter],
    /// Where the value of a signature's parameter is; ends at 0 where there is none.
    values: [(u16, u16); Role::Other as usize],
    roles: u16,
    ambiguous: bool,
    canonical: bool,
}

impl<'s, 'a> Query<'s, 'a> {
    pub(crate) const NONE: Query<'static, 'static> = Query {
        raw: b"",
        parameters: &[],
        values: [(0, 0); Role::Other as usize],
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
        let mut sorted = true;
        let mut rest = raw;
        while !rest.is_empty() {
            let start = raw.len() - rest.len();
            let (name, role) = match Role::spelled(rest) {
                Some((role, length)) => {
                    query.note(role, true);
                    (uri::Scanned::plain(rest, length), role)
                }
                None => {
                    let name = uri::scan(rest, b"=&").ok_or(QueryFault::Escape)?;
                    let text = rest.get(..rest.len() - name.after.len());
                    let (role, spelled) = Role::named(text.unwrap_or_default());
                    query.note(role, spelled);
                    (name, role)
                }
            };
            let equals = raw.len() - name.after.len();
            let value = match name.after {
                [b'=', value @ ..] if keep(role) => {
                    uri::scan(value, b"&").ok_or(QueryFault::Escape)?
                }
                [b'=', value @ ..] => uri::skip(value, b'&'),
                _ => name,
            };
            let end = raw.len() - value.after.len();
            let parameter = QueryParameter {
                start: start as u16,
                equals: equals as u16,
                end: end as u16,
                canonical: name.canonical && value.canonical,
                role,
            };
            query.canonical &= parameter.canonical;
            if let Some(place) = query.values.get_mut(role as usize) {
                *place = (parameter.equals.saturating_add(1), parameter.end);
            }
            // V4's signature is not signed itself.
            if start < end && role != Role::Signature && keep(role) {
                sorted &= (room.last()).is_none_or(|last| last.precedes(&parameter, raw));
                room.try_push(parameter).map_err(|_| QueryFault::TooMany)?;
            }
            rest = value.after.get(1..).unwrap_or_default();
        }
        // Roles give the order of usual spellings alone.
        if !sorted || query.ambiguous {
            room.sort_unstable_by(|a, b| a.compare(b, raw));
        }
        query.parameters = room;
        Ok(query)
    }

    /// Takes note of what a name is, and whether it is spelled as it should be.
    fn note(&mut self, role: Role, spelled: bool) {
        self.ambiguous |= role != Role::Other && (self.roles & role.bit() != 0 || !spelled);
        self.roles |= role.bit();
    }

    /// Counts the bytes of the canonical form at the most: each parameter may get a `=`, and has a separator.
    pub(crate) fn max_len(&self) -> usize {
        let length = |parameter: &QueryParameter| {
            let raw = usize::from(parameter.end - parameter.start);
            2 + if parameter.canonical { raw } else { 3 * raw }
        };
        self.parameters.iter().map(length).sum()
    }

    /// Whether a parameter of a V4 signature is there. A token by itself is one, as V2 spells it too.
    pub(crate) fn has_v4(&self) -> bool {
        let mut others = Role::V2AccessKey.bit()
            | Role::V2Expires.bit()
            | Role::V2Signature.bit()
            | Role::Other.bit();
        if self.has_v2() {
            others |= Role::V2SecurityToken.bit();
        }
        self.roles & !others != 0
    }

    /// Whether a parameter that only a V2 signature has is there.
    pub(crate) fn has_v2(&self) -> bool {
        self.roles & (Role::V2AccessKey.bit() | Role::V2Signature.bit()) != 0
    }

    /// Whether any parameter of a signature is there.
    pub(crate) fn has_signature_parameter(&self) -> bool {
        self.roles & !Role::Other.bit() != 0
    }

    /// Whether each of its parameters is in its canonical form as it is.
    pub(crate) fn is_canonical(&self) -> bool {
        self.canonical
    }

    /// Whether it holds nothing but a signature's parameters, each in its canonical form.
    pub(crate) fn is_plain(&self) -> bool {
        self.canonical && self.roles & Role::Other.bit() == 0
    }

    /// Whether a signature parameter is there twice, or in a spelling that not every server knows.
    pub(crate) fn is_ambiguous(&self) -> bool {
        let has_v2_token = self.roles & Role::V2SecurityToken.bit() != 0;
        self.ambiguous || has_v2_token && !self.has_v2()
    }

    /// Returns the raw value of a signature parameter.
    pub(crate) fn find(&self, role: Role) -> Option<&'a [u8]> {
        let (start, end) = *self.values.get(role as usize)?;
        (end > 0).then(|| slice(self.raw, start, end))
    }

    /// Returns the parameters that are none of a signature: raw name, and raw value where there is a `=`.
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

    /// Whether it has a parameter that is none of a signature, besides those named `dropped`.
    pub(crate) fn has_others_but(&self, dropped: &[&[u8]]) -> bool {
        self.others_but(dropped).next().is_some()
    }

    fn others_but<'d>(
        &self,
        dropped: &'d [&[u8]],
    ) -> impl Iterator<Item = &'s QueryParameter> + use<'s, 'd, 'a> {
        let raw = self.raw;
        let is_dropped = move |other: &QueryParameter| {
            let is =
                |name: &&[u8]| uri::decoded(other.name(raw), Part::Query).eq(name.iter().copied());
            dropped.iter().any(is)
        };
        let parameters = self.parameters.iter();
        parameters.filter(move |other| other.role == Role::Other && !is_dropped(other))
    }

    /// Puts the canonical query string that a client signed: all but the signature. What lies
    /// together in canonical form and order is put together.
    pub(crate) fn put_signed(&self, sink: &mut impl Sink) {
        let runs = self.parameters.chunk_by(QueryParameter::is_followed_by);
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
    /// which are sorted by name; each name stands between its separators, as in `&name=`.
    pub(crate) fn put_with(
        &self,
        sink: &mut impl Sink,
        added: &[(&[u8], impl ParameterValue)],
        changes: QueryChanges<'_>,
    ) {
        let QueryChanges { dropped, replaced } = changes;
        let mut others = self.others_but(dropped).peekable();
        let mut first = true;
        for (label, value) in added {
            let label = *label;
            let [separator, name @ .., _] = label else {
                continue;
            };
            let before = |other: &&QueryParameter| uri::compare(other.name(self.raw), name).is_le();
            while let Some(other) = others.next_if(before) {
                other.put_after(sink, &mut first, self.raw, replaced);
            }
            match std::mem::take(&mut first) {
                true => sink.put(label.strip_prefix(&[*separator]).unwrap_or_default()),
                false => sink.put(label),
            }
            value.put(sink);
        }
        others.for_each(|other| other.put_after(sink, &mut first, self.raw, replaced));
    }
}

/// What goes out otherwise than it came.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct QueryChanges<'a> {
    /// The names of parameters that do not go out.
    pub(crate) dropped: &'a [&'a [u8]],
    pub(crate) replaced: Option<ReplacedValue<'a>>,
}

/// Another value of the one parameter that has this raw name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReplacedValue<'a> {
    pub(crate) name: &'a [u8],
    /// Decoded.
    pub(crate) value: &'a [u8],
}

impl ReplacedValue<'_> {
    /// Counts the bytes of the value at the most.
    pub(crate) fn max_len(&self) -> usize {
        3 * self.value.len()
    }

    fn put(&self, sink: &mut impl Sink) {
        uri::put_canonical(sink, self.name, Part::Query);
        sink.put(b"=");
        uri::put_encoded(sink, self.value, Part::Query);
    }
}

/// The value of a parameter that is added.
pub(crate) trait ParameterValue {
    /// Puts it encoded.
    fn put(&self, sink: &mut impl Sink);
}

impl ParameterValue for &[u8] {
    fn put(&self, sink: &mut impl Sink) {
        uri::put_encoded(sink, self, Part::Query);
    }
}

impl QueryParameter {
    fn name<'a>(&self, raw: &'a [u8]) -> &'a [u8] {
        slice(raw, self.start, self.equals)
    }

    fn value<'a>(&self, raw: &'a [u8]) -> &'a [u8] {
        slice(raw, self.equals.saturating_add(1), self.end)
    }

    /// Whether it may stand in front of another.
    fn precedes(&self, other: &QueryParameter, raw: &[u8]) -> bool {
        // The roles are sorted as their names are; where a name is spelled in another way, all
        // are sorted in the end.
        let by_role = self.role < other.role && other.role != Role::Other;
        by_role || self.compare(other, raw).is_le()
    }

    fn compare(&self, other: &QueryParameter, raw: &[u8]) -> Ordering {
        let compare = match self.canonical && other.canonical {
            true => |a: &[u8], b: &[u8]| a.cmp(b),
            false => uri::compare,
        };
        compare(self.name(raw), other.name(raw))
            .then_with(|| compare(self.value(raw), other.value(raw)))
    }

    /// Whether both stand on the wire as in the canonical query.
    fn is_followed_by(&self, other: &QueryParameter) -> bool {
        let is_whole =
            |parameter: &QueryParameter| parameter.canonical && parameter.equals < parameter.end;
        is_whole(self) && is_whole(other) && usize::from(self.end) + 1 == usize::from(other.start)
    }

    /// Puts it after others, if it is not the first.
    fn put_after(
        &self,
        sink: &mut impl Sink,
        first: &mut bool,
        raw: &[u8],
        replaced: Option<ReplacedValue<'_>>,
    ) {
        if !std::mem::take(first) {
            sink.put(b"&");
        }
        match replaced {
            Some(replaced) if replaced.name == self.name(raw) => replaced.put(sink),
            _ => self.put(sink, raw),
        }
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{role::SPELLINGS, *};
    use percent_encoding::percent_decode;
    use proptest::{collection::vec, prelude::*, sample::select};

    fn decoded(text: &[u8]) -> Vec<u8> {
        let spaced: Vec<u8> = text
            .iter()
            .map(|byte| if *byte == b'+' { b' ' } else { *byte })
            .collect();
        percent_decode(&spaced).collect()
    }

    fn encoded(text: &[u8]) -> Vec<u8> {
        let mut encoded = Vec::new();
        uri::put_encoded(&mut encoded, &decoded(text), Part::Query);
        encoded
    }

    /// Makes a name, an equals sign or none, and a value.
    fn parameter() -> impl Strategy<Value = String> {
        let names: Vec<&str> = SPELLINGS
            .iter()
            .map(|(spelling, _)| std::str::from_utf8(spelling).unwrap())
            .chain([
                "x-amz-date",
                "X-Amz-%44ate",
                "a",
                "a%62",
                "%61",
                "X-Amz-Datf",
                "Z",
                "",
                "A b",
            ])
            .collect();
        (
            select(names),
            select(&["=", "=", "=", ""][..]),
            "([a-z/+]|%[0-9a-fA-F]{2}){0,3}",
        )
            .prop_map(|(name, equals, value)| match equals {
                "" => name.to_owned(),
                equals => format!("{name}{equals}{value}"),
            })
    }

    #[test]
    fn a_query_with_an_unusual_spelling_is_sorted_too() {
        let mut room = Parameters::new();
        let query = Query::parse(b"a=&x-amz-date=&X-Amz-Expires=&Z=", &mut room).unwrap();
        assert!(query.is_ambiguous());
        let others = query.others().map(|(name, _)| name);
        assert_eq!(others.collect::<Vec<_>>(), [b"Z", b"a"]);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..Default::default() })]

        /// Sorted by role, put in runs and read from offsets, as by way of decoded pairs.
        #[test]
        fn a_query_is_what_its_decoded_pairs_are(parameters in vec(parameter(), 0..8)) {
            let raw = parameters.join("&");
            let mut room = Parameters::new();
            let query = Query::parse(raw.as_bytes(), &mut room).unwrap();
            let split = |parameter: &str| -> (Vec<u8>, Option<Vec<u8>>) {
                match parameter.split_once('=') {
                    Some((name, value)) => (name.into(), Some(value.into())),
                    None => (parameter.into(), None),
                }
            };
            let pairs: Vec<_> = raw.split('&').filter(|text| !text.is_empty()).map(split).collect();
            let role = |name: &[u8]| Role::named(name).0;
            let canonical = |keep: &dyn Fn(Role) -> bool| {
                let mut texts: Vec<_> = pairs
                    .iter()
                    .filter(|(name, _)| keep(role(name)))
                    .map(|(name, value)| (encoded(name), encoded(value.as_deref().unwrap_or_default())))
                    .collect();
                texts.sort();
                let texts = texts.into_iter().map(|(name, value)| [name, value].join(&b'='));
                texts.collect::<Vec<_>>().join(&b'&')
            };
            let named = |wanted: Role| pairs.iter().filter(move |(name, _)| role(name) == wanted);
            for (spelling, wanted) in SPELLINGS {
                let is_wrong = named(wanted).count() > 1 || named(wanted).any(|(name, _)| name != spelling);
                prop_assert!(!is_wrong || query.is_ambiguous());
            }
            let others: Vec<_> = query.others().map(|(name, value)| (name.to_vec(), value.map(<[u8]>::to_vec))).collect();
            let mut expected: Vec<_> = named(Role::Other).cloned().collect();
            let order = |(name, value): &(Vec<u8>, Option<Vec<u8>>)| {
                (encoded(name), encoded(value.as_deref().unwrap_or_default()))
            };
            expected.sort_by_key(order);
            prop_assert_eq!(others.iter().map(order).collect::<Vec<_>>(), expected.iter().map(order).collect::<Vec<_>>());
            let is_plain = named(Role::Other).next().is_none()
                && pairs.iter().all(|(name, value)| encoded(name) == *name && value.as_deref().is_none_or(|value| encoded(value) == value));
            prop_assert!(is_plain || !query.is_plain());
            let mut kept_room = Parameters::new();
            let kept = Query::parse_others(raw.as_bytes(), &mut kept_room).unwrap();
            prop_assert!(!query.is_plain() || kept.others().next().is_none());
            let (mut signed, mut sent) = (Vec::new(), Vec::new());
            kept.put_with(
                &mut sent,
                &[] as &[(&[u8], &[u8])],
                QueryChanges::default(),
            );
            prop_assert_eq!(sent, canonical(&|role| role == Role::Other));
            if !query.is_ambiguous() {
                query.put_signed(&mut signed);
                prop_assert_eq!(signed.escape_ascii().to_string(), canonical(&|role| role != Role::Signature).escape_ascii().to_string());
                for (spelling, wanted) in SPELLINGS {
                    let value = pairs.iter().find(|(name, _)| name == spelling).map(|(_, value)| value.clone().unwrap_or_default());
                    prop_assert_eq!(query.find(wanted).unwrap_or_default(), value.unwrap_or_default());
                }
            }
        }
    }
}
