//! Authorities' systems over real TLS against a deployment: ETSI's own examples run through to a case, and strangers meet a
//! closed door. The examples are not part of this project: `AMPARO_TESTDATA` names the folder that has them; without it
//! messages of the same form are sent.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

use std::{
    net::SocketAddr,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use casework::{event::Body, ids::CaseId};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    PKCS_ED25519, SigningKey as _,
};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
};
use serde_json::{Value, json};
use service::{
    app::clock::SteppedClock,
    deployment::{Deployment, NewDeployment, Running, create},
};
use store::cases::CaseFilter;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

const CONFIG: &str = r#"
schema = "amparo.config/1"
provider = "Example Cloud"
[s3]
listen = "127.0.0.1:0"
[api]
listen = "127.0.0.1:0"
[docket]
origin = "hi1.example/docket"
interval_ms = 100
batch = 4
[[region]]
id = "eu-de"
country = "DE"
[hi1]
listen = "127.0.0.1:0"
tls = { certificate = "provider.pem", key = "provider.key" }
country = "XX"
id = "ACTOR02"
[[hi1_peer]]
ca = "ca.pem"
names = ["hi1.police.example"]
country = "XX"
id = "ACTOR01"
authority_country = "US"
authority = "Police of XX"
kind = "police"
disclosure = "us.warrant.sca"
preservation = "us.preserve.2703f"
deliver_to = "https://localhost:9/hi1"
deliver_private = true
[[hi1_peer.key]]
id = "police-1"
file = "police-signs.pem"
algorithm = "EdDSA"
from = "2019-01-01T00:00:00Z"
until = "2030-01-01T00:00:00Z"
"#;

/// Makes certificates for both sides.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    fn issue(&self, name: &str) -> (String, String) {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    }
}

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// A client with this certificate, or none.
fn client(authority: &Authority, shows: Option<&(String, String)>) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(authority.pem.as_bytes()).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots);
    let config = match shows {
        None => config.with_no_client_auth(),
        Some((certificate, key)) => {
            let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
            let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
            config.with_client_auth_cert(chain, key).unwrap()
        }
    };
    TlsConnector::from(Arc::new(config))
}

/// One POST; status and body, or nothing where the connection was refused.
async fn post(
    client: &TlsConnector,
    at: SocketAddr,
    content_type: &str,
    body: &[u8],
) -> Option<(u16, Vec<u8>)> {
    let stream = TcpStream::connect(at).await.unwrap();
    let name = ServerName::try_from("hi1.provider.example").unwrap();
    let mut stream = client.connect(name, stream).await.ok()?;
    let head = format!(
        "POST / HTTP/1.1\r\nHost: hi1.provider.example\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.ok()?;
    stream.write_all(body).await.ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.ok()?;
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8(answer[..end].to_vec()).unwrap();
    let status = head.split(' ').nth(1)?.parse().unwrap();
    assert!(
        !head.to_ascii_lowercase().contains("transfer-encoding: chunked"),
        "{head}"
    );
    Some((status, answer[end + 4..].to_vec()))
}

struct Scene {
    _dir: tempfile::TempDir,
    authority: Authority,
    deployment: Deployment,
    running: Running,
    at: SocketAddr,
    signs: KeyPair,
}

impl Scene {
    async fn new(now: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("data");
        let new = NewDeployment {
            config: toml::from_str(CONFIG).unwrap(),
            database: None,
            witnesses: Vec::new(),
            reviewers: casework::promise::Reviewers::default(),
        };
        create(&folder, new).unwrap();
        let authority = Authority::new("an authority of certificates");
        let (certificate, key) = authority.issue("hi1.provider.example");
        write(&folder.join("provider.pem"), &certificate);
        write(&folder.join("provider.key"), &key);
        write(&folder.join("ca.pem"), &authority.pem);
        let signs = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        write(&folder.join("police-signs.pem"), &signs.public_key_pem());
        let clock = Arc::new(SteppedClock::new(now.parse().unwrap()));
        let deployment = Deployment::open_at(&folder, clock).await.unwrap();
        let running = deployment.start().await.unwrap();
        let at = running.hi1().expect("the face is served");
        Self {
            _dir: dir,
            authority,
            deployment,
            running,
            at,
            signs,
        }
    }

    fn police(&self) -> TlsConnector {
        client(&self.authority, Some(&self.authority.issue("hi1.police.example")))
    }

    async fn send(&self, message: &[u8]) -> Value {
        let (status, body) = post(&self.police(), self.at, "application/json", message)
            .await
            .unwrap();
        assert_eq!(status, 200);
        hi1::parse(&body).expect("the answer is of the standard");
        serde_json::from_slice(&body).unwrap()
    }

    async fn cases(&self) -> Vec<CaseId> {
        let filter = CaseFilter {
            limit: 100,
            ..CaseFilter::default()
        };
        let rows = self.deployment.desk().list(&filter).await.unwrap();
        rows.into_iter().map(|row| row.id).collect()
    }

    async fn stop(self) {
        self.running.stop().await;
        self.deployment.close().await;
    }
}

fn example(name: &str) -> Vec<u8> {
    match std::env::var_os("AMPARO_TESTDATA") {
        Some(data) => std::fs::read(PathBuf::from(data).join(format!("etsi/examples/{name}.json"))).unwrap(),
        None => own(name).to_string().into_bytes(),
    }
}

/// Messages of the examples' form, for where the examples are not.
fn own(name: &str) -> Value {
    let values = json!({"task:RequestValue": [{"task:FormatType": {"task:FormatOwner": "ETSI",
        "task:FormatName": "InternationalE164"}, "task:Value": "442079460223"}]});
    let authorisation = json!({"@xsi:type": hi1::Kind::Authorisation.type_name(),
        "ObjectIdentifier": "7dbbc880-8750-4d3c-abe7-ea4a17646045",
        "auth:AuthorisationTimespan": {"auth:StartTime": "2019-09-30T12:00:00Z", "auth:EndTime": "2019-12-01T12:00:00Z"}});
    let disclose = json!({"@xsi:type": hi1::Kind::LdTask.type_name(),
        "ObjectIdentifier": "2b36a78b-b628-416d-bd22-404e68a0cd36",
        "AssociatedObjects": {"AssociatedObject": ["7dbbc880-8750-4d3c-abe7-ea4a17646045"]},
        "task:RequestDetails": {"task:StartTime": "2019-09-30T12:00:00Z", "task:EndTime": "2019-12-30T12:00:00Z",
            "task:RequestValues": values}});
    let preserve = json!({"@xsi:type": hi1::Kind::LpTask.type_name(),
        "ObjectIdentifier": "f1205c94-4f56-4d97-9717-39410073979b",
        "task:RequestDetails": {"task:StartTime": "2023-05-01T12:00:00Z", "task:EndTime": "2023-05-02T12:00:00Z",
            "task:RequestValues": values},
        "task:DesiredPreservationExpiration": "2023-06-30T12:00:00Z"});
    let of = |id: &str| json!({"CountryCode": "XX", "UniqueIdentifier": id});
    let header = json!({"SenderIdentifier": of("ACTOR01"), "ReceiverIdentifier": of("ACTOR02"),
        "TransactionIdentifier": "c02358b2-76cf-4ba4-a8eb-f6436ccaea2e", "Timestamp": "2019-09-30T13:37:00.000000Z",
        "Version": {"ETSIVersion": "V1.13.1", "NationalProfileOwner": "XX", "NationalProfileVersion": "v1.0"}});
    let requests = |objects: Vec<Value>| {
        let actions = objects.into_iter().enumerate();
        let actions: Vec<Value> = actions
            .map(|(number, object)| json!({"ActionIdentifier": number, "CREATE": {"HI1Object": object}}))
            .collect();
        json!({"RequestPayload": {"ActionRequests": {"ActionRequest": actions}}})
    };
    let payload = match name {
        "request4" => requests(vec![authorisation, disclose]),
        "request8_LPTaskObject" => requests(vec![preserve]),
        _ => json!({"ResponsePayload": {"ActionResponses": {"ActionResponse": [
            {"ActionIdentifier": 0, "CREATEResponse": {"Identifier": "7dbbc880-8750-4d3c-abe7-ea4a17646045"}},
            {"ActionIdentifier": 1, "CREATEResponse": {"Identifier": "2b36a78b-b628-416d-bd22-404e68a0cd36"}}]}}}),
    };
    json!({"Header": header, "Payload": payload})
}

#[tokio::test(flavor = "multi_thread")]
async fn the_published_examples_run_through_to_a_case() {
    // Days before the authorisation of the first example ends: what holds it is its window alone.
    let scene = Scene::new("2019-10-01T09:00:00Z").await;
    let request = example("request4");
    let answer = scene.send(&request).await;
    let published: Value = serde_json::from_slice(&example("response4")).unwrap();
    assert_eq!(answer["Payload"], published["Payload"]);
    assert_eq!(
        answer["Header"]["TransactionIdentifier"],
        published["Header"]["TransactionIdentifier"]
    );
    assert_eq!(answer["Header"]["Version"], published["Header"]["Version"]);
    // An answer goes from us to them; the published one keeps the request's sides.
    assert_eq!(
        answer["Header"]["SenderIdentifier"]["UniqueIdentifier"],
        "ACTOR02"
    );

    let cases = scene.cases().await;
    let [case] = cases[..] else { panic!("{cases:?}") };
    assert_eq!(
        scene.deployment.desk().cases().demand(case).await.unwrap(),
        request
    );
    let events = scene.deployment.desk().events(case).await.unwrap();
    let held = events.iter().find_map(|event| match &event.body {
        Some(Body::Unreadable { reason }) => Some(reason.clone()),
        _ => None,
    });
    let held = held.expect("it is held for a person");
    assert!(
        held.contains("until 2019-12-30T12:00:00Z, and its authorisation ends at 2019-12-01T12:00:00Z"),
        "{held}"
    );
    assert!(scene.deployment.desk().case(case).await.unwrap().demand.is_none());
    // The same bytes twice are one case.
    assert_eq!(scene.send(&request).await, answer);
    assert_eq!(scene.cases().await, cases);
    // An answer is no request.
    let answered = scene.send(&example("response4")).await;
    assert_eq!(
        answered["Payload"]["ResponsePayload"]["ErrorInformation"]["ErrorCode"],
        3007
    );
    scene.stop().await;

    let scene = Scene::new("2023-06-21T12:00:00Z").await;
    scene.send(&example("request8_LPTaskObject")).await;
    let case = scene.cases().await[0];
    let demand = scene
        .deployment
        .desk()
        .case(case)
        .await
        .unwrap()
        .demand
        .expect("it reads as a demand");
    assert_eq!(demand.instrument.as_str(), "us.preserve.2703f");
    assert_eq!(demand.requester.authority, "Police of XX");
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_and_bad_forms_meet_a_closed_door() {
    let scene = Scene::new("2026-11-02T09:00:00Z").await;
    let message = example("request4");
    let stranger = Authority::new("another authority");
    for shows in [
        None,
        Some(stranger.issue("hi1.police.example")),
        Some(scene.authority.issue("hi1.else.example")),
    ] {
        let client = client(&scene.authority, shows.as_ref());
        assert_eq!(post(&client, scene.at, "application/json", &message).await, None);
    }
    let code = |body: &[u8]| {
        hi1::parse(body).expect("the answer is of the standard");
        let answer: Value = serde_json::from_slice(body).unwrap();
        answer["Payload"]["ResponsePayload"]["ErrorInformation"]["ErrorCode"]
            .as_u64()
            .unwrap()
    };
    let (_, body) = post(&scene.police(), scene.at, "application/xml", &message)
        .await
        .unwrap();
    assert_eq!(code(&body), 3019);
    // One that begins and does not go on.
    let stream = TcpStream::connect(scene.at).await.unwrap();
    let name = ServerName::try_from("hi1.provider.example").unwrap();
    let mut stalled = scene.police().connect(name, stream).await.unwrap();
    let head = "POST / HTTP/1.1\r\nHost: hi1.provider.example\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{";
    stalled.write_all(head.as_bytes()).await.unwrap();
    let mut said = Vec::new();
    while !said.windows(4).any(|window| window == b"3003") {
        let mut some = [0; 4096];
        let read = stalled.read(&mut some).await.unwrap();
        assert_ne!(read, 0, "{}", String::from_utf8_lossy(&said));
        said.extend_from_slice(&some[..read]);
    }
    let (_, body) = post(&scene.police(), scene.at, "application/json", b"<HI1Message/>")
        .await
        .unwrap();
    assert_eq!(code(&body), 3020);
    let (_, body) = post(
        &scene.police(),
        scene.at,
        "application/json",
        &message[..message.len() / 2],
    )
    .await
    .unwrap();
    assert_eq!(code(&body), 3020);
    assert_eq!(scene.cases().await, []);
    scene.stop().await;
}

/// ETSI's own example, signed as it stands in the file, against a key that the configuration names.
#[tokio::test(flavor = "multi_thread")]
async fn a_signed_example_is_verified_against_the_key_in_its_file() {
    let scene = Scene::new("2019-10-01T09:00:00Z").await;
    let text = String::from_utf8(example("request4")).unwrap();
    let form = text.replacen('{', r#"{"Signature": {"protected": "%P", "signature": "%S"},"#, 1);
    let base64 = |bytes: &[u8]| base64::Engine::encode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, bytes);
    let protected = base64(br#"{"alg":"EdDSA","kid":"police-1"}"#);
    let payload = form.replace("%P", "").replace("%S", "");
    let signature = scene
        .signs
        .sign(format!("{protected}.{}", base64(payload.as_bytes())).as_bytes())
        .unwrap();
    let signed = form.replace("%P", &protected).replace("%S", &base64(&signature));
    let altered = scene
        .send(signed.replace("442079460223", "442079460224").as_bytes())
        .await;
    assert_eq!(
        altered["Payload"]["ResponsePayload"]["ErrorInformation"]["ErrorCode"],
        3007
    );
    assert_eq!(scene.cases().await, []);
    scene.send(signed.as_bytes()).await;
    let case = scene.cases().await[0];
    let events = scene.deployment.desk().events(case).await.unwrap();
    let shown = events.iter().filter(
        |event| matches!(&event.body, Some(Body::SignatureVerified { key, .. }) if key == "police-1"),
    );
    assert_eq!(shown.count(), 1);
    scene.stop().await;
}
