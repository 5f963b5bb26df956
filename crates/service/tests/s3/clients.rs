//! Full round trips with the clients that people use, from 0 bytes to 1 GiB.
//!
//! `tests/clients/install` puts them in place. A missing client fails its test: a green run means that all of them work.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use super::{noise, server::Server};

const GIB: u64 = 1 << 30;
/// Around each boundary: the chunk of the cipher, the parts of the clients.
const SIZES: [u64; 9] = [
    0,
    1,
    16_383,
    16_384,
    16_385,
    65_537,
    5 << 20,
    (8 << 20) + 1,
    17 << 20,
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn client(name: &str) -> PathBuf {
    let local = root().join(".venv/bin").join(name);
    let on_path = || {
        std::env::split_paths(&std::env::var_os("PATH")?)
            .map(|p| p.join(name))
            .find(|p| p.is_file())
    };
    if local.is_file() {
        return local;
    }
    on_path().unwrap_or_else(|| panic!("`{name}` is missing; run tests/clients/install"))
}

/// Runs a client to its end and gives what it printed.
fn run(command: &mut Command) -> String {
    let out = command.output().unwrap();
    assert!(
        out.status.success(),
        "{command:?}\n{}\n{}",
        String::from_utf8_lossy(&out.stdout),
        String::from_utf8_lossy(&out.stderr)
    );
    String::from_utf8(out.stdout).unwrap()
}

/// A folder with a file of each size, in subfolders, with names that need escaping.
fn tree(folder: &Path) {
    std::fs::create_dir_all(folder.join("deep er/ünï")).unwrap();
    for (number, size) in SIZES.into_iter().enumerate() {
        let name = ["plain", "deep er/a+b&c=d%20", "deep er/ünï/日本 #?"][number % 3];
        noise::file(&folder.join(format!("{name}.{size}")), size, size);
    }
}

struct Scene {
    server: Server,
    directory: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path().join("data");
        std::fs::create_dir(&data).unwrap();
        Self {
            server: Server::start(&data),
            directory,
        }
    }
    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

#[test]
fn boto3() {
    let scene = Scene::new();
    run(scene
        .server
        .command(client("python"))
        .arg(root().join("tests/clients/boto3_round_trip.py"))
        .env("BIG", GIB.to_string()));
}

#[test]
fn aws_cli() {
    let scene = Scene::new();
    // It still presigns with Version 2 for a custom endpoint unless told otherwise, and that is refused.
    let config = "[default]\ns3 =\n  signature_version = s3v4\n";
    std::fs::write(scene.path("config"), config).unwrap();
    let aws = |arguments: &[&str]| {
        run(scene
            .server
            .command(client("aws"))
            .env("AWS_CONFIG_FILE", scene.path("config"))
            .env("AWS_DEFAULT_REGION", "us-east-1")
            .args(["--endpoint-url", &scene.server.endpoint()])
            .args(arguments))
    };
    let (local, back) = (scene.path("tree"), scene.path("back"));
    tree(&local);
    aws(&["s3", "mb", "s3://cli"]);
    aws(&[
        "s3",
        "sync",
        local.to_str().unwrap(),
        "s3://cli/tree",
        "--only-show-errors",
    ]);
    assert_eq!(
        aws(&["s3", "ls", "s3://cli/tree/", "--recursive"])
            .lines()
            .count(),
        SIZES.len()
    );
    // A second sync has nothing to do.
    assert_eq!(aws(&["s3", "sync", local.to_str().unwrap(), "s3://cli/tree"]), "");
    aws(&[
        "s3",
        "mv",
        "s3://cli/tree",
        "s3://cli/moved",
        "--recursive",
        "--only-show-errors",
    ]);
    aws(&[
        "s3",
        "sync",
        "s3://cli/moved",
        back.to_str().unwrap(),
        "--only-show-errors",
    ]);
    noise::assert_same_tree(&local, &back);
    let (big, got) = (scene.path("big"), scene.path("got"));
    noise::file(&big, GIB, 1);
    aws(&[
        "s3",
        "cp",
        big.to_str().unwrap(),
        "s3://cli/big",
        "--only-show-errors",
    ]);
    aws(&[
        "s3",
        "cp",
        "s3://cli/big",
        got.to_str().unwrap(),
        "--only-show-errors",
    ]);
    noise::assert_same(&big, &got);
    let url = aws(&["s3", "presign", "s3://cli/moved/plain.1"]);
    assert!(url.contains("X-Amz-Signature"));
    aws(&["s3", "rb", "s3://cli", "--force"]);
    assert_eq!(aws(&["s3", "ls"]), "");
}

#[test]
fn rclone() {
    let scene = Scene::new();
    let rclone = |arguments: &[&str]| {
        run(scene
            .server
            .command(client("rclone"))
            .env("RCLONE_CONFIG", scene.path("no-config"))
            .env("RCLONE_CONFIG_VAULT_TYPE", "s3")
            .env("RCLONE_CONFIG_VAULT_PROVIDER", "Other")
            .env("RCLONE_CONFIG_VAULT_ENV_AUTH", "true")
            .env("RCLONE_CONFIG_VAULT_ENDPOINT", scene.server.endpoint())
            .args(arguments))
    };
    let (local, back) = (scene.path("tree"), scene.path("back"));
    tree(&local);
    rclone(&["mkdir", "vault:rclone"]);
    rclone(&[
        "sync",
        local.to_str().unwrap(),
        "vault:rclone/tree",
        "--s3-upload-cutoff",
        "6M",
        "--s3-chunk-size",
        "5M",
    ]);
    rclone(&[
        "check",
        "--download",
        local.to_str().unwrap(),
        "vault:rclone/tree",
    ]);
    rclone(&["check", local.to_str().unwrap(), "vault:rclone/tree"]);
    rclone(&["copy", "vault:rclone/tree", "vault:rclone/copy"]);
    rclone(&["moveto", "vault:rclone/copy", "vault:rclone/moved"]);
    rclone(&["copy", "vault:rclone/moved", back.to_str().unwrap()]);
    noise::assert_same_tree(&local, &back);
    assert_eq!(
        rclone(&["lsf", "-R", "--files-only", "vault:rclone/moved"])
            .lines()
            .count(),
        SIZES.len()
    );
    let (big, got) = (scene.path("big"), scene.path("got"));
    noise::file(&big, GIB, 2);
    rclone(&["copyto", big.to_str().unwrap(), "vault:rclone/big"]);
    rclone(&["copyto", "vault:rclone/big", got.to_str().unwrap()]);
    noise::assert_same(&big, &got);
    // Streamed with no length known before.
    let mut upload = scene.server.command("sh");
    upload
        .env("RCLONE", client("rclone"))
        .env("RCLONE_CONFIG", scene.path("no-config"))
        .args(["-c", "head -c 12345678 /dev/zero | \"$RCLONE\" rcat :s3:rclone/stream --s3-provider Other --s3-env-auth --s3-endpoint \"$ENDPOINT\""]);
    run(&mut upload);
    assert!(rclone(&["size", "--json", "vault:rclone/stream"]).contains("12345678"));
    rclone(&["purge", "vault:rclone"]);
    assert_eq!(rclone(&["lsf", "vault:"]), "");
}

#[test]
fn restic() {
    let scene = Scene::new();
    let restic = |arguments: &[&str]| {
        run(scene
            .server
            .command(client("restic"))
            .env(
                "RESTIC_REPOSITORY",
                format!("s3:{}/restic", scene.server.endpoint()),
            )
            .env("RESTIC_PASSWORD", "only for this test")
            .env("RESTIC_CACHE_DIR", scene.path("cache"))
            .args(arguments))
    };
    let (local, back) = (scene.path("tree"), scene.path("back"));
    tree(&local);
    for number in 0..64 {
        noise::file(&local.join(format!("noise.{number}")), GIB / 64, 1000 + number);
    }
    restic(&["init"]);
    restic(&["backup", "--quiet", local.to_str().unwrap()]);
    restic(&["check", "--read-data"]);
    restic(&["restore", "latest", "--target", back.to_str().unwrap()]);
    noise::assert_same_tree(&local, &back.join(local.strip_prefix("/").unwrap()));
    std::fs::remove_file(local.join("noise.0")).unwrap();
    restic(&["backup", "--quiet", local.to_str().unwrap()]);
    restic(&["forget", "--keep-last", "1", "--prune"]);
    restic(&["check"]);
}
