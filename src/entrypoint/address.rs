//! A host with its port.

use directives::Host;

/// `NAME` or `NAME:PORT`, as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    text: String,
    /// The length of the name in it.
    name: usize,
    port: Option<u16>,
}

impl Address {
    /// `None` if it is no host.
    pub(crate) fn parse(text: &[u8]) -> Option<Address> {
        let Host { name, port } = Host::parse(text)?;
        Some(Address {
            text: String::from_utf8(text.to_vec()).ok()?,
            name: name.len(),
            port,
        })
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn name(&self) -> &str {
        self.text.get(..self.name).unwrap_or_default()
    }

    pub(crate) fn port(&self) -> Option<u16> {
        self.port
    }
}
