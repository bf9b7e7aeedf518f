//! The ways of signing a request.

/// How the request was signed: `$s3_auth`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthType {
    V4Header,
    V4Query,
    V2Header,
    V2Query,
    Anonymous,
    /// A browser's form: V4, or V2.
    PostPolicy,
    /// A browser's question before a request; not signed.
    Preflight,
}

impl AuthType {
    pub const ALL: [AuthType; 7] = [
        AuthType::V4Header,
        AuthType::V4Query,
        AuthType::V2Header,
        AuthType::V2Query,
        AuthType::Anonymous,
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
            AuthType::PostPolicy => "post-policy",
            AuthType::Preflight => "preflight",
        }
    }

    /// Whether a signature says who sent the request.
    pub fn is_signed(self) -> bool {
        !matches!(self, AuthType::Anonymous | AuthType::Preflight)
    }
}
