//! The program as it is started: what it says, and within which bounds.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test"
)]

mod pages;

use std::{
    io::Write as _,
    os::unix::process::ExitStatusExt as _,
    process::{Command, Output, Stdio},
};

use pages::page;
use paper::{
    PDF_BYTES_MAX,
    answer::{Line, Refusal},
};

fn run(bytes: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_amparo-paper"))
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            // It may have said no before it read all.
            let _ = input.write_all(bytes);
        });
        child.wait_with_output().unwrap()
    })
}

fn lines(output: &Output) -> Vec<Line> {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn it_says_what_is_on_a_page_and_nothing_else() {
    let drawing = "BT 0 g /F 12 Tf 20 150 Td (open) Tj 0 -50 Td (secret) Tj ET 15 95 60 16 re f ";
    let output = run(&page(drawing).pdf());
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stderr.is_empty());
    let said = lines(&output);
    assert!(
        matches!(&said[0], Line::Page { page: 1, lines } if lines[0].text == "open"),
        "{said:?}"
    );
    assert!(
        matches!(&said[1], Line::Hidden(hidden) if hidden.text == "secret"),
        "{said:?}"
    );
    assert_eq!(said[2..], [Line::End { pages: 1 }]);
}

#[test]
fn bad_input_is_refused_within_bounds() {
    let output = run(b"no PDF");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(lines(&output), [Line::Refused { why: Refusal::Broken }]);
    let output = run(&vec![b'%'; PDF_BYTES_MAX + 1]);
    assert_eq!(
        lines(&output),
        [Line::Refused {
            why: Refusal::TooLarge
        }]
    );
    // A picture that says it is four milliard dots: either refused, or ended by the kernel; in no case a page that is clean.
    let drawing =
        "q 200 0 0 200 0 0 cm BI /W 65535 /H 65535 /CS /G /BPC 8 ID x EI Q BT /F 12 Tf 20 20 Td (x) Tj ET ";
    let output = run(&page(drawing).pdf());
    let said = lines(&output);
    let doubt = |line: &Line| matches!(line, Line::Gap { .. } | Line::Hidden(_));
    assert!(
        output.status.signal().is_some() || said.iter().any(doubt),
        "{said:?}"
    );
}
