//! The S3 face, called in this process, over a vault of its own. What is fuzzed is a request in words: a way to sign it, then
//! method and target, headers, and after an empty line the body. It is signed here, so that what lies behind the signature is
//! reached: queries, headers, XML, `aws-chunked`, forms, ranges.
#![no_main]

use std::{cell::RefCell, collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use casework::{
    demand::CountryCode,
    facts::TenantKind,
    ids::{RegionId, TenantId},
};
use envelope::{keys::RegionRoot, secrets::DeploymentKey};
use hmac::{Hmac, Mac as _};
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use libfuzzer_sys::fuzz_target;
use service::{
    gate::{Ledger, RegionRoots, owner::OwnerKeys},
    s3::{S3Config, S3Face, service},
    vault::Vault,
};
use sha2::{Digest as _, Sha256};
use store::{blobs::DiskBlobs, database::Database, vault::VaultStore};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

/// After so many requests a new vault is made, so that none grows without end.
const REQUESTS_OF_A_VAULT: u32 = 3_000;

struct Scene {
    runtime: Runtime,
    face: S3Face,
    left: u32,
    _folder: TempDir,
}

thread_local! {
    static SCENE: RefCell<Option<Scene>> = const { RefCell::new(None) };
}

impl Scene {
    fn new() -> Self {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let folder = TempDir::new_in("/dev/shm").expect("a folder in memory");
        let face = runtime.block_on(async {
            let region: RegionId = "eu-de".parse().expect("a region");
            let country = CountryCode::new("DE").expect("a country");
            let database = Database::open(folder.path().join("amparo.db").as_path())
                .await
                .expect("a database");
            let memory = Database::open(folder.path().join("gate.db").as_path())
                .await
                .expect("a database");
            let blobs = DiskBlobs::open(&folder.path().join("blobs"))
                .await
                .expect("a folder");
            let roots = RegionRoots::new([(region.clone(), RegionRoot::from_random([7; 32]))]);
            let ledger = Arc::new(Ledger::open(memory, Arc::new(jiff::Timestamp::now)));
            let gate = OwnerKeys::new(Arc::new(roots), ledger);
            let store = VaultStore::new(database).await.expect("a store");
            let vault = Vault::new(
                store,
                Arc::new(blobs),
                Arc::new(gate),
                DeploymentKey::from_random([8; 32]),
            );
            vault.create_region(&region, &country).await.expect("a region");
            let tenant: TenantId = "contoso".parse().expect("a tenant");
            vault
                .create_tenant(&tenant, TenantKind::Enterprise, &country)
                .await
                .expect("a tenant");
            vault
                .add_access_key(&tenant, "AK", "secret")
                .await
                .expect("a key");
            service(vault, S3Config::new(region)).expect("a face")
        });
        let scene = Self {
            runtime,
            face,
            left: REQUESTS_OF_A_VAULT,
            _folder: folder,
        };
        for first in [
            "+PUT /box",
            "+PUT /box/k\n\nhello",
            "+PUT /box?versioning\n\n<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>",
        ] {
            scene.ask(first.as_bytes());
        }
        scene
    }

    fn ask(&self, said: &[u8]) {
        let Some(request) = request(said) else { return };
        self.runtime.block_on(async {
            let answer = self.face.answer(request).await;
            let status = answer.status();
            let _ = answer.into_body().collect().await;
            assert!(status.as_u16() != 500, "a fault of ours");
        });
    }
}

fn request(said: &[u8]) -> Option<Request<Full<Bytes>>> {
    let (head, body) = match said.windows(2).position(|two| two == b"\n\n") {
        Some(at) => (&said[..at], &said[at + 2..]),
        None => (said, &[][..]),
    };
    let mut lines = std::str::from_utf8(head).ok()?.split('\n');
    let first = lines.next()?;
    let how = first.chars().next()?;
    let (method, target) = first.get(how.len_utf8()..)?.split_once(' ')?;
    let mut headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    headers
        .entry("host".to_owned())
        .or_insert_with(|| "s3.example".to_owned());
    let hash = match how {
        '+' => hex::encode(Sha256::digest(body)),
        '~' => "UNSIGNED-PAYLOAD".to_owned(),
        '*' => "STREAMING-UNSIGNED-PAYLOAD-TRAILER".to_owned(),
        '#' => "STREAMING-AWS4-HMAC-SHA256-PAYLOAD".to_owned(),
        _ => String::new(),
    };
    if !hash.is_empty() {
        sign(method, target, &mut headers, &hash);
    }
    if !body.is_empty() {
        headers
            .entry("content-length".to_owned())
            .or_insert_with(|| body.len().to_string());
    }
    let mut request = Request::builder().method(method).uri(target);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    request.body(Full::new(Bytes::copy_from_slice(body))).ok()
}

/// Signature Version 4 over every header.
fn sign(method: &str, target: &str, headers: &mut BTreeMap<String, String>, hash: &str) {
    let date = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
    headers.insert("x-amz-date".to_owned(), date.clone());
    headers.insert("x-amz-content-sha256".to_owned(), hash.to_owned());
    let names = headers.keys().cloned().collect::<Vec<_>>().join(";");
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut query: Vec<String> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            if pair.contains('=') {
                pair.to_owned()
            } else {
                format!("{pair}=")
            }
        })
        .collect();
    query.sort();
    let lines: String = headers
        .iter()
        .map(|(name, value)| format!("{name}:{value}\n"))
        .collect();
    let canonical = format!("{method}\n{path}\n{}\n{lines}\n{names}\n{hash}", query.join("&"));
    let day = date.get(..8).unwrap_or_default();
    let scope = format!("{day}/eu-de/s3/aws4_request");
    let mut key = mac(b"AWS4secret", day.as_bytes());
    for part in ["eu-de", "s3", "aws4_request"] {
        key = mac(&key, part.as_bytes());
    }
    let text = format!(
        "AWS4-HMAC-SHA256\n{date}\n{scope}\n{}",
        hex::encode(Sha256::digest(canonical))
    );
    let signature = hex::encode(mac(&key, text.as_bytes()));
    let authorization =
        format!("AWS4-HMAC-SHA256 Credential=AK/{scope}, SignedHeaders={names}, Signature={signature}");
    headers.insert("authorization".to_owned(), authorization);
}

fn mac(key: &[u8], data: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length");
    mac.update(data);
    mac.finalize().into_bytes().to_vec()
}

fuzz_target!(|said: &[u8]| {
    SCENE.with_borrow_mut(|scene| {
        let one = match scene.take() {
            Some(one) if one.left > 0 => one,
            _ => Scene::new(),
        };
        one.ask(said);
        *scene = Some(Scene {
            left: one.left - 1,
            ..one
        });
    });
});
