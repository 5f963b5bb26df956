//! Certificates that end, are renewed, or are refused in a handshake that the log tells of.

use std::sync::Mutex;

use super::*;

#[test]
fn an_end_within_thirty_days_is_soon() {
    let ours = Authority::new("ours");
    let certificate = Certificate::of(&ours.files("node.test", (2020, 2120))).unwrap();
    assert_eq!(certificate.ends.to_string(), "2120-01-01T00:00:00Z");
    let before = |days: i64| certificate.ends - jiff::SignedDuration::from_hours(24 * days);
    assert!(certificate.ends_soon(before(29)) && !certificate.ends_soon(before(31)));
    // A byte missing anywhere is no certificate, and no panic.
    let der = CertificateDer::from_pem_slice(WEAK.as_bytes()).unwrap();
    for cut in 0..der.len() {
        assert!(Certificate::read(&der[..cut]).is_err());
    }
}

#[tokio::test]
async fn a_renewed_certificate_is_taken_up_and_a_bad_one_is_not() {
    let ours = Authority::new("ours");
    let files = ours.files("node.test", GOOD);
    let server = TlsServer::open(Audience::Public(files.clone())).unwrap();
    assert!(!server.reload(false).unwrap(), "nothing changed");
    let shown = |server: Arc<TlsServer>| async move {
        let (near, far) = duplex(64 * 1024);
        let connector = tokio_rustls::TlsConnector::from(Arc::new(careless(&TLS13, &ANY, None)));
        let name = ServerName::try_from("node.test").unwrap();
        let (served, called) = tokio::join!(server.accept(near), connector.connect(name, far));
        served.unwrap();
        let called = called.unwrap();
        called.get_ref().1.peer_certificates().unwrap()[0].to_vec()
    };
    let first = shown(Arc::clone(&server)).await;
    let (certificate, key) = ours.issue("node.test", OVER);
    write(&files.certificate, &certificate);
    write(&files.key, &key);
    let error = server.reload(true).unwrap_err().to_string();
    assert!(error.contains("ended at"), "{error}");
    assert_eq!(
        shown(Arc::clone(&server)).await,
        first,
        "the old one stays in force"
    );
    let (certificate, key) = ours.issue("node.test", GOOD);
    write(&files.certificate, &certificate);
    write(&files.key, &key);
    assert!(server.reload(true).unwrap());
    assert_ne!(shown(server).await, first);
}

#[tokio::test]
async fn a_refused_handshake_is_in_the_log_with_its_reason() {
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);
    impl std::io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let ours = Authority::new("ours");
    let mutual = ours.mutual(ours.files("node.test", GOOD), "serve.test");
    let server = TlsServer::open(mutual.into()).unwrap();
    let over = ours.issue("serve.test", OVER);
    let _ = meets(&server, careless(&TLS13, &ANY, Some(&over))).await;
    let log = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert!(
        log.contains("WARN") && log.contains("the peer's certificate ended at 2021-01-01T00:00:00Z"),
        "{log}"
    );
}
