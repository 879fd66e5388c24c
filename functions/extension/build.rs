//! Functions that are the same in machine code are linked once: a fiftieth less to load when a Lambda starts.
//! Only where the compiler's own linker, which can do it, is the usual one, and only for size.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "cargo tells build scripts by the environment"
)]

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let is = |name: &str, value: &str| std::env::var(name).is_ok_and(|found| found == value);
    if is("TARGET", "x86_64-unknown-linux-gnu") && is("OPT_LEVEL", "z") {
        println!("cargo::rustc-link-arg-bins=-Wl,--icf=all");
    }
}
