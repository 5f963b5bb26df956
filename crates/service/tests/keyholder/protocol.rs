//! What it answers and what it refuses, and that nothing passes for its answer.

use super::*;

#[tokio::test]
async fn it_gives_what_the_list_allows_and_writes_down_each_request() {
    let customer = Customer::new(OWNER);
    let (url, public, _task) = customer.serve().await;
    let gate = customer.gate(&url, &public);
    let blob = gate.wrap(&place(), &owner("alice"), &[7; 60]).await.unwrap();
    assert_eq!(
        *gate.unwrap(&place(), &owner("alice"), &blob).await.unwrap(),
        [7; 60]
    );
    // Another tenant, another reason, another place for the same blob, other bytes.
    let other = KeyPlace::tenant("eu-de", "fabrikam");
    assert!(matches!(
        why(gate.unwrap(&other, &owner("alice"), &blob).await),
        Why::Denied(_)
    ));
    assert!(
        matches!(why(gate.unwrap(&place(), &release(), &blob).await), Why::Denied(said) if said.contains("release"))
    );
    let elsewhere = KeyPlace::tenant("us-east", "contoso");
    assert_eq!(
        why(gate.unwrap(&elsewhere, &owner("alice"), &blob).await),
        Why::NotHere
    );
    assert_eq!(
        why(gate.unwrap(&place(), &owner("alice"), &[1; 60]).await),
        Why::NotHere
    );
    assert!(gate.health().await.unwrap().weakness.is_none());
    let log = customer.log();
    assert_eq!(log.len(), 6, "{log:?}");
    assert_eq!((&*log[0], &*log[1], &*log[4]), ("given", "given", "not here"));
    assert!(log[2].starts_with("denied: ") && log[3].starts_with("denied: "));

    // A list that is emptied counts from the next request; so does one that cannot be read.
    customer.allow("");
    assert!(
        matches!(why(gate.unwrap(&place(), &owner("alice"), &blob).await), Why::Denied(said) if said.contains("empty"))
    );
    assert!(gate.health().await.unwrap().weakness.is_some());
    customer.allow("nonsense = 1");
    assert!(matches!(
        why(gate.unwrap(&place(), &owner("alice"), &blob).await),
        Why::Away(_)
    ));
}

#[tokio::test]
async fn a_person_is_asked_about_each_release_where_the_rule_says_so() {
    let customer = Customer::new(
        "[[allow]]\nreason = \"release\"\ntenants = [\"contoso\"]\ndecide = \"ask\"\n[[allow]]\nreason = \"owner\"\ntenants = [\"contoso\"]\n",
    );
    let (url, public, _task) = customer.serve().await;
    let gate = customer.gate(&url, &public);
    let blob = gate.wrap(&place(), &owner("alice"), &[7; 60]).await.unwrap();
    let Why::Waiting(id) = why(gate.unwrap(&place(), &release(), &blob).await) else {
        panic!("nobody was asked");
    };
    let decisions = Decisions::at(&customer.path("decisions"));
    let waiting = decisions.waiting().unwrap();
    assert_eq!(
        (waiting.len(), &waiting[0].id, &waiting[0].reason),
        (1, &id, &release())
    );
    assert!(
        decisions
            .decide("../../etc/passwd", true, (customer.hands.clock())())
            .is_err()
    );
    decisions.decide(&id, true, (customer.hands.clock())()).unwrap();
    assert!(gate.unwrap(&place(), &release(), &blob).await.is_ok());
    assert_eq!(decisions.waiting().unwrap(), []);
    // Its id was for that one decision: said once more, it decides nothing.
    assert_eq!(id.len(), 32);
    assert!(decisions.decide(&id, true, (customer.hands.clock())()).is_err());
    // The decision holds for this release, for a day; then a person is asked anew, under another id.
    customer.hands.advance(25 * 3600);
    let Why::Waiting(again) = why(gate.unwrap(&place(), &release(), &blob).await) else {
        panic!("nobody was asked");
    };
    assert_ne!(again, id);
    assert!(
        matches!(why(gate.unwrap(&place(), &release(), &blob).await), Why::Waiting(same) if same == again)
    );
    assert!(decisions.decide(&id, true, (customer.hands.clock())()).is_err());
    decisions
        .decide(&again, false, (customer.hands.clock())())
        .unwrap();
    assert!(
        matches!(why(gate.unwrap(&place(), &release(), &blob).await), Why::Denied(said) if said.contains("person"))
    );
}

/// A request and its answer, each with its headers.
type Passed = (HeaderMap, Bytes, HeaderMap, Bytes);

/// A stand-in between gate and keyholder, which keeps what passes and may answer with something else.
#[derive(Clone)]
struct Between {
    url: String,
    seen: Arc<Mutex<Vec<Passed>>>,
    replay: Arc<Mutex<Option<usize>>>,
}

impl Between {
    async fn before(url: &str) -> (Self, String) {
        let between = Self {
            url: format!("{url}{}", wire::PATH),
            seen: Arc::default(),
            replay: Arc::default(),
        };
        let router = Router::new()
            .route(wire::PATH, post(pass))
            .with_state(between.clone());
        let (url, _) = serve(router).await;
        (between, url)
    }
    async fn send(&self, headers: &HeaderMap, body: &Bytes) -> (u16, HeaderMap, Bytes) {
        let sent = reqwest::Client::new()
            .post(&self.url)
            .header(wire::SIGNATURE, headers[wire::SIGNATURE].clone())
            .body(body.clone())
            .send()
            .await
            .unwrap();
        (
            sent.status().as_u16(),
            sent.headers().clone(),
            sent.bytes().await.unwrap(),
        )
    }
}

async fn pass(State(between): State<Between>, headers: HeaderMap, body: Bytes) -> axum::response::Response {
    let (_, answered, answer) = between.send(&headers, &body).await;
    let mut seen = between.seen.lock().unwrap();
    seen.push((headers, body, answered, answer));
    let which = between.replay.lock().unwrap().unwrap_or(seen.len() - 1);
    let (_, _, answered, answer) = seen[which].clone();
    let mut headers = HeaderMap::new();
    headers.insert(wire::SIGNATURE, answered[wire::SIGNATURE].clone());
    (headers, answer).into_response()
}

#[tokio::test]
async fn replayed_requests_and_swapped_answers_are_refused() {
    let customer = Customer::new(OWNER);
    let (url, public, _task) = customer.serve().await;
    let (between, between_url) = Between::before(&url).await;
    let gate = customer.gate(&between_url, &public);
    let one = gate.wrap(&place(), &owner("alice"), &[1; 60]).await.unwrap();
    let two = gate.wrap(&place(), &owner("alice"), &[2; 60]).await.unwrap();
    assert_eq!(
        *gate.unwrap(&place(), &owner("alice"), &one).await.unwrap(),
        [1; 60]
    );
    // The answer to the question before, to another question.
    *between.replay.lock().unwrap() = Some(2);
    let answer = why(gate.unwrap(&place(), &owner("alice"), &two).await);
    assert!(matches!(answer, Why::Wrong(said) if said.contains("not signed")));

    // The very request, sent again by somebody who saw it: at once, and later.
    let (headers, body, _, _) = between.seen.lock().unwrap()[2].clone();
    let outcome = |bytes: &Bytes| {
        let answer: wire::Answer = serde_json::from_slice(bytes).unwrap();
        answer.outcome
    };
    assert_eq!(
        outcome(&between.send(&headers, &body).await.2),
        wire::Outcome::Replayed
    );
    customer.hands.advance(61);
    assert_eq!(
        outcome(&between.send(&headers, &body).await.2),
        wire::Outcome::Stale
    );
    // One byte of it changed, or signed by a gate that the customer does not know.
    let mut altered = body.to_vec();
    let last = altered.len() - 3;
    altered[last] ^= 1;
    assert_eq!(between.send(&headers, &altered.into()).await.0, 403);
    let stranger = crate::gate(&url, &public, [9; 32], customer.hands.clock());
    assert!(
        matches!(why(stranger.unwrap(&place(), &owner("alice"), &one).await), Why::Wrong(said) if said.contains("403"))
    );
    // A keyholder that is somebody else.
    let other = STANDARD.encode(SigningKey::from_bytes(&[8; 32]).verifying_key().to_bytes());
    let fooled = customer.gate(&url, &other);
    assert!(matches!(
        why(fooled.unwrap(&place(), &owner("alice"), &one).await),
        Why::Wrong(_)
    ));
}

#[tokio::test]
async fn a_request_from_before_its_start_or_of_another_time_is_not_answered() {
    let customer = Customer::new(OWNER);
    let (url, public, _task) = customer.serve().await;
    let late = Hands(Arc::new(Mutex::new((customer.hands.clock())())));
    let gate = gate(&url, &public, GATE, late.clock());
    let blob = gate.wrap(&place(), &owner("alice"), &[7; 60]).await.unwrap();
    late.advance(-1);
    assert!(
        matches!(why(gate.unwrap(&place(), &owner("alice"), &blob).await), Why::Wrong(said) if said.contains("clock"))
    );
    late.advance(62);
    assert!(
        matches!(why(gate.unwrap(&place(), &owner("alice"), &blob).await), Why::Wrong(said) if said.contains("clock"))
    );
    late.advance(-1);
    assert!(gate.unwrap(&place(), &owner("alice"), &blob).await.is_ok());
}

/// The gate's clock is ahead of the keyholder's, which is started anew: what it answered before, it does not answer again.
#[tokio::test]
async fn a_request_answered_before_a_restart_is_not_answered_after_it() {
    let customer = Customer::new(OWNER);
    let (url, public, task) = customer.serve().await;
    let (between, between_url) = Between::before(&url).await;
    let ahead = Hands(Arc::new(Mutex::new((customer.hands.clock())())));
    ahead.advance(50);
    let asks = gate(&between_url, &public, GATE, ahead.clock());
    let blob = asks.wrap(&place(), &owner("alice"), &[7; 60]).await.unwrap();
    asks.unwrap(&place(), &owner("alice"), &blob).await.unwrap();
    let (headers, body, _, _) = between.seen.lock().unwrap()[1].clone();
    task.abort();
    let _ = task.await;
    customer.hands.advance(5);
    let (url, _, _task) = customer.serve().await;
    let again = Between {
        url: format!("{url}{}", wire::PATH),
        ..between
    };
    let (status, _, answer) = again.send(&headers, &body).await;
    let answer: wire::Answer = serde_json::from_slice(&answer).unwrap();
    assert_eq!((status, answer.outcome), (200, wire::Outcome::Replayed));
    // And what it is asked anew, it answers at once.
    let asks = gate(&url, &public, GATE, ahead.clock());
    assert!(asks.unwrap(&place(), &owner("alice"), &blob).await.is_ok());
}

#[tokio::test]
async fn stopped_it_is_away_and_started_again_it_goes_on_with_its_log() {
    let customer = Customer::new(OWNER);
    let (url, public, task) = customer.serve().await;
    let gate = customer.gate(&url, &public);
    let blob = gate.wrap(&place(), &owner("alice"), &[7; 60]).await.unwrap();
    task.abort();
    let _ = task.await;
    let answer = why(gate.unwrap(&place(), &owner("alice"), &blob).await);
    assert!(matches!(answer, Why::Away(_)), "{answer:?}");
    let (url, public, _task) = customer.serve().await;
    let gate = customer.gate(&url, &public);
    assert!(gate.unwrap(&place(), &owner("alice"), &blob).await.is_ok());
    assert_eq!(customer.log(), ["given", "given"]);
}

#[tokio::test]
async fn only_https_or_this_machine_is_asked() {
    for (url, usable) in [
        ("http://127.0.0.1:1", true),
        ("http://[::1]:1", true),
        ("https://keys.contoso.example", true),
        ("http://keys.contoso.example", false),
        ("ftp://127.0.0.1", false),
        ("nonsense", false),
    ] {
        let made = Keyholder::new(
            ProviderId::new("k").unwrap(),
            url,
            reqwest::Client::builder(),
            SigningKey::from_bytes(&GATE),
            SigningKey::from_bytes(&GATE).verifying_key(),
            Hands::new().clock(),
        );
        assert_eq!(made.is_ok(), usable, "{url}");
    }
    assert!(Server::open(Path::new("/nonexistent"), Hands::new().clock(), |_| {}).is_err());
}
