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
requester = { authority = "Court", country = "TV", kind = "court" }
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
        (
            "basis = \"Code 1\"",
            "basis = \"Code 1\"\nfrom = \"2026-02-01\"\nuntil = \"2026-01-31\"",
            "`until` comes before `from`",
        ),
        (
            "[calendar.\"zz\"]",
            "[list.\"zz\"]\ntitle = \"t\"\ncitation = \"c\"\nverified_on = \"2026-11-21\"\nentries = [{ country = \"TV\", \
             from = \"2026-02-01\", until = \"2026-01-31\" }]\n[calendar.\"zz\"]",
            "`list zz, country TV`: `until` comes before `from`",
        ),
        (
            "[calendar.\"zz\"]",
            "[list.\"zz\"]\ntitle = \"t\"\ncitation = \"c\"\nverified_on = \"2026-11-21\"\nentries = [{ country = \"TV\", \
             until = \"2026-01-31\" }, { country = \"TV\", from = \"2026-01-31\" }]\n[calendar.\"zz\"]",
            "`list zz, country TV`: two of its periods overlap",
        ),
        (
            "[calendar.\"zz\"]",
            "[fact.\"zz\"]\ntitle = \"t\"\ncitation = \"c\"\nverified_on = \"2026-11-21\"\nspans = [{ from = \"2026-01-01\" }, \
             { from = \"2027-01-01\" }]\n[calendar.\"zz\"]",
            "`fact zz`: two of its periods overlap",
        ),
        (
            "context.issuer.fits",
            "context.facts.contains(Fact::\"zz\")",
            "Fact `zz` is in no table",
        ),
        (
            "@source(\"primary\")",
            "@source(\"primary\")\n@from(\"2026-02-01\")\n@until(\"2026-01-31\")",
            "it is never law",
        ),
        (
            "basis = \"Code 1\"",
            "basis = \"Code 1\"\nbuilt = false",
            "out of reach: no instrument that has rules",
        ),
        (
            "basis = \"Code 1\"",
            "basis = \"Code 1\"\nkind = \"interception\"",
            "only an instrument of kind `disclosure` can reach any",
        ),
        (
            "basis = \"Code 1\"",
            "basis = \"Code 1\"\npending = true\nfrom = \"2026-01-01\"",
            "no day is known yet",
        ),
        (
            "basis = \"Code 1\"",
            "basis = \"Code 1\"\ncountry_list = \"zz.none\"",
            "list `zz.none` is in no table",
        ),
        (
            "[calendar.\"zz\"]",
            "[clock.\"zz\"]\nkind = \"deadline\"\nstart = \"service\"\ndays = 1\nhours = 1\n[calendar.\"zz\"]",
            "one of them",
        ),
        (
            "[calendar.\"zz\"]",
            "[work.\"Statute Book\"]\ntitle = \"t\"\nwhere = \"w\"\n[calendar.\"zz\"]",
            "it cites `Code 1`, and no table of works has that",
        ),
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

/// The rule once more, under another id and with another effect.
fn beside(id: &str, effect: &str) -> Vec<(String, Vec<u8>)> {
    let rule = RULE
        .replace("zz.decree.issuer", id)
        .replace("@effect(\"bar\")", effect);
    let mut files = files();
    files.push(("zz/more.cedar".to_owned(), rule.into_bytes()));
    files
}

#[test]
fn rules_that_contradict_each_other_are_refused() {
    let refused = |files: &[(String, Vec<u8>)]| match Rulebook::load(files) {
        Ok(_) => "loaded".to_owned(),
        Err(error) => error.to_string(),
    };
    let again = refused(&beside("zz.decree.signer", "@effect(\"bar\")"));
    assert!(
        again.contains("a second bar, under the same condition as `zz.decree.issuer`"),
        "{again}"
    );
    let mut opposite = beside("zz.decree.tell", "@effect(\"duty\")\n@duty(\"notify_tenant\")");
    let hush = beside(
        "zz.decree.hush",
        "@effect(\"duty\")\n@duty(\"do_not_tell_tenant\")",
    );
    opposite.push(("zz/hush.cedar".to_owned(), hush.last().unwrap().1.clone()));
    let opposite = refused(&opposite);
    assert!(
        opposite.contains("the opposite duty, under the same condition"),
        "{opposite}"
    );
    // A bar, and a ground for the same reason, are no contradiction.
    assert_eq!(
        refused(&beside("zz.decree.challenge", "@effect(\"ground\")")),
        "loaded"
    );
}

#[test]
fn contradictions_that_only_an_example_shows_are_found() {
    let rule = |id: &str, duty: &str, when: &str| {
        let text = RULE.replace("zz.decree.issuer", id);
        let text = text.replace(
            "@effect(\"bar\")",
            &format!("@effect(\"duty\")\n@duty(\"{duty}\")"),
        );
        text.replace("unless { context.issuer.fits };", &format!("when {{ {when} }};"))
    };
    let mut files = files();
    files.push((
        "zz/tell.cedar".to_owned(),
        rule("zz.tell", "notify_tenant", "!context.issuer.title_given").into_bytes(),
    ));
    files.push((
        "zz/hush.cedar".to_owned(),
        rule(
            "zz.hush",
            "do_not_tell_tenant",
            "context.showing.signed || !context.showing.signed",
        )
        .into_bytes(),
    ));
    let failures = Rulebook::load(&files).unwrap().check_examples();
    let found = failures
        .iter()
        .any(|failure| failure.reason.contains("contradict each other"));
    assert!(found, "{failures:?}");
}

#[test]
fn an_instrument_that_no_example_accepts_or_refuses_is_found() {
    let without = |from: &str, to: &str| {
        let files: Vec<_> = files()
            .into_iter()
            .map(|(path, bytes)| {
                (
                    path,
                    String::from_utf8(bytes).unwrap().replace(from, to).into_bytes(),
                )
            })
            .collect();
        let failures = Rulebook::load(&files).unwrap().check_examples();
        failures
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("\n")
    };
    assert!(
        without(
            "name = \"a court\"",
            "name = \"a court\"\nset = { categories = [] }"
        )
        .contains("no example in which something is released")
    );
    assert!(
        without("set = { \"requester.kind\" = \"police\" }", "")
            .contains("no example in which something is refused")
    );
}

/// What a rule cites is explained with its full title and where to read it.
#[test]
fn every_citation_leads_to_a_work() {
    let rulebook = Rulebook::builtin();
    for rule in rulebook.rules() {
        assert!(
            rulebook.works(&rule.citation).next().is_some(),
            "`{}` cites `{}`",
            rule.id,
            rule.citation
        );
    }
    let (_, work) = rulebook.works("18 U.S.C. 2703(d)").next().unwrap();
    assert!(work.title.contains("Title 18") && work.place.starts_with("https://"));
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
    assert!(
        check(
            "set = { \"requester.kind\" = \"police\" }\npresent = [\"zz.decree.issuer\"]\nreleasable = []",
            "present = [\"zz.decree.issuer\"]"
        )
        .contains("should be found and is not")
    );
    assert!(
        check(
            "present = [\"zz.decree.issuer\"]\nreleasable = []",
            "releasable = [\"content\"]"
        )
        .contains("and `zz.decree.issuer` bars that: one contradicts the other")
    );
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
