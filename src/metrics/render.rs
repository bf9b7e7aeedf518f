//! The faces of a snapshot.

mod format;
pub mod html;
pub mod json;
pub mod prometheus;
