//! What is renewed in shared memory, and how.

use std::cell::OnceCell;
use std::path::PathBuf;
use std::rc::Rc;

use ngx_safe::worker::{Now, Waker};
use providers::{Answer, Renewable, Service, Step};
use shm::{Shared, Zone};

use crate::services::Contact;

/// What is renewed: each has a record in one zone.
pub(crate) trait Renewed: 'static {
    /// What the log calls it.
    const WHAT: &'static str;

    type Record: Shared + Renewable;
    /// The state of a fetch.
    type Fetch: 'static;
    /// What a fetch brings.
    type Found: 'static;

    fn zone(&self) -> Option<&Zone<Self::Record>>;

    /// That of this process.
    fn waker(&self) -> &OnceCell<Waker>;

    /// Tells where one comes from, as the log has it.
    fn name(&self, index: usize) -> String;

    /// Returns the file that is read for it, if it comes from one alone: it is read when it changes.
    fn file(&self, index: usize) -> Option<PathBuf>;

    fn contact(&self, index: usize, service: Service) -> Option<Rc<Contact>>;

    fn begin(&self, index: usize) -> Option<(Self::Fetch, Step<Self::Found>)>;

    /// Goes on after the file that was to be read.
    fn has_read(fetch: &mut Self::Fetch, file: &[u8]) -> Step<Self::Found>;

    /// Goes on after an answer.
    fn heard(fetch: &mut Self::Fetch, answer: &Answer) -> Step<Self::Found>;

    /// Writes into the record what a fetch has brought, under the zone's lock; tells whether it is new.
    fn publish(record: &Self::Record, found: &Self::Found, now: Now) -> bool;

    /// Tells in how many milliseconds to fetch again.
    fn delay(found: &Self::Found, now: Now) -> u64;
}
