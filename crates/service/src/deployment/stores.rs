//! Opening the stores in which the regions' sealed bodies lie.

use std::sync::Arc;

use store::blobs::{BlobError, BlobStore, DiskBlobs, Location, ObjectBlobs, Patience, Place, RegionBlobs};

use translog::note::VerifierKey;

use super::Layout;
use crate::config::{Config, Region, Store};

/// Opens each region's store. An object store is not asked for anything yet, so that a deployment whose store is away
/// still opens, and works its cases. `owner` tells this deployment from every other one.
pub(super) async fn open(
    layout: &Layout,
    config: &Config,
    owner: &VerifierKey,
) -> Result<RegionBlobs, BlobError> {
    let mut stores = RegionBlobs::default();
    let mut disk: Option<Arc<dyn BlobStore>> = None;
    for region in &config.regions {
        let store = match (&region.store, &disk) {
            (Store::Disk, Some(disk)) => Arc::clone(disk),
            (Store::Disk, None) => {
                let opened: Arc<dyn BlobStore> = Arc::new(DiskBlobs::open(&layout.blobs()).await?);
                Arc::clone(disk.insert(opened))
            }
            (Store::At(location), _) => at(location, layout, owner, region).await?,
        };
        stores.insert(region.id.clone(), store);
    }
    Ok(stores)
}

async fn at(
    location: &Location,
    layout: &Layout,
    owner: &VerifierKey,
    region: &Region,
) -> Result<Arc<dyn BlobStore>, BlobError> {
    let location = location.under(layout.dir());
    if let Place::Folder(folder) = location.place()? {
        return Ok(Arc::new(DiskBlobs::open(&folder).await?));
    }
    let owner = format!("{owner} {}", region.id);
    Ok(Arc::new(ObjectBlobs::open(
        &location,
        &owner,
        Patience::default(),
    )?))
}
