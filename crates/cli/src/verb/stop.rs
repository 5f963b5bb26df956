//! When a verb that serves is asked to stop.

use anyhow::Context as _;
use tokio::signal::{
    ctrl_c,
    unix::{SignalKind, signal},
};

/// Waits for Ctrl-C or SIGTERM.
///
/// # Errors
/// When the operating system does not let the program wait for them.
pub async fn asked() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    tokio::select! {
        done = ctrl_c() => done.context("cannot wait for Ctrl-C")?,
        _ = terminate.recv() => {}
    }
    Ok(())
}
