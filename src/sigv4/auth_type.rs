//! The ways of signing a request.

/// How the request was signed: `$s3_auth`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthType {
    V4Header,
    V4Query,
    V2Header,
    V2Query,
    Anonymous,
    /// Not signed by anybody, and signed for the origin as far as the location grants that.
    Granted,
    /// A browser's form: V4, or V2.
    PostPolicy,
    /// A browser's question before a request; not signed.
    Preflight,
}

impl AuthType {
    pub const ALL: [AuthType; 8] = [
        AuthType::V4Header,
        AuthType::V4Query,
        AuthType::V2Header,
        AuthType::V2Query,
        AuthType::Anonymous,
        AuthType::Granted,
        AuthType::PostPolicy,
        AuthType::Preflight,
    ];

    pub fn name(self) -> &'static str {
        match self {
            AuthType::V4Header => "v4-header",
            AuthType::V4Query => "v4-query",
            AuthType::V2Header => "v2-header",
            AuthType::V2Query => "v2-query",
            AuthType::Anonymous => "anonymous",
            AuthType::Granted => "granted",
            AuthType::PostPolicy => "post-policy",
            AuthType::Preflight => "preflight",
        }
    }

    /// Whether a signature says who sent the request.
    pub fn is_signed(self) -> bool {
        !matches!(
            self,
            AuthType::Anonymous | AuthType::Granted | AuthType::Preflight
        )
    }

    /// Whether the request goes out with a signature of the origin's key.
    pub fn is_signed_for_origins(self) -> bool {
        self.is_signed() || self == AuthType::Granted
    }
}
