//! Databases for tests: empty, of either engine, and gone when the test is.
//!
//! The same suite runs on both engines: `AMPARO_TEST_ENGINE=postgres` makes [`database`] use a PostgreSQL server that the
//! test process starts for itself in a temporary directory (about a second); without it, a SQLite file.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot have its database must fail loudly"
)]

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::OnceLock,
    time::{Duration, Instant},
};

use crate::database::{Database, Engine, Location};

/// Which engine tests run on: `sqlite` (or unset) or `postgres`.
pub const ENGINE_VARIABLE: &str = "AMPARO_TEST_ENGINE";
/// Longest wait for a server to answer.
const START_PATIENCE: Duration = Duration::from_secs(60);

/// The database at `path`, or the one on the test's own server that stands for it. The same path is the same database.
pub async fn database(path: &Path) -> Database {
    Database::open(location(path)).await.unwrap()
}

/// Where [`database`] finds it.
pub fn location(path: &Path) -> Location {
    static SERVER: OnceLock<Server> = OnceLock::new();
    match std::env::var(ENGINE_VARIABLE).as_deref() {
        Ok("postgres") => {
            let mut hasher = DefaultHasher::new();
            path.hash(&mut hasher);
            let name = format!("t{:016x}", hasher.finish());
            SERVER.get_or_init(Server::start).location(&name)
        }
        Ok("sqlite" | "") | Err(_) => Location::from(path),
        Ok(other) => panic!("`{ENGINE_VARIABLE}` is `{other}`; use `sqlite` or `postgres`"),
    }
}

/// Makes the database refuse every new row of `table` whose `column` is `value`, or every one where that is `None`.
pub async fn refuse_rows(database: &Database, table: &str, only: Option<(&str, &[u8])>) {
    let hex = |bytes: &[u8]| hex::encode(bytes);
    let statements = match database.engine() {
        Engine::Sqlite => {
            let when = only.map(|(column, value)| format!("WHEN NEW.{column} = x'{}'", hex(value)));
            vec![format!(
                "CREATE TRIGGER injected BEFORE INSERT ON {table} {} BEGIN SELECT RAISE(ABORT, 'injected'); END",
                when.unwrap_or_default()
            )]
        }
        Engine::Postgres => {
            let when = only.map(|(column, value)| format!("WHEN (NEW.{column} = '\\x{}')", hex(value)));
            vec![
                "CREATE FUNCTION injected() RETURNS trigger LANGUAGE plpgsql AS \
                 $$ BEGIN RAISE EXCEPTION 'injected'; END $$"
                    .to_owned(),
                format!(
                    "CREATE TRIGGER injected BEFORE INSERT ON {table} FOR EACH ROW {} EXECUTE FUNCTION injected()",
                    when.unwrap_or_default()
                ),
            ]
        }
    };
    run(database, statements).await;
}

/// Undoes [`refuse_rows`].
pub async fn admit_rows(database: &Database, table: &str) {
    run(
        database,
        match database.engine() {
            Engine::Sqlite => vec!["DROP TRIGGER injected".to_owned()],
            Engine::Postgres => vec![
                format!("DROP TRIGGER injected ON {table}"),
                "DROP FUNCTION injected()".to_owned(),
            ],
        },
    )
    .await;
}

async fn run(database: &Database, statements: Vec<String>) {
    for sql in statements {
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
            .execute(&database.pool)
            .await
            .unwrap();
    }
}

/// A PostgreSQL server of a test's own, listening on a socket in a temporary directory and nowhere else.
pub struct Server {
    directory: PathBuf,
    programs: PathBuf,
    process: Option<Child>,
    /// Stops the server and removes its directory when this end of the pipe is closed: when the server is dropped, or the
    /// test process ends in whatever way.
    janitor: Option<(Child, ChildStdin)>,
}

impl Server {
    /// Makes a cluster and starts it.
    pub fn start() -> Self {
        let directory = tempfile::Builder::new()
            .prefix("amparo-pg-")
            .tempdir()
            .unwrap()
            .keep();
        if is_root() {
            let done = Command::new("chown").arg(SERVER_USER).arg(&directory).status();
            assert!(
                done.unwrap().success(),
                "no user `{SERVER_USER}`; install postgresql"
            );
        }
        let mut server = Self {
            programs: programs(),
            directory,
            process: None,
            janitor: None,
        };
        let mut janitor = server
            .as_user(Path::new("/bin/sh"))
            .arg("-c")
            .arg(
                "cat >/dev/null; pid=$(head -1 \"$0/cluster/postmaster.pid\" 2>/dev/null); \
                 if [ -n \"$pid\" ]; then kill -QUIT $pid; while kill -0 $pid; do sleep 0.05; done; fi 2>/dev/null; \
                 cd /; rm -rf \"$0\"",
            )
            .arg(&server.directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let pipe = janitor.stdin.take().unwrap();
        server.janitor = Some((janitor, pipe));
        let made = server
            .as_user(&server.programs.join("initdb"))
            .args(["--no-sync", "--auth=trust", "--no-locale", "--encoding=UTF8"])
            .args(["--wal-segsize=1", "--username=amparo", "-D"])
            .arg(server.cluster())
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        server.run();
        server
    }

    /// Where a database on it is; it is made if it is not there.
    pub fn location(&self, name: &str) -> Location {
        let created = Command::new(self.programs.join("createdb"))
            .args(["--username=amparo", "--maintenance-db=postgres", "-h"])
            .arg(&self.directory)
            .arg(name)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&created.stderr).into_owned();
        assert!(
            created.status.success() || said.contains("already exists"),
            "{said}"
        );
        self.url(name).parse().unwrap()
    }

    /// The URL of a database on it.
    pub fn url(&self, name: &str) -> String {
        let socket = self.directory.to_string_lossy().replace('/', "%2F");
        format!("postgres://amparo@{socket}/{name}")
    }

    /// Kills it as a power cut would: every connection breaks, nothing is flushed that was not.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = Command::new("kill")
                .args(["-QUIT", &process.id().to_string()])
                .status();
            let _ = process.wait();
        }
    }

    /// Starts it again after [`Server::kill`].
    pub fn run(&mut self) {
        let log = std::fs::File::create(self.directory.join("log")).unwrap();
        let process = self
            .as_user(&self.programs.join("postgres"))
            .arg("-D")
            .arg(self.cluster())
            .args([
                "-c",
                "listen_addresses=",
                "-c",
                "shared_buffers=16MB",
                "-c",
                "max_connections=60",
            ])
            // The tests kill the server, not the machine: what it wrote, the kernel keeps.
            .args(["-c", "fsync=off", "-c", "full_page_writes=off"])
            .arg("-c")
            .arg(format!("unix_socket_directories={}", self.directory.display()))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.process = Some(process);
        let begun = Instant::now();
        loop {
            let ready = Command::new(self.programs.join("pg_isready"))
                .args(["--quiet", "-h"])
                .arg(&self.directory)
                .status();
            if ready.unwrap().success() {
                return;
            }
            if begun.elapsed() > START_PATIENCE {
                let log = std::fs::read_to_string(self.directory.join("log")).unwrap_or_default();
                panic!("the server does not answer: {log}");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn cluster(&self) -> PathBuf {
        self.directory.join("cluster")
    }

    /// A program run as PostgreSQL wants it: not as root.
    fn as_user(&self, program: &Path) -> Command {
        let mut command = if is_root() {
            let mut command = Command::new("setpriv");
            command.args(["--reuid", SERVER_USER, "--regid", SERVER_USER, "--clear-groups"]);
            command.arg(program);
            command
        } else {
            Command::new(program)
        };
        command.stdin(Stdio::null()).current_dir(&self.directory);
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        if let Some((mut janitor, pipe)) = self.janitor.take() {
            drop(pipe);
            let _ = janitor.wait();
        }
    }
}

/// Whom Debian's package makes.
const SERVER_USER: &str = "postgres";

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0)
}

/// Where the server's programs are: the newest that Debian installed, or what the path names.
fn programs() -> PathBuf {
    let debian = Path::new("/usr/lib/postgresql");
    let mut versions: Vec<u32> = std::fs::read_dir(debian)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|version| debian.join(format!("{version}/bin/initdb")).exists())
        .collect();
    versions.sort_unstable();
    match versions.last() {
        Some(version) => debian.join(format!("{version}/bin")),
        None => {
            let path = std::env::var_os("PATH").unwrap_or_default();
            std::env::split_paths(&path)
                .find(|folder| folder.join("initdb").exists())
                .expect("no PostgreSQL server is installed; `tests/clients/install` does it")
        }
    }
}
