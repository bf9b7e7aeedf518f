//! Arrays and tables as nginx keeps them.

use std::ffi::CStr;

use ngx::ffi::{ngx_array_t, ngx_command_t, ngx_module_t};

use crate::bytes;

pub(crate) fn command_named<'m>(
    module: &'m ngx_module_t,
    name: &CStr,
) -> Option<&'m ngx_command_t> {
    let mut command = module.commands;
    // SAFETY: null, or a table of commands that ends with one of no name.
    while let Some(found) = unsafe { command.as_ref() }.filter(|command| command.name.len != 0) {
        // SAFETY: a command's name.
        if unsafe { bytes(found.name) } == name.to_bytes() {
            return Some(found);
        }
        // SAFETY: not the last one.
        command = unsafe { command.add(1) };
    }
    None
}

/// # Safety
/// The array's elements are `T`, and live for `'a`.
pub(crate) unsafe fn array<'a, T>(array: &ngx_array_t) -> &'a [T] {
    if array.nelts == 0 {
        return &[];
    }
    // SAFETY: by this function's contract.
    unsafe { std::slice::from_raw_parts(array.elts.cast(), array.nelts) }
}
