mod doors;
mod senders;

use std::{path::PathBuf, time::Instant};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;

use super::{
    message::{BOUNDARIES_MAX, DEPTH_MAX, MessageError, PARTS_MAX, take_apart},
    reading::read,
};
use crate::paper::PaperReader;

fn court_mail(test: &str) -> Option<PathBuf> {
    let root = std::env::var_os("AMPARO_TESTDATA").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")),
        PathBuf::from,
    );
    let path = root.join("court-mail");
    if !path.exists() {
        println!("skipped: {test} (no test data)");
        return None;
    }
    Some(path)
}

/// The one notice whose JSON names the court of another: the file was named for it. The message is from the District of
/// Columbia, by its sender, its text and its links.
const NAMED_FOR_ANOTHER: &str = "almd_4_plain";

#[tokio::test]
async fn court_notices_yield_court_docket_numbers_and_documents() {
    let Some(folder) = court_mail("court_notices_yield_court_docket_numbers_and_documents") else {
        return;
    };
    let mut seen = 0;
    let mut wrong = Vec::new();
    for folder in [folder.clone(), folder.join("s3")] {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let json = entry.unwrap().path();
            if json.extension().is_none_or(|end| end != "json") {
                continue;
            }
            let name = json.file_stem().unwrap().to_string_lossy().into_owned();
            let message = ["txt", "html"]
                .map(|end| json.with_extension(end))
                .into_iter()
                .find(|path| path.exists());
            let reading = read(
                std::fs::read(message.unwrap()).unwrap(),
                &PaperReader::beside_this_program(),
            )
            .await;
            let expected: Value = serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap();
            seen += 1;
            let Some(dockets) = expected["dockets"].as_array() else {
                // No notice of filing, and none is made up.
                if reading.notice.is_some() {
                    wrong.push(format!("{name}: {:?}", reading.notice));
                }
                continue;
            };
            let Some(notice) = reading.notice else {
                wrong.push(format!("{name}: nothing found"));
                continue;
            };
            let court = if name == NAMED_FOR_ANOTHER {
                "dcd"
            } else {
                expected["court_id"].as_str().unwrap()
            };
            if notice.court_id.as_deref() != Some(court) {
                wrong.push(format!("{name}: court {:?}, not {court}", notice.court_id));
            }
            let found: Vec<Value> = notice
                .dockets
                .iter()
                .flat_map(|docket| {
                    docket.filings.iter().map(|filing| {
                        serde_json::json!([
                            docket.docket_number,
                            docket.case_id,
                            filing.document_number,
                            filing.document_url,
                            filing.document_id,
                            filing.sequence,
                            filing.magic
                        ])
                    })
                })
                .collect();
            let asked: Vec<Value> = dockets
                .iter()
                .flat_map(|docket| {
                    docket["docket_entries"].as_array().unwrap().iter().map(|entry| {
                        serde_json::json!([
                            docket["docket_number"],
                            entry["pacer_case_id"],
                            entry["document_number"],
                            entry["document_url"],
                            entry["pacer_doc_id"],
                            entry["pacer_seq_no"],
                            entry["pacer_magic_num"]
                        ])
                    })
                })
                .collect();
            if found != asked {
                wrong.push(format!("{name}:\n  found {found:?}\n  asked {asked:?}"));
            }
        }
    }
    assert!(seen >= 71, "only {seen} messages");
    assert!(
        wrong.is_empty(),
        "{} of {seen}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn messages_within_messages_are_taken_apart_and_no_byte_of_them_is_changed() {
    let words = "a global digest of rfc822";
    let innermost = format!(
        "From: c@d\r\nContent-Type: multipart/mixed; boundary=Global\r\n\r\n--Global\r\n\r\n{words}\r\n\
         --Global\r\nContent-Type: application/pdf; name=\"rfc822.pdf\"\r\nContent-Transfer-Encoding: base64\r\n\r\n{}\r\n--Global--\r\n",
        STANDARD.encode(format!("%PDF-1.7 {words}"))
    );
    let encoded = |kind: &str, inner: &str| {
        format!(
            "From: a@b\r\nSubject: {words}\r\nContent-Type: {kind}\r\nContent-Transfer-Encoding: base64\r\n\r\n{}\r\n",
            STANDARD.encode(inner)
        )
    };
    for message in [
        innermost.clone(),
        format!("From: a@b\r\nSubject: {words}\r\nContent-Type: message/rfc822\r\n\r\n{innermost}"),
        encoded("Message/Global", &innermost),
        encoded("application/octet-stream", &innermost),
        encoded(
            "message/rfc822",
            &encoded(
                "message/rfc822",
                &encoded("message/rfc822", &encoded("message/rfc822", &innermost)),
            ),
        ),
    ] {
        let parted = take_apart(message.as_bytes()).unwrap();
        assert!(!parted.more, "{message}");
        let [text, pdf] = parted.parts.as_slice() else {
            panic!("{parted:?}");
        };
        assert_eq!(text.content.bytes(), words.as_bytes());
        assert_eq!(text.media_type, "text/plain");
        assert_eq!(pdf.content.bytes(), format!("%PDF-1.7 {words}").as_bytes());
        assert_eq!(
            (pdf.name.as_deref(), pdf.content.is_pdf()),
            (Some("rfc822.pdf"), true)
        );
    }
    // Deeper than is looked at, and in a digest: said, and not passed over.
    let deep = (0..DEPTH_MAX + 1).fold(innermost.clone(), |inner, _| encoded("message/rfc822", &inner));
    assert!(take_apart(deep.as_bytes()).unwrap().more);
    let digest = "From: a@b\r\nContent-Type: multipart/Digest; boundary=x\r\n\r\n--x\r\n\r\nFrom: c@d\r\n\r\nhi\r\n--x--\r\n";
    assert!(take_apart(digest.as_bytes()).unwrap().more);
}

#[tokio::test]
async fn mail_bombs_cost_bounded_time() {
    let start = Instant::now();
    let many = format!(
        "From: a@b\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n{}",
        "--x\r\nContent-Type: text/plain\r\n\r\n18 U.S.C. 2703(d)\r\n".repeat(BOUNDARIES_MAX + 2)
    );
    assert_eq!(take_apart(many.as_bytes()), Err(MessageError::TooManyParts));
    let enough = format!(
        "From: a@b\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n{}--x--\r\n",
        "--x\r\n\r\ntext\r\n".repeat(PARTS_MAX * 2)
    );
    let parted = take_apart(enough.as_bytes()).unwrap();
    assert!(parted.more && parted.parts.len() == PARTS_MAX);
    let mut nested = "From: a@b\r\n".to_owned();
    for depth in 0..1_500 {
        nested.push_str(&format!(
            "Content-Type: multipart/mixed; boundary=b{depth}\r\n\r\n--b{depth}\r\n"
        ));
    }
    let inside = "From: a@b\r\nContent-Type: message/rfc822\r\n\r\n".repeat(3_000);
    let deep = "Con tent-Type: message/ RFC822\r\n\r\n".repeat(200_000);
    let encoded = format!(
        "From: a@b\r\nContent-Type: message/global\r\nContent-Transfer-Encoding: base64\r\n\r\n{}",
        STANDARD.encode(format!("From: a@b\r\n{deep}"))
    );
    for bomb in [
        nested,
        inside,
        format!("From: a@b\r\n{deep}"),
        encoded,
        "a:\n".repeat(5_000_000),
        "From: ".to_owned() + &"a@b,".repeat(300_000),
        "=?utf-8?q?".repeat(300_000),
    ] {
        let reading = read(bomb.into_bytes(), &PaperReader::beside_this_program()).await;
        assert!(reading.sha256.is_some());
    }
    // Far from what an honest message takes, and far from forever, on a loaded machine without optimisation.
    assert!(start.elapsed().as_secs() < 120, "{:?}", start.elapsed());
}
