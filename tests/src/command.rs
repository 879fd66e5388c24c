//! `mayfly` as a command that ends.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use testkit::server::built;

/// Exit code, standard output and standard error of a command.
pub type Ended = (Option<i32>, String, String);

/// Runs `mayfly` in a folder. What is no UTF-8 panics.
pub fn mayfly(folder: &Path, arguments: &[&str]) -> Ended {
    let ended = Command::new(built("mayfly").expect("the binary"))
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .expect("an end");
    let Output { status, stdout, stderr } = ended;
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (status.code(), text(stdout), text(stderr))
}
