//! Compiles the C shim against nginx's own headers, and makes the bindings to it from its header.
//!
//! It also has three sides agree on the layout of nginx's structures. bindgen reads the headers again and
//! writes down where libclang finds each field of each structure. rustc compares that with the bindings
//! that `src` uses, which are nginx-sys's, and the C compiler with what it compiles the shim for. A
//! difference fails the build. No program of the target is run.

use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

/// The folder of the C files, seen from the package that this builds; `shim.h` declares what the others define.
const C: &str = ".";
const C_SOURCES: [&str; 9] = [
    "again.c",
    "request.c",
    "buf.c",
    "upstream.c",
    "output.c",
    "connection.c",
    "cache.c",
    "process.c",
    "layout.c",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=../../build.rs");
    for source in C_SOURCES {
        println!("cargo::rerun-if-changed={C}/{source}");
    }

    let out = PathBuf::from(env::var("OUT_DIR")?);
    let flags = flags()?;
    let functions = bindings(&flags)?
        .allowlist_function("shim_.*")
        .allowlist_type("shim_.*")
        .allowlist_var("SHIM_AGAIN_.*");
    functions.generate()?.write_to_file(out.join("shim.rs"))?;

    let (rust, c) = layout_tests(&flags)?;
    fs::write(out.join("layout.rs"), rust)?;
    fs::write(out.join("layout_test.c"), c)?;

    cc::Build::new()
        .flags(&flags)
        .include(C)
        .flag_if_supported("-Wno-unused-parameter")
        .flag_if_supported("-Werror=missing-prototypes")
        .files(C_SOURCES.map(|source| Path::new(C).join(source)))
        .file(out.join("layout_test.c"))
        .try_compile("ngx_safe_shim")?;
    Ok(())
}

/// What nginx's `configure` found and nginx-sys hands on, for libclang and the C compiler.
fn flags() -> Result<Vec<String>, env::VarError> {
    let includes = env::var("DEP_NGINX_INCLUDE")?;
    let includes = env::split_paths(&includes).map(|path| format!("-I{}", path.display()));
    // nginx-sys 0.5.0 spells the key with one colon, so cargo reads it as `metadata`.
    let defines = env::var("DEP_NGINX_METADATA").unwrap_or_default();
    let defines = defines.strip_prefix("cflags=").unwrap_or_default();
    Ok(includes
        .chain(defines.split_whitespace().map(str::to_owned))
        .collect())
}

/// Bindings to what is yet to be allowed; the types that it names are nginx-sys's.
fn bindings(flags: &[String]) -> Result<bindgen::Builder, Box<dyn Error>> {
    Ok(bindgen::builder()
        .header(format!("{C}/shim.h"))
        .clang_args(flags)
        .parse_callbacks(Box::new(bindgen::CargoCallbacks::new()))
        .rust_target(env::var("CARGO_PKG_RUST_VERSION")?.parse()?)
        .allowlist_recursively(false)
        .layout_tests(false)
        .use_core()
        .formatter(bindgen::Formatter::None))
}

/// bindgen's tests of nginx's structures, without the structures: in Rust, and the same in C.
fn layout_tests(flags: &[String]) -> Result<(String, String), Box<dyn Error>> {
    const START: &str = "const _ : () = {";
    let types = bindings(flags)?.allowlist_type("ngx_.*").layout_tests(true);
    let types = types.generate()?.to_string();
    let blocks = types.split(START).skip(1);
    let blocks: Vec<&str> = blocks
        .filter_map(|rest| Some(rest.split_once("} ;")?.0))
        .collect();
    let in_rust = blocks.iter().map(|tests| format!("{START}{tests}}};\n"));
    let in_c: Vec<_> = blocks
        .iter()
        .flat_map(|tests| tests.split(" ;"))
        .filter_map(in_c)
        .collect();
    if in_c.len() < 1000 {
        return Err(format!("bindgen has {} tests, not one for each field", in_c.len()).into());
    }
    Ok((
        in_rust.collect(),
        format!("#include \"shim.h\"\n{}", in_c.concat()),
    ))
}

/// `["Size of TYPE"] [...- 8usize]` or `["Offset of field: TYPE::FIELD"] [... - 8usize]` in C, but what
/// has no name there.
fn in_c(test: &str) -> Option<String> {
    let (name, expression) = test.trim().strip_prefix("[\"")?.split_once("\"]")?;
    let figure = expression.strip_suffix("usize]")?.rsplit(' ').next()?;
    let (what, place) = name.split_once(" of ")?;
    let (place, field) = match place.strip_prefix("field: ") {
        Some(place) => place.split_once("::")?,
        None => (place, ""),
    };
    // What nginx does not end so is a typedef's name, of which the structure may have none.
    let tag = if place.ends_with("_s") { "struct " } else { "" };
    // bindgen gives an underscore to names that are Rust's words, as `type`.
    let field = field.trim_end_matches('_');
    let asked = match what {
        _ if name.contains("__bindgen") => return None,
        "Size" => format!("sizeof({tag}{place})"),
        "Offset" => format!("offsetof({tag}{place}, {field})"),
        _ => return None,
    };
    Some(format!(
        "_Static_assert({asked} == {figure}, \"{name}\");\n"
    ))
}
