//! Who a message is from, and what becomes of it where that is doubtful.

use std::sync::Arc;

use casework::{
    case::Step,
    sender::{CheckedBy, Likeness, Verdict},
};
use serde_json::Value;
use store::requesters::{AuthorityRow, FactKind, FactRow, RequesterStore};

use crate::{
    app::tests::scene::{Scene, staff},
    mail::{
        MailDesk,
        authentic::{Checker, OurServers},
        postmark::Postmarks,
    },
    requesters::{Hints, Registry},
};

fn checker(results: Option<&str>) -> Checker {
    Checker::new(OurServers {
        results: results.map(str::to_owned),
        received_by: Vec::new(),
    })
}

#[tokio::test]
async fn only_our_own_servers_results_are_believed_and_without_them_nothing_passed() {
    let field = "Authentication-Results: mx.provider.example; spf=pass smtp.mailfrom=fbi.gov;\r\n dkim=pass header.d=fbi.gov; dmarc=pass header.from=fbi.gov\r\n";
    let received = "Received: from mail.fbi.gov by mx.provider.example; Mon, 1 Jan 2026 00:00:00 +0000\r\n";
    let rest = "From: Agent <agent@fbi.gov>\r\nSubject: x\r\n\r\nbody\r\n";
    let check = async |message: &str, ours| checker(ours).check(message.as_bytes(), None).await;
    let honest = format!("{received}{field}{rest}");
    let found = check(&honest, Some("mx.provider.example")).await;
    assert_eq!(
        (found.spf, found.dkim, found.dmarc),
        (Verdict::Pass, Verdict::Pass, Verdict::Pass)
    );
    assert_eq!(found.by, CheckedBy::OurMailServer);
    // Not configured, written under another name, or further down than our own server writes.
    for (message, ours) in [
        (honest.clone(), None),
        (honest.clone(), Some("mx.other.example")),
        (
            format!("{received}{received}{field}{rest}"),
            Some("mx.provider.example"),
        ),
    ] {
        let found = check(&message, ours).await;
        assert_eq!((found.dmarc, found.by), (Verdict::NotKnown, CheckedBy::Nobody));
    }
    // What passes for one domain says nothing of another, and two senders are none.
    let other = honest.replace("agent@fbi.gov", "agent@fbi-gov.example");
    assert_eq!(
        check(&other, Some("mx.provider.example")).await.dmarc,
        Verdict::Fail
    );
    let two = honest.replace("agent@fbi.gov>", "agent@fbi.gov>, judge@court.example");
    assert_eq!(check(&two, Some("mx.provider.example")).await.domain, None);
}

#[tokio::test]
async fn what_a_sender_writes_into_our_servers_field_is_no_result() {
    let checker = checker(Some("mx.provider.example"));
    let dmarc = async |results: &str| {
        let raw = message("agent@fbi.gov", results);
        checker.check(&raw, None).await.dmarc
    };
    for echoed in [
        r#"spf=none smtp.mailfrom="a; dmarc=pass"@evil.example"#,
        r#"spf=none (said \"); dmarc=pass" here; dmarc=pass) smtp.mailfrom=evil.example"#,
        r#"dmarc=fail header.from=fbi.gov; spf=none smtp.mailfrom="\"; dmarc=pass; x="@evil.example"#,
        "dmarc=fail header.from=fbi.gov; dmarc=pass header.from=fbi.gov",
        "dmarc=pass header.from=fbi.gov; dmarc=fail header.from=fbi.gov",
    ] {
        assert_ne!(dmarc(echoed).await, Verdict::Pass, "{echoed}");
    }
    assert_eq!(
        dmarc("spf=pass (a; b) smtp.mailfrom=fbi.gov; dmarc=pass (p=reject; sp=none) header.from=fbi.gov")
            .await,
        Verdict::Pass
    );
}

#[tokio::test]
async fn a_suspension_finds_every_case_of_an_address_though_one_was_noted_late_and_one_is_gone() {
    let scene = Scene::new().await;
    let registry = Arc::new(registry(&scene).await);
    let checker = checker(Some("mx.provider.example"));
    let desk = MailDesk::new(scene.desk.clone(), checker.clone(), Arc::clone(&registry));
    // Stopped after the check was durable and before the address was noted: the mail server sends it again.
    let raw = message("Brandt@XN--bcher-kva.example", "dmarc=none");
    let late = scene
        .desk
        .intake(&raw, casework::event::Channel::Email, None)
        .await
        .unwrap();
    scene
        .desk
        .check_sender(late.case, checker.check(&raw, None).await)
        .await
        .unwrap();
    assert_eq!(desk.take_in(&raw, None).await.unwrap().case, late.case);
    let gone = desk
        .take_in(&message("Brandt@XN--bcher-kva.example", "dmarc=none; x=1"), None)
        .await
        .unwrap();
    scene.desk.cases().erase(gone.case).await.unwrap();
    let reviewed = registry
        .suspend(
            &scene.desk,
            "brandt@b\u{fc}cher.example",
            "stolen",
            &staff("ruth"),
        )
        .await
        .unwrap();
    assert_eq!(reviewed.reopened, [late.case]);
    assert_eq!(reviewed.to_review, [gone.case]);
}

async fn registry(scene: &Scene) -> Registry {
    let database = store::testkit::database(&scene.dir.path().join("requesters.db")).await;
    Registry::new(RequesterStore::new(database), Arc::new(Hints::default()))
}

fn message(from: &str, results: &str) -> Vec<u8> {
    format!(
        "Received: from a by mx.provider.example\r\nAuthentication-Results: mx.provider.example; {results}\r\n\
         From: {from}\r\nSubject: urgent\r\n\r\nCall us back on +49 30 555 0100. {from}\r\n"
    )
    .into_bytes()
}

#[tokio::test]
async fn p07_what_fails_dmarc_goes_to_call_back_and_a_stolen_honest_account_meets_it_too() {
    let scene = Scene::new().await;
    let registry = registry(&scene).await;
    let row = AuthorityRow {
        id: "de-bka".to_owned(),
        name: "Bundeskriminalamt".to_owned(),
        country: "DE".to_owned(),
        kind: "police".to_owned(),
        added_at: scene.desk.now(),
        added_by: "ruth".to_owned(),
    };
    registry
        .add(row, "visited", "the federal directory")
        .await
        .unwrap();
    let fact = |kind, value: &str| FactRow {
        authority: "de-bka".to_owned(),
        kind,
        value: value.to_owned(),
        source: "the federal directory".to_owned(),
        added_at: scene.desk.now(),
        added_by: "ruth".to_owned(),
    };
    registry.add_fact(fact(FactKind::Domain, "bka.de")).await.unwrap();
    registry
        .add_fact(fact(FactKind::Number, "+49 611 55 0000"))
        .await
        .unwrap();
    scene.clock.advance(jiff::SignedDuration::from_secs(1));
    let registry = Arc::new(registry);
    let desk = MailDesk::new(
        scene.desk.clone(),
        checker(Some("mx.provider.example")),
        Arc::clone(&registry),
    );

    let honest = message("brandt@bka.de", "dmarc=pass header.from=bka.de");
    let stolen = desk.take_in(&honest, None).await.unwrap();
    let forged = desk
        .take_in(&message("brandt@bka.de", "dmarc=fail header.from=bka.de"), None)
        .await
        .unwrap();
    let alike = desk
        .take_in(
            &message("brandt@bka-auskunft.de", "dmarc=pass header.from=bka-auskunft.de"),
            None,
        )
        .await
        .unwrap();
    for (case, verdict, suspect, authority) in [
        (stolen.case, Verdict::Pass, false, Some("de-bka")),
        (forged.case, Verdict::Fail, true, Some("de-bka")),
        (alike.case, Verdict::Pass, true, None),
    ] {
        let check = scene.desk.sender(case).await.unwrap().unwrap();
        assert_eq!((check.dmarc, check.is_suspect()), (verdict, suspect));
        assert_eq!(check.authority.as_deref(), authority);
        let owed = scene.desk.case(case).await.unwrap().owed;
        assert!(owed.iter().any(|owed| owed.step == Step::CallBack), "{owed:?}");
    }
    let likeness = scene
        .desk
        .sender(alike.case)
        .await
        .unwrap()
        .unwrap()
        .resembles
        .unwrap();
    assert_eq!(
        (likeness.likeness, likeness.to.as_str()),
        (Likeness::AddedWords, "bka.de")
    );

    // The same bytes are the same case, with nothing recorded twice.
    let again = desk.take_in(&honest, None).await.unwrap();
    assert!(again.duplicate && again.case == stolen.case);
    assert_eq!(scene.desk.case(stolen.case).await.unwrap().events, 3);

    // A number that was registered when the message had come does not count, whatever the message says.
    let call = |number| crate::requesters::Call {
        case: stolen.case,
        authority: "de-bka",
        number,
        outcome: casework::facts::RequesterCheck::Confirmed,
        said: "it is theirs",
    };
    let by = casework::event::Actor::Staff(staff("ruth"));
    let unknown = registry
        .call_back(&scene.desk, call("+49 30 555 0100"), by.clone())
        .await;
    assert!(
        matches!(unknown, Err(crate::requesters::RegistryError::UnknownNumber(_))),
        "{unknown:?}"
    );
    for (later, number) in [(0, "+49 30 555 0100"), (60, "+49 228 99 7799")] {
        scene.clock.advance(jiff::SignedDuration::from_secs(later));
        registry.add_fact(fact(FactKind::Number, number)).await.unwrap();
        let since = registry.call_back(&scene.desk, call(number), by.clone()).await;
        assert!(
            matches!(since, Err(crate::requesters::RegistryError::RegisteredSince(_))),
            "{since:?}"
        );
    }
    registry
        .call_back(&scene.desk, call("+49 (611) 55-0000"), by)
        .await
        .unwrap();
    let owed = scene.desk.case(stolen.case).await.unwrap().owed;
    assert!(!owed.iter().any(|owed| owed.step == Step::CallBack), "{owed:?}");

    // Suspended: what was confirmed counts no more, and what comes later says so.
    let reviewed = registry
        .suspend(&scene.desk, "Brandt@bka.de", "stolen", &staff("ruth"))
        .await
        .unwrap();
    assert_eq!(reviewed.reopened.len(), 2);
    let owed = scene.desk.case(stolen.case).await.unwrap().owed;
    assert!(owed.iter().any(|owed| owed.step == Step::CallBack), "{owed:?}");
    let later = desk
        .take_in(
            &message("brandt@bka.de", "dmarc=pass header.from=bka.de; x=1"),
            None,
        )
        .await
        .unwrap();
    let check = scene.desk.sender(later.case).await.unwrap().unwrap();
    assert!(check.suspended.is_some() && check.is_suspect());
}

/// A program in the place of `amparo-postmark` that keeps what it is asked and answers as told.
fn impostor(dir: &std::path::Path, answer: &str) -> Postmarks {
    use std::os::unix::fs::PermissionsExt as _;
    let path = dir.join("postmark");
    let asked = dir.join("asked");
    std::fs::write(
        &path,
        format!("#!/bin/sh\ncat >{}\necho '{answer}'\n", asked.display()),
    )
    .unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
    Postmarks::at(path, vec!["192.0.2.53:53".parse().unwrap()])
}

#[tokio::test]
async fn a_check_of_our_own_stands_beside_the_mail_servers_and_the_worse_of_the_two_counts() {
    let dir = tempfile::tempdir().unwrap();
    let message = "Received: from out.bka.example (out.bka.example [203.0.113.9]) by mx.provider.example with ESMTPS;\r\n Mon, 1 Jan 2026 00:00:00 +0000\r\n\
        Authentication-Results: mx.provider.example; spf=pass; dkim=pass; dmarc=pass header.from=bka.example\r\n\
        From: a@bka.example\r\nSubject: x\r\n\r\nbody\r\n";
    let ours = |results: bool| OurServers {
        results: results.then(|| "mx.provider.example".to_owned()),
        received_by: vec!["mx.provider.example".to_owned()],
    };
    let answer = r#"{"spf":"pass","dkim":"fail","dmarc":"fail","arc":"none","from":"bka.example","remarks":["partly_signed"]}"#;
    let postmarks = impostor(dir.path(), answer);
    let checker = Checker::new(ours(true)).with(postmarks.clone());
    let found = checker.check(message.as_bytes(), Some("case@bka.example")).await;
    assert_eq!(
        (found.spf, found.dkim, found.dmarc, found.arc, found.by),
        (
            Verdict::Pass,
            Verdict::Fail,
            Verdict::Fail,
            Verdict::None,
            CheckedBy::Ourselves
        )
    );
    assert!(found.is_suspect());
    let remarks = found.remarks.join("; ");
    assert!(
        remarks.contains("DMARC passed at our mail server, and failed here"),
        "{remarks}"
    );
    assert!(remarks.contains("beginning of the text only"), "{remarks}");
    // What it was asked: the envelope as our own servers have it, and the message as it is.
    let asked = std::fs::read_to_string(dir.path().join("asked")).unwrap();
    let (question, body) = asked.split_once('\n').unwrap();
    let question: Value = serde_json::from_str(question).unwrap();
    assert_eq!(
        question,
        serde_json::json!({
            "mail_from": "case@bka.example", "peer": "203.0.113.9", "helo": "out.bka.example", "servers": ["192.0.2.53:53"],
        })
    );
    assert_eq!(body, message);
    // A stranger's `Received` says nothing of where it came from.
    let forged = "Received: from x.bka.example (x.bka.example [192.0.2.7]) by mx.provider.example; Mon, 1 Jan 2026 00:00:00 +0000\r\n";
    let below = message.replace("From: a@", &format!("{forged}From: a@"));
    Checker::new(ours(true))
        .with(postmarks.clone())
        .check(below.as_bytes(), None)
        .await;
    let asked = std::fs::read_to_string(dir.path().join("asked")).unwrap();
    assert!(asked.contains(r#""peer":"203.0.113.9""#), "{asked}");
    let strange = below.replacen("by mx.provider.example", "by mx.other.example", 1);
    let found = Checker::new(ours(false))
        .with(postmarks)
        .check(strange.as_bytes(), None)
        .await;
    assert_eq!(found.dmarc, Verdict::Fail);
    let asked = std::fs::read_to_string(dir.path().join("asked")).unwrap();
    assert!(
        asked.starts_with(r#"{"mail_from":"","peer":null,"helo":"""#),
        "{asked}"
    );

    // Without an answer nothing is gained and nothing lost.
    for postmarks in [
        impostor(dir.path(), "trust me"),
        Postmarks::at(dir.path().join("absent"), Vec::new()),
    ] {
        let found = Checker::new(ours(true))
            .with(postmarks.clone())
            .check(message.as_bytes(), None)
            .await;
        assert_eq!((found.dmarc, found.by), (Verdict::Pass, CheckedBy::OurMailServer));
        assert!(
            found
                .remarks
                .iter()
                .any(|remark| remark.contains("checks senders")),
            "{found:?}"
        );
        let found = Checker::new(ours(false))
            .with(postmarks)
            .check(message.as_bytes(), None)
            .await;
        assert_eq!((found.dmarc, found.by), (Verdict::NotKnown, CheckedBy::Nobody));
    }
}

#[tokio::test]
async fn what_we_find_counts_for_the_domain_that_is_shown_and_silence_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let message = "Received: from a by mx.provider.example\r\n\
        Authentication-Results: mx.provider.example; spf=pass; dkim=pass; dmarc=pass header.from=court.example\r\n\
        From: j@court.example\r\nSubject: x\r\n\r\nbody\r\n";
    let check = async |verdict: &str, from: &str, raw: &str| {
        let answer = format!(
            r#"{{"spf":"pass","dkim":"pass","dmarc":"{verdict}","arc":"none","from":{from},"remarks":["timed_out"]}}"#
        );
        checker(Some("mx.provider.example"))
            .with(impostor(dir.path(), &answer))
            .check(raw.as_bytes(), None)
            .await
    };
    let two_ways = "its From is read in two ways";
    let silent = "DMARC passed at our mail server, and is not known here";
    for (verdict, from, expected, by, remark) in [
        (
            "pass",
            r#""Court.example""#,
            Verdict::Pass,
            CheckedBy::Ourselves,
            "",
        ),
        (
            "pass",
            r#""attacker.example""#,
            Verdict::Fail,
            CheckedBy::Ourselves,
            two_ways,
        ),
        ("pass", "null", Verdict::Fail, CheckedBy::Ourselves, two_ways),
        (
            "fail",
            r#""attacker.example""#,
            Verdict::Fail,
            CheckedBy::Ourselves,
            two_ways,
        ),
        (
            "not_known",
            "null",
            Verdict::Pass,
            CheckedBy::OurMailServer,
            silent,
        ),
    ] {
        let found = check(verdict, from, message).await;
        assert_eq!((found.dmarc, found.by), (expected, by), "{found:?}");
        for said in [two_ways, silent] {
            assert_eq!(
                found.remarks.iter().any(|one| one == said),
                said == remark,
                "{found:?}"
            );
        }
        assert!(
            found
                .remarks
                .iter()
                .any(|one| one == "the name service did not answer in time"),
            "{found:?}"
        );
    }
    // Whose From may stand beyond what is looked at passes nothing, whoever says so.
    let padding = format!("X-Pad: {}\r\n", "a".repeat(1_000)).repeat(300);
    let long = message.replace(
        "Subject: x\r\n",
        &format!("{padding}From: x@attacker.example\r\n"),
    );
    for found in [
        check("pass", r#""court.example""#, &long).await,
        checker(Some("mx.provider.example"))
            .check(long.as_bytes(), None)
            .await,
    ] {
        let verdicts = [found.spf, found.dkim, found.dmarc, found.arc];
        assert!(!verdicts.contains(&Verdict::Pass), "{found:?}");
        assert_eq!(found.dmarc, Verdict::NotKnown);
        assert!(
            found.remarks.iter().any(|one| one.contains("its head is longer")),
            "{found:?}"
        );
    }
}

#[tokio::test]
async fn a_message_that_comes_again_is_not_checked_again() {
    let scene = Scene::new().await;
    let dir = tempfile::tempdir().unwrap();
    let answer =
        r#"{"spf":"none","dkim":"none","dmarc":"none","arc":"none","from":"bka.example","remarks":[]}"#;
    let checker = checker(Some("mx.provider.example")).with(impostor(dir.path(), answer));
    let desk = MailDesk::new(scene.desk.clone(), checker, Arc::new(registry(&scene).await));
    let raw = message("brandt@bka.example", "dmarc=none");
    let first = desk.take_in(&raw, None).await.unwrap();
    let asked = dir.path().join("asked");
    std::fs::remove_file(&asked).unwrap();
    let again = desk.take_in(&raw, None).await.unwrap();
    assert!(again.duplicate && again.case == first.case);
    assert!(!asked.exists());
}
