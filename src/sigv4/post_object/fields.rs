//! The fields of a form before its file.
use std::borrow::Cow;

use super::decoder::FormDecoder;
use crate::{error::Rejection, grant, request::Header};

/// Bytes of all values once file names are put in.
const MAX_EXPANDED: usize = 64 << 10;

/// Bytes of a key: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html>
const MAX_KEY: usize = 1024;

/// What stands for the file's name in a value.
const FILENAME: &[u8] = b"${filename}";

#[derive(Debug, Clone)]
pub(super) struct FormField<'r> {
    pub(super) name: &'r [u8],
    pub(super) value: Cow<'r, [u8]>,
}

impl FormField<'_> {
    pub(super) fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }

    /// Whether it is there for the page alone.
    fn is_ignored(&self) -> bool {
        const PREFIX: &[u8] = b"x-ignore-";
        self.name
            .get(..PREFIX.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(PREFIX))
    }

    /// Whether it says who signed, which is said again for an origin.
    fn is_of_signature(&self) -> bool {
        const NAMES: [&str; 8] = [
            "policy",
            "x-amz-algorithm",
            "x-amz-credential",
            "x-amz-date",
            "x-amz-security-token",
            "x-amz-signature",
            "awsaccesskeyid",
            "signature",
        ];
        NAMES.iter().any(|name| self.is(name))
    }

    /// Whether S3 goes on as if it were not there, which not every origin does: a status that is none of
    /// 200, 201 and 204 is 204.
    ///
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html>
    fn is_void(&self) -> bool {
        const STATUSES: [&[u8]; 3] = [b"200", b"201", b"204"];
        self.is("success_action_status") && !STATUSES.contains(&&*self.value)
    }

    /// Whether a policy need not mention it.
    pub(super) fn is_exempt(&self) -> bool {
        const NAMES: [&str; 4] = ["policy", "x-amz-signature", "awsaccesskeyid", "signature"];
        NAMES.iter().any(|name| self.is(name))
    }
}

/// Those that count: what is there for the page alone is left out.
#[derive(Debug)]
pub(super) struct FormFields<'r>(Vec<FormField<'r>>);

impl<'r> FormFields<'r> {
    /// Reads the fields of a form whose head is `head`.
    pub(super) fn read(form: &FormDecoder, head: &'r [u8]) -> Result<FormFields<'r>, Rejection> {
        if form.head() != Some(head) {
            return Err(Rejection::InternalError);
        }
        let mut fields = Vec::<FormField<'r>>::with_capacity(form.fields().len());
        for place in form.fields() {
            let field = FormField {
                name: head.get(place.name.clone()).unwrap_or_default(),
                value: head.get(place.value.clone()).unwrap_or_default().into(),
            };
            if field.is_ignored() {
                continue;
            }
            let is_same = |other: &FormField<'_>| other.name.eq_ignore_ascii_case(field.name);
            if fields.iter().any(is_same) {
                return Err(Rejection::RepeatedField);
            }
            // To some servers fields are headers; a copy is no upload.
            if grant::names_source(field.name) {
                return Err(Rejection::InvalidField);
            }
            fields.push(field);
        }
        Ok(FormFields(fields))
    }

    /// Returns the value of a field as it was sent.
    pub(super) fn raw(&self, name: &str) -> Option<&'r [u8]> {
        let field = self.0.iter().find(|field| field.is(name))?;
        match field.value {
            Cow::Borrowed(value) => Some(value),
            Cow::Owned(_) => None,
        }
    }

    pub(super) fn find(&self, name: &str) -> Option<&[u8]> {
        self.0
            .iter()
            .find(|field| field.is(name))
            .map(|field| &*field.value)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &FormField<'r>> {
        self.0.iter()
    }

    /// Puts the file's name into the values: policies are about what comes of that.
    pub(super) fn expand(&mut self, filename: &[u8]) -> Result<(), Rejection> {
        let is_separator = |byte: &u8| matches!(byte, b'/' | b'\\');
        // Some browsers send the whole path.
        let filename = filename.rsplit(is_separator).next().unwrap_or_default();
        let mut total = 0;
        for field in self.0.iter_mut().filter(|field| !field.is_of_signature()) {
            let finder = memchr::memmem::Finder::new(FILENAME);
            let count = finder.find_iter(&field.value).count();
            total += field.value.len() + count * filename.len();
            if total > MAX_EXPANDED {
                return Err(Rejection::FormFieldsTooLong);
            }
            if count > 0 {
                let mut expanded = Vec::new();
                let mut rest = 0;
                for at in finder.find_iter(&field.value) {
                    expanded.extend_from_slice(field.value.get(rest..at).unwrap_or_default());
                    expanded.extend_from_slice(filename);
                    rest = at + FILENAME.len();
                }
                expanded.extend_from_slice(field.value.get(rest..).unwrap_or_default());
                // The origin would put something in there once more.
                if finder.find(&expanded).is_some() {
                    return Err(Rejection::InvalidField);
                }
                field.value = expanded.into();
            }
        }
        Ok(())
    }

    /// Checks what a policy cannot be about: values that others might read in another way.
    pub(super) fn check_values(&self, boundary: &[u8]) -> Result<(), Rejection> {
        let delimiter = [b"--", boundary].concat();
        for field in self.0.iter().filter(|field| !field.is_of_signature()) {
            // A tag set is a document.
            let is_document = field.is("tagging");
            let is_control = |byte: &u8| {
                byte.is_ascii_control()
                    && *byte != b'\t'
                    && !(is_document && b"\r\n".contains(byte))
            };
            if field.value.iter().any(is_control)
                || std::str::from_utf8(&field.value).is_err()
                || memchr::memmem::find(&field.value, &delimiter).is_some()
            {
                return Err(Rejection::InvalidField);
            }
        }
        match self.find("key") {
            None | Some(b"") => Err(Rejection::MissingKey),
            Some(key) if key.len() > MAX_KEY => Err(Rejection::KeyTooLong),
            Some(_) => Ok(()),
        }
    }

    /// Returns the fields that are passed on, as headers would be.
    pub(super) fn as_headers(&self) -> Vec<Header<'_>> {
        let passed = self.0.iter().filter(|field| !field.is_of_signature());
        passed
            .map(|field| Header {
                name: field.name,
                value: &field.value,
            })
            .collect()
    }

    /// Returns the fields that are passed on as they are.
    pub(super) fn into_passed(self) -> Vec<FormField<'r>> {
        let mut fields = self.0;
        fields.retain(|field| !field.is_of_signature() && !field.is_void());
        fields
    }
}
