//! The text of a letter, as whoever adds a language writes it: it is loaded or refused, and every letter of it composed.
#![no_main]

use std::collections::{BTreeMap, BTreeSet};

use libfuzzer_sys::fuzz_target;
use stationery::{Facts, Ground, KindOfLetter, Texts};

const NAMES: &[&str] = &[
    "instrument",
    "reference",
    "authority",
    "points",
    "grounds",
    "is_late",
];
const WORDS: &str = "letterhead = [\"{provider}\"]\nnot_given = \"not given\"\n\
    [furniture]\nto = \"To\"\npage = \"Page\"\nof = \"of\"\ncase = \"Case\"\nsource = \"Source\"\n[words]\nplace = \"place\"\n";

fuzz_target!(|input: (bool, &str)| {
    let (is_words, text) = input;
    let simple =
        "title = \"{reference}\"\nreferences = [[\"a\", \"{authority}\"]]\n[[block]]\nitems = \"points\"\n";
    let (words, kind) = if is_words { (text, simple) } else { (WORDS, text) };
    let kinds = [KindOfLetter {
        name: "kind",
        facts: NAMES,
    }];
    let Ok(texts) = Texts::load(
        &[("en", "words", words), ("en", "kind", kind)],
        &kinds,
        &["place"],
    ) else {
        return;
    };
    let _ = texts.word("en", "place");
    let known = Facts {
        instrument: Some("us.sca.2703d".to_owned()),
        values: BTreeMap::from_iter(NAMES.iter().map(|name| (*name, "one\ntwo {three}".to_owned()))),
        flags: BTreeSet::from(["is_late"]),
        items: BTreeMap::from([("points", vec!["a".to_owned(), String::new()])]),
        grounds: BTreeMap::from([(
            "grounds",
            vec![Ground {
                rule: "a".to_owned(),
                source: String::new(),
                text: "c".to_owned(),
            }],
        )]),
    };
    for facts in [Facts::default(), known] {
        if let Ok(letter) = texts.compose("en", "kind", "2026-11-21", "case", &facts) {
            let _ = letter.to_text();
        }
    }
});
