//! Why a handshake was refused, in plain words.

use std::io;

use jiff::Timestamp;
use rustls::{CertificateError as Bad, Error, OtherError, PeerIncompatible, pki_types::UnixTime};

/// A handshake that did not end in a connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("TLS was refused: {0}")]
pub struct Refused(pub String);

impl Refused {
    /// Of what the library or the network said.
    pub(crate) fn of(error: &io::Error) -> Self {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
        Self(inner.map_or_else(|| network(error), reason))
    }

    pub(super) fn slow() -> Self {
        Self(format!(
            "the handshake took longer than {} s",
            super::HANDSHAKE_TIMEOUT.as_secs()
        ))
    }
}

fn network(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => "the peer hung up during the handshake".to_owned(),
        _ => format!("the connection broke during the handshake: {error}"),
    }
}

fn at(time: UnixTime) -> String {
    i64::try_from(time.as_secs())
        .ok()
        .and_then(|seconds| Timestamp::from_second(seconds).ok())
        .map_or_else(|| "a time beyond counting".to_owned(), |time| time.to_string())
}

fn reason(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(bad) => format!("the peer's certificate {}", certificate(bad)),
        Error::NoCertificatesPresented => "the peer showed no certificate".to_owned(),
        Error::PeerIncompatible(PeerIncompatible::NoKxGroupsInCommon) => {
            "the peer offers no key exchange that is accepted here (X25519MLKEM768)".to_owned()
        }
        Error::PeerIncompatible(
            PeerIncompatible::SupportedVersionsExtensionRequired
            | PeerIncompatible::Tls12NotOffered
            | PeerIncompatible::Tls12NotOfferedOrEnabled
            | PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
        ) => "the peer does not speak TLS 1.3, and nothing older is accepted".to_owned(),
        Error::AlertReceived(alert) => format!("the peer refused us: {}", told(*alert)),
        Error::InvalidMessage(_) => "the peer does not speak TLS".to_owned(),
        other => other.to_string(),
    }
}

fn told(alert: rustls::AlertDescription) -> String {
    use rustls::AlertDescription as Alert;
    match alert {
        Alert::CertificateExpired => "it says that our certificate ended or has not begun".to_owned(),
        Alert::CertificateRequired => "it wants a certificate of ours".to_owned(),
        Alert::UnknownCA => "it does not know who vouches for our certificate".to_owned(),
        Alert::BadCertificate | Alert::UnsupportedCertificate | Alert::CertificateUnknown => {
            format!("it does not accept our certificate ({alert:?})")
        }
        Alert::ProtocolVersion => "it does not speak TLS 1.3".to_owned(),
        Alert::HandshakeFailure => {
            "it has no cipher or key exchange in common with us (X25519MLKEM768)".to_owned()
        }
        other => format!("alert {other:?}"),
    }
}

fn certificate(bad: &Bad) -> String {
    match bad {
        Bad::ExpiredContext { not_after, .. } => format!("ended at {}", at(*not_after)),
        Bad::Expired => "has ended".to_owned(),
        Bad::NotValidYetContext { not_before, .. } => format!("is not valid before {}", at(*not_before)),
        Bad::NotValidYet => "is not valid yet".to_owned(),
        Bad::UnknownIssuer => "is a stranger's: no authority that we were told of vouches for it".to_owned(),
        Bad::NotValidForNameContext { expected, presented } => format!(
            "is for another name: `{}` was expected, it is for {}",
            expected.to_str(),
            presented.join(", ")
        ),
        Bad::NotValidForName => "is for another name than was expected".to_owned(),
        Bad::InvalidPurpose | Bad::InvalidPurposeContext { .. } => {
            "may not be used for this side of a connection".to_owned()
        }
        Bad::BadSignature => "is not signed by the authority that it names".to_owned(),
        Bad::Other(OtherError(inner)) => inner.to_string(),
        other => format!("is not accepted: {other}"),
    }
}
