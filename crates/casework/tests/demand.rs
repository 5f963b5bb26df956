//! Reading demands: what is refused, and what the refusal says.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test says so by failing"
)]

use casework::demand::{self, BYTES_MAX, Category, SUBJECTS_MAX};
use proptest::prelude::*;

const GOOD: &str = r#"{
  "schema": "amparo.demand/1",
  "instrument": "us.warrant.sca",
  "served_at": "2026-11-02T15:00:00Z",
  "requester": { "authority": "FBI", "country": "US", "kind": "police" },
  "issued_on": "2026-10-30",
  "return_on": "2026-11-20",
  "subjects": [{ "type": "account", "value": "alice@contoso.example" }],
  "categories": ["content"],
  "window": { "from": "2026-01-01T00:00:00Z", "until": "2026-07-01T00:00:00Z" },
  "gag": { "from": "2026-11-02", "until": "2027-05-01", "forbids": ["tenant"] },
  "showing": { "signed": true }
}"#;

fn refusal(text: &str) -> String {
    match demand::parse(text.as_bytes()) {
        Ok(_) => "read".to_owned(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_good_demand_is_read() {
    assert_eq!(refusal(GOOD), "read");
}

#[test]
fn a_refusal_says_what_is_wrong_and_what_to_do() {
    for (from, to, expected) in [
        (
            r#""kind": "police""#,
            r#""kind": "police", "kind": "court""#,
            "key `kind` stands twice in one object, at line 5",
        ),
        (
            r#""type": "account","#,
            r#""type": "account", "type": "phone","#,
            "key `type` stands twice",
        ),
        (
            r#""signed": true"#,
            r#""signed": true, "signed": false"#,
            "key `signed` stands twice",
        ),
        (
            r#""signed": true"#,
            r#""signed": true, "sealed": true"#,
            "unknown field `sealed`",
        ),
        (
            r#""kind": "police""#,
            r#""kind": "sheriff""#,
            "unknown variant `sheriff`",
        ),
        (
            r#""type": "account", "value""#,
            r#""type": "account", "also": 1, "value""#,
            "unknown field `also`",
        ),
        (
            r#""schema": "amparo.demand/1""#,
            r#""schema": "amparo.demand/2""#,
            "unknown variant `amparo.demand/2`",
        ),
        (r#""schema": "amparo.demand/1","#, "", "missing field `schema`"),
        (
            r#""country": "US""#,
            r#""country": "us""#,
            "write two upper-case letters",
        ),
        (
            r#""country": "US""#,
            r#""country": "UK""#,
            "the United Kingdom is `GB`",
        ),
        ("2026-10-30", "2026-02-30", "must be in range `1..=28`"),
        ("2026-10-30", "2026-13-01", "does not fit its schema"),
        ("2026-10-30", "30 October 2026", "does not fit its schema"),
        (
            "2026-11-02T15:00:00Z",
            "2026-11-02T15:00:00",
            "does not fit its schema",
        ),
        (
            "2026-10-30",
            "2026-11-05",
            "`served_at` is 2026-11-03, before `issued_on` on 2026-11-05",
        ),
        (
            "2026-11-20",
            "2026-10-29",
            "`return_on` is 2026-10-29, before `issued_on` on 2026-10-30",
        ),
        (
            "2027-05-01",
            "2026-11-01",
            "`gag.until` is 2026-11-01, before `gag.from` on 2026-11-02",
        ),
        ("2026-07-01T", "2025-07-01T", "time window ends"),
        ("2026-07-01T", "2026-01-01T", "time window ends"),
        (
            r#"["content"]"#,
            r#"["content", "content"]"#,
            "names the same category twice",
        ),
        (
            r#""authority": "FBI""#,
            r#""authority": "  ""#,
            "`requester.authority` is blank",
        ),
        ("alice@contoso.example", "", "`subjects.value` is blank"),
        ("us.warrant.sca", "US Warrant", "not a valid instrument id"),
        (r#""subjects": ["#, r#""subjects": [["#, "not JSON"),
    ] {
        assert!(GOOD.contains(from), "`{from}`");
        let got = refusal(&GOOD.replacen(from, to, 1));
        assert!(
            got.contains(expected),
            "`{from}` to `{to}`: got `{got}`, not `{expected}`"
        );
    }
}

#[test]
fn bytes_that_are_no_demand_are_refused() {
    for (bytes, expected) in [
        (&b""[..], "the demand is empty"),
        (b"  \n", "the demand is empty"),
        (b"\xef\xbb\xbf{}", "byte order mark"),
        (b"{\"schema\": \"\xff\"}", "byte 12 begins no character"),
        (b"null", "does not fit its schema"),
        (b"[]", "does not fit its schema"),
        (b"{} {}", "not JSON"),
        (b"%PDF-1.7", "not JSON"),
        (&[b'['; 5000], "not JSON"),
    ] {
        let got = demand::parse(bytes).unwrap_err().to_string();
        assert!(got.contains(expected), "got `{got}`, not `{expected}`");
    }
    for cut in [1, GOOD.len() / 2, GOOD.len() - 1] {
        assert!(refusal(&GOOD[..cut]).contains("cut short"));
    }
    let long = format!("{GOOD}{}", " ".repeat(BYTES_MAX));
    assert!(refusal(&long).contains("at most 262144 are read"));
}

#[test]
fn lists_and_texts_have_limits() {
    let subject = r#"{ "type": "account", "value": "alice@contoso.example" }"#;
    let many = vec![subject; SUBJECTS_MAX + 1].join(",");
    assert!(refusal(&GOOD.replace(subject, &many)).contains("`subjects` has 1001 entries; at most 1000"));
    let long = "x".repeat(20_000);
    assert!(
        refusal(&GOOD.replace("FBI", &long)).contains("`requester.authority` is longer than 16384 bytes")
    );
}

/// What a demand says of a person is not repeated in an error, which may end up in a log.
#[test]
fn a_refusal_does_not_repeat_a_person() {
    let got = refusal(&GOOD.replace(
        r#"{ "type": "account", "value": "alice@contoso.example" }"#,
        r#""alice@contoso.example""#,
    ));
    assert!(got.contains("expected") && !got.contains("alice"), "{got}");
}

#[test]
fn a_category_is_named_as_demands_write_it() {
    for category in Category::ALL {
        assert_eq!(serde_json::to_value(category).unwrap(), category.name());
    }
}

#[test]
fn the_published_schema_is_the_types_own() {
    let published: serde_json::Value =
        serde_json::from_str(include_str!("../../../docs/demand.schema.json")).unwrap();
    if published != demand::json_schema() && std::env::var_os("AMPARO_BLESS").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/demand.schema.json");
        let schema = serde_json::to_string_pretty(&demand::json_schema()).unwrap();
        #[allow(
            clippy::disallowed_methods,
            reason = "a test writes what it is then compared with"
        )]
        std::fs::write(path, schema + "\n").unwrap();
        return;
    }
    assert_eq!(
        published,
        demand::json_schema(),
        "run `amparo assess --schema > docs/demand.schema.json` and look at the difference: requesters rely on it"
    );
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        let _ = demand::parse(&bytes);
    }

    #[test]
    fn a_demand_with_bytes_changed_is_read_or_refused(at in 0..GOOD.len(), with in any::<Vec<u8>>(), cut in 0..8_usize) {
        let mut bytes = GOOD.as_bytes().to_vec();
        let end = (at + cut).min(bytes.len());
        bytes.splice(at..end, with);
        if let Ok(read) = demand::parse(&bytes) {
            let written = serde_json::to_vec(&read).unwrap();
            prop_assert_eq!(demand::parse(&written).unwrap(), read);
        }
    }
}
