//! How an object's path says whose it is and what it is.

use casework::{demand::Category, ids::AccountId};

use super::VaultError;

/// Most rules in one bucket's mapping.
pub const RULES_MAX: usize = 64;
/// Longest template in bytes.
pub const TEMPLATE_MAX: usize = 256;

/// A bucket's rules; the first that matches decides.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Mapping {
    /// In the order in which they are tried.
    pub rules: Vec<PathRule>,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PathRule {
    /// Segments between slashes: literal text, `{account}` for the account, `{}` for any one segment, and `{*}`, only at
    /// the end, for one or more: `mail/{account}/{*}`.
    pub template: String,
    /// What objects there are.
    pub category: Category,
}

/// What a path says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// The account, where the template names one; in lower case.
    pub account: Option<AccountId>,
    /// The category.
    pub category: Category,
}

impl Mapping {
    /// Checks the templates.
    ///
    /// # Errors
    /// [`VaultError::BadMapping`] names the first that is none.
    pub fn check(&self) -> Result<(), VaultError> {
        let bad = |rule: &PathRule, reason| VaultError::BadMapping {
            template: rule.template.chars().take(64).collect(),
            reason,
        };
        for (number, rule) in self.rules.iter().enumerate() {
            if number >= RULES_MAX {
                return Err(bad(rule, "a bucket has at most 64 rules"));
            }
            if rule.template.is_empty() || rule.template.len() > TEMPLATE_MAX {
                return Err(bad(rule, "a template is 1 to 256 bytes long"));
            }
            let segments: Vec<&str> = rule.template.split('/').collect();
            if segments.iter().filter(|s| **s == "{account}").count() > 1 {
                return Err(bad(rule, "`{account}` stands in it more than once"));
            }
            for (at, segment) in segments.iter().enumerate() {
                match *segment {
                    "{*}" if at + 1 < segments.len() => {
                        return Err(bad(rule, "`{*}` stands only at the end"));
                    }
                    "{*}" | "{}" | "{account}" => {}
                    other if other.contains(['{', '}']) => {
                        return Err(bad(
                            rule,
                            "the only placeholders are `{account}`, `{}` and `{*}`, each a whole segment",
                        ));
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// What the first matching rule says of `key`; `None` when none matches.
    ///
    /// # Errors
    /// When the segment that ought to be an account cannot be one: storing it under any other would be wrong.
    pub fn place(&self, key: &str) -> Result<Option<Placed>, VaultError> {
        for rule in &self.rules {
            let Some(segment) = matching(&rule.template, key) else {
                continue;
            };
            let account = segment.map(account_id).transpose()?;
            return Ok(Some(Placed {
                account,
                category: rule.category,
            }));
        }
        Ok(None)
    }
}

/// An account as paths and headers write it, in whatever case.
pub(super) fn account_id(text: &str) -> Result<AccountId, VaultError> {
    AccountId::new(text.to_lowercase()).map_err(|error| VaultError::BadPlacement {
        field: "account".into(),
        reason: error.reason.into(),
    })
}

/// The account's segment, if any, where the key matches the template.
fn matching<'k>(template: &str, key: &'k str) -> Option<Option<&'k str>> {
    let mut account = None;
    let mut rest = Some(key);
    for wanted in template.split('/') {
        let remaining = rest?;
        if wanted == "{*}" {
            return (!remaining.is_empty()).then_some(account);
        }
        let (segment, after) = match remaining.split_once('/') {
            Some((segment, after)) => (segment, Some(after)),
            None => (remaining, None),
        };
        match wanted {
            "{account}" if !segment.is_empty() => account = Some(segment),
            "{}" if !segment.is_empty() => {}
            literal if literal == segment => {}
            _ => return None,
        }
        rest = after;
    }
    rest.is_none().then_some(account)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping(templates: &[(&str, Category)]) -> Mapping {
        let rule = |(template, category): &(&str, Category)| PathRule {
            template: (*template).to_owned(),
            category: *category,
        };
        Mapping {
            rules: templates.iter().map(rule).collect(),
        }
    }

    #[test]
    fn the_first_match_decides() {
        let mapping = mapping(&[
            ("mail/{account}/headers/{*}", Category::Traffic),
            ("mail/{account}/{*}", Category::Content),
            ("users/{account}", Category::Subscriber),
            ("logs/{}/{}/{account}.x/{*}", Category::Traffic),
        ]);
        let cases = [
            (
                "mail/alice@x.example/1.eml",
                Some((Some("alice@x.example"), Category::Content)),
            ),
            (
                "mail/Alice@X.example/1.eml",
                Some((Some("alice@x.example"), Category::Content)),
            ),
            ("mail/alice/headers/1", Some((Some("alice"), Category::Traffic))),
            ("mail/alice/a/b/c", Some((Some("alice"), Category::Content))),
            ("mail/alice", None),
            ("mail/alice/", None),
            ("mail//1.eml", None),
            ("users/bob", Some((Some("bob"), Category::Subscriber))),
            ("users/bob/more", None),
            ("other", None),
        ];
        for (key, expected) in cases {
            let placed = mapping.place(key).unwrap();
            let seen = placed
                .as_ref()
                .map(|p| (p.account.as_ref().map(AccountId::as_str), p.category));
            assert_eq!(seen, expected, "{key}");
        }
        assert!(mapping.place("mail/no body/1").is_err());
    }

    #[test]
    fn templates_are_checked() {
        for good in ["mail/{account}/{*}", "{account}", "{}/x", "{*}"] {
            assert!(mapping(&[(good, Category::Content)]).check().is_ok(), "{good}");
        }
        for bad in [
            "",
            "{*}/x",
            "{accounts}/x",
            "a{account}",
            "{account}/{account}",
            "x}",
        ] {
            assert!(mapping(&[(bad, Category::Content)]).check().is_err(), "{bad}");
        }
    }
}
