//! Which digests of a request are checked or computed here, by the origins that it may go to.
use super::Digests;
use crate::{
    checksum::{Checksum, ChecksumAlgorithm},
    dialect::needs_digest,
    error::{ChecksumFault, Rejection},
    header_fate::{checksum_header, tells_no_checksum},
    operation::Operation,
    origin::Origin,
    proof::Proof,
    request::Header,
    upload::Upload,
    verified::Verified,
};

impl Verified<'_> {
    /// Takes note of the dialects of the origins that the request may go to, which [`sign`](crate::sign) needs for
    /// those that read no checksums. What those might not check that read no framing is checked here, too. `headers`
    /// are the client's, `length` is the length of its body, `None` where it was not announced. Returns whether the
    /// body has to be read before the request is signed.
    ///
    /// # Errors
    /// If there is a checksum that cannot be read, that is wrong for an empty body, or that only an origin could check
    /// which reads none.
    pub fn adapt<'o, 'h>(
        &mut self,
        origins: impl Iterator<Item = &'o Origin>,
        headers: impl Iterator<Item = Header<'h>>,
        length: Option<u64>,
    ) -> Result<bool, Rejection> {
        let (mut checks, mut drops, mut adds_md5) = (false, false, false);
        for origin in origins {
            checks |= origin.may_ignore_checksums();
            drops |= origin.dialect.drops_checksums();
            adds_md5 |= origin.dialect.adds_md5();
        }
        let is_form = matches!(self.proof, Proof::PostPolicy { .. } | Proof::Preflight(_));
        // A body that is written again has been checked, and goes out without digests.
        if !(checks || adds_md5) || is_form || self.document.is_some() {
            self.digests = drops.then(Box::default);
            return Ok(false);
        }
        let operation = self.operation();
        let mut digests = Digests::default();
        let mut has_md5 = false;
        for header in headers {
            has_md5 |= header.name.eq_ignore_ascii_case(b"content-md5");
            if let Some(name) = checksum_header(header.name)
                && checks
                && may_have_body(self.request.method, operation)
                && !tells_no_checksum(&name)
                && let Some(claim) = read_claim(operation, &name, header.value, drops)?
                && let Some(_) = digests.claim.replace(claim)
            {
                return Err(Rejection::Checksums(ChecksumFault::Several));
            }
        }
        digests.needs_md5 = adds_md5 && !has_md5 && needs_digest(operation);
        if length == Some(0)
            && let Some(digesting) = digests.start()
        {
            digests.md5 = digesting.finish()?;
            digests.needs_md5 = false;
        }
        let reads_body = digests.needs_md5;
        let is_of_use = drops || adds_md5 || digests.are_needed();
        self.digests = is_of_use.then(|| Box::new(digests));
        Ok(reads_body)
    }

    /// Whether an upload computes the digests that are needed: it may have begun where others were.
    pub fn is_digested_by(&self, upload: &Upload) -> bool {
        match &self.digests {
            Some(digests) if digests.are_needed() => {
                let digesting = upload.digesting();
                digesting.is_some_and(|digesting| digesting.are_those(digests))
            }
            _ => true,
        }
    }

    /// Sets the MD5 that was computed of a body, all of which was read before the head is signed.
    pub fn set_md5(&mut self, md5: Checksum) {
        if let Some(digests) = &mut self.digests {
            digests.md5 = Some(md5);
        }
    }
}

/// Whether the headers of an operation may tell the checksum of its body.
fn may_have_body(method: &[u8], operation: Operation) -> bool {
    matches!(method, b"PUT" | b"POST") && !operation.has_source()
}

/// Reads a checksum, from the end of its header's name and its value; `None` if only the origin can check it, unless
/// that does not get it.
fn read_claim(
    operation: Operation,
    name: &[u8],
    value: &[u8],
    drops: bool,
) -> Result<Option<Checksum>, Rejection> {
    // With these it is that of the whole object, whose data is not here.
    let is_of_object = matches!(
        operation,
        Operation::CompleteMultipartUpload | Operation::CreateMultipartUpload
    );
    let algorithm = ChecksumAlgorithm::of_header(&[b"x-amz-checksum-", name].concat());
    match algorithm.filter(|_| !is_of_object) {
        Some(algorithm) => match Checksum::parse(algorithm, value.trim_ascii()) {
            None => Err(Rejection::InvalidChecksumHeader(algorithm)),
            claim => Ok(claim),
        },
        None if drops => Err(Rejection::NotImplemented),
        None => Ok(None),
    }
}
