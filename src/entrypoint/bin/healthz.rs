//! Asks the nginx that runs whether an origin is up.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    process::ExitCode,
    time::{Duration, Instant},
};

use crate::say;

/// The longest wait for an answer. Docker's own limit is longer.
const WAIT: Duration = Duration::from_secs(4);

/// The longest status line.
const LONGEST: usize = 256;

/// Prints the status of the answer. Fails if it is another than 200.
pub(crate) fn ask(port: u16) -> ExitCode {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    match status(address) {
        Ok(status) => {
            let _ = writeln!(io::stdout(), "{status}");
            match status {
                200 => ExitCode::SUCCESS,
                _ => ExitCode::FAILURE,
            }
        }
        Err(why) => {
            say(&format_args!("{address}: {why}"));
            ExitCode::FAILURE
        }
    }
}

fn status(address: SocketAddr) -> io::Result<u16> {
    let deadline = Instant::now() + WAIT;
    let mut connection = TcpStream::connect_timeout(&address, WAIT)?;
    connection.set_write_timeout(Some(WAIT))?;
    connection.write_all(b"GET /healthz HTTP/1.0\r\n\r\n")?;
    let mut head = [0; LONGEST];
    let mut length = 0;
    loop {
        if let Some(status) = parse_status(head.get(..length).unwrap_or_default()) {
            return Ok(status);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        connection.set_read_timeout(Some(left))?;
        match connection.read(head.get_mut(length..).unwrap_or_default())? {
            0 => return Err(ErrorKind::InvalidData.into()),
            count => length += count,
        }
    }
}

/// The status of a head whose first line is whole.
fn parse_status(head: &[u8]) -> Option<u16> {
    let end = head.iter().position(|c| *c == b'\n')?;
    let line = std::str::from_utf8(head.get(..end)?).ok()?;
    line.split_ascii_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses() {
        for (head, expected) in [
            ("HTTP/1.1 200 OK\r\nServer: nginx\r\n", Some(200)),
            ("HTTP/1.1 450\n", Some(450)),
            ("HTTP/1.1 200 OK", None),
            ("HTTP/1.1\r\n", None),
            ("HTTP/1.1 OK 200\r\n", None),
            ("HTTP/1.1 70000 OK\r\n", None),
            ("", None),
        ] {
            assert_eq!(parse_status(head.as_bytes()), expected, "{head:?}");
        }
    }
}
