//! Reads what a request asks of S3, once for grants, variables, rules of regions and caches.
use crate::{
    address::Address,
    error::Rejection,
    headers::{KnownHeader, KnownHeaders},
    operation::{Level, Method, Operation},
    parameter::{AmzHeader, ParameterName, ParameterSet, S3Parameter, ValueRule},
    request::{ClientRequest, Target},
    resource::{Encoded, ResourcePath, SourceObject},
    sealed::is_sealed_value,
    text::query::{Parameters, Query},
    text::uri::{self, Part},
};

/// What a request asks of S3.
#[derive(Debug, Clone, Copy)]
pub struct S3Request<'a> {
    operation: Operation,
    pub(crate) path: ResourcePath<'a>,
    /// The raw value of `prefix`.
    pub(crate) prefix: Option<&'a [u8]>,
    /// It has an id that was sealed, here or by another such proxy.
    pub(crate) has_sealed_id: bool,
}

/// The parts of a request that say what it asks.
#[derive(Clone, Copy)]
pub(crate) struct S3RequestParts<'p, 'a> {
    pub(crate) method: &'p [u8],
    pub(crate) path: ResourcePath<'a>,
    pub(crate) query: &'p Query<'p, 'a>,
    pub(crate) copy_source: Option<&'a [u8]>,
    pub(crate) rename_source: Option<&'a [u8]>,
    /// It is a browser's form, with its signature in it.
    pub(crate) is_form: bool,
}

impl<'a> S3Request<'a> {
    /// Reads a request as it goes to the origin, whoever sent it; whether it may be done is not asked.
    ///
    /// # Errors
    /// If it is no request of S3.
    pub fn of(
        request: &ClientRequest<'_, 'a>,
        address: &'a Address<'_>,
    ) -> Result<S3Request<'a>, Rejection> {
        let Target { path, query } = request.target();
        let mut room = Parameters::new();
        let query = match request.rewritten {
            None => Query::parse(query, &mut room)?,
            // What a signature's parameters have there does not go out, and need not be readable.
            Some(_) => Query::parse_others(query, &mut room)?,
        };
        let fields = KnownHeaders::scan(request.headers)?;
        let is_form = fields.is_browser_form(request.method)
            && fields.value(KnownHeader::Authorization).is_none()
            && query.is_plain();
        S3Request::read(S3RequestParts {
            method: request.method,
            path: address.resource(path).ok_or(Rejection::InvalidUri)?,
            query: &query,
            copy_source: fields.value(KnownHeader::CopySource),
            rename_source: fields.value(KnownHeader::RenameSource),
            is_form,
        })
    }

    pub(crate) fn read(parts: S3RequestParts<'_, 'a>) -> Result<S3Request<'a>, Rejection> {
        let method = Method::parse(parts.method).ok_or(Rejection::MethodNotAllowed)?;
        let path = parts.path;
        path.check()?;
        let sources = [parts.copy_source, parts.rename_source];
        if !sources
            .into_iter()
            .flatten()
            .all(SourceObject::stays_in_bucket)
        {
            return Err(Rejection::InvalidSource);
        }
        let level = match (path.raw_bucket(), path.raw_key()) {
            (b"", _) => Level::Service,
            (bucket, b"") if is_response(bucket) => Level::Response,
            (_, b"") if parts.is_form => Level::Form,
            (_, b"") => Level::Bucket,
            _ => match sources {
                [None, None] => Level::Object,
                [Some(_), _] => Level::Copy,
                [None, Some(_)] => Level::Rename,
            },
        };
        // What services take there, as account management, is not S3.
        if level == Level::Service
            && !matches!(method, Method::Get | Method::Head | Method::Options)
        {
            return Err(Rejection::MethodNotAllowed);
        }
        let mut request = S3Request {
            operation: Operation::Unknown,
            path,
            prefix: None,
            has_sealed_id: false,
        };
        let mut parameters = ParameterSet::default();
        // A source of neither a copy nor a move, or of both.
        let mut is_known = match level {
            Level::Copy => parts.rename_source.is_none(),
            Level::Object | Level::Rename => true,
            _ => sources == [None, None],
        };
        let mut x_id = None;
        for (name, value) in parts.query.others() {
            match ParameterName::of(name) {
                ParameterName::Known(parameter) => {
                    is_known &= parameters.insert(parameter);
                    let value = value.unwrap_or_default();
                    is_known &= match parameter.value() {
                        ValueRule::Absent => value.is_empty(),
                        ValueRule::Present => !value.is_empty(),
                        ValueRule::Two => uri::decoded(value, Part::Query).eq(*b"2"),
                        ValueRule::Any => true,
                    };
                    match parameter {
                        S3Parameter::Prefix => request.prefix = Some(value),
                        S3Parameter::XId => x_id = Some(value),
                        id if id.is_id() => request.has_sealed_id |= is_sealed_value(value),
                        _ => {}
                    }
                }
                ParameterName::Header(AmzHeader::Source) | ParameterName::Unknown => {
                    is_known = false
                }
                ParameterName::Header(_) => {}
            }
        }
        if is_known {
            request.operation = Operation::of(level, method, parameters);
        }
        if let Some(value) = x_id {
            request.check_x_id(value, level)?;
        }
        Ok(request)
    }

    /// Compares what the client's SDK calls the operation.
    fn check_x_id(&mut self, value: &[u8], level: Level) -> Result<(), Rejection> {
        let is = |name: &str| uri::decoded(value, Part::Query).eq(name.bytes());
        if self.operation == Operation::ListBuckets && is("ListDirectoryBuckets") {
            self.operation = Operation::ListDirectoryBuckets;
        }
        if self.operation.names().any(is) {
            return Ok(());
        }
        self.operation = Operation::Unknown;
        let named = Operation::ALL.iter().find(|operation| is(operation.name()));
        match named {
            Some(named) if named.is_of_object() && !level.is_of_object() => {
                Err(Rejection::BucketInHost)
            }
            _ => Ok(()),
        }
    }

    pub fn operation(&self) -> Operation {
        self.operation
    }

    /// Returns the bucket; `None` if the service itself is meant.
    pub fn bucket(&self) -> Option<Encoded<'a>> {
        self.path.bucket()
    }

    /// Returns the key; `None` if a bucket or the service is meant.
    pub fn key(&self) -> Option<Encoded<'a>> {
        self.path.key()
    }
}

/// Whether a raw name is the path of Object Lambda's answers.
fn is_response(name: &[u8]) -> bool {
    const NAME: &[u8] = b"WriteGetObjectResponse";
    name.len() >= NAME.len() && uri::decoded(name, Part::Path).eq(NAME.iter().copied())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ties::each_edit;

    #[test]
    fn the_path_of_answers_is_found_as_in_the_decoded_segment() {
        for text in ["WriteGetObjectResponse", "%57riteGetObjectRespons%65"] {
            each_edit(text.as_bytes(), |raw| {
                let expected = percent_encoding::percent_decode(raw).eq(*b"WriteGetObjectResponse");
                assert_eq!(is_response(raw), expected, "{}", raw.escape_ascii());
            });
        }
    }
}
