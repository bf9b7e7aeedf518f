//! What the image's entrypoint makes of its environment: `nginx.conf`, or one line that says what is
//! wrong.
//!
//! - [`Places`] are the paths of nginx, its module, the template and the folder to write to.
//! - [`Settings::read`] reads all other variables and checks them.
//! - [`conf`] fills the template in with [`Settings`] and what [`Machine`] knows.
//!
//! Nothing here reads the environment or the machine by itself: variables are an [`Environment`], files
//! and name servers are asked through [`Outside`]. The binary beside this library does the rest.
//!
//! Keys are read and checked, and do not go into `nginx.conf`: nginx reads them again, by the names that
//! are there. Every other value has only bytes that end no word of `nginx.conf`. No error shows a value
//! that may be a secret in the wrong place.
#![forbid(unsafe_code)]

mod address;
mod conf;
mod environment;
mod error;
mod machine;
mod origins;
mod placeholder;
mod places;
mod resolver;
mod settings;
mod template;
mod variables;

pub use crate::{
    conf::conf,
    environment::{Environment, Outside},
    error::Error,
    machine::{Build, Enabled, Machine, load_module, loads_module},
    places::Places,
    settings::{Settings, port},
};
