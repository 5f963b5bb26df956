//! Programs of ours that read what strangers sent, each run in a process of its own that holds none of our files, keys and
//! environment. What they answer is a stranger's word: bounded here, and judged by whoever asked.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    process::Command,
    sync::Semaphore,
};

/// How such a program is run.
#[derive(Debug, Clone)]
pub struct Apart {
    program: PathBuf,
    bounds: Bounds,
}

/// What it may take.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// How long a run waits for its turn.
    pub wait: Duration,
    /// How long one run may take, once its turn has come.
    pub patience: Duration,
    /// Largest answer taken, in bytes.
    pub answer_bytes_max: u64,
    /// How many may run at once.
    pub slots: &'static Semaphore,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApartError {
    /// It is not there.
    #[error("`{0}` is not installed")]
    NotInstalled(String),
    /// Others ran all the time that it may wait.
    #[error("its turn did not come")]
    Busy,
    /// Its answer is longer than it may be.
    #[error("its answer is too long")]
    TooLong,
    /// It could not be started or talked to.
    #[error("{0}")]
    Failed(String),
}

impl Apart {
    /// The program of this name that lies beside this one.
    pub fn beside_this_program(name: &str, bounds: Bounds) -> Self {
        let this = std::env::current_exe().ok();
        let folder = this
            .as_deref()
            .and_then(Path::parent)
            .unwrap_or(Path::new("/nonexistent"));
        Self::at(folder.join(name), bounds)
    }

    /// The program that lies there.
    pub fn at(program: PathBuf, bounds: Bounds) -> Self {
        Self { program, bounds }
    }

    #[cfg(test)]
    pub(crate) fn patient(mut self, patience: Duration) -> Self {
        self.bounds.patience = patience;
        self
    }

    /// Runs it once on this input, piece by piece, and takes what it says until it ends, or our patience does: then what it said
    /// so far.
    ///
    /// # Errors
    /// See [`ApartError`].
    pub async fn run(&self, input: &[&[u8]]) -> Result<Vec<u8>, ApartError> {
        let failed = |error: &dyn std::fmt::Display| ApartError::Failed(error.to_string());
        let _slot = tokio::time::timeout(self.bounds.wait, self.bounds.slots.acquire())
            .await
            .map_err(|_| ApartError::Busy)?
            .map_err(|error| failed(&error))?;
        let mut child = Command::new(&self.program)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| match error.kind() {
                std::io::ErrorKind::NotFound => ApartError::NotInstalled(self.program.display().to_string()),
                _ => failed(&error),
            })?;
        let (Some(mut stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(ApartError::Failed("it has no pipes".to_owned()));
        };
        let mut said = Vec::new();
        let most = self.bounds.answer_bytes_max;
        let mut stdout = stdout.take(most.saturating_add(1));
        let work = async {
            let feed = async move {
                for piece in input {
                    // A program that ends early does not read to the end; its answer says why.
                    if stdin.write_all(piece).await.is_err() {
                        return;
                    }
                }
                let _ = stdin.shutdown().await;
            };
            tokio::join!(feed, stdout.read_to_end(&mut said)).1
        };
        let ended = tokio::time::timeout(self.bounds.patience, work).await;
        // Whatever it still does, it has had its say.
        let _ = child.kill().await;
        if let Ok(Err(error)) = ended {
            return Err(failed(&error));
        }
        if u64::try_from(said.len()).unwrap_or(u64::MAX) > most {
            return Err(ApartError::TooLong);
        }
        Ok(said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static NONE: Semaphore = Semaphore::const_new(0);

    #[tokio::test]
    async fn a_run_whose_turn_does_not_come_ends_and_says_so() {
        let bounds = Bounds {
            wait: Duration::from_millis(20),
            patience: Duration::from_secs(60),
            answer_bytes_max: 1,
            slots: &NONE,
        };
        let said = Apart::at(PathBuf::from("/bin/true"), bounds).run(&[]).await;
        assert_eq!(said, Err(ApartError::Busy));
    }
}
