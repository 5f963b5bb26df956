//! Letters set by the program itself: one of each kind, and those that a stranger would like to write.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test"
)]

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use paper::answer::Line;
use serde_json::{Value, json};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/letters")
}

/// One letter of each kind, as data and as text: the main workspace's tests keep them current.
fn every_kind() -> Vec<(String, Vec<u8>, String)> {
    let mut all: Vec<_> = std::fs::read_dir(folder())
        .unwrap()
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .map(|path| {
            let kind = path.file_stem().unwrap().to_string_lossy().into_owned();
            let text = std::fs::read_to_string(path.with_extension("txt")).unwrap();
            (kind, std::fs::read(path).unwrap(), text)
        })
        .collect();
    all.sort();
    assert_eq!(all.len(), 15);
    all
}

fn run_in(json: &[u8], environment: &[(&str, &str)]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_amparo-letter"))
        .env_clear()
        .envs(environment.iter().copied())
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may have ended before it read all.
    let _ = child.stdin.take().unwrap().write_all(json);
    child.wait_with_output().unwrap()
}

fn set(json: &[u8]) -> Vec<u8> {
    let output = run_in(json, &[]);
    let said = String::from_utf8_lossy(&output.stdout[..output.stdout.len().min(400)]).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said} {:?}", output.stderr);
    assert!(output.stdout.starts_with(b"%PDF-1.7"), "{said}");
    output.stdout
}

fn refused(json: &[u8]) -> Value {
    let output = run_in(json, &[]);
    assert_eq!(output.status.code(), Some(1), "{} bytes", output.stdout.len());
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What a reader of PDFs finds on one page, without spaces: what is in the margins, and what is not.
struct Page {
    body: String,
    margins: String,
}

/// The margins above and below, in points from the lower edge.
const BODY: std::ops::Range<i32> = 76..776;

/// The pages of a PDF that is read whole, and in which nothing lies hidden.
fn read(pdf: &[u8]) -> Vec<Page> {
    let (mut pages, mut ended) = (Vec::new(), false);
    paper::read(pdf.to_vec(), |line| {
        match line {
            Line::Page { lines, .. } => {
                let mut page = Page {
                    body: String::new(),
                    margins: String::new(),
                };
                for line in lines {
                    let inside = BODY.contains(&line.area[1]) && BODY.contains(&line.area[3]);
                    let part = if inside { &mut page.body } else { &mut page.margins };
                    part.push_str(&squeezed(&line.text));
                    assert!(
                        line.area[0] >= 70 && line.area[2] <= 535,
                        "{line:?} leaves the margins"
                    );
                }
                pages.push(page);
            }
            Line::End { .. } => ended = true,
            other => panic!("{other:?}"),
        }
        Ok::<(), std::convert::Infallible>(())
    })
    .unwrap();
    assert!(ended);
    pages
}

fn bodies(pdf: &[u8]) -> String {
    read(pdf).iter().map(|page| page.body.as_str()).collect()
}

fn squeezed(text: &str) -> String {
    text.chars()
        .filter(|one| !one.is_whitespace() && *one != '\u{200b}')
        .collect()
}

fn letter(with: Value) -> Vec<u8> {
    let mut letter = json!({
        "schema": "amparo.letter/1", "kind": "redirect", "language": "en", "date": "2026-11-22",
        "case": "0197a1de-0000-7000-8000-000000000001", "letterhead": ["Example Cloud Ltd", "Legal response"],
        "addressee": ["District Court"], "references": [{"label": "Date", "value": "2026-11-22"}], "title": "A letter",
        "blocks": [{"type": "paragraph", "text": "Words."}],
        "furniture": {"to": "To", "page": "Page", "of": "of", "case": "Case", "source": "Source"}
    });
    for (key, value) in with.as_object().unwrap() {
        letter[key] = value.clone();
    }
    serde_json::to_vec(&letter).unwrap()
}

fn saying(text: &str) -> Vec<u8> {
    letter(json!({ "blocks": [{"type": "paragraph", "text": text}] }))
}

#[test]
fn each_kind_is_set_whole_in_order_and_as_pdf_a() {
    for (kind, json, text) in every_kind() {
        let pdf = set(&json);
        for mark in [
            &b"<pdfaid:part>2</pdfaid:part>"[..],
            b"<pdfaid:conformance>A</pdfaid:conformance>",
            b"<pdfuaid:part>1</pdfuaid:part>",
        ] {
            let found = pdf.windows(mark.len()).any(|window| window == mark);
            assert!(found, "{kind} lacks {}", String::from_utf8_lossy(mark));
        }
        let pages = read(&pdf);
        let of = pages.len();
        for (number, page) in (1..).zip(&pages) {
            let foot = &page.margins;
            assert!(foot.contains(&format!("Page{number}of{of}")), "{kind}: {foot}");
        }
        // Whatever the text says is on the pages, in its order; but for its capitals, and the rules where one signs.
        let whole: String = pages.iter().map(|page| page.body.as_str()).collect();
        let letter: Value = serde_json::from_slice(&json).unwrap();
        let mut from = 0;
        for words in words_of(&letter) {
            let words = squeezed(&words);
            let Some(at) = whole[from..].find(&words) else {
                panic!("{kind}: `{words}` is not where it should be in\n{whole}");
            };
            from += at + words.len();
        }
        let said = squeezed(&text).to_lowercase();
        for words in words_of(&letter) {
            assert!(
                said.contains(&squeezed(&words).to_lowercase()),
                "{kind}: `{words}`"
            );
        }
    }
}

/// The texts of a letter's body, in order.
fn words_of(letter: &Value) -> Vec<String> {
    let mut all = vec![letter["title"].as_str().unwrap().to_owned()];
    for block in letter["blocks"].as_array().unwrap() {
        let mut say = |value: &Value| {
            let text = value.as_str().unwrap_or_default();
            if !text.is_empty() {
                all.push(text.to_owned());
            }
        };
        say(&block["title"]);
        say(&block["text"]);
        for item in block["items"].as_array().into_iter().flatten() {
            say(item);
        }
        for ground in block["grounds"].as_array().into_iter().flatten() {
            ["rule", "source", "text"]
                .iter()
                .for_each(|name| say(&ground[name]));
        }
        for tick in block["boxes"].as_array().into_iter().flatten() {
            say(&tick["text"]);
        }
        for row in block["rows"].as_array().into_iter().flatten() {
            say(&row["label"]);
            say(&row["value"]);
        }
        for text in block["paragraphs"].as_array().into_iter().flatten() {
            say(text);
        }
    }
    all
}

#[test]
fn the_same_letter_is_the_same_bytes_wherever_and_whenever() {
    let (_, json, _) = every_kind().swap_remove(0);
    let first = set(&json);
    for environment in [
        &[("TZ", "Pacific/Kiritimati"), ("LC_ALL", "tr_TR.UTF-8")][..],
        &[
            ("TZ", "America/St_Johns"),
            ("LANG", "ar_EG"),
            ("SOURCE_DATE_EPOCH", "1"),
        ],
    ] {
        assert_eq!(run_in(&json, environment).stdout, first, "{environment:?}");
    }
    // Another day is another document.
    let other = String::from_utf8(json)
        .unwrap()
        .replacen("\"date\": \"2026-", "\"date\": \"2027-", 1);
    assert_ne!(set(other.as_bytes()), first);
}

#[test]
fn what_a_stranger_writes_is_text_and_nothing_else() {
    let markup = r##"#panic("no") #read("/etc/passwd") $x^2$ \ @label *bold* _it_ = Title <b> `raw` // gone /* */ #[x] "quoted""##;
    let page = bodies(&set(&saying(markup)));
    assert!(page.contains(&squeezed(markup)), "{page}");
    // In every place where words may stand.
    let everywhere = letter(json!({
        "title": markup, "case": markup, "letterhead": [markup], "addressee": [markup], "mark": markup,
        "references": [{"label": markup, "value": markup}],
        "blocks": [
            {"type": "heading", "text": markup}, {"type": "list", "items": [markup]},
            {"type": "rows", "rows": [{"label": markup, "value": markup}]},
            {"type": "grounds", "grounds": [{"rule": markup, "source": markup, "text": markup}]},
            {"type": "section", "letter": markup, "title": markup, "boxes": [{"ticked": true, "text": markup}],
             "rows": [], "paragraphs": [markup]},
            {"type": "signature", "rows": [{"label": markup, "value": markup}]}
        ]
    }));
    set(&everywhere);
    // A mark that turns words round, and a control, are shown and not obeyed.
    let page = bodies(&set(&saying("safe \u{202e}txt.exe\u{0}\u{7} end")));
    assert!(page.contains("safe[U+202E]txt.exe[U+0000][U+0007]end"), "{page}");
    // A word without an end stays within the margins: every page shows all of its letters.
    let long = "q".repeat(10_000);
    let pages = read(&set(&saying(&long)));
    let shown: usize = pages.iter().map(|page| page.body.matches('q').count()).sum();
    assert_eq!(shown, long.len());
    assert!(pages.len() > 1, "it ran off the page");
    for script in [
        "Ελληνικά",
        "Українська",
        "Zażółć gęślą jaźń",
        "Đặng Thị",
        "ﬁ ß ſ Œ €",
    ] {
        set(&saying(script));
    }
}

#[test]
fn characters_that_the_fonts_cannot_show_are_named() {
    let said = refused(&saying("東京 District Court"));
    assert_eq!(
        said,
        json!({ "refused": "no_glyphs", "characters": ["U+4EAC", "U+6771"] })
    );
}

#[test]
fn what_is_no_letter_is_not_set() {
    for wrong in [
        b"".to_vec(),
        b"{}".to_vec(),
        letter(json!({ "schema": "amparo.letter/2" })),
        letter(json!({ "colour": "red" })),
        letter(json!({ "blocks": [] })),
        letter(json!({ "date": "2026-02-29" })),
        letter(json!({ "language": "../en" })),
        saying(&"x".repeat(1024 * 1024)),
    ] {
        assert_eq!(refused(&wrong)["refused"], "not_a_letter");
    }
    let endless: Vec<Value> = (0..4000)
        .map(|_| json!({"type": "paragraph", "text": "line ".repeat(20)}))
        .collect();
    assert_eq!(
        refused(&letter(json!({ "blocks": endless })))["refused"],
        "too_many_pages"
    );
}
