//! Who a message is from, as far as the provider's own mail server found out, and a check of our own: SPF, DKIM, DMARC and ARC.
//!
//! The mail server that takes a message from the network checks it, and writes what it found into
//! `Authentication-Results` (RFC 8601). That field is believed only of the server that the configuration names, and only
//! where nobody else could have put it. Where the configuration says so, the message is checked anew as well
//! ([`super::postmark`]); where the two differ, the worse stands, and both are told. Where one alone knows, its outcome stands;
//! where neither does, nothing passed: the outcome is "not known".

use casework::sender::{CheckedBy, Domain, REMARKS_MAX, SenderCheck, Verdict};
use mail_parser::{HeaderName, HeaderValue, Message, MessageParser};

use super::{
    message::addresses,
    postmark::{Envelope, Postmark, PostmarkError, Postmarks},
    received,
};

/// Largest head of a message that is looked at, in bytes. Nothing passes of a message whose head is longer.
const HEAD_BYTES_MAX: usize = 256 * 1024;

/// What our own mail servers write, and may be believed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OurServers {
    /// The name under which they write `Authentication-Results` (RFC 8601), having taken out what others wrote under it.
    pub results: Option<String>,
    /// The names that stand behind `by` in the `Received` fields that they write. Only those say where a message came from.
    pub received_by: Vec<String>,
}

/// Checks senders. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Checker {
    ours: OurServers,
    postmarks: Option<Postmarks>,
}

impl Checker {
    /// A checker that believes these servers of ours, and nobody else.
    pub fn new(ours: OurServers) -> Self {
        Self {
            ours,
            postmarks: None,
        }
    }

    /// That also has each message checked anew.
    #[must_use]
    pub fn with(mut self, postmarks: Postmarks) -> Self {
        self.postmarks = Some(postmarks);
        self
    }

    /// Checks a message's sender; `mail_from` is whom its envelope names, where that is known. Never fails: what could not be
    /// checked is "not known", and says why.
    pub async fn check(&self, raw: &[u8], mail_from: Option<&str>) -> SenderCheck {
        let (head, is_whole) = head(raw);
        let parsed = MessageParser::default().parse_headers(head);
        let mut check = SenderCheck::default();
        let Some(parsed) = parsed else {
            check.remarks.push("it has no head that can be read".to_owned());
            return check;
        };
        let from_fields = parsed
            .headers()
            .iter()
            .filter(|header| header.name == HeaderName::From)
            .count();
        check.from = addresses(parsed.from());
        check.domain = one_domain(&check.from).filter(|_| from_fields == 1);
        if check.domain.is_none() {
            check
                .remarks
                .push("it is not from exactly one address".to_owned());
        }
        self.believe_our_server(&parsed, &mut check);
        if let Some(postmarks) = &self.postmarks {
            let envelope = self.envelope(head, &parsed, mail_from);
            second_opinion(postmarks.check(raw, &envelope).await, &mut check);
        }
        if !is_whole {
            for verdict in [&mut check.spf, &mut check.dkim, &mut check.dmarc, &mut check.arc] {
                if *verdict == Verdict::Pass {
                    *verdict = Verdict::NotKnown;
                }
            }
            check
                .remarks
                .push("its head is longer than is looked at, so nothing of it passed".to_owned());
        }
        if let Some(reply) = addresses(parsed.reply_to()).first()
            && Domain::of_address(reply).ok().map(|domain| domain.to_string()) != check.domain
        {
            check
                .remarks
                .push("it asks for answers to another domain than it is from".to_owned());
        }
        check.remarks.truncate(REMARKS_MAX);
        check
    }

    /// How the message reached us, by the topmost `Received` field if one of our own servers wrote it.
    fn envelope(&self, head: &[u8], parsed: &Message<'_>, mail_from: Option<&str>) -> Envelope {
        let mut envelope = Envelope::default();
        let top = parsed.headers().first();
        let returns = top.filter(|top| top.name == HeaderName::ReturnPath);
        if let Some(from) = mail_from {
            envelope.mail_from = from.to_owned();
        } else if let Some(HeaderValue::Text(path)) = returns.map(|top| &top.value) {
            envelope.mail_from = path.trim_matches(['<', '>']).to_owned();
        }
        if let Some(peer) = received::peer(head, &self.ours.received_by) {
            envelope.peer = Some(peer.address);
            // An address in place of a name is the peer's own word.
            envelope.helo = peer.helo.unwrap_or_default();
        }
        envelope
    }

    /// Takes over what our own server wrote, where it is configured to write and its field stands where only it could
    /// have put it: above the second `Received`.
    fn believe_our_server(&self, parsed: &Message<'_>, check: &mut SenderCheck) {
        let Some(ours) = &self.ours.results else {
            return;
        };
        let mut received = 0_usize;
        for header in parsed.headers() {
            match &header.name {
                HeaderName::Received => received += 1,
                HeaderName::AuthenticationResults if received < 2 => {
                    let HeaderValue::Text(value) = &header.value else {
                        return;
                    };
                    let Some(results) = parts_of(value) else {
                        check.remarks.push(
                            "results of checks are there that cannot be told apart from what they quote"
                                .to_owned(),
                        );
                        return;
                    };
                    let mut results = results.iter().map(|part| part.trim());
                    let id = results.next().unwrap_or_default();
                    if !id
                        .split_whitespace()
                        .next()
                        .unwrap_or_default()
                        .eq_ignore_ascii_case(ours)
                    {
                        continue;
                    }
                    check.by = CheckedBy::OurMailServer;
                    for result in results {
                        take_result(result, check);
                    }
                    return;
                }
                _ => {}
            }
            if received >= 2 {
                return;
            }
        }
    }
}

/// The field at its semicolons, without its comments; those in quoted strings part nothing (RFC 8601 section 2.2, RFC 5322
/// section 3.2). Nothing where a quotation or a comment does not end, or ends that never began: nobody can say then what is
/// quoted, and our own server writes no such field.
fn parts_of(value: &str) -> Option<Vec<String>> {
    let mut parts = vec![String::new()];
    let (mut quoted, mut comments, mut escaped) = (false, 0_usize, false);
    for c in value.chars() {
        let literal = std::mem::take(&mut escaped);
        match c {
            '\\' if !literal && (quoted || comments > 0) => {
                escaped = true;
                continue;
            }
            '"' if !literal && comments == 0 => quoted = !quoted,
            '(' if !literal && !quoted => comments += 1,
            ')' if !literal && !quoted && comments > 0 => {
                comments -= 1;
                continue;
            }
            ')' if !literal && !quoted => return None,
            ';' if !quoted && comments == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        if comments == 0
            && let Some(part) = parts.last_mut()
        {
            part.push(c);
        }
    }
    (!quoted && comments == 0 && !escaped).then_some(parts)
}

/// Sets what we found ourselves beside what the mail server found. Our DMARC is of the domain that we judged: where that is not
/// the one that is shown, it failed.
fn second_opinion(ours: Result<Postmark, PostmarkError>, check: &mut SenderCheck) {
    let mut ours = ours.unwrap_or_else(|error| {
        check.remarks.push(error.to_string());
        Postmark::default()
    });
    let judged = ours.from.as_deref().and_then(|from| Domain::new(from).ok());
    let judged = judged.map(|domain| domain.to_string());
    if matches!(ours.dmarc, Verdict::Pass | Verdict::Fail) && (judged.is_none() || judged != check.domain) {
        ours.dmarc = Verdict::Fail;
        check.remarks.push("its From is read in two ways".to_owned());
    }
    if ours.dmarc != Verdict::NotKnown {
        check.by = CheckedBy::Ourselves;
    }
    let remarks = &mut check.remarks;
    for (name, known, ours) in [
        ("SPF", &mut check.spf, ours.spf),
        ("DKIM", &mut check.dkim, ours.dkim),
        ("DMARC", &mut check.dmarc, ours.dmarc),
        ("ARC", &mut check.arc, ours.arc),
    ] {
        let (both, remark) = worse(name, *known, ours);
        *known = both;
        remarks.extend(remark);
    }
    remarks.extend(ours.remarks().map(str::to_owned));
}

/// The worse of two outcomes, as far as either is known; and what to say where they differ, or where the one that counts most
/// rests on the mail server alone.
fn worse(name: &str, server: Verdict, ours: Verdict) -> (Verdict, Option<String>) {
    if server == Verdict::NotKnown || server == ours {
        return (ours, None);
    }
    if ours == Verdict::NotKnown {
        let alone = name == "DMARC" && server == Verdict::Pass;
        let remark = alone.then(|| format!("{name} passed at our mail server, and is not known here"));
        return (server, remark);
    }
    let word = |verdict| match verdict {
        Verdict::Pass => "passed",
        Verdict::Fail => "failed",
        Verdict::None => "had nothing to check",
        Verdict::NotKnown => "was not known",
    };
    let worse = [Verdict::Fail, Verdict::None, Verdict::Pass]
        .into_iter()
        .find(|verdict| [server, ours].contains(verdict))
        .unwrap_or_default();
    let remark = format!(
        "{name} {} at our mail server, and {} here",
        word(server),
        word(ours)
    );
    (worse, Some(remark))
}

/// One `method=result` of the field.
fn take_result(text: &str, check: &mut SenderCheck) {
    let Some((method, rest)) = text.split_once('=') else {
        return;
    };
    let word = rest
        .split(|c: char| !c.is_ascii_alphanumeric())
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    let verdict = match word.as_str() {
        "pass" => Verdict::Pass,
        "fail" | "softfail" | "policy" | "permerror" => Verdict::Fail,
        "none" | "neutral" => Verdict::None,
        _ => Verdict::NotKnown,
    };
    match method.trim().to_ascii_lowercase().as_str() {
        "spf" => check.spf = verdict,
        // One good signature is enough, wherever it stands.
        "dkim" if check.dkim != Verdict::Pass => check.dkim = verdict,
        "arc" => check.arc = verdict,
        "dmarc" => {
            let named = rest
                .split_whitespace()
                .find_map(|word| word.strip_prefix("header.from="));
            let same = named.is_none_or(|named| {
                check.domain.as_deref().is_some_and(|domain| {
                    named.trim_end_matches('.').eq_ignore_ascii_case(domain)
                        || domain.ends_with(&format!(".{}", named.to_ascii_lowercase()))
                })
            });
            let verdict = if same { verdict } else { Verdict::Fail };
            // Said twice, the worse counts.
            if check.dmarc == Verdict::NotKnown || check.dmarc == Verdict::Pass {
                check.dmarc = verdict;
            }
        }
        _ => {}
    }
}

/// Every address that a message's `From` gives. Asks nobody.
pub fn senders(raw: &[u8]) -> Vec<String> {
    let parsed = MessageParser::default().parse_headers(head(raw).0);
    parsed.map(|parsed| addresses(parsed.from())).unwrap_or_default()
}

/// A message's head, and whether that is all of it.
fn head(raw: &[u8]) -> (&[u8], bool) {
    let end = [b"\r\n\r\n".as_slice(), b"\n\n"]
        .iter()
        .filter_map(|blank| memchr::memmem::find(raw, blank).map(|at| at + blank.len()))
        .min()
        .unwrap_or(raw.len());
    let kept = raw.get(..end.min(HEAD_BYTES_MAX)).unwrap_or(raw);
    (kept, end <= HEAD_BYTES_MAX)
}

fn one_domain(from: &[String]) -> Option<String> {
    match from {
        [address] => Domain::of_address(address).ok().map(|domain| domain.to_string()),
        _ => None,
    }
}
