//! What may have become of a backup that lay somewhere for a year.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::body;

/// What a file of the backup is to be; `None`: gone.
pub struct Alteration {
    path: PathBuf,
    bytes: Option<Vec<u8>>,
}

impl Alteration {
    pub fn apply(self) -> impl FnOnce() {
        let before = fs::read(&self.path).unwrap();
        match &self.bytes {
            Some(bytes) => fs::write(&self.path, bytes).unwrap(),
            None => fs::remove_file(&self.path).unwrap(),
        }
        move || fs::write(&self.path, before).unwrap()
    }
}

pub fn alterations(out: &Path) -> Vec<(&'static str, Alteration)> {
    let manifest = out.join("manifest.json");
    let said: serde_json::Value = serde_json::from_slice(&fs::read(&manifest).unwrap()).unwrap();
    let part = |name: &str| out.join(said[name]["file"].as_str().unwrap());
    let (metadata, keys) = (part("metadata"), part("keys"));
    let blob = {
        let mut found: Vec<PathBuf> = Vec::new();
        for shard in fs::read_dir(out.join("blobs")).unwrap() {
            found.extend(
                fs::read_dir(shard.unwrap().path())
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        }
        // One of those that every backup has, by its length.
        let length = envelope::chunked::sealed_len(body(3).len() as u64).unwrap();
        found
            .into_iter()
            .find(|path| fs::metadata(path).unwrap().len() == length)
            .unwrap()
    };
    let flipped = |path: &Path| {
        let mut bytes = fs::read(path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        Some(bytes)
    };
    let cut = |path: &Path| {
        let bytes = fs::read(path).unwrap();
        Some(bytes[..bytes.len() - 1].to_vec())
    };
    let of = |path: &Path, bytes| Alteration {
        path: path.to_owned(),
        bytes,
    };
    vec![
        ("no manifest", of(&manifest, None)),
        (
            "half a manifest",
            of(
                &manifest,
                cut(&manifest).map(|mut bytes| {
                    bytes.truncate(40);
                    bytes
                }),
            ),
        ),
        ("no metadata", of(&metadata, None)),
        ("metadata cut", of(&metadata, cut(&metadata))),
        ("metadata flipped", of(&metadata, flipped(&metadata))),
        ("keys flipped", of(&keys, flipped(&keys))),
        ("a blob missing", of(&blob, None)),
        ("a blob cut", of(&blob, cut(&blob))),
        ("a blob flipped", of(&blob, flipped(&blob))),
    ]
}
