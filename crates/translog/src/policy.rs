//! Trust policies: which logs count, and which witnesses must have seen a checkpoint (C2SP tlog-policy).

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    checkpoint::{Checkpoint, CheckpointError},
    cosignature,
    note::{BadSignature, KeyError, KeyKind, Note, NoteError, VerifierKey},
};

/// Longest policy file, in bytes.
pub const POLICY_BYTES_MAX: usize = 64 * 1024;
/// Most logs of a policy.
pub const LOGS_MAX: usize = 64;
/// Most witnesses of a policy.
pub const WITNESSES_MAX: usize = 64;
/// Most groups of a policy.
pub const GROUPS_MAX: usize = 64;

/// Why a policy file was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Longer than [`POLICY_BYTES_MAX`].
    #[error("the policy has `{0}` bytes; the limit is 65536")]
    TooLong(usize),
    /// The last line does not end in a newline.
    #[error("the policy's last line must end in a newline")]
    NoNewline,
    /// No `quorum` line.
    #[error("the policy has no `quorum` line; `quorum none` asks for no witness")]
    NoQuorum,
    /// One line is wrong.
    #[error("policy line {line}: {fault}")]
    Line {
        /// Its number, from 1.
        line: usize,
        /// What is wrong.
        fault: LineFault,
    },
}

/// What is wrong with a policy's line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LineFault {
    /// A control character other than tab.
    #[error("it holds a control character")]
    ControlCharacter,
    /// Not one of the four kinds of line, or with too few or too many items.
    #[error(
        "it is none of `log <vkey> [<url>]`, `witness <name> <vkey> [<url>]`, `group <name> <all|any|k> <name>...`, `quorum <name>`"
    )]
    Form,
    /// The key cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A log's line with a witness key, or the other way round.
    #[error("the key's type does not fit: a log signs with type 0x01, a witness with type 0x04")]
    KeyKind,
    /// The same public key twice.
    #[error("this key is already listed")]
    DuplicateKey,
    /// The same name twice, or `none`.
    #[error("`{0}` is already defined, or reserved")]
    DuplicateName(String),
    /// A name that no line before this one defines.
    #[error("`{0}` is not defined on a line before this one")]
    UnknownName(String),
    /// A name that is already a member of a group.
    #[error("`{0}` is already a member of a group")]
    MemberTwice(String),
    /// A threshold that is not between 1 and the number of members.
    #[error("the threshold `{0}` is not between 1 and the number of members")]
    Threshold(String),
    /// A second `quorum` line.
    #[error("there is already a `quorum` line")]
    SecondQuorum,
    /// More lines of a kind than the limit.
    #[error("there are more than 64 lines of this kind")]
    TooMany,
}

/// Why a checkpoint does not meet a policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotWitnessed {
    /// The note is malformed.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The note's text is not a checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The policy names no log of this origin.
    #[error("the policy names no log `{0}`")]
    UnknownLog(String),
    /// The log did not sign it.
    #[error("the log `{0}` has not signed this checkpoint")]
    Unsigned(String),
    /// A signature of a key that the policy names is wrong.
    #[error(transparent)]
    BadSignature(#[from] BadSignature),
    /// Not enough witnesses have cosigned it.
    #[error("the witnesses that cosigned do not make the policy's quorum")]
    NoQuorum,
    /// Strict check only: a signature of a key that the policy does not name.
    #[error("the signature by `{0}` cannot be checked: the policy does not name that key")]
    UnknownKey(String),
    /// Strict check only: two signatures of one key.
    #[error("the key `{0}` signed twice")]
    SignedTwice(String),
}

/// A log that the policy accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// Its key, whose name is the log's origin.
    pub key: VerifierKey,
    /// Where it can be reached.
    pub url: Option<String>,
}

/// A witness that the policy knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witness {
    /// Its name within the policy.
    pub name: String,
    /// Its key.
    pub key: VerifierKey,
    /// Its submission prefix.
    pub url: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Group {
    threshold: usize,
    members: Vec<Voter>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Voter {
    Witness(usize),
    Group(usize),
}

/// A parsed policy file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    text: String,
    logs: Vec<Log>,
    witnesses: Vec<Witness>,
    groups: Vec<Group>,
    quorum: Option<Voter>,
}

/// Evidence that a checkpoint was signed by a log and cosigned by a quorum of the policy it was checked against. Only
/// [`Policy::check`] and [`Policy::check_strict`] make one.
#[derive(Debug)]
pub struct Witnessed {
    checkpoint: Checkpoint,
    witnessed_at: u64,
    cosigners: Vec<(String, u64)>,
}

impl Witnessed {
    /// The checkpoint.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The latest time, in seconds since 1970, such that a whole quorum cosigned then or later: the age of the oldest
    /// cosignature that the freshest quorum needs. Zero when the policy asks for no witness.
    pub fn witnessed_at(&self) -> u64 {
        self.witnessed_at
    }

    /// The policy's names of the witnesses that cosigned, with the times they state.
    pub fn cosigners(&self) -> &[(String, u64)] {
        &self.cosigners
    }
}

impl Policy {
    /// Reads a policy file.
    ///
    /// # Errors
    /// When a line is wrong, the quorum is missing, or a limit is passed.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        if text.len() > POLICY_BYTES_MAX {
            return Err(PolicyError::TooLong(text.len()));
        }
        let lines = text.strip_suffix('\n').ok_or(PolicyError::NoNewline)?;
        let mut reader = Reader::default();
        for (number, line) in lines.split('\n').enumerate() {
            reader.line(line).map_err(|fault| PolicyError::Line {
                line: number + 1,
                fault,
            })?;
        }
        Ok(Self {
            text: text.to_owned(),
            logs: reader.logs,
            witnesses: reader.witnesses,
            groups: reader.groups,
            quorum: reader.quorum.ok_or(PolicyError::NoQuorum)?,
        })
    }

    /// The file it was read from, byte for byte.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The logs it accepts.
    pub fn logs(&self) -> &[Log] {
        &self.logs
    }

    /// The witnesses it knows.
    pub fn witnesses(&self) -> &[Witness] {
        &self.witnesses
    }

    /// Whether it asks for any witness.
    pub fn asks_for_witnesses(&self) -> bool {
        self.quorum.is_some()
    }

    /// Checks a signed checkpoint. Signatures of keys that the policy does not name are ignored, as notes require.
    ///
    /// # Errors
    /// When it is malformed, a known signature is wrong, or log or quorum are missing.
    pub fn check(&self, signed: &str) -> Result<Witnessed, NotWitnessed> {
        self.check_note(&Note::parse(signed)?)
    }

    /// As [`Policy::check`], and refuses every signature that cannot be checked, and second signatures of one key: no
    /// byte of such a note can change unseen. For notes that we issued.
    ///
    /// # Errors
    /// As [`Policy::check`], and when a signature is of a key that the policy does not name, or of one already seen.
    pub fn check_strict(&self, signed: &str) -> Result<Witnessed, NotWitnessed> {
        let note = Note::parse(signed)?;
        let mut seen = Vec::new();
        for signature in note.signatures() {
            let key = self
                .keys()
                .find(|key| key.claims(signature))
                .ok_or_else(|| NotWitnessed::UnknownKey(signature.name().to_owned()))?;
            if seen.contains(&key) {
                return Err(NotWitnessed::SignedTwice(key.name().to_owned()));
            }
            if key.kind() == KeyKind::Log && !note.text().starts_with(&format!("{}\n", key.name())) {
                // A log's key that signs for another origin would pass unchecked below.
                return Err(NotWitnessed::UnknownKey(signature.name().to_owned()));
            }
            seen.push(key);
        }
        self.check_note(&note)
    }

    fn check_note(&self, note: &Note) -> Result<Witnessed, NotWitnessed> {
        let checkpoint = Checkpoint::parse(note.text())?;
        checkpoint.check_empty()?;
        let mut known = false;
        let mut signed = false;
        for log in self.logs.iter().filter(|log| log.key.name() == checkpoint.origin) {
            known = true;
            signed |= note.signed_by(&log.key)?;
        }
        if !known {
            return Err(NotWitnessed::UnknownLog(checkpoint.origin));
        }
        if !signed {
            return Err(NotWitnessed::Unsigned(checkpoint.origin));
        }
        let mut times = Vec::with_capacity(self.witnesses.len());
        for witness in &self.witnesses {
            let mut latest = None;
            for signature in note.signatures().iter().filter(|s| witness.key.claims(s)) {
                latest = latest.max(Some(cosignature::verify(&witness.key, note.text(), signature)?));
            }
            times.push(latest);
        }
        let witnessed_at = self.quorum_time(&times).ok_or(NotWitnessed::NoQuorum)?;
        let cosigners = self
            .witnesses
            .iter()
            .zip(&times)
            .filter_map(|(witness, time)| time.map(|time| (witness.name.clone(), time)))
            .collect();
        Ok(Witnessed {
            checkpoint,
            witnessed_at,
            cosigners,
        })
    }

    /// Of each voter the time it stands for: a witness its cosignature's, a group the k-th latest of its members'.
    fn quorum_time(&self, times: &[Option<u64>]) -> Option<u64> {
        let Some(quorum) = self.quorum else {
            return Some(0);
        };
        let mut groups: Vec<Option<u64>> = Vec::with_capacity(self.groups.len());
        // Groups name only earlier groups, so one pass in order suffices.
        for group in &self.groups {
            let mut members: Vec<u64> = group
                .members
                .iter()
                .filter_map(|voter| time_of(*voter, times, &groups))
                .collect();
            members.sort_unstable_by(|a, b| b.cmp(a));
            groups.push(members.get(group.threshold - 1).copied());
        }
        time_of(quorum, times, &groups)
    }

    fn keys(&self) -> impl Iterator<Item = &VerifierKey> {
        let logs = self.logs.iter().map(|log| &log.key);
        logs.chain(self.witnesses.iter().map(|witness| &witness.key))
    }
}

fn time_of(voter: Voter, witnesses: &[Option<u64>], groups: &[Option<u64>]) -> Option<u64> {
    match voter {
        Voter::Witness(index) => witnesses.get(index).copied().flatten(),
        Voter::Group(index) => groups.get(index).copied().flatten(),
    }
}

#[derive(Default)]
struct Reader {
    logs: Vec<Log>,
    witnesses: Vec<Witness>,
    groups: Vec<Group>,
    names: BTreeMap<String, Voter>,
    members: BTreeSet<String>,
    quorum: Option<Option<Voter>>,
}

impl Reader {
    fn line(&mut self, line: &str) -> Result<(), LineFault> {
        if line.bytes().any(|b| (b < 0x20 && b != b'\t') || b == 0x7f) {
            return Err(LineFault::ControlCharacter);
        }
        let items: Vec<&str> = line.split([' ', '\t']).filter(|item| !item.is_empty()).collect();
        match items.as_slice() {
            [] => Ok(()),
            [first, ..] if first.starts_with('#') => Ok(()),
            ["log", key] => self.log(key, None),
            ["log", key, url] => self.log(key, Some(url)),
            ["witness", name, key] => self.witness(name, key, None),
            ["witness", name, key, url] => self.witness(name, key, Some(url)),
            ["group", name, threshold, members @ ..] if !members.is_empty() => {
                self.group(name, threshold, members)
            }
            ["quorum", name] => self.quorum(name),
            _ => Err(LineFault::Form),
        }
    }

    fn log(&mut self, key: &str, url: Option<&str>) -> Result<(), LineFault> {
        if self.logs.len() == LOGS_MAX {
            return Err(LineFault::TooMany);
        }
        let key = VerifierKey::parse(key)?;
        if key.kind() != KeyKind::Log {
            return Err(LineFault::KeyKind);
        }
        if self.logs.iter().any(|log| log.key.public() == key.public()) {
            return Err(LineFault::DuplicateKey);
        }
        let url = url.map(str::to_owned);
        self.logs.push(Log { key, url });
        Ok(())
    }

    fn witness(&mut self, name: &str, key: &str, url: Option<&str>) -> Result<(), LineFault> {
        if self.witnesses.len() == WITNESSES_MAX {
            return Err(LineFault::TooMany);
        }
        let key = VerifierKey::parse(key)?;
        if key.kind() != KeyKind::Witness {
            return Err(LineFault::KeyKind);
        }
        if self.witnesses.iter().any(|w| w.key.public() == key.public()) {
            return Err(LineFault::DuplicateKey);
        }
        self.define(name, Voter::Witness(self.witnesses.len()))?;
        self.witnesses.push(Witness {
            name: name.to_owned(),
            key,
            url: url.map(str::to_owned),
        });
        Ok(())
    }

    fn group(&mut self, name: &str, threshold: &str, members: &[&str]) -> Result<(), LineFault> {
        if self.groups.len() == GROUPS_MAX {
            return Err(LineFault::TooMany);
        }
        let wrong = || LineFault::Threshold(threshold.to_owned());
        let count = match threshold {
            "all" => members.len(),
            "any" => 1,
            k => crate::armor::from_decimal(k)
                .and_then(|k| usize::try_from(k).ok())
                .filter(|k| (1..=members.len()).contains(k))
                .ok_or_else(wrong)?,
        };
        let mut voters = Vec::with_capacity(members.len());
        for member in members {
            voters.push(self.lookup(member)?);
            if !self.members.insert((*member).to_owned()) {
                return Err(LineFault::MemberTwice((*member).to_owned()));
            }
        }
        self.define(name, Voter::Group(self.groups.len()))?;
        self.groups.push(Group {
            threshold: count,
            members: voters,
        });
        Ok(())
    }

    fn quorum(&mut self, name: &str) -> Result<(), LineFault> {
        if self.quorum.is_some() {
            return Err(LineFault::SecondQuorum);
        }
        self.quorum = Some(match name {
            "none" => None,
            name => Some(self.lookup(name)?),
        });
        Ok(())
    }

    fn define(&mut self, name: &str, voter: Voter) -> Result<(), LineFault> {
        if name == "none" || self.names.contains_key(name) {
            return Err(LineFault::DuplicateName(name.to_owned()));
        }
        self.names.insert(name.to_owned(), voter);
        Ok(())
    }

    fn lookup(&self, name: &str) -> Result<Voter, LineFault> {
        let voter = self.names.get(name).copied();
        voter.ok_or_else(|| LineFault::UnknownName(name.to_owned()))
    }
}
