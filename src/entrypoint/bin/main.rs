//! What the image starts: makes `nginx.conf` of the environment and `nginx/default.conf.template`, has
//! nginx check it, starts nginx and passes signals on. `docker/.env.example` lists the variables.
//!
//! - `s3-resign-entrypoint`: starts nginx.
//! - `s3-resign-entrypoint -t`: checks the environment. Any option is one of nginx's: `-T` shows
//!   `nginx.conf` too.
//! - `s3-resign-entrypoint healthz`: asks the nginx that runs whether an origin is up, for
//!   `HEALTHCHECK CMD ["s3-resign-entrypoint", "healthz"]`.
//! - `s3-resign-entrypoint COMMAND`: runs the command instead.
//!
//! TERM, INT and QUIT end nginx once it has answered what is in flight. HUP makes `nginx.conf` again and
//! reloads it.
#![forbid(unsafe_code)]

mod healthz;
mod outside;
mod prepare;
mod supervise;

use std::{
    env,
    ffi::{OsStr, OsString},
    io::{self, ErrorKind, Write},
    os::unix::{ffi::OsStrExt, process::CommandExt},
    process::{Command, ExitCode},
};

use entrypoint::{Environment, Error};
use rustix::fs::Mode;

use crate::{outside::Files, prepare::Preparation};

/// The path of nginx to this program; to nginx it would be the sockets to inherit.
const NGINX: &str = "NGINX";

fn main() -> ExitCode {
    rustix::process::umask(Mode::from_raw_mode(0o022));
    let arguments: Vec<OsString> = env::args_os().skip(1).collect();
    let environment = Environment::new(env::vars_os());
    let done = match arguments.first().map(|first| first.as_bytes()) {
        None | Some(b"") => supervise::start(&environment),
        Some([b'-', ..]) => check(&environment, &arguments),
        Some(b"healthz") => entrypoint::port(&environment, &Files).map(healthz::ask),
        Some(_) => Ok(run(&arguments)),
    };
    done.unwrap_or_else(|error| {
        say(&error);
        ExitCode::FAILURE
    })
}

/// Has nginx check its configuration, and carry its own options out.
fn check(environment: &Environment, options: &[OsString]) -> Result<ExitCode, Error> {
    let preparation = Preparation::read(environment)?;
    preparation.prepare(environment)?;
    let mut nginx = preparation.nginx();
    Ok(replaced_by(nginx.args(options)))
}

fn run(words: &[OsString]) -> ExitCode {
    let Some((program, arguments)) = words.split_first() else {
        return ExitCode::SUCCESS;
    };
    replaced_by(command(program).args(arguments))
}

/// A program with this one's environment.
fn command(program: &OsStr) -> Command {
    let mut command = Command::new(program);
    command.env_remove(NGINX);
    command
}

/// Runs a program in the place of this one; returns only if that fails.
fn replaced_by(command: &mut Command) -> ExitCode {
    let why = command.exec();
    say(&format_args!("{}: {why}", command.get_program().display()));
    // As a shell tells it.
    match why.kind() {
        ErrorKind::NotFound => ExitCode::from(127),
        _ => ExitCode::from(126),
    }
}

/// Writes a line to the standard error, if it can be written.
fn say(what: &dyn std::fmt::Display) {
    let line = format!("s3-resign: {what}\n");
    let _ = io::stderr().write_all(line.as_bytes());
}
