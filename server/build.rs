//! Takes what `make page` has made of `page/` into the binary. It runs nothing itself: without that, there is the plain page.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "cargo tells build scripts by the environment"
)]

use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let made = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("../page/dist");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={}", made.display());
    let mut files = Vec::new();
    if made.is_dir() {
        for entry in fs::read_dir(&made)? {
            files.push(entry?.path().canonicalize()?);
        }
    }
    files.sort();
    let mut code = "&[\n".to_owned();
    for file in files {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !name.starts_with('.') {
            code += &format!("    PageFile {{ name: {name:?}, bytes: include_bytes!({file:?}) }},\n");
        }
    }
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("page.rs"), code + "]\n")?;
    Ok(())
}
