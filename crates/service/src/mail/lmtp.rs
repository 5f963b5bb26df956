//! A small LMTP server (RFC 2033), to which the provider's own mail server hands what arrives.
//!
//! It listens on a unix socket or on loopback, and is no mail server itself: no relaying, no queue, no authentication. A
//! message is accepted, for each recipient by itself, only when it is durable; whatever fails is a temporary answer, and
//! the mail server, which has the queue, tries again.

use std::{future::Future, io, path::PathBuf, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader},
    net::{TcpListener, UnixListener},
    sync::Semaphore,
};

use super::{MAIL_BYTES_MAX, MailDesk, MailError};

/// Most connections at once.
pub const CONNECTIONS_MAX: usize = 16;
/// Most recipients of one message.
pub const RECIPIENTS_MAX: usize = 100;
/// Most commands on one connection.
pub const COMMANDS_MAX: usize = 10_000;
/// Longest command, in bytes (RFC 5321 asks for 512; extensions make them longer).
pub const COMMAND_BYTES_MAX: usize = 4_096;
/// Longest silence within a connection.
pub const SILENCE_MAX: Duration = Duration::from_secs(300);
/// Longest time for one message's bytes.
pub const DATA_TIME_MAX: Duration = Duration::from_secs(600);

/// Where to listen.
#[derive(Debug)]
pub enum Reception {
    /// A unix socket. Its folder decides who may connect.
    Unix(UnixListener, PathBuf),
    /// Loopback.
    Tcp(TcpListener),
}

/// What a session does with a message: [`MailDesk`] in service.
pub trait Inbox: Clone + Send + Sync + 'static {
    /// Keeps a message, whose envelope names `mail_from` where that is known. When it returns, the message is durable.
    fn keep(
        &self,
        raw: &[u8],
        mail_from: Option<&str>,
    ) -> impl Future<Output = Result<String, MailError>> + Send;
}

impl Inbox for MailDesk {
    async fn keep(&self, raw: &[u8], mail_from: Option<&str>) -> Result<String, MailError> {
        Ok(self.take_in(raw, mail_from).await?.case.to_string())
    }
}

/// How the server presents itself, and for whom it takes mail.
#[derive(Debug, Clone)]
pub struct Desk {
    /// Its name.
    pub name: String,
    /// For whom it takes mail, whole addresses; empty for anybody that the mail server sends.
    pub recipients: Vec<String>,
}

impl Reception {
    /// Listens on a unix socket that only this user and group may use. One that an earlier run left is removed.
    ///
    /// # Errors
    /// When it cannot be bound.
    pub fn unix(path: PathBuf) -> io::Result<Self> {
        use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
        if let Ok(before) = std::fs::symlink_metadata(&path)
            && before.file_type().is_socket()
        {
            std::fs::remove_file(&path)?;
        }
        let listener = UnixListener::bind(&path)?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o660))?;
        Ok(Self::Unix(listener, path))
    }

    /// Takes messages until `told`.
    pub async fn serve<I: Inbox>(self, desk: Desk, inbox: I, told: impl Future<Output = ()> + Send) {
        let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let desk = Arc::new(desk);
        let mut sessions = tokio::task::JoinSet::new();
        tokio::pin!(told);
        loop {
            let slot = tokio::select! {
                () = &mut told => break,
                slot = Arc::clone(&slots).acquire_owned() => slot,
            };
            let Ok(slot) = slot else {
                break;
            };
            let (desk, inbox) = (Arc::clone(&desk), inbox.clone());
            tokio::select! {
                () = &mut told => break,
                Some(_) = sessions.join_next(), if !sessions.is_empty() => {}
                accepted = self.accept() => match accepted {
                    Ok(Stream::Unix(stream)) => {
                        sessions.spawn(async move { talk(stream, &desk, &inbox).await; drop(slot); });
                    }
                    Ok(Stream::Tcp(stream)) => {
                        sessions.spawn(async move { talk(stream, &desk, &inbox).await; drop(slot); });
                    }
                    Err(error) => {
                        tracing::warn!(%error, "a mail connection could not be taken");
                        tokio::time::sleep(Duration::from_millis(200)).await;
                    }
                },
            }
        }
        // What was not answered is sent again by the mail server, and the same bytes are one case.
        sessions.shutdown().await;
        if let Self::Unix(_, path) = &self {
            let _ = std::fs::remove_file(path);
        }
    }

    async fn accept(&self) -> io::Result<Stream> {
        match self {
            Self::Unix(listener, _) => Ok(Stream::Unix(listener.accept().await?.0)),
            Self::Tcp(listener) => Ok(Stream::Tcp(listener.accept().await?.0)),
        }
    }
}

enum Stream {
    Unix(tokio::net::UnixStream),
    Tcp(tokio::net::TcpStream),
}

async fn talk<I: Inbox>(stream: impl AsyncRead + AsyncWrite + Unpin + Send, desk: &Desk, inbox: &I) {
    if let Err(error) = session(stream, desk, inbox).await {
        tracing::debug!(%error, "a mail connection ended");
    }
}

/// What was said on a connection since the last message.
#[derive(Default)]
struct Talk {
    greeted: bool,
    from: Option<String>,
    to: Vec<String>,
}

/// One connection, from greeting to QUIT.
///
/// # Errors
/// When the connection breaks, falls silent, or talks too much.
pub async fn session<I: Inbox>(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send,
    desk: &Desk,
    inbox: &I,
) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    say(&mut stream, &format!("220 {} LMTP", desk.name)).await?;
    let mut talk = Talk::default();
    for _ in 0..COMMANDS_MAX {
        let Some(line) = tokio::time::timeout(SILENCE_MAX, line(&mut stream)).await?? else {
            return Ok(());
        };
        let Line::Whole(line) = line else {
            say(&mut stream, "500 5.5.2 line too long").await?;
            continue;
        };
        let text = String::from_utf8_lossy(&line).trim().to_owned();
        let (verb, rest) = text.split_once(' ').unwrap_or((&text, ""));
        match verb.to_ascii_uppercase().as_str() {
            "LHLO" if rest.trim().is_empty() => say(&mut stream, "501 5.5.4 say who you are").await?,
            "LHLO" => {
                talk = Talk {
                    greeted: true,
                    ..Talk::default()
                };
                let hello = format!(
                    "250-{}\r\n250-PIPELINING\r\n250-ENHANCEDSTATUSCODES\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 SIZE {MAIL_BYTES_MAX}",
                    desk.name
                );
                say(&mut stream, &hello).await?;
            }
            "HELO" | "EHLO" => say(&mut stream, "500 5.5.1 this is LMTP: say LHLO").await?,
            "MAIL" if !talk.greeted || talk.from.is_some() => {
                say(&mut stream, "503 5.5.1 out of order").await?
            }
            "MAIL" => match path(rest, "FROM:") {
                Some((_, Some(size))) if size > MAIL_BYTES_MAX => {
                    say(&mut stream, "552 5.3.4 message too large").await?;
                }
                Some((from, _)) => {
                    talk.from = Some(from);
                    say(&mut stream, "250 2.1.0 ok").await?;
                }
                None => say(&mut stream, "501 5.5.4 MAIL FROM:<address>").await?,
            },
            "RCPT" if talk.from.is_none() => say(&mut stream, "503 5.5.1 out of order").await?,
            "RCPT" if talk.to.len() >= RECIPIENTS_MAX => {
                say(&mut stream, "452 4.5.3 too many recipients").await?
            }
            "RCPT" => match path(rest, "TO:") {
                Some((to, _)) if desk.takes(&to) => {
                    talk.to.push(to);
                    say(&mut stream, "250 2.1.5 ok").await?;
                }
                Some(_) => {
                    say(
                        &mut stream,
                        "550 5.1.1 nobody here takes demands under that address",
                    )
                    .await?
                }
                None => say(&mut stream, "501 5.5.4 RCPT TO:<address>").await?,
            },
            "DATA" if talk.to.is_empty() => say(&mut stream, "503 5.5.1 no valid recipients").await?,
            "DATA" => {
                say(&mut stream, "354 end with <CRLF>.<CRLF>").await?;
                let body = tokio::time::timeout(DATA_TIME_MAX, body(&mut stream)).await??;
                let Some(body) = body else {
                    return Ok(());
                };
                let answer = receive(body, inbox, talk.from.as_deref()).await;
                // RFC 2033, 4.2: one answer for each recipient that was accepted, in their order.
                for _ in &talk.to {
                    say(&mut stream, &answer).await?;
                }
                talk = Talk {
                    greeted: true,
                    ..Talk::default()
                };
            }
            "RSET" => {
                talk = Talk {
                    greeted: talk.greeted,
                    ..Talk::default()
                };
                say(&mut stream, "250 2.0.0 ok").await?;
            }
            "NOOP" => say(&mut stream, "250 2.0.0 ok").await?,
            "VRFY" => say(&mut stream, "252 2.5.0 send it and see").await?,
            "QUIT" => return say(&mut stream, "221 2.0.0 bye").await,
            _ => say(&mut stream, "500 5.5.1 unknown command").await?,
        }
    }
    say(&mut stream, "421 4.7.0 too many commands").await
}

async fn receive<I: Inbox>(body: Received, inbox: &I, mail_from: Option<&str>) -> String {
    let Received::Whole(body) = body else {
        return "552 5.3.4 message too large".to_owned();
    };
    match inbox.keep(&body, mail_from).await {
        Ok(case) => format!("250 2.0.0 kept as {case}"),
        Err(MailError::TooLarge) => "552 5.3.4 message too large".to_owned(),
        Err(MailError::Empty) => "554 5.6.0 the message is empty".to_owned(),
        Err(error) => {
            tracing::error!(%error, "a message could not be kept; it will be sent again");
            "451 4.3.0 not kept; send it again".to_owned()
        }
    }
}

impl Desk {
    fn takes(&self, address: &str) -> bool {
        !address.is_empty()
            && (self.recipients.is_empty()
                || self
                    .recipients
                    .iter()
                    .any(|ours| ours.eq_ignore_ascii_case(address)))
    }
}

/// `FROM:<a@b> SIZE=3` is the address and the size.
fn path(rest: &str, word: &str) -> Option<(String, Option<usize>)> {
    let start = rest
        .get(..word.len())
        .filter(|start| start.eq_ignore_ascii_case(word))?;
    let rest = rest.get(start.len()..)?.trim_start();
    let (address, parameters) = rest.strip_prefix('<')?.split_once('>')?;
    let size = parameters
        .split_whitespace()
        .find_map(|parameter| {
            parameter
                .get(..5)
                .filter(|key| key.eq_ignore_ascii_case("SIZE="))
                .and(parameter.get(5..))
        })
        .and_then(|size| size.parse().ok());
    let good = address.len() <= 1_000 && !address.chars().any(char::is_control);
    good.then(|| (address.to_owned(), size))
}

async fn say<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut BufReader<S>, text: &str) -> io::Result<()> {
    let stream = stream.get_mut();
    // Who does not read gives its place up.
    tokio::time::timeout(SILENCE_MAX, async {
        stream.write_all(text.as_bytes()).await?;
        stream.write_all(b"\r\n").await?;
        stream.flush().await
    })
    .await?
}

enum Line {
    Whole(Vec<u8>),
    TooLong,
}

/// One line with its end; `None` at the end of the connection. One too long is read to its end and dropped.
async fn line<S: AsyncRead + Unpin>(stream: &mut BufReader<S>) -> io::Result<Option<Line>> {
    let mut line = Vec::new();
    let most = u64::try_from(COMMAND_BYTES_MAX).unwrap_or(u64::MAX);
    if stream.take(most).read_until(b'\n', &mut line).await? == 0 {
        return Ok(None);
    }
    if line.ends_with(b"\n") {
        return Ok(Some(Line::Whole(line)));
    }
    loop {
        line.clear();
        if stream.take(most).read_until(b'\n', &mut line).await? == 0 {
            return Ok(None);
        }
        if line.ends_with(b"\n") {
            return Ok(Some(Line::TooLong));
        }
    }
}

enum Received {
    Whole(Vec<u8>),
    TooLarge,
}

/// The message up to the line with a dot alone, with doubled dots made one. Beyond the limit, bytes are read and dropped.
/// A bare line feed ends no line here: what it would smuggle stays inside the message.
async fn body<S: AsyncRead + Unpin>(stream: &mut BufReader<S>) -> io::Result<Option<Received>> {
    let (mut body, mut large) = (Vec::new(), false);
    let (mut at_start, mut after_return) = (true, false);
    let mut piece = Vec::new();
    loop {
        piece.clear();
        if stream.take(64 * 1024).read_until(b'\n', &mut piece).await? == 0 {
            return Ok(None);
        }
        if at_start && piece == b".\r\n" {
            break;
        }
        let stuffed = at_start && piece.starts_with(b".");
        let kept = if stuffed {
            piece.get(1..).unwrap_or_default()
        } else {
            &piece
        };
        if body.len().saturating_add(kept.len()) > MAIL_BYTES_MAX {
            large = true;
            body = Vec::new();
        }
        if !large {
            body.extend_from_slice(kept);
        }
        // Only CRLF ends a line; a piece that stops at the limit of one reading goes on in the next.
        at_start = piece.ends_with(b"\r\n") || (after_return && piece == b"\n");
        after_return = piece.ends_with(b"\r");
    }
    Ok(Some(if large {
        Received::TooLarge
    } else {
        Received::Whole(body)
    }))
}
