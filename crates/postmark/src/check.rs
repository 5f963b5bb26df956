//! The checks of one message.

use mail_auth::{
    AuthenticatedMessage, DkimResult, DmarcResult, SpfOutput, SpfResult, dmarc::verify::DmarcParameters,
    spf::verify::SpfParameters,
};

use crate::{Answer, Names, Question, Remark, SIGNATURES_MAX, Verdict};

/// Longest name of a domain, in bytes (RFC 1035, section 3.1, without the dot at the end). Mail has none that is longer.
const DOMAIN_BYTES_MAX: usize = 253;

/// Checks a message. What cannot be checked is not known; nothing passes for want of an answer.
pub async fn check(names: &Names, question: &Question, raw: &[u8]) -> Answer {
    let mut answer = Answer::default();
    let Some(message) = AuthenticatedMessage::parse(raw) else {
        answer.remarks.push(Remark::Unreadable);
        return answer;
    };
    if message.dkim_headers.len() + message.ams_headers.len() > SIGNATURES_MAX {
        answer.remarks.push(Remark::ManySignatures);
        return answer;
    }
    let authenticator = &names.authenticator;
    let dkim = authenticator.verify_dkim(names.about(&message)).await;
    let partly =
        |signed: Option<&mail_auth::dkim::Signature>| signed.is_some_and(|signature| signature.l > 0);
    answer.dkim = best(dkim.iter().map(|output| of_dkim(output.result())));
    let passed = dkim.iter().filter(|output| *output.result() == DkimResult::Pass);
    if passed.clone().any(|output| partly(output.signature())) {
        answer.remarks.push(Remark::PartlySigned);
    }
    // A signature over a beginning speaks for that beginning: more may have been added.
    let whole: Vec<_> = dkim
        .iter()
        .filter(|output| !(*output.result() == DkimResult::Pass && partly(output.signature())))
        .cloned()
        .collect();
    if answer.dkim == Verdict::Pass && passed.clone().all(|output| partly(output.signature())) {
        answer.dkim = Verdict::NotKnown;
    }
    answer.arc = of_dkim(authenticator.verify_arc(names.about(&message)).await.result());

    let domain = question
        .mail_from
        .rsplit_once('@')
        .map_or(question.helo.as_str(), |(_, domain)| domain);
    let spf = match question.peer {
        Some(peer) if !domain.is_empty() => {
            let asked =
                SpfParameters::verify_mail_from(peer, &question.helo, "localhost", &question.mail_from);
            let spf = authenticator.verify_spf(names.about(asked)).await;
            answer.spf = of_spf(spf.result());
            spf
        }
        _ => {
            answer.remarks.push(Remark::NoPeer);
            SpfOutput::default()
        }
    };
    let asked = DmarcParameters::new(&message, &whole, domain, &spf);
    let dmarc = authenticator.verify_dmarc(names.about(asked)).await;
    answer.from = Some(dmarc.domain().to_lowercase())
        .filter(|domain| !domain.is_empty() && domain.len() <= DOMAIN_BYTES_MAX);
    let found = [dmarc.dkim_result(), dmarc.spf_result()].map(of_dmarc);
    answer.dmarc = if found.contains(&Verdict::Pass) {
        Verdict::Pass
    } else if found.contains(&Verdict::NotKnown) {
        Verdict::NotKnown
    } else if dmarc.dmarc_record().is_none() {
        Verdict::None
    } else if answer.spf == Verdict::NotKnown || answer.dkim == Verdict::NotKnown {
        // The other half might have spoken for it.
        Verdict::NotKnown
    } else {
        Verdict::Fail
    };
    answer
}

/// One good signature is enough, wherever it stands; one that could not be checked might have been it.
fn best(verdicts: impl Iterator<Item = Verdict>) -> Verdict {
    let all: Vec<Verdict> = verdicts.collect();
    [Verdict::Pass, Verdict::NotKnown, Verdict::Fail]
        .into_iter()
        .find(|verdict| all.contains(verdict))
        .unwrap_or(Verdict::None)
}

fn of_dkim(result: &DkimResult) -> Verdict {
    match result {
        DkimResult::Pass => Verdict::Pass,
        DkimResult::Neutral(_) | DkimResult::Fail(_) | DkimResult::PermError(_) => Verdict::Fail,
        DkimResult::TempError(_) => Verdict::NotKnown,
        DkimResult::None => Verdict::None,
    }
}

fn of_spf(result: SpfResult) -> Verdict {
    match result {
        SpfResult::Pass => Verdict::Pass,
        SpfResult::Fail | SpfResult::SoftFail | SpfResult::PermError => Verdict::Fail,
        SpfResult::Neutral | SpfResult::None => Verdict::None,
        SpfResult::TempError => Verdict::NotKnown,
    }
}

fn of_dmarc(result: &DmarcResult) -> Verdict {
    match result {
        DmarcResult::Pass => Verdict::Pass,
        DmarcResult::Fail(_) | DmarcResult::PermError(_) => Verdict::Fail,
        DmarcResult::TempError(_) => Verdict::NotKnown,
        DmarcResult::None => Verdict::None,
    }
}
