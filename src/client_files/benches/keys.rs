//! What a million keys cost beside ten: `cargo bench -p client_files`.
#![allow(clippy::unwrap_used)]

use std::fmt::Write;
use std::fs;
use std::hint::black_box;
use std::time::Instant;

use client_files::ClientFile;

fn key(number: usize) -> String {
    format!("AKID{number:016}")
}

fn main() {
    let folder = std::env::temp_dir().join(format!("client-files-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    for clients in [10, 1_000_000] {
        let path = folder.join(clients.to_string());
        let mut text = String::new();
        for number in 0..clients {
            writeln!(text, "{} secret_key={number:040}", key(number)).unwrap();
        }
        fs::write(&path, &text).unwrap();
        let began = Instant::now();
        let file = ClientFile::open(&path, 0).unwrap().file;
        let took = began.elapsed();
        let image = fs::read_dir("/proc/self/fd").unwrap().flatten();
        let image = image.filter_map(|entry| {
            let target = fs::read_link(entry.path()).ok()?;
            let is_image = target.to_str()?.contains("s3_resign_clients");
            is_image.then(|| fs::metadata(entry.path()).unwrap().len())
        });
        let bytes = image.max().unwrap() / clients as u64;
        println!("{clients} clients: read in {took:?}, {bytes} bytes for each");

        let mut numbers = (0..).map(|n: usize| n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20);
        let mut each = |what: &str, of: &dyn Fn(usize) -> String| {
            const ROUNDS: usize = 200_000;
            let keys: Vec<_> = numbers.by_ref().take(ROUNDS).map(of).collect();
            let began = Instant::now();
            for key in &keys {
                black_box(file.find(key.as_bytes()).unwrap());
            }
            let took = began.elapsed().as_nanos() / ROUNDS as u128;
            println!("  {what}: {took} ns");
        };
        each("ten keys in turn", &|n| key(n % 10));
        each("any of the keys", &|n| key(n % clients));
        each("strangers", &|n| format!("ASIA{n:016}"));
        fs::remove_file(&path).unwrap();
    }
    fs::remove_dir(&folder).unwrap();
}
