//! The client of an object store: TLS 1.3 alone, no redirects, credentials from a file or the environment.

use std::{fs::File, io::Read as _, os::unix::fs::PermissionsExt as _, path::Path, sync::Arc};

use async_trait::async_trait;
use object_store::{
    BackoffConfig, ClientConfigKey, ClientOptions, ObjectStore, RetryConfig,
    aws::{AmazonS3Builder, S3ConditionalPut},
    azure::MicrosoftAzureBuilder,
    client::{HttpClient, HttpConnector, HttpError, HttpRequest, HttpResponse, HttpService},
    gcp::GoogleCloudStorageBuilder,
    multipart::MultipartStore,
};
use reqwest::{Certificate, StatusCode, header, redirect, tls};
use zeroize::Zeroizing;

use super::{Patience, errors};
use crate::blobs::{
    BlobError,
    location::{Location, Service, clear_only_here},
};

/// Largest file of credentials or certificates read, in bytes.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// What is taken from the environment where the configuration names no file: credentials alone, never an endpoint or a
/// leave to use plain HTTP.
const S3_ENVIRONMENT: [&str; 10] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_DEFAULT_REGION",
    "AWS_REGION",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
];
const AZURE_ENVIRONMENT: [&str; 6] = [
    "AZURE_STORAGE_ACCOUNT_NAME",
    "AZURE_STORAGE_ACCOUNT_KEY",
    "AZURE_STORAGE_CLIENT_ID",
    "AZURE_STORAGE_CLIENT_SECRET",
    "AZURE_STORAGE_TENANT_ID",
    "AZURE_FEDERATED_TOKEN_FILE",
];
const GOOGLE_ENVIRONMENT: &str = "GOOGLE_APPLICATION_CREDENTIALS";

/// What a store must be able to do.
pub(super) trait Cloud: ObjectStore + MultipartStore {}
impl<T: ObjectStore + MultipartStore> Cloud for T {}

/// Makes the client. Nothing is asked of the store yet.
pub(super) fn client(
    location: &Location,
    service: Service,
    bucket: &str,
    patience: Patience,
) -> Result<Arc<dyn Cloud>, BlobError> {
    let clear = match &location.endpoint {
        Some(endpoint) => clear_only_here(endpoint)?,
        None => false,
    };
    let connector = Connector {
        patience,
        ca: location.ca.as_deref().map(certificates).transpose()?,
    };
    let options = ClientOptions::new().with_allow_http(clear);
    let retry = RetryConfig {
        backoff: BackoffConfig {
            init_backoff: patience.backoff,
            max_backoff: patience.backoff_max,
            base: 2.0,
        },
        max_retries: patience.retries,
        retry_timeout: patience.whole,
    };
    let secrets = location.credentials.as_deref().map(Secrets::read).transpose()?;
    let failed = |error| errors::of(&location.url, error);
    Ok(match service {
        Service::S3 => {
            let mut builder = AmazonS3Builder::new();
            match &secrets {
                Some(secrets) => {
                    builder = builder
                        .with_access_key_id(secrets.line("access_key_id")?)
                        .with_secret_access_key(secrets.line("secret_access_key")?);
                    if let Ok(token) = secrets.line("session_token") {
                        builder = builder.with_token(token);
                    }
                }
                None => {
                    for (key, value) in environment(&S3_ENVIRONMENT) {
                        builder = builder.with_config(key, value);
                    }
                }
            }
            if let Some(region) = &location.region {
                builder = builder.with_region(region);
            }
            if let Some(endpoint) = &location.endpoint {
                builder = builder.with_endpoint(endpoint.trim_end_matches('/'));
            }
            let built = builder
                .with_bucket_name(bucket)
                .with_client_options(options)
                .with_allow_http(clear)
                .with_retry(retry)
                .with_conditional_put(S3ConditionalPut::ETagMatch)
                .with_disable_bulk_delete(true)
                .with_http_connector(connector)
                .build();
            Arc::new(built.map_err(failed)?)
        }
        Service::Google => {
            let mut builder = GoogleCloudStorageBuilder::new();
            match &secrets {
                Some(secrets) => builder = builder.with_service_account_key(secrets.text.as_str()),
                None => {
                    if let Ok(path) = std::env::var(GOOGLE_ENVIRONMENT) {
                        builder = builder.with_application_credentials(path);
                    }
                }
            }
            if let Some(endpoint) = &location.endpoint {
                builder = builder.with_base_url(endpoint.trim_end_matches('/'));
            }
            let built = builder
                .with_bucket_name(bucket)
                .with_client_options(options)
                .with_retry(retry)
                .with_http_connector(connector)
                .build();
            Arc::new(built.map_err(failed)?)
        }
        Service::Azure => {
            let mut builder = MicrosoftAzureBuilder::new();
            match &secrets {
                Some(secrets) => {
                    builder = builder
                        .with_account(secrets.line("account_name")?)
                        .with_access_key(secrets.line("access_key")?);
                }
                None => {
                    for (key, value) in environment(&AZURE_ENVIRONMENT) {
                        builder = builder.with_config(key, value);
                    }
                }
            }
            if let Some(endpoint) = &location.endpoint {
                builder = builder.with_endpoint(endpoint.trim_end_matches('/').to_owned());
            }
            let built = builder
                .with_container_name(bucket)
                .with_client_options(options)
                .with_allow_http(clear)
                .with_retry(retry)
                .with_http_connector(connector)
                .build();
            Arc::new(built.map_err(failed)?)
        }
    })
}

/// The variables that are set, each under the name that the client library has for it.
fn environment<K: std::str::FromStr>(names: &[&str]) -> Vec<(K, String)> {
    let set = |name: &&str| {
        let value = std::env::var(name).ok()?;
        Some((name.to_ascii_lowercase().parse().ok()?, value))
    };
    names.iter().filter_map(set).collect()
}

/// Connects as [`client`] says. Where the machine's own role gives the credentials, the library asks for them over plain
/// HTTP at the machine's link-local address, and says so in the options.
#[derive(Debug)]
struct Connector {
    patience: Patience,
    ca: Option<Vec<Certificate>>,
}

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let clear = options.get_config_value(&ClientConfigKey::AllowHttp);
        let clear = clear.as_deref() == Some("true");
        let mut builder = reqwest::Client::builder()
            .https_only(!clear)
            .tls_version_min(tls::Version::TLS_1_3)
            // A redirect would let whoever answers send our requests elsewhere.
            .redirect(redirect::Policy::none())
            .no_proxy()
            .connect_timeout(self.patience.connect)
            .read_timeout(self.patience.reply);
        for certificate in self.ca.iter().flatten() {
            builder = builder.add_root_certificate(certificate.clone());
        }
        let client = builder.build().map_err(|source| object_store::Error::Generic {
            store: "http",
            source: Box::new(source),
        })?;
        Ok(HttpClient::new(Client(client)))
    }
}

/// A client for which an answer with `Content-Range` is a partial one. Some servers (rclone's) say 200 with it.
#[derive(Debug)]
struct Client(reqwest::Client);

#[async_trait]
impl HttpService for Client {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let ranged = request.headers().contains_key(header::RANGE);
        let mut answer = self.0.call(request).await?;
        if ranged && answer.status() == StatusCode::OK && answer.headers().contains_key(header::CONTENT_RANGE)
        {
            *answer.status_mut() = StatusCode::PARTIAL_CONTENT;
        }
        Ok(answer)
    }
}

fn credentials(path: &Path, reason: &'static str) -> BlobError {
    BlobError::Credentials {
        path: path.display().to_string(),
        reason,
    }
}

fn certificates(path: &Path) -> Result<Vec<Certificate>, BlobError> {
    let mut pem = Vec::new();
    File::open(path)
        .and_then(|file| file.take(FILE_BYTES_MAX).read_to_end(&mut pem))
        .map_err(|_| credentials(path, "the file of certificates cannot be read"))?;
    match Certificate::from_pem_bundle(&pem) {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(credentials(path, "it holds no certificate in PEM form")),
    }
}

struct Secrets {
    path: String,
    text: Zeroizing<String>,
}

impl Secrets {
    fn read(path: &Path) -> Result<Self, BlobError> {
        let unread = |_| credentials(path, "the file cannot be read");
        let file = File::open(path).map_err(unread)?;
        if file.metadata().map_err(unread)?.permissions().mode() & 0o077 != 0 {
            return Err(credentials(path, "others may read the file; `chmod 600` it"));
        }
        let mut text = Zeroizing::new(String::new());
        file.take(FILE_BYTES_MAX)
            .read_to_string(&mut text)
            .map_err(unread)?;
        Ok(Self {
            path: path.display().to_string(),
            text,
        })
    }

    fn line(&self, name: &'static str) -> Result<&str, BlobError> {
        let named = |line: &'_ str| line.split_once('=').is_some_and(|(key, _)| key.trim() == name);
        let line = self.text.lines().find(|line| named(line));
        let value = line
            .and_then(|line| line.split_once('='))
            .map(|(_, value)| value.trim());
        value.ok_or_else(|| BlobError::Credentials {
            path: self.path.clone(),
            reason: match name {
                "access_key_id" => "it has no line `access_key_id=`",
                "secret_access_key" => "it has no line `secret_access_key=`",
                "account_name" => "it has no line `account_name=`",
                "access_key" => "it has no line `access_key=`",
                _ => "a line is missing",
            },
        })
    }
}
