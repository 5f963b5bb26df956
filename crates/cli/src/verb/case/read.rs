//! Looking at cases.

use anyhow::Context as _;
use casework::{
    case::Owed,
    finding::Effect,
    ids::{CaseId, Digest, RecordId, StaffId},
    sender::SenderCheck,
};
use jiff::{civil::Date, tz::TimeZone};
use serde_json::json;
use service::app::{CaseView, Desk};
use store::cases::{CaseFilter, PAGE_MAX, StoredLetter};

use super::{case_id, unsent};
use crate::verb::mail::print_sender;
use crate::voice::{DIM, Format, GOOD, STRONG, WARN, data, say};

#[derive(Debug, clap::Args)]
pub(super) struct List {
    /// Only closed cases.
    #[arg(long)]
    closed: bool,
    /// Closed cases too.
    #[arg(long, conflicts_with = "closed")]
    all: bool,
    /// Only those opened before this one.
    #[arg(long, value_parser = case_id, value_name = "CASE")]
    before: Option<CaseId>,
}

#[derive(Debug, clap::Args)]
pub(super) struct One {
    /// The case.
    #[arg(value_parser = case_id)]
    case: CaseId,
}

#[derive(Debug, clap::Args)]
pub(super) struct Calendar {
    /// Whose: what a person sees follows from their role.
    #[arg(long = "as", value_name = "STAFF")]
    who: String,
}

#[derive(Debug, clap::Args)]
pub(super) struct Receipt {
    /// The case.
    #[arg(value_parser = case_id)]
    case: CaseId,
    /// The event's number.
    event: u64,
}

#[derive(Debug, clap::Args)]
pub(super) struct Objects {
    /// The case.
    #[arg(value_parser = case_id)]
    case: CaseId,
    /// The record; the last one drawn up unless given.
    #[arg(long)]
    record: Option<RecordId>,
}

#[derive(Debug, clap::Args)]
pub(super) struct Sent {
    /// The case.
    #[arg(value_parser = case_id)]
    case: CaseId,
    /// SHA-256 of the letter.
    letter: Digest,
}

impl List {
    pub(super) async fn run(self, desk: &Desk, format: Format) -> anyhow::Result<()> {
        let filter = CaseFilter {
            open: (!self.all).then_some(!self.closed),
            told: None,
            before: self.before,
            limit: PAGE_MAX,
        };
        let rows = desk.list(&filter).await?;
        let mut listed = Vec::with_capacity(rows.len());
        for row in rows {
            // One that does not open is listed all the same; `amparo doctor` says why.
            let view = match row.erased {
                true => None,
                false => desk.case(row.id).await.ok(),
            };
            listed.push((row, view));
        }
        if format == Format::Json {
            let cases: Vec<_> = listed
                .iter()
                .map(|(row, view)| {
                    let demand = view.as_ref().and_then(|view| view.demand.as_ref());
                    json!({
                        "case": row.id, "opened_at": row.opened_at, "stage": row.stage, "closed_at": row.closed_at,
                        "wake_at": row.wake_at, "events": row.length, "erased": row.erased,
                        "requester": demand.map(|demand| &demand.requester.authority),
                        "requester_country": demand.map(|demand| &demand.requester.country),
                        "due": view.as_ref().and_then(due),
                    })
                })
                .collect();
            data!("{}", json!({"schema": "amparo.cli.cases/1", "cases": cases}));
            return Ok(());
        }
        for (row, view) in &listed {
            let opened = row.opened_at.strftime("%Y-%m-%d %H:%M");
            let due = view.as_ref().and_then(due);
            let due = due.map_or_else(|| "-".to_owned(), |day| day.to_string());
            data!(
                "{}  {DIM}{opened}{DIM:#}  due {due:<10}  {:<20}  {}",
                row.id,
                row.stage,
                from(row.erased, view.as_ref())
            );
        }
        say!("{} case(s)", listed.len());
        Ok(())
    }
}

/// The first day by which something is owed in a case, or else the day by which the demand wants its answer.
fn due(view: &CaseView) -> Option<Date> {
    let owed = view.owed.iter().filter_map(|owed| owed.by).min();
    let owed = owed.map(|by| by.to_zoned(TimeZone::UTC).date());
    owed.or_else(|| view.demand.as_ref()?.return_on)
}

/// Who made the demand, as far as that can be read.
fn from(erased: bool, view: Option<&CaseView>) -> String {
    match (erased, view.map(|view| &view.demand)) {
        (true, _) => "(erased)".to_owned(),
        (_, None) => "(does not open; see `amparo doctor`)".to_owned(),
        (_, Some(None)) => "(nobody has read it yet)".to_owned(),
        (_, Some(Some(demand))) => format!(
            "{} ({})",
            demand.requester.authority,
            demand.requester.country.as_str()
        ),
    }
}

impl One {
    pub(super) async fn show(self, desk: &Desk, format: Format) -> anyhow::Result<()> {
        let view = desk.case(self.case).await?;
        if format == Format::Json {
            data!("{}", json!({"schema": "amparo.cli.case/1", "case": view}));
        } else {
            let sender = desk.sender(self.case).await?;
            show(&view, sender.as_ref());
            unsent::remind(desk, self.case, format).await?;
        }
        Ok(())
    }

    pub(super) async fn log(self, desk: &Desk, format: Format) -> anyhow::Result<()> {
        let events = desk.events(self.case).await?;
        if format == Format::Json {
            data!(
                "{}",
                json!({"schema": "amparo.cli.events/1", "case": self.case, "events": events})
            );
            return Ok(());
        }
        for event in events {
            let body = event.body.map(|body| serde_json::to_value(&body)).transpose()?;
            let kind = body
                .as_ref()
                .and_then(|body| body.get("kind"))
                .and_then(|kind| kind.as_str());
            let at = event.at.strftime("%Y-%m-%d %H:%M:%S");
            let actor = serde_json::to_value(&event.actor)?;
            let who = actor
                .get("id")
                .or_else(|| actor.get("type"))
                .and_then(|who| who.as_str())
                .unwrap_or("?");
            data!(
                "{:>4}  {DIM}{at}{DIM:#}  {STRONG}{}{STRONG:#}  {who}",
                event.seq,
                kind.unwrap_or("(erased)")
            );
        }
        Ok(())
    }

    pub(super) async fn reading(self, desk: &Desk, format: Format) -> anyhow::Result<()> {
        let papers = service::paper::PaperReader::beside_this_program();
        let reading = service::mail::reading::read(desk.document(self.case).await?, &papers).await;
        if format == Format::Json {
            data!(
                "{}",
                json!({"schema": "amparo.cli.case_reading/1", "case": self.case, "reading": reading})
            );
        } else {
            if let Some(sender) = desk.sender(self.case).await? {
                print_sender(&sender);
            }
            crate::verb::mail::print(&reading);
        }
        Ok(())
    }

    pub(super) async fn owed(self, desk: &Desk, format: Format) -> anyhow::Result<()> {
        let list = desk.owed(self.case).await?;
        if format == Format::Json {
            data!(
                "{}",
                json!({"schema": "amparo.cli.owed/1", "case": self.case, "owed": list})
            );
        } else {
            owed(&list);
            unsent::remind(desk, self.case, format).await?;
        }
        Ok(())
    }
}

impl Calendar {
    pub(super) async fn run(self, desk: &Desk) -> anyhow::Result<()> {
        let person = super::enrolled(desk, &self.who).await?;
        let role = person.role.parse()?;
        data!("{}", desk.calendar(role).await?.trim_end());
        Ok(())
    }
}

impl Objects {
    pub(super) async fn run(self, desk: &Desk, format: Format) -> anyhow::Result<()> {
        let last = desk
            .case(self.case)
            .await?
            .records
            .last()
            .map(|record| record.record);
        let record = self
            .record
            .or(last)
            .context("no record was drawn up in this case; `amparo case propose` does")?;
        let record = desk.release_record(self.case, record).await?;
        if format == Format::Json {
            data!(
                "{}",
                json!({"schema": "amparo.cli.record/1", "digest": record.digest()?, "record": record})
            );
            return Ok(());
        }
        for object in &record.objects {
            data!("{}", json!(object));
        }
        say!(
            "{} object(s) of record {}, to {}; reviewers sign {}",
            record.objects.len(),
            record.id,
            record.recipient.name,
            record.digest()?
        );
        Ok(())
    }
}

impl Sent {
    pub(super) async fn run(self, desk: &Desk) -> anyhow::Result<()> {
        desk.letter_sent(self.case, self.letter).await?;
        say!("{GOOD}recorded{GOOD:#} as sent");
        Ok(())
    }
}

/// Lists what waits to be sent.
pub(super) async fn outbox(desk: &Desk, format: Format) -> anyhow::Result<()> {
    for letter in desk.outbox().await? {
        print(&letter, format);
    }
    Ok(())
}

pub(super) fn print(letter: &StoredLetter, format: Format) {
    if format == Format::Json {
        data!(
            "{}",
            json!({
                "schema": "amparo.cli.letter/1", "case": letter.case, "letter": letter.digest,
                "kind": letter.kind, "made_at": letter.made_at, "sent_at": letter.sent_at,
            })
        );
        return;
    }
    let sent = if letter.sent_at.is_some() {
        "sent"
    } else {
        "in the outbox"
    };
    data!(
        "{}  {}  {}  {DIM}{sent}{DIM:#}",
        letter.case,
        letter.digest,
        letter.kind
    );
}

impl Receipt {
    pub(super) async fn run(self, desk: &Desk) -> anyhow::Result<()> {
        let receipt = desk.event_receipt(self.case, self.event).await?;
        let receipt = receipt
            .context("the event is not in the witnessed docket yet; ask again after its next batch (`amparo serve` makes them)")?;
        data!("{}", receipt.trim_end());
        Ok(())
    }
}

fn show(view: &CaseView, sender: Option<&SenderCheck>) {
    data!("{STRONG}{}{STRONG:#}  {}", view.case, view.stage);
    data!("received   {}", view.opened_at);
    if let Some(sender) = sender {
        print_sender(sender);
    }
    if let Some(demand) = &view.demand {
        data!(
            "from       {} ({})",
            demand.requester.authority,
            demand.requester.country.as_str()
        );
        data!("instrument {}", demand.instrument);
        if let Some(reference) = &demand.reference {
            data!("reference  {reference}");
        }
    }
    for (tenant, account) in &view.scope.accounts {
        data!("account    {account} of {tenant}");
    }
    let categories: Vec<String> = view
        .scope
        .categories
        .iter()
        .map(|c| format!("{c:?}").to_lowercase())
        .collect();
    if !categories.is_empty() {
        data!("categories {}", categories.join(", "));
    }
    if let Some(window) = view.scope.window {
        data!("window     {} .. {}", window.from, window.until);
    }
    if let Some(assessment) = &view.assessment {
        let stale = if view.assessment_is_current {
            ""
        } else {
            " (out of date: assess again)"
        };
        data!(
            "\nfindings under rulebook {} as of {}{stale}",
            short(&assessment.rulebook.digest),
            assessment.rulebook.as_of
        );
        for finding in &assessment.findings {
            let effect = match finding.effect {
                Effect::Bar => "bar",
                Effect::Ground => "ground",
                Effect::Duty => "duty",
                Effect::Clock => "clock",
            };
            data!(
                "  {effect:<6} {:?}  {}  {DIM}{}{DIM:#}",
                finding.promise,
                finding.rule,
                finding.citation
            );
            if let Some(clock) = &finding.clock {
                data!("         {}: {}", clock.on, clock.counted);
            }
        }
    }
    for record in &view.records {
        let state = match (
            record.delivered,
            record.released,
            record.on_its_way,
            record.logged,
        ) {
            (true, ..) => "delivered".to_owned(),
            (_, true, ..) => "released".to_owned(),
            (_, _, false, _) => "lapsed: the case changed after it was drawn up".to_owned(),
            (.., Some(index)) => format!("in the docket at {index}"),
            _ => format!("signed by {}", names(&record.approved_by)),
        };
        data!("\nrecord {}  {GOOD}{state}{GOOD:#}", record.record);
        data!("  digest  {}", record.digest);
        data!(
            "  objects {} ({} bytes), until {}",
            record.objects,
            record.bytes,
            record.expires_at
        );
    }
    if !view.owed.is_empty() {
        data!("");
        owed(&view.owed);
    }
}

fn owed(list: &[Owed]) {
    for item in list {
        let by = item.by.map_or_else(String::new, |by| format!(" by {by}"));
        let rule = item
            .rule
            .as_ref()
            .map_or_else(String::new, |rule| format!(" ({rule})"));
        data!("{WARN}owed{WARN:#} {:?}  {}{rule}{by}", item.promise, item.text);
    }
}

fn names(people: &[StaffId]) -> String {
    if people.is_empty() {
        return "nobody yet".to_owned();
    }
    let names: Vec<&str> = people.iter().map(StaffId::as_str).collect();
    names.join(", ")
}

fn short(digest: &Digest) -> String {
    digest.to_string().chars().take(12).collect()
}
