//! `amparo-letter`: reads one letter from standard input, confined, and writes it as a PDF, or a line of JSON that says why not.
//!
//! Exit codes: 0 it was set, 1 it was not and the line says why, 2 it could not be done.

use std::{
    io::{self, Read as _, Write as _},
    process::ExitCode,
};

use confine::confine;
use letter::BOUNDS;
use stationery::{LETTER_BYTES_MAX, Letter, Refusal};

fn main() -> ExitCode {
    if std::env::args_os().len() > 1 {
        let _ = io::stderr().write_all(
            b"amparo-letter takes no arguments: it reads one letter from standard input and writes it as a PDF\n",
        );
        return ExitCode::from(2);
    }
    // What a panic would print may quote the letter.
    std::panic::set_hook(Box::new(|_| {}));
    // This one thread does all of the work: none other can be started any more.
    let alone = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .use_current_thread();
    // Where the stack ends is read from a file, the first time.
    let _ = stacker::remaining_stack();
    if alone.build_global().is_err() || confine(BOUNDS).is_err() {
        return refused(&Refusal::Unconfined);
    }
    let most = u64::try_from(LETTER_BYTES_MAX).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    if io::stdin().lock().take(most + 1).read_to_end(&mut bytes).is_err() {
        return ExitCode::from(2);
    }
    let letter = match Letter::read(&bytes) {
        Ok(letter) => letter,
        Err(why) => {
            return refused(&Refusal::NotALetter { why: why.to_string() });
        }
    };
    match std::panic::catch_unwind(|| letter::set(letter)) {
        Ok(Ok(pdf)) => match say(&pdf) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::from(2),
        },
        Ok(Err(why)) => refused(&why),
        Err(_) => refused(&Refusal::Broken),
    }
}

fn refused(why: &Refusal) -> ExitCode {
    let said = why.to_line().and_then(|line| say(&line));
    ExitCode::from(if said.is_ok() { 1 } else { 2 })
}

fn say(bytes: &[u8]) -> io::Result<()> {
    let mut output = io::stdout().lock();
    output.write_all(bytes)?;
    output.flush()
}
