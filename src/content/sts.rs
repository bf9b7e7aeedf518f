//! `s3_sts`: AWS's Security Token Service.
//!
//! <https://docs.aws.amazon.com/STS/latest/APIReference/welcome.html>

use std::fmt::Display;
use std::rc::Rc;

use ngx_safe::request::Request;
use ngx_safe::response::Response;
use ngx_safe::whole_body::BodyHandler;
use ngx_safe::worker::random_bytes;
use ngx_safe::{INTERNAL_SERVER_ERROR, Status};
use providers::UnknownKey;
use sigv4::{
    AuthType, Client, ClientRequest, CorsRules, Headers, Issuer, KeyId, MintedKey, Preflight,
    Rejection, ServiceRequest, body_hash, verify_service,
};
use sts::{
    AssumeRole, AssumeRoleWithWebIdentity, Call, Caller, Fault, FaultKind, Jwt, Session, Subject,
    TokenFault, WebIdentityTrust, answer,
};
use zeroize::Zeroizing;

use crate::clients::RequestClients;
use crate::conf::LocationRoles;
use crate::context::{Context, OwnRequest};
use crate::hooks::cors;
use crate::log::{log_error, log_info};
use crate::request_view::{claimed_access_key, timestamp, view};

pub(crate) struct StsEndpoint;

impl BodyHandler for StsEndpoint {
    const MAX_BODY: usize = sts::MAX_BODY;

    fn answer(request: Request<'_>, body: Option<&[u8]>) -> Result<Response, Status> {
        let call = StsRequest {
            request,
            context: request.context_or_create().ok_or(INTERNAL_SERVER_ERROR)?,
            id: request_id(request),
        };
        let answered = match body {
            Some(body) => call.answer(body),
            None => Err(Fault::too_large().into()),
        };
        Ok(answered.unwrap_or_else(|rejected| call.reject(&rejected)))
    }
}

/// A fault, with what the log is told beyond that.
struct RejectedCall {
    fault: Fault,
    /// Empty if the fault says it all.
    reason: &'static str,
}

impl From<Fault> for RejectedCall {
    fn from(fault: Fault) -> RejectedCall {
        RejectedCall { fault, reason: "" }
    }
}

impl From<TokenFault> for RejectedCall {
    fn from(token: TokenFault) -> RejectedCall {
        let fault = Fault::from(token);
        // Of conditions, for one, the caller is not told.
        let reason = match token.reason() {
            reason if reason == fault.message => "",
            reason => reason,
        };
        RejectedCall { fault, reason }
    }
}

/// Returns the answer to an error of nginx's own.
pub(crate) fn to_own_error(request: Request<'_>, status: u16, is_limited: bool) -> Response {
    let kind = match status {
        401 => FaultKind::MissingAuthenticationToken,
        403 => FaultKind::AccessDenied,
        413 => FaultKind::RequestEntityTooLarge,
        429 => FaultKind::Throttling,
        503 if is_limited => FaultKind::Throttling,
        400..=499 => FaultKind::ValidationError,
        _ => FaultKind::InternalFailure,
    };
    let fault = match kind {
        FaultKind::RequestEntityTooLarge => Fault::too_large(),
        FaultKind::Throttling => Fault::throttling(),
        FaultKind::InternalFailure => Fault::internal(),
        FaultKind::ValidationError => Fault::new(kind, "The request is none that can be read."),
        kind => Fault::new(
            kind,
            "The server in front does not let this request through.",
        ),
    };
    if let Some(context) = request.context_or_create() {
        context.error.set(Some(fault.kind.code()));
    }
    // What clients are to do next is in the status and headers that the configuration gives it.
    let id = request_id(request);
    response(id, status, fault.xml(id).into_bytes())
}

fn response(id: &str, status: u16, body: Vec<u8>) -> Response {
    Response {
        status,
        content_type: c"text/xml",
        body,
        headers: vec![
            (c"x-amzn-RequestId", id.as_bytes().to_vec()),
            (c"Cache-Control", b"no-store".to_vec()),
        ],
    }
}

/// Returns nginx's id of the request, as logs have it. Where the configuration does not use the variable, each look at it
/// makes up another one.
fn request_id(request: Request<'_>) -> &str {
    let id = request.variable(c"request_id").unwrap_or_default();
    std::str::from_utf8(id).unwrap_or_default()
}

/// The type of a body that is a form.
const FORM: &[u8] = b"application/x-www-form-urlencoded";

/// A call that is being answered.
#[derive(Clone, Copy)]
struct StsRequest<'r> {
    request: Request<'r>,
    context: &'r Context<'r>,
    id: &'r str,
}

type Answer = Result<Zeroizing<String>, RejectedCall>;

impl<'r> StsRequest<'r> {
    fn answer(self, body: &[u8]) -> Result<Response, RejectedCall> {
        let mut headers = Headers::new();
        let view = view(self.request, &mut headers).map_err(|rejection| match rejection {
            Rejection::InternalError => Fault::internal(),
            rejection => Fault::new(FaultKind::ValidationError, rejection.message().into_owned()),
        })?;
        if let Some(asked) = Preflight::read(&view)
            && let Some(rules) = self.request.location_conf().cors()
        {
            return self.answer_preflight(rules, &asked);
        }
        let xml = self.answer_call(&view, body)?;
        Ok(response(self.id, 200, xml.as_bytes().to_vec()))
    }

    /// Tells a browser whether a page may call.
    fn answer_preflight(
        self,
        rules: &CorsRules,
        asked: &Preflight<'_>,
    ) -> Result<Response, RejectedCall> {
        self.context.form.set(Some(AuthType::Preflight));
        cors::answer(self.context, rules, asked).map_err(|rejection| {
            let message = rejection.message().into_owned();
            Fault::new(FaultKind::AccessDenied, message).into()
        })
    }

    fn answer_call(self, view: &ClientRequest<'_, 'r>, body: &[u8]) -> Answer {
        if !matches!(view.method, b"GET" | b"POST") {
            return Err(Fault::new(
                FaultKind::InvalidAction,
                "Operations are called by GET and by POST.",
            )
            .into());
        }
        let form = if is_form(view) { body } else { b"" };
        let call = Call::read(view.query, form);
        if !matches!(call, Ok(Call::AssumeRole(_) | Call::GetCallerIdentity)) {
            // From here on there are lines in the log, which would have the query.
            let shown = self.request.show_instead(sts::concealed);
            shown.ok_or_else(Fault::internal)?;
        }
        let operation = match &call {
            Ok(call) => Some(call.operation()),
            Err(unreadable) => unreadable.operation,
        };
        self.context.sts_operation.set(operation);
        let call = call.map_err(|unreadable| unreadable.fault)?;
        match &call {
            Call::AssumeRoleWithWebIdentity(call) => self.assume_with_token(call),
            Call::AssumeRole(call) => self.assume(call, self.client(view, body)?),
            Call::GetCallerIdentity => {
                let caller = Caller::of(self.client(view, body)?);
                Ok(answer::caller_identity(&caller, self.id))
            }
        }
    }

    fn reject(self, rejected: &RejectedCall) -> Response {
        let StsRequest {
            request,
            context,
            id,
        } = self;
        let RejectedCall { fault, reason } = rejected;
        let code = fault.kind.code();
        context.error.set(Some(code));
        log_info!(
            request.log(),
            "rejected {} {code}: {}{}{reason}, role \"{}\", access key \"{}\"",
            context.sts_operation.get().unwrap_or("call"),
            fault.message,
            if reason.is_empty() { "" } else { ": " },
            context.role.get().unwrap_or_default(),
            context.access_key.get().escape_ascii()
        );
        response(id, fault.kind.status(), fault.xml(id).into_bytes())
    }

    /// Returns the client that has signed the call.
    fn client(self, view: &ClientRequest<'_, 'r>, body: &[u8]) -> Result<&'r Client, RejectedCall> {
        let (request, context) = (self.request, self.context);
        let body_hash = body_hash(body);
        let body_hash: &'r [u8] = request.copy(&body_hash).ok_or_else(Fault::internal)?;
        let service = ServiceRequest {
            request: view,
            service: sts::SERVICE,
            body_hash: body_hash.try_into().map_err(|_| Fault::internal())?,
        };
        let clients = RequestClients::of(request);
        let rules = request.location_conf().rules();
        let client = verify_service(&service, clients, rules, timestamp()).map_err(|rejected| {
            context.form.set(rejected.auth_type);
            context
                .access_key
                .set(claimed_access_key(request, &rejected));
            RejectedCall {
                fault: Fault::of_rejected(&rejected),
                reason: rejected.rejection.code(),
            }
        })?;
        context.form.set(Some(auth_type(view)));
        context.access_key.set(client.credential.access_key());
        context.account.set(client.account.as_ref());
        context.authenticated.set(true);
        Ok(client)
    }

    /// Answers AssumeRole: narrower keys from keys.
    fn assume(self, call: &AssumeRole, client: &'r Client) -> Answer {
        self.note_names(call.role.as_deref(), call.session.as_deref());
        let roles = self.roles();
        let role = call.role.as_deref();
        let role = role
            .map(|name| roles.roles().for_client(name))
            .transpose()?;
        let session = Session::of_client(role, call, client);
        let (key, caller) = self.mint(&session, &client.credential.access_key().escape_ascii())?;
        Ok(answer::assume_role(&key, &caller, self.id))
    }

    /// Answers AssumeRoleWithWebIdentity: keys for a token of somebody else's.
    fn assume_with_token(self, call: &AssumeRoleWithWebIdentity) -> Answer {
        self.note_names(Some(&call.role), Some(&call.session));
        let roles = self.roles();
        let (role, trust) = roles.roles().for_web_identity(&call.role)?;
        let token = Jwt::parse(call.token.as_bytes())?;
        // What nobody has signed does not get to the key set, and has none fetched.
        trust.check(&token, timestamp())?;
        let key_set = *roles.key_set(role.name()).ok_or_else(Fault::internal)?;
        let subject = self.judge(trust, &token, key_set)?;
        let session = Session::of_subject(role, call, &subject).ok_or_else(Fault::internal)?;
        let (key, caller) = self.mint(&session, &subject.subject.escape_default())?;
        Ok(answer::assume_role_with_web_identity(
            &key, &caller, &subject, self.id,
        ))
    }

    /// Judges a token; if its key is not known, the key set may be an old one.
    fn judge(
        self,
        trust: &WebIdentityTrust,
        token: &Jwt<'_>,
        key_set: usize,
    ) -> Result<Subject, RejectedCall> {
        let key_sets = &self.request.main_conf().key_sets;
        let Some(keys) = key_sets.present(key_set) else {
            key_sets.misses(key_set);
            return Err(TokenFault::NoKeys.into());
        };
        trust
            .judge(token, &keys, timestamp())
            .map_err(|fault| match fault {
                TokenFault::UnknownKey => match key_sets.misses(key_set) {
                    UnknownKey::IsNone => fault.into(),
                    UnknownKey::MayCome => RejectedCall {
                        fault: TokenFault::NoKeys.into(),
                        reason: fault.reason(),
                    },
                },
                // Another key may have the name by now.
                TokenFault::Signature => {
                    key_sets.misses(key_set);
                    fault.into()
                }
                fault => fault.into(),
            })
    }

    /// Mints a key; `who` has it, for the log.
    fn mint(
        self,
        session: &Session<'_>,
        who: &dyn Display,
    ) -> Result<(MintedKey, Caller), RejectedCall> {
        let (request, context) = (self.request, self.context);
        let issuer: &Issuer = request
            .location_conf()
            .minter()
            .ok_or_else(Fault::internal)?;
        let Some(id) = random_bytes() else {
            log_error!(request.log(), "the system has no random numbers");
            return Err(Fault::internal().into());
        };
        let (key, caller) = session.mint(issuer, KeyId::of(id), timestamp())?;
        log_info!(
            request.log(),
            "minted \"{}\" until {} for \"{who}\", role \"{}\", session \"{}\"",
            key.access_key,
            key.expires.to_iso(),
            context.role.get().unwrap_or_default(),
            context.session.get().unwrap_or_default()
        );
        Ok((key, caller))
    }

    fn roles(self) -> Rc<LocationRoles> {
        let roles = &self.request.location_conf().roles;
        roles.clone().unwrap_or_default()
    }

    /// Takes note of what is asked for, verified or not; nothing in it could harm a log.
    fn note_names(self, role: Option<&str>, session: Option<&str>) {
        let kept = |name: Option<&str>| -> Option<&'r str> {
            let copy: &'r [u8] = self.request.copy(name?.as_bytes())?;
            std::str::from_utf8(copy).ok()
        };
        self.context.role.set(kept(role));
        self.context.session.set(kept(session));
    }
}

fn auth_type(view: &ClientRequest<'_, '_>) -> AuthType {
    let mut headers = view.headers.iter();
    match headers.any(|header| header.name.eq_ignore_ascii_case(b"authorization")) {
        true => AuthType::V4Header,
        false => AuthType::V4Query,
    }
}

/// Tells whether the body is a form.
fn is_form(view: &ClientRequest<'_, '_>) -> bool {
    let mut headers = view.headers.iter();
    let content_type = headers.find(|header| header.name.eq_ignore_ascii_case(b"content-type"));
    content_type.is_some_and(|header| {
        let name = header.value.split(|byte| *byte == b';').next();
        let name = name.unwrap_or_default().trim_ascii();
        name.eq_ignore_ascii_case(FORM)
    })
}
