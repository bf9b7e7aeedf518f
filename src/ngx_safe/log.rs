//! nginx's logs.

use std::fmt::Arguments;
use std::marker::PhantomData;
use std::ptr::NonNull;

use ngx::ffi::{NGX_LOG_ERR, NGX_LOG_INFO, NGX_LOG_NOTICE, NGX_LOG_WARN, ngx_log_t, ngx_uint_t};

/// A log, for as long as its owner lives.
#[derive(Clone, Copy, Debug)]
pub struct Log<'a> {
    ptr: NonNull<ngx_log_t>,
    life: PhantomData<&'a ()>,
}

#[derive(Clone, Copy, Debug)]
#[repr(u32)]
pub enum LogLevel {
    Error = NGX_LOG_ERR,
    Warn = NGX_LOG_WARN,
    Notice = NGX_LOG_NOTICE,
    Info = NGX_LOG_INFO,
}

impl Log<'_> {
    /// # Safety
    /// `ptr` is a log of nginx's that the result does not outlive.
    pub(crate) unsafe fn from_ptr<'a>(ptr: NonNull<ngx_log_t>) -> Log<'a> {
        Log {
            ptr,
            life: PhantomData,
        }
    }

    /// Writes a line where the log is set to that level.
    pub fn write(self, level: LogLevel, line: Arguments<'_>) {
        let log = self.ptr.as_ptr();
        ngx::ngx_log_error!(level as ngx_uint_t, log, "{line}");
    }
}
