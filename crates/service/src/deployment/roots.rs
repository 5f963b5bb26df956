//! The regions' root keys on the disk: generation after generation, plain or sealed by a key provider.
//!
//! `root-REGION.key` is the first generation, `root-REGION.2.key` the second. The newest wraps; older ones stay until
//! everything is under the newest. A sealed one ends in `.sealed` instead, and opens only with its provider's answer.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use casework::ids::{ProviderId, RegionId};
use ed25519_dalek::SigningKey;
use envelope::keys::RegionRoot;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{
    Layout,
    secrets::{SecretError, create_key, read_key, read_secret, write_secret},
};
use crate::{
    config::Config,
    gate::{Clock, RegionRoots},
    keys::{
        HolderError, KeyPlace, Providers, Reason, Why,
        configured::{self, ConfiguredError, ProviderConfig},
    },
};

/// Most generations of a root: current, and what a rotation has not finished with.
pub const GENERATIONS_MAX: u32 = 1000;

/// Why root keys cannot be opened, made or sealed.
#[derive(Debug, thiserror::Error)]
pub enum RootError {
    /// A key file.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// A key provider's configuration.
    #[error(transparent)]
    Provider(#[from] ConfiguredError),
    /// Who seals a root did not give it.
    #[error("the root of region `{region}` does not open")]
    Sealed {
        /// The region.
        region: RegionId,
        /// Why.
        #[source]
        source: HolderError,
    },
    /// Who is to seal a root did not.
    #[error("the root of region `{region}` was not sealed")]
    NotSealed {
        /// The region.
        region: RegionId,
        /// Why.
        #[source]
        source: HolderError,
    },
    /// A sealed root that is not what was written.
    #[error("`{path}` is no sealed root")]
    Form {
        /// Which file.
        path: String,
    },
    /// The gate's signing key is in a folder of the gate's own.
    #[error(
        "the gate of `{dir}` has a folder of its own, and its signing key is there: say `--data` with the gate's folder"
    )]
    GateElsewhere {
        /// The server's folder.
        dir: String,
    },
    /// No root of the region at all.
    #[error(
        "there is no root of region `{region}` in `keys/`; put it back from where you keep the keys: a backup holds it only \
         if it was made with `--with-keys`"
    )]
    Missing {
        /// The region.
        region: RegionId,
    },
    /// A file cannot be removed.
    #[error("cannot remove `{path}`")]
    Remove {
        /// Which.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// A root as it lies on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootFile {
    /// Its generation, from 1.
    pub generation: u32,
    /// The file.
    pub path: PathBuf,
    /// Whether a key provider seals it.
    pub sealed: bool,
}

/// What a sealed root's file holds.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sealed {
    provider: ProviderId,
    blob: String,
}

/// A region's roots on the disk, newest first.
pub fn root_files(layout: &Layout, region: &RegionId) -> Vec<RootFile> {
    let mut found = Vec::new();
    for generation in 1..=GENERATIONS_MAX {
        let plain = layout.root_generation(region, generation);
        let sealed = plain.with_extension("sealed");
        // While a root is being sealed, both are there; the sealed one was checked before the plain one goes.
        let file = [(sealed, true), (plain, false)]
            .into_iter()
            .find(|(path, _)| path.exists());
        match file {
            Some((path, sealed)) => found.push(RootFile {
                generation,
                path,
                sealed,
            }),
            // Generations before the current one go when a rotation ends; there is no gap after it.
            None if !found.is_empty() => break,
            None => {}
        }
    }
    found.reverse();
    found
}

/// Every sealed root in a folder of keys, of whatever region and generation, with who seals it.
///
/// # Errors
/// When the folder or a file cannot be read, or is no sealed root.
pub fn sealed_roots(layout: &Layout) -> Result<Vec<(PathBuf, ProviderId)>, RootError> {
    let folder = layout.keys();
    let fail = |source| {
        RootError::Secret(SecretError::Read {
            path: folder.display().to_string(),
            source,
        })
    };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(&folder).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        if path.extension().is_none_or(|end| end != "sealed") {
            continue;
        }
        let sealed: Sealed = serde_json::from_slice(&read_secret(&path)?).map_err(|_| RootError::Form {
            path: path.display().to_string(),
        })?;
        found.push((path, sealed.provider));
    }
    found.sort();
    Ok(found)
}

/// Opens the key providers that the configuration names.
///
/// # Errors
/// See [`ConfiguredError`].
pub async fn open_providers(
    layout: &Layout,
    config: &Config,
    clock: &Clock,
) -> Result<Arc<Providers>, RootError> {
    let asks_keyholders = config
        .key_providers
        .iter()
        .any(|one| matches!(one, ProviderConfig::Keyholder { .. }));
    let gate = match asks_keyholders {
        true => gate_key(layout, config)?,
        // Nothing is signed with it.
        false => SigningKey::from_bytes(&[0; 32]),
    };
    let opened = configured::open(&config.key_providers, layout.dir(), &gate, clock).await?;
    Ok(Arc::new(opened))
}

/// The key with which this gate signs what it asks keyholders; made when it is wanted first, and only where the gate is: in
/// another folder it would be a key that no gate signs with.
///
/// # Errors
/// [`RootError::GateElsewhere`] in the folder of a server whose gate has a folder of its own; else when the key cannot be read
/// or written.
pub fn gate_key(layout: &Layout, config: &Config) -> Result<SigningKey, RootError> {
    let path = layout.gate_key();
    // Where the roots are, there the gate is.
    let is_here = || {
        config
            .regions
            .iter()
            .any(|region| !root_files(layout, &region.id).is_empty())
    };
    let seed = match path.exists() {
        true => read_key(&path)?,
        false if config.gate.is_some() && !is_here() => {
            return Err(RootError::GateElsewhere {
                dir: layout.dir().display().to_string(),
            });
        }
        false => create_key(&path)?,
    };
    Ok(SigningKey::from_bytes(&seed))
}

/// The gate's signing key, where its policy names gates to deal with.
///
/// # Errors
/// As [`gate_key`].
pub(super) fn handing_key(
    layout: &Layout,
    config: &Config,
    trust: &casework::gate::TrustPolicy,
) -> Result<Option<SigningKey>, RootError> {
    let wanted = trust.knows_gates().then(|| gate_key(layout, config));
    wanted.transpose()
}

/// The roots of the regions that the configuration names, with the providers. Only a gate calls it.
///
/// # Errors
/// See [`RootError`].
pub async fn open_roots(layout: &Layout, config: &Config, clock: &Clock) -> Result<RegionRoots, RootError> {
    let providers = open_providers(layout, config, clock).await?;
    let mut roots = Vec::new();
    for region in &config.regions {
        let files = root_files(layout, &region.id);
        if files.is_empty() {
            return Err(RootError::Missing {
                region: region.id.clone(),
            });
        }
        for file in files {
            let root = open_root(&region.id, &file, &providers).await?;
            roots.push((region.id.clone(), root));
        }
    }
    Ok(RegionRoots::new(roots).with_providers(providers))
}

async fn open_root(
    region: &RegionId,
    file: &RootFile,
    providers: &Providers,
) -> Result<RegionRoot, RootError> {
    if !file.sealed {
        return Ok(RegionRoot::from_random(*read_key(&file.path)?));
    }
    let form = || RootError::Form {
        path: file.path.display().to_string(),
    };
    let sealed: Sealed = serde_json::from_slice(&read_secret(&file.path)?).map_err(|_| form())?;
    let blob = STANDARD.decode(&sealed.blob).map_err(|_| form())?;
    let place = KeyPlace::region(region.as_str());
    let given = providers
        .unwrap(&sealed.provider, &place, &Reason::RegionStart, &blob)
        .await;
    let given = given.map_err(|source| RootError::Sealed {
        region: region.clone(),
        source,
    })?;
    let bytes: [u8; 32] = given.as_slice().try_into().map_err(|_| RootError::Sealed {
        region: region.clone(),
        source: HolderError::new(&sealed.provider, Why::Wrong("it gave back no root".to_owned())),
    })?;
    Ok(RegionRoot::from_random(bytes))
}

/// Has a root sealed by a provider; what it sealed is opened again and compared before the plain file goes. What a disk
/// keeps of a removed file it keeps: a root that was plain for long is better rotated.
///
/// # Errors
/// When it is sealed already, the provider refuses, or a file cannot be written.
pub async fn seal_root(
    region: &RegionId,
    file: &RootFile,
    providers: &Providers,
    provider: &ProviderId,
) -> Result<PathBuf, RootError> {
    let root = Zeroizing::new(*open_root(region, file, providers).await?.expose());
    let path = file.path.with_extension("sealed");
    if file.sealed {
        return Ok(path);
    }
    let fail = |source| RootError::NotSealed {
        region: region.clone(),
        source,
    };
    let place = KeyPlace::region(region.as_str());
    let reason = Reason::RegionStart;
    let blob = providers
        .wrap(provider, &place, &reason, root.as_slice())
        .await
        .map_err(fail)?;
    let again = providers
        .unwrap(provider, &place, &reason, &blob)
        .await
        .map_err(fail)?;
    if again.as_slice() != root.as_slice() {
        let why = Why::Wrong("what it sealed does not open to the same".to_owned());
        return Err(fail(HolderError::new(provider, why)));
    }
    let sealed = Sealed {
        provider: provider.clone(),
        blob: STANDARD.encode(blob),
    };
    let text = serde_json::to_vec(&sealed).map_err(|_| RootError::Form {
        path: path.display().to_string(),
    })?;
    write_secret(&path, &text)?;
    remove_root(&file.path)?;
    Ok(path)
}

/// Makes the next generation of a region's root, plain. A gate that runs does not know it until it is started anew.
///
/// # Errors
/// When it cannot be written.
pub fn next_root(layout: &Layout, region: &RegionId) -> Result<RootFile, RootError> {
    let newest = root_files(layout, region)
        .first()
        .map_or(0, |file| file.generation);
    let generation = newest + 1;
    let path = layout.root_generation(region, generation);
    create_key(&path)?;
    Ok(RootFile {
        generation,
        path,
        sealed: false,
    })
}

/// Removes a root's file.
///
/// # Errors
/// When it cannot be removed.
pub fn remove_root(path: &Path) -> Result<(), RootError> {
    let fail = |source| RootError::Remove {
        path: path.display().to_string(),
        source,
    };
    std::fs::remove_file(path).map_err(fail)?;
    match path.parent() {
        Some(folder) => std::fs::File::open(folder)
            .and_then(|dir| dir.sync_all())
            .map_err(fail),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;

    use super::*;
    use crate::keys::{Health, KeyProvider};

    /// A module that may be taken away.
    struct Module(ProviderId, std::sync::atomic::AtomicBool);

    #[async_trait]
    impl KeyProvider for Module {
        fn id(&self) -> &ProviderId {
            &self.0
        }
        async fn wrap(&self, place: &KeyPlace, _: &Reason, secret: &[u8]) -> Result<Vec<u8>, HolderError> {
            Ok([&place.to_bytes(), secret]
                .concat()
                .iter()
                .map(|byte| byte ^ 0x55)
                .collect())
        }
        async fn unwrap(
            &self,
            place: &KeyPlace,
            reason: &Reason,
            blob: &[u8],
        ) -> Result<Zeroizing<Vec<u8>>, HolderError> {
            assert_eq!(*reason, Reason::RegionStart);
            if self.1.load(std::sync::atomic::Ordering::SeqCst) {
                return Err(HolderError::new(&self.0, Why::Away("no token".to_owned())));
            }
            let open: Vec<_> = blob.iter().map(|byte| byte ^ 0x55).collect();
            let secret = open.strip_prefix(place.to_bytes().as_slice());
            let secret = secret.ok_or_else(|| HolderError::new(&self.0, Why::NotHere))?;
            Ok(Zeroizing::new(secret.to_vec()))
        }
        async fn health(&self) -> Result<Health, HolderError> {
            Err(HolderError::new(&self.0, Why::Busy))
        }
    }

    #[tokio::test]
    async fn a_sealed_root_opens_with_its_provider_alone_and_the_plain_file_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::at(dir.path());
        std::fs::create_dir(layout.keys()).unwrap();
        let (eu, us) = (RegionId::new("eu-de").unwrap(), RegionId::new("us-east").unwrap());
        create_key(&layout.root_key(&eu)).unwrap();
        let plain = *read_key(&layout.root_key(&eu)).unwrap();
        let module = Arc::new(Module(ProviderId::new("hsm").unwrap(), false.into()));
        let providers = Providers::new([Arc::clone(&module) as Arc<dyn KeyProvider>]);

        let [file] = root_files(&layout, &eu).try_into().unwrap();
        seal_root(&eu, &file, &providers, &module.0).await.unwrap();
        let [sealed] = <[_; 1]>::try_from(root_files(&layout, &eu)).unwrap();
        assert!(sealed.sealed && !layout.root_key(&eu).exists());
        assert_eq!(
            *open_root(&eu, &sealed, &providers).await.unwrap().expose(),
            plain
        );
        // Nor as another region's, nor without the module.
        assert!(matches!(
            open_root(&us, &sealed, &providers).await,
            Err(RootError::Sealed { .. })
        ));
        module.1.store(true, std::sync::atomic::Ordering::SeqCst);
        let away = open_root(&eu, &sealed, &providers).await.err().unwrap();
        assert_eq!(away.to_string(), "the root of region `eu-de` does not open");

        // The next generation comes first, and the one before stays until it is removed.
        let next = next_root(&layout, &eu).unwrap();
        let generations = |layout| {
            root_files(layout, &eu)
                .iter()
                .map(|file| file.generation)
                .collect::<Vec<_>>()
        };
        assert_eq!((next.generation, generations(&layout)), (2, vec![2, 1]));
        remove_root(&sealed.path).unwrap();
        assert_eq!(generations(&layout), [2]);
        assert_eq!(next_root(&layout, &eu).unwrap().generation, 3);
        assert_eq!(root_files(&layout, &us), []);
    }

    #[test]
    fn the_configuration_of_each_kind_reads_and_what_it_does_not_know_is_refused() {
        #[derive(Debug, Deserialize)]
        struct Part {
            key_provider: Vec<ProviderConfig>,
        }
        let text =
            std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operating.md")).unwrap();
        let part = text
            .split("```toml\n")
            .find(|part| part.starts_with("[[key_provider]]"))
            .unwrap();
        let part = part.split("```").next().unwrap();
        let read: Part = toml::from_str(part).unwrap();
        let ids: Vec<_> = read.key_provider.iter().map(|one| one.id().as_str()).collect();
        assert_eq!(ids, ["sealed", "hsm", "kms", "bao", "contoso-keys"]);
        let unknown = toml::from_str::<Part>(&part.replace("token = \"amparo\"", "tokn = \"amparo\""));
        assert!(unknown.unwrap_err().to_string().contains("tokn"));
    }
}
