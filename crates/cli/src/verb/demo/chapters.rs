//! The nine demands, each a chapter. A chapter that does not come out as it should ends the demonstration with an error.

use anyhow::{bail, ensure};
use casework::{
    demand::{Category, Window},
    event::{Channel, Decision, Outcome, Scope},
    facts::RequesterCheck,
    ids::AccountId,
    record::Recipient,
};
use jiff::tz::TimeZone;
use serde_json::Value;

use super::{
    calendar::Calendar,
    demands,
    desk_work::{Handed, Work, grounds},
    provider::Provider,
    story,
};

const CALLED_BACK: &str = "called back on the number in the court's directory";
const ISSUING_COURT: &str = "issuing court";
const DENIED: Option<(Decision, &str)> = Some((Decision::Lost, "order of the issuing court, motion denied"));

/// All of it, in order. Gives back what was handed over.
pub async fn tell(provider: &Provider) -> anyhow::Result<Vec<Handed>> {
    let chapters = Chapters {
        provider,
        calendar: Calendar {
            start: provider.today(),
        },
    };
    let mut handed = vec![chapters.warrant().await?, chapters.subpoena().await?];
    chapters.sweep().await?;
    let (gagged, package) = chapters.endless_gag().await?;
    handed.push(package);
    chapters.security_letter().await?;
    chapters.prosecutors_epoc().await?;
    chapters.judges_epoc().await?;
    chapters.look_alike().await?;
    chapters.foreign_order().await?;
    chapters.two_months_later(&gagged).await?;
    Ok(handed)
}

struct Chapters<'a> {
    provider: &'a Provider,
    calendar: Calendar,
}

impl<'a> Chapters<'a> {
    async fn open(&self, number: usize, title: &str, demand: Value, by: Channel) -> anyhow::Result<Work<'a>> {
        story::chapter(Some(number), title);
        Work::open(self.provider.desk(), &self.provider.team, &demand, by).await
    }

    async fn warrant(&self) -> anyhow::Result<Handed> {
        let demand = demands::warrant(&self.calendar, self.provider.account(0));
        let title = "A search warrant for one account and one month";
        let work = self.open(1, title, demand, Channel::Portal).await?;
        work.check_requester(RequesterCheck::Confirmed, CALLED_BACK)
            .await?;
        let found = work.judge().await?;
        work.redirect(&found).await?;
        work.tell(&found, &self.provider.tenants.business).await?;
        self.provider.days_pass(9);
        work.contest(&found, ISSUING_COURT, DENIED).await?;
        work.assess_again().await?;
        let package = work
            .hand_over(&self.provider.handed_over(), "1-warrant", "AUSA R. Whitfield")
            .await?;
        work.close(Outcome::Disclosed).await?;
        Ok(package)
    }

    async fn subpoena(&self) -> anyhow::Result<Handed> {
        let account = self.provider.account(1);
        let demand = demands::subpoena(&self.calendar, account);
        let title = "A grand jury's subpoena that asks for content too";
        let work = self.open(2, title, demand, Channel::Email).await?;
        work.check_requester(RequesterCheck::Confirmed, CALLED_BACK)
            .await?;
        let found = work.judge().await?;
        work.redirect(&found).await?;
        let business = &self.provider.tenants.business;
        work.tell(&found, business).await?;
        let scope = Scope {
            accounts: vec![(business.clone(), AccountId::new(account)?)],
            categories: vec![Category::Subscriber],
            window: Some(Window::new(demands::MONTH.0.parse()?, demands::MONTH.1.parse()?)?),
        };
        let settled = grounds(&found);
        work.narrow(scope, "the requester agrees to subscriber data only", settled)
            .await?;
        let left = grounds(&work.assess_again().await?);
        ensure!(left.is_empty(), "narrowing left {} ground(s)", left.len());
        let to = "Grand Jury, N.D. California";
        let package = work
            .hand_over(&self.provider.handed_over(), "2-subpoena", to)
            .await?;
        work.close(Outcome::PartlyDisclosed).await?;
        Ok(package)
    }

    async fn sweep(&self) -> anyhow::Result<()> {
        let title = "A demand for every account that ever mailed a domain";
        let work = self
            .open(3, title, demands::sweep(&self.calendar), Channel::Portal)
            .await?;
        let found = work.judge().await?;
        work.reject(&found, "no account is named; name the accounts, and why each")
            .await
    }

    /// The case stays open: its late notice is still owed.
    async fn endless_gag(&self) -> anyhow::Result<(Work<'a>, Handed)> {
        let demand = demands::endless_gag(&self.calendar, self.provider.account(2));
        let work = self
            .open(4, "A warrant with an endless gag", demand, Channel::Portal)
            .await?;
        work.check_requester(RequesterCheck::Confirmed, CALLED_BACK)
            .await?;
        let found = work.judge().await?;
        work.bar_notice(&found, &self.provider.tenants.business).await?;
        work.redirect(&found).await?;
        let until = self.provider.today().saturating_add(jiff::Span::new().days(60));
        work.contest_gag(ISSUING_COURT, Some((Decision::Partly, Some(until))))
            .await?;
        let reason = "the issuing court gave the gag an end; nothing is left to object to";
        work.settle_gag_grounds(&found, reason).await?;
        work.assess_again().await?;
        let name = "4-warrant-under-gag";
        let package = work
            .hand_over(&self.provider.handed_over(), name, "AUSA R. Whitfield")
            .await?;
        Ok((work, package))
    }

    async fn security_letter(&self) -> anyhow::Result<()> {
        let demand = demands::security_letter(&self.calendar, self.provider.account(3));
        let title = "A national security letter that asks for browsing records";
        let work = self.open(5, title, demand, Channel::Paper).await?;
        let how = "called back through the field office's switchboard";
        work.check_requester(RequesterCheck::Confirmed, how).await?;
        let found = work.judge().await?;
        work.bar_notice(&found, &self.provider.tenants.business).await?;
        work.redirect(&found).await?;
        let forum = "U.S. District Court, by reciprocal notice under 18 U.S.C. 3511(b)";
        work.contest_gag(forum, None).await?;
        work.contest(&found, "U.S. District Court", None).await?;
        work.tell_owed().await
    }

    async fn prosecutors_epoc(&self) -> anyhow::Result<()> {
        let demand = demands::prosecutors_epoc(&self.calendar, self.provider.account(14));
        let title = "A prosecutor's European Production Order for content";
        let work = self.open(6, title, demand, Channel::Hi1).await?;
        let found = work.judge().await?;
        work.reject(
            &found,
            "content needs a judge, a court or an investigating judge (Art. 4(2))",
        )
        .await
    }

    async fn judges_epoc(&self) -> anyhow::Result<()> {
        let demand = demands::judges_epoc(&self.calendar, self.provider.account(14));
        let title = "A judge's European Production Order, with a day before which nothing may leave";
        let work = self.open(7, title, demand, Channel::Hi1).await?;
        let how = "court found in the published list of notified authorities";
        work.check_requester(RequesterCheck::Confirmed, how).await?;
        let found = work.judge().await?;
        work.bar_notice(&found, &self.provider.tenants.consumers).await?;
        work.assess_again().await?;
        let recipient = Recipient {
            name: "Juge d'instruction, Lyon".into(),
            age: age::x25519::Identity::generate().to_public().to_string(),
        };
        let record = work.draw_up(recipient).await?;
        if work.release(&record).await?.is_some() {
            bail!("the gate released before the day on which it may");
        }
        work.tell_owed().await
    }

    async fn look_alike(&self) -> anyhow::Result<()> {
        let demand = demands::look_alike(&self.calendar, self.provider.account(8));
        let title = "An e-mail from a domain that looks like the police, begging for speed";
        let work = self.open(8, title, demand, Channel::Email).await?;
        let how = "called back on the number in the public directory: no such officer, no such operation; the domain \
                   is not theirs";
        work.check_requester(RequesterCheck::Refuted, how).await?;
        let found = work.judge().await?;
        work.reject(
            &found,
            "not who it says it is; the authority was told that its name is being used",
        )
        .await
    }

    async fn foreign_order(&self) -> anyhow::Result<()> {
        let demand = demands::foreign_order(&self.calendar, self.provider.account(9));
        let title = "A foreign order for data that lies only in the other region";
        let work = self.open(9, title, demand, Channel::Paper).await?;
        work.check_requester(RequesterCheck::Confirmed, CALLED_BACK)
            .await?;
        let found = work.judge().await?;
        work.redirect(&found).await?;
        work.tell(&found, &self.provider.tenants.public_body).await?;
        work.contest(&found, ISSUING_COURT, None).await?;
        work.tell_owed().await
    }

    async fn two_months_later(&self, gagged: &Work<'_>) -> anyhow::Result<()> {
        story::chapter(None, "Two months later");
        self.provider.days_pass(62);
        let desk = self.provider.desk();
        let ticked = desk.tick(desk.now()).await?;
        for case in &ticked.gags_ended {
            story::step(&format!("the gag in case {case} ended with its last day"));
        }
        for (case, tenant) in &ticked.notices {
            story::good(&format!(
                "P9 late notice to {tenant} written in case {case}, by itself"
            ));
        }
        let sent = ticked.notices.iter().any(|(case, _)| *case == gagged.case);
        ensure!(sent, "the late notice was not written");
        gagged.close(Outcome::Disclosed).await
    }
}

impl Provider {
    fn today(&self) -> jiff::civil::Date {
        self.desk().now().to_zoned(TimeZone::UTC).date()
    }

    fn days_pass(&self, days: i64) {
        self.clock.pass(days);
        story::step(&format!("{days} days pass"));
    }
}
