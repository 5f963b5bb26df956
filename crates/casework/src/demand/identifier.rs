//! How a provider may have an identifier on record: the same number is written in many ways.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Subject;

/// Kinds of identifier that are neither an account's name, a telephone number nor an address of the internet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum IdentifierKind {
    /// A mobile device (IMEI).
    Imei,
    /// A mobile subscription (IMSI).
    Imsi,
    /// A SIM card (ICCID).
    Iccid,
    /// A network interface (MAC address).
    Mac,
    /// A card, bank account or other means of payment.
    Payment,
    /// An identifier of an application: an advertising id, a cookie, a device token.
    Application,
}

impl Subject {
    /// The texts by which the provider may know it, none twice: as the demand writes it, and as such things are kept. None for
    /// an address at a moment, and for what names no account.
    pub fn known_as(&self) -> Vec<String> {
        let (written, kept) = match self {
            Self::Account { value } => (value, None),
            Self::Phone { value } => (value, Some(phone(value))),
            Self::Identifier { kind, value } => (value, Some(thing(*kind, value))),
            Self::Ip { .. } | Self::Selector { .. } => return Vec::new(),
        };
        let written = written.trim().to_owned();
        let mut forms = vec![written];
        forms.extend(kept.filter(|kept| !kept.is_empty() && !forms.contains(kept)));
        forms
    }
}

/// E.164: a plus and digits. `00` in front is the plus of a telephone that has none.
fn phone(value: &str) -> String {
    let international = value.trim_start().starts_with('+');
    let digits = digits(value);
    match (international, digits.strip_prefix("00")) {
        (true, _) => format!("+{digits}"),
        (false, Some(rest)) => format!("+{rest}"),
        (false, None) => digits,
    }
}

fn thing(kind: IdentifierKind, value: &str) -> String {
    match kind {
        IdentifierKind::Imei | IdentifierKind::Imsi | IdentifierKind::Iccid => digits(value),
        IdentifierKind::Mac => {
            let hex: Vec<char> = value.chars().filter(char::is_ascii_hexdigit).collect();
            let pairs = hex.chunks(2).map(|pair| pair.iter().collect::<String>());
            pairs.collect::<Vec<_>>().join(":").to_ascii_lowercase()
        }
        IdentifierKind::Payment => value.chars().filter(|c| !c.is_whitespace()).collect(),
        IdentifierKind::Application => value.trim().to_owned(),
    }
}

fn digits(value: &str) -> String {
    value.chars().filter(char::is_ascii_digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_number_is_found_however_it_is_written() {
        for written in ["+49 30 123-456", "0049 (30) 123456", "+4930123456"] {
            let value = written.to_owned();
            assert!(
                Subject::Phone { value }
                    .known_as()
                    .contains(&"+4930123456".to_owned()),
                "{written}"
            );
        }
        let value = "AA-BB-CC-00-11-22".to_owned();
        let kind = IdentifierKind::Mac;
        assert_eq!(
            Subject::Identifier { kind, value }.known_as(),
            ["AA-BB-CC-00-11-22", "aa:bb:cc:00:11:22"]
        );
        let value = "alice@contoso.example ".to_owned();
        assert_eq!(Subject::Account { value }.known_as(), ["alice@contoso.example"]);
    }
}
