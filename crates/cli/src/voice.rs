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

/// A word as the JSON formats write it: `not_known`.
pub fn spelled(word: &impl serde::Serialize) -> String {
    match serde_json::to_value(word) {
        Ok(serde_json::Value::String(word)) => word,
        Ok(other) => other.to_string(),
        Err(_) => "?".to_owned(),
    }
}

/// Prints an error with its causes, outermost first, each once.
pub fn error(error: &anyhow::Error) {
    let mut said = causes(error.as_ref()).into_iter();
    say!("{BAD}error:{BAD:#} {}", said.next().unwrap_or_default());
    for cause in said {
        say!("  caused by: {cause}");
    }
}

/// An error and its causes in one line, outermost first, each once.
pub fn in_one_line(error: &dyn std::error::Error) -> String {
    causes(error).join(": ")
}

fn causes(error: &dyn std::error::Error) -> Vec<String> {
    let mut said = vec![error.to_string()];
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        if !said.last().is_some_and(|last| last.contains(&text)) {
            said.push(text);
        }
        next = cause.source();
    }
    said
}

#[cfg(test)]
mod tests {
    #[test]
    fn each_cause_is_said_once() {
        let error = anyhow::anyhow!("no such file")
            .context("cannot read `a`: no such file")
            .context("cannot start");
        assert_eq!(
            super::in_one_line(error.as_ref()),
            "cannot start: cannot read `a`: no such file"
        );
    }
}
