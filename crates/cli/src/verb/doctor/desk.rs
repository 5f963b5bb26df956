//! A whole deployment, opened: what its cases, its gate and its trust policy look like.

use service::{app::SetError, config::Config, deployment::Deployment};
use store::gate_memory::PolicySeen;

use super::report::Report;

/// Names transfers that do not come to their end by themselves, each with the way on.
async fn transfers(deployment: &Deployment, report: &mut Report) -> anyhow::Result<()> {
    let (count, ailing) = deployment.transfers().ailing().await?;
    if ailing.is_empty() && count > 0 {
        report.good(&format!("{count} transfer(s): none hangs"));
    }
    for one in ailing {
        match one.ailment.is_wrong() {
            true => report.bad(&one.to_string()),
            false => report.warn(&one.to_string()),
        }
    }
    Ok(())
}

/// Looks at an open deployment.
///
/// # Errors
/// When its cases cannot be read.
pub(super) async fn look(
    deployment: &Deployment,
    config: &Config,
    report: &mut Report,
) -> anyhow::Result<()> {
    report.good("databases, blobs and the docket's files open and agree");
    super::gate_answers(deployment.remote_gate_answers().await, report);
    let (cases, wrong) = deployment.desk().check_all().await?;
    if wrong.is_empty() {
        report.good(&format!(
            "{cases} case(s): each chain holds, and goes on from what the gate remembers"
        ));
    }
    for (_, error) in wrong {
        report.failed(&error);
    }
    transfers(deployment, report).await?;
    if let PolicySeen::New { before } = deployment.policy_seen() {
        report.warn(&format!(
            "trust.toml is not the one in force before ({before} earlier): whoever writes it decides who reviews and \
             who witnesses"
        ));
    }
    let trust = deployment.trust();
    if trust.reviewers().keys.len() < 2 {
        report.warn("trust.toml names fewer than two reviewers: nothing can be released");
    }
    if trust.reviewers().senior.is_empty() {
        report.warn("trust.toml names no senior reviewer: what the rulebook wants a senior to sign is stuck");
    }
    if trust.reviewers().counsel.is_empty() {
        report.warn("trust.toml names no counsel: no ground can be answered by a signed reason");
    }
    let ours = casework::rulebook::Rulebook::builtin().digest();
    if !trust.rulebooks().contains(&ours) {
        report
            .bad("trust.toml does not list this program's rulebook; add its digest (`amparo rulebook list`)");
    }
    papers(deployment, config, report).await;
    letters(deployment, report).await;
    senders(deployment, config, report).await;
    if config.docket.own_witness {
        report.warn(
            "the docket's only witness is your own: it keeps the log whole across a crash or a restored backup, \
             and proves nothing to others; name one run by somebody else in trust.toml",
        );
    }
    Ok(())
}

/// Whether letters are set as PDFs, by the program beside this one: it is tried with a letter of ours.
async fn letters(deployment: &Deployment, report: &mut Report) {
    match deployment.desk().typesetter().trial().await {
        Ok(()) => report.good("letters are set as PDFs, by `amparo-letter`, which can be confined here"),
        Err(error @ SetError::NotInstalled(_)) => report.note(&format!(
            "letters are to be had as text alone: {error}; build it as docs/letters.md says"
        )),
        Err(error) => report.bad(&format!("letters are not set as PDFs: {error}")),
    }
}

/// Whether PDFs are read, by the program beside this one: it is tried with a PDF of ours.
async fn papers(deployment: &Deployment, config: &Config, report: &mut Report) {
    match deployment.papers().trial().await {
        Ok(()) => report.good("PDFs are read, by `amparo-paper`, which can be confined here"),
        Err(error) => {
            let said = format!("{error}; each is kept, and left to a person");
            if config.mail.is_some() {
                report.warn(&said);
            } else {
                report.note(&said);
            }
        }
    }
}

/// Whether senders are checked here, where the configuration says so.
async fn senders(deployment: &Deployment, config: &Config, report: &mut Report) {
    let Some(mail) = config.mail.as_ref().filter(|mail| mail.check_senders) else {
        return;
    };
    match deployment.postmarks().trial().await {
        Ok(()) => report.good("senders of mail are checked, by `amparo-postmark`"),
        Err(error) => report.bad(&format!("`mail.check_senders` is set, but {error}")),
    }
    if mail.received_by.is_empty() {
        report.warn("`mail.received_by` names no mail server of yours, so SPF is not checked: nobody says where a message came from");
    }
}
