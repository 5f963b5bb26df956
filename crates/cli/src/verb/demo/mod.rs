//! `amparo demo`: sets up a provider with two regions and three customers, spreads mail over twenty accounts, takes
//! nine demands through, checks everything that came of it, and leaves the server up.

mod calendar;
mod check;
mod demands;
mod desk_work;
mod mailbox;
mod people;
mod provider;
mod story;

use std::{path::PathBuf, process::ExitCode, time::Instant};

use anyhow::{Context as _, bail};
use casework::{
    event::{Channel, Decision, Outcome, Scope},
    facts::RequesterCheck,
    ids::{AccountId, TenantId},
    record::Recipient,
};
use jiff::tz::TimeZone;

use self::{
    calendar::Calendar,
    desk_work::{Handed, Work, bars},
    provider::Provider,
};
use crate::voice::{STRONG, data, say};

/// Set everything up in a new folder and run the main job, on real mail or a mailbox of its own.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  amparo demo\n  amparo demo --mail ./archive.tar.xz --dir ./try --exit\n\n\
    Exit codes: 0 everything was done and verified, 1 something did not verify, 2 it could not be done."
)]
pub struct Args {
    /// Mail to spread over the accounts: mbox, maildir, or a folder or .tar.xz of .eml files. Without it, a small
    /// mailbox is made.
    #[arg(long, value_name = "PATH")]
    mail: Option<PathBuf>,
    /// A folder that does not exist yet; all of it may be deleted afterwards.
    #[arg(long, value_name = "DIR", default_value = "amparo-demo")]
    dir: PathBuf,
    /// Stop after the story instead of leaving the server up.
    #[arg(long)]
    exit: bool,
}

/// Runs the verb.
///
/// # Errors
/// When a step of the story could not be done.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    if args.dir.exists() {
        bail!(
            "`{}` exists already\nhint: name a new folder with `--dir`, or delete this one",
            args.dir.display()
        );
    }
    let started = Instant::now();
    let provider = Provider::set_up(&args.dir, args.mail.as_deref()).await?;
    let handed = tell(&provider).await?;
    let verified = provider.verify_everything(&handed).await?;
    data!(
        "\n{STRONG}Done in {:.1} s.{STRONG:#} Everything is under {}",
        started.elapsed().as_secs_f64(),
        args.dir.display()
    );
    if !verified {
        return Ok(ExitCode::from(1));
    }
    if args.exit {
        provider.stop().await;
        return Ok(ExitCode::SUCCESS);
    }
    provider.tell_addresses();
    say!("Press Ctrl-C to stop.");
    tokio::signal::ctrl_c().await.context("cannot wait for Ctrl-C")?;
    provider.stop().await;
    Ok(ExitCode::SUCCESS)
}

/// The nine demands, in order. Gives back what was handed over.
async fn tell(provider: &Provider) -> anyhow::Result<Vec<Handed>> {
    let desk = provider.desk();
    let team = &provider.team;
    let calendar = Calendar {
        start: provider.clock_now().to_zoned(TimeZone::UTC).date(),
    };
    let mut handed = Vec::new();

    story::chapter(Some(1), "A search warrant for one account and one month");
    let work = Work::open(
        desk,
        team,
        &demands::warrant(&calendar, provider.account(0)),
        Channel::Portal,
    )
    .await?;
    work.check_requester(
        RequesterCheck::Confirmed,
        "called back on the number in the court's directory",
    )
    .await?;
    let found = work.judge().await?;
    work.redirect(&found).await?;
    work.tell(&found, &provider.business()).await?;
    provider.days_pass(9);
    work.contest(
        &found,
        "issuing court",
        Some((Decision::Lost, "order of the issuing court, motion denied")),
    )
    .await?;
    work.assess_again().await?;
    handed.push(
        work.hand_over(&provider.handed_over(), "1-warrant", "AUSA R. Whitfield")
            .await?,
    );
    work.close(Outcome::Disclosed).await?;

    story::chapter(Some(2), "A grand jury's subpoena that asks for content too");
    let work = Work::open(
        desk,
        team,
        &demands::subpoena(&calendar, provider.account(1)),
        Channel::Email,
    )
    .await?;
    work.check_requester(
        RequesterCheck::Confirmed,
        "called back on the number in the court's directory",
    )
    .await?;
    let found = work.judge().await?;
    work.redirect(&found).await?;
    work.tell(&found, &provider.business()).await?;
    let scope = Scope {
        accounts: vec![(provider.business(), AccountId::new(provider.account(1))?)],
        categories: vec![casework::demand::Category::Subscriber],
        window: None,
    };
    let settles = desk_work::grounds(&found);
    work.narrow(
        provider.within_window(scope)?,
        "the requester agrees to subscriber data only",
        settles,
    )
    .await?;
    let found = work.assess_again().await?;
    work.contest(
        &found,
        "issuing court",
        Some((Decision::Lost, "subpoena upheld as narrowed")),
    )
    .await?;
    handed.push(
        work.hand_over(
            &provider.handed_over(),
            "2-subpoena",
            "Grand Jury, N.D. California",
        )
        .await?,
    );
    work.close(Outcome::PartlyDisclosed).await?;

    story::chapter(Some(3), "A demand for every account that ever mailed a domain");
    let work = Work::open(desk, team, &demands::sweep(&calendar), Channel::Portal).await?;
    let found = work.judge().await?;
    work.reject(&found, "no account is named; name the accounts, and why each")
        .await?;

    story::chapter(Some(4), "A warrant with an endless gag");
    let work = Work::open(
        desk,
        team,
        &demands::endless_gag(&calendar, provider.account(2)),
        Channel::Portal,
    )
    .await?;
    work.check_requester(
        RequesterCheck::Confirmed,
        "called back on the number in the court's directory",
    )
    .await?;
    let found = work.judge().await?;
    work.bar_notice(&found, &provider.business()).await?;
    work.redirect(&found).await?;
    let today = provider.clock_now().to_zoned(TimeZone::UTC).date();
    let until = today.saturating_add(jiff::Span::new().days(60));
    work.contest_gag("issuing court", Some((Decision::Partly, Some(until))))
        .await?;
    work.settle_gag_grounds(
        &found,
        "the issuing court gave the gag an end; nothing is left to object to",
    )
    .await?;
    work.contest(
        &found,
        "issuing court",
        Some((Decision::Lost, "order of the issuing court, motion denied")),
    )
    .await?;
    work.assess_again().await?;
    handed.push(
        work.hand_over(
            &provider.handed_over(),
            "4-warrant-under-gag",
            "AUSA R. Whitfield",
        )
        .await?,
    );
    let gagged = work;

    story::chapter(
        Some(5),
        "A national security letter that asks for browsing records",
    );
    let work = Work::open(
        desk,
        team,
        &demands::security_letter(&calendar, provider.account(3)),
        Channel::Paper,
    )
    .await?;
    work.check_requester(
        RequesterCheck::Confirmed,
        "called back through the field office's switchboard",
    )
    .await?;
    let found = work.judge().await?;
    work.bar_notice(&found, &provider.business()).await?;
    work.redirect(&found).await?;
    work.contest_gag(
        "U.S. District Court, by reciprocal notice under 18 U.S.C. 3511(b)",
        None,
    )
    .await?;
    work.contest(&found, "U.S. District Court", None).await?;
    work.tell_owed().await?;

    story::chapter(Some(6), "A prosecutor's European Production Order for content");
    let work = Work::open(
        desk,
        team,
        &demands::prosecutors_epoc(&calendar, provider.account(14)),
        Channel::Hi1,
    )
    .await?;
    let found = work.judge().await?;
    work.reject(
        &found,
        "content needs a judge, a court or an investigating judge (Art. 4(2))",
    )
    .await?;

    story::chapter(
        Some(7),
        "A judge's European Production Order, with a day before which nothing may leave",
    );
    let work = Work::open(
        desk,
        team,
        &demands::judges_epoc(&calendar, provider.account(14)),
        Channel::Hi1,
    )
    .await?;
    work.check_requester(
        RequesterCheck::Confirmed,
        "court found in the published list of notified authorities",
    )
    .await?;
    let found = work.judge().await?;
    work.bar_notice(&found, &provider.consumers()).await?;
    if bars(&found).is_empty() {
        work.contest(
            &found,
            "issuing authority (Annex III form)",
            Some((Decision::Lost, "reply of the issuing judge")),
        )
        .await?;
        work.assess_again().await?;
        let identity = age::x25519::Identity::generate();
        let recipient = Recipient {
            name: "Juge d'instruction, Lyon".into(),
            age: identity.to_public().to_string(),
        };
        let record = work.draw_up(recipient).await?;
        if work.release(&record).await?.is_some() {
            bail!("the gate released before the day on which it may");
        }
    }
    work.tell_owed().await?;

    story::chapter(
        Some(8),
        "An e-mail from a domain that looks like the police, begging for speed",
    );
    let work = Work::open(
        desk,
        team,
        &demands::look_alike(&calendar, provider.account(8)),
        Channel::Email,
    )
    .await?;
    work.check_requester(
        RequesterCheck::Refuted,
        "called back on the number in the public directory: no such officer, no such operation; the domain is not theirs",
    )
    .await?;
    let found = work.judge().await?;
    work.reject(
        &found,
        "not who it says it is; the authority was told that its name is being used",
    )
    .await?;

    story::chapter(
        Some(9),
        "A foreign order for data that lies only in the other region",
    );
    let work = Work::open(
        desk,
        team,
        &demands::foreign_order(&calendar, provider.account(9)),
        Channel::Paper,
    )
    .await?;
    work.check_requester(
        RequesterCheck::Confirmed,
        "called back on the number in the court's directory",
    )
    .await?;
    let found = work.judge().await?;
    work.redirect(&found).await?;
    work.tell(&found, &provider.public_body()).await?;
    work.contest(&found, "issuing court", None).await?;
    work.tell_owed().await?;

    story::chapter(None, "Two months later");
    provider.days_pass(62);
    let ticked = desk.tick(desk.now()).await?;
    for case in &ticked.gags_ended {
        story::step(&format!("the gag in case {case} ended with its last day"));
    }
    for (case, tenant) in &ticked.notices {
        story::good(&format!(
            "P9 late notice sent to {tenant} in case {case}, by itself"
        ));
    }
    if !ticked.notices.iter().any(|(case, _)| *case == gagged.case) {
        bail!("the late notice was not sent");
    }
    gagged.close(Outcome::Disclosed).await?;
    Ok(handed)
}

/// The customers, as the story names them.
impl Provider {
    fn business(&self) -> TenantId {
        self.tenants.business.clone()
    }
    fn public_body(&self) -> TenantId {
        self.tenants.public_body.clone()
    }
    fn consumers(&self) -> TenantId {
        self.tenants.consumers.clone()
    }
    fn days_pass(&self, days: i64) {
        self.clock.pass(days);
        story::step(&format!("{days} days pass"));
    }
    fn within_window(&self, scope: Scope) -> anyhow::Result<Scope> {
        let window = casework::demand::Window::new(demands::MONTH.0.parse()?, demands::MONTH.1.parse()?)?;
        Ok(Scope {
            window: Some(window),
            ..scope
        })
    }
}
