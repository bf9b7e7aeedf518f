//! What the module knows of one request.

use std::cell::{Cell, RefCell};

use sigv4::{AuthType, Rejection, Verified};

use crate::conf::{LocationConf, NamedOrigin};
use crate::hooks::answer_body::Rewriter;
use crate::hooks::body::Upload;
use crate::hooks::form::Posted;
use crate::ngx_safe::answer_body::Rewritings;
use crate::ngx_safe::output::Output;

#[derive(Default)]
pub(crate) struct Context<'r> {
    /// Set by the access phase alone; nothing is signed without it.
    pub(crate) verified: RefCell<Option<Verified<'r>>>,
    /// The location whose clients and rules let the request in.
    pub(crate) location: Cell<Option<&'r LocationConf>>,
    /// Of a body that is verified as it arrives, from its first piece on.
    pub(crate) upload: RefCell<Option<Box<Upload>>>,
    /// How one that is framed goes out at the present try.
    pub(crate) output: RefCell<Option<Box<Output>>>,
    /// A browser's form, whose signature is in its body.
    pub(crate) posted: RefCell<Option<Box<Posted<'r>>>>,
    /// The body was refused; to be answered. In a box, since few are.
    pub(crate) rejected: Cell<Option<Box<Rejection>>>,
    /// The answers whose bodies are written again, of the request and its subrequests.
    pub(crate) rewritings: Rewritings<Rewriter>,
    /// The access key that the request named, verified or not; empty where it named none.
    pub(crate) access_key: Cell<&'r [u8]>,
    pub(crate) form: Cell<Option<AuthType>>,
    /// The S3 error code of a refusal.
    pub(crate) error: Cell<Option<&'static str>>,
    /// The origin picked last.
    pub(crate) origin: Cell<Option<&'r NamedOrigin>>,
    /// The module's part of the key of its answer, where nginx looks for that in its cache.
    pub(crate) cache_key: Cell<Option<&'r [u8]>>,
    /// Nanoseconds spent on verifying and signing, where `$s3_sign_time` is in use.
    pub(crate) sign_time: Cell<u64>,
}
