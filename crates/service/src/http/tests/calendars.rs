//! Calendar feeds and the ledger of gags, over the API.

use axum::http::StatusCode;
use casework::event::{Actor, Channel};
use serde_json::{Value, json};

use super::{Server, server};
use crate::app::tests::scene::{demand, staff};

/// A warrant under a court's gag, judged by the rulebook, for an account whose name nobody outside may read.
async fn gagged(server: &Server) -> String {
    let mut warrant: Value = serde_json::from_slice(&demand("alice")).unwrap();
    warrant["requester"]["authority"] = json!("Court of Secrets");
    warrant["return_on"] = json!("2026-12-15");
    warrant["showing"] = json!({ "signed": true, "probable_cause": true, "particularity": true });
    warrant["gag"] = json!({
        "basis": "us.gag.2705b", "court_ordered": true, "individual_findings": true, "reference": "26-mj-100-G",
        "from": "2026-11-01", "until": "2027-03-14", "forbids": ["tenant"],
    });
    let desk = &server.scene.desk;
    let bytes = warrant.to_string().into_bytes();
    let case = desk
        .intake(&bytes, Channel::Paper, Some(staff("ines")))
        .await
        .unwrap()
        .case;
    desk.resolve(case, Actor::Staff(staff("ruth")), &[])
        .await
        .unwrap();
    desk.assess(case, Actor::System, None).await.unwrap();
    case.to_string()
}

#[tokio::test]
async fn a_feed_gives_dates_and_case_ids_to_whoever_knows_its_address_until_it_is_withdrawn() {
    let server = server().await;
    let case = gagged(&server).await;
    let (status, feed) = server.call(Some("ruth"), "POST", "/me/calendar", None).await;
    assert_eq!(status, StatusCode::CREATED);
    let path = feed["path"].as_str().unwrap().to_owned();
    let (status, bytes) = server.raw(None, "GET", &path, None).await;
    assert_eq!(status, StatusCode::OK);
    let text = String::from_utf8(bytes).unwrap();
    let unfolded = text.replace("\r\n ", "");
    assert!(
        unfolded.contains(&format!("SUMMARY:Answer due: case {case}")),
        "{text}"
    );
    assert!(
        unfolded.contains(&format!("SUMMARY:Silence ends: case {case}")),
        "{text}"
    );
    // The end of the 14th in Washington, on the day on which the clocks go forward.
    assert!(unfolded.contains("DTSTART:20270315T040000Z"), "{text}");
    for secret in ["alice", "contoso", "Secrets", "warrant", "us.", "2705", "26-mj"] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
    // Nothing but dates: the address is no token, and a token is no address.
    let name = path
        .rsplit('/')
        .next()
        .unwrap()
        .trim_end_matches(".ics")
        .to_owned();
    let (status, _) = server
        .call(Some(&format!("amparo_{name}")), "GET", "/me", None)
        .await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    let token = server.tokens["ruth"].trim_start_matches("amparo_").to_owned();
    let half = &path[..path.len() - 10];
    for wrong in [
        format!("/calendars/{token}.ics"),
        format!("{half}000000.ics"),
        "/calendars/x".into(),
    ] {
        assert_eq!(
            server.raw(None, "GET", &wrong, None).await.0,
            StatusCode::NOT_FOUND,
            "{wrong}"
        );
    }
    // Intake sees what is to be answered, and not which silences end.
    let (_, intake) = server.call(Some("ines"), "POST", "/me/calendar", None).await;
    let (_, bytes) = server
        .raw(None, "GET", intake["path"].as_str().unwrap(), None)
        .await;
    let intake = String::from_utf8(bytes).unwrap();
    assert!(
        intake.contains("Answer due") && !intake.contains("Silence"),
        "{intake}"
    );
    // A new feed replaces the old one; withdrawing ends it; so does losing access.
    let (_, second) = server.call(Some("ruth"), "POST", "/me/calendar", None).await;
    let second = second["path"].as_str().unwrap().to_owned();
    assert_eq!(
        server.raw(None, "GET", &path, None).await.0,
        StatusCode::NOT_FOUND
    );
    assert_eq!(server.raw(None, "GET", &second, None).await.0, StatusCode::OK);
    let (status, _) = server.call(Some("ruth"), "DELETE", "/me/calendar", None).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    assert_eq!(
        server.raw(None, "GET", &second, None).await.0,
        StatusCode::NOT_FOUND
    );
    let (_, sven) = server.call(Some("sven"), "POST", "/me/calendar", None).await;
    let sven = sven["path"].as_str().unwrap().to_owned();
    let now = server.scene.desk.now();
    server
        .scene
        .desk
        .cases()
        .disable_person(&staff("sven"), now)
        .await
        .unwrap();
    assert_eq!(
        server.raw(None, "GET", &sven, None).await.0,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn the_ledger_of_gags_says_who_forbids_what_to_whom_until_when_and_what_was_done() {
    let server = server().await;
    let case = gagged(&server).await;
    let (status, page) = server.call(Some("clara"), "GET", "/gags?open=true", None).await;
    assert_eq!((status, &page["next"]), (StatusCode::OK, &Value::Null));
    let gag = &page["gags"][0];
    for (field, value) in [
        ("case", json!(case)),
        ("number", json!(1)),
        ("authority", json!("Court of Secrets")),
        ("kind", json!("court_order")),
        ("basis", json!("us.gag.2705b")),
        ("reference", json!("26-mj-100-G")),
        ("individual", json!(true)),
        ("forbids", json!(["tenant"])),
        ("binds", json!(true)),
        ("until", json!("2027-03-14")),
        ("ends_at", json!("2027-03-15T04:00:00Z")),
        ("state", json!("standing")),
        ("objected", Value::Null),
        ("answered", json!(false)),
    ] {
        assert_eq!(gag[field], value, "{field}");
    }
    // A renewal is an order of its own.
    let mut longer = json!({ "kind": "gag_recorded", "gag": {
        "basis": "us.gag.2705b", "court_ordered": true, "individual_findings": true,
        "from": "2027-03-15", "forbids": ["tenant"], "until_event": "until the indictment is unsealed" } });
    let path = format!("/cases/{case}/events");
    let (status, refused) = server
        .call(Some("ruth"), "POST", &path, Some(longer.clone()))
        .await;
    assert_eq!(
        (status, &refused["error"]["promise"]),
        (StatusCode::CONFLICT, &json!("P10"))
    );
    longer["document"] = json!("ab".repeat(32));
    let (status, _) = server.call(Some("ruth"), "POST", &path, Some(longer)).await;
    assert_eq!(status, StatusCode::CREATED);
    let (_, gags) = server
        .call(Some("aud"), "GET", &format!("/cases/{case}/gags"), None)
        .await;
    assert_eq!(gags[1]["state"], json!("not_begun"));
    assert_eq!(gags[1]["until_event"], json!("until the indictment is unsealed"));
    assert_eq!(gags[1]["binds"], Value::Null, "nobody judged it yet");
}
