use std::{os::unix::fs::PermissionsExt as _, path::Path, time::Duration};

use super::*;

/// A program that answers as told, whatever it is asked.
fn impostor(dir: &Path, name: &str, script: &str) -> PaperReader {
    let path = dir.join(name);
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
    PaperReader::at(path)
}

const PAGE: &str =
    r#"{"kind":"page","page":1,"lines":[{"text":"one","area":[1,2,3,4]},{"text":"two","area":[1,6,9,8]}]}"#;

#[tokio::test]
async fn an_answer_is_read_as_a_strangers() {
    let dir = tempfile::tempdir().unwrap();
    let end = r#"{"kind":"end","pages":1}"#;
    let honest = impostor(
        dir.path(),
        "honest",
        &format!("cat >/dev/null; echo '{PAGE}'; echo '{end}'"),
    );
    let paper = honest.read(b"%PDF-").await.unwrap();
    let page = &paper.pages[0];
    assert_eq!(page.text(), "one\ntwo\n");
    assert_eq!(page.area(0, 3), Some([1, 2, 3, 4]));
    assert_eq!(page.area(2, 5), Some([1, 2, 9, 8]));
    assert_eq!(page.area(8, 9), None);
    assert_eq!(paper.redaction(), Redaction::Clean);

    // What broke off is taken as far as it goes, and called so.
    let dies = impostor(
        dir.path(),
        "dies",
        &format!("echo '{PAGE}'; printf '{{\"kind\":'; kill -9 $$"),
    );
    let paper = dies.read(b"%PDF-").await.unwrap();
    assert_eq!(
        (paper.pages.len(), paper.gaps.as_slice()),
        (1, &[Gap::CutOff][..])
    );
    assert_eq!(paper.redaction(), Redaction::NotChecked);

    let escape =
        r#"{"kind":"hidden","page":1,"how":"covered","text":"\u001b[2Jx","characters":1,"area":[0,0,1,1]}"#;
    let tricks = impostor(
        dir.path(),
        "tricks",
        &format!("echo '{PAGE}'; echo '{escape}'; echo '{end}'"),
    );
    let paper = tricks.read(b"%PDF-").await.unwrap();
    assert_eq!(paper.hidden[0].text, "[2Jx");
    assert_eq!(paper.redaction(), Redaction::TextHidden);

    for (name, script) in [
        ("words", "echo all is well".to_owned()),
        (
            "unknown",
            r#"echo '{"kind":"end","pages":0,"trust":"me"}'"#.to_owned(),
        ),
        (
            "order",
            format!("echo '{}'", PAGE.replace("\"page\":1", "\"page\":2")),
        ),
        (
            "missing",
            format!("echo '{PAGE}'; echo '{}'", end.replace('1', "2")),
        ),
        (
            "endless",
            "exec yes '{\"kind\":\"gap\",\"gap\":\"font\"}'".to_owned(),
        ),
    ] {
        let read = impostor(dir.path(), name, &script).read(b"%PDF-").await;
        assert!(matches!(read, Err(PaperError::Program(_))), "{name}: {read:?}");
    }
}

#[tokio::test]
async fn what_keeps_a_pdf_from_being_read_has_a_name() {
    let dir = tempfile::tempdir().unwrap();
    for (why, error) in [
        ("broken", PaperError::Broken),
        ("encrypted", PaperError::Encrypted),
        ("unconfined", PaperError::Unconfined),
    ] {
        let says = format!(r#"echo '{{"kind":"refused","why":"{why}"}}'"#);
        assert_eq!(impostor(dir.path(), why, &says).read(b"%PDF-").await, Err(error));
    }
    let absent = PaperReader::at(dir.path().join("absent"));
    assert!(matches!(
        absent.read(b"%PDF-").await,
        Err(PaperError::NotInstalled(_))
    ));
    assert!(
        absent
            .flag(b"%PDF-")
            .await
            .unwrap()
            .to_string()
            .contains("not installed")
    );
    assert_eq!(absent.flag(b"a letter").await, None);
    let large = vec![0; PDF_BYTES_MAX + 1];
    assert_eq!(absent.read(&large).await, Err(PaperError::TooLarge));
    // It sees nothing of our environment, and does not outlive our patience.
    let nosy = impostor(
        dir.path(),
        "nosy",
        "[ -z \"$HOME\" ] && [ \"$(pwd)\" = / ] && exec sleep 1000",
    );
    let began = std::time::Instant::now();
    let hangs = nosy.patient(Duration::from_millis(300)).read(b"%PDF-").await;
    assert_eq!(hangs, Err(PaperError::Exhausted));
    assert!(
        began.elapsed() >= Duration::from_millis(300),
        "it did not get as far as to hang"
    );
    assert!(began.elapsed() < Duration::from_secs(60));
}

#[test]
fn a_redactions_label_tells_nothing() {
    let hidden = |text: &str| Hidden {
        page: 1,
        how: Hiding::SameColour,
        text: text.to_owned(),
        characters: 1,
        area: [0; 4],
    };
    for label in ["REDACTED", "[Redacted]", "Attorney-Client", "Filed under seal."] {
        assert!(hidden(label).is_label(), "{label}");
    }
    for telling in ["", "redacted Smith", "seal 4"] {
        assert!(!hidden(telling).is_label(), "{telling}");
    }
}
