//! Files that change.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

use crate::tests::{Folder, count, now, open};
use crate::watcher::Look;
use crate::{ClientFile, News, Watcher};

/// Looks once, and tells how many clients there are then, or what is wrong.
fn look(look: &mut Look, file: &ClientFile) -> Option<Result<u64, String>> {
    match look.look(&file.table, now())? {
        News::Loaded { clients, .. } => Some(Ok(clients)),
        News::Failed { fault, .. } => Some(Err(fault.to_string())),
    }
}

fn write(path: &Path, text: &str) {
    let file = OpenOptions::new().write(true).truncate(true).open(path);
    file.unwrap().write_all(text.as_bytes()).unwrap();
}

#[test]
fn a_file_that_was_replaced_is_read_at_once() {
    let folder = Folder::new();
    let file = open(&folder.replace("A secret_key=a\n")).unwrap();
    let mut looks = Look::default();
    assert_eq!(look(&mut looks, &file), None);
    assert_eq!((count(&file, "A"), count(&file, "B")), (1, 0));
    for round in 2..10 {
        folder.replace("B secret_key=b\nC secret_key=c\n");
        assert_eq!(look(&mut looks, &file), Some(Ok(2)));
        assert_eq!((count(&file, "A"), count(&file, "B")), (0, 1));
        assert_eq!(look(&mut looks, &file), None);
        assert_eq!(file.state().loads, round);
    }
}

/// What is being written where it is, is left alone until it is the same at two looks.
#[test]
fn a_file_that_is_being_written() {
    let folder = Folder::new();
    let path = folder.replace("A secret_key=a\n");
    let file = open(&path).unwrap();
    let mut looks = Look::default();
    for lines in 1..4 {
        write(&path, &"B secret_key=b\nC secret_key=c\n"[..lines * 10]);
        assert_eq!(look(&mut looks, &file), None, "{lines}");
    }
    write(&path, "B secret_key=b\nC secret_key=c\n");
    assert_eq!(look(&mut looks, &file), None);
    assert_eq!(
        (look(&mut looks, &file), count(&file, "C")),
        (Some(Ok(2)), 1)
    );
    // One that never rests is read in the end.
    let mut read = 0;
    for number in 0..20 {
        write(
            &path,
            &format!("D{number} secret_key=d\n{}", "#\n".repeat(number)),
        );
        read += usize::from(look(&mut looks, &file) == Some(Ok(1)));
    }
    assert!((2..5).contains(&read), "{read}");
}

#[test]
fn a_broken_file_keeps_the_last_good_one() {
    let folder = Folder::new();
    let file = open(&folder.replace("A secret_key=a\n")).unwrap();
    let mut looks = Look::default();
    let broken = Some(Err(
        ":2: \"secret_key=\" is not there: add \"secret_key=VALUE\"".into(),
    ));
    folder.replace("B secret_key=b\nC\n");
    assert_eq!(look(&mut looks, &file), broken);
    for _ in 0..3 {
        assert_eq!(look(&mut looks, &file), None, "it is told once");
    }
    assert_eq!((count(&file, "A"), count(&file, "B")), (1, 0));
    let state = file.state();
    let (_, fault) = state.fault.unwrap();
    assert_eq!(
        fault,
        "line 2: \"secret_key=\" is not there: add \"secret_key=VALUE\""
    );
    assert_eq!((state.clients, state.loads), (1, 1));
    folder.replace("D secret_key=d\nE\n");
    assert_eq!(look(&mut looks, &file), broken, "another one");
    folder.replace("B secret_key=b\n");
    assert_eq!(look(&mut looks, &file), Some(Ok(1)));
    assert_eq!((count(&file, "A"), count(&file, "B")), (0, 1));
    assert_eq!(file.state().fault, None);
}

#[test]
fn a_file_that_is_gone() {
    let folder = Folder::new();
    let path = folder.replace("A secret_key=a\n");
    let file = open(&path).unwrap();
    let mut looks = Look::default();
    let aside = path.with_extension("aside");
    fs::rename(&path, &aside).unwrap();
    let told = look(&mut looks, &file).unwrap().unwrap_err();
    assert!(told.starts_with(" cannot be read: No such file"), "{told}");
    assert_eq!((look(&mut looks, &file), count(&file, "A")), (None, 1));
    fs::rename(&aside, &path).unwrap();
    assert_eq!(look(&mut looks, &file), None, "it could be written still");
    assert_eq!(look(&mut looks, &file), Some(Ok(1)));
    assert_eq!(file.state().fault, None);
}

#[test]
fn a_file_that_may_not_be_read() {
    let folder = Folder::new();
    let path = folder.replace("A secret_key=a\n");
    let file = open(&path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    if fs::File::open(&path).is_ok() {
        // Root may read anything.
        return;
    }
    let told = look(&mut Look::default(), &file).unwrap().unwrap_err();
    assert!(told.contains("make it readable"), "{told}");
    assert_eq!(count(&file, "A"), 1);
}

#[test]
fn what_is_no_file() {
    let folder = Folder::new();
    let told = open(folder.file().parent().unwrap()).unwrap_err();
    assert!(told.to_string().contains("is no regular file"), "{told}");
    assert!(
        open(&folder.file())
            .unwrap_err()
            .to_string()
            .contains("No such file")
    );
    assert!(
        open(Path::new("/dev/zero"))
            .unwrap_err()
            .to_string()
            .contains("is no regular file")
    );
}

/// The next configuration has the same memory, and reads the file only if it has changed.
#[test]
fn configurations_share_a_file() {
    let folder = Folder::new();
    let path = folder.replace("A secret_key=a\n");
    let first = open(&path).unwrap();
    let second = open(&path).unwrap();
    assert_eq!(second.state().loads, 1);
    folder.replace("B secret_key=b\n");
    let third = open(&path).unwrap();
    assert_eq!(
        [&first, &second, &third].map(|file| count(file, "B")),
        [1; 3]
    );
    folder.replace("B\n");
    assert!(open(&path).is_err());
    assert_eq!(
        [&first, &second, &third].map(|file| count(file, "B")),
        [1; 3]
    );
    drop((first, second, third));
    folder.replace("C secret_key=c\n");
    assert_eq!(open(&path).unwrap().state().loads, 1, "another memory");
}

/// Clients that are kept for their signing keys are the same ones, until the file has changed.
#[test]
fn clients_are_kept_as_long_as_their_file() {
    let folder = Folder::new();
    let file = open(&folder.replace("A secret_key=a\n")).unwrap();
    let find = || file.find(b"A").unwrap().remove(0);
    let first = find();
    assert!(std::rc::Rc::ptr_eq(&first, &find()));
    folder.replace("A secret_key=b\n");
    assert_eq!(look(&mut Look::default(), &file), Some(Ok(1)));
    assert!(!first.credential.has_secret_of(&find().credential));
}

/// Readers see one image or the other, whole, however often it is replaced.
#[test]
fn readers_while_it_is_replaced() {
    let folder = Folder::new();
    let text = |round: usize| -> String {
        let keys = 0..500 + round * 37 % 800;
        keys.map(|key| format!("K{key} secret_key={round}\n"))
            .collect()
    };
    let path = folder.replace(text(0));
    let file = open(&path).unwrap();
    let table = Arc::clone(&file.table);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut maps = [None, None];
                let mut last = 0;
                while !is_over.load(Relaxed) {
                    for key in [0, 100, 499] {
                        let key = format!("K{key}");
                        let (number, found) = table.find(&mut maps, key.as_bytes()).unwrap();
                        assert_eq!(found.len(), 1, "{key} of {number}");
                        assert!(number >= last);
                        last = number;
                    }
                    assert!(table.find(&mut maps, b"stranger").unwrap().1.is_empty());
                }
            });
        }
        for round in 1..40 {
            folder.replace(text(round));
            table.read(now()).unwrap();
        }
        is_over.store(true, Relaxed);
    });
    assert_eq!(file.state().loads, 40);
}

#[test]
fn one_watcher_leads() {
    let folder = Folder::new();
    let file = open(&folder.replace("A secret_key=a\n")).unwrap();
    let [first, second] = [Watcher::new([&file]), Watcher::new([&file])];
    assert!(first.lead() && first.lead() && !second.lead());
    second.retire();
    assert!(!second.lead());
    first.retire();
    assert!(second.lead() && !first.lead());
    second.end();
    second.run();
    assert!(first.lead());
}
