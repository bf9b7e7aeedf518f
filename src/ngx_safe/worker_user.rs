//! Whom workers run as, and what they may read: known in the master, before there are workers.

use std::ffi::{CStr, CString, c_char};
use std::fs::File;
use std::io;
use std::path::Path;
use std::thread;

use crate::cycle::Cycle;
use crate::module::Module;
use crate::shim::shim_worker_user;

/// The user of nginx's `user` directive, or of its build.
#[derive(Debug, Clone)]
pub struct WorkerUser {
    name: CString,
    user: libc::uid_t,
    group: libc::gid_t,
}

impl<M: Module> Cycle<'_, M> {
    /// Returns whom workers will run as; None if as who runs this process.
    pub fn worker_user(self) -> Option<WorkerUser> {
        let (mut user, mut group) = (0, 0);
        // SAFETY: a cycle that has read its configuration, and two places to be written to.
        let name = unsafe { shim_worker_user(self.ptr, &raw mut user, &raw mut group) };
        if name.is_null() {
            return None;
        }
        // SAFETY: a text of the configuration's, which is alive.
        let name = unsafe { CStr::from_ptr(name.cast::<c_char>()) };
        Some(WorkerUser {
            name: name.to_owned(),
            user,
            group,
        })
    }
}

impl WorkerUser {
    /// Returns its name.
    pub fn name(&self) -> String {
        self.name.to_string_lossy().into_owned()
    }

    /// Whether a worker will not be permitted to read a file. False where that cannot be told, and for any other
    /// reason.
    pub fn is_denied(&self, path: &Path) -> bool {
        let (user, path) = (self.clone(), path.to_owned());
        // What a thread may do is its own affair: it ends with it.
        let opens = thread::spawn(move || user.take_over().then(|| File::open(path).map(drop)));
        let outcome = opens.join().ok().flatten();
        outcome.is_some_and(|opened| {
            opened.is_err_and(|why| why.kind() == io::ErrorKind::PermissionDenied)
        })
    }

    /// Has this thread be that user to file systems, as `initgroups` and `setuid` would have a process. Linux keeps all
    /// of it for each thread.
    #[cfg(target_os = "linux")]
    fn take_over(&self) -> bool {
        #[cfg(any(target_arch = "x86", target_arch = "arm"))]
        const SETGROUPS: libc::c_long = libc::SYS_setgroups32;
        #[cfg(not(any(target_arch = "x86", target_arch = "arm")))]
        const SETGROUPS: libc::c_long = libc::SYS_setgroups;
        const MOST: usize = 1024;

        let mut groups = vec![0; MOST];
        let mut count = MOST as libc::c_int;
        // SAFETY: a name, and room for as many groups as is said.
        let found = unsafe {
            libc::getgrouplist(
                self.name.as_ptr(),
                self.group,
                groups.as_mut_ptr(),
                &raw mut count,
            )
        };
        let Some(groups) = usize::try_from(count)
            .ok()
            .and_then(|count| groups.get(..count))
        else {
            return false;
        };
        if found < 0 {
            return false;
        }
        // The function of libc would change all threads of the process.
        // SAFETY: as many groups as is said.
        if unsafe { libc::syscall(SETGROUPS, groups.len(), groups.as_ptr()) } != 0 {
            return false;
        }
        // SAFETY: they change this thread alone.
        unsafe { libc::setfsgid(self.group) };
        // SAFETY: as above.
        unsafe { libc::setfsuid(self.user) };
        // SAFETY: a number that is no user's changes nothing, and tells who it is.
        let is_user = unsafe { libc::setfsuid(libc::uid_t::MAX) };
        u32::try_from(is_user) == Ok(self.user)
    }

    #[cfg(not(target_os = "linux"))]
    fn take_over(&self) -> bool {
        false
    }
}
