//! `amparo mail`: what a message says, and taking one in.

use std::{path::PathBuf, process::ExitCode};

use casework::sender::SenderCheck;
use clap::Subcommand;
use service::{
    mail::{
        MAIL_BYTES_MAX,
        authentic::{Checker, OurServers},
        reading::{Reading, read},
    },
    paper::PaperReader,
};

use super::{bounded, case::Where};
use crate::voice::{Format, WARN, data, say, spelled};

/// Read a message or a letter as the desk would, and take messages in.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    place: Where,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Print what a message, a PDF or a text seems to say: court, docket numbers, documents, citations, days, identifiers, each
    /// with its place. Proposals for the person who enters the demand, and never facts. No deployment needed.
    #[command(
        after_help = "Exit codes: 0 it was read, 1 some of it could not be, 2 it could not be done.\n\n\
        Examples:\n  amparo mail read notice.eml\n  amparo mail read letter.txt --format json"
    )]
    Read {
        /// The message; at most 32 MiB.
        file: PathBuf,
        /// The name under which our own mail server writes `Authentication-Results`. Nobody else's are believed.
        #[arg(long, value_name = "NAME")]
        results_of: Option<String>,
    },
    /// Take a message in, as if the mail server had handed it over: its bytes are kept, its sender checked. The same bytes
    /// twice are one case.
    #[command(
        after_help = "Exit codes: 0 a case was opened or known, 2 it could not be done.\n\n\
        Examples:\n  amparo mail take message.eml"
    )]
    Take {
        /// The message; at most 32 MiB.
        file: PathBuf,
    },
}

/// Runs the verb.
///
/// # Errors
/// When the file cannot be read or the case cannot be opened.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let most = u64::try_from(MAIL_BYTES_MAX)?;
    match args.verb {
        Verb::Read { file, results_of } => {
            let bytes = bounded::read(&file, most)?;
            let sender = Checker::new(OurServers {
                results: results_of,
                received_by: Vec::new(),
            })
            .check(&bytes, None)
            .await;
            let reading = read(bytes, &PaperReader::beside_this_program()).await;
            if args.place.format == Format::Json {
                let json = serde_json::json!({
                    "schema": "amparo.cli.reading/1", "sender": sender, "reading": reading,
                });
                data!("{}", serde_json::to_string_pretty(&json)?);
            } else {
                print_sender(&sender);
                print(&reading);
            }
            Ok(if reading.unread.is_empty() {
                ExitCode::SUCCESS
            } else {
                ExitCode::from(1)
            })
        }
        Verb::Take { file } => {
            let bytes = bounded::read(&file, most)?;
            let deployment = args.place.deployment().await?;
            let intake = deployment.mail_desk()?.take_in(&bytes, None).await?;
            data!("{}", intake.case);
            say!(
                "{}; sha256 {}",
                if intake.duplicate {
                    "these bytes opened it before"
                } else {
                    "a new case"
                },
                intake.bytes
            );
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Prints for people what is known of a message's sender.
pub fn print_sender(sender: &SenderCheck) {
    data!(
        "sender     {}  spf {}, dkim {}, dmarc {}, arc {} (checked by {})",
        sender.from.join(", "),
        spelled(&sender.spf),
        spelled(&sender.dkim),
        spelled(&sender.dmarc),
        spelled(&sender.arc),
        spelled(&sender.by)
    );
    if let Some(resembles) = &sender.resembles {
        let (known, how) = (&resembles.to, spelled(&resembles.likeness));
        data!("           {WARN}its domain only looks like {known}{WARN:#} ({how})");
    }
    if let Some(why) = &sender.suspended {
        data!("           {WARN}its address is suspended{WARN:#}: {why}");
    }
    if let Some(authority) = &sender.authority {
        data!("           its domain is registered for {authority}: a hint, and no proof");
    }
    if let Some(listed) = &sender.listed {
        data!("           its domain is listed: {listed}: a hint, and no proof");
    }
    for remark in &sender.remarks {
        data!("           {remark}");
    }
}

/// Prints a reading for people.
pub fn print(reading: &Reading) {
    if let Some(subject) = &reading.subject {
        data!("subject {subject}");
    }
    for part in &reading.parts {
        let name = part.name.as_deref().unwrap_or("-");
        data!(
            "part {}  {}  {name}  {} bytes  sha256 {}",
            part.part,
            part.media_type,
            part.size,
            part.sha256
        );
    }
    if let Some(notice) = &reading.notice {
        data!("court {}", notice.court_id.as_deref().unwrap_or("not named"));
        if let Some(other) = &notice.named_otherwise {
            data!("  but its text names {other}");
        }
        for docket in &notice.dockets {
            data!(
                "docket {}  {}",
                docket.docket_number,
                docket.case_name.as_deref().unwrap_or("-")
            );
            for filing in &docket.filings {
                data!(
                    "  document {}  {}",
                    filing.document_number.as_deref().unwrap_or("-"),
                    filing.document_url.as_deref().unwrap_or("nothing attached")
                );
            }
        }
    }
    for found in &reading.proposals {
        data!(
            "{}  {}  [part {}{}, bytes {}..{}{}]  {}",
            spelled(&found.kind),
            found.value,
            found.place.part,
            found
                .place
                .page
                .map(|page| format!(", page {page}"))
                .unwrap_or_default(),
            found.place.start,
            found.place.end,
            found.place.area.map(place_on_page).unwrap_or_default(),
            found.words
        );
    }
    for paper in &reading.papers {
        for hidden in &paper.hidden {
            say!(
                "hidden in part {}, page {}{}: {} characters of text {}; nothing is proposed from it",
                paper.part,
                hidden.page,
                place_on_page(hidden.area),
                hidden.characters,
                hidden.how.in_words()
            );
        }
    }
    for reason in &reading.unread {
        say!("not read: {reason}");
    }
}

/// A place on a page, in words.
pub fn place_on_page([left, bottom, right, top]: [i32; 4]) -> String {
    format!(", {left},{bottom} to {right},{top} points")
}
