//! The ways by which mail comes: LMTP and a maildir.

use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::mail::{
    MAIL_BYTES_MAX, MailError,
    lmtp::{COMMAND_BYTES_MAX, Desk as Greeter, Inbox, session},
    maildir::{Look, Maildir},
};

/// Keeps what it is handed, but for what says that it must fail.
#[derive(Clone, Default)]
struct Kept(Arc<std::sync::Mutex<Vec<Vec<u8>>>>);

impl Inbox for Kept {
    async fn keep(&self, raw: &[u8], _: Option<&str>) -> Result<String, MailError> {
        if raw.windows(9).any(|window| window == b"fail here") {
            return Err(MailError::Desk(crate::app::DeskError::NoData));
        }
        self.0.lock().unwrap().push(raw.to_vec());
        Ok("a-case".to_owned())
    }
}

async fn talk(said: &[u8], inbox: &Kept) -> String {
    let (mut ours, theirs) = tokio::io::duplex(1 << 20);
    let greeter = Greeter {
        name: "amparo".to_owned(),
        recipients: vec!["legal@provider.example".to_owned()],
    };
    let inbox = inbox.clone();
    let server = tokio::spawn(async move { session(theirs, &greeter, &inbox).await });
    ours.write_all(said).await.unwrap();
    ours.shutdown().await.unwrap();
    let mut heard = String::new();
    ours.read_to_string(&mut heard).await.unwrap();
    let _ = server.await.unwrap();
    heard
}

#[tokio::test]
async fn lmtp_answers_for_each_recipient_after_keeping_and_never_for_what_it_did_not_keep() {
    let inbox = Kept::default();
    let head = "LHLO mx\r\nMAIL FROM:<a@b.example> SIZE=10\r\nRCPT TO:<legal@provider.example>\r\nRCPT TO:<nobody@provider.example>\r\nRCPT TO:<LEGAL@provider.example>\r\nDATA\r\n";
    let heard = talk(
        format!("{head}From: a\r\n\r\n..dot\r\n.not the end\nstill\n.\nbare\r\n.\r\nQUIT\r\n").as_bytes(),
        &inbox,
    )
    .await;
    let codes: Vec<&str> = heard
        .lines()
        .filter(|line| line.as_bytes().get(3) == Some(&b' '))
        .map(|line| &line[..3])
        .collect();
    assert_eq!(
        codes,
        [
            "220", "250", "250", "250", "550", "250", "354", "250", "250", "221"
        ],
        "{heard}"
    );
    let kept = inbox.0.lock().unwrap().clone();
    assert_eq!(
        kept,
        [b"From: a\r\n\r\n.dot\r\nnot the end\nstill\n.\nbare\r\n".to_vec()]
    );

    let heard = talk(format!("{head}fail here\r\n.\r\nQUIT\r\n").as_bytes(), &inbox).await;
    assert_eq!(heard.matches("451 4.3.0").count(), 2, "{heard}");
    let heard = talk(
        b"EHLO x\r\nMAIL FROM:<a@b>\r\nLHLO x\r\nMAIL FROM:<a@b> SIZE=99999999999\r\nDATA\r\nQUIT\r\n",
        &inbox,
    )
    .await;
    for part in ["500 5.5.1", "503 5.5.1", "552 5.3.4", "221"] {
        assert!(heard.contains(part), "{part}: {heard}");
    }
    let long = format!("LHLO {}\r\nQUIT\r\n", "x".repeat(COMMAND_BYTES_MAX * 2));
    assert!(talk(long.as_bytes(), &inbox).await.contains("500 5.5.2"));
    assert_eq!(inbox.0.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_message_too_large_is_refused_and_costs_no_more_than_the_limit() {
    let (mut ours, theirs) = tokio::io::duplex(1 << 16);
    let greeter = Greeter {
        name: "amparo".to_owned(),
        recipients: Vec::new(),
    };
    let inbox = Kept::default();
    let server = tokio::spawn(async move { session(theirs, &greeter, &inbox).await });
    let write = async move {
        let (mut read, mut write) = tokio::io::split(&mut ours);
        let feed = async {
            write
                .write_all(b"LHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<a@b>\r\nDATA\r\n")
                .await
                .unwrap();
            let line = [b"x".repeat(998), b"\r\n".to_vec()].concat();
            for _ in 0..(MAIL_BYTES_MAX / 1000 + 10) {
                write.write_all(&line).await.unwrap();
            }
            write.write_all(b".\r\nQUIT\r\n").await.unwrap();
        };
        let mut heard = String::new();
        tokio::join!(feed, read.read_to_string(&mut heard)).1.unwrap();
        heard
    };
    let heard = write.await;
    assert!(heard.contains("552 5.3.4") && heard.contains("221"), "{heard}");
    let _ = server.await.unwrap();
}

#[tokio::test]
async fn a_maildir_is_emptied_only_of_what_was_kept() {
    let dir = tempfile::tempdir().unwrap();
    let maildir = Maildir::open(dir.path()).unwrap();
    let put = |name: &str, text: &[u8]| std::fs::write(dir.path().join("new").join(name), text).unwrap();
    put("1.good", b"From: a\r\n\r\nx");
    put("2.bad", b"From: a\r\n\r\nfail here");
    put("3.empty", b"");
    std::os::unix::fs::symlink("/etc/passwd", dir.path().join("new/4.link")).unwrap();
    let inbox = Kept::default();
    assert_eq!(
        maildir.look(&inbox).await.unwrap(),
        Look {
            kept: 1,
            held: 2,
            left: 1
        }
    );
    assert!(dir.path().join("cur/1.good:2,S").exists());
    assert!(dir.path().join("new/2.bad").exists() && dir.path().join("held/3.empty").exists());
    assert_eq!(
        maildir.look(&inbox).await.unwrap(),
        Look {
            kept: 0,
            held: 0,
            left: 1
        }
    );
    assert_eq!(inbox.0.lock().unwrap().len(), 1);
}
