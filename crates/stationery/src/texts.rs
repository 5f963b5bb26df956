//! The texts of every kind of letter in every language, checked when they are loaded.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{
    letter::{Furniture, is_language},
    template::{Piece, Template, pieces},
};

/// The file of a language that holds its words: not a letter.
const WORDS: &str = "words";

/// A kind of letter, and what it may ask for.
#[derive(Debug, Clone, Copy)]
pub struct KindOfLetter<'a> {
    /// Its name: that of its file.
    pub name: &'a str,
    /// Facts that whoever writes it knows how to give.
    pub facts: &'a [&'a str],
}

/// Texts of letters, by language. None has a kind missing, or asks for what nobody gives.
#[derive(Debug, Clone)]
pub struct Texts {
    languages: BTreeMap<String, Language>,
}

#[derive(Debug, Clone)]
pub(crate) struct Language {
    pub(crate) furniture: Furniture,
    pub(crate) letterhead: Vec<String>,
    pub(crate) not_given: String,
    words: BTreeMap<String, String>,
    pub(crate) templates: BTreeMap<String, Template>,
}

/// What `words.toml` holds.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WordsFile {
    letterhead: Vec<String>,
    not_given: String,
    furniture: Furniture,
    words: BTreeMap<String, String>,
}

/// What is wrong with the texts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the texts of letters do not hold together: `{language}/{kind}.toml`: {reason}")]
pub struct BrokenTexts {
    language: String,
    kind: String,
    reason: String,
}

impl Texts {
    /// Texts out of files: language, kind, content. Every language has every one of `kinds`, and every one of `words`.
    ///
    /// # Errors
    /// [`BrokenTexts`], with the first file that is missing or does not hold.
    pub fn load(
        files: &[(&str, &str, &str)],
        kinds: &[KindOfLetter<'_>],
        words: &[&str],
    ) -> Result<Self, BrokenTexts> {
        let mut languages = BTreeMap::new();
        for (language, _, _) in files {
            if !languages.contains_key(*language) {
                let of: Vec<(&str, &str)> = files
                    .iter()
                    .filter(|(other, ..)| other == language)
                    .map(|(_, kind, text)| (*kind, *text))
                    .collect();
                let loaded =
                    load_language(language, &of, kinds, words).map_err(|(kind, reason)| BrokenTexts {
                        language: (*language).to_owned(),
                        kind,
                        reason,
                    })?;
                languages.insert((*language).to_owned(), loaded);
            }
        }
        Ok(Self { languages })
    }

    /// Languages that there are, in order of their codes.
    pub fn languages(&self) -> impl Iterator<Item = &str> {
        self.languages.keys().map(String::as_str)
    }

    /// One of the words of a language; `None` where there is no such language or word.
    pub fn word(&self, language: &str, name: &str) -> Option<&str> {
        self.languages.get(language)?.words.get(name).map(String::as_str)
    }

    pub(crate) fn language(&self, code: &str) -> Option<&Language> {
        self.languages.get(code)
    }
}

type Wrong = (String, String);

fn load_language(
    code: &str,
    files: &[(&str, &str)],
    kinds: &[KindOfLetter<'_>],
    words: &[&str],
) -> Result<Language, Wrong> {
    let wrong = |kind: &str, reason: String| (kind.to_owned(), reason);
    let find = |kind: &str| {
        let found = files.iter().find(|(name, _)| *name == kind);
        found
            .map(|(_, text)| *text)
            .ok_or_else(|| wrong(kind, "there is no such file".to_owned()))
    };
    if !is_language(code) {
        return Err(wrong(
            WORDS,
            "the folder is not named by a language's code".to_owned(),
        ));
    }
    let own: WordsFile = toml::from_str(find(WORDS)?).map_err(|error| wrong(WORDS, error.to_string()))?;
    if let Some(lacking) = words.iter().find(|word| !own.words.contains_key(**word)) {
        return Err(wrong(WORDS, format!("it lacks the word `{lacking}`")));
    }
    if let Some(odd) = own.words.keys().find(|word| !words.contains(&word.as_str())) {
        return Err(wrong(WORDS, format!("nobody asks for the word `{odd}`")));
    }
    let mut templates = BTreeMap::new();
    for kind in kinds {
        let template: Template =
            toml::from_str(find(kind.name)?).map_err(|error| wrong(kind.name, error.to_string()))?;
        check(&template, kind).map_err(|reason| wrong(kind.name, reason))?;
        templates.insert(kind.name.to_owned(), template);
    }
    let known = |name: &str| name == WORDS || templates.contains_key(name);
    if let Some((odd, _)) = files.iter().find(|(name, _)| !known(name)) {
        return Err(wrong(odd, "there is no such kind of letter".to_owned()));
    }
    Ok(Language {
        furniture: own.furniture,
        letterhead: own.letterhead,
        not_given: own.not_given,
        words: own.words,
        templates,
    })
}

fn check(template: &Template, kind: &KindOfLetter<'_>) -> Result<(), String> {
    let known = |name: &str| match kind.facts.contains(&name) {
        true => Ok(()),
        false => Err(format!("nobody gives `{name}` to this kind of letter")),
    };
    for text in template.texts() {
        let pieces = pieces(text).ok_or_else(|| format!("a brace is left over in `{text}`"))?;
        for piece in pieces {
            if let Piece::Fact(name, _) = piece {
                known(name)?;
            }
        }
    }
    template.names().try_for_each(|name| known(name))?;
    if template.blocks.is_empty() || template.title.trim().is_empty() {
        return Err("it has no title, or says nothing".to_owned());
    }
    Ok(())
}
