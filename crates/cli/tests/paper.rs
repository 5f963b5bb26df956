//! PDFs, read by `amparo-paper` beside the program: what is proposed of them, and what must not leave.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test"
)]

mod process;

use std::path::{Path, PathBuf};

use process::{Folder, program, text};
use serde_json::Value;

fn data(test: &str, folder: &str) -> Option<PathBuf> {
    let root = std::env::var_os("AMPARO_TESTDATA")
        .map_or_else(|| process::root().join("../shared/data"), PathBuf::from)
        .join(folder);
    if root.exists() {
        return Some(root);
    }
    println!("skipped: {test} (no test data)");
    None
}

/// The workspace's tests build it; a build of this crate alone does not.
fn is_built() {
    let beside = Path::new(env!("CARGO_BIN_EXE_amparo")).with_file_name("amparo-paper");
    assert!(
        beside.exists(),
        "`amparo-paper` is not built: run the tests with --workspace"
    );
}

fn verify(file: &Path, more: &[&str]) -> (Option<i32>, Value) {
    let mut command = program();
    command
        .args(["verify", "redaction", "--format", "json"])
        .arg(file)
        .args(more);
    let output = command.output().unwrap();
    let answer =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output.stderr)));
    (output.status.code(), answer)
}

#[test]
fn every_bad_redaction_is_flagged_and_no_clean_page_is() {
    let Some(folder) = data("every_bad_redaction_is_flagged_and_no_clean_page_is", "redaction") else {
        return;
    };
    is_built();
    let (mut bad, mut clean, mut wrong) = (0, 0, Vec::new());
    let expected = std::fs::read_to_string(folder.join("expected.csv")).unwrap();
    for row in expected.lines().skip(1) {
        let mut cells = row.splitn(3, ',');
        let (name, many) = (cells.next().unwrap(), cells.next().unwrap());
        let (code, answer) = verify(&folder.join(name), &["--show"]);
        let telling: Vec<&Value> = answer["hidden"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|hidden| hidden.get("label").is_none())
            .collect();
        let right = match many {
            "0" => {
                clean += 1;
                code == Some(0) && answer["verdict"] == "clean" && telling.is_empty()
            }
            many => {
                bad += 1;
                let counted =
                    many.parse().is_ok_and(|many: usize| telling.len() == many) || many.starts_with('>');
                code == Some(1) && answer["verdict"] == "text_hidden" && !telling.is_empty() && counted
            }
        };
        if !right {
            wrong.push(format!("{name}: {code:?} {answer}"));
        }
    }
    assert_eq!((bad, clean), (3, 7));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // The one whose places and characters were counted by hand: 64 of them, with their spaces.
    let (_, answer) = verify(&folder.join("rectangles_yes.pdf"), &["--show"]);
    let hidden = answer["hidden"].as_array().unwrap();
    let characters: usize = hidden
        .iter()
        .map(|hidden| hidden["text"].as_str().unwrap().chars().count())
        .sum();
    assert_eq!((hidden.len(), characters), (3, 64));
    assert!(
        hidden
            .iter()
            .all(|hidden| hidden["page"] == 1 && hidden["area"].is_array())
    );
    // What is hidden is printed only if that is asked for.
    let (code, answer) = verify(&folder.join("rectangles_yes.pdf"), &[]);
    assert_eq!(code, Some(1));
    assert!(!answer.to_string().contains("disclose"), "{answer}");
}

#[test]
fn what_cannot_be_checked_is_not_called_clean() {
    is_built();
    let folder = Folder::new();
    std::fs::write(folder.path("broken.pdf"), b"%PDF-1.7 and no more").unwrap();
    let said = folder.fails(2, &["verify", "redaction", "broken.pdf"]);
    assert!(said.contains("broken"), "{said}");
}

#[test]
fn a_pdf_in_a_message_is_read_in_its_place() {
    let Some(folder) = data("a_pdf_in_a_message_is_read_in_its_place", "court-pdfs") else {
        return;
    };
    is_built();
    let pdf = std::fs::read(folder.join("recap_extract/gov.uscourts.cacd.652774.40.0.pdf")).unwrap();
    let hex: String = pdf.iter().map(|byte| format!("={byte:02X}")).collect();
    let lines: Vec<&str> = hex
        .as_bytes()
        .chunks(72)
        .map(|line| std::str::from_utf8(line).unwrap())
        .collect();
    let message = format!(
        "From: clerk@court.example\r\nTo: legal@provider.example\r\nSubject: order\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nsee attached\r\n\
         --b\r\nContent-Type: application/pdf; name=order.pdf\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n{}\r\n--b--\r\n",
        lines.join("=\r\n")
    );
    let place = Folder::new();
    std::fs::write(place.path("message.eml"), message).unwrap();
    let read: Value =
        serde_json::from_str(&place.run(&["mail", "read", "message.eml", "--format", "json"])).unwrap();
    let reading = &read["reading"];
    assert_eq!(reading["unread"].as_array().unwrap().len(), 0, "{reading}");
    assert_eq!(reading["papers"][0]["pages"], 4);
    let proposals = reading["proposals"].as_array().unwrap();
    let found = |kind: &str, value: &str| {
        let found = proposals
            .iter()
            .find(|found| found["kind"] == kind && found["value"] == value)
            .unwrap_or_else(|| panic!("no {kind} {value}: {proposals:#?}"));
        assert_eq!(found["place"]["part"], 1);
        assert!(found["place"]["area"].is_array(), "{found}");
        found["place"]["page"].as_u64().unwrap()
    };
    assert_eq!(found("docket_number", "8:16-cv-1261"), 1);
}
