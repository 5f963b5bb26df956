//! `amparo-postmark`: reads a question and a message from standard input, and says who the message is from.
//!
//! Exit codes: 0 it was checked, as far as the answer says; 2 it could not be done.

use std::{
    io::{self, Read as _, Write as _},
    process::ExitCode,
    time::Duration,
};

use confine::confine;
use postmark::{Answer, BOUNDS, MESSAGE_BYTES_MAX, Names, QUESTION_BYTES_MAX, Question, check};

/// How long the checks of one message may take together.
const PATIENCE: Duration = Duration::from_secs(7);

fn main() -> ExitCode {
    // What a panic would print may quote the message.
    std::panic::set_hook(Box::new(|_| {}));
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "amparo-postmark: {error}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let most = u64::try_from(QUESTION_BYTES_MAX + MESSAGE_BYTES_MAX)?;
    let mut input = Vec::new();
    io::stdin().lock().take(most + 1).read_to_end(&mut input)?;
    let end = input
        .iter()
        .take(QUESTION_BYTES_MAX)
        .position(|byte| *byte == b'\n')
        .ok_or("there is no question before the message")?;
    let (question, message) = input.split_at(end);
    let question: Question = serde_json::from_slice(question)?;
    let message = message.get(1..).unwrap_or_default();
    if message.len() > MESSAGE_BYTES_MAX {
        return Err("the message is too large".into());
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let answer = runtime.block_on(async {
        // The system's configuration is a file: it is read before files are given up.
        let names = Names::live(&question.servers)?;
        confine(BOUNDS)?;
        let checked = tokio::time::timeout(PATIENCE, check(&names, &question, message)).await;
        Ok::<Answer, Box<dyn std::error::Error>>(checked.unwrap_or_else(|_| Answer::timed_out()))
    })?;
    let mut json = serde_json::to_vec(&answer)?;
    json.push(b'\n');
    let mut output = io::stdout().lock();
    output.write_all(&json)?;
    output.flush()?;
    Ok(())
}
