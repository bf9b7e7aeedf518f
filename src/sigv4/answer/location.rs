//! The answer to GetBucketLocation.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLocation.html>
use super::{error::XML_DECLARATION, xml::put_element};
use crate::region::Region;

impl Region {
    /// Returns what S3 calls the region where it tells of a bucket's: nothing for `us-east-1`, which has had no
    /// name there since it was the only one.
    pub fn location_constraint(&self) -> Option<&[u8]> {
        Some(self.as_bytes()).filter(|name| !matches!(*name, b"" | b"us-east-1"))
    }
}

/// Writes the document that says that a bucket is in this region.
pub(super) fn bucket_location(region: &Region) -> String {
    const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";
    let mut text = String::new();
    let constraint = region.location_constraint().unwrap_or_default();
    put_element(
        &mut text,
        "LocationConstraint",
        &String::from_utf8_lossy(constraint),
    );
    let open = format!("<LocationConstraint xmlns=\"{NAMESPACE}\">");
    XML_DECLARATION.to_owned() + &text.replacen("<LocationConstraint>", &open, 1)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn us_east_1_has_no_name() {
        let named = |region: &[u8]| bucket_location(&Region::parse(region).unwrap());
        let start = format!(
            "{XML_DECLARATION}<LocationConstraint xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
        );
        for (region, text) in [("eu-west-1", "eu-west-1"), ("us-east-1", ""), ("", "")] {
            assert_eq!(
                named(region.as_bytes()),
                format!("{start}{text}</LocationConstraint>")
            );
        }
    }
}
