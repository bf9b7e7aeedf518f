//! The processes that share memory.

use std::io;

/// Tells whether there is a process of that id, be it another one than the one that is meant.
pub fn is_alive(id: u32) -> bool {
    let Ok(id @ 1..) = libc::pid_t::try_from(id) else {
        return false;
    };
    // SAFETY: no signal is sent; any id may be asked for.
    let known = unsafe { libc::kill(id, 0) };
    known == 0 || io::Error::last_os_error().raw_os_error() == Some(libc::EPERM)
}

#[cfg(test)]
mod tests {
    use std::process::{self, Command};

    use super::*;

    #[test]
    fn the_living_are_told_from_the_dead() -> io::Result<()> {
        assert!(is_alive(process::id()));
        assert!(is_alive(1), "of another user, perhaps");
        let mut child = Command::new("true").spawn()?;
        let id = child.id();
        child.wait()?;
        assert!(!is_alive(id));
        assert!(!is_alive(0) && !is_alive(u32::MAX));
        Ok(())
    }
}
