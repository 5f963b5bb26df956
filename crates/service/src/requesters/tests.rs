use std::path::PathBuf;

use casework::sender::Likeness;

use super::*;

#[tokio::test]
async fn lists_are_hints_and_look_alikes_among_them_are_told() {
    let root = std::env::var_os("AMPARO_TESTDATA").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")),
        PathBuf::from,
    );
    if !root.join("requesters").exists() {
        println!("skipped: lists_are_hints_and_look_alikes_among_them_are_told (no test data)");
        return;
    }
    let mut hints = Hints::default();
    for (source, file) in [
        (Source::Dotgov, "requesters/dotgov.csv"),
        (Source::Government, "requesters/government-domains.txt"),
        (Source::Suffixes, "requesters/public_suffix_list.dat"),
        (Source::Courts, "courts/courts.json"),
    ] {
        assert!(hints.add(source, &root.join(file)).unwrap() > 1_000, "{file}");
    }
    assert!(
        hints
            .add(Source::Dotgov, &root.join("courts/courts.json"))
            .is_err()
    );
    assert_eq!(hints.court("Alabama Court of Civil Appeals"), Some("alacivapp"));
    assert!(
        hints
            .listed(&Domain::new("mail.fbi.gov").unwrap())
            .unwrap()
            .contains("Federal")
    );
    let dir = tempfile::tempdir().unwrap();
    let database = store::testkit::database(&dir.path().join("requesters.db")).await;
    let registry = Registry::new(RequesterStore::new(database), Arc::new(hints));
    for (domain, likeness) in [
        // Listed among governments, and a look-alike all the same.
        ("deutsche-polizei.eu", Some(Likeness::OfficialWords)),
        ("fbi-gov.com", Some(Likeness::AddedWords)),
        ("fbi.org", Some(Likeness::OtherSuffix)),
        ("xn--fb-ioc.gov", Some(Likeness::Confusable)),
        ("mail.fbi.gov", None),
        ("example.com", None),
    ] {
        let found = registry.look_at(domain).await.unwrap();
        assert_eq!(found.resembles.map(|found| found.likeness), likeness, "{domain}");
        assert_eq!(found.authority, None, "{domain}");
    }
}
