//! The library on a machine of the tests' own.
#![allow(clippy::panic)]

mod common;
mod conf;
mod hostile;
mod rejected;
