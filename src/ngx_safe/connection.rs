//! Requests of a module's own, each to one address, over nginx's event loop: a head goes out, and as much of
//! the answer is read as decides.

use std::ffi::CStr;
use std::io;
use std::ptr::{self, NonNull};

use ngx::ffi::{
    ngx_connection_t, ngx_cycle_t, ngx_event_t, ngx_handle_read_event, ngx_handle_write_event,
    ngx_log_t, ngx_str_t,
};

use zeroize::Zeroizing;

use crate::level::Tls;
use crate::module::Module;
use crate::shim::*;
use crate::worker::Worker;
use crate::{AGAIN, ERROR, OK, guarded};

/// A call: what to ask, and whom.
#[derive(Debug)]
pub struct Call<'a, A> {
    /// A `sockaddr`.
    pub address: &'a [u8],
    /// The text of the address, for nginx's log.
    pub name: &'a [u8],
    pub tls: Option<&'a Tls>,
    /// The host whose certificate is asked for, where `tls` names no other.
    pub host_name: &'a [u8],
    pub head: Vec<u8>,
    pub answer: A,
    /// Milliseconds for all of it.
    pub timeout: u64,
}

/// A reader of an answer.
pub trait AnswerReader: 'static {
    /// Takes the next bytes; the outcome, once there is one.
    fn read(&mut self, bytes: &[u8]) -> Option<CallOutcome>;

    /// Tells what is missing, and why, where there are no more bytes.
    fn give_up(&self, why: &str) -> String;

    /// Hears that the other side has closed the connection: what that makes of the answer.
    fn close(&mut self) -> CallOutcome {
        CallOutcome::Failed(self.give_up("the connection was closed"))
    }
}

#[derive(Debug)]
pub enum CallOutcome {
    Passed,
    /// And why.
    Failed(String),
    /// Through no fault of whom was asked: the outcome says nothing about it.
    Abandoned,
}

type Heard<M> = Box<dyn FnOnce(Worker<'_, M>, CallOutcome)>;

/// A request in flight: its connection's `data`.
struct Exchange<M, A> {
    phase: Phase,
    tls: Option<Session>,
    /// It may hold a secret.
    head: Zeroizing<Vec<u8>>,
    sent: usize,
    answer: A,
    cycle: *mut ngx_cycle_t,
    quiet_log: NonNull<ngx_log_t>,
    heard: Heard<M>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Connecting,
    Handshaking,
    Talking,
}

struct Session {
    tls: Tls,
    /// With a NUL after it.
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

    /// Tells whether the handshake asks for the name (RFC 6066 section 3: a name, and no address).
    fn asks_for_name(&self) -> bool {
        let is_address = std::str::from_utf8(self.name())
            .is_ok_and(|name| name.starts_with('[') || name.parse::<std::net::IpAddr>().is_ok());
        self.tls.sends_name && !is_address && !self.name().is_empty()
    }
}

impl<M: Module> Worker<'_, M> {
    /// Asks; `heard` gets the outcome, once, perhaps before this returns.
    pub fn ask<A: AnswerReader>(
        self,
        call: Call<'_, A>,
        heard: impl FnOnce(Worker<'_, M>, CallOutcome) + 'static,
    ) {
        let Some(mut address) = SocketAddress::new(call.address) else {
            return heard(self, CallOutcome::Abandoned);
        };
        let mut name = ngx_str_t {
            len: call.name.len(),
            data: call.name.as_ptr().cast_mut(),
        };
        let mut connection: *mut ngx_connection_t = ptr::null_mut();
        // SAFETY: nginx reads the address and its name during the call only; the log outlives the
        // connection.
        let connected = unsafe {
            shim_connect(
                (&raw mut address.memory).cast(),
                address.len,
                &mut name,
                self.quiet_log.as_ptr(),
                &mut connection,
            )
        };
        let Some(connection) = NonNull::new(connection) else {
            return heard(
                self,
                match connected {
                    // Out of connections or sockets.
                    ERROR => CallOutcome::Abandoned,
                    _ => CallOutcome::Failed(cannot_connect(&io::Error::last_os_error())),
                },
            );
        };
        let exchange = Box::new(Exchange {
            phase: Phase::Connecting,
            tls: call.tls.map(|tls| Session::new(tls, call.host_name)),
            head: Zeroizing::new(call.head),
            sent: 0,
            answer: call.answer,
            cycle: self.cycle,
            quiet_log: self.quiet_log,
            heard: Box::new(heard),
        });
        // SAFETY: a new connection; `finish` takes the box back.
        unsafe { begin(connection.as_ptr(), exchange, call.timeout) };
        if connected == OK {
            // SAFETY: as above.
            unsafe { advance::<M, A>(connection.as_ptr()) };
        }
    }
}

/// An address with the alignment that a `sockaddr` has.
struct SocketAddress {
    memory: libc::sockaddr_storage,
    len: u32,
}

impl SocketAddress {
    /// Copies an address; None for bytes that are too many or too few for one.
    fn new(bytes: &[u8]) -> Option<SocketAddress> {
        let is_one = size_of::<libc::sa_family_t>()..=size_of::<libc::sockaddr_storage>();
        if !is_one.contains(&bytes.len()) {
            return None;
        }
        // SAFETY: a structure of C's for which zeros are a value.
        let mut memory: libc::sockaddr_storage = unsafe { std::mem::zeroed() };
        let to = (&raw mut memory).cast::<u8>();
        // SAFETY: there is room for so many, and any bytes are a value.
        unsafe { to.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        Some(SocketAddress {
            memory,
            len: bytes.len() as u32,
        })
    }
}

/// # Safety
/// A new connection.
unsafe fn begin<M: Module, A: AnswerReader>(
    connection: *mut ngx_connection_t,
    exchange: Box<Exchange<M, A>>,
    timeout: u64,
) {
    // SAFETY: by this function's contract.
    let connection = unsafe { &mut *connection };
    connection.data = Box::into_raw(exchange).cast();
    // SAFETY: a connection has its events.
    unsafe { (*connection.read).handler = Some(happened::<M, A>) };
    // SAFETY: as above.
    unsafe { (*connection.write).handler = Some(happened::<M, A>) };
    // SAFETY: as above.
    unsafe { shim_add_timer(connection.read, timeout as usize) };
}

fn cannot_connect(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".into(),
        _ => format!("cannot connect: {error}"),
    }
}

unsafe extern "C" fn happened<M: Module, A: AnswerReader>(event: *mut ngx_event_t) {
    guarded((), || {
        // SAFETY: an event that nginx hands over.
        let connection = unsafe { (*event).data }.cast();
        // SAFETY: of a connection that `ask` has set up, until `finish` closes it.
        unsafe { advance::<M, A>(connection) };
    });
}

/// # Safety
/// `connection` was set up by `ask`.
unsafe fn advance<M: Module, A: AnswerReader>(connection: *mut ngx_connection_t) {
    // SAFETY: by this function's contract.
    let exchange = unsafe { (*connection).data }.cast::<Exchange<M, A>>();
    // SAFETY: the exchange is there until `finish`, and nothing else holds a reference to it.
    let exchange = unsafe { &mut *exchange };
    // SAFETY: the connection is its own.
    let outcome = unsafe { exchange.advance(connection) };
    if let Some(outcome) = outcome {
        // SAFETY: by this function's contract.
        unsafe { finish::<M, A>(connection, outcome) };
    }
}

/// # Safety
/// As in `advance`; the connection is closed afterwards.
unsafe fn finish<M: Module, A: AnswerReader>(
    connection: *mut ngx_connection_t,
    outcome: CallOutcome,
) {
    // SAFETY: by this function's contract.
    let exchange = unsafe { (*connection).data }.cast::<Exchange<M, A>>();
    // SAFETY: `ask` made the box, and this is called once.
    let exchange = unsafe { Box::from_raw(exchange) };
    // SAFETY: by this function's contract.
    unsafe { shim_disconnect(connection) };
    // SAFETY: the worker's own, for this call.
    let worker = unsafe { Worker::new(exchange.cycle, exchange.quiet_log) };
    (exchange.heard)(worker, outcome);
}

impl<M, A: AnswerReader> Exchange<M, A> {
    /// Goes as far as it can without waiting; the outcome, once there is one.
    ///
    /// # Safety
    /// The connection is this exchange's, and open.
    unsafe fn advance(&mut self, connection: *mut ngx_connection_t) -> Option<CallOutcome> {
        // SAFETY: by this function's contract.
        if unsafe { shim_is_told_to_close(connection) } != 0 {
            return Some(CallOutcome::Abandoned);
        }
        // SAFETY: by this function's contract.
        let read = unsafe { (*connection).read };
        // SAFETY: a connection has its events.
        if unsafe { shim_is_timed_out(read) } != 0 {
            return Some(CallOutcome::Failed(match self.phase {
                Phase::Connecting => "timed out while connecting".into(),
                Phase::Handshaking => "timed out in the TLS handshake".into(),
                Phase::Talking => self.answer.give_up("timed out"),
            }));
        }
        if self.phase == Phase::Connecting {
            // SAFETY: by this function's contract.
            let connected = unsafe { self.connected(connection) };
            if let Err(outcome) = connected {
                return Some(outcome);
            }
        }
        if self.phase == Phase::Handshaking {
            // SAFETY: by this function's contract.
            match unsafe { shim_tls_handshake(connection) } {
                OK => {}
                AGAIN => return None,
                _ => return Some(CallOutcome::Failed("the TLS handshake failed".into())),
            }
            // SAFETY: by this function's contract.
            if let Some(why) = unsafe { self.distrust(connection) } {
                return Some(CallOutcome::Failed(format!("TLS certificate: {why}")));
            }
            self.phase = Phase::Talking;
        }
        // SAFETY: by this function's contract.
        let unsent = unsafe { self.send(connection) };
        // SAFETY: by this function's contract.
        unsent.or_else(|| unsafe { self.receive(connection) })
    }

    /// # Safety
    /// As of `advance`.
    unsafe fn connected(&mut self, connection: *mut ngx_connection_t) -> Result<(), CallOutcome> {
        // SAFETY: by this function's contract.
        let connected = unsafe { connect_error(connection) };
        connected.map_err(|error| CallOutcome::Failed(cannot_connect(&error)))?;
        self.phase = match &self.tls {
            None => Phase::Talking,
            Some(session) => {
                let name = match session.asks_for_name() {
                    true => session.name.as_ptr().cast_mut(),
                    false => ptr::null_mut(),
                };
                let settings = session.tls.settings.as_ptr();
                // SAFETY: by this function's contract; the settings are of the configuration in use.
                if unsafe { shim_tls_begin(connection, settings, name) } != OK {
                    return Err(CallOutcome::Abandoned);
                }
                Phase::Handshaking
            }
        };
        Ok(())
    }

    /// Tells what is wrong with the certificate, where it is to be verified.
    ///
    /// # Safety
    /// As of `advance`, after the handshake.
    unsafe fn distrust(&self, connection: *mut ngx_connection_t) -> Option<String> {
        let session = self.tls.as_ref().filter(|session| session.tls.verifies)?;
        let mut name = ngx_str_t {
            len: session.name().len(),
            data: session.name.as_ptr().cast_mut(),
        };
        // SAFETY: a TLS connection.
        let why = unsafe { shim_tls_mismatch(connection, &mut name) };
        if why.is_null() {
            return None;
        }
        // SAFETY: the reason is static text.
        Some(
            unsafe { CStr::from_ptr(why) }
                .to_string_lossy()
                .into_owned(),
        )
    }

    /// Sends what is left of the head; None once it is sent, or has to wait.
    ///
    /// # Safety
    /// As of `advance`, when connected.
    unsafe fn send(&mut self, connection: *mut ngx_connection_t) -> Option<CallOutcome> {
        let broken = || Some(CallOutcome::Failed("the connection broke".into()));
        // SAFETY: by this function's contract; the reference ends here.
        let ngx_connection_t { send, write, .. } = unsafe { &*connection };
        let (send, event) = (*send, *write);
        while self.sent < self.head.len() {
            let rest = &mut self.head[self.sent..];
            let Some(send) = send else { return broken() };
            // SAFETY: nginx only reads the bytes.
            match unsafe { send(connection, rest.as_mut_ptr(), rest.len()) } {
                // SAFETY: the connection's event.
                AGAIN if unsafe { ngx_handle_write_event(event, 0) } == OK => return None,
                sent if sent > 0 => self.sent += sent as usize,
                _ => return broken(),
            }
        }
        None
    }

    /// # Safety
    /// As of `send`.
    unsafe fn receive(&mut self, connection: *mut ngx_connection_t) -> Option<CallOutcome> {
        let give_up = |answer: &A, why| Some(CallOutcome::Failed(answer.give_up(why)));
        // SAFETY: by this function's contract; the reference ends here.
        let ngx_connection_t { recv, read, .. } = unsafe { &*connection };
        let (receive, event) = (*recv, *read);
        // It may hold a secret.
        let mut buffer = Zeroizing::new([0; 2048]);
        loop {
            let received = match receive {
                // SAFETY: nginx fills in as many bytes as it says.
                Some(receive) => unsafe { receive(connection, buffer.as_mut_ptr(), buffer.len()) },
                None => ERROR,
            };
            // SAFETY: the connection's event.
            if received == AGAIN && unsafe { ngx_handle_read_event(event, 0) } == OK {
                return None;
            }
            let received = usize::try_from(received).ok();
            let Some(bytes) = received.and_then(|received| buffer.get(..received)) else {
                return give_up(&self.answer, "the connection broke");
            };
            if bytes.is_empty() {
                return Some(self.answer.close());
            }
            let outcome = self.answer.read(bytes);
            if outcome.is_some() {
                return outcome;
            }
        }
    }
}

/// # Safety
/// The connection is open.
unsafe fn connect_error(connection: *mut ngx_connection_t) -> io::Result<()> {
    let mut error: libc::c_int = 0;
    let mut length = size_of::<libc::c_int>() as libc::socklen_t;
    let room = (&raw mut error).cast();
    // SAFETY: by this function's contract.
    let fd = unsafe { (*connection).fd };
    // SAFETY: an open socket, and room for the number.
    let asked =
        unsafe { libc::getsockopt(fd, libc::SOL_SOCKET, libc::SO_ERROR, room, &mut length) };
    match (asked, error) {
        (0, 0) => Ok(()),
        (0, error) => Err(io::Error::from_raw_os_error(error)),
        _ => Err(io::Error::last_os_error()),
    }
}
