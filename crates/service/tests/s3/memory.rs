//! Bodies stream both ways: memory does not follow their size.

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::{
    noise::Noise,
    server::Server,
    signer::{Signed, UNSIGNED},
};

const SIZE: u64 = 1 << 30;
const GROWTH_MAX: u64 = 64 << 20;

#[tokio::test]
async fn a_gigabyte_in_and_out_keeps_memory_flat() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let signer = server.signer(0);
    let http = reqwest::Client::new();
    assert_eq!(
        signer.sign("PUT", "/memory", &[], b"").send(&http).await.status,
        200
    );
    // One small round trip first, so that what is loaded once is loaded.
    assert_eq!(
        signer
            .sign("PUT", "/memory/small", &[], b"x")
            .send(&http)
            .await
            .status,
        200
    );
    assert_eq!(
        signer
            .sign("GET", "/memory/small", &[], b"")
            .send(&http)
            .await
            .body,
        b"x"
    );
    let before = server.memory_now();

    let put = signer
        .sign_as(
            "PUT",
            "/memory/big",
            &[("content-length", &SIZE.to_string())],
            vec![],
            UNSIGNED,
        )
        .0;
    let mut stream = open(&signer.host, &put).await;
    let mut noise = Noise::new(7);
    let mut block = vec![0; 1 << 20];
    for _ in 0..SIZE >> 20 {
        noise.fill(&mut block);
        stream.write_all(&block).await.unwrap();
    }
    let mut answer = vec![0; 4096];
    let n = stream.read(&mut answer).await.unwrap();
    assert!(
        answer[..n].starts_with(b"HTTP/1.1 200"),
        "{}",
        String::from_utf8_lossy(&answer[..n])
    );
    let put_peak = server.memory_peak();

    let get = signer.sign_as("GET", "/memory/big", &[], vec![], UNSIGNED).0;
    let mut stream = open(&signer.host, &get).await;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let text = String::from_utf8(head).unwrap().to_ascii_lowercase();
    assert!(
        text.starts_with("http/1.1 200") && text.contains(&format!("content-length: {SIZE}\r\n")),
        "{text}"
    );
    let mut noise = Noise::new(7);
    let mut got = vec![0; 1 << 20];
    for _ in 0..SIZE >> 20 {
        noise.fill(&mut block);
        stream.read_exact(&mut got).await.unwrap();
        assert!(got == block);
    }
    let peak = server.memory_peak();
    println!(
        "memory: {} KiB before, peak {} KiB after PUT, {} KiB after GET",
        before >> 10,
        put_peak >> 10,
        peak >> 10
    );
    assert!(
        peak - before < GROWTH_MAX,
        "grew by {} MiB",
        (peak - before) >> 20
    );
}

async fn open(host: &str, request: &Signed) -> TcpStream {
    let mut stream = TcpStream::connect(host).await.unwrap();
    let target = request.url.split_once(host).unwrap().1;
    let mut head = format!("{} {target} HTTP/1.1\r\n", request.method);
    for (name, value) in &request.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}
