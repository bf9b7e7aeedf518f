//! Records in memory that processes share, and that outlive them.

mod file;
mod zone;

pub use file::{Heir, close_on_exec, close_unused};
pub use zone::{Shared, Text, Zone};
