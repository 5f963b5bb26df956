//! `assess` of one demand against all rulebooks: median and 99th percentile, and their ratio to the limit of 1 ms.

use std::{
    io::Write as _,
    time::{Duration, Instant},
};

use casework::{demand, facts, rulebook::Rulebook};

const ROUNDS: usize = 2_000;
const LIMIT: Duration = Duration::from_millis(1);

const WARRANT: &str = r#"{
  "schema": "amparo.demand/1", "instrument": "us.warrant.sca", "served_at": "2026-11-21T15:00:00Z",
  "requester": { "authority": "FBI", "country": "US", "kind": "police" },
  "issuer": { "kind": "court", "name": "a court" },
  "subjects": [{ "type": "account", "value": "alice" }], "categories": CATEGORIES,
  "showing": { "signed": true, "probable_cause": true, "particularity": true },
  "gag": { "court_ordered": true, "from": "2026-11-02", "forbids": ["tenant"] }
}"#;
const FACTS: &str = r#"{ "requester": "confirmed", "resolved": [{ "outcome": "one", "tenant": "contoso", "account": "alice",
  "tenant_kind": "enterprise", "tenant_country": "GB", "region": "eu-de", "region_country": "DE" }] }"#;

fn main() -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    let started = Instant::now();
    let rulebook = Rulebook::builtin();
    writeln!(
        out,
        "reading the rulebook: {:?} ({} rules)",
        started.elapsed(),
        rulebook.rules().count()
    )?;
    let facts = facts::parse(FACTS.as_bytes())?;
    let as_of = "2026-11-21".parse()?;
    for (name, categories) in [
        ("one category", r#"["content"]"#),
        ("two categories", r#"["subscriber", "content"]"#),
        (
            "all seven categories",
            r#"["subscriber", "identification", "traffic", "content", "realtime", "assistance", "non_personal"]"#,
        ),
    ] {
        let demand = demand::parse(WARRANT.replace("CATEGORIES", categories).as_bytes())?;
        let mut times = Vec::with_capacity(ROUNDS);
        for _ in 0..ROUNDS {
            let started = Instant::now();
            std::hint::black_box(rulebook.assess(&demand, &facts, as_of)?);
            times.push(started.elapsed());
        }
        times.sort_unstable();
        let at = |share: usize| times.get(ROUNDS * share / 100).copied().unwrap_or_default();
        let ratio = |time: Duration| time.as_secs_f64() / LIMIT.as_secs_f64();
        writeln!(
            out,
            "{name}: median {:?} ({:.2} of the limit), p99 {:?} ({:.2} of the limit)",
            at(50),
            ratio(at(50)),
            at(99),
            ratio(at(99))
        )?;
    }
    Ok(())
}
