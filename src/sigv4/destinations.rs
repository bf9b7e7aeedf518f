//! To which origins a request may go: those that have keys for its account, have its buckets, and know the upload id or
//! the continuation token in it, if it has one that was sealed here.
use crate::{
    error::{Rejection, Unsignable},
    opened::OpenedId,
    origin::Origin,
    sealed::Sealer,
    text::{
        query::{Query, ReplacedValue},
        uri::{self, Part},
    },
    verified::{AdmittedRequest, Verified},
};

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
            self.opened = OpenedId::open(self.request.target.query, self.request.names(), origins)?
                .map(Box::new);
        }
        Ok(())
    }

    /// Whether it has an id that only some origins know.
    pub fn is_for_some_origins(&self) -> bool {
        self.opened.is_some()
    }

    /// Whether it may go to an origin: one that has keys for its account, has its buckets, and knows the id, if it
    /// has one.
    pub fn goes_to(&self, origin: &Origin) -> bool {
        let opened = self.opened.as_deref();
        self.may_use_keys_of(origin)
            && self.maps_at(origin)
            && opened.is_none_or(|opened| opened.is_known_to(origin))
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
        if !opened.is_known_to(origin) {
            return Err(Unsignable::OtherOrigin);
        }
        let place = opened.place_in(query);
        place.map(Some).ok_or(Unsignable::NotAdmitted)
    }
}
