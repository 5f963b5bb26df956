//! Each kind of key provider against the real thing where one can be installed: SoftHSM, moto's KMS, and a small server after
//! the published API of the Transit engine.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what went wrong by stopping"
)]

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{Json, Router, extract::State, http::HeaderMap, http::StatusCode, routing::post};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use casework::ids::ProviderId;
use service::keys::{
    EndOrder, HolderError, KeyPlace, KeyProvider, Reason, Why,
    aws_kms::{AwsKms, KmsKey},
    pkcs11::{Hardware, Token},
    sealed_file::{self, SealedFile, SealedFileError},
    transit::{Transit, TransitKey},
};
use zeroize::Zeroizing;

fn id() -> ProviderId {
    ProviderId::new("p").unwrap()
}

fn place() -> KeyPlace {
    KeyPlace::tenant("eu-de", "contoso")
}

fn why<T>(answer: Result<T, HolderError>) -> Why {
    answer.err().expect("the provider answered").why
}

const END: EndOrder = EndOrder { waiting_days: 7 };

/// What every provider must do.
async fn keeps_its_contract(provider: &dyn KeyProvider) {
    let reason = Reason::Provisioning { account: None };
    for length in [32, 60, 256] {
        let secret = vec![7; length];
        let blob = provider.wrap(&place(), &reason, &secret).await.unwrap();
        assert_eq!(*provider.unwrap(&place(), &reason, &blob).await.unwrap(), secret);
        assert!(!blob.windows(16).any(|bytes| bytes == [7; 16]));
        for elsewhere in [
            KeyPlace::tenant("us-east", "contoso"),
            KeyPlace::tenant("eu-de", "fabrikam"),
            KeyPlace::region("eu-de"),
        ] {
            assert_eq!(
                why(provider.unwrap(&elsewhere, &reason, &blob).await),
                Why::NotHere
            );
        }
        let mut altered = blob.clone();
        let last = altered.len() - 2;
        altered[last] = if altered[last] == b'A' { b'B' } else { b'A' };
        assert_eq!(
            why(provider.unwrap(&place(), &reason, &altered).await),
            Why::NotHere
        );
        // Two wraps of one secret do not look alike.
        assert_ne!(provider.wrap(&place(), &reason, &secret).await.unwrap(), blob);
    }
    provider.health().await.unwrap();
}

#[tokio::test]
async fn a_file_sealed_by_a_passphrase() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("holder.age");
    let passphrase = || Zeroizing::new("correct horse battery".to_owned());
    sealed_file::create(&path, &passphrase()).unwrap();
    assert!(sealed_file::create(&path, "another passphrase").is_err());
    assert!(
        std::fs::read(&path)
            .unwrap()
            .starts_with(b"age-encryption.org/v1\n-> scrypt ")
    );
    let provider = SealedFile::open(id(), path.clone(), passphrase()).await.unwrap();
    keeps_its_contract(&provider).await;
    let wrong = SealedFile::open(id(), path.clone(), Zeroizing::new("wrong".to_owned())).await;
    assert!(matches!(wrong, Err(SealedFileError::Passphrase { .. })));
    let ended = provider.end(&END).await.unwrap();
    assert_eq!((ended.gone_at, path.exists()), (None, false));
    provider.end(&END).await.unwrap();
}

/// A token of SoftHSM in a folder of its own. Its place comes from an environment variable, which is why everything about it
/// is one test.
#[tokio::test]
async fn a_hardware_module_over_pkcs11() {
    let module = PathBuf::from("/usr/lib/softhsm/libsofthsm2.so");
    if !module.exists() {
        assert!(
            std::env::var_os("CI").is_none(),
            "SoftHSM is missing: run tests/clients/install"
        );
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let tokens = dir.path().join("tokens");
    std::fs::create_dir(&tokens).unwrap();
    let config = dir.path().join("softhsm2.conf");
    std::fs::write(
        &config,
        format!(
            "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
            tokens.display()
        ),
    )
    .unwrap();
    // Set before the module is loaded, in a process that runs this one test alone.
    #[allow(
        unsafe_code,
        reason = "the module reads its place from the environment; nothing else runs in this process yet"
    )]
    unsafe {
        std::env::set_var("SOFTHSM2_CONF", &config);
    }
    let done = Command::new("softhsm2-util")
        .args([
            "--init-token",
            "--free",
            "--label",
            "amparo",
            "--so-pin",
            "5678",
            "--pin",
            "1234",
        ])
        .env("SOFTHSM2_CONF", &config)
        .stdout(Stdio::null())
        .status();
    assert!(done.unwrap().success());
    let token = |label: &str, key: &str| Token {
        module: module.clone(),
        token: label.to_owned(),
        key: key.to_owned(),
    };
    service::keys::pkcs11::generate(&token("amparo", "wrap"), &Zeroizing::new("1234".to_owned())).unwrap();
    let pin = |pin: &str| Zeroizing::new(pin.to_owned());
    let provider = Hardware::start(id(), token("amparo", "wrap"), pin("1234")).unwrap();
    keeps_its_contract(&provider).await;

    let reason = Reason::RegionStart;
    let ask = async |token: Token| {
        let provider = Hardware::start(id(), token, Zeroizing::new("1234".to_owned())).unwrap();
        why(provider.wrap(&place(), &reason, &[1; 32]).await)
    };
    assert!(matches!(ask(token("other", "wrap")).await, Why::Away(said) if said.contains("no token")));
    assert!(
        matches!(ask(token("amparo", "other")).await, Why::Unusable(said) if said.contains("no secret key"))
    );
    // Destroyed, it is gone for every session, and saying so twice is no fault. Two of one label are nobody's guess.
    let other = Hardware::start(id(), token("amparo", "wrap"), pin("1234")).unwrap();
    let blob = other.wrap(&place(), &reason, &[1; 32]).await.unwrap();
    assert_eq!(
        other.names_key().await.unwrap(),
        provider.names_key().await.unwrap()
    );
    let ended = provider.end(&END).await.unwrap();
    assert_eq!(ended.said["C_DestroyObject"], "CKR_OK");
    assert_eq!(ended.gone_at, None);
    for gone in [&provider, &other] {
        let answer = why(gone.unwrap(&place(), &reason, &blob).await);
        assert!(matches!(answer, Why::Away(_) | Why::Unusable(_)), "{answer:?}");
        let fresh = why(gone.unwrap(&place(), &reason, &blob).await);
        assert!(matches!(fresh, Why::Unusable(said) if said.contains("no secret key")));
    }
    assert_ne!(
        provider.end(&END).await.unwrap().said["C_DestroyObject"],
        "CKR_OK"
    );
    let mut none = token("amparo", "wrap");
    none.module = "/nonexistent.so".into();
    assert!(matches!(ask(none).await, Why::Away(_)));
}

/// A process that ends with the test.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn aws_kms_as_moto_speaks_it() {
    let moto = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.venv/bin/moto_server");
    if !moto.exists() {
        assert!(
            std::env::var_os("CI").is_none(),
            "moto is missing: run tests/clients/install"
        );
        return;
    }
    // Taken and given back: moto cannot say which port it took.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let child = Command::new(moto)
        .args(["-H", "127.0.0.1", "-p", &port.to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let _moto = Ended(child.unwrap());
    let endpoint = format!("http://127.0.0.1:{port}");
    let until = Instant::now() + Duration::from_secs(120);
    while reqwest::get(format!("{endpoint}/moto-api/")).await.is_err() {
        assert!(Instant::now() < until, "moto did not start");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let key = |key: &str, endpoint: &str| KmsKey {
        region: "eu-central-1".into(),
        key: key.into(),
        endpoint: Some(endpoint.into()),
    };
    let credentials = || ("AKTEST".to_owned(), Zeroizing::new("secret".to_owned()), None);
    let made = reqwest::Client::new()
        .post(&endpoint)
        .header("x-amz-target", "TrentService.CreateKey")
        .header("content-type", "application/x-amz-json-1.1")
        .header("authorization", "AWS4-HMAC-SHA256 Credential=AKTEST/20261122/eu-central-1/kms/aws4_request, SignedHeaders=host, Signature=0")
        .body("{}")
        .send()
        .await
        .unwrap();
    let made: serde_json::Value = serde_json::from_slice(&made.bytes().await.unwrap()).unwrap();
    let key_id = made["KeyMetadata"]["KeyId"].as_str().unwrap().to_owned();
    let provider = AwsKms::new(id(), key(&key_id, &endpoint), credentials()).unwrap();
    keeps_its_contract(&provider).await;

    let reason = Reason::RegionStart;
    let missing = AwsKms::new(id(), key("alias/none", &endpoint), credentials()).unwrap();
    assert!(matches!(
        why(missing.wrap(&place(), &reason, &[1; 32]).await),
        Why::Unusable(_)
    ));
    let nobody = AwsKms::new(id(), key(&key_id, "http://127.0.0.1:1"), credentials()).unwrap();
    assert!(matches!(
        why(nobody.wrap(&place(), &reason, &[1; 32]).await),
        Why::Away(_)
    ));
    assert!(AwsKms::new(id(), key(&key_id, "http://kms.example"), credentials()).is_err());

    // Its deletion is scheduled by AWS's own call; from then on it does nothing.
    let named = provider.names_key().await.unwrap();
    assert!(
        named.starts_with("arn:aws:kms:") && named.ends_with(&key_id),
        "{named}"
    );
    let early = EndOrder { waiting_days: 6 };
    assert!(matches!(why(provider.end(&early).await), Why::Unusable(_)));
    let blob = provider.wrap(&place(), &reason, &[1; 32]).await.unwrap();
    let ended = provider.end(&END).await.unwrap();
    assert!(
        ended.said["KeyId"].as_str().unwrap().ends_with(&key_id),
        "{ended:?}"
    );
    let days = ended.gone_at.unwrap().duration_since(jiff::Timestamp::now());
    assert!((6 * 24..=7 * 24 + 1).contains(&days.as_hours()), "{ended:?}");
    let again = provider.end(&END).await.unwrap();
    assert_eq!(
        (again.gone_at, &again.said["KeyState"]),
        (ended.gone_at, &"PendingDeletion".into())
    );
    assert!(provider.unwrap(&place(), &reason, &blob).await.is_err() || provider.health().await.is_err());
}

/// A Transit engine after its published API: `encrypt` and `decrypt` with `associated_data` and `context`, errors as
/// `{"errors": [...]}`, 403 for a wrong token, 503 while sealed.
#[derive(Clone, Default)]
struct Engine {
    sealed: Arc<Mutex<bool>>,
    /// Whether the key may be deleted, and whether it was.
    deletable: Arc<Mutex<bool>>,
    deleted: Arc<Mutex<bool>>,
    derived: bool,
    drawn: Arc<Mutex<u8>>,
}

type Answer = (StatusCode, Json<serde_json::Value>);

fn errors(status: StatusCode, text: &str) -> Answer {
    (status, Json(serde_json::json!({"errors": [text]})))
}

impl Engine {
    fn check(&self, headers: &HeaderMap, body: &serde_json::Value) -> Result<Vec<u8>, Answer> {
        if *self.sealed.lock().unwrap() {
            return Err(errors(StatusCode::SERVICE_UNAVAILABLE, "Vault is sealed"));
        }
        if headers.get("x-vault-token").is_none_or(|token| token != "s.good") {
            return Err(errors(StatusCode::FORBIDDEN, "permission denied"));
        }
        if self.derived && body["context"].as_str().is_none() {
            return Err(errors(
                StatusCode::BAD_REQUEST,
                "missing 'context' for key derivation; the key was created using a derived key",
            ));
        }
        if *self.deleted.lock().unwrap() {
            return Err(errors(StatusCode::NOT_FOUND, "encryption key not found"));
        }
        let bound = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        Ok(format!("{}/{}", bound("context"), bound("associated_data")).into_bytes())
    }
}

fn sealing() -> envelope::sealing::SealingKey {
    envelope::sealing::SealingKey::from_random(&[5; 32]).unwrap()
}

async fn encrypt(
    State(engine): State<Engine>,
    headers: HeaderMap,
    Json(body): Json<serde_json::Value>,
) -> Answer {
    let bound = match engine.check(&headers, &body) {
        Ok(bound) => bound,
        Err(answer) => return answer,
    };
    let plain = STANDARD.decode(body["plaintext"].as_str().unwrap()).unwrap();
    let nonce = {
        let mut drawn = engine.drawn.lock().unwrap();
        *drawn += 1;
        [*drawn; 12]
    };
    let sealed = sealing().wrap(&bound, &plain, nonce).unwrap();
    let text = format!("vault:v1:{}", STANDARD.encode(sealed));
    (
        StatusCode::OK,
        Json(serde_json::json!({"data": {"ciphertext": text, "key_version": 1}})),
    )
}

async fn decrypt(
    State(engine): State<Engine>,
    headers: HeaderMap,
    Json(body): Json<serde_json::Value>,
) -> Answer {
    let bound = match engine.check(&headers, &body) {
        Ok(bound) => bound,
        Err(answer) => return answer,
    };
    let text = body["ciphertext"].as_str().unwrap();
    let sealed = text
        .strip_prefix("vault:v1:")
        .and_then(|text| STANDARD.decode(text).ok());
    let Some(sealed) = sealed else {
        return errors(
            StatusCode::BAD_REQUEST,
            "invalid ciphertext: could not decode base64",
        );
    };
    match envelope::sealing::SealingKey::unwrap(&[sealing()], &bound, &sealed) {
        Ok(plain) => (
            StatusCode::OK,
            Json(serde_json::json!({"data": {"plaintext": STANDARD.encode(&*plain)}})),
        ),
        Err(_) => errors(StatusCode::BAD_REQUEST, "cipher: message authentication failed"),
    }
}

async fn health(State(engine): State<Engine>) -> StatusCode {
    match *engine.sealed.lock().unwrap() {
        true => StatusCode::SERVICE_UNAVAILABLE,
        false => StatusCode::OK,
    }
}

/// `POST /keys/:name/config`, `GET` and `DELETE /keys/:name`: a key is deleted only once `deletion_allowed` is set.
async fn configure(
    State(engine): State<Engine>,
    headers: HeaderMap,
    Json(body): Json<serde_json::Value>,
) -> StatusCode {
    match engine.check(&headers, &serde_json::json!({"context": ""})) {
        Err((status, _)) => status,
        Ok(_) => {
            *engine.deletable.lock().unwrap() = body["deletion_allowed"] == true;
            StatusCode::NO_CONTENT
        }
    }
}

async fn key(State(engine): State<Engine>, headers: HeaderMap, method: axum::http::Method) -> Answer {
    match engine.check(&headers, &serde_json::json!({"context": ""})) {
        Err(answer) => answer,
        Ok(_) if method == axum::http::Method::GET => (StatusCode::OK, Json(serde_json::json!({"data": {}}))),
        Ok(_) if !*engine.deletable.lock().unwrap() => {
            errors(StatusCode::BAD_REQUEST, "deletion is not allowed for this key")
        }
        Ok(_) => {
            *engine.deleted.lock().unwrap() = true;
            (StatusCode::NO_CONTENT, Json(serde_json::json!(null)))
        }
    }
}

async fn engine(engine: Engine) -> String {
    let router = Router::new()
        .route("/v1/transit/keys/amparo/config", post(configure))
        .route("/v1/transit/keys/amparo", axum::routing::get(key).delete(key))
        .route("/v1/transit/encrypt/amparo", post(encrypt))
        .route("/v1/transit/decrypt/amparo", post(decrypt))
        .route("/v1/sys/health", axum::routing::get(health))
        .with_state(engine);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    url
}

fn transit(url: &str, key: &str, token: &str, derived: bool) -> Transit {
    let at = TransitKey {
        url: url.to_owned(),
        mount: "transit".into(),
        key: key.to_owned(),
        namespace: None,
        derived,
    };
    let token = Zeroizing::new(token.to_owned());
    Transit::new(id(), at, reqwest::Client::builder(), token).unwrap()
}

#[tokio::test]
async fn a_transit_engine_after_its_published_api() {
    for derived in [false, true] {
        let served = Engine {
            derived,
            ..Engine::default()
        };
        let url = engine(served.clone()).await;
        keeps_its_contract(&transit(&url, "amparo", "s.good", derived)).await;
        let reason = Reason::RegionStart;
        let ask = async |transit: Transit| why(transit.wrap(&place(), &reason, &[1; 32]).await);
        let denied = ask(transit(&url, "amparo", "s.bad", derived)).await;
        assert_eq!(denied, Why::Denied("HTTP 403: permission denied".into()));
        assert!(matches!(
            ask(transit(&url, "other", "s.good", derived)).await,
            Why::Unusable(_)
        ));
        *served.sealed.lock().unwrap() = true;
        let away = ask(transit(&url, "amparo", "s.good", derived)).await;
        assert_eq!(away, Why::Away("HTTP 503: Vault is sealed".into()));
        let health = transit(&url, "amparo", "s.good", derived).health().await;
        assert_eq!(why(health), Why::Away("sealed".into()));
        *served.sealed.lock().unwrap() = false;
        let refused = why(transit(&url, "amparo", "s.bad", derived).end(&END).await);
        assert_eq!(refused, Why::Denied("HTTP 403".into()));
        let ending = transit(&url, "amparo", "s.good", derived);
        assert_eq!(ending.end(&END).await.unwrap().said["GET"], 404);
        assert!(*served.deleted.lock().unwrap());
        assert!(matches!(
            ask(transit(&url, "amparo", "s.good", derived)).await,
            Why::Unusable(_)
        ));
        assert_eq!(
            ending.end(&END).await.unwrap().said["DELETE"],
            serde_json::json!(null)
        );
    }
}
