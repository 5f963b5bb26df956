//! The operator's lists of domains and courts: hints, and never proof. A school has a `.gov` domain and is no court, and
//! lists of government domains have look-alikes among them.

use std::{
    collections::HashMap,
    fs,
    io::Read as _,
    path::{Path, PathBuf},
};

use casework::sender::{Domain, Suffixes};
use serde::Deserialize;

/// Largest list read, in bytes.
pub const LIST_BYTES_MAX: u64 = 32 * 1024 * 1024;
/// Most entries kept of one list.
pub const ENTRIES_MAX: usize = 200_000;

/// Lists that may be loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The register of `.gov` domains, as CISA publishes it: CSV.
    Dotgov,
    /// Domains of governments world-wide, one a line.
    Government,
    /// The public suffix list.
    Suffixes,
    /// Courts of the United States, as the Free Law Project publishes them: JSON.
    Courts,
}

impl Source {
    /// Every list.
    pub const ALL: [Self; 4] = [Self::Dotgov, Self::Government, Self::Suffixes, Self::Courts];

    /// The file's name in the deployment's `hints/`.
    pub fn file(self) -> &'static str {
        match self {
            Self::Dotgov => "dotgov.csv",
            Self::Government => "government-domains.txt",
            Self::Suffixes => "public_suffix_list.dat",
            Self::Courts => "courts.json",
        }
    }
}

/// Why a list cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HintsError {
    /// It cannot be read or written.
    #[error("the list `{path}` cannot be read")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It is something else.
    #[error("`{path}` is no such list: {reason}")]
    Format {
        /// Which.
        path: PathBuf,
        /// What is missing.
        reason: &'static str,
    },
}

/// The lists, read.
#[derive(Debug, Default)]
pub struct Hints {
    listed: HashMap<String, String>,
    reserved: Vec<Domain>,
    suffixes: Suffixes,
    courts: HashMap<String, String>,
}

#[derive(Deserialize)]
struct Court {
    id: String,
    name: String,
    #[serde(default)]
    examples: Vec<String>,
}

impl Hints {
    /// Reads what lies in a deployment's `hints/`. A list that is not there is empty.
    ///
    /// # Errors
    /// When one that is there cannot be read.
    pub fn read(folder: &Path) -> Result<Self, HintsError> {
        let mut hints = Self::default();
        for source in Source::ALL {
            let path = folder.join(source.file());
            if path.exists() {
                hints.add(source, &path)?;
            }
        }
        Ok(hints)
    }

    /// Reads one list, and adds it.
    ///
    /// # Errors
    /// When it cannot be read, or is none of its kind.
    pub fn add(&mut self, source: Source, path: &Path) -> Result<usize, HintsError> {
        let text = text(path)?;
        let fail = |reason| HintsError::Format {
            path: path.to_owned(),
            reason,
        };
        let before = self.listed.len() + self.courts.len();
        match source {
            Source::Suffixes => {
                if !text.contains("\ncom\n") {
                    return Err(fail("it has no rule for `com`"));
                }
                self.suffixes = Suffixes::read(&text);
                return Ok(text.lines().filter(|line| !line.starts_with("//")).count());
            }
            Source::Dotgov => self
                .add_dotgov(&text)
                .ok_or_else(|| fail("its first line is another"))?,
            Source::Government => {
                for line in text.lines().take(ENTRIES_MAX) {
                    if let Ok(domain) = Domain::new(line.trim()) {
                        let entry = self.listed.entry(domain.to_string());
                        entry.or_insert_with(|| {
                            "in a list of government domains, which has look-alikes in it".to_owned()
                        });
                    }
                }
            }
            Source::Courts => {
                let courts: Vec<Court> =
                    serde_json::from_str(&text).map_err(|_| fail("it is no list of courts"))?;
                for court in courts.into_iter().take(ENTRIES_MAX) {
                    for name in std::iter::once(&court.name).chain(&court.examples) {
                        self.courts.entry(plain(name)).or_insert_with(|| court.id.clone());
                    }
                }
            }
        }
        Ok(self.listed.len() + self.courts.len() - before)
    }

    fn add_dotgov(&mut self, text: &str) -> Option<()> {
        let mut lines = text.lines();
        lines
            .next()
            .filter(|head| head.starts_with("Domain name,Domain type,"))?;
        for line in lines.take(ENTRIES_MAX) {
            let fields = fields(line);
            let (Some(name), Some(kind)) = (fields.first(), fields.get(1)) else {
                continue;
            };
            let Ok(domain) = Domain::new(name) else { continue };
            let of = fields.get(2).map(String::as_str).unwrap_or_default();
            self.listed
                .insert(domain.to_string(), format!(".gov, {kind}: {of}"));
            if kind.starts_with("Federal") || kind.starts_with("State") {
                self.reserved.push(domain);
            }
        }
        Some(())
    }

    /// What the lists say of a domain, or of the one above it.
    pub fn listed(&self, domain: &Domain) -> Option<String> {
        let mut name = domain.as_str();
        loop {
            if let Some(found) = self.listed.get(name) {
                return Some(format!("{name}: {found}"));
            }
            (_, name) = name.split_once('.')?;
        }
    }

    /// Domains of bodies whose look-alikes are looked for beside those of registered authorities.
    pub fn reserved(&self) -> impl Iterator<Item = &Domain> + Clone {
        self.reserved.iter()
    }

    /// The public suffixes.
    pub fn suffixes(&self) -> &Suffixes {
        &self.suffixes
    }

    /// Whether a domain is one below which anybody may register.
    pub fn is_suffix(&self, domain: &Domain) -> bool {
        self.suffixes.registered(domain).is_none()
    }

    /// The court that goes by a name, by its short id. A court's name in a letter is its writer's word.
    pub fn court(&self, name: &str) -> Option<&str> {
        self.courts.get(&plain(name)).map(String::as_str)
    }
}

fn plain(name: &str) -> String {
    let words: Vec<_> = name
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    words.join(" ").to_lowercase()
}

fn text(path: &Path) -> Result<String, HintsError> {
    let read = |source| HintsError::Read {
        path: path.to_owned(),
        source,
    };
    let mut text = String::new();
    let file = fs::File::open(path).map_err(read)?;
    file.take(LIST_BYTES_MAX)
        .read_to_string(&mut text)
        .map_err(read)?;
    Ok(text)
}

/// The fields of one line of CSV.
fn fields(line: &str) -> Vec<String> {
    let (mut fields, mut field, mut quoted) = (Vec::new(), String::new(), false);
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(std::mem::take(&mut field)),
            other => field.push(other),
        }
    }
    fields.push(field);
    fields
}
