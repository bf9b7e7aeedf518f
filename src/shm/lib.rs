//! Records in memory that processes share, and that outlive them: a reload, the death of a worker, and
//! the end of nginx's binary, whose successor goes on with them.
//!
//! What lies there is made of atomics ([`Shared`]), so whatever another process writes meanwhile, safe
//! code reads some value. Nothing here knows nginx.
#![warn(clippy::multiple_unsafe_ops_per_block)]

mod file;
mod lock;
mod mapping;
mod pages;
mod process;
mod record;
mod text;
mod zone;

pub use crate::{
    file::{Heir, close_on_exec, close_unused},
    pages::{Board, Pages, Words},
    process::is_alive,
    record::Shared,
    text::Text,
    zone::{OpenError, Zone},
};
