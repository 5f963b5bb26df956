//! A case as clients of the API work it.

use casework::event::approval_message;

use super::*;
use crate::app::tests::scene::{AGE, sign};

#[tokio::test]
async fn a_case_goes_from_its_bytes_to_its_package() {
    let server = server().await;
    let bytes = demand("alice");
    let (status, opened) = server
        .raw(
            Some("ines"),
            "POST",
            "/demands?channel=paper",
            Some(bytes.clone()),
        )
        .await;
    assert_eq!(status, StatusCode::CREATED);
    let opened: Value = serde_json::from_slice(&opened).unwrap();
    let (status, again) = server.raw(Some("req"), "POST", "/demands", Some(bytes)).await;
    assert_eq!(status, StatusCode::OK);
    let again: Value = serde_json::from_slice(&again).unwrap();
    assert_eq!(
        (again["case"].clone(), again["duplicate"].clone()),
        (opened["case"].clone(), json!(true))
    );
    let case: CaseId = opened["case"].as_str().unwrap().parse().unwrap();
    let at = |rest: &str| format!("/cases/{case}{rest}");

    let (status, facts) = server
        .call(Some("ruth"), "POST", &at("/resolve"), Some(json!({})))
        .await;
    assert_eq!(
        (status, &facts["resolved"][0]["outcome"]),
        (StatusCode::OK, &json!("one"))
    );
    server.scene.judge(case).await;
    let (status, _) = server
        .call(
            Some("ruth"),
            "POST",
            &at("/redirect"),
            Some(json!({"how": "letter"})),
        )
        .await;
    assert_eq!(status, StatusCode::CREATED);
    let answered = json!({"kind": "redirect_answered", "outcome": "refused"});
    let (status, _) = server
        .call(Some("ruth"), "POST", &at("/events"), Some(answered))
        .await;
    assert_eq!(status, StatusCode::CREATED);

    // The customer sees nothing before it was told, and nobody else's administrator ever does.
    let told = |tenant: &str| format!("/tenants/{tenant}/cases/{case}");
    assert_eq!(
        server.call(Some("tess"), "GET", &told("contoso"), None).await.0,
        StatusCode::NOT_FOUND
    );
    let notice = json!({"tenant": "contoso", "how": "letter"});
    let (status, answer) = server
        .call(Some("ruth"), "POST", &at("/notices"), Some(notice))
        .await;
    assert_eq!(status, StatusCode::CREATED, "{answer}");
    let (status, seen) = server.call(Some("tess"), "GET", &told("contoso"), None).await;
    assert_eq!((status, &seen["accounts"]), (StatusCode::OK, &json!(["alice"])));
    for (who, tenant) in [("fred", "contoso"), ("fred", "fabrikam"), ("tess", "fabrikam")] {
        assert_eq!(
            server.call(Some(who), "GET", &told(tenant), None).await.0,
            StatusCode::NOT_FOUND,
            "{who}"
        );
    }
    let (_, list) = server
        .call(Some("tess"), "GET", "/tenants/contoso/cases", None)
        .await;
    assert_eq!(list["cases"].as_array().unwrap().len(), 1);

    server.scene.judge(case).await;
    let proposal = json!({"recipient": "District Court", "age": AGE});
    let (status, record) = server
        .call(Some("ruth"), "POST", &at("/records"), Some(proposal))
        .await;
    assert_eq!(status, StatusCode::CREATED, "{record}");
    let record: casework::record::ReleaseRecord = serde_json::from_value(record).unwrap();
    let of = |rest: &str| at(&format!("/records/{}{rest}", record.id));
    let early = server.call(Some("ruth"), "POST", &of("/release"), None).await;
    assert_eq!(
        (early.0, &early.1["error"]["promise"]),
        (StatusCode::CONFLICT, &json!("P7"))
    );
    let message = approval_message(&record.digest().unwrap());
    for who in ["ruth", "sven"] {
        // One signs with one's own key only: ruth cannot hand in sven's signature.
        let body = |signer: &str| json!({"signature": sign(signer, &message)});
        let others = server
            .call(Some(who), "POST", &of("/approvals"), Some(body("clara")))
            .await;
        assert_eq!(others.0, StatusCode::CONFLICT);
        let own = server
            .call(Some(who), "POST", &of("/approvals"), Some(body(who)))
            .await;
        assert_eq!(own.0, StatusCode::NO_CONTENT, "{}", own.1);
    }
    assert_eq!(
        server.call(Some("ruth"), "GET", &of("/package"), None).await.0,
        StatusCode::NOT_FOUND
    );
    let (status, package) = server.call(Some("ruth"), "POST", &of("/release"), None).await;
    assert_eq!(status, StatusCode::OK, "{package}");
    let (status, file) = server.raw(Some("ruth"), "GET", &of("/package"), None).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        casework::ids::Digest::of(&[&file]).to_string(),
        package["digest"].as_str().unwrap()
    );
    assert!(file.starts_with(b"age-encryption.org/v1"));

    let (_, events) = server
        .call(Some("aud"), "GET", &at("/events?limit=2"), None)
        .await;
    assert_eq!(
        (events["events"].as_array().unwrap().len(), &events["next"]),
        (2, &json!(2))
    );
    let (status, receipt) = server
        .raw(Some("aud"), "GET", &at("/events/0/receipt"), None)
        .await;
    assert!(status == StatusCode::OK && receipt.starts_with(b"c2sp.org/tlog-proof@v1"));
    let (_, letters) = server.call(Some("aud"), "GET", &at("/letters"), None).await;
    let kinds: Vec<&str> = letters
        .as_array()
        .unwrap()
        .iter()
        .map(|l| l["kind"].as_str().unwrap())
        .collect();
    assert!(
        ["receipt", "redirect", "notice"]
            .iter()
            .all(|kind| kinds.contains(kind)),
        "{kinds:?}"
    );
    letters_in_each_form(&server, &at("/letters")).await;
}

/// A letter as text, as data, and as a PDF where the program that sets them is there: here it is not.
async fn letters_in_each_form(server: &Server, letters: &str) {
    let get = |path: String, accept: &'static str| async move {
        let request = Request::get(format!("{letters}/{path}"))
            .header("authorization", format!("Bearer {}", server.tokens["aud"]))
            .header("accept", accept)
            .body(Body::empty())
            .unwrap();
        let answer = server.router.clone().oneshot(request).await.unwrap();
        let status = answer.status();
        let bytes = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        (status, String::from_utf8(bytes.to_vec()).unwrap())
    };
    let (status, text) = get("redirect".into(), "text/plain").await;
    assert!(
        status == StatusCode::OK && text.contains("turn to our customer"),
        "{text}"
    );
    let (status, data) = get("redirect".into(), "application/json").await;
    let data: Value = serde_json::from_str(&data).unwrap();
    assert_eq!(
        (status, &data["schema"]),
        (StatusCode::OK, &json!("amparo.letter/1"))
    );
    let (status, why) = get("cover".into(), "application/pdf").await;
    assert!(
        status == StatusCode::NOT_ACCEPTABLE && why.contains("amparo-letter"),
        "{status} {why}"
    );
    let (status, why) = get("clarification".into(), "text/plain").await;
    assert!(
        status == StatusCode::CONFLICT && why.contains("points"),
        "{status} {why}"
    );
    let (status, why) = get("breach_notice?forum=CNIL&contact=us".into(), "*/*").await;
    assert!(
        status == StatusCode::CONFLICT && why.contains("aware_at"),
        "{status} {why}"
    );
    let (status, _) = get("redirect".into(), "image/png").await;
    assert_eq!(status, StatusCode::NOT_ACCEPTABLE);
    let (status, _) = get("lampoon".into(), "text/plain").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}
