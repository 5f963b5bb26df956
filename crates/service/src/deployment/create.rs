//! Making a deployment: its folder, keys, configuration and trust policy.

use std::path::Path;

use casework::{
    gate::{PolicyError, TrustPolicy},
    promise::Reviewers,
    rulebook::Rulebook,
};
use store::database::Location;
use translog::{
    note::{KeyError, KeyKind, SignerKey, VerifierKey},
    policy::Policy,
};

use super::{
    layout::Layout,
    secrets::{SecretError, create_key, write_secret},
};
use crate::config::{Config, ConfigError, DatabaseKind};

/// What a new deployment is to be.
pub struct NewDeployment {
    /// Its configuration.
    pub config: Config,
    /// Outside witnesses. Where there is none, one of its own is made, and the configuration says so.
    pub witnesses: Vec<NewWitness>,
    /// Where its database is; a file in its folder where nothing is said.
    pub database: Option<Location>,
    /// Whose signatures count. May be empty: then nothing can be released until the policy names two.
    pub reviewers: Reviewers,
}

/// An outside witness.
#[derive(Debug, Clone)]
pub struct NewWitness {
    /// Its name within the policy.
    pub name: String,
    /// Its key.
    pub key: VerifierKey,
    /// Its submission prefix.
    pub url: String,
}

/// Why a deployment could not be made.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// The folder holds something already.
    #[error("`{path}` is not empty; name a new folder")]
    NotEmpty {
        /// Which folder.
        path: String,
    },
    /// A file or folder cannot be written.
    #[error("cannot write `{path}`")]
    Write {
        /// Which.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The configuration cannot stand.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The configuration cannot be written as TOML.
    #[error("the configuration cannot be written")]
    Toml(#[from] toml::ser::Error),
    /// A key file.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The origin is no name for a key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The witnesses do not make a policy.
    #[error(transparent)]
    Docket(#[from] translog::policy::PolicyError),
    /// The policy cannot be written.
    #[error(transparent)]
    Policy(#[from] PolicyError),
}

/// Makes the deployment in `dir`. What it wrote before an error stays, and a second try refuses the folder: nothing is
/// overwritten.
///
/// # Errors
/// See [`CreateError`].
pub fn create(dir: &Path, new: NewDeployment) -> Result<(), CreateError> {
    let layout = Layout::at(dir);
    let fail = |path: &Path| {
        let path = path.display().to_string();
        move |source| CreateError::Write { path, source }
    };
    use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(fail(dir))?;
    if std::fs::read_dir(dir).map_err(fail(dir))?.next().is_some() {
        return Err(CreateError::NotEmpty {
            path: dir.display().to_string(),
        });
    }
    // Names of objects and the docket's salts lie in the databases: the folder is its owner's alone.
    std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o700)).map_err(fail(dir))?;
    let mut config = new.config;
    config.docket.own_witness = new.witnesses.is_empty();
    if matches!(new.database, Some(Location::Server(_))) {
        config.database = DatabaseKind::Server;
    }
    config.check()?;
    let text = toml::to_string(&config)?;

    for folder in [layout.keys(), layout.blobs(), layout.docket(), layout.packages()] {
        std::fs::DirBuilder::new()
            .mode(0o700)
            .create(&folder)
            .map_err(fail(&folder))?;
    }
    if let Some(Location::Server(url)) = &new.database {
        write_secret(&layout.database_url(), url.as_bytes())?;
    }
    for region in &config.regions {
        create_key(&layout.root_key(&region.id))?;
    }
    create_key(&layout.case_root())?;
    create_key(&layout.credential_key())?;
    let log = SignerKey::from_seed(
        &config.docket.origin,
        KeyKind::Log,
        &create_key(&layout.docket_key())?,
    )?;
    let witnesses = if config.docket.own_witness {
        let seed = create_key(&layout.witness_key())?;
        let name = format!("{}/witness", config.docket.origin);
        let key = SignerKey::from_seed(&name, KeyKind::Witness, &seed)?
            .verifier()
            .clone();
        vec![("own".to_owned(), key, None)]
    } else {
        new.witnesses
            .into_iter()
            .map(|witness| (witness.name, witness.key, Some(witness.url)))
            .collect()
    };
    let policy = TrustPolicy::new(
        docket_policy(log.verifier(), &witnesses)?,
        new.reviewers,
        [Rulebook::builtin().digest()],
    )?;
    std::fs::write(layout.trust(), policy.to_toml()?).map_err(fail(&layout.trust()))?;
    // Last, so that a folder with a configuration is a whole deployment.
    std::fs::write(layout.config(), text).map_err(fail(&layout.config()))
}

/// The policy that every witness must have cosigned.
fn docket_policy(
    log: &VerifierKey,
    witnesses: &[(String, VerifierKey, Option<String>)],
) -> Result<Policy, translog::policy::PolicyError> {
    let mut text = format!("log {log}\n");
    for (name, key, url) in witnesses {
        let url = url.as_ref().map(|url| format!(" {url}")).unwrap_or_default();
        text.push_str(&format!("witness {name} {key}{url}\n"));
    }
    let names: Vec<_> = witnesses.iter().map(|(name, _, _)| name.as_str()).collect();
    text.push_str(&format!(
        "group every-witness all {}\nquorum every-witness\n",
        names.join(" ")
    ));
    Policy::parse(&text)
}
