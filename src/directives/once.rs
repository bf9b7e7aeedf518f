//! Lines that may be there once.

pub const AT_EACH_LEVEL: &str = "keep one line at each level";
pub const IN_A_LOCATION: &str = "keep one line in a location";
pub const IN_EACH_UPSTREAM: &str = "keep one line in each upstream";
pub const ONE_ORIGIN: &str = "a location has one, servers have theirs in an \"upstream\"";

/// Keeps what a line says; an error if there is one already. `remedy` is what to do then.
pub fn set_once<T>(
    setting: &mut Option<T>,
    value: T,
    directive: &str,
    remedy: &str,
) -> Result<(), String> {
    if setting.is_some() {
        return Err(duplicate(directive, remedy));
    }
    *setting = Some(value);
    Ok(())
}

/// The message about a second line.
pub fn duplicate(directive: &str, remedy: &str) -> String {
    format!("\"{directive}\" is duplicate: {remedy}")
}
