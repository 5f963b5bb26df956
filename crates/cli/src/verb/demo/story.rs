//! How the demonstration is told: short lines on standard output, progress on standard error where that is a terminal.

use indicatif::{ProgressBar, ProgressStyle};

use crate::voice::{BAD, DIM, GOOD, STRONG, WARN, data};

/// A heading.
pub fn chapter(number: Option<usize>, title: &str) {
    match number {
        Some(number) => data!("\n{STRONG}{number}. {title}{STRONG:#}"),
        None => data!("\n{STRONG}{title}{STRONG:#}"),
    }
}

/// Something that happened.
pub fn step(text: &str) {
    data!("   - {text}");
}

/// Something kept, proven or released.
pub fn good(text: &str) {
    data!("   {GOOD}+{GOOD:#} {text}");
}

/// Something refused.
pub fn refused(text: &str) {
    data!("   {BAD}x refused:{BAD:#} {text}");
}

/// Something found that must be contested, or a date to wait for.
pub fn found(text: &str) {
    data!("   {WARN}!{WARN:#} {text}");
}

/// Quiet detail under the line before.
pub fn detail(text: &str) {
    data!("     {DIM}{text}{DIM:#}");
}

/// A bar that counts messages; hidden where standard error is no terminal.
pub fn bar(length: u64, what: &'static str) -> ProgressBar {
    let bar = ProgressBar::new(length);
    if let Ok(style) = ProgressStyle::with_template("     {msg} [{bar:30}] {pos}/{len} {per_sec}") {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.set_message(what);
    bar
}
