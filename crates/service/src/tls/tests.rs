use std::{
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, date_time_ymd,
};
use rustls::{
    ClientConfig, NamedGroup, ServerConfig, SupportedProtocolVersion,
    crypto::aws_lc_rs::{default_provider, kx_group, sign::any_supported_type},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
    server::ResolvesServerCert,
    sign::CertifiedKey,
    version::{TLS12, TLS13},
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

use super::*;

mod ending;

/// A self-signed certificate with an RSA key of 1024 bits, good for a hundred years.
const WEAK: &str = include_str!("weak.pem");

/// Makes certificates, good ones and bad ones.
pub(crate) struct Authority {
    dir: tempfile::TempDir,
    issuer: Issuer<'static, KeyPair>,
}

/// From when to when, in years.
pub(crate) type Years = (i32, i32);
pub(crate) const GOOD: Years = (2020, 2120);
const OVER: Years = (2020, 2021);
const NOT_YET: Years = (2120, 2121);

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2120, 1, 1);
        let key = KeyPair::generate().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        std::fs::write(dir.path().join("ca.pem"), certificate.pem()).unwrap();
        Self {
            dir,
            issuer: Issuer::new(params, key),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Files of a certificate for `name`, under that name.
    pub(crate) fn files(&self, name: &str, years: Years) -> TlsFiles {
        let (certificate, key) = self.issue(name, years);
        let files = TlsFiles {
            certificate: self.path(&format!("{name}.pem")),
            key: self.path(&format!("{name}.key")),
        };
        write(&files.certificate, &certificate);
        write(&files.key, &key);
        files
    }

    fn issue(&self, name: &str, (from, to): Years) -> (String, String) {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_before = date_time_ymd(from, 1, 1);
        params.not_after = date_time_ymd(to, 1, 1);
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    pub(crate) fn mutual(&self, files: TlsFiles, expects: &str) -> MutualTls {
        MutualTls {
            certificate: files.certificate,
            key: files.key,
            ca: self.path("ca.pem"),
            names: vec![expects.to_owned()],
        }
    }
}

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

fn loaded(pems: &(String, String)) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
    let chain = CertificateDer::pem_slice_iter(pems.0.as_bytes())
        .map(Result::unwrap)
        .collect();
    (chain, PrivateKeyDer::from_pem_slice(pems.1.as_bytes()).unwrap())
}

/// A client that believes every server, of this version and these groups.
fn careless(
    version: &'static SupportedProtocolVersion,
    groups: &[&'static dyn rustls::crypto::SupportedKxGroup],
    shows: Option<&(String, String)>,
) -> ClientConfig {
    #[derive(Debug)]
    struct Any;
    use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
    impl ServerCertVerifier for Any {
        fn verify_server_cert(
            &self,
            _: &CertificateDer<'_>,
            _: &[CertificateDer<'_>],
            _: &ServerName<'_>,
            _: &[u8],
            _: rustls::pki_types::UnixTime,
        ) -> Result<ServerCertVerified, rustls::Error> {
            Ok(ServerCertVerified::assertion())
        }
        fn verify_tls12_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &rustls::DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, rustls::Error> {
            Ok(HandshakeSignatureValid::assertion())
        }
        fn verify_tls13_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &rustls::DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, rustls::Error> {
            Ok(HandshakeSignatureValid::assertion())
        }
        fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
            default_provider()
                .signature_verification_algorithms
                .supported_schemes()
        }
    }
    let mut provider = default_provider();
    provider.kx_groups = groups.to_vec();
    let builder = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[version])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Any));
    match shows {
        None => builder.with_no_client_auth(),
        Some(pems) => {
            let (chain, key) = loaded(pems);
            builder.with_client_auth_cert(chain, key).unwrap()
        }
    }
}

/// What each side of a handshake came to: the group agreed on, or why not.
struct Met {
    server: Result<Option<NamedGroup>, String>,
    client: Result<Option<NamedGroup>, String>,
}

async fn meets(server: &TlsServer, client: ClientConfig) -> Met {
    let (near, far) = duplex(64 * 1024);
    let connector = tokio_rustls::TlsConnector::from(Arc::new(client));
    let name = ServerName::try_from("node.test").unwrap();
    let (server, client) = tokio::join!(serve_once(server, near), async {
        match connector.connect(name, far).await {
            Ok(mut stream) => {
                let group = stream.get_ref().1.negotiated_key_exchange_group();
                let mut byte = [0; 1];
                // What the server thinks of our certificate comes after our own end of the handshake.
                stream
                    .read_exact(&mut byte)
                    .await
                    .map_err(|e| Refused::of(&e).0)?;
                Ok(group.map(|group| group.name()))
            }
            Err(error) => Err(Refused::of(&error).0),
        }
    });
    Met { server, client }
}

async fn serve_once(server: &TlsServer, io: DuplexStream) -> Result<Option<NamedGroup>, String> {
    let mut stream = server.accept(io).await.map_err(|refused| refused.0)?;
    let group = stream.get_ref().1.negotiated_key_exchange_group();
    stream.write_all(b"!").await.unwrap();
    stream.flush().await.unwrap();
    Ok(group.map(|group| group.name()))
}

const ANY: [&dyn rustls::crypto::SupportedKxGroup; 2] = [kx_group::X25519MLKEM768, kx_group::X25519];

#[tokio::test]
async fn p02_our_own_listener_refuses_every_peer_that_is_not_ours_and_says_why() {
    let ours = Authority::new("ours");
    let strangers = Authority::new("strangers");
    let server = TlsServer::open(ours.mutual(ours.files("node.test", GOOD), "serve.test").into()).unwrap();
    let good = ours.issue("serve.test", GOOD);
    let met = meets(&server, careless(&TLS13, &ANY, Some(&good))).await;
    assert_eq!(met.server, Ok(Some(NamedGroup::X25519MLKEM768)));
    assert_eq!(met.client, Ok(Some(NamedGroup::X25519MLKEM768)));

    let classical: [&dyn rustls::crypto::SupportedKxGroup; 1] = [kx_group::X25519];
    let weak = (WEAK.to_owned(), good.1.clone());
    for (client, says, told) in [
        (
            careless(&TLS13, &ANY, None),
            "showed no certificate",
            "wants a certificate",
        ),
        (
            careless(&TLS12, &ANY, Some(&good)),
            "does not speak TLS 1.3",
            "TLS 1.3",
        ),
        (
            careless(&TLS13, &classical, Some(&good)),
            "X25519MLKEM768",
            "X25519MLKEM768",
        ),
        (
            careless(&TLS13, &ANY, Some(&ours.issue("serve.test", OVER))),
            "ended at 2021-01-01",
            "ended",
        ),
        (
            careless(&TLS13, &ANY, Some(&ours.issue("serve.test", NOT_YET))),
            "not valid before 2120-01-01",
            "begun",
        ),
        (
            careless(&TLS13, &ANY, Some(&ours.issue("other.test", GOOD))),
            "for another name: `serve.test`",
            "certificate",
        ),
        (
            careless(&TLS13, &ANY, Some(&strangers.issue("serve.test", GOOD))),
            "a stranger's",
            "who vouches",
        ),
        (shows_weak(&weak), "RSA key of 1024 bits", "certificate"),
    ] {
        let met = meets(&server, client).await;
        let refused = met.server.unwrap_err();
        assert!(refused.contains(says), "{refused}, not {says}");
        let heard = met.client.unwrap_err();
        assert!(heard.contains(told), "{heard}, not {told}");
    }
}

/// A client with a certificate whose key the library itself would not load.
fn shows_weak(pems: &(String, String)) -> ClientConfig {
    #[derive(Debug)]
    struct Shows(Arc<CertifiedKey>);
    impl rustls::client::ResolvesClientCert for Shows {
        fn resolve(&self, _: &[&[u8]], _: &[rustls::SignatureScheme]) -> Option<Arc<CertifiedKey>> {
            Some(Arc::clone(&self.0))
        }
        fn has_certs(&self) -> bool {
            true
        }
    }
    let mut config = careless(&TLS13, &ANY, None);
    config.client_auth_cert_resolver = Arc::new(Shows(mismatched(pems)));
    config
}

fn mismatched(pems: &(String, String)) -> Arc<CertifiedKey> {
    let (chain, key) = loaded(pems);
    Arc::new(CertifiedKey::new(chain, any_supported_type(&key).unwrap()))
}

/// A server that shows whatever it is given and asks for nothing.
fn impostor(
    version: &'static SupportedProtocolVersion,
    groups: &[&'static dyn rustls::crypto::SupportedKxGroup],
    shows: &(String, String),
) -> ServerConfig {
    #[derive(Debug)]
    struct Shows(Arc<CertifiedKey>);
    impl ResolvesServerCert for Shows {
        fn resolve(&self, _: rustls::server::ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
            Some(Arc::clone(&self.0))
        }
    }
    let mut provider = default_provider();
    provider.kx_groups = groups.to_vec();
    ServerConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Shows(mismatched(shows))))
}

#[tokio::test]
async fn p02_we_call_nobody_but_the_peer_that_we_were_told_of() {
    let ours = Authority::new("ours");
    let strangers = Authority::new("strangers");
    let client = TlsClient::open(ours.mutual(ours.files("serve.test", GOOD), "node.test")).unwrap();
    let good = ours.issue("node.test", GOOD);
    let classical: [&dyn rustls::crypto::SupportedKxGroup; 1] = [kx_group::X25519];
    let weak = (WEAK.to_owned(), good.1.clone());
    for (server, says) in [
        (impostor(&TLS13, &ANY, &good), None),
        (impostor(&TLS12, &ANY, &good), Some("TLS 1.3")),
        (impostor(&TLS13, &classical, &good), Some("X25519MLKEM768")),
        (
            impostor(&TLS13, &ANY, &ours.issue("node.test", OVER)),
            Some("ended at 2021-01-01"),
        ),
        (
            impostor(&TLS13, &ANY, &ours.issue("node.test", NOT_YET)),
            Some("not valid before 2120-01-01"),
        ),
        (
            impostor(&TLS13, &ANY, &ours.issue("other.test", GOOD)),
            Some("for another name: `node.test`"),
        ),
        (
            impostor(&TLS13, &ANY, &strangers.issue("node.test", GOOD)),
            Some("a stranger's"),
        ),
        (impostor(&TLS13, &ANY, &weak), Some("RSA key of 1024 bits")),
    ] {
        let (near, far) = duplex(64 * 1024);
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(server));
        let (accepted, called) = tokio::join!(acceptor.accept(near), client.connect(far));
        drop(accepted);
        match (called, says) {
            (Ok(_), None) => {}
            (Err(refused), Some(says)) => assert!(refused.0.contains(says), "{refused}, not {says}"),
            (Ok(_), Some(says)) => panic!("called a server that should be refused: {says}"),
            (Err(refused), None) => panic!("{refused}"),
        }
    }
}

#[tokio::test]
async fn p02_the_public_gets_tls_1_3_and_the_hybrid_exchange_first() {
    let ours = Authority::new("ours");
    let server = TlsServer::open(Audience::Public(ours.files("node.test", GOOD))).unwrap();
    let group = |groups: &[&'static dyn rustls::crypto::SupportedKxGroup]| careless(&TLS13, groups, None);
    let offers: [(&[&dyn rustls::crypto::SupportedKxGroup], NamedGroup); 3] = [
        (
            &[kx_group::X25519MLKEM768, kx_group::X25519],
            NamedGroup::X25519MLKEM768,
        ),
        (&[kx_group::X25519], NamedGroup::X25519),
        (&[kx_group::SECP256R1], NamedGroup::secp256r1),
    ];
    for (groups, agreed) in offers {
        let met = meets(&server, group(groups)).await;
        assert_eq!((met.server, met.client), (Ok(Some(agreed)), Ok(Some(agreed))));
    }
    let met = meets(&server, careless(&TLS12, &ANY, None)).await;
    assert!(met.server.unwrap_err().contains("TLS 1.3"));
    // A client that speaks plain HTTP.
    let (mut plain, far) = duplex(1024);
    plain
        .write_all(b"GET / HTTP/1.1\r\nhost: node.test\r\n\r\n")
        .await
        .unwrap();
    let refused = server.accept(far).await.unwrap_err();
    assert!(refused.0.contains("does not speak TLS"), "{refused}");
}

#[test]
fn what_may_not_be_used_is_refused_when_it_is_read() {
    let ours = Authority::new("ours");
    let open = |files: &TlsFiles| TlsServer::open(Audience::Public(files.clone())).map(|_| ());
    let files = ours.files("node.test", GOOD);
    open(&files).unwrap();
    let refused = |files: &TlsFiles, says: &str| {
        let error = open(files).unwrap_err().to_string();
        assert!(error.contains(says), "{error}, not {says}");
    };
    refused(
        &ours.files("over.test", OVER),
        "ended at 2021-01-01T00:00:00Z; renew it",
    );
    refused(
        &ours.files("early.test", NOT_YET),
        "is not valid before 2120-01-01",
    );
    let weak = TlsFiles {
        certificate: ours.path("weak.pem"),
        key: files.key.clone(),
    };
    write(&weak.certificate, WEAK);
    refused(&weak, "has an RSA key of 1024 bits; 2048 is the least");
    let other = ours.files("other.test", GOOD);
    let crossed = TlsFiles {
        certificate: files.certificate.clone(),
        key: other.key.clone(),
    };
    refused(&crossed, "is not the one of the certificate");
    std::fs::set_permissions(&other.key, std::fs::Permissions::from_mode(0o640)).unwrap();
    refused(&other, "can be read by others");
    write(&files.key, "no key");
    refused(&files, "holds no private key");
    std::fs::remove_file(&files.certificate).unwrap();
    refused(&files, "cannot read");
    write(
        &files.certificate,
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    );
    refused(&files, "is no X.509 certificate");
    write(&files.certificate, "");
    refused(&files, "holds no certificate");

    let node = ours.files("node.test", GOOD);
    let mut mutual = ours.mutual(node, "serve.test");
    let opened = |mutual: &MutualTls| TlsServer::open(mutual.clone().into()).unwrap_err().to_string();
    mutual.names = vec![];
    assert!(opened(&mutual).contains("admits nobody"));
    mutual.names = vec!["not a name".to_owned()];
    assert!(opened(&mutual).contains("neither a host name nor an address"));
    mutual.names = vec!["serve.test".to_owned()];
    write(&mutual.ca, WEAK);
    assert!(opened(&mutual).contains("RSA key of 1024 bits"));
}
