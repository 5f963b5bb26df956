//! What the doctor says, line by line.

use service::tls::{Certificate, TlsFiles};

use crate::voice::{BAD, GOOD, WARN, data, in_one_line};

/// The lines said so far, as far as they count.
#[derive(Default)]
pub(super) struct Report {
    wrong: u32,
}

impl Report {
    /// Whether nothing is wrong.
    pub(super) fn is_clean(&self) -> bool {
        self.wrong == 0
    }
    pub(super) fn good(&mut self, text: &str) {
        data!("{GOOD}ok{GOOD:#}       {text}");
    }
    pub(super) fn note(&mut self, text: &str) {
        data!("note     {text}");
    }
    pub(super) fn warn(&mut self, text: &str) {
        data!("{WARN}warning{WARN:#}  {text}");
    }
    pub(super) fn bad(&mut self, text: &str) {
        self.wrong += 1;
        data!("{BAD}wrong{BAD:#}    {text}");
    }
    /// An error, with its causes.
    pub(super) fn failed(&mut self, error: &dyn std::error::Error) {
        self.bad(&in_one_line(error));
    }
    pub(super) fn certificate(&mut self, face: &str, files: &TlsFiles, now: jiff::Timestamp) {
        match Certificate::of(files) {
            Err(error) => self.bad(&format!("`{face}`: {}", in_one_line(&error))),
            Ok(certificate) if certificate.ends_soon(now) => self.warn(&format!(
                "`{face}`: the certificate `{}` ends at {}; renew it (it is taken up without a stop)",
                files.certificate.display(),
                certificate.ends
            )),
            Ok(certificate) => self.good(&format!(
                "`{face}`: the certificate `{}` is good until {}",
                files.certificate.display(),
                certificate.ends
            )),
        }
    }
}
