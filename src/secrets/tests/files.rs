//! The first line of whatever a path leads to.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::{
    fs::{self, File},
    io::Write,
    os::unix::{fs::PermissionsExt, net::UnixListener},
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use common::Folder;
use secrets::{Kind, MAX_VALUE, Outside, Unreadable, first_line, read, whole_file};

const SHORT: Duration = Duration::from_millis(50);
/// Longer than any test may take.
const LONG: Duration = Duration::from_secs(60);

fn line(path: &Path) -> Vec<u8> {
    first_line(path, SHORT).unwrap().to_vec()
}

fn message(path: &str, folder: &Path, wait: Duration) -> String {
    let outside = Outside {
        variable: &|_| None,
        folder,
        wait,
        process: "nginx's master process",
    };
    let text = format!("file:{path}");
    read("\"k=\"", text.as_bytes(), Kind::SecretKey, &outside).unwrap_err()
}

fn pipe(folder: &Folder) -> PathBuf {
    let path = folder.path().join("pipe");
    let made = Command::new("mkfifo").arg(&path).status().unwrap();
    assert!(made.success());
    path
}

#[test]
fn without_its_end() {
    let folder = Folder::new();
    for (text, line_of_it) in [
        ("secret\n", "secret"),
        ("secret\r\n", "secret"),
        ("secret\r\r\n", "secret"),
        ("secret", "secret"),
        ("secret\r", "secret"),
        ("secret\nmore\n", "secret"),
        ("secret\r\nmore", "secret"),
        ("sec\rret\n", "sec\rret"),
        (" secret \n", " secret "),
        ("", ""),
        ("\n", ""),
        ("\r\n", ""),
        ("\r", ""),
        ("\nsecret\n", ""),
    ] {
        let path = folder.write("f", text);
        assert_eq!(line(&path), line_of_it.as_bytes(), "{text:?}");
    }
}

#[test]
fn at_most_64_kib() {
    let folder = Folder::new();
    let longest = "x".repeat(MAX_VALUE);
    for end in ["", "\n", "\r\n", "\nmore", "\r\nmore"] {
        let path = folder.write("f", format!("{longest}{end}"));
        assert_eq!(line(&path), longest.as_bytes(), "{end:?}");
    }
    for end in ["x", "x\n", "x\r\n", "xx\n", "xxx", "\r\r\r\n"] {
        let path = folder.write("f", format!("{longest}{end}"));
        let read = first_line(&path, SHORT);
        assert!(matches!(read, Err(Unreadable::TooLong)), "{end:?}");
    }
    let path = folder.path().join("f").display().to_string();
    assert_eq!(
        message(&path, folder.path(), SHORT),
        format!(
            "\"k=\": the first line of \"{path}\" is longer than 65536 bytes: write the path of a file \
             that begins with the value"
        )
    );
}

#[test]
fn relative_to_the_folder() {
    let folder = Folder::new();
    folder.write("f", "secret\n");
    let outside = Outside {
        variable: &|_| None,
        folder: folder.path(),
        wait: SHORT,
        process: "p",
    };
    let read = |text: &str| read("k", text.as_bytes(), Kind::SecretKey, &outside).is_ok();
    assert!(read("file:f") && read("file:./f") && !read("file:g"));
    assert!(read(&format!("file:{}/f", folder.path().display())));
}

#[test]
fn what_cannot_be_read() {
    let folder = Folder::new();
    let shown = folder.path().display();
    assert_eq!(
        message("missing", folder.path(), SHORT),
        format!(
            "\"k=\": cannot read \"{shown}/missing\": No such file or directory (os error 2): make it \
             readable for nginx's master process"
        )
    );
    for path in ["", ".", &shown.to_string()] {
        let message = message(path, folder.path(), SHORT);
        assert!(message.starts_with("\"k=\": cannot read \""), "{message}");
        assert!(
            message.ends_with("\": Is a directory (os error 21)"),
            "{message}"
        );
    }
    assert!(message("a\0b", folder.path(), SHORT).starts_with("\"k=\": cannot read \""));
    let path = folder.path().join("socket");
    let _socket = UnixListener::bind(&path).unwrap();
    assert!(matches!(first_line(&path, SHORT), Err(Unreadable::Open(_))));
    let error = Unreadable::Read(std::io::Error::other("why")).to_string();
    assert_eq!(error, "why");
}

#[test]
fn without_permission() {
    let folder = Folder::new();
    let path = folder.write("f", "secret");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    match File::open(&path) {
        // root reads everything.
        Ok(_) => assert_eq!(line(&path), b"secret"),
        Err(_) => assert!(matches!(first_line(&path, SHORT), Err(Unreadable::Open(_)))),
    }
}

#[test]
fn a_device_that_never_ends() {
    let began = Instant::now();
    let read = first_line(Path::new("/dev/zero"), LONG);
    assert!(matches!(read, Err(Unreadable::TooLong)));
    assert!(began.elapsed() < LONG / 2);
    assert_eq!(line(Path::new("/dev/null")), b"");
}

#[test]
fn a_pipe_that_nobody_writes_to() {
    let folder = Folder::new();
    let path = pipe(&folder);
    let said = message("pipe", folder.path(), SHORT);
    assert_eq!(
        said,
        format!(
            "\"k=\": cannot read \"{}\": it has no whole line after 50ms: write the path of a file that \
             has one",
            path.display()
        )
    );
}

#[test]
fn a_pipe_that_stays_open() {
    let folder = Folder::new();
    let path = pipe(&folder);
    // For reading too, or this would wait for a reader.
    let mut writer = File::options().read(true).write(true).open(&path).unwrap();
    writer.write_all(b"secret").unwrap();
    let read = first_line(&path, SHORT);
    assert!(matches!(read, Err(Unreadable::TooSlow(SHORT))));
    writer.write_all(b"secret\r\nmore").unwrap();
    assert_eq!(first_line(&path, LONG).unwrap().as_slice(), b"secret");
}

#[test]
fn a_pipe_that_is_written_late_and_in_pieces() {
    let folder = Folder::new();
    let path = pipe(&folder);
    let reader = {
        let path = path.clone();
        thread::spawn(move || first_line(&path, LONG).unwrap())
    };
    let mut writer = File::options().write(true).open(&path).unwrap();
    for piece in ["sec", "ret", "\n"] {
        writer.write_all(piece.as_bytes()).unwrap();
        thread::sleep(Duration::from_millis(30));
    }
    assert_eq!(reader.join().unwrap().as_slice(), b"secret");
}

#[test]
fn a_pipe_that_drips() {
    let folder = Folder::new();
    let path = pipe(&folder);
    let mut writer = File::options().read(true).write(true).open(&path).unwrap();
    let reader = thread::spawn(move || first_line(&path, SHORT));
    while !reader.is_finished() {
        writer.write_all(b"x").unwrap();
        thread::sleep(Duration::from_millis(1));
    }
    let read = reader.join().unwrap();
    assert!(matches!(read, Err(Unreadable::TooSlow(_))));
}

/// All of a file that ends, and of nothing else: no pipe is waited for.
#[test]
fn whole_files() {
    let folder = Folder::new();
    let path = folder.path().join("whole");
    for length in [0, 1, 99, 100] {
        fs::write(&path, vec![b'\n'; length]).unwrap();
        let read = whole_file(&path, 100).unwrap();
        assert_eq!(*read, vec![b'\n'; length]);
    }
    fs::write(&path, vec![b'x'; 101]).unwrap();
    assert!(matches!(whole_file(&path, 100), Err(Unreadable::TooLong)));
    let missing = whole_file(&folder.path().join("missing"), 100);
    assert!(matches!(missing, Err(Unreadable::Open(_))));
    for path in [pipe(&folder), folder.path().to_owned(), "/dev/zero".into()] {
        assert!(
            matches!(whole_file(&path, 100), Err(Unreadable::Read(_))),
            "{path:?}"
        );
    }
}
