//! Raw requests: signatures, framing, refusals, limits.

use base64::Engine as _;

use super::{
    server::Server,
    signer::{Answer, Signer, UNSIGNED},
};

struct Scene {
    server: Server,
    http: reqwest::Client,
    _directory: tempfile::TempDir,
}

impl Scene {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let scene = Self {
            server: Server::start(directory.path()),
            http: reqwest::Client::new(),
            _directory: directory,
        };
        assert_eq!(scene.own("PUT", "/bucket", &[], b"").await.status, 200);
        scene
    }
    async fn own(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        self.by(0, method, target, headers, body).await
    }
    async fn by(
        &self,
        who: usize,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        self.server
            .signer(who)
            .sign(method, target, headers, body)
            .send(&self.http)
            .await
    }
    fn signer(&self) -> Signer {
        self.server.signer(0)
    }
}

fn base64(bytes: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[tokio::test]
async fn each_way_to_sign_a_body_stores_it() {
    let scene = Scene::new().await;
    let signer = scene.signer();
    let body = b"the quick brown fox".as_slice();
    let mut done = vec![
        signer.sign("PUT", "/bucket/k", &[], body),
        signer.sign_as("PUT", "/bucket/k", &[], body.to_vec(), UNSIGNED).0,
        signer.sign_chunked("/bucket/k", &[&body[..8], &body[8..]], None),
        signer.sign_chunked("/bucket/k", &[body], Some(("x-amz-checksum-crc32", "kcECyg=="))),
    ];
    let trailer = [
        ("content-encoding", "aws-chunked"),
        ("x-amz-decoded-content-length", "19"),
        ("x-amz-trailer", "x-amz-checksum-crc32"),
    ];
    let framed = b"13\r\nthe quick brown fox\r\n0\r\nx-amz-checksum-crc32:kcECyg==\r\n\r\n".to_vec();
    done.push(
        signer
            .sign_as(
                "PUT",
                "/bucket/k",
                &trailer,
                framed,
                "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
            )
            .0,
    );
    for (number, request) in done.into_iter().enumerate() {
        let put = request.send(&scene.http).await;
        assert_eq!(put.status, 200, "{number}: {}", put.text());
        let got = scene.own("GET", "/bucket/k", &[], b"").await;
        assert_eq!((got.status, got.body.as_slice()), (200, body), "{number}");
        assert!(got.headers.get("content-encoding").is_none(), "{number}");
        assert_eq!(got.headers["x-amz-server-side-encryption"], "aws:kms");
        assert_eq!(scene.own("DELETE", "/bucket/k", &[], b"").await.status, 204);
    }
}

#[tokio::test]
async fn a_body_that_is_not_what_it_says_is_not_stored() {
    let scene = Scene::new().await;
    let signer = scene.signer();
    let body = b"the quick brown fox".as_slice();
    let mut requests = Vec::new();
    requests.push((
        "XAmzContentSHA256Mismatch",
        signer
            .sign_as("PUT", "/bucket/k", &[], body.to_vec(), &"0".repeat(64))
            .0,
    ));
    for (name, value, code) in [
        ("content-md5", base64(&[0; 16]), "BadDigest"),
        ("content-md5", "short".to_owned(), "InvalidDigest"),
        ("x-amz-checksum-crc32", base64(&[0; 4]), "BadDigest"),
        ("x-amz-checksum-sha256", base64(&[0; 32]), "BadDigest"),
        ("x-amz-checksum-sha256", base64(&[0; 4]), "BadDigest"),
    ] {
        requests.push((code, signer.sign("PUT", "/bucket/k", &[(name, &value)], body)));
    }
    let mut broken = signer.sign_chunked("/bucket/k", &[body], None);
    let at = broken.body.windows(3).position(|w| w == b"fox").unwrap();
    broken.body[at] = b'b';
    requests.push(("SignatureDoesNotMatch", broken));
    let mut broken = signer.sign_chunked("/bucket/k", &[body], Some(("x-amz-checksum-crc32", "AAAAAA==")));
    broken
        .headers
        .insert("x-note".into(), "a wrong checksum in a signed trailer".into());
    requests.push(("BadDigest", broken));
    let trailer = |length: &'static str| {
        [
            ("content-encoding", "aws-chunked"),
            ("x-amz-decoded-content-length", length),
            ("x-amz-trailer", "x-amz-checksum-crc32"),
        ]
    };
    let unsigned = |framed: &str, length| {
        let body = framed.as_bytes().to_vec();
        signer
            .sign_as(
                "PUT",
                "/bucket/k",
                &trailer(length),
                body,
                "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
            )
            .0
    };
    requests.push((
        "BadDigest",
        unsigned("3\r\nabc\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n", "3"),
    ));
    requests.push(("IncompleteBody", unsigned("3\r\nabc\r\n", "3")));
    requests.push(("InvalidRequest", unsigned("zz\r\nabc\r\n", "3")));
    requests.push((
        "IncompleteBody",
        unsigned("3\r\nabc\r\n0\r\nx-amz-checksum-crc32:NSRBwg==\r\n\r\n", "4"),
    ));
    for (number, (code, request)) in requests.into_iter().enumerate() {
        let answer = request.send(&scene.http).await;
        assert_eq!(answer.code(), code, "{number}: {}", answer.text());
        assert!((400..500).contains(&answer.status), "{number}: {}", answer.status);
        assert_eq!(
            scene.own("GET", "/bucket/k", &[], b"").await.code(),
            "NoSuchKey",
            "{number}"
        );
    }
    // What was announced and did not come, or came and was too much.
    for (framed, length) in [
        ("3\r\nabc\r\n0\r\n\r\n", "3"),
        ("3\r\nabc\r\n0\r\nx-amz-checksum-crc32:NSRBwg==\r\n\r\n", "2"),
    ] {
        let answer = unsigned(framed, length).send(&scene.http).await;
        assert!(
            (400..500).contains(&answer.status),
            "{framed:?}: {}",
            answer.text()
        );
        assert_eq!(
            scene.own("GET", "/bucket/k", &[], b"").await.code(),
            "NoSuchKey",
            "{framed:?}"
        );
    }
}

#[tokio::test]
async fn nobody_gets_in_without_a_valid_signature() {
    let scene = Scene::new().await;
    scene.own("PUT", "/bucket/k", &[], b"secret").await;
    let anonymous = scene
        .http
        .get(format!("{}/bucket/k", scene.server.endpoint()))
        .send()
        .await
        .unwrap();
    assert_eq!(anonymous.status(), 403);
    assert!(
        anonymous
            .text()
            .await
            .unwrap()
            .contains("<Code>AccessDenied</Code>")
    );
    let with = |change: fn(&mut Signer)| {
        let mut signer = scene.signer();
        change(&mut signer);
        signer.sign("GET", "/bucket/k", &[], b"")
    };
    for (request, code) in [
        (with(|s| s.secret_key.push('x')), "SignatureDoesNotMatch"),
        (with(|s| s.access_key.push('x')), "InvalidAccessKeyId"),
        (with(|s| s.access_key = "x".repeat(2000)), "InvalidAccessKeyId"),
        (
            with(|s| s.region = "mars-1".into()),
            "AuthorizationHeaderMalformed",
        ),
    ] {
        let answer = request.send(&scene.http).await;
        assert_eq!(answer.code(), code, "{}", answer.text());
        assert!(matches!(answer.status, 400 | 403));
        assert!(
            answer
                .element("RequestId")
                .is_some_and(|id| id == answer.headers["x-amz-request-id"])
        );
    }
    for region in ["us-east-1", &scene.signer().region] {
        let signer = Signer {
            region: region.to_owned(),
            ..scene.signer()
        };
        assert_eq!(
            signer
                .sign("GET", "/bucket/k", &[], b"")
                .send(&scene.http)
                .await
                .body,
            b"secret"
        );
    }
    let mut version_2 = scene.signer().sign("GET", "/bucket/k", &[], b"");
    version_2.headers.insert(
        "authorization".into(),
        format!("AWS {}:c2ln", scene.signer().access_key),
    );
    assert_eq!(version_2.send(&scene.http).await.code(), "InvalidRequest");
    let mut unsigned_header = scene.signer().sign("PUT", "/bucket/other", &[], b"");
    unsigned_header
        .headers
        .insert("x-amz-copy-source".into(), "/bucket/k".into());
    assert_eq!(unsigned_header.send(&scene.http).await.code(), "AccessDenied");
}

#[tokio::test]
async fn anothers_bucket_answers_byte_for_byte_as_a_missing_one() {
    let scene = Scene::new().await;
    scene.own("PUT", "/bucket/k", &[], b"x").await;
    let upload = scene
        .own("POST", "/bucket/m?uploads", &[], b"")
        .await
        .element("UploadId")
        .unwrap();
    let complete = b"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>a</ETag></Part></CompleteMultipartUpload>";
    let delete = b"<Delete><Object><Key>k</Key></Object></Delete>";
    let copy = |bucket: &str| format!("/{bucket}/k");
    for (method, tail, body) in [
        ("GET", "", &b""[..]),
        ("HEAD", "", b""),
        ("DELETE", "", b""),
        ("GET", "?list-type=2", b""),
        ("GET", "?versions", b""),
        ("GET", "?location", b""),
        ("GET", "?uploads", b""),
        ("GET", "?acl", b""),
        ("POST", "?delete", delete),
        ("GET", "/k", b""),
        ("HEAD", "/k", b""),
        ("PUT", "/k", b"y"),
        ("DELETE", "/k", b""),
        ("GET", "/k?tagging", b""),
        ("GET", "/k?attributes", b""),
        ("POST", "/k?uploads", b""),
        ("PUT", "/m?partNumber=1&uploadId=UPLOAD", b"y"),
        ("GET", "/m?uploadId=UPLOAD", b""),
        ("POST", "/m?uploadId=UPLOAD", complete),
        ("DELETE", "/m?uploadId=UPLOAD", b""),
    ] {
        let tail = tail.replace("UPLOAD", &upload);
        let attributes = [("x-amz-object-attributes", "ETag")];
        let headers = if tail.ends_with("attributes") {
            &attributes[..]
        } else {
            &[]
        };
        let theirs = scene
            .by(1, method, &format!("/bucket{tail}"), headers, body)
            .await;
        let missing = scene
            .by(1, method, &format!("/nosuch{tail}"), headers, body)
            .await;
        assert_eq!(plain(&theirs), plain(&missing), "{method} {tail}");
        assert_eq!(theirs.status, 404, "{method} {tail}: {}", theirs.text());
    }
    let source = copy("bucket");
    let theirs = scene.by(1, "PUT", "/own-bucket", &[], b"").await;
    assert_eq!(theirs.status, 200);
    let theirs = scene
        .by(1, "PUT", "/own-bucket/k", &[("x-amz-copy-source", &source)], b"")
        .await;
    let missing = scene
        .by(
            1,
            "PUT",
            "/own-bucket/k",
            &[("x-amz-copy-source", &copy("nosuch"))],
            b"",
        )
        .await;
    assert_eq!(plain(&theirs), plain(&missing));
    assert_eq!(
        scene
            .by(1, "GET", "/", &[], b"")
            .await
            .text()
            .matches("<Name>")
            .count(),
        1
    );
    // The other may have a bucket of the same name, and sees its own alone.
    assert_eq!(scene.by(1, "PUT", "/bucket", &[], b"").await.status, 200);
    assert_eq!(
        scene.by(1, "GET", "/bucket/k", &[], b"").await.code(),
        "NoSuchKey"
    );
    assert_eq!(scene.own("GET", "/bucket/k", &[], b"").await.body, b"x");
}

/// An answer without what differs between any two.
fn plain(answer: &Answer) -> (u16, Vec<(String, String)>, String) {
    let id = answer.headers["x-amz-request-id"].to_str().unwrap();
    let headers = answer
        .headers
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "x-amz-request-id" | "date"))
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    (answer.status, headers, answer.text().replace(id, "ID"))
}

#[tokio::test]
async fn limits_answer_with_a_clear_error() {
    let scene = Scene::new().await;
    let long = format!("/bucket/{}", "k".repeat(1025));
    assert_eq!(scene.own("PUT", &long, &[], b"").await.code(), "KeyTooLongError");
    let longest = format!("/bucket/{}", "k".repeat(1024));
    assert_eq!(scene.own("PUT", &longest, &[], b"").await.status, 200);
    let value = "v".repeat(2049);
    assert_eq!(
        scene
            .own("PUT", "/bucket/k", &[("x-amz-meta-k", &value)], b"")
            .await
            .code(),
        "MetadataTooLarge"
    );
    let mut large = scene
        .signer()
        .sign_as(
            "PUT",
            "/bucket/k",
            &[("x-amz-decoded-content-length", "5368709121")],
            vec![],
            UNSIGNED,
        )
        .0;
    large.body = b"x".to_vec();
    assert_eq!(large.send(&scene.http).await.code(), "EntityTooLarge");
    let xml = vec![b' '; (4 << 20) + 1];
    let answer = scene.own("POST", "/bucket?delete", &[], &xml).await;
    assert_eq!(answer.code(), "MaxMessageLengthExceeded");
    for (query, code) in [
        ("list-type=2&max-keys=-1", "InvalidArgument"),
        ("continuation-token=%21&list-type=2", "InvalidArgument"),
        ("encoding-type=rot13&list-type=2", "InvalidArgument"),
    ] {
        assert_eq!(
            scene
                .own("GET", &format!("/bucket?{query}"), &[], b"")
                .await
                .code(),
            code,
            "{query}"
        );
    }
    let expired = "/bucket/k?X-Amz-Expires=604801&X-Amz-SignedHeaders=host&X-Amz-Signature=0";
    let answer = scene
        .http
        .get(format!("{}{expired}", scene.server.endpoint()))
        .send()
        .await
        .unwrap();
    assert!(
        answer
            .text()
            .await
            .unwrap()
            .contains("AuthorizationQueryParametersError")
    );
}

/// The unsigned framing of Go's SDK: one chunk for the whole body. Memory must not follow its size.
#[tokio::test]
async fn one_huge_chunk_does_not_fill_memory() {
    let scene = Scene::new().await;
    const SIZE: usize = 192 << 20;
    let before = scene.server.memory_now();
    let mut body = format!("{SIZE:x}\r\n").into_bytes();
    body.resize(body.len() + SIZE, b'a');
    body.extend(b"\r\n0\r\nx-amz-checksum-crc32:");
    let crc = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32IsoHdlc, &vec![b'a'; SIZE]) as u32;
    body.extend(base64(&crc.to_be_bytes()).bytes());
    body.extend(b"\r\n\r\n");
    let length = SIZE.to_string();
    let headers = [
        ("content-encoding", "aws-chunked"),
        ("x-amz-decoded-content-length", length.as_str()),
        ("x-amz-trailer", "x-amz-checksum-crc32"),
    ];
    let request = scene
        .signer()
        .sign_as(
            "PUT",
            "/bucket/k",
            &headers,
            body,
            "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        )
        .0;
    let answer = request.send(&scene.http).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let grown = scene.server.memory_peak().saturating_sub(before);
    assert!(grown < 64 << 20, "grew by {} MiB", grown >> 20);
}
