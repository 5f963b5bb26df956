//! The key providers that `amparo.toml` names. Secrets are never in it: only where they are.

use std::path::{Path, PathBuf};

use casework::ids::ProviderId;
use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{
    HolderError, KeyProvider, Providers,
    aws_kms::{AwsKms, KmsKey},
    keyholder::{Keyholder, wire},
    pkcs11::{Hardware, Token},
    sealed_file::{SealedFile, SealedFileError},
    transit::{Transit, TransitKey},
};
use crate::{
    deployment::{SecretError, read_secret},
    gate::Clock,
};

/// Most providers.
pub const PROVIDERS_MAX: usize = 1000;

/// Where a passphrase, PIN or token is: in a file of its owner's alone, in an environment variable, or in a credential that
/// systemd hands to the service. Never in the configuration, never an argument.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretAt {
    /// A file.
    File(PathBuf),
    /// An environment variable.
    Env(String),
    /// A file in `$CREDENTIALS_DIRECTORY`.
    Credential(String),
}

/// One provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum ProviderConfig {
    /// A key in a file, sealed by a passphrase.
    File {
        /// Its name.
        id: ProviderId,
        /// The sealed file.
        file: PathBuf,
        /// The passphrase.
        passphrase: SecretAt,
    },
    /// A hardware module.
    Pkcs11 {
        /// Its name.
        id: ProviderId,
        /// The module.
        module: PathBuf,
        /// The token's label.
        token: String,
        /// The key's label.
        key: String,
        /// The user's PIN.
        pin: SecretAt,
    },
    /// AWS KMS, or what speaks its API.
    AwsKms {
        /// Its name.
        id: ProviderId,
        /// The AWS region.
        region: String,
        /// Key id, ARN or alias.
        key: String,
        /// Another endpoint than the region's own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        endpoint: Option<String>,
        /// A file with `aws_access_key_id = ...`, `aws_secret_access_key = ...` and perhaps `aws_session_token = ...`.
        credentials: SecretAt,
    },
    /// OpenBao's or Vault's Transit engine.
    Transit {
        /// Its name.
        id: ProviderId,
        /// The server.
        url: String,
        /// Where the engine is mounted.
        #[serde(default = "transit")]
        mount: String,
        /// The key's name.
        key: String,
        /// The namespace.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        namespace: Option<String>,
        /// Whether the key derives another for each context.
        #[serde(default)]
        derived: bool,
        /// The token.
        token: SecretAt,
        /// The one authority that its certificate must be from; the system's where it is left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ca: Option<PathBuf>,
    },
    /// A customer's own keyholder.
    Keyholder {
        /// Its name.
        id: ProviderId,
        /// Where it is asked.
        url: String,
        /// The public key under which its answers verify, base64.
        key: String,
        /// The one authority that its certificate must be from; the system's where it is left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ca: Option<PathBuf>,
    },
}

fn transit() -> String {
    "transit".to_owned()
}

/// Why a configured provider cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfiguredError {
    /// A secret's file.
    #[error("key provider `{id}`")]
    Secret {
        /// Which.
        id: ProviderId,
        /// Why.
        #[source]
        source: Box<SecretError>,
    },
    /// A secret that is not there, or not in its form.
    #[error("the secret of key provider `{id}` {reason}")]
    NoSecret {
        /// Which.
        id: ProviderId,
        /// Why.
        reason: &'static str,
    },
    /// A sealed file.
    #[error("key provider `{id}`")]
    Sealed {
        /// Which.
        id: ProviderId,
        /// Why.
        #[source]
        source: Box<SealedFileError>,
    },
    /// The certificate of an authority.
    #[error("key provider `{id}`: `ca` names no certificate in PEM that can be read")]
    Authority {
        /// Which.
        id: ProviderId,
    },
    /// What the provider itself says.
    #[error(transparent)]
    Provider(#[from] HolderError),
    /// The keyholder's public key.
    #[error("key provider `{id}`: `key` is {source}")]
    Key {
        /// Which.
        id: ProviderId,
        /// Why.
        source: wire::NoPublicKey,
    },
}

impl ProviderConfig {
    /// Its name.
    pub fn id(&self) -> &ProviderId {
        match self {
            Self::File { id, .. }
            | Self::Pkcs11 { id, .. }
            | Self::AwsKms { id, .. }
            | Self::Transit { id, .. }
            | Self::Keyholder { id, .. } => id,
        }
    }
}

/// Opens the providers of a deployment's folder. `gate` signs what keyholders are asked.
///
/// # Errors
/// See [`ConfiguredError`]. A provider that is merely away is no error: it is asked when a key is wanted.
pub async fn open(
    configured: &[ProviderConfig],
    folder: &Path,
    gate: &SigningKey,
    clock: &Clock,
) -> Result<Providers, ConfiguredError> {
    let mut providers = Vec::with_capacity(configured.len());
    for one in configured {
        providers.push(open_one(one, folder, gate, clock).await?);
    }
    Ok(Providers::new(providers))
}

async fn open_one(
    one: &ProviderConfig,
    folder: &Path,
    gate: &SigningKey,
    clock: &Clock,
) -> Result<std::sync::Arc<dyn KeyProvider>, ConfiguredError> {
    let secret = |at: &SecretAt| read(one.id(), at, folder);
    Ok(match one.clone() {
        ProviderConfig::File { id, file, passphrase } => {
            let passphrase = secret(&passphrase)?;
            let opened = SealedFile::open(id.clone(), folder.join(file), passphrase).await;
            std::sync::Arc::new(opened.map_err(|source| ConfiguredError::Sealed {
                id,
                source: Box::new(source),
            })?)
        }
        ProviderConfig::Pkcs11 {
            id,
            module,
            token,
            key,
            pin,
        } => {
            let at = Token { module, token, key };
            std::sync::Arc::new(Hardware::start(id, at, secret(&pin)?)?)
        }
        ProviderConfig::AwsKms {
            id,
            region,
            key,
            endpoint,
            credentials,
        } => {
            let credentials = aws_credentials(&id, &secret(&credentials)?)?;
            let key = KmsKey {
                region,
                key,
                endpoint,
            };
            std::sync::Arc::new(AwsKms::new(id, key, credentials)?)
        }
        ProviderConfig::Transit {
            id,
            url,
            mount,
            key,
            namespace,
            derived,
            token,
            ca,
        } => {
            let at = TransitKey {
                url,
                mount,
                key,
                namespace,
                derived,
            };
            let (tls, token) = (tls(&id, ca.as_deref(), folder)?, secret(&token)?);
            std::sync::Arc::new(Transit::new(id, at, tls, token)?)
        }
        ProviderConfig::Keyholder { id, url, key, ca } => {
            let tls = tls(&id, ca.as_deref(), folder)?;
            let key = wire::public_key(&key);
            let key = key.map_err(|source| ConfiguredError::Key {
                id: id.clone(),
                source,
            })?;
            std::sync::Arc::new(Keyholder::new(id, &url, tls, gate.clone(), key, clock.clone())?)
        }
    })
}

/// The text of a secret, without the end of its line.
fn read(id: &ProviderId, at: &SecretAt, folder: &Path) -> Result<Zeroizing<String>, ConfiguredError> {
    let none = |reason| ConfiguredError::NoSecret {
        id: id.clone(),
        reason,
    };
    let file = match at {
        SecretAt::Env(name) => {
            let found = std::env::var(name).map(Zeroizing::new);
            return found.map_err(|_| none("is not in its environment variable"));
        }
        SecretAt::File(path) => folder.join(path),
        SecretAt::Credential(name) => {
            let given = std::env::var_os("CREDENTIALS_DIRECTORY");
            let given = given.ok_or_else(|| none("is a credential of systemd, which gave none"))?;
            if name.contains('/') {
                return Err(none("has a name that is a path"));
            }
            PathBuf::from(given).join(name)
        }
    };
    let bytes = read_secret(&file).map_err(|source| ConfiguredError::Secret {
        id: id.clone(),
        source: Box::new(source),
    })?;
    let text = std::str::from_utf8(&bytes).map_err(|_| none("is not text"))?;
    let text = text.trim_end_matches(['\r', '\n']);
    match text.is_empty() {
        true => Err(none("is empty")),
        false => Ok(Zeroizing::new(text.to_owned())),
    }
}

type AwsCredentials = (String, Zeroizing<String>, Option<Zeroizing<String>>);

fn aws_credentials(id: &ProviderId, text: &str) -> Result<AwsCredentials, ConfiguredError> {
    let field = |name: &str| {
        text.lines()
            .filter_map(|line| line.split_once('='))
            .find(|(field, _)| field.trim() == name)
            .map(|(_, value)| value.trim().to_owned())
    };
    let (Some(access), Some(secret)) = (field("aws_access_key_id"), field("aws_secret_access_key")) else {
        return Err(ConfiguredError::NoSecret {
            id: id.clone(),
            reason: "has no `aws_access_key_id = ` and `aws_secret_access_key = ` lines",
        });
    };
    let session = field("aws_session_token").map(Zeroizing::new);
    Ok((access, Zeroizing::new(secret), session))
}

fn tls(id: &ProviderId, ca: Option<&Path>, folder: &Path) -> Result<reqwest::ClientBuilder, ConfiguredError> {
    let builder = reqwest::Client::builder().tls_version_min(reqwest::tls::Version::TLS_1_3);
    let Some(ca) = ca else { return Ok(builder) };
    let wrong = || ConfiguredError::Authority { id: id.clone() };
    let pem = std::fs::read(folder.join(ca)).map_err(|_| wrong())?;
    let authorities = reqwest::Certificate::from_pem_bundle(&pem).map_err(|_| wrong())?;
    if authorities.is_empty() {
        return Err(wrong());
    }
    Ok(builder.tls_certs_only(authorities))
}
