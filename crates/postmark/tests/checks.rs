//! Verdicts on messages, against recorded answers of the name service.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test"
)]

mod football;

use std::net::IpAddr;

use football::{MESSAGE, RECORDS};
use postmark::{Answer, Names, Question, Remark, SIGNATURES_MAX, Verdict, Zone, check};

fn zone() -> Zone {
    RECORDS
        .iter()
        .fold(Zone::default(), |zone, (name, text)| zone.txt(name, text))
}

fn from(peer: &str) -> Question {
    Question {
        mail_from: "joe@football.example.com".to_owned(),
        peer: Some(peer.parse::<IpAddr>().unwrap()),
        helo: "mail.football.example.com".to_owned(),
        servers: Vec::new(),
    }
}

fn ask(zone: Zone, question: &Question, message: &str) -> Answer {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let names = Names::recorded(zone).unwrap();
        check(&names, question, message.as_bytes()).await
    })
}

fn verdicts(answer: &Answer) -> [Verdict; 4] {
    [answer.spf, answer.dkim, answer.dmarc, answer.arc]
}

#[test]
fn a_signed_message_passes_and_a_forged_one_fails() {
    use Verdict::{Fail, None, NotKnown, Pass};
    let unsigned = &MESSAGE[MESSAGE.find("From:").unwrap()..];
    let altered = MESSAGE.replace("lost the game", "won the game");
    let other = MESSAGE.replace(
        "From: Joe SixPack <joe@football",
        "From: Joe SixPack <joe@baseball",
    );
    let home = from("192.0.2.7");
    let away = from("203.0.113.9");
    let cases = [
        ("as it was sent", MESSAGE, &home, [Pass, Pass, Pass, None]),
        // Forwarded: the signature alone speaks for it.
        ("by another way", MESSAGE, &away, [Fail, Pass, Pass, None]),
        // Unsigned, from where it may come: the sender's policy alone.
        ("unsigned", unsigned, &home, [Pass, None, Pass, None]),
        (
            "unsigned, from elsewhere",
            unsigned,
            &away,
            [Fail, None, Fail, None],
        ),
        (
            "altered, from elsewhere",
            &altered,
            &away,
            [Fail, Fail, Fail, None],
        ),
        // Whose `From` it is, and whose signature, are two things. The other publishes nothing.
        ("of another domain", &other, &home, [Pass, Fail, None, None]),
        (
            "from nowhere",
            MESSAGE,
            &Question::default(),
            [NotKnown, Pass, Pass, None],
        ),
        (
            "unsigned, from nowhere",
            unsigned,
            &Question::default(),
            [NotKnown, None, NotKnown, None],
        ),
    ];
    for (name, message, question, expected) in cases {
        let answer = ask(zone(), question, message);
        assert_eq!(verdicts(&answer), expected, "{name}: {answer:?}");
        assert_eq!(
            answer.remarks.contains(&Remark::NoPeer),
            question.peer.is_none(),
            "{name}"
        );
    }
}

#[test]
fn no_answer_is_neither_a_pass_nor_a_failure() {
    use Verdict::{Fail, None, NotKnown};
    let away = from("203.0.113.9");
    let silent = RECORDS
        .iter()
        .fold(Zone::default(), |zone, (name, _)| zone.failing(name));
    assert_eq!(
        verdicts(&ask(silent, &away, MESSAGE)),
        [NotKnown, NotKnown, NotKnown, None]
    );
    // Only the key does not come: it may be good.
    let keyless = zone().failing(RECORDS[0].0);
    assert_eq!(
        verdicts(&ask(keyless, &away, MESSAGE)),
        [Fail, NotKnown, NotKnown, None]
    );
    // It comes, and there is none.
    let revoked = zone().txt(RECORDS[0].0, "v=DKIM1; k=ed25519; p=");
    assert_eq!(verdicts(&ask(revoked, &away, MESSAGE)), [Fail, Fail, Fail, None]);
    let nobody = ask(Zone::default(), &away, MESSAGE);
    assert_eq!(verdicts(&nobody), [None, Fail, None, None]);
}

#[test]
fn what_is_no_message_or_too_much_of_one_is_not_checked() {
    let home = from("192.0.2.7");
    let signature = &MESSAGE[..MESSAGE.find("From:").unwrap()];
    let many = format!("{}{MESSAGE}", signature.repeat(SIGNATURES_MAX));
    let answer = ask(zone(), &home, &many);
    assert_eq!(verdicts(&answer), [Verdict::NotKnown; 4]);
    assert_eq!(answer.remarks, [Remark::ManySignatures]);
    let answer = ask(zone(), &home, "");
    assert_eq!(verdicts(&answer), [Verdict::NotKnown; 4]);
    // From two domains at once: no policy speaks for it.
    let two = MESSAGE.replace(
        "From: Joe SixPack <joe@football.example.com>",
        "From: a@football.example.com, b@other.example",
    );
    let answer = ask(zone(), &home, &two);
    assert_ne!(answer.dmarc, Verdict::Pass);
    assert_eq!(answer.from, None);
}

#[test]
fn the_domain_that_was_judged_is_named() {
    let home = from("192.0.2.7");
    let named = |from: &str| {
        let message = MESSAGE.replace("From: Joe SixPack <joe@football.example.com>", from);
        ask(zone(), &home, &message).from
    };
    let football = Some("football.example.com".to_owned());
    assert_eq!(named("From: Joe SixPack <joe@football.example.com>"), football);
    assert_eq!(named("From: Joe <JOE@Football.Example.COM>"), football);
    // Two people of one domain; what looks like an address and is a name; what publishes nothing.
    assert_eq!(
        named("From: a@football.example.com, b@football.example.com"),
        football
    );
    assert_eq!(
        named("From: \"a@court.example\" <joe@football.example.com>"),
        football
    );
    assert_eq!(named("From: a@court.example"), Some("court.example".to_owned()));
    for nobody in [
        "Subject: none",
        "From: undisclosed",
        "From: a@football.example.com\r\nFrom: b@court.example",
        &format!("From: a@{}", "a.".repeat(200)),
    ] {
        assert_eq!(named(nobody), None, "{nobody}");
    }
}

#[test]
fn an_answer_is_written_as_its_readers_read_it() {
    let late = serde_json::json!({
        "spf": "not_known", "dkim": "not_known", "dmarc": "not_known", "arc": "not_known",
        "from": null, "remarks": ["timed_out"],
    });
    assert_eq!(serde_json::to_value(Answer::timed_out()).unwrap(), late);
}
