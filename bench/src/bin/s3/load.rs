//! The load: a few connections that each ask, wait for the whole answer, and ask again.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// Says to a child which server to be.
pub const CHILD: &str = "AMPARO_BENCH_S3";
/// The only access key.
pub const ACCESS_KEY: &str = "AKBENCH";
/// Its secret.
pub const SECRET_KEY: &str = "of-no-use-elsewhere";
/// The only bucket.
pub const BUCKET: &str = "bench";

/// Keys read in turn.
const KEYS: usize = 16;
/// Keys that each connection writes in turn, where objects are no larger than [`OWN_KEYS_BYTES`]; else one.
const OWN_KEYS: usize = 4;
const OWN_KEYS_BYTES: usize = 1 << 20;
/// Clock ticks of `/proc` in a second; fixed on Linux.
const TICKS: f64 = 100.0;
const HEAD_BYTES_MAX: usize = 8192;

/// A server in a child process.
pub struct Server {
    /// None of one that somebody else runs.
    child: Option<Child>,
    host: String,
}

/// What one run came to.
#[derive(Clone, Copy)]
pub struct Cell {
    pub per_second: f64,
    pub per_cpu_second: f64,
}

impl Cell {
    /// The run in the middle by requests per second.
    pub fn median(mut cells: Vec<Self>) -> Self {
        cells.sort_by(|a, b| a.per_second.total_cmp(&b.per_second));
        let middle = cells.len() / 2;
        cells.into_iter().nth(middle).unwrap_or(Self {
            per_second: f64::NAN,
            per_cpu_second: f64::NAN,
        })
    }
    /// This one's figures over the other's: by time, and by processor time.
    pub fn over(self, other: Self) -> (f64, f64) {
        (
            self.per_second / other.per_second,
            self.per_cpu_second / other.per_cpu_second,
        )
    }
    pub fn json(self) -> serde_json::Value {
        serde_json::json!({ "requests_per_second": self.per_second, "requests_per_cpu_second": self.per_cpu_second })
    }
}

impl Server {
    /// Starts the child, and makes the bucket.
    pub fn start(kind: &str, directory: &Path) -> anyhow::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg(directory)
            .env(CHILD, kind)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut host = String::new();
        BufReader::new(child.stdout.take().context("its output")?).read_line(&mut host)?;
        let host = host.trim().to_owned();
        ensure!(!host.is_empty(), "the {kind} server did not start");
        Ok(Self {
            child: Some(child),
            host,
        })
    }

    /// A server that was started by other means and listens on `host`. Without its process, what it takes of the processor
    /// is not known.
    pub fn of(child: Option<Child>, host: String) -> Self {
        Self { child, host }
    }

    /// Most memory that the server ever held, in bytes.
    pub fn peak_memory(&self) -> anyhow::Result<u64> {
        let child = self.child.as_ref().context("a server of our own")?;
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id()))?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .context("its peak memory")?;
        let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kibibytes * 1024)
    }

    /// Writes one object in `parts` parts of `size` bytes and reads it back, all through one connection. Nothing of it is
    /// kept here.
    pub async fn stream(&self, parts: usize, size: usize) -> anyhow::Result<()> {
        let mut connection = TcpStream::connect(&self.host).await?;
        ask(
            &mut connection,
            &self.request("PUT", &format!("/{BUCKET}"), 0),
            &[],
        )
        .await?;
        let key = format!("/{BUCKET}/stream");
        let begun = self.signed("POST", &key, &[("uploads", "")], 0);
        let begun = ask(&mut connection, &begun, &[]).await?;
        let upload = between(&begun, "<UploadId>", "</UploadId>")?;
        let body = noise(size);
        let mut list = String::from("<CompleteMultipartUpload>");
        for part in 1..=parts {
            let number = part.to_string();
            let head = self.signed(
                "PUT",
                &key,
                &[("partNumber", &number), ("uploadId", &upload)],
                size,
            );
            let head = ask_head(&mut connection, &head, &body).await?;
            let etag = between(&head, "etag: ", "\r\n")?;
            list.push_str(&format!(
                "<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>"
            ));
        }
        list.push_str("</CompleteMultipartUpload>");
        let head = self.signed("POST", &key, &[("uploadId", &upload)], list.len());
        ask(&mut connection, &head, list.as_bytes()).await?;
        ask(&mut connection, &self.request("GET", &key, 0), &[]).await?;
        Ok(())
    }

    /// One run of `method` on objects of `size` bytes.
    pub async fn run(
        &self,
        method: &str,
        size: usize,
        connections: usize,
        span: Duration,
    ) -> anyhow::Result<Cell> {
        let mut first = TcpStream::connect(&self.host).await?;
        ask(&mut first, &self.request("PUT", &format!("/{BUCKET}"), 0), &[]).await?;
        let body = noise(size);
        for key in 0..if method == "GET" { KEYS } else { 0 } {
            let head = self.request("PUT", &format!("/{BUCKET}/{size}-{key}"), size);
            ask(&mut first, &head, &body).await?;
        }
        let mut written: Vec<String> = Vec::new();
        let large = size > OWN_KEYS_BYTES;
        if method == "GET" && large {
            written.extend((0..KEYS).map(|key| format!("/{BUCKET}/{size}-{key}")));
        }
        let (cpu, start) = (self.cpu_seconds()?, Instant::now());
        let mut tasks = Vec::new();
        for connection in 0..connections {
            let length = if method == "PUT" { size } else { 0 };
            // Nobody writes what another writes at the same time: not every peer can take that.
            let own = if large { 1 } else { OWN_KEYS };
            let paths: Vec<String> = (0..if method == "PUT" { own } else { KEYS })
                .map(|key| match method {
                    "PUT" => format!("/{BUCKET}/{size}-{connection}-{key}"),
                    _ => format!("/{BUCKET}/{size}-{}", (key + connection * 5) % KEYS),
                })
                .collect();
            let heads: Vec<_> = paths
                .iter()
                .map(|path| self.request(method, path, length))
                .collect();
            if method == "PUT" && large {
                written.extend(paths);
            }
            let body = if method == "PUT" { body.clone() } else { Vec::new() };
            let mut stream = TcpStream::connect(&self.host).await?;
            stream.set_nodelay(true)?;
            tasks.push(tokio::spawn(async move {
                let mut done = 0_u32;
                for head in heads.iter().cycle() {
                    if start.elapsed() >= span {
                        break;
                    }
                    ask(&mut stream, head, &body).await?;
                    done += 1;
                }
                anyhow::Ok(done)
            }));
        }
        let mut done = 0.0;
        for task in tasks {
            done += f64::from(task.await??);
        }
        let seconds = start.elapsed().as_secs_f64();
        let cell = Cell {
            per_second: done / seconds,
            per_cpu_second: done / (self.cpu_seconds()? - cpu),
        };
        // Of 256 MiB, 4 GiB a server would stay behind, and those of four servers fill a disk.
        for path in written {
            let mut last = TcpStream::connect(&self.host).await?;
            ask(&mut last, &self.request("PUT", &path, 0), &[]).await?;
        }
        Ok(cell)
    }

    /// Processor time of the server so far, in seconds; not a number where it is not known.
    fn cpu_seconds(&self) -> anyhow::Result<f64> {
        let Some(child) = &self.child else {
            return Ok(f64::NAN);
        };
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id()))?;
        // After the name in parentheses, user and system time are the 12th and 13th fields.
        let fields: Vec<&str> = stat
            .rsplit(')')
            .next()
            .unwrap_or_default()
            .split_whitespace()
            .collect();
        let ticks = |index: usize| {
            fields
                .get(index)
                .and_then(|f| f.parse::<f64>().ok())
                .unwrap_or_default()
        };
        Ok((ticks(11) + ticks(12)) / TICKS)
    }

    /// A signed request's head. It is valid for a quarter of an hour, so each is signed once and sent often.
    fn request(&self, method: &str, path: &str, length: usize) -> Vec<u8> {
        self.signed(method, path, &[], length)
    }

    /// The same with a query, whose names are in order.
    fn signed(&self, method: &str, path: &str, query: &[(&str, &str)], length: usize) -> Vec<u8> {
        let query: Vec<_> = query
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let query = query.join("&");
        let date = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
        let day = date.get(..8).unwrap_or_default();
        let scope = format!("{day}/us-east-1/s3/aws4_request");
        let names = "host;x-amz-content-sha256;x-amz-date";
        let payload = "UNSIGNED-PAYLOAD";
        let canonical = format!(
            "{method}\n{path}\n{query}\nhost:{}\nx-amz-content-sha256:{payload}\nx-amz-date:{date}\n\n{names}\n{payload}",
            self.host
        );
        let digest = hex::encode(Sha256::digest(canonical));
        let mut key = mac(format!("AWS4{SECRET_KEY}").as_bytes(), day);
        for part in ["us-east-1", "s3", "aws4_request"] {
            key = mac(&key, part);
        }
        let signature = hex::encode(mac(&key, &format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{digest}")));
        let mark = if query.is_empty() { "" } else { "?" };
        format!(
            "{method} {path}{mark}{query} HTTP/1.1\r\nhost: {}\r\nx-amz-content-sha256: {payload}\r\nx-amz-date: {date}\r\n\
             authorization: AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/{scope}, SignedHeaders={names}, \
             Signature={signature}\r\ncontent-length: {length}\r\n\r\n",
            self.host
        )
        .into_bytes()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Sends a request and reads its answer to the end; gives the beginning of its body.
async fn ask(stream: &mut TcpStream, head: &[u8], body: &[u8]) -> anyhow::Result<String> {
    Ok(exchange(stream, head, body).await?.1)
}

/// The same; gives the answer's head in lower case.
async fn ask_head(stream: &mut TcpStream, head: &[u8], body: &[u8]) -> anyhow::Result<String> {
    Ok(exchange(stream, head, body).await?.0)
}

async fn exchange(stream: &mut TcpStream, head: &[u8], body: &[u8]) -> anyhow::Result<(String, String)> {
    stream.write_all(head).await?;
    stream.write_all(body).await?;
    let mut buffer = vec![0; 256 << 10];
    let mut filled = 0;
    let end = loop {
        let free = buffer
            .get_mut(filled..)
            .context("an answer's head above its limit")?;
        let n = stream.read(free).await?;
        ensure!(n > 0, "the server closed the connection");
        filled += n;
        let seen = buffer.get(..filled).unwrap_or_default();
        if let Some(end) = seen.windows(4).position(|w| w == b"\r\n\r\n") {
            break end + 4;
        }
        ensure!(filled < HEAD_BYTES_MAX, "an answer's head above its limit");
    };
    let text = String::from_utf8_lossy(buffer.get(..end).unwrap_or_default()).to_ascii_lowercase();
    // A bucket that is there already is as good as made.
    ensure!(
        text.starts_with("http/1.1 200") || text.starts_with("http/1.1 409"),
        "{text}"
    );
    if text.contains("\r\ntransfer-encoding: chunked") {
        // Short answers alone come so. The last chunk is empty.
        while !buffer.get(..filled).unwrap_or_default().ends_with(b"0\r\n\r\n") {
            let free = buffer
                .get_mut(filled..)
                .context("a chunked answer above its limit")?;
            let n = stream.read(free).await?;
            ensure!(n > 0, "the server closed the connection");
            filled += n;
        }
        let body = String::from_utf8_lossy(buffer.get(end..filled).unwrap_or_default()).into_owned();
        return Ok((text, body));
    }
    let length = text
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"))
        .and_then(|v| v.trim().parse::<usize>().ok())
        .unwrap_or_default();
    let mut left = length.saturating_sub(filled - end);
    let begins = String::from_utf8_lossy(
        buffer
            .get(end..filled.min(end + HEAD_BYTES_MAX))
            .unwrap_or_default(),
    );
    let mut begins = begins.into_owned();
    while left > 0 {
        let n = stream.read(&mut buffer).await?;
        ensure!(n > 0, "the server closed the connection");
        if begins.len() < HEAD_BYTES_MAX {
            let more = buffer.get(..n.min(HEAD_BYTES_MAX)).unwrap_or_default();
            begins.push_str(&String::from_utf8_lossy(more));
        }
        left = left.saturating_sub(n);
    }
    Ok((text, begins))
}

fn between(text: &str, from: &str, to: &str) -> anyhow::Result<String> {
    let found = text
        .split_once(from)
        .and_then(|(_, rest)| rest.split_once(to))
        .with_context(|| format!("no `{from}` in `{text}`"))?;
    Ok(found.0.to_owned())
}

fn mac(key: &[u8], data: &str) -> Vec<u8> {
    // HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return Vec::new();
    };
    mac.update(data.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// Bytes that no disk or file system can shrink.
fn noise(size: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    (0..size)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            u8::try_from(state >> 56).unwrap_or_default()
        })
        .collect()
}
