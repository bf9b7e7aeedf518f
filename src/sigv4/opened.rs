//! An id that was sealed here, as the origin has given it that knows it.
use crate::{
    error::Rejection,
    origin::Origin,
    parameter::{ParameterName, S3Parameter},
    sealed::{Owner, SealKey, seals_ids},
    text::{
        query::{Parameters, Query, ReplacedValue},
        uri::{self, Part},
    },
};

/// The one id in a request's query, opened.
#[derive(Debug)]
pub(crate) struct OpenedId<'r> {
    parameter: S3Parameter,
    /// As it was admitted, raw.
    sealed: &'r [u8],
    plain: Vec<u8>,
    /// One that knows it.
    origin: &'r Origin,
}

/// Lists the ids in a query: which parameter, its raw name and its raw value.
fn ids<'q, 'a>(
    query: &'q Query<'_, 'a>,
) -> impl Iterator<Item = (S3Parameter, &'a [u8], &'a [u8])> + use<'q, 'a> {
    query
        .others()
        .filter_map(|(name, value)| match ParameterName::of(name) {
            ParameterName::Known(known) if known.is_id() => {
                Some((known, name, value.unwrap_or_default()))
            }
            _ => None,
        })
}

impl<'r> OpenedId<'r> {
    /// Opens the id in a query that has a sealed one, for a bucket and a key, which are decoded. `None` if none of the
    /// origins can open it and ids are not sealed where it goes: then it is the only origin's own, which may be such a
    /// proxy too.
    ///
    /// # Errors
    /// If it is of no origin, or of another bucket or key.
    #[cold]
    pub(crate) fn open(
        query: &'r [u8],
        (bucket, mut key): (Vec<u8>, Vec<u8>),
        origins: impl Iterator<Item = &'r Origin> + Clone,
    ) -> Result<Option<OpenedId<'r>>, Rejection> {
        let mut room = Parameters::new();
        let query = Query::parse_others(query, &mut room)?;
        let mut found = ids(&query);
        let (parameter, _, sealed) = found.next().ok_or(Rejection::InternalError)?;
        // With two, each origin could take another one.
        let is_only_one = found.next().is_none();
        let text = decoded(sealed);
        if parameter == S3Parameter::UploadIdMarker {
            key = key_marker(&query);
        }
        let (bucket, key) = (bucket.as_slice(), key.as_slice());
        let owners: &[Owner<'_>] = match parameter {
            S3Parameter::UploadId => &[Owner::Upload { bucket, key }],
            // A client may go on after any upload that it knows.
            S3Parameter::UploadIdMarker => &[
                Owner::UploadMarker { bucket },
                Owner::Upload { bucket, key },
            ],
            S3Parameter::VersionIdMarker => &[Owner::VersionMarker { bucket }],
            _ => &[Owner::List { bucket }],
        };
        for origin in origins.clone().filter(|_| is_only_one) {
            let Some(seal_key) = SealKey::of(origin) else {
                continue;
            };
            let mut opened = owners.iter().map(|owner| seal_key.open(*owner, &text));
            if let Some(plain) = opened.find_map(|plain| plain) {
                return Ok(Some(OpenedId {
                    parameter,
                    sealed,
                    plain,
                    origin,
                }));
            }
        }
        match seals_ids(origins) {
            true => Err(rejection(parameter)),
            false => Ok(None),
        }
    }

    /// Whether an origin knows the id.
    pub(crate) fn is_known_to(&self, origin: &Origin) -> bool {
        self.origin.shares_ids_with(origin)
    }

    /// Returns the id as the origin knows it, and as the client does.
    pub(crate) fn spellings(&self) -> [String; 2] {
        let texts = [self.plain.as_slice(), &decoded(self.sealed)];
        texts.map(|text| String::from_utf8_lossy(text).into_owned())
    }

    /// Finds the place of the id in a query that goes out.
    pub(crate) fn place_in<'a>(&'a self, query: &Query<'_, 'a>) -> Option<ReplacedValue<'a>> {
        let mut found = ids(query);
        let (parameter, name, value) = found.next()?;
        let is_it = parameter == self.parameter
            && uri::decoded(value, Part::Query).eq(uri::decoded(self.sealed, Part::Query));
        (is_it && found.next().is_none()).then_some(ReplacedValue {
            name,
            value: &self.plain,
        })
    }
}

fn decoded(raw: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    uri::put_decoded(&mut text, raw, Part::Query);
    text
}

/// Returns the key beside an `upload-id-marker`.
fn key_marker(query: &Query<'_, '_>) -> Vec<u8> {
    let mut others = query.others();
    let is_it = |name| ParameterName::of(name) == ParameterName::Known(S3Parameter::KeyMarker);
    let marker = others.find(|(name, _)| is_it(name));
    decoded(marker.and_then(|(_, value)| value).unwrap_or_default())
}

fn rejection(parameter: S3Parameter) -> Rejection {
    match parameter {
        S3Parameter::UploadId => Rejection::NoSuchUpload,
        S3Parameter::UploadIdMarker => Rejection::WrongUploadIdMarker,
        S3Parameter::VersionIdMarker => Rejection::WrongVersionIdMarker,
        _ => Rejection::WrongContinuationToken,
    }
}
