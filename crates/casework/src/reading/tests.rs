use super::*;

fn plain(text: &str) -> Text<'_> {
    Text {
        text,
        form: Form::Plain,
        part: 0,
        page: None,
    }
}

fn values(text: &str, kind: Kind) -> Vec<String> {
    let found = find(&plain(text));
    found
        .into_iter()
        .filter(|found| found.kind == kind)
        .map(|found| found.value)
        .collect()
}

#[test]
fn a_letter_yields_citations_numbers_days_and_identifiers_with_their_place() {
    let letter = "Superior Court of California\nCase No.: 23-CR-1187\n\
        Search warrant issued March 3, 2026 under 18 U.S.C. § 2703(c)(1) and Fed. R. Crim. P. 41(e)(2) for \
        jane.doe@example.com, +1 (415) 555-0132, 203.0.113.7 and 2001:db8::17, IMEI: 490154203237518.\n\
        You are commanded not to disclose this order, 18 U.S.C. 2705(b). Gemäß §§ 94, 98 StPO, Az.: 123 Js 456/26, \
        vom 21.10.2026. Regulation (EU) 2023/1543. On 3/4/2026; 12/25/2025.";
    assert_eq!(
        values(letter, Kind::Citation),
        [
            "18 U.S.C. 2703(c)(1)",
            "Fed. R. Crim. P. 41(e)(2)",
            "18 U.S.C. 2705(b)",
            "§§ 94, 98 StPO",
            "Regulation (EU) 2023/1543"
        ]
    );
    assert_eq!(
        values(letter, Kind::Date),
        [
            "2026-03-03",
            "2026-10-21",
            "2026-03-04 or 2026-04-03",
            "2025-12-25"
        ]
    );
    assert_eq!(values(letter, Kind::EmailAddress), ["jane.doe@example.com"]);
    assert_eq!(values(letter, Kind::IpAddress), ["203.0.113.7", "2001:db8::17"]);
    assert_eq!(values(letter, Kind::Device), ["IMEI 490154203237518"]);
    assert!(values(letter, Kind::Phone).contains(&"+14155550132".to_owned()));
    let dockets = values(letter, Kind::DocketNumber);
    assert!(dockets.contains(&"23-CR-1187".to_owned()), "{dockets:?}");
    assert!(dockets.contains(&"123 Js 456/26".to_owned()), "{dockets:?}");
    assert!(!values(letter, Kind::Secrecy).is_empty());
    assert_eq!(values(letter, Kind::Court), ["Superior Court of California"]);
    for found in find(&plain(letter)) {
        let words = letter.get(found.place.start..found.place.end).unwrap();
        assert_eq!(
            words.split_whitespace().collect::<Vec<_>>().join(" "),
            found.words
        );
    }
}

#[test]
fn markup_hides_no_words_and_places_lead_back_into_it() {
    let html = "<style>18 U.S.C. 1</style><p>Under <b>18&nbsp;U.S.C.</b>\n&sect;&nbsp;2703(d) &amp; more</p>\
        <!-- 18 U.S.C. 3 --> <a href='https://x.example/?a=1&amp;b=2'>there</a> 1 < 2 &bogus; <";
    let text = Text {
        form: Form::Html,
        part: 3,
        ..plain(html)
    };
    let found = find(&text);
    let citations: Vec<_> = found
        .iter()
        .filter(|found| found.kind == Kind::Citation)
        .collect();
    assert_eq!(citations.len(), 1, "{found:?}");
    assert_eq!(citations[0].value, "18 U.S.C. 2703(d)");
    assert_eq!(citations[0].place.part, 3);
    let source = &html[citations[0].place.start..citations[0].place.end];
    assert!(
        source.starts_with("18&nbsp;U.S.C.") && source.ends_with("2703(d)"),
        "{source}"
    );
    let flat = Flat::of(html, Form::Html);
    assert!(flat.text().contains("1 < 2 &bogus; <"), "{}", flat.text());
    assert_eq!(
        flat.links_within(0, flat.text().len()).next().unwrap().to,
        "https://x.example/?a=1&b=2"
    );
}

#[test]
fn a_host_that_only_looks_like_a_courts_is_no_court() {
    let notice_at = |host: &str| {
        let text = format!(
            "Case Name: A v. B\nCase Number: 1:20-cv-00001-XY https://{host}/cgi-bin/DktRpt.pl?17\nDocument Number: 4\n"
        );
        notice(&plain(&text))
    };
    let real = notice_at("ecf.nysd.uscourts.gov").unwrap();
    assert_eq!(real.court_id.as_deref(), Some("nysd"));
    assert_eq!(real.dockets[0].docket_number, "1:20-cv-00001");
    assert_eq!(notice_at("ecf.nysd.uscourts.gov.example.com"), None);
    assert_eq!(notice_at("ecf-nysd.uscourts.gov"), None);
}

proptest::proptest! {
    #[test]
    fn arbitrary_text_never_panics(text in "(?s).{0,400}", html in proptest::bool::ANY) {
        let text = Text { text: &text, form: if html { Form::Html } else { Form::Plain }, part: 1, page: Some(2) };
        for found in find(&text) {
            proptest::prop_assert!(text.text.get(found.place.start..found.place.end).is_some());
        }
        let _ = notice(&text);
    }

    #[test]
    fn arbitrary_markup_never_panics(pieces in proptest::collection::vec(
        proptest::sample::select(vec!["<", ">", "a ", "href=", "'", "\"", "&", "#x41;", "nbsp", "<!--", "-->", "<style",
            "</style>", "Case Number:", "Case Name:", "Document Number:", "1:20-cv-1", "https://ecf.nysd.uscourts.gov/doc1/0111?caseid=1&",
            "é", "\n", "18 U.S.C. §", "2703(d)", "filed on 1/2/2020"]), 0..40))
    {
        let joined = pieces.concat();
        for form in [Form::Plain, Form::Html] {
            let text = Text { text: &joined, form, part: 0, page: None };
            for found in find(&text) {
                proptest::prop_assert!(joined.get(found.place.start..found.place.end).is_some());
            }
            let _ = notice(&text);
        }
    }
}

#[test]
fn two_megabytes_of_hostile_markup_are_read_in_a_moment() {
    for piece in [
        "<a href='",
        "<a =\"",
        "&",
        "<style>",
        "<!--",
        "Case Number:",
        "<",
        "a@",
        "1.1.1.1.",
        "+1(((",
        "§§ 1,",
    ] {
        let text = piece.repeat(TEXT_BYTES_MAX / piece.len());
        for form in [Form::Plain, Form::Html] {
            let text = Text {
                text: &text,
                form,
                part: 0,
                page: None,
            };
            let _ = (find(&text).len(), notice(&text).is_some());
        }
    }
}
