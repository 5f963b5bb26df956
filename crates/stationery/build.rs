//! Lists the files of `letters/` so that the program carries them. Sorted by path: the same folder gives the same program.

use std::{
    env, fs,
    io::{self, Write},
    path::PathBuf,
};

fn main() -> io::Result<()> {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default()).join("../../letters");
    println!("cargo::rerun-if-changed={}", root.display());
    let mut files = Vec::new();
    for language in fs::read_dir(&root)? {
        let language = language?;
        if !language.file_type()?.is_dir() {
            continue;
        }
        for file in fs::read_dir(language.path())? {
            let path = file?.path();
            if path.extension().is_some_and(|extension| extension == "toml") {
                files.push(path.canonicalize()?);
            }
        }
    }
    files.sort();
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("letter_files.rs");
    let mut out = io::BufWriter::new(
        fs::OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(true)
            .open(out)?,
    );
    writeln!(out, "&[")?;
    for file in files {
        let name = |part: Option<&std::ffi::OsStr>| part.map(|part| part.to_string_lossy().into_owned());
        let kind = name(file.file_stem()).unwrap_or_default();
        let language = name(file.parent().and_then(|folder| folder.file_name())).unwrap_or_default();
        writeln!(out, "    ({language:?}, {kind:?}, include_str!({file:?})),")?;
    }
    writeln!(out, "]")?;
    out.flush()
}
