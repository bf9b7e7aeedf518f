//! Browser uploads: a `POST` of `multipart/form-data` to a bucket, in whose fields are a policy and
//! the signature over it.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-authentication-HTTPPOST.html>
//!
//! A [`FormDecoder`] takes the form apart as it arrives, down to what is to be stored of it: the file
//! and the form's end. [`verify_form`] verifies the fields before the file. For an origin the fields
//! are written again, with a policy that allows just them. A [`FormStream`] is for forms of which the
//! file is sent on while it arrives.
pub(crate) mod decoder;
mod fields;
mod part;
pub(crate) mod pending;
mod policy;
pub(crate) mod stream;
pub(crate) mod verified_form;
pub(crate) mod verify;
