//! A request with an id that was sealed here: it goes only to an origin that knows the id, with the id as that
//! origin has given it.
use crate::{
    error::{Rejection, Unsignable},
    origin::Origin,
    parameter::{ParameterName, S3Parameter},
    sealed::{Owner, SealKey, Sealer, is_sealed, seals_ids},
    text::{
        query::{Parameters, Query, ReplacedValue},
        uri::{self, Part},
    },
    verified::{AdmittedRequest, Verified},
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

/// Whether the value of a parameter may be sealed: it is an id that an origin has given.
pub(crate) fn is_id(parameter: S3Parameter) -> bool {
    matches!(
        parameter,
        S3Parameter::UploadId | S3Parameter::UploadIdMarker | S3Parameter::ContinuationToken
    )
}

/// Whether a raw value is sealed.
pub(crate) fn is_sealed_value(raw: &[u8]) -> bool {
    is_sealed(uri::decoded(raw, Part::Query))
}

/// Lists the ids in a query: which parameter, its raw name and its raw value.
fn ids<'q, 'a>(
    query: &'q Query<'_, 'a>,
) -> impl Iterator<Item = (S3Parameter, &'a [u8], &'a [u8])> + use<'q, 'a> {
    query
        .others()
        .filter_map(|(name, value)| match ParameterName::of(name) {
            ParameterName::Known(known) if is_id(known) => {
                Some((known, name, value.unwrap_or_default()))
            }
            _ => None,
        })
}

impl<'r> OpenedId<'r> {
    /// Opens the id of a request that has a sealed one. `None` if none of the origins can open it and ids are not
    /// sealed where it goes: then it is the only origin's own, which may be such a proxy too.
    ///
    /// # Errors
    /// If it is of no origin, or of another bucket or key.
    #[cold]
    fn open(
        request: &AdmittedRequest<'r>,
        origins: impl Iterator<Item = &'r Origin> + Clone,
    ) -> Result<Option<OpenedId<'r>>, Rejection> {
        let mut room = Parameters::new();
        let query = Query::parse_others(request.target.query, &mut room)?;
        let mut found = ids(&query);
        let (parameter, _, sealed) = found.next().ok_or(Rejection::InternalError)?;
        // With two, each origin could take another one.
        let is_only_one = found.next().is_none();
        let text = decoded(sealed);
        let (bucket, mut key) = request.names();
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
            _ => &[Owner::List { bucket }],
        };
        for origin in origins.clone().filter(|_| is_only_one) {
            let seal_key = SealKey::of(origin);
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

    /// Finds the place of the id in a query that goes out.
    fn place_in<'a>(&'a self, query: &Query<'_, 'a>) -> Option<ReplacedValue<'a>> {
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
        _ => Rejection::WrongContinuationToken,
    }
}

impl AdmittedRequest<'_> {
    /// Returns bucket and key as the client names them, decoded; empty where it names none.
    fn names(&self) -> (Vec<u8>, Vec<u8>) {
        let (mut bucket, mut key) = (Vec::new(), Vec::new());
        if let Some(resource) = self.address.resource(self.path) {
            uri::put_decoded(&mut bucket, resource.raw_bucket(), Part::Path);
            uri::put_decoded(&mut key, resource.raw_key(), Part::Path);
        }
        (bucket, key)
    }
}

impl<'r> Verified<'r> {
    /// Opens the upload id or continuation token in the query, if it is a sealed one. `origins` are all that the
    /// request may go to.
    ///
    /// # Errors
    /// If it was sealed for none of them, or for another bucket or key.
    pub fn open_id(
        &mut self,
        origins: impl Iterator<Item = &'r Origin> + Clone,
    ) -> Result<(), Rejection> {
        if self.request.has_sealed_id {
            self.opened = OpenedId::open(&self.request, origins)?.map(Box::new);
        }
        Ok(())
    }

    /// Whether it has an id that only some origins know.
    pub fn is_for_some_origins(&self) -> bool {
        self.opened.is_some()
    }

    /// Whether it may go to an origin: one that has its buckets, and knows the id, if it has one.
    pub fn goes_to(&self, origin: &Origin) -> bool {
        let opened = self.opened.as_deref();
        self.maps_at(origin) && opened.is_none_or(|opened| opened.origin.shares_ids_with(origin))
    }

    /// Returns what seals the ids in an origin's answer.
    pub fn sealer(&self, origin: &Origin) -> Sealer {
        Sealer::new(origin, self.request.names())
    }

    /// Finds what takes the place of the sealed id in a query that goes to an origin; `None` without one.
    ///
    /// # Errors
    /// If it may not go there, or has other ids than were admitted.
    pub(crate) fn opened_in<'a>(
        &'a self,
        query: &Query<'_, 'a>,
        origin: &Origin,
    ) -> Result<Option<ReplacedValue<'a>>, Unsignable> {
        let Some(opened) = &self.opened else {
            return Ok(None);
        };
        if !opened.origin.shares_ids_with(origin) {
            return Err(Unsignable::OtherOrigin);
        }
        let place = opened.place_in(query);
        place.map(Some).ok_or(Unsignable::NotAdmitted)
    }
}
