//! The keys that are added to a verified request.
use super::{AddedKeys, CustomerKey, CustomerKeys, KeyedRequest, OwnKeys};
use crate::{
    error::Unsignable, header_fate::BodyHeaders, operation::Operation, proof::Proof,
    verified::Verified, wire::WireHead,
};

impl Verified<'_> {
    /// Whether the client must not hear with which key its object was encrypted: it is none that it has sent.
    pub fn hides_customer_key(&self) -> bool {
        self.keys().is_some() && !self.request.has_own_key
    }

    /// Whether the origin gets a key with it, the operator's or the client's, and confirms in its answer that it stores data so: S3 and MinIO do, and a
    /// server that knows nothing of keys stores them in clear. Other answers have that at S3, and not at MinIO.
    ///
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html#API_PutObject_ResponseElements>
    pub fn awaits_confirmed_key(&self) -> bool {
        let request = &self.request;
        let stores = matches!(
            request.operation,
            Operation::PutObject | Operation::UploadPart
        );
        let keys = self.keys().filter(|_| stores);
        let path = self.address().resource(request.target.path);
        keys.zip(path).is_some_and(|(keys, path)| {
            let rule = keys.find_raw(path.raw_bucket(), path.raw_key());
            rule.is_some()
        })
    }

    fn keys(&self) -> Option<&CustomerKeys> {
        let keys = self.request.rules.customer_keys.as_deref();
        keys.filter(|keys| !keys.is_empty())
    }

    /// Selects the keys that are added to the headers of a request as it goes out.
    ///
    /// # Errors
    /// If it goes out unsigned: an operator's key is for clients that are known.
    pub(crate) fn added_keys(
        &self,
        head: &WireHead<'_, '_>,
        operation: Operation,
    ) -> Result<AddedKeys<'_>, Unsignable> {
        let Some(keys) = self.keys() else {
            return Ok(AddedKeys::default());
        };
        let path = self.address().resource(head.path);
        let own = OwnKeys::read(head.to_sign(BodyHeaders::Untouched.into()));
        let added = match &self.proof {
            Proof::PostPolicy { .. } => AddedKeys::default(),
            _ => keys.added_to(&KeyedRequest {
                operation,
                method: head.method,
                path: path.ok_or(Unsignable::Target)?,
                source: head.source().map(|source| source.value),
                own,
            }),
        };
        match self.proof {
            Proof::Anonymous { .. } | Proof::Preflight(_) if !added.is_empty() => {
                Err(Unsignable::UnsignedKey)
            }
            _ => Ok(added),
        }
    }

    /// Selects the key that is added to the fields of a form.
    pub(crate) fn added_field_key(&self, bucket: &str, key: &[u8]) -> Option<&CustomerKey> {
        let keys = self.keys().filter(|_| !self.request.has_own_key)?;
        keys.find(bucket.as_bytes(), key).map(|rule| &rule.key)
    }
}
