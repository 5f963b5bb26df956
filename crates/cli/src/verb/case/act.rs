//! Recording what people did, and having the desk take a step.

use std::path::PathBuf;

use anyhow::Context as _;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use casework::{
    demand::{Category, NoticeTo, Window},
    event::{Actor, Body, Decision, Event, Outcome, RedirectOutcome, Scope, signed_reason},
    ids::{AccountId, CaseId, Digest, RuleId, TenantId},
    rejection::RejectionCode,
};
use ed25519_dalek::{Signer as _, SigningKey};
use jiff::{Timestamp, civil::Date};
use serde::de::DeserializeOwned;
use serde_json::json;
use service::{
    app::{Desk, Filing},
    paper::PaperReader,
};

use super::{Acting, case_id, unsent};
use crate::{
    verb::bounded,
    voice::{Format, GOOD, WARN, data, say},
};

/// Largest file read for an event or a filing, in bytes.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

super::verbs! {
    Redirect {
        /// How the requester is asked; writes the letter.
        #[arg(long, required_unless_present = "answer")]
        how: Option<String>,
        /// Until when the answer is awaited; the desk records by itself that none came.
        #[arg(long, value_name = "TIME", conflicts_with = "answer")]
        answer_by: Option<Timestamp>,
        /// Record the answer instead: `accepted`, `refused` or `unanswered`.
        #[arg(long, value_parser = word::<RedirectOutcome>, conflicts_with = "how")]
        answer: Option<RedirectOutcome>,
    }
    Answer {
        /// What is answered: a ground's rule id, `gag`, or `redirect`.
        #[arg(long)]
        to: String,
        /// The reason.
        #[arg(long)]
        reason: String,
        /// Counsel's key file.
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
    }
    Object {
        /// A ground from the findings; may be given several times.
        #[arg(long, required_unless_present = "gag")]
        ground: Vec<RuleId>,
        /// Object to the gag.
        #[arg(long, conflicts_with = "ground")]
        gag: bool,
        /// Which gag, as `amparo gag list` numbers it; all that were not objected to yet unless given.
        #[arg(long, requires = "gag")]
        number: Option<u64>,
        /// The court or authority.
        #[arg(long)]
        forum: String,
        /// What was filed; without it the desk draws up the summary.
        #[arg(long, value_name = "FILE", required_if_eq("gag", "true"))]
        filing: Option<PathBuf>,
    }
    Decide {
        /// A ground that was objected on; may be given several times.
        #[arg(long, required_unless_present = "gag")]
        ground: Vec<RuleId>,
        /// The objection to the gag.
        #[arg(long, conflicts_with = "ground")]
        gag: bool,
        /// Which gag, as `amparo gag list` numbers it; needed where several were objected to.
        #[arg(long, requires = "gag")]
        number: Option<u64>,
        /// `won`, `lost` or `partly`.
        #[arg(long, value_parser = word::<Decision>)]
        outcome: Decision,
        /// Docket number or date of the decision.
        #[arg(long, default_value = "")]
        reference: String,
        /// The gag's new last day.
        #[arg(long, value_name = "DATE", requires = "gag")]
        until: Option<Date>,
    }
    Notify {
        /// The customer.
        #[arg(long)]
        tenant: TenantId,
        /// By what means.
        #[arg(long, default_value = "letter")]
        how: String,
    }
    BarNotice {
        /// The customer.
        #[arg(long)]
        tenant: TenantId,
        /// The rule that bars it.
        #[arg(long)]
        rule: RuleId,
    }
    Narrow {
        /// An account that remains, `tenant/account`; all of them unless given.
        #[arg(long, value_parser = account, value_name = "TENANT/ACCOUNT")]
        account: Vec<(TenantId, AccountId)>,
        /// A category that remains; all of them unless given.
        #[arg(long, value_parser = word::<Category>)]
        category: Vec<Category>,
        /// First instant that remains.
        #[arg(long, requires = "until")]
        from: Option<Timestamp>,
        /// First instant after.
        #[arg(long, requires = "from")]
        until: Option<Timestamp>,
        /// Why, and who agreed.
        #[arg(long)]
        reason: String,
        /// A ground that this settles; may be given several times.
        #[arg(long)]
        settles: Vec<RuleId>,
    }
    Reject {
        /// A rule that bars it; may be given several times.
        #[arg(long, required = true)]
        rule: Vec<RuleId>,
        /// Why, in a code that authorities know (docs/course.md); may be given several times.
        #[arg(long, value_parser = word::<RejectionCode>)]
        code: Vec<RejectionCode>,
        /// In words.
        #[arg(long)]
        explanation: String,
    }
    Record {
        /// A JSON file with an event body: `{"kind": ...}`.
        file: PathBuf,
    }
    Close {
        /// `disclosed`, `partly_disclosed`, `rejected`, `withdrawn`, `redirected`, `no_data`, `objection_upheld`, `preserved`, `superseded`,
        /// `intercepted`, `frozen`, `removed` or `ability_refused`.
        #[arg(long, value_parser = word::<Outcome>)]
        outcome: Outcome,
    }
}

impl Redirect {
    pub(super) async fn run(self, desk: &Desk, format: Format) -> anyhow::Result<()> {
        if let Some(outcome) = self.answer {
            return record(
                desk,
                format,
                self.case,
                &self.acting,
                Body::RedirectAnswered { outcome },
            )
            .await;
        }
        let actor = self.acting.actor(desk).await?;
        let how = self.how.unwrap_or_default();
        let event = desk
            .redirect_until(self.case, actor, &how, self.answer_by)
            .await?;
        said(format, &event)?;
        unsent::remind(desk, self.case, format).await
    }
}

impl Answer {
    pub(super) async fn run(self, desk: &Desk, format: Format) -> anyhow::Result<()> {
        let Self {
            case,
            acting,
            to,
            reason,
            key,
        } = self;
        let seed = service::deployment::read_key(&key)?;
        let matter = desk.matter(case, &to).await?;
        let signature = SigningKey::from_bytes(&seed).sign(&signed_reason(case, &to, &matter, &reason));
        let signature = STANDARD.encode(signature.to_bytes());
        let body = match to.as_str() {
            "redirect" => Body::RedirectBarred { reason, signature },
            "gag" => Body::GagUnopposed { reason, signature },
            rule => Body::GroundAnswered {
                ground: rule.parse()?,
                reason,
                signature,
            },
        };
        // The key makes it counsel's, and the gate checks whose key it is.
        let actor = Actor::Counsel(acting.id(desk).await?);
        let event = desk.record(case, actor, body).await?;
        said(format, &event)
    }
}

impl Object {
    pub(super) async fn run(self, desk: &Desk, format: Format) -> anyhow::Result<()> {
        let filed = match &self.filing {
            Some(file) => Some(leaving(file).await?),
            None => None,
        };
        if self.gag {
            let filing = filed.context("name the file that was filed with --filing")?;
            let body = Body::GagObjected {
                forum: self.forum,
                filing,
                gag: self.number,
            };
            return record(desk, format, self.case, &self.acting, body).await;
        }
        let filing = filed.map_or(Filing::Summary, Filing::Document);
        let actor = self.acting.actor(desk).await?;
        let event = desk
            .object(self.case, actor, &self.ground, &self.forum, &filing)
            .await?;
        said(format, &event)?;
        unsent::remind(desk, self.case, format).await
    }
}

impl Decide {
    pub(super) async fn run(self, desk: &Desk, format: Format) -> anyhow::Result<()> {
        let Self {
            case,
            acting,
            ground,
            gag,
            number,
            outcome,
            reference,
            until,
        } = self;
        let body = if gag {
            Body::GagDecided {
                outcome,
                until,
                gag: number,
            }
        } else {
            Body::ObjectionDecided {
                grounds: ground,
                outcome,
                reference,
            }
        };
        record(desk, format, case, &acting, body).await
    }
}

impl Notify {
    pub(super) async fn run(self, desk: &Desk, format: Format) -> anyhow::Result<()> {
        let actor = self.acting.actor(desk).await?;
        let event = desk.notify(self.case, actor, &self.tenant, &self.how).await?;
        said(format, &event)?;
        unsent::remind(desk, self.case, format).await
    }
}

impl BarNotice {
    pub(super) async fn run(self, desk: &Desk, format: Format) -> anyhow::Result<()> {
        let body = Body::NoticeBarred {
            to: NoticeTo::Tenant,
            tenant: self.tenant,
            rule: self.rule,
        };
        record(desk, format, self.case, &self.acting, body).await
    }
}

impl Narrow {
    pub(super) async fn run(self, desk: &Desk, format: Format) -> anyhow::Result<()> {
        let now = desk.case(self.case).await?.scope;
        let window = match (self.from, self.until) {
            (Some(from), Some(until)) => Some(Window::new(from, until)?),
            _ => now.window,
        };
        let scope = Scope {
            accounts: if self.account.is_empty() {
                now.accounts
            } else {
                self.account
            },
            categories: if self.category.is_empty() {
                now.categories
            } else {
                self.category
            },
            window,
        };
        let body = Body::Narrowed {
            scope,
            reason: self.reason,
            settles: self.settles,
        };
        record(desk, format, self.case, &self.acting, body).await
    }
}

impl Reject {
    pub(super) async fn run(self, desk: &Desk, format: Format) -> anyhow::Result<()> {
        let body = Body::Rejected {
            rules: self.rule,
            codes: self.code,
            explanation: self.explanation,
        };
        record(desk, format, self.case, &self.acting, body).await?;
        unsent::remind(desk, self.case, format).await
    }
}

impl Record {
    pub(super) async fn run(self, desk: &Desk, format: Format) -> anyhow::Result<()> {
        let bytes = bounded::read(&self.file, FILE_BYTES_MAX)?;
        record(desk, format, self.case, &self.acting, body_of(&bytes)?).await
    }
}

impl Close {
    pub(super) async fn run(self, desk: &Desk, format: Format) -> anyhow::Result<()> {
        record(
            desk,
            format,
            self.case,
            &self.acting,
            Body::Closed {
                outcome: self.outcome,
            },
        )
        .await?;
        unsent::remind(desk, self.case, format).await
    }
}

pub(super) async fn record(
    desk: &Desk,
    format: Format,
    case: CaseId,
    acting: &Acting,
    body: Body,
) -> anyhow::Result<()> {
    let actor = acting.actor(desk).await?;
    let event = desk.record(case, actor, body).await?;
    said(format, &event)
}

/// The event body that a file holds; of a demand, that it was read.
fn body_of(bytes: &[u8]) -> anyhow::Result<Body> {
    let value: serde_json::Value = serde_json::from_slice(bytes).context("the file holds no JSON")?;
    if value.get("schema").is_some() && value.get("kind").is_none() {
        let demand =
            casework::demand::parse(bytes).context("the file holds neither an event body nor a demand")?;
        return Ok(Body::Parsed {
            demand: Box::new(demand),
        });
    }
    serde_json::from_slice(bytes).context("the file holds no event body")
}

/// Says what was recorded.
pub(super) fn said(format: Format, event: &Event) -> anyhow::Result<()> {
    let hash = event.header.hash()?;
    if format == Format::Json {
        let (case, seq) = (event.header.case, event.header.seq);
        data!(
            "{}",
            json!({"schema": "amparo.cli.recorded/1", "case": case, "seq": seq, "hash": hash})
        );
    } else {
        say!("{GOOD}recorded{GOOD:#} as event {} ({hash})", event.header.seq);
    }
    Ok(())
}

/// The digest of a document that leaves. Where text lies hidden in it, that is said.
pub(super) async fn leaving(file: &std::path::Path) -> anyhow::Result<Digest> {
    let bytes = bounded::read(file, FILE_BYTES_MAX)?;
    if let Some(flag) = PaperReader::beside_this_program().flag(&bytes).await {
        say!("{WARN}flagged{WARN:#} `{}`: {flag}", file.display());
    }
    Ok(Digest::of(&[&bytes]))
}

/// The digest of a document that came.
pub(super) fn digest_of(file: &std::path::Path) -> anyhow::Result<Digest> {
    Ok(Digest::of(&[&bounded::read(file, FILE_BYTES_MAX)?]))
}

/// A word as the JSON formats write it: `refused`, `partly_disclosed`.
pub(super) fn word<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_value(serde_json::Value::String(text.to_owned())).map_err(|error| error.to_string())
}

pub(super) fn account(text: &str) -> Result<(TenantId, AccountId), String> {
    let (tenant, account) = text.split_once('/').ok_or("write `tenant/account`")?;
    let tenant = tenant.parse().map_err(|error| format!("{error}"))?;
    Ok((tenant, account.parse().map_err(|error| format!("{error}"))?))
}
