//! Policy files: the specification's rules one by one.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test says what is wrong by failing, and reads the vectors itself"
)]

mod fixture;

use translog::{
    note::KeyKind,
    policy::{LineFault, NotWitnessed, Policy, PolicyError},
};

fn log(seed: u8) -> String {
    fixture::key("log.example", KeyKind::Log, seed)
        .verifier()
        .to_string()
}
fn witness(seed: u8) -> String {
    fixture::key(&format!("w{seed}.example"), KeyKind::Witness, seed)
        .verifier()
        .to_string()
}
fn fault(text: &str) -> LineFault {
    match Policy::parse(text) {
        Err(PolicyError::Line { fault, .. }) => fault,
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn the_specifications_example_reads() {
    let mut text = format!("# two groups\n\nlog {} https://log.example/\n", log(1));
    for n in 0..3 {
        text += &format!("witness X{n} {}\n", witness(10 + n));
        text += &format!("\twitness  Y{n}\t{} https://w.example/ \n", witness(20 + n));
    }
    text += "group X-witnesses 2 X0 X1 X2\ngroup Y-witnesses any Y0 Y1 Y2\n";
    text += "group X-and-Y all X-witnesses Y-witnesses\nquorum X-and-Y\n";
    let policy = Policy::parse(&text).unwrap();
    assert_eq!(policy.as_str(), text);
    assert_eq!((policy.logs().len(), policy.witnesses().len()), (1, 6));
    assert_eq!(policy.witnesses()[1].url.as_deref(), Some("https://w.example/"));
    assert!(policy.asks_for_witnesses());
}

#[test]
fn each_rule_has_its_refusal() {
    let (a, b, l) = (witness(1), witness(2), log(3));
    let head = format!("witness a {a}\nwitness b {b}\n");
    assert_eq!(Policy::parse(&head), Err(PolicyError::NoQuorum));
    assert_eq!(Policy::parse("quorum none"), Err(PolicyError::NoNewline));
    assert!(Policy::parse("quorum none\n").is_ok());
    assert_eq!(fault("quorum a\n"), LineFault::UnknownName("a".into()));
    assert_eq!(
        fault(&format!("{head}quorum a\nquorum b\n")),
        LineFault::SecondQuorum
    );
    assert_eq!(fault(&format!("{head}witness c {a}\n")), LineFault::DuplicateKey);
    assert_eq!(
        fault(&format!("witness a {a}\nwitness a {b}\n")),
        LineFault::DuplicateName("a".into())
    );
    assert_eq!(
        fault(&format!("witness none {a}\n")),
        LineFault::DuplicateName("none".into())
    );
    assert_eq!(fault(&format!("log {l}\nlog {l}\n")), LineFault::DuplicateKey);
    assert_eq!(fault(&format!("log {a}\n")), LineFault::KeyKind);
    assert_eq!(fault(&format!("witness x {l}\n")), LineFault::KeyKind);
    assert_eq!(
        fault(&format!("{head}group g 0 a b\n")),
        LineFault::Threshold("0".into())
    );
    assert_eq!(
        fault(&format!("{head}group g 3 a b\n")),
        LineFault::Threshold("3".into())
    );
    assert_eq!(
        fault(&format!("{head}group g 02 a b\n")),
        LineFault::Threshold("02".into())
    );
    assert_eq!(
        fault(&format!("{head}group g any a a\n")),
        LineFault::MemberTwice("a".into())
    );
    let twice = format!("{head}group g any a\ngroup h any a b\n");
    assert_eq!(fault(&twice), LineFault::MemberTwice("a".into()));
    assert_eq!(
        fault(&format!("{head}group g any none\n")),
        LineFault::UnknownName("none".into())
    );
    for line in [
        "group g any",
        "quorum",
        "log",
        "witness a",
        "mirror x",
        "quorum a b",
        "LOG x",
    ] {
        assert_eq!(fault(&format!("{line}\n")), LineFault::Form, "{line}");
    }
    assert_eq!(fault("quorum none\r\n"), LineFault::ControlCharacter);
    assert!(matches!(fault("log nonsense\n"), LineFault::Key(_)));
    // A key under another's id, and a type that cannot be checked here.
    assert!(matches!(
        fault(&format!("log {}\n", l.replace("log.example", "log2.example"))),
        LineFault::Key(_)
    ));
}

#[test]
fn limits_hold() {
    let many = |count: u8| -> String {
        (1..=count)
            .map(|n| format!("witness w{n} {}\n", witness(n)))
            .collect()
    };
    assert!(Policy::parse(&format!("{}quorum none\n", many(64))).is_ok());
    assert_eq!(fault(&format!("{}quorum none\n", many(65))), LineFault::TooMany);
    let long = format!("#{}\nquorum none\n", "x".repeat(65_536));
    assert!(matches!(Policy::parse(&long), Err(PolicyError::TooLong(_))));
}

#[test]
fn the_quorum_decides_and_dates() {
    let log_key = fixture::log_key().verifier().to_string();
    let keys = fixture::witness_keys();
    let names: String = (0..3)
        .map(|n| format!("witness w{n} {}\n", keys[n].verifier()))
        .collect();
    let memory = fixture::Memory::default();
    // Cosigned by w0 at 1000 and w1 at 1001.
    let signed = fixture::sign(&memory.add(&fixture::entries(0, 3)), 2);
    let check = |quorum: &str| {
        let policy = Policy::parse(&format!("log {log_key}\n{names}{quorum}")).unwrap();
        policy.check(&signed).map(|witnessed| witnessed.witnessed_at())
    };
    assert_eq!(check("quorum none\n"), Ok(0));
    assert_eq!(check("quorum w0\n"), Ok(1000));
    assert_eq!(check("quorum w2\n"), Err(NotWitnessed::NoQuorum));
    assert_eq!(check("group g any w0 w1 w2\nquorum g\n"), Ok(1001));
    assert_eq!(check("group g 2 w0 w1 w2\nquorum g\n"), Ok(1000));
    assert_eq!(
        check("group g all w0 w1 w2\nquorum g\n"),
        Err(NotWitnessed::NoQuorum)
    );
    assert_eq!(check("group g any w0 w2\ngroup h all g w1\nquorum h\n"), Ok(1000));
}
