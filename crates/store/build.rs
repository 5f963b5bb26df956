//! Lists the migrations of both engines, so that the program carries their text. `sqlx::migrate!` would do the same, but its
//! macros compile the database drivers a second time, for the compiler's own use: a minute of processor time.
#![allow(clippy::print_stdout, reason = "this is how a build script speaks to Cargo")]

use std::{env, error::Error, fmt::Write as _, fs, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("migrations");
    let mut listed = String::new();
    for (engine, constant) in [("sqlite", "SQLITE"), ("postgres", "POSTGRES")] {
        let folder = folder.join(engine);
        println!("cargo::rerun-if-changed={}", folder.display());
        let mut files: Vec<_> = fs::read_dir(&folder)?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<_, _>>()?;
        files.sort();
        writeln!(listed, "const {constant}: &[(i64, &str, &str)] = &[")?;
        for file in files {
            let stem = file.file_stem().and_then(|stem| stem.to_str());
            let (number, subject) = stem
                .and_then(|stem| stem.split_once('_'))
                .ok_or_else(|| format!("`{}` is not called NUMBER_SUBJECT.sql", file.display()))?;
            let number: i64 = number.parse()?;
            let subject = subject.replace('_', " ");
            writeln!(listed, "    ({number}, {subject:?}, include_str!({file:?})),")?;
        }
        writeln!(listed, "];")?;
    }
    fs::write(Path::new(&env::var("OUT_DIR")?).join("migrations.rs"), listed)?;
    Ok(())
}
