//! A certificate as a file holds it or a peer shows it: from when to when it holds, and how strong its key is.
//!
//! Only what must be known before or beside the library's own verification is read here (RFC 5280 section 4.1); chains,
//! names and signatures are the library's.

use std::{io::Read as _, os::unix::fs::PermissionsExt as _, path::Path};

use jiff::Timestamp;
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use zeroize::Zeroizing;

use super::TlsError;

/// Largest PEM file read, in bytes.
pub const PEM_BYTES_MAX: u64 = 256 * 1024;
/// Most certificates in one file.
pub const CERTIFICATES_MAX: usize = 64;
/// Fewest bits of an RSA key.
pub const RSA_BITS_MIN: usize = 2048;

/// Why a certificate is not good enough.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// It is over.
    #[error("ended at {0}; renew it")]
    Ended(Timestamp),
    /// It has not begun.
    #[error("is not valid before {0}; check the clock")]
    NotYet(Timestamp),
    /// Its RSA key is too short.
    #[error("has an RSA key of {0} bits; {RSA_BITS_MIN} is the least")]
    WeakRsa(usize),
    /// Its key is of another kind than RSA, P-256, P-384, P-521 and Ed25519.
    #[error("has a key of a kind that is not accepted; use RSA, P-256, P-384, P-521 or Ed25519")]
    KeyKind,
    /// It is not X.509.
    #[error("is no X.509 certificate")]
    Form,
}

/// What is read of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// From when it holds.
    pub begins: Timestamp,
    /// Until when it holds.
    pub ends: Timestamp,
    strength: Result<(), CertificateError>,
}

impl Certificate {
    /// Reads one in DER.
    ///
    /// # Errors
    /// [`CertificateError::Form`].
    pub fn read(der: &[u8]) -> Result<Self, CertificateError> {
        parse(der).ok_or(CertificateError::Form)
    }

    /// That its key is strong enough.
    ///
    /// # Errors
    /// [`CertificateError::WeakRsa`] or [`CertificateError::KeyKind`].
    pub fn strong(&self) -> Result<(), CertificateError> {
        self.strength.clone()
    }

    /// That it is strong and holds at `now`.
    ///
    /// # Errors
    /// Why not.
    pub fn usable(&self, now: Timestamp) -> Result<(), CertificateError> {
        self.strong()?;
        if now < self.begins {
            return Err(CertificateError::NotYet(self.begins));
        }
        if now > self.ends {
            return Err(CertificateError::Ended(self.ends));
        }
        Ok(())
    }

    /// Whether it ends within [`super::ENDS_SOON`].
    pub fn ends_soon(&self, now: Timestamp) -> bool {
        now.checked_add(super::ENDS_SOON)
            .is_ok_and(|soon| self.ends < soon)
    }
}

/// The first certificate of a PEM file, whether or not it may be used: for `amparo doctor`.
///
/// # Errors
/// When the file cannot be read or holds none.
pub fn first_of(path: &Path) -> Result<Certificate, TlsError> {
    let chain = read_chain(path)?;
    let first = chain.first().ok_or_else(|| pem(path, "holds no certificate"))?;
    Certificate::read(first).map_err(|why| refused(path, why))
}

/// The certificates of a PEM file, the first of them usable at `now` and all of them strong.
pub(super) fn usable_chain(path: &Path, now: Timestamp) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain = read_chain(path)?;
    for (number, der) in chain.iter().enumerate() {
        let certificate = Certificate::read(der).map_err(|why| refused(path, why))?;
        let judged = if number == 0 {
            certificate.usable(now)
        } else {
            certificate.strong()
        };
        judged.map_err(|why| refused(path, why))?;
    }
    Ok(chain)
}

/// The authorities of a PEM file.
pub(super) fn authorities(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for der in read_chain(path)? {
        let certificate = Certificate::read(&der).map_err(|why| refused(path, why))?;
        certificate.strong().map_err(|why| refused(path, why))?;
        roots
            .add(der)
            .map_err(|error| pem(path, &format!("holds what cannot be an authority: {error}")))?;
    }
    Ok(roots)
}

/// A private key that its owner alone may read.
pub(super) fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let file = std::fs::File::open(path).map_err(|source| unread(path, source))?;
    let mode = file
        .metadata()
        .map_err(|source| unread(path, source))?
        .permissions()
        .mode();
    if mode & 0o077 != 0 {
        return Err(TlsError::Exposed {
            path: path.display().to_string(),
        });
    }
    let text = bounded(path, file)?;
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| pem(path, &format!("holds no private key: {error}")))
}

fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let file = std::fs::File::open(path).map_err(|source| unread(path, source))?;
    let text = bounded(path, file)?;
    let mut chain = Vec::new();
    for der in CertificateDer::pem_slice_iter(&text) {
        if chain.len() == CERTIFICATES_MAX {
            return Err(pem(
                path,
                &format!("holds more than {CERTIFICATES_MAX} certificates"),
            ));
        }
        chain.push(der.map_err(|error| pem(path, &format!("is not PEM: {error}")))?);
    }
    if chain.is_empty() {
        return Err(pem(path, "holds no certificate"));
    }
    Ok(chain)
}

fn bounded(path: &Path, file: std::fs::File) -> Result<Zeroizing<Vec<u8>>, TlsError> {
    let mut text = Zeroizing::new(Vec::new());
    file.take(PEM_BYTES_MAX + 1)
        .read_to_end(&mut text)
        .map_err(|source| unread(path, source))?;
    if u64::try_from(text.len()).unwrap_or(u64::MAX) > PEM_BYTES_MAX {
        return Err(pem(path, &format!("is larger than {PEM_BYTES_MAX} bytes")));
    }
    Ok(text)
}

fn unread(path: &Path, source: std::io::Error) -> TlsError {
    TlsError::Read {
        path: path.display().to_string(),
        source,
    }
}

fn pem(path: &Path, reason: &str) -> TlsError {
    TlsError::Pem {
        path: path.display().to_string(),
        reason: reason.to_owned(),
    }
}

fn refused(path: &Path, why: CertificateError) -> TlsError {
    TlsError::Certificate {
        path: path.display().to_string(),
        why,
    }
}

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OBJECT: u8 = 0x06;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const VERSION: u8 = 0xa0;

/// 1.2.840.113549.1.1.1 (RFC 3279 section 2.3.1).
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
/// 1.2.840.10045.2.1 (RFC 5480 section 2.1.1).
const ELLIPTIC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
/// 1.3.101.112 (RFC 8410 section 3).
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];
/// P-256, P-384, P-521 (RFC 5480 section 2.1.1.1).
const CURVES: [&[u8]; 3] = [
    &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07],
    &[0x2b, 0x81, 0x04, 0x00, 0x22],
    &[0x2b, 0x81, 0x04, 0x00, 0x23],
];

/// What follows, in DER.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// The next element's tag and content. Lengths of more than three bytes are no certificate's.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            0x81..=0x83 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                let length = bytes
                    .iter()
                    .fold(0, |sum: usize, byte| sum << 8 | usize::from(*byte));
                (length, rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, content))
    }

    fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next()
            .filter(|(found, _)| *found == tag)
            .map(|(_, content)| content)
    }
}

fn parse(der: &[u8]) -> Option<Certificate> {
    let mut outer = Der(Der(der).expect(SEQUENCE)?);
    let mut body = Der(outer.expect(SEQUENCE)?);
    let (tag, _) = body.next()?;
    if tag == VERSION {
        body.expect(INTEGER)?;
    }
    body.expect(SEQUENCE)?; // signature algorithm
    body.expect(SEQUENCE)?; // issuer
    let mut validity = Der(body.expect(SEQUENCE)?);
    let (begins, ends) = (time(&mut validity)?, time(&mut validity)?);
    body.expect(SEQUENCE)?; // subject
    let strength = strength(body.expect(SEQUENCE)?)?;
    Some(Certificate {
        begins,
        ends,
        strength,
    })
}

/// `YYMMDDhhmmssZ` up to 2049, `YYYYMMDDhhmmssZ` from then on (RFC 5280 section 4.1.2.5).
fn time(from: &mut Der<'_>) -> Option<Timestamp> {
    let (tag, text) = from.next()?;
    let digits = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    if !digits.is_ascii() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (year, rest): (i16, &str) = match tag {
        UTC_TIME if digits.len() == 12 => {
            let (year, rest) = digits.split_at_checked(2)?;
            let year: i16 = year.parse().ok()?;
            (if year < 50 { 2000 + year } else { 1900 + year }, rest)
        }
        GENERALIZED_TIME if digits.len() == 14 => {
            let (year, rest) = digits.split_at_checked(4)?;
            (year.parse().ok()?, rest)
        }
        _ => return None,
    };
    let two = |at: usize| rest.get(at..at + 2)?.parse::<i8>().ok();
    let civil = jiff::civil::DateTime::new(year, two(0)?, two(2)?, two(4)?, two(6)?, two(8)?, 0).ok()?;
    jiff::tz::TimeZone::UTC.to_timestamp(civil).ok()
}

fn strength(key_info: &[u8]) -> Option<Result<(), CertificateError>> {
    let mut info = Der(key_info);
    let mut algorithm = Der(info.expect(SEQUENCE)?);
    let kind = algorithm.expect(OBJECT)?;
    let bits = info.expect(BIT_STRING)?;
    Some(if kind == RSA {
        let (_, key) = bits.split_first()?;
        let modulus = Der(Der(key).expect(SEQUENCE)?).expect(INTEGER)?;
        let leading = modulus.iter().position(|byte| *byte != 0)?;
        let modulus = modulus.get(leading..)?;
        let first = usize::try_from(modulus.first()?.leading_zeros()).ok()?;
        let length = modulus.len() * 8 - first;
        if length < RSA_BITS_MIN {
            Err(CertificateError::WeakRsa(length))
        } else {
            Ok(())
        }
    } else if kind == ELLIPTIC {
        let curve = algorithm.expect(OBJECT)?;
        if CURVES.contains(&curve) {
            Ok(())
        } else {
            Err(CertificateError::KeyKind)
        }
    } else if kind == ED25519 {
        Ok(())
    } else {
        Err(CertificateError::KeyKind)
    })
}
