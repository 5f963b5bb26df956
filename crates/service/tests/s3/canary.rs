//! Invariant 1: no customer plaintext on disk. Known content is stored in every way there is, and then looked for.

use std::{collections::HashSet, path::Path};

use super::{noise::Noise, server::Server};

/// Shortest run of plaintext that is looked for.
const RUN: usize = 24;

/// Looks for any run of known plaintext.
struct Search {
    known: HashSet<[u8; RUN]>,
}

impl Search {
    /// `text` is taken as a cycle, for bodies repeat it.
    fn learn(&mut self, text: &[u8]) {
        let twice: Vec<u8> = text.iter().chain(text).copied().collect();
        for window in twice.windows(RUN).take(text.len()) {
            self.known.insert(window.try_into().unwrap());
        }
    }

    fn find(&self, bytes: &[u8]) -> Option<usize> {
        bytes
            .windows(RUN)
            .position(|w| w.try_into().is_ok_and(|w: [u8; RUN]| self.known.contains(&w)))
    }

    /// Looks through every file; gives how many bytes there were.
    fn assert_absent(&self, folder: &Path) -> usize {
        let mut seen = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                seen += self.assert_absent(&path);
            } else {
                let bytes = std::fs::read(&path).unwrap();
                assert_eq!(self.find(&bytes), None, "plaintext in {}", path.display());
                seen += bytes.len();
            }
        }
        seen
    }
}

/// Text that people could read, so that a compressor or an encoder would leave runs of it.
fn text(seed: u64, length: usize) -> String {
    let mut noise = Noise::new(seed);
    (0..length)
        .map(|_| char::from(b'a' + (noise.next() % 26) as u8))
        .collect()
}

#[tokio::test]
async fn p01_invariant_01_no_plaintext_is_on_disk() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let signer = server.signer(0);
    let http = reqwest::Client::new();
    let mut search = Search {
        known: HashSet::new(),
    };
    let block = text(1, 4096);
    let [value, tag, kind, part] = [text(2, 200), text(3, 100), text(4, 60), text(5, 4096)];
    for known in [&block, &value, &tag, &kind, &part] {
        search.learn(known.as_bytes());
    }
    let send = async |method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]| {
        let answer = signer.sign(method, target, headers, body).send(&http).await;
        assert!(answer.status < 300, "{method} {target}: {}", answer.text());
        answer
    };
    send("PUT", "/canary", &[], b"").await;
    let tags = format!("t={tag}");
    let content_type = format!("text/{kind}");
    let disposition = format!("attachment; filename={value}");
    let headers = [
        ("x-amz-meta-m", value.as_str()),
        ("x-amz-tagging", &tags),
        ("content-type", &content_type),
        ("content-disposition", &disposition),
    ];
    for size in [100, 4096, 16 << 10, 70_000, 3 << 20] {
        let body = block.repeat(size / 4096 + 1);
        send(
            "PUT",
            &format!("/canary/{size}"),
            &headers,
            &body.as_bytes()[..size],
        )
        .await;
        let source = format!("/canary/{size}");
        send(
            "PUT",
            &format!("/canary/copy-{size}"),
            &[("x-amz-copy-source", &source)],
            b"",
        )
        .await;
    }
    let tagging = format!("<Tagging><TagSet><Tag><Key>k</Key><Value>{tag}</Value></Tag></TagSet></Tagging>");
    send("PUT", "/canary/100?tagging", &[], tagging.as_bytes()).await;
    let upload = send("POST", "/canary/multi?uploads", &headers, b"")
        .await
        .element("UploadId")
        .unwrap();
    let body = part.repeat(5 << 20 >> 12);
    let mut parts = String::new();
    for number in [1, 2] {
        let target = format!("/canary/multi?partNumber={number}&uploadId={upload}");
        let etag = send("PUT", &target, &[], body.as_bytes()).await.headers["etag"]
            .to_str()
            .unwrap()
            .to_owned();
        parts += &format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>");
    }
    // An upload under way, too.
    search.assert_absent(directory.path());
    let complete = format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>");
    send(
        "POST",
        &format!("/canary/multi?uploadId={upload}"),
        &[],
        complete.as_bytes(),
    )
    .await;
    let got = send("GET", "/canary/multi", &[], b"").await;
    assert!(got.body == body.repeat(2).as_bytes() && got.headers["x-amz-meta-m"] == value.as_str());

    let seen = search.assert_absent(directory.path());
    assert!(seen > 16 << 20, "only {seen} bytes were looked through");
    server.kill();
    search.assert_absent(directory.path());

    // The search finds what is there to be found.
    let planted = tempfile::tempdir().unwrap();
    let mut bytes = Noise::bytes(9, 10_000);
    bytes[5000..5000 + RUN].copy_from_slice(
        &block.as_bytes()[4080..]
            .iter()
            .chain(&block.as_bytes()[..8])
            .copied()
            .collect::<Vec<_>>(),
    );
    std::fs::write(planted.path().join("f"), &bytes).unwrap();
    assert_eq!(search.find(&bytes), Some(5000));
}
