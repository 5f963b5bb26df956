//! Rulebooks that do not hold together, and what the refusal says.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test says so by failing"
)]

use casework::rulebook::Rulebook;

/// A rulebook of one country and one instrument: the least that loads.
fn files() -> Vec<(String, Vec<u8>)> {
    let file = |path: &str, text: &str| (path.to_owned(), text.as_bytes().to_vec());
    vec![
        file(
            "rulebook.toml",
            "language = \"amparo.rulebook/1\"\ntitle = \"a test\"\ncalendar = \"zz\"\n",
        ),
        file(
            "schema.cedarschema",
            include_str!("../../../rulebooks/schema.cedarschema"),
        ),
        file("zz/instruments.toml", INSTRUMENT),
        file("zz/decree.cedar", RULE),
        file("zz/examples/decree.toml", EXAMPLES),
    ]
}

const INSTRUMENT: &str = r#"
[instrument."zz.decree"]
name = "Decree"
basis = "Code 1"
groups = ["zz"]
issuers = ["court"]
categories = ["subscriber", "identification", "traffic", "content", "realtime", "assistance", "non_personal"]
calendar = "zz"
verified_on = "2026-11-21"
[calendar."zz"]
place = "Zed"
zone = "UTC0"
citation = "Code 2"
verified_on = "2026-11-21"
"#;

const RULE: &str = r#"
@id("zz.decree.issuer")
@effect("bar")
@promise("P5")
@citation("Code 1")
@explanation("Only a court decrees.")
@source("primary")
@verified_on("2026-11-21")
permit (principal, action, resource == Instrument::"zz.decree")
unless { context.issuer.fits };
"#;

const EXAMPLES: &str = r#"
as_of = "2026-11-21"
[demand]
schema = "amparo.demand/1"
instrument = "zz.decree"
served_at = "2026-11-02T15:00:00Z"
requester = { authority = "Court", country = "ZZ", kind = "court" }
subjects = [{ type = "account", value = "alice" }]
categories = ["content"]
[[example]]
name = "a court"
on_its_face = true
absent = ["zz.decree.issuer"]
releasable = ["content"]
[[example]]
name = "the police"
on_its_face = true
set = { "requester.kind" = "police" }
present = ["zz.decree.issuer"]
releasable = []
"#;

#[test]
fn a_new_country_is_a_new_folder() {
    let rulebook = Rulebook::load(&files()).unwrap();
    assert_eq!(rulebook.check_examples(), []);
    assert_eq!(rulebook.rules().count(), 1);
}

#[test]
fn a_refusal_names_the_rule_and_what_is_wrong() {
    for (from, to, expected) in [
        (
            "@citation(\"Code 1\")\n",
            "",
            "annotation `@citation` is missing or empty",
        ),
        (
            "@citation(\"Code 1\")",
            "@citation(\" \")",
            "annotation `@citation` is missing or empty",
        ),
        ("@effect(\"bar\")", "@effect(\"stop\")", "unknown variant `stop`"),
        ("@promise(\"P5\")", "@promise(\"P21\")", "unknown variant `P21`"),
        (
            "@verified_on(\"2026-11-21\")\npermit",
            "@verified_on(\"soon\")\npermit",
            "annotation `@verified_on`",
        ),
        (
            "@source(\"primary\")",
            "@source(\"primary\")\n@remark(\"x\")",
            "annotation `@remark` means nothing",
        ),
        (
            "@effect(\"bar\")",
            "@effect(\"duty\")",
            "`@duty` belongs to rules",
        ),
        (
            "@effect(\"bar\")",
            "@effect(\"clock\")",
            "`@clock` belongs to rules",
        ),
        (
            "@effect(\"bar\")",
            "@effect(\"clock\")\n@clock(\"zz.none\")",
            "clock `zz.none` is in no table",
        ),
        ("permit (", "forbid (", "a rule is a `permit`"),
        (
            "Instrument::\"zz.decree\"",
            "Instrument::\"zz.degree\"",
            "Instrument `zz.degree` is in no table",
        ),
        (
            "resource == Instrument::\"zz.decree\"",
            "resource in Group::\"yy\"",
            "Group `yy` is in no table",
        ),
        (
            "context.issuer.fits",
            "context.issuer.fit",
            "attribute `issuer.fit`",
        ),
        (
            "context.issuer.fits",
            "context.issuer.kind == Authority::\"clerk\"",
            "clerk",
        ),
        (
            "context.issuer.fits",
            "context.requester.country in List::\"zz\"",
            "List `zz` is in no table",
        ),
        (
            "zz.decree.issuer\"]\nrele",
            "zz.decree.signer\"]\nrele",
            "names rule `zz.decree.signer`, and there is none",
        ),
        (
            "calendar = \"zz\"",
            "calendar = \"yy\"",
            "calendar `yy` is in no table",
        ),
        (
            "basis = \"Code 1\"",
            "basis = \"Code 1\"\nbases = 1",
            "unknown field `bases`",
        ),
        (
            "zone = \"UTC0\"",
            "zone = \"Europe/Zed\"",
            "is not a POSIX TZ rule",
        ),
        (
            "language = \"amparo.rulebook/1\"",
            "language = \"amparo.rulebook/9\"",
            "is not `amparo.rulebook/1`",
        ),
        ("permit (principal", "permit (principal,", "unexpected token"),
    ] {
        let mut files = files();
        let mut changed = false;
        for (path, bytes) in &mut files {
            let text = String::from_utf8(bytes.clone()).unwrap();
            if !changed && !path.ends_with("schema") && text.contains(from) {
                *bytes = text.replacen(from, to, 1).into_bytes();
                changed = true;
            }
        }
        assert!(changed, "`{from}`");
        let got = match Rulebook::load(&files) {
            Ok(_) => "loaded".to_owned(),
            Err(error) => error.to_string(),
        };
        assert!(
            got.contains(expected),
            "`{from}` to `{to}`: got `{got}`, not `{expected}`"
        );
    }
}

#[test]
fn a_rule_twice_is_refused() {
    let mut files = files();
    files.push(("zz/again.cedar".to_owned(), RULE.as_bytes().to_vec()));
    let got = Rulebook::load(&files).err().unwrap().to_string();
    assert!(got.contains("stands in `zz/again.cedar` already"), "{got}");
}

#[test]
fn examples_that_differ_and_rules_without_any_are_found() {
    let check = |from: &str, to: &str| {
        let mut files = files();
        for (_, bytes) in &mut files {
            let text = String::from_utf8(bytes.clone()).unwrap();
            *bytes = text.replacen(from, to, 1).into_bytes();
        }
        let failures = Rulebook::load(&files).unwrap().check_examples();
        failures
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("\n")
    };
    assert!(check("context.issuer.fits", "!context.issuer.fits").contains("should be found and is not"));
    assert!(check("present = [\"zz.decree.issuer\"]\n", "").contains("no example in which it applies"));
    assert!(check("absent = [\"zz.decree.issuer\"]\n", "").contains("no example in which it does not apply"));
    // A row that lists less than the rules let through: the matrix of instrument, issuer and category finds it.
    assert!(
        check(
            "\"traffic\", \"content\", \"realtime\"",
            "\"content\", \"realtime\""
        )
        .contains("`traffic` is beyond it")
    );
}

/// A rulebook that lacks rules releases nothing that its table does not list, and nothing on an instrument it lacks.
#[test]
fn without_a_row_nothing_is_releasable() {
    let rulebook = Rulebook::load(&files()).unwrap();
    let demand = r#"{ "schema": "amparo.demand/1", "instrument": "us.nsl", "served_at": "2026-11-02T15:00:00Z",
        "requester": { "authority": "x", "country": "US", "kind": "court" }, "categories": ["content"] }"#;
    let demand = casework::demand::parse(demand.as_bytes()).unwrap();
    let assessment = rulebook
        .assess_on_its_face(&demand, None, "2026-11-21".parse().unwrap())
        .unwrap();
    assert_eq!(assessment.releasable, []);
}

#[test]
fn the_digest_is_of_the_law_and_not_of_its_examples() {
    let whole = Rulebook::load(&files()).unwrap().digest();
    let mut shuffled = files();
    shuffled.reverse();
    assert_eq!(Rulebook::load(&shuffled).unwrap().digest(), whole);
    let without: Vec<_> = files()
        .into_iter()
        .filter(|(path, _)| !path.contains("examples/"))
        .collect();
    assert_eq!(Rulebook::load(&without).unwrap().digest(), whole);
    let mut changed = files();
    changed[3].1.extend_from_slice(b"// a remark\n");
    assert_ne!(Rulebook::load(&changed).unwrap().digest(), whole);
}

/// docs/law.md names every instrument that has rules.
#[test]
fn the_documentation_names_every_instrument() {
    let text = include_str!("../../../docs/law.md");
    for (id, row) in Rulebook::builtin().instruments() {
        assert!(
            !row.built || text.contains(&format!("`{id}`")),
            "docs/law.md does not name `{id}`"
        );
    }
}
