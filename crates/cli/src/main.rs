//! The `amparo` program.
fn main() {}
