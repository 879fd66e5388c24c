//! The push function.
fn main() {}
