//! Arrays, tables and buffers as nginx keeps them.

use std::ffi::{CStr, c_void};

use ngx::ffi::{
    ngx_array_t, ngx_buf_t, ngx_command_t, ngx_http_core_module, ngx_http_upstream_module,
    ngx_module_t,
};

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

/// Returns the settings of one module.
///
/// # Safety
/// `settings` are those of all modules at one level of a configuration, and `index` is a module's.
#[inline]
pub(crate) unsafe fn settings_at(settings: *mut *mut c_void, index: usize) -> *mut c_void {
    // SAFETY: by this function's contract the module has its place among them.
    let place = unsafe { settings.add(index) };
    // SAFETY: as above.
    unsafe { *place }
}

/// Returns the place of nginx's core among the modules' settings.
pub(crate) fn core_index() -> usize {
    // SAFETY: nginx has numbered its modules before it calls one.
    unsafe { ngx_http_core_module.ctx_index }
}

/// Returns the place of nginx's upstream module among the modules' settings.
pub(crate) fn upstream_index() -> usize {
    // SAFETY: nginx has numbered its modules before it calls one.
    unsafe { ngx_http_upstream_module.ctx_index }
}

/// Returns where the data of a buffer lies, and its length.
///
/// # Safety
/// A buffer in memory.
#[inline]
pub(crate) unsafe fn data_of(buf: *mut ngx_buf_t) -> (*mut u8, usize) {
    // SAFETY: by this function's contract; the reference ends here.
    let buf = unsafe { &*buf };
    // SAFETY: both point into the buffer's memory.
    let length = unsafe { buf.last.offset_from(buf.pos) };
    (buf.pos, usize::try_from(length).unwrap_or(0))
}
