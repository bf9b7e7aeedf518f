//! `s3_bucket_map`, of an upstream and of a location: what buckets are called at origins.

use sigv4::{BucketMap, BucketMapFault, BucketRule};

use crate::{params::Params, word, words_from};

/// One `s3_bucket_map` line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketMapLine {
    /// The `server` line whose origin it is for; `None` is for all of them.
    pub server: Option<Box<[u8]>>,
    rule: BucketRule,
    /// For messages.
    named: String,
}

/// Reads `s3_bucket_map CLIENT ORIGIN [origin=SERVER]`.
pub fn bucket_map(words: &[&[u8]]) -> Result<BucketMapLine, String> {
    let (client, origin) = (word(words, 1), word(words, 2));
    let named = format!(
        "\"s3_bucket_map {} {}\"",
        client.escape_ascii(),
        origin.escape_ascii()
    );
    let mut params = Params::new(&named, words_from(words, 3));
    let server = params.take("origin")?;
    params.done()?;
    let no_name = |name: &[u8]| {
        format!(
            "{named}: \"{}\" is not the name of a bucket: write one of letters, digits, dots, dashes and \
             underscores, with at most one \"*\" for what is the same on both sides",
            name.escape_ascii()
        )
    };
    let rule = BucketRule::parse(client, origin).map_err(|fault| match fault {
        BucketMapFault::Client => no_name(client),
        BucketMapFault::OneStar => format!(
            "{named} has \"*\" on one side only: write it on both, where the name goes on, or on none"
        ),
        _ => no_name(origin),
    })?;
    Ok(BucketMapLine {
        server: server.map(Into::into),
        rule,
        named,
    })
}

impl BucketMapLine {
    /// Tells lines apart that mean something else.
    pub fn text(&self) -> String {
        let server = self.server.as_deref().unwrap_or_default();
        format!("{} {}\n", self.named, server.escape_ascii())
    }

    /// Whether it is for the origin of this server.
    fn is_for(&self, server: &[u8]) -> bool {
        self.server.as_deref().is_none_or(|own| own == server)
    }
}

/// Makes the map of a server's origin; an error if two lines contradict each other there.
pub fn bucket_map_of<'l>(
    lines: impl Iterator<Item = &'l BucketMapLine>,
    server: &[u8],
) -> Result<BucketMap, String> {
    let mut map = BucketMap::default();
    for line in lines.filter(|line| line.is_for(server)) {
        map.push(line.rule.clone()).map_err(|fault| {
            let (side, remedy) = match fault {
                BucketMapFault::ClientTwice => ("for clients", "keep one"),
                _ => ("at the origin", "give each bucket a name of its own"),
            };
            format!(
                "{} has the same name {side} as another line for \"{}\": {remedy}",
                line.named,
                server.escape_ascii()
            )
        })?;
    }
    Ok(map)
}

/// Checks that each line that is for one server is for one of these, which are those of `place`.
pub fn check_bucket_map_servers<'l>(
    mut lines: impl Iterator<Item = &'l BucketMapLine>,
    servers: &[&[u8]],
    place: &str,
) -> Result<(), String> {
    let is_lost = |line: &&BucketMapLine| {
        let server = line.server.as_deref();
        server.is_some_and(|server| !servers.contains(&server))
    };
    match lines.find(is_lost) {
        None => Ok(()),
        Some(line) => Err(format!(
            "{}: \"origin={}\" is no server of {place}: write it as it stands there, or leave it out",
            line.named,
            line.server.as_deref().unwrap_or_default().escape_ascii()
        )),
    }
}
