//! What an origin's answer may tell a client: nothing that leads past the proxy, and nothing that is
//! between the proxy and the origin alone.
mod host;
mod redirect;

pub use redirect::{AnswerHead, Verdict, WhyRefused, judge, mentions_origin};
