//! A release record as the docket and the key hierarchy see it.

use std::collections::HashSet;

use envelope::opening::NamesKeys;
use translog::entry::{Committed, Uncommittable};

use crate::{event::Header, record::ReleaseRecord};

/// A release record with the keys it names made ready to look up: a record may name 100,000.
#[derive(Debug)]
pub struct Release {
    record: ReleaseRecord,
    keys: HashSet<[u8; 32]>,
}

impl Release {
    /// Reads the keys out of the record.
    pub fn new(record: ReleaseRecord) -> Self {
        let keys = record.objects.iter().map(|object| object.key.0).collect();
        Self { record, keys }
    }
    /// The record.
    pub fn record(&self) -> &ReleaseRecord {
        &self.record
    }
}

impl NamesKeys for Release {
    fn names(&self, wrapped_key: &[u8; 32]) -> bool {
        self.keys.contains(wrapped_key)
    }
}
impl Committed for Release {
    const KIND: &'static str = ReleaseRecord::KIND;
    fn digest(&self) -> Result<[u8; 32], Uncommittable> {
        Committed::digest(&self.record)
    }
}

impl NamesKeys for ReleaseRecord {
    /// Looks through all objects: for many keys of one record use [`Release`].
    fn names(&self, wrapped_key: &[u8; 32]) -> bool {
        self.objects.iter().any(|object| object.key.0 == *wrapped_key)
    }
}
impl Committed for ReleaseRecord {
    const KIND: &'static str = ReleaseRecord::KIND;
    fn digest(&self) -> Result<[u8; 32], Uncommittable> {
        ReleaseRecord::digest(self)
            .map(|digest| digest.0)
            .map_err(|error| Uncommittable(error.to_string()))
    }
}

/// A case's event in the docket: its header's hash, so that content never leaves the case.
impl Committed for Header {
    const KIND: &'static str = Header::KIND;
    fn digest(&self) -> Result<[u8; 32], Uncommittable> {
        self.hash()
            .map(|digest| digest.0)
            .map_err(|error| Uncommittable(error.to_string()))
    }
}
