//! Logging to whatever owns an nginx log, at nginx's levels. Never given a secret or a computed
//! signature.

macro_rules! log_error {
    ($log:expr, $($arg:tt)+) => {{
        crate::log::rarely(|| {
            ngx::ngx_log_error!(ngx::ffi::NGX_LOG_ERR, $log, "s3_resign: {}", format_args!($($arg)+));
        });
    }};
}

macro_rules! log_warn {
    ($log:expr, $($arg:tt)+) => {{
        crate::log::rarely(|| {
            ngx::ngx_log_error!(ngx::ffi::NGX_LOG_WARN, $log, "s3_resign: {}", format_args!($($arg)+));
        });
    }};
}

macro_rules! log_notice {
    ($log:expr, $($arg:tt)+) => {{
        crate::log::rarely(|| {
            ngx::ngx_log_error!(ngx::ffi::NGX_LOG_NOTICE, $log, "s3_resign: {}", format_args!($($arg)+));
        });
    }};
}

macro_rules! log_info {
    ($log:expr, $($arg:tt)+) => {{
        crate::log::rarely(|| {
            ngx::ngx_log_error!(ngx::ffi::NGX_LOG_INFO, $log, "s3_resign: {}", format_args!($($arg)+));
        });
    }};
}

/// Keeps what is done to log out of the way of the code around it.
#[cold]
#[inline(never)]
pub(crate) fn rarely(log: impl FnOnce()) {
    log();
}

pub(crate) use {log_error, log_info, log_notice, log_warn};
