//! How the program speaks: data on standard output, talk on standard error, meaning never in colour alone.

use anstyle::{AnsiColor, Style};

/// Writes a line of data to standard output. A closed pipe is not an error of ours.
macro_rules! data {
    ($($arg:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(anstream::stdout(), $($arg)*);
    }};
}

/// Writes a line of talk to standard error.
macro_rules! say {
    ($($arg:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(anstream::stderr(), $($arg)*);
    }};
}

pub(crate) use {data, say};

/// How facts are printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs: JSON with a versioned `schema`.
    Json,
}

/// Bold.
pub const STRONG: Style = Style::new().bold();
/// Quiet detail.
pub const DIM: Style = Style::new().dimmed();
/// Kept, proven, released.
pub const GOOD: Style = AnsiColor::Green.on_default().bold();
/// Refused, disproved.
pub const BAD: Style = AnsiColor::Red.on_default().bold();
/// Owed, waiting, contested.
pub const WARN: Style = AnsiColor::Yellow.on_default().bold();

/// Prints an error with its causes, outermost first, each once.
pub fn error(error: &anyhow::Error) {
    say!("{BAD}error:{BAD:#} {error}");
    let mut last = error.to_string();
    for cause in error.chain().skip(1) {
        let text = cause.to_string();
        if !last.contains(&text) {
            say!("  caused by: {text}");
        }
        last = text;
    }
}
