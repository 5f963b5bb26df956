//! Domain names, and which part of one somebody registered.

use std::{collections::HashMap, fmt};

/// Longest domain name, in bytes of ASCII (RFC 1035).
pub const DOMAIN_BYTES_MAX: usize = 253;
/// Most rules read of a list of public suffixes.
pub const RULES_MAX: usize = 100_000;

/// A domain name in lower-case ASCII, as the name service knows it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Domain(String);

/// Why a text is no domain name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no domain name; write one such as `police.example`")]
pub struct DomainError(String);

impl Domain {
    /// Reads a domain name; international ones become ASCII (UTS #46).
    ///
    /// # Errors
    /// When it is none.
    pub fn new(text: &str) -> Result<Self, DomainError> {
        let fail = || DomainError(text.chars().take(80).collect());
        if text.len() > 4 * DOMAIN_BYTES_MAX {
            return Err(fail());
        }
        let ascii = idna::domain_to_ascii(text.trim().trim_end_matches('.')).map_err(|_| fail())?;
        let good = |label: &str| {
            (1..=63).contains(&label.len())
                && label
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        };
        if ascii.len() <= DOMAIN_BYTES_MAX && ascii.contains('.') && ascii.split('.').all(good) {
            Ok(Self(ascii))
        } else {
            Err(fail())
        }
    }

    /// The domain of a mail address.
    ///
    /// # Errors
    /// When there is none.
    pub fn of_address(address: &str) -> Result<Self, DomainError> {
        let domain = address.rsplit_once('@').map_or("", |(_, domain)| domain);
        Self::new(domain.trim_end_matches('>'))
    }

    /// In ASCII.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As people read it.
    pub fn to_unicode(&self) -> String {
        idna::domain_to_unicode(&self.0).0
    }

    /// Whether it is `other`, or lies below it.
    pub fn is_within(&self, other: &Domain) -> bool {
        self.0 == other.0
            || self
                .0
                .strip_suffix(other.as_str())
                .is_some_and(|rest| rest.ends_with('.'))
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Below which names anybody may register one: the public suffix list, in its own format.
#[derive(Debug, Clone, Default)]
pub struct Suffixes {
    rules: HashMap<String, Rule>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    Plain,
    Wildcard,
    Exception,
}

impl Suffixes {
    /// Reads the list. Lines that are no rule are passed over, and none but [`RULES_MAX`] are kept.
    pub fn read(list: &str) -> Self {
        let mut rules = HashMap::new();
        for line in list.lines() {
            let rule = line.split_whitespace().next().unwrap_or_default();
            if rule.is_empty() || rule.starts_with("//") || rules.len() >= RULES_MAX {
                continue;
            }
            let (kind, name) = match rule.as_bytes().first() {
                Some(b'!') => (Rule::Exception, rule.trim_start_matches('!')),
                Some(b'*') => (Rule::Wildcard, rule.trim_start_matches("*.")),
                _ => (Rule::Plain, rule),
            };
            if let Ok(ascii) = idna::domain_to_ascii(name) {
                // An exception says more than a wildcard of the same name, and a wildcard more than a plain rule.
                let known = rules.entry(ascii).or_insert(kind);
                if *known == Rule::Plain {
                    *known = kind;
                }
            }
        }
        Self { rules }
    }

    /// What somebody registered: `court.example.co.uk` is `example` below `co.uk`. `None` where the name is itself a
    /// suffix, such as `gov`.
    pub fn registered<'d>(&self, domain: &'d Domain) -> Option<Registered<'d>> {
        let name = domain.as_str();
        let starts: Vec<usize> = std::iter::once(0)
            .chain(name.match_indices('.').map(|(at, _)| at + 1))
            .collect();
        let mut suffix = starts.len().checked_sub(1)?;
        for (at, start) in starts.iter().enumerate() {
            let Some(rule) = name.get(*start..).and_then(|tail| self.rules.get(tail)) else {
                continue;
            };
            suffix = match rule {
                Rule::Plain => at,
                Rule::Wildcard => at.saturating_sub(1),
                Rule::Exception => at + 1,
            };
            break;
        }
        let first = suffix.checked_sub(1)?;
        let (from, to) = (*starts.get(first)?, *starts.get(suffix)?);
        Some(Registered {
            domain: name.get(from..)?,
            label: name.get(from..to.checked_sub(1)?)?,
            suffix: name.get(to..)?,
        })
    }
}

/// The parts of what somebody registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Registered<'d> {
    /// `example.co.uk`.
    pub domain: &'d str,
    /// `example`.
    pub label: &'d str,
    /// `co.uk`.
    pub suffix: &'d str,
}
