//! `amparo-paper`: reads one PDF from standard input, confined, and says what is on it as lines of JSON.
//!
//! Exit codes: 0 it was read, 1 it was not and the last line says why, 2 it could not be done.

use std::{
    io::{self, Read as _, Write as _},
    process::ExitCode,
};

use confine::confine;
use paper::{
    BOUNDS, PDF_BYTES_MAX,
    answer::{Line, Refusal},
};

fn main() -> ExitCode {
    if std::env::args_os().len() > 1 {
        let _ = io::stderr().write_all(
            b"amparo-paper takes no arguments: it reads one PDF from standard input and says what is on it\n",
        );
        return ExitCode::from(2);
    }
    // What a panic would print may quote the PDF.
    std::panic::set_hook(Box::new(|_| {}));
    if confine(BOUNDS).is_err() {
        return ended(
            say(&Line::Refused {
                why: Refusal::Unconfined,
            }),
            false,
        );
    }
    let most = u64::try_from(PDF_BYTES_MAX).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    if io::stdin().lock().take(most + 1).read_to_end(&mut bytes).is_err() {
        return ExitCode::from(2);
    }
    let mut whole = true;
    let read = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        paper::read(bytes, |line| {
            whole &= !matches!(line, Line::Refused { .. });
            say(&line)
        })
    }));
    match read {
        Ok(said) => ended(said, whole),
        Err(_) => ended(say(&Line::Refused { why: Refusal::Broken }), false),
    }
}

fn ended(said: io::Result<()>, whole: bool) -> ExitCode {
    match (said, whole) {
        (Ok(()), true) => ExitCode::SUCCESS,
        (Ok(()), false) => ExitCode::from(1),
        (Err(_), _) => ExitCode::from(2),
    }
}

fn say(line: &Line) -> io::Result<()> {
    let mut json = serde_json::to_vec(line)?;
    json.push(b'\n');
    let mut output = io::stdout().lock();
    output.write_all(&json)?;
    output.flush()
}
