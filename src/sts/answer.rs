//! What is answered, as AWS writes it.
//!
//! Sources: [AssumeRole][role], [AssumeRoleWithWebIdentity][web], [GetCallerIdentity][caller].
//!
//! [role]: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
//! [web]: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
//! [caller]: https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
use sigv4::{MintedKey, put_element};
use zeroize::Zeroizing;

use crate::{caller::Caller, fault::Fault, trust::Subject};

/// The type of each answer.
pub const CONTENT_TYPE: &str = "text/xml";

const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// More bytes than an answer has, so that none leaves a copy of a secret behind as it grows: a subject may be of 1,024 bytes,
/// which are 6 each when they are escaped, and so may issuer and audience be long.
const ROOM: usize = 16 << 10;

/// Writes the answer to AssumeRole.
pub fn assume_role(key: &MintedKey, caller: &Caller, request_id: &str) -> Zeroizing<String> {
    written("AssumeRole", request_id, |xml| {
        put_user(xml, caller);
        put_credentials(xml, key);
    })
}

/// Writes the answer to AssumeRoleWithWebIdentity.
pub fn assume_role_with_web_identity(
    key: &MintedKey,
    caller: &Caller,
    subject: &Subject,
    request_id: &str,
) -> Zeroizing<String> {
    written("AssumeRoleWithWebIdentity", request_id, |xml| {
        put(xml, "SubjectFromWebIdentityToken", &subject.subject);
        put(xml, "Audience", &subject.audience);
        put_user(xml, caller);
        put_credentials(xml, key);
        put(xml, "Provider", &subject.issuer);
    })
}

/// Writes the answer to GetCallerIdentity.
pub fn caller_identity(caller: &Caller, request_id: &str) -> Zeroizing<String> {
    written("GetCallerIdentity", request_id, |xml| {
        put(xml, "Arn", &caller.arn);
        put(xml, "UserId", &caller.user_id);
        put(xml, "Account", &caller.account);
    })
}

impl Fault {
    /// Writes the answer, which has the status that its kind says.
    pub fn xml(&self, request_id: &str) -> String {
        let mut xml = format!("<ErrorResponse xmlns=\"{NAMESPACE}\"><Error>");
        let is_senders = self.kind.is_senders();
        put(
            &mut xml,
            "Type",
            if is_senders { "Sender" } else { "Receiver" },
        );
        put(&mut xml, "Code", self.kind.code());
        put(&mut xml, "Message", &self.message);
        xml.push_str("</Error>");
        put(&mut xml, "RequestId", request_id);
        xml.push_str("</ErrorResponse>\n");
        xml
    }
}

fn written(
    operation: &str,
    request_id: &str,
    put_result: impl FnOnce(&mut String),
) -> Zeroizing<String> {
    let mut answer = Zeroizing::new(String::with_capacity(ROOM));
    let xml = &mut *answer;
    for part in ["<", operation, "Response xmlns=\"", NAMESPACE, "\"><"] {
        xml.push_str(part);
    }
    xml.push_str(operation);
    xml.push_str("Result>");
    put_result(xml);
    for part in ["</", operation, "Result><ResponseMetadata>"] {
        xml.push_str(part);
    }
    put(xml, "RequestId", request_id);
    for part in ["</ResponseMetadata></", operation, "Response>\n"] {
        xml.push_str(part);
    }
    answer
}

fn put_user(xml: &mut String, caller: &Caller) {
    xml.push_str("<AssumedRoleUser>");
    put(xml, "AssumedRoleId", &caller.user_id);
    put(xml, "Arn", &caller.arn);
    xml.push_str("</AssumedRoleUser>");
}

fn put_credentials(xml: &mut String, key: &MintedKey) {
    xml.push_str("<Credentials>");
    put(xml, "AccessKeyId", &key.access_key);
    put(xml, "SecretAccessKey", &key.secret_key);
    put(xml, "SessionToken", &key.session_token);
    put(xml, "Expiration", &key.expires.to_iso());
    xml.push_str("</Credentials>");
}

/// Puts an element, in whose text a character that XML cannot have is a question mark.
fn put(xml: &mut String, name: &str, text: &str) {
    let is_lacking = |c: char| c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}');
    match text.contains(is_lacking) {
        true => put_element(xml, name, &text.replace(is_lacking, "?")),
        false => put_element(xml, name, text),
    }
}
