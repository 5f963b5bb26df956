//! The nine demands, as the bytes that arrive.

use serde_json::{Value, json};

use super::calendar::Calendar;

/// One month of the real mail, the busiest in it.
pub const MONTH: (&str, &str) = ("2002-09-01T00:00:00Z", "2002-10-01T00:00:00Z");

fn window() -> Value {
    json!({ "from": MONTH.0, "until": MONTH.1 })
}

fn account(value: &str) -> Value {
    json!({ "type": "account", "value": value })
}

fn us_court(name: &str) -> Value {
    json!({ "kind": "court", "name": name, "title": "Magistrate Judge" })
}

fn us_attorney() -> Value {
    json!({
        "authority": "United States Attorney's Office, Northern District of California",
        "country": "US", "kind": "prosecutor", "officer": "AUSA R. Whitfield"
    })
}

/// A search warrant for one account and one month.
pub fn warrant(calendar: &Calendar, subject: &str) -> Value {
    json!({
        "schema": "amparo.demand/1", "instrument": "us.warrant.sca", "reference": "5:26-mj-70112",
        "served_at": calendar.instant(0), "requester": us_attorney(),
        "issuer": us_court("U.S. District Court, N.D. California"),
        "issued_on": calendar.day(-1), "return_on": calendar.day(30),
        "subjects": [account(subject)], "categories": ["content"], "window": window(),
        "items": ["e-mail messages sent and received in September 2002"],
        "showing": { "signed": true, "probable_cause": true, "particularity": true, "statute_named": true },
        "offence": { "provision": "18 U.S.C. 1343", "max_sentence_months": 240 }
    })
}

/// A grand jury's subpoena that asks for content as well.
pub fn subpoena(calendar: &Calendar, subject: &str) -> Value {
    json!({
        "schema": "amparo.demand/1", "instrument": "us.subpoena.grand_jury", "reference": "GJ-2026-0419",
        "served_at": calendar.instant(0),
        "requester": {
            "authority": "Grand Jury, Northern District of California", "country": "US", "kind": "grand_jury"
        },
        "issued_on": calendar.day(-2), "return_on": calendar.day(21),
        "subjects": [account(subject)], "categories": ["subscriber", "content"], "window": window(),
        "items": ["name and address of the subscriber", "all e-mail"],
        "showing": { "signed": true, "statute_named": true }
    })
}

/// Everybody who ever mailed a domain.
pub fn sweep(calendar: &Calendar) -> Value {
    json!({
        "schema": "amparo.demand/1", "instrument": "us.warrant.sca", "reference": "5:26-mj-70147",
        "served_at": calendar.instant(0), "requester": us_attorney(),
        "issuer": us_court("U.S. District Court, N.D. California"), "issued_on": calendar.day(-1),
        "subjects": [{ "type": "selector", "kind": "domain", "value": "lists.sourceforge.net" }],
        "categories": ["content", "traffic"], "window": window(),
        "items": ["every account that ever corresponded with the domain"],
        "showing": { "signed": true, "probable_cause": true, "statute_named": true }
    })
}

/// A warrant that forbids, without an end, to tell anybody.
pub fn endless_gag(calendar: &Calendar, subject: &str) -> Value {
    let mut demand = warrant(calendar, subject);
    if let Some(fields) = demand.as_object_mut() {
        fields.insert("reference".into(), json!("5:26-mj-70188"));
        fields.insert(
            "gag".into(),
            json!({
                "basis": "us.gag.2705b", "court_ordered": true, "individual_findings": true,
                "from": calendar.day(0), "forbids": ["tenant", "person", "public"]
            }),
        );
    }
    demand
}

/// A national security letter that asks for more than its statute lists.
pub fn security_letter(calendar: &Calendar, subject: &str) -> Value {
    json!({
        "schema": "amparo.demand/1", "instrument": "us.nsl", "reference": "NSL-26-551103",
        "served_at": calendar.instant(0),
        "requester": {
            "authority": "Federal Bureau of Investigation", "country": "US", "kind": "security",
            "officer": "J. Marsh"
        },
        "issuer": { "kind": "security", "name": "FBI San Francisco", "title": "Special Agent in Charge" },
        "issued_on": calendar.day(-3),
        "subjects": [account(subject)], "categories": ["subscriber", "traffic"],
        "items": ["name and address", "length of service", "electronic communication transactional records",
                  "addresses of websites visited"],
        "showing": { "signed": true, "certified": true, "statute_named": true, "review_rights_notified": true },
        "gag": {
            "basis": "us.nsl", "court_ordered": false, "individual_findings": true,
            "from": calendar.day(0), "forbids": ["tenant", "person", "public"]
        }
    })
}

fn epoc(calendar: &Calendar, subject: &str, reference: &str, kind: &str, authority: &str) -> Value {
    json!({
        "schema": "amparo.demand/1", "instrument": "eu.epoc.traffic_content", "reference": reference,
        "served_at": calendar.instant(0),
        "requester": { "authority": authority, "country": "FR", "kind": kind },
        "issuer": { "kind": kind, "name": authority },
        "issued_on": calendar.day(-1),
        "subjects": [account(subject)], "categories": ["content"], "window": window(),
        "showing": { "signed": true, "statute_named": true, "particularity": true },
        "offence": { "provision": "art. 313-1 code pénal", "max_sentence_months": 60 },
        "epoc": {
            "enforcing_authority_notified": kind == "court",
            "processor_addressed_because": "the controller is the service itself"
        }
    })
}

/// A prosecutor's European Production Order for content.
pub fn prosecutors_epoc(calendar: &Calendar, subject: &str) -> Value {
    epoc(
        calendar,
        subject,
        "JIRS-LY-2026-0871",
        "prosecutor",
        "Parquet de Lyon",
    )
}

/// A judge's European Production Order for content, the enforcing authority notified.
pub fn judges_epoc(calendar: &Calendar, subject: &str) -> Value {
    epoc(
        calendar,
        subject,
        "JI-LY-2026-0233",
        "court",
        "Juge d'instruction, Tribunal judiciaire de Lyon",
    )
}

/// An e-mail from a domain that looks like the police, begging for speed.
pub fn look_alike(calendar: &Calendar, subject: &str) -> Value {
    json!({
        "schema": "amparo.demand/1", "instrument": "any.informal",
        "served_at": calendar.instant(0),
        "requester": {
            "authority": "Bundespolizei Lagezentrum", "country": "DE", "kind": "police",
            "officer": "PHK Brandt", "email": "lagezentrum@deutsche-polizei.eu"
        },
        "subjects": [account(subject)], "categories": ["subscriber", "content"],
        "items": ["everything you have, at once"],
        "emergency": {
            "danger_to_life": true,
            "statement": "A child's life is at stake. There is no time for paper. Send everything within the hour."
        }
    })
}

/// A foreign order for data that lies only in the other region.
pub fn foreign_order(calendar: &Calendar, subject: &str) -> Value {
    json!({
        "schema": "amparo.demand/1", "instrument": "xx.foreign_order.personal", "reference": "5:26-mc-80021",
        "served_at": calendar.instant(0),
        "requester": {
            "authority": "U.S. District Court, N.D. California", "country": "US", "kind": "court"
        },
        "issuer": us_court("U.S. District Court, N.D. California"), "issued_on": calendar.day(-1),
        "subjects": [account(subject)], "categories": ["content"], "window": window(),
        "showing": { "signed": true, "probable_cause": true, "particularity": true, "statute_named": true }
    })
}
