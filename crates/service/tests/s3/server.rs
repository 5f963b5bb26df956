//! The child process that serves S3 on a directory.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, Command, Stdio},
};

use super::signer::Signer;

/// Says to the child where to serve.
const DIRECTORY: &str = "AMPARO_TEST_S3_DIRECTORY";

/// A running server. It is killed when this is dropped.
pub struct Server {
    child: Child,
    facts: Facts,
}

/// What the child tells about itself.
#[derive(serde::Serialize, serde::Deserialize)]
struct Facts {
    host: String,
    region: String,
    keys: Vec<(String, String)>,
}

impl Server {
    /// Starts a server on `directory`, which an earlier one may have left.
    pub fn start(directory: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["server::child", "--exact", "--ignored", "--nocapture"])
            .env(DIRECTORY, directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let facts = lines
            .find_map(|line| serde_json::from_str(line.unwrap().split_once("FACTS ")?.1).ok())
            .expect("the server ended before it served");
        // The rest of its output must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, facts }
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.facts.host)
    }
    /// The signer of a tenant: 0 or 1.
    pub fn signer(&self, tenant: usize) -> Signer {
        let (access_key, secret_key) = self.facts.keys[tenant].clone();
        Signer {
            access_key,
            secret_key,
            region: self.facts.region.clone(),
            host: self.facts.host.clone(),
        }
    }
    /// A command with the first tenant's credentials in its environment.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let (access_key, secret_key) = &self.facts.keys[0];
        let mut command = Command::new(program);
        command
            .env("AWS_ACCESS_KEY_ID", access_key)
            .env("AWS_SECRET_ACCESS_KEY", secret_key)
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("ENDPOINT", self.endpoint())
            .env("REGION", &self.facts.region);
        command
    }
    /// The most memory the server ever had resident, in bytes.
    pub fn memory_peak(&self) -> u64 {
        self.status("VmHWM:")
    }
    /// The memory it has resident now, in bytes.
    pub fn memory_now(&self) -> u64 {
        self.status("VmRSS:")
    }
    /// `kill -9`.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn status(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|l| l.strip_prefix(name)).unwrap();
        line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() << 10
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Not a test: the server itself.
#[test]
#[ignore = "runs as a child of the other tests"]
fn child() {
    let Some(directory) = std::env::var_os(DIRECTORY) else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (vault, region, keys) = super::deployment::open(Path::new(&directory)).await;
        let host = listener.local_addr().unwrap().to_string();
        let facts = Facts {
            host,
            region: region.to_string(),
            keys,
        };
        let mut out = std::io::stdout();
        writeln!(out, "FACTS {}", serde_json::to_string(&facts).unwrap()).unwrap();
        out.flush().unwrap();
        // It ends when its parent does, however that ends: the pipe closes.
        let orphaned = tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new()));
        let shutdown = async {
            let _ = orphaned.await;
        };
        service::s3::serve(listener, vault, service::s3::S3Config::new(region), shutdown)
            .await
            .unwrap();
    });
    std::process::exit(0);
}
