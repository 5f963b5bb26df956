//! A country that is not in the rulebook: a folder, laid beside the others, and no program.

use casework::{
    demand::Category,
    finding::DutyKind,
    rulebook::{InstrumentKind, Rulebook},
};
use serde_json::json;

use crate::{FILES, asks, judge, judge_by, known};

const TABLES: &str = r#"
[jurisdiction.zu]
title = "Zubrowka"
introduction = "Write to us in Lutz."

[instrument."zu.decree"]
name = "Decree of the High Bailiff"
basis = "Code of Inquiry art. 7"
country_list = "zu.cantons"
issuers = ["court"]
validators = ["prosecutor"]
categories = ["subscriber", "traffic"]
gag = "court_order"
calendar = "zu"
from = "2026-02-01"
verified_on = "2026-11-21"
source = "memory"

[instrument."zu.ear"]
name = "Order to listen"
basis = "Code of Inquiry art. 30"
kind = "interception"
groups = ["own_redirect"]
countries = ["TV"]
calendar = "zu"
verified_on = "2026-11-21"

[clock."zu.three_market_days"]
kind = "deadline"
start = "service"
working_days = 3

[list."zu.cantons"]
title = "The cantons"
citation = "Constitution art. 2"
verified_on = "2026-11-21"
entries = [{ country = "TV" }, { country = "NR", from = "2026-06-01" }]

[fact."zu.amnesty"]
title = "The amnesty runs"
citation = "Act of Grace"
verified_on = "2026-11-21"
spans = [{ from = "2026-09-01", until = "2026-09-30" }, { from = "2026-12-01" }]

[calendar.zu]
place = "Lutz"
zone = "ZUT-2"
weekend = ["thu", "fri"]
citation = "Calendar Act"
verified_on = "2026-11-21"
"#;

const RULES: &str = r#"
@id("zu.decree.issuer")
@effect("bar")
@promise("P5")
@citation("Code of Inquiry art. 7")
@explanation("Only the High Bailiff decrees.")
@source("memory")
@verified_on("2026-11-21")
permit (principal, action, resource == Instrument::"zu.decree")
unless { context.issuer.fits };

@id("zu.decree.category")
@effect("bar")
@promise("P5")
@citation("Code of Inquiry art. 7")
@explanation("A decree does not reach this.")
@source("memory")
@verified_on("2026-11-21")
permit (principal, action, resource == Instrument::"zu.decree")
unless { context.category_fits };

@id("zu.decree.amnesty")
@effect("ground")
@promise("P11")
@citation("Act of Grace")
@explanation("The amnesty runs, and ends inquiries.")
@source("memory")
@verified_on("2026-11-21")
permit (principal, action, resource == Instrument::"zu.decree")
when { context.facts.contains(Fact::"zu.amnesty") };

@id("zu.decree.answer_by")
@effect("clock")
@clock("zu.three_market_days")
@promise("P14")
@citation("Code of Inquiry art. 9")
@explanation("Answer within three market days.")
@source("memory")
@verified_on("2026-11-21")
permit (principal, action, resource == Instrument::"zu.decree");
"#;

const EXAMPLES: &str = r#"
as_of = "2026-11-21"
[demand]
schema = "amparo.demand/1"
instrument = "zu.decree"
served_at = "2026-11-03T08:00:00Z"
requester = { authority = "High Bailiff", country = "TV", kind = "court" }
subjects = [{ type = "account", value = "alice" }]
categories = ["subscriber"]
showing = { signed = true }
[[example]]
name = "a decree"
on_its_face = true
present = ["zu.decree.answer_by"]
absent = ["zu.decree.issuer", "zu.decree.category", "zu.decree.amnesty"]
releasable = ["subscriber"]
[[example]]
name = "traffic"
on_its_face = true
set = { categories = ["traffic", "content"] }
present = ["zu.decree.category"]
releasable = ["traffic"]
[[example]]
name = "the bailiff's clerk, under the amnesty"
on_its_face = true
as_of = "2026-12-01"
set = { "requester.kind" = "agency" }
present = ["zu.decree.issuer", "zu.decree.amnesty"]
releasable = []
[[example]]
name = "to listen"
on_its_face = true
set = { instrument = "zu.ear", categories = ["realtime"] }
absent = ["zu.decree.*"]
releasable = []
"#;

fn with_zubrowka() -> Rulebook {
    let mut files: Vec<(String, Vec<u8>)> =
        FILES.iter().map(|(p, b)| ((*p).to_owned(), b.to_vec())).collect();
    for (path, text) in [
        ("zu/tables.toml", TABLES),
        ("zu/decree.cedar", RULES),
        ("zu/examples/decree.toml", EXAMPLES),
    ] {
        files.push((path.to_owned(), text.as_bytes().to_vec()));
    }
    Rulebook::load(&files).unwrap()
}

#[test]
fn a_new_folder_is_a_new_country() {
    let rulebook = with_zubrowka();
    assert_eq!(rulebook.check_examples(), []);
    let decree =
        |country: &str, kind: &str, with| asks("zu.decree", country, kind, &["subscriber", "content"], with);
    let facts = known("TV", json!({}));
    let judged = judge_by(&rulebook, &decree("TV", "court", json!({})), &facts, "2026-11-21");
    assert_eq!(judged.releases(), [Category::Subscriber]);
    assert!(judged.owes(DutyKind::NotifyTenant) && judged.owes(DutyKind::Redirect));
    // Served on Wednesday 7 October: Thursday and Friday are the weekend there.
    assert_eq!(judged.falls("zu.decree.answer_by").unwrap(), "2026-10-12");
    let validated =
        json!({ "issuer": { "kind": "agency", "name": "a clerk", "validated_by": "prosecutor" } });
    for (demand, as_of, releases) in [
        (decree("TV", "agency", validated), "2026-11-21", true),
        (decree("TV", "agency", json!({})), "2026-11-21", false),
        (decree("NR", "court", json!({})), "2026-05-31", false),
        (decree("NR", "court", json!({})), "2026-06-01", true),
        (decree("DE", "court", json!({})), "2026-11-21", false),
        (decree("TV", "court", json!({})), "2026-01-31", false),
        (decree("TV", "court", json!({})), "2026-02-01", true),
    ] {
        let judged = judge_by(&rulebook, &demand, &facts, as_of);
        assert_eq!(!judged.releases().is_empty(), releases, "{demand} on {as_of}");
    }
    for (as_of, runs) in [
        ("2026-08-31", false),
        ("2026-09-01", true),
        ("2026-10-01", false),
        ("2026-12-01", true),
    ] {
        let judged = judge_by(&rulebook, &decree("TV", "court", json!({})), &facts, as_of);
        assert_eq!(judged.finds("zu.decree.amnesty"), runs, "{as_of}");
    }
    let listen = asks("zu.ear", "TV", "court", &["realtime", "content"], json!({}));
    assert!(judge_by(&rulebook, &listen, &facts, "2026-11-21").finds("any.course.interception"));
    assert_eq!(
        rulebook.course(&"zu.ear".parse().unwrap()),
        InstrumentKind::Interception
    );
    assert!(
        rulebook
            .what_we_need()
            .contains("## Zubrowka\n\nWrite to us in Lutz.")
    );
}

#[test]
fn without_its_folder_the_country_is_unknown() {
    let decree = asks("zu.decree", "TV", "court", &["subscriber"], json!({}));
    let judged = judge(&decree, &known("TV", json!({})), "2026-11-21");
    assert!(judged.finds("any.process.unknown_instrument") && judged.releases().is_empty());
}
