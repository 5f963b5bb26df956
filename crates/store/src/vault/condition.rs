//! What an object must satisfy before it is overwritten or removed.

use super::StoreError;

/// `If-Match` or `If-None-Match`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EtagMatch {
    /// `*`.
    Any,
    /// One or more tags, without quotes.
    Tags(Vec<String>),
}

impl EtagMatch {
    /// Whether an object of this tag matches.
    pub fn matches(&self, etag: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Tags(tags) => tags.iter().any(|tag| tag == etag),
        }
    }
}

/// What an object to be overwritten, made or deleted must satisfy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WriteConditions {
    /// `If-Match`.
    pub if_match: Option<EtagMatch>,
    /// `If-None-Match`.
    pub if_none_match: Option<EtagMatch>,
}

impl WriteConditions {
    /// Checks them against the entity tag of the object that is there.
    ///
    /// # Errors
    /// [`StoreError::NoSuchKey`] when one asks for an object and there is none; else [`StoreError::Precondition`].
    pub fn check(&self, existing: Option<&str>) -> Result<(), StoreError> {
        match (&self.if_match, existing) {
            (Some(_), None) => return Err(StoreError::NoSuchKey),
            (Some(wanted), Some(etag)) if !wanted.matches(etag) => return Err(StoreError::Precondition),
            _ => {}
        }
        match (&self.if_none_match, existing) {
            (Some(unwanted), Some(etag)) if unwanted.matches(etag) => Err(StoreError::Precondition),
            _ => Ok(()),
        }
    }
}
