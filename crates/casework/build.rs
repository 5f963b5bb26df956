//! Lists the files of `rulebooks/` so that the program carries them. Sorted by path: the same folder gives the same
//! program.

use std::{
    env, fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

fn main() -> io::Result<()> {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default()).join("../../rulebooks");
    println!("cargo::rerun-if-changed={}", root.display());
    let mut files = Vec::new();
    list(&root, "", &mut files)?;
    files.sort();
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("rulebook_files.rs");
    let mut out = io::BufWriter::new(
        fs::OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(true)
            .open(out)?,
    );
    writeln!(out, "&[")?;
    for path in files {
        let absolute = root.join(&path).canonicalize()?;
        writeln!(out, "    ({path:?}, include_bytes!({absolute:?})),")?;
    }
    writeln!(out, "]")?;
    out.flush()
}

fn list(folder: &Path, prefix: &str, into: &mut Vec<String>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // Editors and operating systems leave such files behind.
        if name.starts_with('.') || name.ends_with('~') {
            continue;
        }
        let path = if prefix.is_empty() {
            name
        } else {
            format!("{prefix}/{name}")
        };
        if entry.file_type()?.is_dir() {
            list(&entry.path(), &path, into)?;
        } else {
            into.push(path);
        }
    }
    Ok(())
}
