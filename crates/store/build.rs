//! The migrations are compiled in: build anew when one is added.
#![allow(clippy::print_stdout, reason = "this is how a build script speaks to Cargo")]

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
