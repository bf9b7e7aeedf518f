//! `s3_cors`

use sigv4::{CorsFault, CorsLists, CorsRule};

use crate::{params::Params, time, words_from};

const NAMED: &str = "\"s3_cors\"";

/// An `s3_cors` line.
#[derive(Debug)]
pub enum CorsLine {
    /// The origin decides, whatever the levels around say.
    Off,
    Rule(CorsRule),
}

/// Reads `s3_cors origin=O,... [methods=] [headers=] [expose=] [max_age=] [credentials=on]`, or `s3_cors off`.
pub fn cors(words: &[&[u8]]) -> Result<CorsLine, String> {
    let words = words_from(words, 1);
    if let [b"off"] = words {
        return Ok(CorsLine::Off);
    }
    let mut params = Params::new(NAMED, words);
    let origins = params.take("origin")?;
    let methods = params.take("methods")?;
    let headers = params.take("headers")?;
    let expose = params.take("expose")?;
    let max_age = params.take("max_age")?;
    let credentials = params.take("credentials")?;
    params.done()?;

    let origins = origins.ok_or_else(|| {
        format!(
            "{NAMED} lacks \"origin=\": add the origins of the pages, as \
             \"origin=https://app.example.com\", or \"origin=*\""
        )
    })?;
    let lists = CorsLists {
        origins,
        methods,
        headers,
        expose,
        max_age: max_age.map(seconds).transpose()?,
        credentials: match credentials {
            None | Some(b"off") => false,
            Some(b"on") => true,
            Some(other) => {
                return Err(format!(
                    "{NAMED}: \"credentials={}\" is neither \"on\" nor \"off\"",
                    other.escape_ascii()
                ));
            }
        },
    };
    CorsRule::parse(&lists)
        .map(CorsLine::Rule)
        .map_err(|fault| remedy(&fault))
}

/// A day: the longest that any browser obeys.
const LONGEST: i64 = 86_400;

fn seconds(text: &[u8]) -> Result<u32, String> {
    time::seconds(text)
        .filter(|seconds| *seconds <= LONGEST)
        .and_then(|seconds| u32::try_from(seconds).ok())
        .ok_or_else(|| {
            format!(
                "{NAMED}: \"max_age={}\" is not such a time: write one from \"0\" to \"1d\"",
                text.escape_ascii()
            )
        })
}

fn remedy(fault: &CorsFault<'_>) -> String {
    match fault {
        CorsFault::Origin(text) => format!(
            "{NAMED}: \"{}\" in \"origin=\" is not an origin: write \"SCHEME://HOST\" or \
             \"SCHEME://HOST:PORT\" as browsers send it, without a path and without the scheme's \
             own port, with at most one \"*\" in it; or \"*\" or \"null\"",
            text.escape_ascii()
        ),
        CorsFault::Method(text) => format!(
            "{NAMED}: \"{}\" in \"methods=\" is not a method of S3: write \"GET\", \"HEAD\", \
             \"PUT\", \"POST\", \"DELETE\", separated by commas, or \"*\"",
            text.escape_ascii()
        ),
        CorsFault::Header(text) => format!(
            "{NAMED}: \"{}\" in \"headers=\" is not the name of a header: write names with at most \
             one \"*\" each, as \"content-type,x-amz-*\", or \"*\"",
            text.escape_ascii()
        ),
        CorsFault::Expose(text) => format!(
            "{NAMED}: \"{}\" in \"expose=\" is not the name of a header: write names as \
             \"ETag,x-amz-request-id\", or \"*\"",
            text.escape_ascii()
        ),
        CorsFault::CredentialsForAll(text) => format!(
            "{NAMED}: with \"credentials=on\", \"{}\" in \"origin=\" would give pages of anybody what \
             is your users': name the origins, with a \"*\" only before \".DOMAIN.TLD\" or as the port",
            text.escape_ascii()
        ),
        CorsFault::CredentialsExposeAll => format!(
            "{NAMED}: with \"credentials=on\", browsers take \"expose=*\" for a name: write the names \
             of the headers"
        ),
        _ => format!("{NAMED} cannot be read"),
    }
}
