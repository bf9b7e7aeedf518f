//! Services that a module asks by itself: their addresses, and whose certificates are trusted.

use std::cell::RefCell;
use std::io;
use std::mem;
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr::{self, NonNull};
use std::sync::{Arc, Mutex};

use ngx::ffi::ngx_str_t;

use crate::conf::Conf;
use crate::level::Tls;
use crate::shim::shim_tls_client;
use crate::thread::Background;

/// An address of a service.
#[derive(Debug, Clone)]
pub struct ServiceAddress {
    /// A `sockaddr`.
    pub bytes: Box<[u8]>,
    /// For people to read.
    pub name: Box<[u8]>,
}

/// Finds the addresses of a host, at configuration time: it may wait for name servers.
pub fn resolve(host: &str, port: u16) -> io::Result<Vec<ServiceAddress>> {
    let found = (host, port).to_socket_addrs()?;
    Ok(found.map(ServiceAddress::of).collect())
}

/// Looks a host up again while the event loop goes on.
#[derive(Debug, Default)]
pub struct Lookup {
    found: Arc<Mutex<Option<Vec<ServiceAddress>>>>,
    thread: RefCell<Option<Background>>,
}

impl Lookup {
    /// Begins, unless it is being looked up.
    pub fn start(&self, host: &str, port: u16) {
        let mut thread = self.thread.borrow_mut();
        if thread.as_ref().is_some_and(|thread| !thread.has_ended()) {
            return;
        }
        let (host, found) = (host.to_owned(), Arc::clone(&self.found));
        // Without a thread, or an answer of the name servers, what is known stays in use.
        *thread = Background::start("s3_look_up", move || {
            if let (Ok(addresses), Ok(mut found)) = (resolve(&host, port), found.lock()) {
                *found = Some(addresses);
            }
        })
        .ok();
    }

    /// Returns what has been found since it was asked last.
    pub fn take(&self) -> Option<Vec<ServiceAddress>> {
        self.found.try_lock().ok()?.take()
    }
}

impl ServiceAddress {
    fn of(address: SocketAddr) -> ServiceAddress {
        let bytes = match address {
            SocketAddr::V4(address) => {
                // SAFETY: a structure of C's for which zeros are a value.
                let mut raw: libc::sockaddr_in = unsafe { mem::zeroed() };
                raw.sin_family = libc::AF_INET as libc::sa_family_t;
                raw.sin_port = address.port().to_be();
                raw.sin_addr.s_addr = u32::from_ne_bytes(address.ip().octets());
                bytes_of(&raw)
            }
            SocketAddr::V6(address) => {
                // SAFETY: as above.
                let mut raw: libc::sockaddr_in6 = unsafe { mem::zeroed() };
                raw.sin6_family = libc::AF_INET6 as libc::sa_family_t;
                raw.sin6_port = address.port().to_be();
                raw.sin6_addr.s6_addr = address.ip().octets();
                raw.sin6_scope_id = address.scope_id();
                bytes_of(&raw)
            }
        };
        ServiceAddress {
            bytes,
            name: address.to_string().into_bytes().into(),
        }
    }
}

/// Copies an address of C's, all of whose bytes have been set.
fn bytes_of<T: Copy>(raw: &T) -> Box<[u8]> {
    let mut bytes = vec![0; size_of::<T>()];
    let from = ptr::from_ref(raw).cast::<u8>();
    // SAFETY: `zeroed` has set every byte, and there is room for so many.
    unsafe {
        bytes
            .as_mut_ptr()
            .copy_from_nonoverlapping(from, bytes.len())
    };
    bytes.into()
}

impl Conf<'_> {
    /// Returns settings by which services are asked, for as long as the configuration is there: by TLS 1.2 or 1.3,
    /// with a certificate for their name that one in the file `ca` has issued. None where that cannot be, which nginx
    /// has said.
    pub fn client_tls(self, ca: &Path) -> Option<Tls> {
        // nginx wants a NUL after it, in memory of its own.
        let mut path = [ca.as_os_str().as_bytes(), b"\0"].concat();
        let mut name = ngx_str_t {
            len: path.len() - 1,
            data: path.as_mut_ptr(),
        };
        // SAFETY: the configuration being read; nginx reads the name during the call only, and it has its NUL.
        let settings = unsafe { shim_tls_client(self.as_ptr(), &mut name) };
        Some(Tls {
            settings: NonNull::new(settings)?,
            verifies: true,
            sends_name: true,
            name: None,
        })
    }
}
