use super::*;

const SUFFIXES: &str = "// ===BEGIN===\ncom\neu\nde\ngov\norg\nuk\nco.uk\ngov.uk\nck\n*.ck\n!www.ck\n";

fn domain(text: &str) -> Domain {
    Domain::new(text).unwrap()
}

fn judged(text: &str) -> Option<(Likeness, String)> {
    let known = [
        "fbi.gov",
        "polizei.de",
        "bundespolizei.de",
        "nysd.uscourts.gov",
        "met.police.uk",
        "justice.gov",
        "oakland.gov",
    ]
    .map(domain);
    resemblance(&domain(text), &known, &Suffixes::read(SUFFIXES)).map(|found| (found.likeness, found.to))
}

#[test]
fn what_looks_like_a_known_domain_is_told_and_the_known_one_is_not() {
    use Likeness::*;
    for (text, likeness, to) in [
        ("fb\u{456}.gov", Confusable, "fbi.gov"),
        ("fb1.gov", Confusable, "fbi.gov"),
        ("p\u{43e}lizei.de", Confusable, "polizei.de"),
        ("fbi.gov.case-desk.com", Embedded, "fbi.gov"),
        ("fbi.org", OtherSuffix, "fbi.gov"),
        ("polizei.eu", OtherSuffix, "polizei.de"),
        ("deutsche-polizei.eu", AddedWords, "polizei.de"),
        ("fbi-gov.com", AddedWords, "fbi.gov"),
        ("fbigov.com", AddedWords, "fbi.gov"),
        ("justice-requests.com", AddedWords, "justice.gov"),
        ("bundespolzei.de", NearMiss, "bundespolizei.de"),
        ("oaklnad.gov", NearMiss, "oakland.gov"),
        ("court-orders.com", OfficialWords, "court"),
    ] {
        assert_eq!(judged(text), Some((likeness, to.to_owned())), "{text}");
    }
    for honest in [
        "fbi.gov",
        "mail.fbi.gov",
        "polizei.de",
        "example.com",
        "schule.de",
        "nyed.uscourts.gov",
        "hhs.gov",
    ] {
        assert_eq!(judged(honest), None, "{honest}");
    }
}

#[test]
fn what_was_registered_follows_the_list() {
    let suffixes = Suffixes::read(SUFFIXES);
    let of = |text: &str| {
        suffixes
            .registered(&domain(text))
            .map(|found| found.domain.to_owned())
    };
    assert_eq!(of("a.b.example.co.uk").as_deref(), Some("example.co.uk"));
    assert_eq!(of("example.unlisted").as_deref(), Some("example.unlisted"));
    assert_eq!(of("a.b.c.ck").as_deref(), Some("b.c.ck"));
    assert_eq!(of("x.www.ck").as_deref(), Some("www.ck"));
    assert_eq!(of("gov.uk"), None);
}

proptest::proptest! {
    #[test]
    fn arbitrary_names_never_panic(text in ".{0,80}", list in ".{0,80}") {
        if let Ok(domain) = Domain::new(&text) {
            let known = [Domain::new("fbi.gov").unwrap()];
            let _ = resemblance(&domain, &known, &Suffixes::read(&list));
        }
        let _ = Domain::of_address(&text);
    }
}
