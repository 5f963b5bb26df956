//! The provider of the demonstration: two regions, three customers, two witnesses, mail in twenty accounts.

use std::{
    io::BufReader,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, bail};
use bytes::Bytes;
use casework::{
    demand::{Category, CountryCode},
    facts::TenantKind,
    gate::TrustPolicy,
    ids::{AccountId, RegionId, TenantId},
    promise::Reviewers,
};
use futures::{StreamExt as _, stream};
use service::{
    app::{Desk, clock::Clock as _},
    config::{Config, DatabaseKind, Docket, Listen, Region, Schema, Store},
    deployment::{Deployment, NewDeployment, NewWitness, Running, create, create_key},
    docket::witness::{self, Witness},
    import::{self, RawMessage, Source, spread::Spread},
    vault::{Mapping, NewBucket, PathRule, Placement, Principal, PutOptions},
};
use store::{blobs::Location, vault::AccountDetails};
use tokio::net::TcpListener;
use translog::note::{KeyKind, SignerKey};

use super::{
    calendar::{STORY_DAYS, StoryClock},
    desk_work::{Handed, Team},
    mailbox,
    people::Person,
    story,
};
use crate::voice::data;

/// Messages stored side by side.
const IN_FLIGHT: usize = 32;

const BUSINESS: &[&str] = &["dana", "eli", "farah", "goran", "hanne", "ivo", "june", "karim"];
const PUBLIC_BODY: &[&str] = &["amt10", "amt20", "amt32", "amt50", "amt61", "amt66"];
const CONSUMERS: &[&str] = &["lena", "marek", "noor", "oskar", "pilar", "quentin"];

/// The customers.
pub struct Tenants {
    /// A business in the United States.
    pub business: TenantId,
    /// A German town.
    pub public_body: TenantId,
    /// A mail service for individuals.
    pub consumers: TenantId,
}

/// Everything that was set up.
pub struct Provider {
    dir: PathBuf,
    deployment: Deployment,
    running: Running,
    accounts: Vec<String>,
    pub(super) tenants: Tenants,
    pub(super) team: Team,
    pub(super) clock: Arc<StoryClock>,
}

impl Provider {
    /// Sets everything up under `dir`.
    pub async fn set_up(
        dir: &Path,
        mail: Option<&Path>,
        store: Option<&Location>,
        database: Option<store::database::Location>,
    ) -> anyhow::Result<Self> {
        let store = store.map(own_place).transpose()?;
        story::chapter(None, "Setting up Example Cloud");
        let people = dir.join("people");
        for folder in [dir, &people, &dir.join("handed-over")] {
            std::fs::create_dir_all(folder).with_context(|| format!("cannot make `{}`", folder.display()))?;
        }
        let team = Team {
            first: Person::create(&people, "amara")?,
            second: Person::create(&people, "jonas")?,
            counsel: Person::create(&people, "ines")?,
        };
        let witnesses = Witnesses::bind(dir).await?;
        let data_dir = dir.join("data");
        create(
            &data_dir,
            NewDeployment {
                config: config(store.as_ref())?,
                witnesses: witnesses.described()?,
                database,
                reviewers: Reviewers {
                    keys: [&team.first, &team.second]
                        .map(|person| (person.id.clone(), person.public()))
                        .into(),
                    senior: [team.second.id.clone()].into(),
                    counsel: [(team.counsel.id.clone(), team.counsel.public())].into(),
                },
            },
        )?;
        std::fs::copy(data_dir.join("trust.toml"), dir.join("trust.toml"))?;
        let clock = Arc::new(StoryClock::days_ago(STORY_DAYS));
        let deployment = Deployment::open_at(&data_dir, clock.clone()).await?;
        witnesses.serve(deployment.trust(), &clock)?;
        let running = deployment.start().await?;
        story::step("two regions, each with a root key of its own: eu-de (DE), us-east (US)");
        story::step("a docket that adds 16 entries every quarter of a second, seen by two witnesses");

        let mut provider = Self {
            dir: dir.to_owned(),
            deployment,
            running,
            accounts: Vec::new(),
            tenants: Tenants {
                business: TenantId::new("larkspur-labs")?,
                public_body: TenantId::new("stadt-linden")?,
                consumers: TenantId::new("postbote")?,
            },
            team,
            clock,
        };
        let owners = provider.sign_up().await?;
        let made = dir.join("mailbox");
        let source = match mail {
            Some(path) => Source::detect(path)?,
            None => {
                mailbox::write(&made)?;
                Source::detect(&made)?
            }
        };
        provider.spread(&source, &owners).await?;
        Ok(provider)
    }

    /// Three customers, their buckets, their accounts.
    async fn sign_up(&mut self) -> anyhow::Result<[Principal; 3]> {
        let vault = self.deployment.vault();
        let customers = [
            (
                &self.tenants.business,
                TenantKind::Enterprise,
                "US",
                "us-east",
                BUSINESS,
                "larkspur.example",
            ),
            (
                &self.tenants.public_body,
                TenantKind::PublicBody,
                "DE",
                "eu-de",
                PUBLIC_BODY,
                "linden.example",
            ),
            (
                &self.tenants.consumers,
                TenantKind::Consumer,
                "DE",
                "eu-de",
                CONSUMERS,
                "postbote.example",
            ),
        ];
        let mut owners = Vec::new();
        for (tenant, kind, country, region, names, domain) in customers {
            vault
                .create_tenant(tenant, kind, &CountryCode::new(country)?)
                .await?;
            let key = vault.create_access_key(tenant).await?;
            let owner = self.deployment.sign_in(tenant, &key.id, &key.secret).await?;
            let path = self.dir.join("people").join(format!("{tenant}.s3"));
            service::deployment::write_credential(&path, &key.id, &key.secret)?;
            let rule = |template: &str, category| PathRule {
                template: template.to_owned(),
                category,
            };
            let mapping = Mapping {
                rules: vec![
                    rule("mail/{account}/{*}", Category::Content),
                    rule("subscriber/{account}/{*}", Category::Subscriber),
                ],
            };
            let region = RegionId::new(region)?;
            let default_account = AccountId::new("shared")?;
            vault
                .create_bucket(
                    &owner,
                    NewBucket {
                        name: "archive".into(),
                        region: region.clone(),
                        default_account,
                        mapping,
                    },
                )
                .await?;
            for name in names {
                let account = AccountId::new(format!("{name}@{domain}"))?;
                self.keep_subscriber(&owner, &account).await?;
                self.accounts.push(account.to_string());
            }
            story::step(&format!("{tenant}: {} accounts, data in {region}", names.len()));
            owners.push(owner);
        }
        // The first account's person lives in Britain: the case turns on it.
        let first = AccountId::new(self.account(0))?;
        vault
            .describe_account(
                &self.tenants.business,
                &first,
                AccountDetails {
                    person_country: Some(CountryCode::new("GB")?),
                    us_person: Some(false),
                    privileged: Some(false),
                },
            )
            .await?;
        owners
            .try_into()
            .map_err(|_| anyhow::anyhow!("three customers were to sign up"))
    }

    async fn keep_subscriber(&self, owner: &Principal, account: &AccountId) -> anyhow::Result<()> {
        let record = serde_json::json!({
            "account": account, "opened": "2001-03-14", "service": "mail", "payment": "invoice"
        });
        let body = stream::iter([Ok::<_, std::io::Error>(Bytes::from(serde_json::to_vec(&record)?))]);
        let options = PutOptions {
            placement: Placement {
                concerns_at: Some("2002-09-10T08:00:00Z".parse()?),
                ..Placement::default()
            },
            ..PutOptions::default()
        };
        let key = format!("subscriber/{account}/record.json");
        self.deployment
            .vault()
            .put(owner, "archive", &key, options, body)
            .await?;
        Ok(())
    }

    /// Spreads the mail over the accounts, each message under its own date.
    async fn spread(&self, source: &Source, owners: &[Principal; 3]) -> anyhow::Result<()> {
        let reading = source.clone();
        let spread = tokio::task::spawn_blocking(move || Spread::of(&reading)).await??;
        if spread.is_empty() {
            bail!("`{}` holds no mail", source.path().display());
        }
        let bar = story::bar(u64::try_from(spread.len()).unwrap_or(u64::MAX), "encrypting mail");
        let (sender, mut receiver) = tokio::sync::mpsc::channel::<RawMessage>(IN_FLIGHT);
        let reading = source.clone();
        let reader = tokio::task::spawn_blocking(move || -> anyhow::Result<()> {
            for message in import::messages(&reading)? {
                if sender.blocking_send(message?).is_err() {
                    break;
                }
            }
            Ok(())
        });
        let incoming = stream::poll_fn(move |context| receiver.poll_recv(context));
        let mut stored = std::pin::pin!(
            incoming
                .map(|message| self.store(message, &spread, owners))
                .buffer_unordered(IN_FLIGHT)
        );
        let (mut count, mut bytes) = (0_u64, 0_u64);
        while let Some(size) = stored.next().await {
            bytes += size?;
            count += 1;
            bar.inc(1);
        }
        reader.await??;
        bar.finish_and_clear();
        story::good(&format!(
            "{count} messages, {bytes} bytes, each encrypted under a key of its own"
        ));
        Ok(())
    }

    async fn store(
        &self,
        message: RawMessage,
        spread: &Spread,
        owners: &[Principal; 3],
    ) -> anyhow::Result<u64> {
        let place = spread
            .place(&message.name)
            .context("a message appeared between two readings of the source")?;
        let owner = match place.tenant {
            TenantKind::Enterprise => &owners[0],
            TenantKind::PublicBody => &owners[1],
            TenantKind::Consumer => &owners[2],
        };
        let account = AccountId::new(self.account(place.account))?;
        let size = u64::try_from(message.bytes.len()).unwrap_or(u64::MAX);
        let key = import::mail_key(&account, &message);
        let options = import::mail_options(&account, &message);
        let body = stream::iter([Ok::<_, std::io::Error>(Bytes::from(message.bytes))]);
        self.deployment
            .vault()
            .put(owner, "archive", &key, options, body)
            .await?;
        Ok(size)
    }

    /// The desk.
    pub fn desk(&self) -> &Desk {
        self.deployment.desk()
    }

    /// The account of this number, from 0.
    pub fn account(&self, number: usize) -> &str {
        self.accounts.get(number).map(String::as_str).unwrap_or_default()
    }

    /// Where what authorities receive is laid out.
    pub fn handed_over(&self) -> PathBuf {
        self.dir.join("handed-over")
    }

    /// Checks all of it as a stranger would: packages, receipts, the whole docket. Gives whether all is proven.
    pub async fn verify_everything(&self, handed: &[Handed]) -> anyhow::Result<bool> {
        story::chapter(None, "Checking everything, as a stranger would");
        let policy = TrustPolicy::parse(&std::fs::read_to_string(self.dir.join("trust.toml"))?)?;
        let mut proven = true;
        for one in handed {
            let name = one
                .package
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            match super::check::package(&one.package, &one.identity, &policy) {
                Ok(checks) => story::good(&format!(
                    "{name}: {} object(s), {checks} checks, proven",
                    one.objects
                )),
                Err(error) => {
                    proven = false;
                    story::refused(&format!("{name}: {error:#}"));
                }
            }
            if let Err(error) = super::check::receipt(&one.receipt, policy.docket()) {
                proven = false;
                story::refused(&format!("the receipt of {name}: {error:#}"));
            }
        }
        story::good(&format!(
            "{} receipts verify against the docket's policy",
            handed.len()
        ));
        match super::check::log(&self.deployment.layout().docket(), policy.docket()) {
            Ok(size) => story::good(&format!(
                "the docket's {size} entries give its witnessed root, hash by hash"
            )),
            Err(error) => {
                proven = false;
                story::refused(&format!("the docket: {error:#}"));
            }
        }
        let mut chains = 0;
        for row in self
            .desk()
            .list(&store::cases::CaseFilter {
                limit: store::cases::PAGE_MAX,
                ..Default::default()
            })
            .await?
        {
            self.desk().case(row.id).await?;
            chains += 1;
        }
        story::good(&format!("{chains} case chains replay, link by link"));
        Ok(proven)
    }

    /// Tells where the server listens.
    pub fn tell_addresses(&self) {
        data!("\nThe server is up.");
        data!("  API      http://{}/", self.running.api());
        data!("  docket   http://{}/docket/checkpoint", self.running.api());
        data!(
            "  S3       http://{}/   buckets `archive`; access keys in {}/people/*.s3",
            self.running.s3(),
            self.dir.display()
        );
    }

    /// Stops the server.
    pub async fn stop(self) {
        self.running.stop().await;
    }
}

/// A place of this run's own within the one named, so that a second run finds nobody else's blobs.
fn own_place(store: &Location) -> anyhow::Result<Location> {
    let mut number = [0; 4];
    getrandom::fill(&mut number)?;
    Ok(store.within(&format!("demo-{:08x}", u32::from_be_bytes(number))))
}

fn config(store: Option<&Location>) -> anyhow::Result<Config> {
    let region = |id: &str, country: &str| -> anyhow::Result<Region> {
        Ok(Region {
            id: RegionId::new(id)?,
            country: CountryCode::new(country)?,
            store: store.map_or(Store::Disk, |store| Store::At(store.within(id))),
        })
    };
    let loopback = || Listen::plain(([127, 0, 0, 1], 0).into());
    Ok(Config {
        schema: Schema::V1,
        provider: "Example Cloud".to_owned(),
        database: DatabaseKind::File,
        s3: loopback(),
        api: loopback(),
        docket: Docket {
            origin: "demo.example/docket".to_owned(),
            interval_ms: 250,
            batch: 16,
            own_witness: false,
        },
        gate: None,
        link: None,
        mail: None,
        peers: Vec::new(),
        regions: vec![region("eu-de", "DE")?, region("us-east", "US")?],
        hi1: None,
        hi1_peers: Vec::new(),
        key_providers: Vec::new(),
    })
}

/// Two witnesses, as outsiders would run them: their own keys, their own state, HTTP between.
struct Witnesses {
    dir: PathBuf,
    listeners: Vec<(String, SignerKey, TcpListener)>,
}

impl Witnesses {
    async fn bind(dir: &Path) -> anyhow::Result<Self> {
        let mut listeners = Vec::new();
        for name in ["witness-north", "witness-south"] {
            let home = dir.join(name);
            std::fs::create_dir_all(&home)?;
            let seed = create_key(&home.join("witness.key"))?;
            let key = SignerKey::from_seed(&format!("{name}.example"), KeyKind::Witness, &seed)?;
            listeners.push((name.to_owned(), key, TcpListener::bind(("127.0.0.1", 0)).await?));
        }
        Ok(Self {
            dir: dir.to_owned(),
            listeners,
        })
    }

    fn described(&self) -> anyhow::Result<Vec<NewWitness>> {
        self.listeners
            .iter()
            .map(|(name, key, listener)| {
                let url = format!("http://{}", listener.local_addr()?);
                Ok(NewWitness {
                    name: name.clone(),
                    key: key.verifier().clone(),
                    url,
                })
            })
            .collect()
    }

    fn serve(self, trust: &TrustPolicy, clock: &Arc<StoryClock>) -> anyhow::Result<()> {
        let logs: Vec<_> = trust.docket().logs().iter().map(|log| log.key.clone()).collect();
        for (name, key, listener) in self.listeners {
            let reads = clock.clone();
            let time = move || u64::try_from(reads.now().as_second()).unwrap_or(0);
            let witness = Witness::open(key, &logs, &self.dir.join(&name).join("state"))?;
            let witness = Arc::new(witness.with_clock(Arc::new(time)));
            tokio::spawn(async move {
                if let Err(error) = witness::serve(listener, witness, std::future::pending()).await {
                    tracing::error!(%error, "a witness stopped");
                }
            });
        }
        Ok(())
    }
}

/// A reader over a file.
pub(super) fn buffered(path: &Path) -> anyhow::Result<BufReader<std::fs::File>> {
    let file = std::fs::File::open(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    Ok(BufReader::new(file))
}
