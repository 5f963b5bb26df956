//! What people ask about transfers.

use std::process::ExitCode;

use casework::{
    ids::CaseId,
    rulebook::Rulebook,
    transfer::{Data, Hanging, Mode, Outcome, Verdict},
};
use jiff::civil::Date;
use serde_json::json;
use service::deployment::Deployment;

use super::transfer_id;
use crate::{
    verb::assess::wrap,
    voice::{BAD, DIM, Format, GOOD, STRONG, WARN, data, say},
};

#[derive(Debug, clap::Args)]
pub(super) struct Status {
    /// The transfer.
    #[arg(value_parser = transfer_id)]
    transfer: CaseId,
}

#[derive(Debug, clap::Args)]
pub(super) struct Register {
    /// The day whose law applies; today (UTC) unless said.
    #[arg(long, value_name = "DATE")]
    as_of: Option<Date>,
}

#[derive(Debug, clap::Args)]
pub(super) struct Bases {
    /// Only those in force on that day.
    #[arg(long, value_name = "DATE")]
    as_of: Option<Date>,
}

impl Status {
    pub(super) async fn run(self, deployment: &Deployment, format: Format) -> anyhow::Result<()> {
        show(deployment, self.transfer, format).await
    }
}

/// Prints a transfer.
pub(super) async fn show(deployment: &Deployment, transfer: CaseId, format: Format) -> anyhow::Result<()> {
    let view = deployment.transfers().view(transfer).await?;
    if format == Format::Json {
        let mut value = serde_json::to_value(&view)?;
        if let Some(object) = value.as_object_mut() {
            object.insert("schema".to_owned(), json!("amparo.cli.transfer/1"));
        }
        data!("{value}");
        return Ok(());
    }
    let opening = &view.opening;
    data!("{STRONG}{transfer}{STRONG:#} {}", word(&view.stage));
    data!(
        "  {}{} of {}, from {} ({}) to {} ({})",
        kind(opening.mode),
        of(&opening.data),
        opening.tenant,
        opening.from.region,
        opening.from.country.as_str(),
        opening.to.region,
        opening.to.country.as_str()
    );
    data!("  for: {}; to: {}", opening.purpose, opening.importer.name);
    data!(
        "  {} {} objects ({} bytes), {} left ({} bytes)",
        if opening.mode.is_move() { "moved" } else { "copied" },
        view.moved.objects,
        view.moved.bytes,
        view.left.objects,
        view.left.bytes
    );
    if !opening.mode.is_move() {
        data!(
            "  copies of {} objects ({} bytes) lie in {}",
            view.there.objects,
            view.there.bytes,
            opening.to.region
        );
    }
    if let Some(record) = &view.record {
        let signed: Vec<&str> = record
            .approved_by
            .iter()
            .map(casework::ids::StaffId::as_str)
            .collect();
        data!(
            "  record {} until {}, signed by: {}",
            record.id,
            record.expires_at,
            signed.join(", ")
        );
    }
    if let Some(lapse) = &view.lapsed {
        data!("  {BAD}its basis ended{BAD:#}, recorded at {}", lapse.at);
    }
    verdict(&view.verdict);
    Ok(())
}

fn verdict(verdict: &Verdict) {
    let day = verdict.rulebook.as_of;
    match verdict.outcome {
        Outcome::Based => data!("  {GOOD}has a basis{GOOD:#} on {day}"),
        Outcome::PersonMustDecide => data!("  {WARN}a person must decide{WARN:#}, on {day}"),
        Outcome::Barred => data!("  {BAD}no basis{BAD:#} on {day}"),
    }
    if let Some(until) = verdict.until {
        data!("  {DIM}until {until}, as far as is known{DIM:#}");
    }
    for reason in &verdict.reasons {
        data!("    {} {DIM}{}{DIM:#}", reason.rule, reason.citation);
        for line in wrap(&reason.explanation) {
            data!("      {line}");
        }
    }
}

impl Register {
    pub(super) async fn run(self, deployment: &Deployment, format: Format) -> anyhow::Result<ExitCode> {
        let transfers = deployment.transfers();
        let as_of = self.as_of.unwrap_or_else(|| transfers.today());
        let entries = transfers.register(as_of).await?;
        let hanging = entries
            .iter()
            .filter(|entry| entry.hanging != Hanging::No)
            .count();
        if format == Format::Json {
            data!(
                "{}",
                json!({
                    "schema": "amparo.cli.transfer_register/1", "as_of": as_of, "hanging": hanging,
                    "transfers": entries,
                })
            );
        } else {
            for entry in &entries {
                let opening = &entry.opening;
                data!(
                    "{STRONG}{}{STRONG:#} {}{} of {}, {} to {}: {}",
                    entry.transfer,
                    kind(opening.mode),
                    of(&opening.data),
                    opening.tenant,
                    opening.from.region,
                    opening.to.region,
                    word(&entry.stage)
                );
                match entry.hanging {
                    Hanging::No => {}
                    Hanging::Moving => data!("  {BAD}moving without a basis{BAD:#}: it goes no further"),
                    Hanging::LyingThere => data!(
                        "  {BAD}lies there without a basis{BAD:#}: bring it back, erase it, or state another"
                    ),
                    Hanging::CopyLyingThere => data!(
                        "  {BAD}copies of {} objects lie in {} without a basis{BAD:#}: delete them (`amparo transfer \
                         withdraw {}`), or state another",
                        entry.lies_there.unwrap_or_default(),
                        opening.to.region,
                        entry.transfer
                    ),
                }
                if let Some(lapse) = &entry.lapsed {
                    data!("  {BAD}its basis ended{BAD:#}, recorded at {}", lapse.at);
                }
                verdict(&entry.verdict);
            }
            say!(
                "{} transfers, {hanging} without a basis for what was moved, as of {as_of}",
                entries.len()
            );
        }
        Ok(if hanging == 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(1)
        })
    }
}

impl Bases {
    pub(super) fn run(self, format: Format) -> anyhow::Result<ExitCode> {
        let rulebook = Rulebook::builtin();
        let in_force = |from: Option<Date>, until: Option<Date>| {
            self.as_of.is_none_or(|day| {
                from.is_none_or(|from| from <= day) && until.is_none_or(|until| day <= until)
            })
        };
        let rows = rulebook
            .bases()
            .filter(|(_, row)| row.periods().any(|(from, until)| in_force(from, until)));
        if format == Format::Json {
            let rows: Vec<_> = rows
                .map(|(id, row)| {
                    json!({
                        "id": id, "regime": row.regime, "kind": row.kind, "name": row.name, "country": row.country,
                        "countries": row.country_list, "needs": row.needs, "citation": row.citation,
                        "explanation": row.explanation, "source": row.source, "verified_on": row.verified_on,
                        "periods": row.periods().collect::<Vec<_>>(),
                    })
                })
                .collect();
            data!(
                "{}",
                json!({"schema": "amparo.cli.transfer_bases/1", "bases": rows})
            );
            return Ok(ExitCode::SUCCESS);
        }
        for (id, row) in rows {
            data!("{STRONG}{id}{STRONG:#} {} {DIM}{}{DIM:#}", row.name, row.citation);
            let periods: Vec<String> = row
                .periods()
                .map(|(from, until)| {
                    let day = |day: Option<Date>| day.map_or_else(String::new, |day| day.to_string());
                    format!("{}..{}", day(from), day(until))
                })
                .collect();
            let needs = match row.needs.as_slice() {
                [] => String::new(),
                needs => format!("; needs {}", needs.join(", ")),
            };
            data!("  in force {}{needs}", periods.join(", "));
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn kind(mode: Mode) -> &'static str {
    match mode {
        Mode::Move => "",
        Mode::Copy => "copy of ",
    }
}

fn of(data: &Data) -> String {
    match data {
        Data::Bucket(name) => format!("bucket `{name}`"),
        Data::Accounts(accounts) => format!("{} account(s)", accounts.len()),
    }
}

fn word<T: serde::Serialize>(value: &T) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    value.as_str().unwrap_or_default().replace('_', " ")
}
