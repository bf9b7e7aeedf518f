//! One request of the proxy's own to one address, over nginx's event loop: a head goes out, and as
//! much of the answer is read as decides.

use std::ffi::CStr;
use std::io;
use std::ptr;

use health::{Answer, Verdict};
use ngx::ffi::{
    ngx_connection_t, ngx_event_t, ngx_handle_read_event, ngx_handle_write_event, ngx_log_t,
    ngx_str_t,
};

use super::conf::Tls;
use super::shim::*;
use super::{AGAIN, ERROR, OK, guarded};

/// What to ask, and whom.
pub(crate) struct Call<'a> {
    /// A `sockaddr`.
    pub(crate) address: &'a [u8],
    /// Of the address, for nginx's log.
    pub(crate) name: &'a [u8],
    pub(crate) tls: Option<&'a Tls>,
    /// The host whose certificate is asked for, where `tls` names no other.
    pub(crate) host_name: &'a [u8],
    pub(crate) head: Vec<u8>,
    pub(crate) answer: Answer,
    /// Milliseconds for all of it.
    pub(crate) timeout: u64,
}

pub(crate) enum Outcome {
    Passed,
    /// And why.
    Failed(String),
    /// Through no fault of the origin: it says nothing about it.
    Abandoned,
}

type Done = Box<dyn FnOnce(Outcome)>;

/// A request under way: its connection's `data`.
struct Probe {
    phase: Phase,
    tls: Option<Session>,
    head: Vec<u8>,
    sent: usize,
    answer: Answer,
    done: Done,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Connecting,
    Handshaking,
    Talking,
}

struct Session {
    tls: Tls,
    /// With a NUL behind it.
    name: Box<[u8]>,
}

impl Session {
    fn new(tls: &Tls, host_name: &[u8]) -> Session {
        let name = tls.name.as_deref().unwrap_or(host_name);
        Session {
            tls: tls.clone(),
            name: [name, b"\0"].concat().into(),
        }
    }

    fn name(&self) -> &[u8] {
        &self.name[..self.name.len() - 1]
    }

    /// RFC 6066 section 3: a name, and no address.
    fn asks_for_name(&self) -> bool {
        let is_address = std::str::from_utf8(self.name())
            .is_ok_and(|name| name.starts_with('[') || name.parse::<std::net::IpAddr>().is_ok());
        self.tls.sends_name && !is_address && !self.name().is_empty()
    }
}

/// Begins; `done` hears of the outcome, once, perhaps before this returns.
///
/// # Safety
/// In a worker, with a log that outlives the connection.
pub(super) unsafe fn start(call: Call<'_>, log: *mut ngx_log_t, done: Done) {
    let mut address = call.address.to_vec();
    let mut name = ngx_str_t {
        len: call.name.len(),
        data: call.name.as_ptr().cast_mut(),
    };
    let mut connection: *mut ngx_connection_t = ptr::null_mut();
    // SAFETY: nginx reads the address and its name during the call only.
    let connected = unsafe {
        s3_shim_connect(
            address.as_mut_ptr().cast(),
            address.len() as u32,
            &mut name,
            log,
            &mut connection,
        )
    };
    if connection.is_null() {
        return done(match connected {
            // Out of connections or sockets.
            ERROR => Outcome::Abandoned,
            _ => Outcome::Failed(cannot_connect(&io::Error::last_os_error())),
        });
    }
    let probe = Box::new(Probe {
        phase: Phase::Connecting,
        tls: call.tls.map(|tls| Session::new(tls, call.host_name)),
        head: call.head,
        sent: 0,
        answer: call.answer,
        done,
    });
    // SAFETY: a new connection, which is ours; `finish` takes the box back.
    unsafe {
        (*connection).data = Box::into_raw(probe).cast();
        (*(*connection).read).handler = Some(happened);
        (*(*connection).write).handler = Some(happened);
        s3_shim_add_timer((*connection).read, call.timeout as usize);
        if connected == OK {
            advance(connection);
        }
    }
}

fn cannot_connect(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".into(),
        _ => format!("cannot connect: {error}"),
    }
}

unsafe extern "C" fn happened(event: *mut ngx_event_t) {
    // SAFETY: an event of a connection that `start` has set up, until `finish` closes it.
    guarded((), || unsafe { advance((*event).data.cast()) });
}

/// # Safety
/// `connection` was set up by `start`.
unsafe fn advance(connection: *mut ngx_connection_t) {
    // SAFETY: the probe is there until `finish`, and nothing else holds a reference to it.
    unsafe {
        let probe = &mut *(*connection).data.cast::<Probe>();
        if let Some(outcome) = probe.advance(connection) {
            finish(connection, outcome);
        }
    }
}

/// # Safety
/// As of `advance`; the connection is gone afterwards.
unsafe fn finish(connection: *mut ngx_connection_t, outcome: Outcome) {
    // SAFETY: `start` made the box, and this is called once.
    let probe = unsafe {
        let probe = Box::from_raw((*connection).data.cast::<Probe>());
        s3_shim_disconnect(connection);
        probe
    };
    (probe.done)(outcome);
}

impl Probe {
    /// Goes as far as it can without waiting; the outcome, once there is one.
    ///
    /// # Safety
    /// The connection is this probe's.
    unsafe fn advance(&mut self, connection: *mut ngx_connection_t) -> Option<Outcome> {
        // SAFETY: the connection is open, and its events are its own.
        unsafe {
            if s3_shim_is_told_to_close(connection) != 0 {
                return Some(Outcome::Abandoned);
            }
            if s3_shim_is_timed_out((*connection).read) != 0 {
                return Some(Outcome::Failed(match self.phase {
                    Phase::Connecting => "timed out while connecting".into(),
                    Phase::Handshaking => "timed out in the TLS handshake".into(),
                    Phase::Talking => self.answer.give_up("timed out"),
                }));
            }
            if self.phase == Phase::Connecting {
                if let Err(error) = connect_error(connection) {
                    return Some(Outcome::Failed(cannot_connect(&error)));
                }
                self.phase = match &self.tls {
                    None => Phase::Talking,
                    Some(session) => {
                        let name = match session.asks_for_name() {
                            true => session.name.as_ptr().cast_mut(),
                            false => ptr::null_mut(),
                        };
                        if s3_shim_tls_begin(connection, session.tls.settings, name) != OK {
                            return Some(Outcome::Abandoned);
                        }
                        Phase::Handshaking
                    }
                };
            }
            if self.phase == Phase::Handshaking {
                match s3_shim_tls_handshake(connection) {
                    OK => {}
                    AGAIN => return None,
                    _ => return Some(Outcome::Failed("the TLS handshake failed".into())),
                }
                if let Some(why) = self.distrust(connection) {
                    return Some(Outcome::Failed(format!("TLS certificate: {why}")));
                }
                self.phase = Phase::Talking;
            }
            self.send(connection).or_else(|| self.receive(connection))
        }
    }

    /// What is wrong with the certificate, where it is to be verified.
    ///
    /// # Safety
    /// As of `advance`, after the handshake.
    unsafe fn distrust(&self, connection: *mut ngx_connection_t) -> Option<String> {
        let session = self.tls.as_ref().filter(|session| session.tls.verifies)?;
        let mut name = ngx_str_t {
            len: session.name().len(),
            data: session.name.as_ptr().cast_mut(),
        };
        // SAFETY: a TLS connection; the reason is null or static text.
        unsafe {
            let why = s3_shim_tls_mismatch(connection, &mut name);
            (!why.is_null()).then(|| CStr::from_ptr(why).to_string_lossy().into_owned())
        }
    }

    /// Sends what is left of the head; None once it is sent, or has to wait.
    ///
    /// # Safety
    /// As of `advance`, when connected.
    unsafe fn send(&mut self, connection: *mut ngx_connection_t) -> Option<Outcome> {
        let broken = || Some(Outcome::Failed("the connection broke".into()));
        while self.sent < self.head.len() {
            let rest = &mut self.head[self.sent..];
            // SAFETY: nginx only reads the bytes.
            unsafe {
                let Some(send) = (*connection).send else {
                    return broken();
                };
                match send(connection, rest.as_mut_ptr(), rest.len()) {
                    AGAIN if ngx_handle_write_event((*connection).write, 0) == OK => return None,
                    sent if sent > 0 => self.sent += sent as usize,
                    _ => return broken(),
                }
            }
        }
        None
    }

    /// # Safety
    /// As of `send`.
    unsafe fn receive(&mut self, connection: *mut ngx_connection_t) -> Option<Outcome> {
        let mut buffer = [0; 2048];
        loop {
            // SAFETY: nginx fills in as many bytes as it says.
            let received = unsafe {
                let received = match (*connection).recv {
                    Some(recv) => recv(connection, buffer.as_mut_ptr(), buffer.len()),
                    None => ERROR,
                };
                if received == AGAIN && ngx_handle_read_event((*connection).read, 0) == OK {
                    return None;
                }
                received
            };
            let bytes = match usize::try_from(received) {
                Ok(1..) => &buffer[..received as usize],
                Ok(0) => {
                    let why = self.answer.give_up("the connection was closed");
                    return Some(Outcome::Failed(why));
                }
                Err(_) => {
                    let why = self.answer.give_up("the connection broke");
                    return Some(Outcome::Failed(why));
                }
            };
            match self.answer.read(bytes) {
                Verdict::Undecided => {}
                Verdict::Passed => return Some(Outcome::Passed),
                Verdict::Failed(why) => return Some(Outcome::Failed(why)),
            }
        }
    }
}

/// # Safety
/// The connection is open.
unsafe fn connect_error(connection: *mut ngx_connection_t) -> io::Result<()> {
    let mut error: libc::c_int = 0;
    let mut length = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: an open socket, and room for the number.
    let asked = unsafe {
        libc::getsockopt(
            (*connection).fd,
            libc::SOL_SOCKET,
            libc::SO_ERROR,
            (&raw mut error).cast(),
            &mut length,
        )
    };
    match (asked, error) {
        (0, 0) => Ok(()),
        (0, error) => Err(io::Error::from_raw_os_error(error)),
        _ => Err(io::Error::last_os_error()),
    }
}
