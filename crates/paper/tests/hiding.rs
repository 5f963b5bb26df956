//! What of a page is seen and what is not, on pages made for it; then on third-party court documents with what is known of them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test"
)]

mod pages;

use std::{convert::Infallible, path::PathBuf};

use pages::{Page, page};
use paper::answer::{Gap, Hidden, Hiding, Line, Refusal};

fn read(bytes: Vec<u8>) -> Vec<Line> {
    let mut lines = Vec::new();
    let Ok(()) = paper::read(bytes, |line| {
        lines.push(line);
        Ok::<(), Infallible>(())
    });
    lines
}

fn hidden(lines: &[Line]) -> Vec<&Hidden> {
    let hidden = lines.iter().filter_map(|line| match line {
        Line::Hidden(hidden) => Some(hidden),
        _ => None,
    });
    hidden.collect()
}

fn text(lines: &[Line]) -> String {
    let pages = lines.iter().filter_map(|line| match line {
        Line::Page { lines, .. } => Some(lines),
        _ => None,
    });
    pages.flatten().map(|line| format!("{}\n", line.text)).collect()
}

fn gaps(lines: &[Line]) -> Vec<Gap> {
    let gaps = lines.iter().filter_map(|line| match line {
        Line::Gap { gap } => Some(*gap),
        _ => None,
    });
    gaps.collect()
}

/// `open` stands on every page, seen; `secret` somewhere.
const OPEN: &str = "BT 0 Tr 0 g /F 12 Tf 20 150 Td (open) Tj ET ";
const SECRET: &str = "BT 0 g /F 12 Tf 20 100 Td (secret) Tj ET ";

#[test]
fn what_is_hidden_is_found_and_named_by_how_it_is_hidden() {
    let white = "1 1 1 rg 15 95 60 16 re f ";
    let black = "0 g 15 95 60 16 re f ";
    let cases: Vec<(&str, Page, Hiding)> = vec![
        (
            "a black box over it",
            page(&format!("{SECRET}{black}")),
            Hiding::Covered,
        ),
        (
            "a white box over it",
            page(&format!("{SECRET}{white}")),
            Hiding::Covered,
        ),
        (
            "a box that is a curve",
            page(&format!(
                "{SECRET}0 g 10 90 m 10 130 80 130 80 112 c 80 90 l h f "
            )),
            Hiding::Covered,
        ),
        (
            "two halves of a box",
            page(&format!("{SECRET}0 g 15 95 20 16 re f 35 95 40 16 re f ")),
            Hiding::Covered,
        ),
        (
            "a thick line",
            page(&format!("{SECRET}0 G 14 w 15 104 m 75 104 l S ")),
            Hiding::Covered,
        ),
        (
            "a run of colours",
            page(&format!("{SECRET}q 15 95 60 16 re W n /Shade sh Q ")),
            Hiding::Covered,
        ),
        (
            "a black picture",
            page(&format!("{SECRET}q 60 0 0 16 15 95 cm /Black Do Q ")),
            Hiding::Covered,
        ),
        (
            "a note that is a box",
            page(SECRET).note("/Subtype/Square/Rect[15 95 75 111]/AP<</N 7 0 R>>"),
            Hiding::Covered,
        ),
        (
            "black on a black box",
            page(&format!("{black}{SECRET}")),
            Hiding::SameColour,
        ),
        (
            "white on paper",
            page("BT 1 g /F 12 Tf 20 100 Td (secret) Tj ET "),
            Hiding::SameColour,
        ),
        (
            "nearly white on paper",
            page("BT 0.95 g /F 12 Tf 20 100 Td (secret) Tj ET "),
            Hiding::SameColour,
        ),
        (
            "black on a black picture",
            page(&format!("q 60 0 0 16 15 95 cm /Black Do Q {SECRET}")),
            Hiding::SameColour,
        ),
        (
            "above the page",
            page("BT 0 g /F 12 Tf 20 900 Td (secret) Tj ET "),
            Hiding::OffPage,
        ),
        (
            "cut away",
            page(&format!("q 100 10 20 20 re W n {SECRET}Q ")),
            Hiding::OffPage,
        ),
        (
            "cut out",
            page(&format!("q 0 0 200 200 re 15 95 60 16 re W* n {SECRET}Q ")),
            Hiding::OffPage,
        ),
        (
            "drawing nothing on bare paper",
            page("BT 3 Tr /F 12 Tf 20 100 Td (secret) Tj ET "),
            Hiding::Invisible,
        ),
        (
            "a colour that is clear",
            page("q /Clear gs BT 0 g /F 12 Tf 20 100 Td (secret) Tj ET Q "),
            Hiding::Invisible,
        ),
        (
            "smaller than a point",
            page("BT 0 g /F 0.5 Tf 20 100 Td (secret) Tj ET "),
            Hiding::TooSmall,
        ),
        // A scan with its reading, and a box that somebody drew into the scan, or over it.
        (
            "a box in a scan",
            page("q 200 0 0 200 0 0 cm /Scan Do Q BT 3 Tr /F 12 Tf 30 60 Td (secret) Tj ET "),
            Hiding::Covered,
        ),
        (
            "a box on a scan",
            page(&format!(
                "q 200 0 0 200 0 0 cm /Scan Do Q BT 3 Tr /F 12 Tf 20 100 Td (secret) Tj ET {black}"
            )),
            Hiding::Covered,
        ),
        (
            "letters set one by one",
            page(&format!(
                "BT 0 g /F 12 Tf 20 100 Td [(s) -20 (e) -20 (c) -20 (r) -20 (e) -20 (t)] TJ ET {black}"
            )),
            Hiding::Covered,
        ),
    ];
    for (name, page, how) in cases {
        // A scan lies over all that was before it.
        let page = if name.contains("scan") {
            page.after(OPEN)
        } else {
            page.before(OPEN)
        };
        let lines = read(page.pdf());
        let found = hidden(&lines);
        assert_eq!(
            found
                .iter()
                .map(|one| (one.how, one.text.as_str()))
                .collect::<Vec<_>>(),
            [(how, "secret")],
            "{name}: {lines:?}"
        );
        assert_eq!(text(&lines).trim(), "open", "{name}");
        assert!(matches!(lines.last(), Some(Line::End { pages: 1 })), "{name}");
    }
}

#[test]
fn what_is_seen_is_not_called_hidden() {
    let cases: Vec<(&str, Page)> = vec![
        (
            "a box below it",
            page(&format!("0.8 g 15 95 60 16 re f {SECRET}")),
        ),
        (
            "a frame around it",
            page(&format!("{SECRET}0 g 10 90 80 30 re 15 95 70 20 re f* ")),
        ),
        (
            "a thin line through it",
            page(&format!("{SECRET}0 G 1 w 15 104 m 75 104 l S ")),
        ),
        (
            "underlined thickly",
            page(&format!("{SECRET}0 G 2 w 15 97 m 75 97 l S ")),
        ),
        (
            "highlighted",
            page(&format!("{SECRET}q /Multiply gs 1 1 0 rg 15 95 60 16 re f Q ")),
        ),
        (
            "under a veil",
            page(&format!("{SECRET}q /Half gs 1 1 0 rg 15 95 60 16 re f Q ")),
        ),
        (
            "white on black",
            page("0 g 15 95 60 16 re f BT 1 g /F 12 Tf 20 100 Td (secret) Tj ET "),
        ),
        (
            "white on a dark veil",
            page("q /Half gs 0 g 15 95 60 16 re f Q BT 1 g /F 12 Tf 20 100 Td (secret) Tj ET "),
        ),
        (
            "white on a dark picture",
            page("q 60 0 0 16 15 95 cm /Black Do Q BT 1 g /F 12 Tf 20 100 Td (secret) Tj ET "),
        ),
        (
            "covered, and drawn again",
            page(&format!("{SECRET}1 g 15 95 60 16 re f {SECRET}")),
        ),
        (
            "a box that is cut away",
            page(&format!("{SECRET}q 100 10 20 20 re W n 0 g 15 95 60 16 re f Q ")),
        ),
        (
            "filled and stroked",
            page("BT 2 Tr 0 g 0 G 0.3 w /F 12 Tf 20 100 Td (secret) Tj ET "),
        ),
        (
            "set at one point and stretched",
            page("BT 0 g /F 1 Tf 12 0 0 12 20 100 Tm (secret) Tj ET "),
        ),
        (
            "turned",
            page("BT 0 g /F 12 Tf 0 1 -1 0 60 60 Tm (secret) Tj ET "),
        ),
        // The reading of what a scan shows; over it, under it.
        (
            "the reading of a scan",
            page("q 200 0 0 200 0 0 cm /Scan Do Q BT 3 Tr /F 12 Tf 20 20 Td (secret) Tj ET "),
        ),
        (
            "a scan over its reading",
            page("BT 0 g /F 12 Tf 20 20 Td (secret) Tj ET q 200 0 0 200 0 0 cm /Scan Do Q "),
        ),
    ];
    for (name, page) in cases {
        // A scan lies over all that was before it.
        let page = if name.contains("scan") {
            page.after(OPEN)
        } else {
            page.before(OPEN)
        };
        let lines = read(page.pdf());
        assert!(hidden(&lines).is_empty(), "{name}: {lines:?}");
        let mut words: Vec<String> = text(&lines).split_whitespace().map(str::to_owned).collect();
        words.sort();
        assert_eq!(words, ["open", "secret"], "{name}");
        assert!(
            !lines.iter().any(|line| matches!(line, Line::Gap { .. })),
            "{name}: {lines:?}"
        );
    }
}

#[test]
fn what_was_not_looked_at_is_named() {
    let gaps = |page: Page| gaps(&read(page.before(OPEN).pdf()));
    assert_eq!(gaps(page(SECRET)), []);
    let layers = "/OCProperties<</OCGs[8 0 R]/D<</OFF[8 0 R]>>>>";
    assert_eq!(gaps(page(SECRET).catalog(layers)), [Gap::Layer]);
    let files = "/Names<</EmbeddedFiles<</Names[]>>>>";
    assert_eq!(gaps(page(SECRET).catalog(files)), [Gap::File]);
    let hatched = format!("{SECRET}/Pattern cs /Hatch scn 15 95 60 16 re f ");
    assert_eq!(gaps(page(&hatched)), [Gap::Pattern]);
    let marked = read(page(SECRET).note("/Subtype/Redact/Rect[15 95 75 111]").pdf());
    assert_eq!(hidden(&marked)[0].how, Hiding::OnlyMarked);
    assert_eq!(hidden(&marked)[0].area, [15, 95, 75, 111]);
}

#[test]
fn what_cannot_be_decoded_is_not_called_clean() {
    let drawing = format!("{OPEN}{SECRET}0 g 15 95 60 16 re f ");
    let drawing = drawing.as_bytes();
    let runs: Vec<u8> = drawing
        .chunks(64)
        .flat_map(|run| [&[u8::try_from(run.len() - 1).unwrap()][..], run].concat())
        .collect();
    let hex = drawing
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect::<String>();
    let ways = |dict: &str, data: &[u8]| [page("").encoded(dict, data), page("/Form Do ").form(dict, data)];
    let whole = [
        ("/Filter/RunLengthDecode", [&runs[..], &[128][..]].concat()),
        ("/Filter[/ASCIIHexDecode]", format!("{hex}>").into_bytes()),
        ("/Filter null/DecodeParms null", drawing.to_vec()),
    ];
    for (dict, data) in whole {
        for page in ways(dict, &data) {
            let lines = read(page.pdf());
            assert_eq!(gaps(&lines), [], "{dict}");
            assert_eq!(hidden(&lines).len(), 1, "{dict}: {lines:?}");
        }
    }
    let broken = [
        ("/Filter/RunLengthDecode", runs.clone()),
        // A run that is longer than what there is of it.
        ("/Filter/RunLengthDecode", [&[127][..], &drawing[..100]].concat()),
        // Whether runs inside another filter are whole is not looked at.
        ("/Filter[/ASCIIHexDecode/RunLengthDecode]", {
            let runs = runs.iter().map(|byte| format!("{byte:02x}"));
            format!("{}80>", runs.collect::<String>()).into_bytes()
        }),
        ("/Filter/ASCIIHexDecode", format!("{hex}\u{1}0>").into_bytes()),
        ("/Filter/DCTDecode", drawing.to_vec()),
        // Filters that nobody knows, that are named where they have no meaning, or that are not names.
        ("/Filter/Unheard", drawing.to_vec()),
        ("/Filter[/Unheard]", drawing.to_vec()),
        ("/Filter[(x)/ASCIIHexDecode]", format!("{hex}>").into_bytes()),
        ("/F/ASCIIHexDecode", drawing.to_vec()),
        ("/F(elsewhere.bin)", drawing.to_vec()),
        (
            "/Filter[/ASCIIHexDecode]/DecodeParms<</Columns 1>>",
            format!("{hex}>").into_bytes(),
        ),
    ];
    for (dict, data) in broken {
        for page in ways(dict, &data) {
            let lines = read(page.pdf());
            assert!(gaps(&lines).contains(&Gap::Contents), "{dict}: {lines:?}");
        }
    }
}

#[test]
fn a_note_that_only_others_draw_is_named() {
    let gaps = |note: &str| gaps(&read(page(SECRET).note(note).pdf()));
    for written in [
        "/Subtype/FreeText/Rect[15 20 75 40]/DA(/F 12 Tf)/Contents(secret)",
        "/Subtype/Text/Rect[15 20 75 40]/Contents(secret)",
        "/Subtype/Widget/FT/Tx/Rect[15 20 75 40]/V(secret)",
        // What comes after something that is no note is not read.
        ">>null<</Subtype/Square/Rect[15 95 75 111]/AP<</N 7 0 R>>",
    ] {
        assert_eq!(gaps(written), [Gap::NoteText], "{written}");
    }
    // A box over the text.
    assert_eq!(gaps("/Subtype/Square/Rect[15 95 75 111]/IC[0 0 0]"), [Gap::Note]);
    for silent in [
        "/Subtype/Link/Rect[15 20 75 40]/Contents(where it leads)",
        "/Subtype/Text/Rect[15 20 75 40]/Contents()",
        "/Subtype/Widget/FT/Tx/Rect[15 20 75 40]/V()",
        "/Subtype/Square/Rect[15 20 75 40]/AP<</N 7 0 R>>",
    ] {
        assert_eq!(gaps(silent), [], "{silent}");
    }
}

#[test]
fn what_is_no_pdf_is_refused() {
    for bytes in [
        b"".to_vec(),
        b"%PDF-1.7".to_vec(),
        vec![0; 4096],
        b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj".to_vec(),
    ] {
        assert_eq!(read(bytes), [Line::Refused { why: Refusal::Broken }]);
    }
    let locked = page(SECRET).trailer("/Encrypt<</Filter/Standard/V 1/R 2/O<00>/U<00>/P -4>>/ID[<00><00>]");
    assert_eq!(
        read(locked.pdf()),
        [Line::Refused {
            why: Refusal::Encrypted
        }]
    );
}

fn data(test: &str, folder: &str) -> Option<PathBuf> {
    let root = std::env::var_os("AMPARO_TESTDATA").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")),
        PathBuf::from,
    );
    let path = root.join(folder);
    if path.exists() {
        return Some(path);
    }
    println!("skipped: {test} (no test data)");
    None
}

#[test]
fn courts_own_pdfs_are_read_and_hide_nothing() {
    let Some(folder) = data("courts_own_pdfs_are_read_and_hide_nothing", "court-pdfs") else {
        return;
    };
    let expected = [
        ("broken-mime.pdf", 23, "GIFT SURPLUS, LLC"),
        ("missouri.pdf", 5, "ED108783"),
        (
            "recap_extract/gov.uscourts.azd.1085839.3.0.pdf",
            5,
            "MDL 15-02641-PHX-DGC",
        ),
        (
            "recap_extract/gov.uscourts.cacd.652774.40.0.pdf",
            4,
            "8:16-cv-1261",
        ),
        (
            "recap_extract/gov.uscourts.cand.203070.27.0.pdf",
            2,
            "4:08-cv-02214-SBA",
        ),
    ];
    for (name, pages, says) in expected {
        let lines = read(std::fs::read(folder.join(name)).unwrap());
        assert_eq!(lines.last(), Some(&Line::End { pages }), "{name}");
        assert!(text(&lines).contains(says), "{name}: {}", text(&lines));
        assert_eq!(hidden(&lines), Vec::<&Hidden>::new(), "{name}");
    }
    let empty = read(std::fs::read(folder.join("empty.pdf")).unwrap());
    assert_eq!(empty, [Line::Refused { why: Refusal::Broken }]);
}

/// The one clean document in which something is hidden: the label that a program wrote onto its box, in the box's colour.
const LABELLED: (&str, &str) = ("ok_words.pdf", "Privilege");

#[test]
fn every_bad_redaction_is_found_and_no_clean_page_is_called_bad() {
    let Some(folder) = data(
        "every_bad_redaction_is_found_and_no_clean_page_is_called_bad",
        "redaction",
    ) else {
        return;
    };
    let expected = std::fs::read_to_string(folder.join("expected.csv")).unwrap();
    let (mut bad, mut clean) = (0, 0);
    for row in expected.lines().skip(1) {
        let mut cells = row.splitn(3, ',');
        let (name, many) = (cells.next().unwrap(), cells.next().unwrap());
        let lines = read(std::fs::read(folder.join(name)).unwrap());
        assert!(matches!(lines.last(), Some(Line::End { .. })), "{name}");
        let found: Vec<&str> = hidden(&lines).iter().map(|hidden| hidden.text.as_str()).collect();
        if many == "0" {
            clean += 1;
            let label: &[&str] = if name == LABELLED.0 { &[LABELLED.1] } else { &[] };
            assert_eq!(found, label, "{name}");
        } else {
            bad += 1;
            assert!(!found.is_empty(), "{name}");
            if let Ok(many) = many.parse::<usize>() {
                assert_eq!(found.len(), many, "{name}: {found:?}");
            }
        }
    }
    assert_eq!((bad, clean), (3, 7));
    // The one whose covered characters were counted by hand: 64 of them, with their spaces.
    let lines = read(std::fs::read(folder.join("rectangles_yes.pdf")).unwrap());
    let characters: usize = hidden(&lines)
        .iter()
        .map(|hidden| hidden.text.chars().count())
        .sum();
    assert_eq!(characters, 64);
}
