//! `amparo`: one program, one verb a file.
//!
//! Data goes to standard output, talk to standard error. Exit codes: 0 done or proven, 1 the answer is no, 2 it could
//! not be done.

mod verb;
mod voice;

use std::process::ExitCode;

use clap::Parser;
use service::{app::DeskError, transfers::TransferError};

fn main() -> ExitCode {
    let program = verb::Program::parse();
    program.start_log();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            voice::error(&anyhow::Error::new(error).context("cannot start"));
            return ExitCode::from(2);
        }
    };
    match runtime.block_on(program.run()) {
        Ok(code) => code,
        Err(error) => {
            voice::error(&error);
            if let Some(transfer) = error.downcast_ref::<TransferError>() {
                return ExitCode::from(if transfer.is_refusal() { 1 } else { 2 });
            }
            let Some(desk) = error.downcast_ref::<DeskError>() else {
                return ExitCode::from(2);
            };
            voice::say!("hint: {}", desk.hint());
            ExitCode::from(if desk.is_refusal() { 1 } else { 2 })
        }
    }
}
