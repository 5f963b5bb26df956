//! PDFs in packages, looked at by the real program that reads them.

use std::path::PathBuf;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use casework::event::{Body, PackageFlag};

use super::scene::Scene;
use crate::paper::PaperReader;

fn given(test: &str, name: &str) -> Option<Vec<u8>> {
    let root = std::env::var_os("AMPARO_TESTDATA").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")),
        PathBuf::from,
    );
    let path = root.join("redaction").join(name);
    if !path.exists() {
        println!("skipped: {test} (no test data)");
        return None;
    }
    Some(std::fs::read(path).unwrap())
}

/// The program as the workspace's tests build it.
fn papers() -> PaperReader {
    let this = std::env::current_exe().unwrap();
    let program = this.parent().unwrap().with_file_name("amparo-paper");
    assert!(
        program.exists(),
        "`amparo-paper` is not built: run the tests with --workspace"
    );
    PaperReader::at(program)
}

async fn released(scene: &Scene) -> Vec<PackageFlag> {
    let case = scene.ready().await;
    let record = scene.approved(case).await;
    let package = scene.desk.release(case, record).await.unwrap();
    // Whoever asks again is told again; and the case says it before it says that the package may be fetched.
    assert_eq!(scene.desk.release(case, record).await.unwrap(), package);
    let events = scene.desk.events(case).await.unwrap();
    let at = |wanted: fn(&Body) -> bool| {
        events
            .iter()
            .position(|event| event.body.as_ref().is_some_and(wanted))
    };
    let flagged = at(|body| matches!(body, Body::PackageFlagged { .. }));
    let released = at(|body| matches!(body, Body::Released { .. }));
    assert_eq!(flagged.is_some(), !package.flags.is_empty());
    assert!(flagged.is_none_or(|flagged| Some(flagged) < released));
    package.flags
}

#[tokio::test]
async fn a_pdf_with_text_under_a_black_box_leaves_in_no_package_without_being_flagged() {
    let test = "a_pdf_with_text_under_a_black_box_leaves_in_no_package_without_being_flagged";
    let (Some(bad), Some(clean)) = (given(test, "rectangles_yes.pdf"), given(test, "ok_words.pdf")) else {
        return;
    };
    let attached = |pdf: &[u8]| {
        let lines: Vec<String> = STANDARD
            .encode(pdf)
            .as_bytes()
            .chunks(76)
            .map(|line| String::from_utf8(line.to_vec()).unwrap())
            .collect();
        format!(
            "From: a@b.example\r\nSubject: filing\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
             --b\r\nContent-Type: text/plain\r\n\r\nsee attached\r\n\
             --b\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n{}\r\n--b--\r\n",
            lines.join("\r\n")
        )
        .into_bytes()
    };
    let mut scene = Scene::new().await;
    scene.desk = scene.desk.clone().reading_papers(papers());
    scene.vault.keep(5, "clean.pdf", clean.clone());
    scene.vault.keep(6, "clean.eml", attached(&clean));
    assert_eq!(released(&scene).await, []);

    // Whatever it is called, and in whatever it lies.
    let mut scene = Scene::new().await;
    scene.desk = scene.desk.clone().reading_papers(papers());
    let misnamed = scene.vault.keep(5, "photo.jpg", bad.clone());
    let message = scene.vault.keep(6, "cur/1769:2,S", attached(&bad));
    let mailbox = [
        b"From - Thu\n".to_vec(),
        attached(&clean),
        b"\nFrom - Fri\n".to_vec(),
        attached(&bad),
    ]
    .concat();
    let mailbox = scene.vault.keep(9, "archive", mailbox);
    scene
        .vault
        .keep(10, "no-message.json", b"key: value\nno: message\n".to_vec());
    let broken = scene
        .vault
        .keep(7, "broken.pdf", b"%PDF-1.7 and no more".to_vec());
    scene.vault.keep(8, "clean.pdf", clean);
    let flags = released(&scene).await;
    let places: Vec<_> = flags.iter().map(|flag| (flag.object, flag.part)).collect();
    assert_eq!(
        places,
        [
            (Some(misnamed), None),
            (Some(message), Some(1)),
            (Some(mailbox), Some(3)),
            (Some(broken), None)
        ]
    );
    for flag in &flags[..3] {
        assert!(flag.flag.contains("3 place(s), the first on page 1"), "{flag:?}");
    }
    assert!(flags[3].flag.contains("nobody checked it"), "{flags:?}");

    // Without the program it is said once that nobody looked.
    let mut scene = Scene::new().await;
    let absent = scene.dir.path().join("absent");
    scene.desk = scene.desk.clone().reading_papers(PaperReader::at(absent));
    scene.vault.keep(5, "one.pdf", bad.clone());
    scene.vault.keep(6, "two.pdf", bad);
    let flags = released(&scene).await;
    assert_eq!(flags.len(), 1, "{flags:?}");
    assert!(flags[0].object.is_none() && flags[0].flag.contains("is not installed"));
}
