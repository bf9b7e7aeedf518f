//! Who a client is, as AWS names it.
use sha2::{Digest, Sha256};
use sigv4::{Account, Client};

/// The account of clients that have none, or one whose name is not an account's at AWS.
const NO_ACCOUNT: &str = "000000000000";

/// Who a client is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    pub account: String,
    pub arn: String,
    pub user_id: String,
}

impl Caller {
    /// Tells of a client: a key that is listed is a user's; a minted one is a session of its role, or of a federated user.
    ///
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html#principaltable>
    pub fn of(client: &Client) -> Caller {
        let account = client.account.as_ref();
        match &client.lineage {
            Some(lineage) => {
                let id = lineage.key.id.to_string();
                let session = lineage.session.as_deref().unwrap_or(&id);
                Caller::session(account, lineage.role.as_deref(), session)
            }
            None => {
                let account = account_text(account);
                let key = client.credential.access_key().escape_ascii().to_string();
                Caller {
                    arn: format!("arn:aws:iam::{account}:user/{key}"),
                    account,
                    user_id: key,
                }
            }
        }
    }

    pub(crate) fn session(account: Option<&Account>, role: Option<&str>, session: &str) -> Caller {
        let account = account_text(account);
        match role {
            Some(role) => Caller {
                arn: format!("arn:aws:sts::{account}:assumed-role/{role}/{session}"),
                user_id: format!("{}:{session}", role_id(role)),
                account,
            },
            None => Caller {
                arn: format!("arn:aws:sts::{account}:federated-user/{session}"),
                user_id: format!("{account}:{session}"),
                account,
            },
        }
    }
}

fn account_text(account: Option<&Account>) -> String {
    let name = account.map(Account::as_str).unwrap_or_default();
    let is_number = name.len() == 12 && name.bytes().all(|byte| byte.is_ascii_digit());
    String::from(if is_number { name } else { NO_ACCOUNT })
}

/// Makes up the id of a role: 21 characters as AWS's have, the same for the same name everywhere.
///
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids>
fn role_id(role: &str) -> String {
    const DIGITS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let hash = Sha256::digest(role);
    let digits = hash
        .iter()
        .take(17)
        .map(|byte| DIGITS[usize::from(byte % 32)]);
    let mut id = String::from("AROA");
    id.extend(digits.map(char::from));
    id
}
