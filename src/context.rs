//! What the module knows of one request.

use std::cell::{Cell, OnceCell, RefCell};
use std::ptr;
use std::rc::Rc;

use ngx_safe::answer_body::Rewritings;
use ngx_safe::output::Output;
use ngx_safe::request::Request;
use ngx_safe::stored_body::StoredBody;
use ngx_safe::upstream::Upstream;
use sigv4::{
    Account, AnswerBody, AuthType, Client, FormDecoder, FormStream, Framer, GatheredBody,
    PendingForm, Rejection, Upload, Verified,
};

use crate::S3Resign;
use crate::conf::{LocationConf, NamedOrigin, OriginSet, OwnUpstream};
use crate::origin_keys::PresentKeys;
use crate::runtime::Runtime;

#[derive(Default)]
pub(crate) struct Context<'r> {
    /// Set by the access phase alone; nothing is signed without it.
    pub(crate) verified: RefCell<Option<Verified<'r>>>,
    /// The location whose clients and rules accepted the request.
    pub(crate) location: Cell<Option<&'r LocationConf>>,
    /// The state of a body that is verified as it arrives, from its first piece on.
    pub(crate) upload: RefCell<Option<Box<Upload>>>,
    /// How far a body has been verified that was read before the access phase.
    pub(crate) stored: RefCell<Option<Box<StoredBody<'r>>>>,
    /// The state of a framed body that goes out at the present try.
    pub(crate) output: RefCell<Option<Box<Output<'r, OriginFramer>>>>,
    /// A browser's form, whose signature is in its body.
    pub(crate) posted: RefCell<Option<Box<Posted<'r>>>>,
    /// A body that is read in the access phase, since another one goes out.
    pub(crate) document: RefCell<Option<Box<GatheredBody>>>,
    /// The body was rejected; to be answered. In a box, since few are.
    pub(crate) rejected: Cell<Option<Box<Rejection>>>,
    /// The answers whose bodies are written again, of the request and its subrequests.
    pub(crate) rewritings: Rewritings<Rewriter>,
    /// The access key that the request named, verified or not; empty where it named none.
    pub(crate) access_key: Cell<&'r [u8]>,
    /// The request was signed with that key, whatever else was wrong with it.
    pub(crate) authenticated: Cell<bool>,
    /// The path as it was sent, if there was a `+` in it.
    pub(crate) path_with_plus: Cell<Option<&'r [u8]>>,
    pub(crate) form: Cell<Option<AuthType>>,
    /// The account of an accepted request's client; None for the keys that belong to no account.
    pub(crate) account: Cell<Option<&'r Account>>,
    /// The operation of the Security Token Service that is called, if one is.
    pub(crate) sts_operation: Cell<Option<&'static str>>,
    /// The role that the request's key is of, or that is asked for, and what the key's session is called.
    pub(crate) role: Cell<Option<&'r str>>,
    pub(crate) session: Cell<Option<&'r str>>,
    /// The issuer of the minted key that the request was found to name.
    pub(crate) issuer: Cell<Option<&'r [u8]>>,
    /// A preflight is being answered here.
    pub(crate) answers_preflight: Cell<bool>,
    /// The S3 error code of a rejection.
    pub(crate) error: Cell<Option<&'static str>>,
    /// The S3 error code of an error of nginx's own, after the request was accepted.
    pub(crate) failure: Cell<Option<&'static str>>,
    /// The S3 error code of an origin's answer.
    pub(crate) origin_error: Cell<Option<&'r [u8]>>,
    /// The origin picked last.
    pub(crate) origin: Cell<Option<&'r NamedOrigin>>,
    /// The keys that the request was signed with last, if they are some that change.
    pub(crate) keys: RefCell<Option<PresentKeys>>,
    /// An origin has rejected its keys.
    pub(crate) renewal: RefCell<Renewal>,
    /// The origin that was left out last since it has no keys.
    pub(crate) keyless: Cell<Option<usize>>,
    /// The module's part of the key of its answer, where nginx looks for that in its cache.
    pub(crate) cache_key: Cell<Option<&'r [u8]>>,
    /// Nanoseconds spent on verifying and signing, where `$s3_sign_time` is in use.
    pub(crate) sign_time: Cell<u64>,
    /// A client that is not in the configuration, kept for as long as the request.
    pub(crate) client: OnceCell<Rc<Client>>,
}

impl Context<'_> {
    /// Was it here that the request was accepted? An internal redirect may have come from a location with
    /// other clients, and `satisfy any` may have left our access phase out.
    pub(crate) fn is_accepted(&self, main: Request<'_>) -> bool {
        let location = self.location.get();
        self.verified.borrow().is_some()
            && location.is_some_and(|location| ptr::eq(location, main.location_conf()))
    }
}

/// The body of an answer that is written again while it arrives.
pub(crate) struct Rewriter(pub(crate) AnswerBody);

/// The framer of a body for the origin of the present try.
pub(crate) struct OriginFramer(pub(crate) Framer);

/// A form as far as it has arrived.
pub(crate) struct Posted<'r> {
    pub(crate) decoder: FormDecoder,
    /// What comes before the file, once it is there, and what the fields in it allow.
    pub(crate) fields: Option<(&'r [u8], PendingForm<'r>)>,
    /// nginx has handed over all of it.
    pub(crate) ended: bool,
    /// Where it is forwarded while it arrives; of an announced length, since origins want one.
    pub(crate) stream: Option<FormStream>,
}

/// What became of the keys of a request.
#[derive(Default)]
pub(crate) struct Renewal {
    /// When newer keys have come at the latest, in ticks.
    pub(crate) deadline: u64,
    /// The request has been made once more, or is about to be.
    pub(crate) is_tried_again: bool,
    /// The present answer says that the keys hold no longer.
    pub(crate) is_rejected: bool,
}

impl Renewal {
    /// Begins with a try, of which there is no answer yet.
    pub(crate) fn begin_try(&mut self) {
        self.is_rejected = false;
    }
}

/// The module's own of a request.
pub(crate) trait OwnRequest<'r> {
    fn main_conf(self) -> &'r Runtime;
    fn location_conf(self) -> &'r LocationConf;
    /// Finds the context, after an internal redirect too.
    fn context(self) -> Option<&'r Context<'r>>;
    /// Returns the context if the request has it at hand, as it has once `context` has been called.
    fn context_at_hand(self) -> Option<&'r Context<'r>>;
    fn context_or_create(self) -> Option<&'r Context<'r>>;
    /// Lists all origins that it may go to from its location: those that have keys for its account.
    fn origins(self) -> &'r [NamedOrigin];
    /// Tells whether there are origins that requests go to from its location, whatever their accounts.
    fn passes_to_origins(self) -> bool;
    /// Lists those of a set that it may go to.
    fn origins_in(self, set: &'r OriginSet) -> &'r [NamedOrigin];
}

impl<'r> OwnRequest<'r> for Request<'r> {
    fn main_conf(self) -> &'r Runtime {
        self.main_conf_of::<S3Resign>()
    }

    fn location_conf(self) -> &'r LocationConf {
        self.location_conf_of::<S3Resign>()
    }

    fn context(self) -> Option<&'r Context<'r>> {
        self.context_of::<S3Resign>()
    }

    fn context_at_hand(self) -> Option<&'r Context<'r>> {
        self.context_at_hand_of::<S3Resign>()
    }

    fn context_or_create(self) -> Option<&'r Context<'r>> {
        self.context_or_create_of::<S3Resign>()
    }

    fn origins(self) -> &'r [NamedOrigin] {
        origins_of_all(self).map_or(&[], |set| self.origins_in(set))
    }

    fn passes_to_origins(self) -> bool {
        origins_of_all(self).is_some_and(|set| !set.is_empty())
    }

    fn origins_in(self, set: &'r OriginSet) -> &'r [NamedOrigin] {
        let Some(context) = self.main().context() else {
            return set.of(None);
        };
        match context.form.get() {
            // No keys are used.
            Some(AuthType::Anonymous | AuthType::Preflight) => set.of_each_server(),
            _ => set.of(context.account.get()),
        }
    }
}

/// Finds the origins that requests go to from the request's location, for all accounts.
fn origins_of_all(request: Request<'_>) -> Option<&OriginSet> {
    let conf = request.location_conf();
    let of_upstream = || {
        let upstream = conf.upstream().and_then(|id| request.upstream(id));
        upstream.and_then(Upstream::own_conf)?.origins()
    };
    conf.origins().or_else(of_upstream)
}
