//! Answers of origins, of any bytes, cut anywhere: they are read as other readers read them, and what goes on to the
//! client is as long as it may be, and has nothing in it that the client is not to read.
#![no_main]

#[path = "../tests/common/mod.rs"]
mod common;

#[path = "answer/document.rs"]
mod document;
#[path = "answer/error.rs"]
mod error;
#[path = "answer/head.rs"]
mod head;
#[path = "answer/list.rs"]
mod list;
#[path = "answer/packed.rs"]
mod packed;
#[path = "answer/setting.rs"]
mod setting;
#[path = "answer/text.rs"]
mod text;
#[path = "answer/tree.rs"]
mod tree;

use libfuzzer_sys::fuzz_target;
use setting::{Cut, Setting};

// Which reader, what more there is to choose for it, what is configured, the lengths of the first piece and of the
// others, and the body.
fuzz_target!(|input: &[u8]| {
    let [reader, kind, bits, first, others, body @ ..] = input else {
        return;
    };
    let cut = Cut::new(*first, *others);
    let setting = Setting::of(*bits);
    match reader % 8 {
        0 => error::check(body, &setting, cut),
        1 => document::check(body, *kind, &setting, cut),
        2 => list::check(body, &setting, cut),
        3 => document::check_location(body, cut),
        4 => text::check_leaves(body),
        5 => head::check(body, *kind, &setting),
        6 => text::check(body, &setting),
        _ => packed::check(body, cut),
    }
});
