//! What a client calls what the answer to its request speaks of.
use percent_encoding::percent_decode;

use crate::{
    answer::{AskedId, ClientNames, DocumentNames, NamedDocument},
    operation::Operation,
    origin::{Addressing, Origin},
    resource::SourceObject,
    sealed::{Sealer, seals_ids},
    text::uri::{self, Part},
    verified::Verified,
};

impl Verified<'_> {
    /// Returns the buckets of the request that have other names at one of these origins: its own, and that of
    /// the object that it copies or moves.
    pub fn names<'o>(&self, origins: impl Iterator<Item = &'o Origin>) -> ClientNames {
        let mut names = ClientNames::default();
        let bucket = self.bucket();
        let source = self.request.source.and_then(SourceObject::parse);
        let source: Option<Vec<u8>> = source.map(|source| percent_decode(source.bucket).collect());
        for origin in origins {
            names.add(&bucket, origin);
            if let Some(bucket) = &source {
                names.add(bucket, origin);
            }
        }
        names
    }

    /// Returns the sealed id in its query; `None` without one.
    pub fn asked_id(&self) -> Option<AskedId> {
        let [origin, client] = self.opened.as_deref()?.spellings();
        Some(AskedId { origin, client })
    }

    /// Returns the rewriting of the document that answers the request; `None` if it can stay as it is. `scheme` and
    /// `host` are those that the client has used, and `sealer` is for the ids of the origin that has answered.
    pub fn document(
        &self,
        names: &ClientNames,
        sealer: Option<Sealer>,
        scheme: &str,
        host: &[u8],
    ) -> Option<NamedDocument> {
        let bucket = self.bucket();
        let names = DocumentNames {
            bucket: (names.is_client(&bucket)).then(|| String::from_utf8_lossy(&bucket).into()),
            location: self.url_of_new(scheme, host),
            sealer,
        };
        NamedDocument::of(self.operation(), names)
    }

    /// Returns the client's name for a bucket that this origin lists; `None` if the client is not to see it.
    pub fn shown_bucket(&self, bucket: &str, origin: &Origin) -> Option<String> {
        let name = match origin.buckets.is_empty() {
            true => bucket.to_owned(),
            false => origin.buckets.client_name(bucket.as_bytes())?.to_string(),
        };
        let grant = self.sees_some_buckets();
        let is_shown = grant.is_none_or(|grant| grant.shows_bucket(name.as_bytes()));
        is_shown.then_some(name)
    }

    /// Whether the document that answers the request has names in it that may have to be written again, so that it
    /// must not be compressed.
    pub fn expects_names<'o>(&self, origins: impl Iterator<Item = &'o Origin> + Clone) -> bool {
        match self.operation() {
            Operation::CompleteMultipartUpload
            | Operation::DeleteObjects
            | Operation::PostObject => true,
            Operation::ListBuckets
            | Operation::ListObjects
            | Operation::ListObjectsV2
            | Operation::ListObjectVersions
            | Operation::ListMultipartUploads
            | Operation::ListParts
            | Operation::CreateMultipartUpload => {
                let mut maps = origins.clone().map(|origin| &origin.buckets);
                maps.any(|map| !map.is_empty())
                    || self.told_region().is_some()
                    || self.seals_ids(origins)
            }
            _ => false,
        }
    }

    /// Whether the ids in the answer are sealed: not all origins know them, or the client asks with a sealed one.
    pub fn seals_ids<'o>(&self, origins: impl Iterator<Item = &'o Origin>) -> bool {
        seals_ids(origins) || self.is_for_some_origins()
    }

    /// Returns the URL of the object that a form or the end of an upload in parts makes, as S3 tells it; `None` for
    /// other requests.
    ///
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html>
    pub fn url_of_new(&self, scheme: &str, host: &[u8]) -> Option<String> {
        let path = match (self.operation(), self.form_key()) {
            (Operation::PostObject, Some(key)) => {
                let path = self.address().resource(self.request.target.path)?;
                let mut whole = vec![b'/'];
                uri::put_canonical(&mut whole, path.raw_bucket(), Part::Path);
                whole.push(b'/');
                whole.extend(key);
                self.address().path_for(whole)
            }
            (Operation::CompleteMultipartUpload, _) => {
                let mut path = Vec::new();
                uri::put_canonical(&mut path, self.request.path, Part::Path);
                path
            }
            _ => return None,
        };
        let path = String::from_utf8_lossy(&path);
        Some(match String::from_utf8_lossy(host) {
            // HTTP/1.0 needs none.
            host if host.is_empty() => path.into(),
            host => format!("{scheme}://{host}{path}"),
        })
    }

    /// Returns the client's bucket, raw, if that origin is asked for it in its host.
    pub fn bucket_in_host(&self, origin: &Origin) -> Option<&[u8]> {
        let path = self.address().resource(self.request.target.path)?;
        let bucket = Some(path.raw_bucket()).filter(|bucket| !bucket.is_empty());
        bucket.filter(|_| origin.addressing == Addressing::Virtual)
    }

    /// Returns the client's bucket, decoded; empty if the service itself is meant.
    fn bucket(&self) -> Vec<u8> {
        let path = self.address().resource(self.request.target.path);
        path.map_or(Vec::new(), |path| {
            percent_decode(path.raw_bucket()).collect()
        })
    }
}
