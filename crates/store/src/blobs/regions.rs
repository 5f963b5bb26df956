//! Which store holds a region's blobs.

use std::{collections::BTreeMap, sync::Arc};

use casework::ids::RegionId;

use super::{BlobError, BlobStore};

/// Each region's blob store. A row's region decides where its blobs are; no call names a store by itself.
#[derive(Clone, Default)]
pub struct RegionBlobs {
    stores: BTreeMap<RegionId, Arc<dyn BlobStore>>,
    /// For every region without one of its own.
    any: Option<Arc<dyn BlobStore>>,
}

impl RegionBlobs {
    /// Gives a region a store, which several regions may share.
    pub fn insert(&mut self, region: RegionId, store: Arc<dyn BlobStore>) {
        self.stores.insert(region, store);
    }

    /// A region's store.
    ///
    /// # Errors
    /// When this node has none for it.
    pub fn of(&self, region: &RegionId) -> Result<&Arc<dyn BlobStore>, BlobError> {
        self.stores
            .get(region)
            .or(self.any.as_ref())
            .ok_or_else(|| BlobError::NoStore {
                region: region.to_string(),
            })
    }

    /// Every store once, with the regions in it; none where it is for all.
    pub fn each(&self) -> Vec<(Vec<&RegionId>, &Arc<dyn BlobStore>)> {
        let mut found: Vec<(Vec<&RegionId>, &Arc<dyn BlobStore>)> = Vec::new();
        for (region, store) in &self.stores {
            match found.iter_mut().find(|(_, known)| Arc::ptr_eq(known, store)) {
                Some((regions, _)) => regions.push(region),
                None => found.push((vec![region], store)),
            }
        }
        found.extend(self.any.iter().map(|store| (Vec::new(), store)));
        found
    }
}

/// One store for every region.
impl From<Arc<dyn BlobStore>> for RegionBlobs {
    fn from(store: Arc<dyn BlobStore>) -> Self {
        Self {
            stores: BTreeMap::new(),
            any: Some(store),
        }
    }
}

impl<T: BlobStore> From<Arc<T>> for RegionBlobs {
    fn from(store: Arc<T>) -> Self {
        Self::from(store as Arc<dyn BlobStore>)
    }
}
