//! What a call says.
use std::fmt;

use zeroize::Zeroizing;

use crate::{
    fault::{Fault, FaultKind},
    form::{Form, Parameter},
    jwt::MAX_TOKEN,
    role::is_role_name,
};

/// How credential scopes name the service.
pub const SERVICE: &str = "sts";

/// The longest body, in bytes.
pub const MAX_BODY: usize = 64 << 10;

/// The longest ARN, in bytes; likewise.
const MAX_ARN: usize = 2_048;

/// The shortest time for which keys are asked, in seconds; likewise.
const MIN_DURATION: i64 = 900;

/// The longest, in seconds: what a role may have at most.
const MAX_DURATION: i64 = 43_200;

/// The names of all operations, for tables of them.
pub const OPERATIONS: [&str; 3] = [
    "AssumeRole",
    "AssumeRoleWithWebIdentity",
    "GetCallerIdentity",
];

const VERSION: &str = "2011-06-15";

/// A call.
#[derive(Debug)]
pub enum Call {
    AssumeRole(AssumeRole),
    /// It needs no signature, and one that it has is ignored, as AWS does.
    AssumeRoleWithWebIdentity(AssumeRoleWithWebIdentity),
    GetCallerIdentity,
}

/// What is no call, or cannot be read as one.
#[derive(Debug)]
pub struct UnreadableCall {
    pub fault: Fault,
    /// What it calls, if that can be told.
    pub operation: Option<&'static str>,
}

/// Keys from keys.
///
/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>
#[derive(Debug, PartialEq, Eq)]
pub struct AssumeRole {
    /// The role's name; `None` for what the caller may do, as MinIO has it.
    pub role: Option<String>,
    /// Absent only without a role.
    pub session: Option<String>,
    /// Seconds.
    pub duration: Option<i64>,
}

/// Keys from a token of an identity provider.
///
/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html>
pub struct AssumeRoleWithWebIdentity {
    /// The role's name.
    pub role: String,
    pub session: String,
    /// Seconds.
    pub duration: Option<i64>,
    pub token: Zeroizing<String>,
}

impl Call {
    /// Reads a call from its query and its body, both as they came. The body is empty unless its type is
    /// `application/x-www-form-urlencoded`.
    ///
    /// # Errors
    /// If it is none, or asks for what there is not.
    pub fn read(query: &[u8], body: &[u8]) -> Result<Call, UnreadableCall> {
        let mut operation = None;
        Call::read_noting(query, body, &mut operation)
            .map_err(|fault| UnreadableCall { fault, operation })
    }

    /// Notes the operation as soon as it is known.
    fn read_noting(
        query: &[u8],
        body: &[u8],
        operation: &mut Option<&'static str>,
    ) -> Result<Call, Fault> {
        let mut form = Form::read(query, body)?;
        let action = form.take(Parameter::Action).ok_or_else(|| {
            Fault::new(
                FaultKind::MissingAction,
                "The request is missing an action or a required parameter.",
            )
        })?;
        let version = form.take(Parameter::Version);
        *operation = OPERATIONS.into_iter().find(|known| *known == *action);
        if operation.is_none() || version.is_some_and(|version| *version != VERSION) {
            return Err(Fault::new(
                FaultKind::InvalidAction,
                "Could not find the operation in this version: there are AssumeRole, AssumeRoleWithWebIdentity and \
                 GetCallerIdentity in version 2011-06-15.",
            ));
        }
        match action.as_str() {
            "AssumeRole" => Ok(Call::AssumeRole(AssumeRole::read(&mut form)?)),
            "AssumeRoleWithWebIdentity" => {
                let call = AssumeRoleWithWebIdentity::read(&mut form)?;
                Ok(Call::AssumeRoleWithWebIdentity(call))
            }
            _ => Ok(Call::GetCallerIdentity),
        }
    }

    /// Returns the name of its operation.
    pub fn operation(&self) -> &'static str {
        match self {
            Call::AssumeRole(_) => "AssumeRole",
            Call::AssumeRoleWithWebIdentity(_) => "AssumeRoleWithWebIdentity",
            Call::GetCallerIdentity => "GetCallerIdentity",
        }
    }
}

impl AssumeRole {
    fn read(form: &mut Form) -> Result<AssumeRole, Fault> {
        reject_policies(form)?;
        let role = form.take(Parameter::RoleArn);
        let role = role.map(|arn| role_name(&arn)).transpose()?;
        let session = session_name(form)?;
        if role.is_some() && session.is_none() {
            return Err(missing(Parameter::RoleSessionName));
        }
        Ok(AssumeRole {
            role,
            session,
            duration: duration(form)?,
        })
    }
}

impl AssumeRoleWithWebIdentity {
    fn read(form: &mut Form) -> Result<AssumeRoleWithWebIdentity, Fault> {
        reject_policies(form)?;
        if form.take(Parameter::ProviderId).is_some() {
            return Err(Fault::validation(
                "ProviderId is for access tokens of OAuth 2.0, which are not supported here: leave it out.",
            ));
        }
        let arn = form.take(Parameter::RoleArn);
        let role = role_name(&arn.ok_or_else(|| missing(Parameter::RoleArn))?)?;
        let session = session_name(form)?;
        let token = form.take(Parameter::WebIdentityToken);
        let token = token.ok_or_else(|| missing(Parameter::WebIdentityToken))?;
        if token.len() > MAX_TOKEN {
            return Err(invalid(
                Parameter::WebIdentityToken,
                "must have length less than or equal to 20000",
            ));
        }
        Ok(AssumeRoleWithWebIdentity {
            role,
            session: session.ok_or_else(|| missing(Parameter::RoleSessionName))?,
            duration: duration(form)?,
            token,
        })
    }
}

impl fmt::Debug for AssumeRoleWithWebIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AssumeRoleWithWebIdentity")
            .field("role", &self.role)
            .field("session", &self.session)
            .field("duration", &self.duration)
            .finish_non_exhaustive()
    }
}

/// Rejects what would narrow the keys: nothing here could.
fn reject_policies(form: &mut Form) -> Result<(), Fault> {
    if form.has_policy_arns || form.take(Parameter::Policy).is_some() {
        return Err(Fault::new(
            FaultKind::MalformedPolicyDocument,
            "Session policies are not supported here: use a role.",
        ));
    }
    Ok(())
}

/// Returns the name in `arn:PARTITION:iam::ACCOUNT:role/NAME`, whatever partition and account are. One with a path keeps
/// it, and so is no role's.
fn role_name(arn: &str) -> Result<String, Fault> {
    let mut parts = arn.splitn(6, ':');
    let mut part = || parts.next().unwrap_or_default();
    let (scheme, partition, service, region, _, resource) =
        (part(), part(), part(), part(), part(), part());
    let name = resource.strip_prefix("role/").unwrap_or_default();
    let is_arn = scheme == "arn" && !partition.is_empty() && service == "iam" && region.is_empty();
    let is_name = name.split('/').all(is_role_name);
    if arn.len() > MAX_ARN || !is_arn || !is_name {
        return Err(Fault::validation(
            "RoleArn is not the ARN of a role: write arn:aws:iam::ACCOUNT:role/NAME.",
        ));
    }
    Ok(name.to_owned())
}

fn session_name(form: &mut Form) -> Result<Option<String>, Fault> {
    let Some(name) = form.take(Parameter::RoleSessionName) else {
        return Ok(None);
    };
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte);
    if !(2..=64).contains(&name.len()) || !name.bytes().all(is_part) {
        return Err(invalid(
            Parameter::RoleSessionName,
            "must have 2 to 64 characters of the pattern [\\w+=,.@-]*",
        ));
    }
    Ok(Some(name.to_string()))
}

fn duration(form: &mut Form) -> Result<Option<i64>, Fault> {
    let Some(text) = form.take(Parameter::DurationSeconds) else {
        return Ok(None);
    };
    let is_number = text.len() <= 9 && text.bytes().all(|byte| byte.is_ascii_digit());
    let seconds: Option<i64> = text.parse().ok().filter(|_| is_number);
    let seconds = seconds.filter(|seconds| (MIN_DURATION..=MAX_DURATION).contains(seconds));
    seconds.map(Some).ok_or_else(|| {
        invalid(
            Parameter::DurationSeconds,
            "must be a number of seconds from 900 to 43200",
        )
    })
}

fn missing(parameter: Parameter) -> Fault {
    invalid(parameter, "must not be null")
}

/// Says it as AWS does, but for the value, which may be a secret.
fn invalid(parameter: Parameter, what: &str) -> Fault {
    let mut name = String::from(parameter.name());
    if let Some(first) = name.get_mut(..1) {
        first.make_ascii_lowercase();
    }
    Fault::validation(format!(
        "1 validation error detected: Value at '{name}' failed to satisfy constraint: Member {what}"
    ))
}
