//! A form between its fields and its end.
use super::{
    decoder::FormDecoder,
    stream::{FormStream, Tail},
    verified_form::VerifiedForm,
};
use crate::{
    error::Rejection,
    proof::{Proof, ProvenClient},
    region::Region,
    verified::{AdmittedRequest, Verified},
};

/// A form whose fields are verified; how long its file is shows only at its end.
#[derive(Debug)]
pub struct PendingForm<'r> {
    pub(super) request: AdmittedRequest<'r>,
    pub(super) client: ProvenClient<'r>,
    pub(super) region: Region,
    pub(super) post: Box<VerifiedForm<'r>>,
}

impl<'r> PendingForm<'r> {
    /// Returns the client's access key.
    pub fn access_key(&self) -> &'r [u8] {
        self.client.access_key
    }

    /// Checks what has arrived of the file, so that a file that is too long is rejected before its end.
    ///
    /// # Errors
    /// If the policy does not allow so much.
    pub fn check_length(&self, form: &FormDecoder) -> Result<(), Rejection> {
        match form.file_length() > *self.post.length.end() {
            true => Err(Rejection::EntityTooLarge),
            false => Ok(()),
        }
    }

    /// Completes a form that is there as a whole.
    ///
    /// # Errors
    /// If it is not complete, or its file is not as long as the policy demands.
    pub fn complete(self, form: &FormDecoder) -> Result<Verified<'r>, Rejection> {
        self.check_end(form)?;
        Ok(self.verified(form.stored_length()))
    }

    /// Completes a form whose file is still to come, or has passed through `stream` as it came: its end is
    /// held back until the rest is verified too.
    ///
    /// # Errors
    /// If there is more of it already than was announced.
    pub fn streamed(
        self,
        form: &FormDecoder,
        stream: &FormStream,
    ) -> Result<Verified<'r>, Rejection> {
        let length = stream.length_after_head(form)?;
        Ok(self.verified(length))
    }

    pub(super) fn check_end(&self, form: &FormDecoder) -> Result<(), Rejection> {
        form.finish()?;
        self.check_length(form)?;
        match form.file_length() < *self.post.length.start() {
            true => Err(Rejection::EntityTooSmall),
            false => Ok(()),
        }
    }

    fn verified(mut self, stored_length: u64) -> Verified<'r> {
        self.post.stored_length = stored_length;
        Verified {
            request: self.request,
            document: None,
            digests: None,
            reads_answer: false,
            opened: None,
            proof: Proof::PostPolicy {
                client: self.client,
                region: self.region,
                post: self.post,
            },
        }
    }
}

impl FormStream {
    /// Returns what is left to be sent of a form that has ended.
    ///
    /// # Errors
    /// If the form is not complete, or its file not as long as the policy demands.
    pub fn end(&self, form: &FormDecoder, pending: &PendingForm<'_>) -> Result<Tail, Rejection> {
        pending.check_end(form)?;
        self.tail(form)
    }
}
