//! Logging to whatever owns an nginx log, at nginx's levels. Never given a secret or a computed
//! signature.

use std::fmt::Arguments;

use ngx_safe::log::{Log, LogLevel};

macro_rules! log_error {
    ($log:expr, $($arg:tt)+) => {
        crate::log::write($log, ngx_safe::log::LogLevel::Error, format_args!($($arg)+))
    };
}

macro_rules! log_warn {
    ($log:expr, $($arg:tt)+) => {
        crate::log::write($log, ngx_safe::log::LogLevel::Warn, format_args!($($arg)+))
    };
}

macro_rules! log_notice {
    ($log:expr, $($arg:tt)+) => {
        crate::log::write($log, ngx_safe::log::LogLevel::Notice, format_args!($($arg)+))
    };
}

macro_rules! log_info {
    ($log:expr, $($arg:tt)+) => {
        crate::log::write($log, ngx_safe::log::LogLevel::Info, format_args!($($arg)+))
    };
}

/// Keeps what is done to log out of the way of the code around it.
#[cold]
#[inline(never)]
pub(crate) fn write(log: Option<Log<'_>>, level: LogLevel, line: Arguments<'_>) {
    if let Some(log) = log {
        log.write(level, format_args!("s3_resign: {line}"));
    }
}

/// Tells the log that an old binary's memory of the name is not used.
pub(crate) fn note_new_start(log: Option<Log<'_>>, name: &str) {
    log_notice!(
        log,
        "\"{name}\" begins again: another version of this module has left it"
    );
}

pub(crate) use {log_error, log_info, log_notice, log_warn};
