//! `s3_anonymous`: what becomes of requests without a signature.

use std::sync::Arc;

use sigv4::Anonymous;

use crate::{account::read_account, grant::grant, params::Params, word, words_from};

const SIGN: &str = "\"s3_anonymous sign\"";

/// What may be done without a signature if no line says it.
const DEFAULT_ALLOW: &[u8] = b"read";

/// Reads `s3_anonymous on|off`, or `s3_anonymous sign [allow=CLASS|OPERATION,...] [buckets=BUCKET[/KEY],...]
/// [account=NAME]`.
pub fn anonymous(words: &[&[u8]]) -> Result<Anonymous, String> {
    let value = word(words, 1);
    let is = |expected: &[u8]| value.eq_ignore_ascii_case(expected);
    if is(b"sign") {
        return signed(words_from(words, 2));
    }
    let read = match () {
        () if is(b"on") => Anonymous::PassedOn,
        () if is(b"off") => Anonymous::Rejected,
        () => {
            return Err(format!(
                "\"s3_anonymous {}\" is none of \"on\", \"off\" and \"sign\": write one of them",
                value.escape_ascii()
            ));
        }
    };
    match words_from(words, 2) {
        [] => Ok(read),
        _ => Err(format!(
            "\"s3_anonymous {}\" takes no parameters: write \"s3_anonymous sign\" with them, or remove them",
            value.escape_ascii()
        )),
    }
}

fn signed(words: &[&[u8]]) -> Result<Anonymous, String> {
    let mut params = Params::new(SIGN, words);
    let allow = params.take("allow")?;
    let buckets = params.take("buckets")?;
    let account = params.take("account")?;
    params.done()?;

    let grant = grant(SIGN, Some(allow.unwrap_or(DEFAULT_ALLOW)), buckets)?;
    if grant.gives_credentials() {
        return Err(format!(
            "{SIGN}: \"CreateSession\" in \"allow=\" would give the origin's credentials to whoever asks: \
             remove it"
        ));
    }
    Ok(Anonymous::Signed {
        grant: Arc::new(grant),
        account: account.map(|name| read_account(SIGN, name)).transpose()?,
    })
}
