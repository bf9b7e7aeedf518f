//! What the module knows of one request.

use std::cell::{Cell, RefCell};

use sigv4::{Form, Verified};

use crate::conf::{LocationConf, NamedOrigin};

#[derive(Default)]
pub(crate) struct Context<'r> {
    /// Set by the access phase alone; nothing is signed without it.
    pub(crate) verified: RefCell<Option<Verified<'r>>>,
    /// The location whose clients and rules let the request in.
    pub(crate) location: Cell<Option<&'r LocationConf>>,
    /// The access key that the request named, verified or not; empty where it named none.
    pub(crate) access_key: Cell<&'r [u8]>,
    pub(crate) form: Cell<Option<Form>>,
    /// The S3 error code of a refusal.
    pub(crate) error: Cell<Option<&'static str>>,
    /// The origin picked last.
    pub(crate) origin: Cell<Option<&'r NamedOrigin>>,
    /// Nanoseconds spent on verifying and signing, where `$s3_sign_time` is in use.
    pub(crate) sign_time: Cell<u64>,
}
