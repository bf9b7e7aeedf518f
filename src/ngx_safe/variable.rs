//! Variables: the module's own, and texts that contain any.

use std::ffi::CStr;
use std::ptr;

use ngx::ffi::{
    NGX_HTTP_VAR_NOCACHEABLE, NGX_HTTP_VAR_NOHASH, ngx_http_add_variable,
    ngx_http_compile_complex_value, ngx_http_compile_complex_value_t, ngx_http_complex_value_t,
    ngx_http_get_variable_pt, ngx_http_request_t, ngx_int_t, ngx_str_t, ngx_uint_t,
    ngx_variable_value_t,
};

use crate::conf::{Conf, OUT_OF_MEMORY};
use crate::request::Request;
use crate::shim::{shim_variable, shim_variable_not_found};
use crate::template::Template;
use crate::{ERROR, OK, guarded, str_of};

/// Variables of a module, each with a number.
pub trait Variables {
    /// Returns the value; None where the request has none.
    fn value<'r>(request: Request<'r>, number: usize) -> Option<&'r [u8]>;
}

impl Conf<'_> {
    /// Adds variables of these names, numbered as they stand. None is cached by nginx.
    pub fn add_variables<'n, V: Variables>(
        self,
        names: impl Iterator<Item = &'n CStr>,
    ) -> Result<(), String> {
        for (number, name) in names.enumerate() {
            self.add_variable(name, Some(value::<V>), number, NGX_HTTP_VAR_NOCACHEABLE)?;
        }
        Ok(())
    }

    /// Adds a variable that only nginx's own code evaluates.
    pub(crate) fn add_hidden_variable(
        self,
        name: &CStr,
        getter: ngx_http_get_variable_pt,
    ) -> Result<(), String> {
        let flags = NGX_HTTP_VAR_NOCACHEABLE | NGX_HTTP_VAR_NOHASH;
        self.add_variable(name, getter, 0, flags)
    }

    fn add_variable(
        self,
        name: &CStr,
        getter: ngx_http_get_variable_pt,
        data: usize,
        flags: u32,
    ) -> Result<(), String> {
        let mut name = ngx_str_t {
            len: name.count_bytes(),
            data: name.as_ptr().cast::<u8>().cast_mut(),
        };
        // SAFETY: nginx copies the name.
        let variable =
            unsafe { ngx_http_add_variable(self.as_ptr(), &mut name, flags as ngx_uint_t) };
        // SAFETY: null, or a variable just added, to be filled in here.
        let variable = unsafe { variable.as_mut() }.ok_or(OUT_OF_MEMORY)?;
        variable.get_handler = getter;
        variable.data = data;
        Ok(())
    }

    /// Compiles a text with variables.
    pub(crate) fn compile(self, text: &'static CStr) -> Result<Template, String> {
        self.compile_text(&mut str_of(text))
    }

    /// Compiles as `compile` does, a text that lives as long as the configuration. `Err` is empty where nginx
    /// has said what is wrong with it.
    pub(crate) fn compile_text(self, source: &mut ngx_str_t) -> Result<Template, String> {
        let value = self.pool().calloc_type::<ngx_http_complex_value_t>();
        if value.is_null() {
            return Err(OUT_OF_MEMORY.into());
        }
        // SAFETY: a structure of C's for which zeros are a value.
        let mut compile: ngx_http_compile_complex_value_t = unsafe { std::mem::zeroed() };
        compile.cf = self.as_ptr();
        compile.value = ptr::from_mut(source);
        compile.complex_value = value;
        // SAFETY: configuration time; nginx only reads the text, which lives as long as the result.
        match unsafe { ngx_http_compile_complex_value(&mut compile) } {
            // SAFETY: compiled, in the configuration's pool.
            OK => unsafe { Template::from_ptr(value) }.ok_or_else(String::new),
            _ => Err(String::new()),
        }
    }
}

unsafe extern "C" fn value<V: Variables>(
    r: *mut ngx_http_request_t,
    value: *mut ngx_variable_value_t,
    data: usize,
) -> ngx_int_t {
    guarded(ERROR, || {
        // SAFETY: nginx asks for a variable of a request in progress.
        let Some(request) = (unsafe { Request::from_ptr(r) }) else {
            return ERROR;
        };
        // SAFETY: the place for its value, which is in the request's pool or outlives it.
        unsafe { set(value, V::value(request.main(), data)) };
        OK
    })
}

/// # Safety
/// `value` is what nginx handed to a getter, and the text lives as long as the request.
pub(crate) unsafe fn set(value: *mut ngx_variable_value_t, text: Option<&[u8]>) {
    match text {
        // SAFETY: by this function's contract; nginx only reads the text.
        Some(text) => unsafe { shim_variable(value, text.as_ptr().cast_mut(), text.len()) },
        // SAFETY: by this function's contract.
        None => unsafe { shim_variable_not_found(value) },
    }
}
