//! Judging what a peer shows: the library's verification, with strength before it and names after it.

use std::sync::Arc;

use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, RootCertStore,
    SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_name,
    },
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::{
        ParsedCertificate, WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
};

use super::{Caller, Certificate, TlsError, certificate, provider};

/// The names that a peer may have, as the configuration lists them.
pub(super) fn names(listed: &[String]) -> Result<Vec<ServerName<'static>>, TlsError> {
    if listed.is_empty() {
        return Err(TlsError::NoNames);
    }
    let parse = |name: &String| ServerName::try_from(name.clone()).map_err(|_| TlsError::Name(name.clone()));
    listed.iter().map(parse).collect()
}

/// Every certificate of the chain is strong. Said before anything else is judged, for the library would call a short key
/// a bad signature.
fn strong(end_entity: &CertificateDer<'_>, intermediates: &[CertificateDer<'_>]) -> Result<(), Error> {
    for der in std::iter::once(end_entity).chain(intermediates) {
        let judged = Certificate::read(der).and_then(|certificate| certificate.strong());
        judged.map_err(|error| {
            Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(error))))
        })?;
    }
    Ok(())
}

/// One of the names fits.
fn named(end_entity: &CertificateDer<'_>, names: &[ServerName<'static>]) -> Result<(), Error> {
    let parsed = ParsedCertificate::try_from(end_entity)?;
    let mut last = Error::InvalidCertificate(CertificateError::NotValidForName);
    for name in names {
        match verify_server_name(&parsed, name) {
            Ok(()) => return Ok(()),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Judges clients of a listener for our own.
#[derive(Debug)]
pub(super) struct OwnClients {
    first: One,
    others: Vec<One>,
    hints: Vec<DistinguishedName>,
}

#[derive(Debug)]
struct One {
    inner: Arc<dyn ClientCertVerifier>,
    names: Vec<ServerName<'static>>,
}

impl One {
    fn new(caller: &Caller) -> Result<Self, TlsError> {
        let roots = certificate::authorities(&caller.ca)?;
        let inner = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider::own())
            .build()
            .map_err(|error| TlsError::Library(error.to_string()))?;
        Ok(Self {
            inner,
            names: names(&caller.names)?,
        })
    }

    fn verify(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.inner.verify_client_cert(end_entity, intermediates, now)?;
        named(end_entity, &self.names)?;
        Ok(verified)
    }
}

impl OwnClients {
    pub(super) fn new(callers: &[Caller]) -> Result<Self, TlsError> {
        let mut all = callers.iter().map(One::new);
        let first = all.next().ok_or(TlsError::NoNames)??;
        let others: Vec<_> = all.collect::<Result<_, _>>()?;
        let hints = std::iter::once(&first).chain(&others);
        let hints = hints
            .flat_map(|one| one.inner.root_hint_subjects())
            .cloned()
            .collect();
        Ok(Self { first, others, hints })
    }

    /// The names that a certificate may have, of those that were to be expected: each vouched for by the authority that was
    /// listed with it.
    pub(super) fn names_of(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Vec<String> {
        let all = std::iter::once(&self.first).chain(&self.others);
        let vouched = all.filter(|one| {
            one.inner
                .verify_client_cert(end_entity, intermediates, now)
                .is_ok()
        });
        let fits = |name: &&ServerName<'static>| named(end_entity, std::slice::from_ref(*name)).is_ok();
        let mut names: Vec<_> = vouched
            .flat_map(|one| one.names.iter().filter(fits))
            .map(|name| name.to_str().into_owned())
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The one caller whose certificate this is.
    pub(super) fn which(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
    ) -> Option<usize> {
        let now = UnixTime::now();
        let all = std::iter::once(&self.first).chain(&self.others).enumerate();
        let mut fitting = all.filter(|(_, one)| one.verify(end_entity, intermediates, now).is_ok());
        let (place, _) = fitting.next()?;
        fitting.next().is_none().then_some(place)
    }
}

impl ClientCertVerifier for OwnClients {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        strong(end_entity, intermediates)?;
        let mut why = match self.first.verify(end_entity, intermediates, now) {
            Ok(verified) => return Ok(verified),
            Err(error) => error,
        };
        for one in &self.others {
            match one.verify(end_entity, intermediates, now) {
                Ok(verified) => return Ok(verified),
                // Whose authority vouches for it knows best what is wrong with it.
                Err(Error::InvalidCertificate(CertificateError::UnknownIssuer)) => {}
                Err(error) => why = error,
            }
        }
        Err(why)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.first.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.first.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.first.inner.supported_verify_schemes()
    }
}

/// Judges the server at the other end of a link. The name is the one that the configuration lists, whatever address was
/// dialled.
#[derive(Debug)]
pub(super) struct OwnServer {
    inner: Arc<WebPkiServerVerifier>,
}

impl OwnServer {
    pub(super) fn new(roots: RootCertStore) -> Result<Self, TlsError> {
        let inner = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider::own())
            .build()
            .map_err(|error| TlsError::Library(error.to_string()))?;
        Ok(Self { inner })
    }
}

impl ServerCertVerifier for OwnServer {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        strong(end_entity, intermediates)?;
        self.inner
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}
