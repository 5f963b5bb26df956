//! Another S3 server for the tests: rclone's, which `tests/clients/install` puts in place. A missing one fails the test.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use store::blobs::Location;

/// The bucket that it has.
pub const BUCKET: &str = "amparo-test";
const KEY: (&str, &str) = ("AKTESTRCLONE", "secret-of-the-test-server");

/// A running server over a folder. It ends when this is dropped, and when the test's process dies however it dies.
pub struct Rclone {
    guard: Child,
    pub folder: tempfile::TempDir,
    pub address: String,
}

impl Rclone {
    /// Starts it on a free port.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        std::fs::create_dir_all(data.join(BUCKET)).unwrap();
        // The shell kills the server once its own input, which we hold, is closed.
        let mut guard = Command::new("sh")
            .args([
                "-c",
                r#"exec 3<&0; "$@" </dev/null & server=$!; read -r _ <&3; kill $server; wait"#,
                "sh",
            ])
            .arg(program())
            .args(["serve", "s3", "--addr", "127.0.0.1:0"])
            .args(["--config", "/dev/null"])
            .args(["--auth-key", &format!("{},{}", KEY.0, KEY.1)])
            .arg(&data)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(guard.stderr.take().unwrap()).lines();
        let address = lines
            .find_map(|line| {
                let line = line.unwrap();
                let (_, rest) = line.split_once("server on [http://")?;
                Some(rest.split_once('/')?.0.to_owned())
            })
            .expect("rclone ended before it served");
        std::thread::spawn(move || lines.for_each(drop));
        let path = folder.path().join("credentials");
        let mut file = std::fs::OpenOptions::new()
            .create_new(true)
            .write(true)
            .mode(0o600)
            .open(path)
            .unwrap();
        writeln!(file, "access_key_id={}\nsecret_access_key={}", KEY.0, KEY.1).unwrap();
        Self {
            guard,
            folder,
            address,
        }
    }

    /// A place in its bucket, reached at `address`: its own, or that of a proxy before it.
    pub fn location(&self, address: &str, prefix: &str) -> Location {
        Location {
            endpoint: Some(format!("http://{address}")),
            region: Some("us-east-1".to_owned()),
            credentials: Some(self.folder.path().join("credentials")),
            ..Location::at(&format!("s3://{BUCKET}/{prefix}"))
        }
    }

    /// Where it keeps what is stored under a prefix.
    pub fn files(&self, prefix: &str) -> PathBuf {
        self.folder.path().join("data").join(BUCKET).join(prefix)
    }
}

impl Drop for Rclone {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}

fn program() -> PathBuf {
    let local = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.venv/bin/rclone");
    assert!(local.is_file(), "rclone is missing; run tests/clients/install");
    local
}
