//! The program as it is started, confined, asking a name server over the loopback.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

mod football;

use std::{
    io::Write as _,
    net::{SocketAddr, UdpSocket},
    process::{Command, Output, Stdio},
};

use football::{MESSAGE, RECORDS};
use postmark::{Answer, Question, Verdict};

/// A name server that knows the example's text records, and of all else that it does not exist; or one that fails whatever it is
/// asked. It ends with the test.
fn name_server(fails: bool) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let at = socket.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut question = [0; 1500];
        while let Ok((length, peer)) = socket.recv_from(&mut question) {
            let _ = socket.send_to(&reply(&question[..length], fails), peer);
        }
    });
    at
}

/// The answer to a question of one name (RFC 1035, section 4).
fn reply(question: &[u8], fails: bool) -> Vec<u8> {
    let (mut name, mut at) = (String::new(), 12);
    while question[at] != 0 {
        let length = usize::from(question[at]);
        name.push_str(&String::from_utf8_lossy(&question[at + 1..=at + length]));
        name.push('.');
        at += length + 1;
    }
    let asked = &question[12..at + 5];
    let text = (question[at + 2] == 16 && !fails)
        .then(|| {
            RECORDS
                .iter()
                .find(|(known, _)| format!("{known}.").eq_ignore_ascii_case(&name))
        })
        .flatten();
    let mut reply = question[..2].to_vec();
    // An answer, recursion desired and to be had; no error, a failure, or no such name.
    let code = match text {
        Some(_) => 0x80,
        None if fails => 0x82,
        None => 0x83,
    };
    reply.extend([0x81, code]);
    reply.extend([0, 1, 0, u8::from(text.is_some()), 0, 0, 0, 0]);
    reply.extend(asked);
    if let Some((_, text)) = text {
        let length = u8::try_from(text.len()).unwrap();
        reply.extend([0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 60, 0, length + 1, length]);
        reply.extend(text.bytes());
    }
    reply
}

fn run(input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_amparo-postmark"))
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may have ended before it read all.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

fn ask(question: &Question, message: &str) -> Answer {
    let mut input = serde_json::to_vec(question).unwrap();
    input.push(b'\n');
    input.extend(message.bytes());
    let output = run(&input);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn it_asks_a_name_server_and_answers() {
    let question = Question {
        mail_from: "joe@football.example.com".to_owned(),
        peer: Some("192.0.2.7".parse().unwrap()),
        helo: "mail.football.example.com".to_owned(),
        servers: vec![name_server(false)],
    };
    let answer = ask(&question, MESSAGE);
    assert_eq!(
        [answer.spf, answer.dkim, answer.dmarc],
        [Verdict::Pass; 3],
        "{answer:?}"
    );
    assert_eq!(answer.from.as_deref(), Some("football.example.com"));
    let away = Question {
        peer: Some("2001:db8::9".parse().unwrap()),
        ..question.clone()
    };
    let altered = MESSAGE.replace("lost the game", "won the game");
    let answer = ask(&away, &altered);
    assert_eq!(
        [answer.spf, answer.dkim, answer.dmarc],
        [Verdict::Fail; 3],
        "{answer:?}"
    );
    let failing = Question {
        servers: vec![name_server(true)],
        ..question
    };
    let answer = ask(&failing, MESSAGE);
    assert_eq!(
        [answer.spf, answer.dkim, answer.dmarc],
        [Verdict::NotKnown; 3],
        "{answer:?}"
    );
}

#[test]
fn what_is_no_question_is_not_answered() {
    for input in [&b""[..], b"{}", b"no question\n", b"{\"trust\":true}\n"] {
        let output = run(input);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(output.stdout.is_empty());
    }
}
