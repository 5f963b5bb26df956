//! Names of objects inside a package: safe on every file system, and in a spreadsheet.

/// Longest slug in bytes, without number and folder.
const SLUG_MAX: usize = 60;

/// Longest extension that survives the cut, in bytes and without its dot.
const EXTENSION_MAX: usize = 12;

/// The path of object number `number` (from 1), made from the name the customer gave it: `objects/00001-invoice.eml`.
///
/// Only ASCII letters, digits, `.`, `-` and `_` survive, and the number makes each path unique. The name as it was stays
/// in the manifest.
pub fn object_path(number: usize, name: &str) -> String {
    format!("objects/{number:05}-{}", slug(name))
}

fn slug(name: &str) -> String {
    let last = name
        .rsplit(['/', '\\'])
        .find(|part| !part.is_empty())
        .unwrap_or_default();
    let mut out = String::with_capacity(last.len().min(2 * SLUG_MAX));
    for c in last.chars() {
        let c = if c.is_ascii_alphanumeric() || matches!(c, '.' | '_') {
            c
        } else {
            '-'
        };
        if matches!(c, '-' | '.') && out.ends_with(['-', '.']) {
            continue;
        }
        out.push(c);
    }
    let out = out.trim_matches(['-', '.']);
    if out.is_empty() {
        return "object".to_owned();
    }
    if out.len() <= SLUG_MAX {
        return out.to_owned();
    }
    // All ASCII by now, so byte counts are character counts.
    let extension = out
        .rsplit_once('.')
        .map(|(_, e)| e)
        .filter(|e| e.len() <= EXTENSION_MAX);
    let room = SLUG_MAX - extension.map_or(0, |e| e.len() + 1);
    let stem: String = out.chars().take(room).collect();
    let stem = stem.trim_end_matches(['-', '.']);
    match extension {
        Some(extension) => format!("{stem}.{extension}"),
        None => stem.to_owned(),
    }
}

/// Text for one cell of a CSV file: what a spreadsheet would run as a formula is disarmed by a leading apostrophe, and
/// control characters become U+FFFD. `index.json` holds the same text as it is.
pub fn csv_cell(text: &str) -> String {
    let clean: String = text
        .chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect();
    let starts_formula = clean
        .trim_start()
        .starts_with(['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}']);
    // A control character at the start (tab, carriage return) is skipped by some spreadsheets before they look.
    if starts_formula || clean.starts_with('\u{fffd}') {
        format!("'{clean}")
    } else {
        clean
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_become_safe_paths() {
        for (name, path) in [
            ("mail/alice/inbox/0001.abc.eml", "objects/00007-0001.abc.eml"),
            ("../../etc/passwd", "objects/00007-passwd"),
            ("C:\\Windows\\win.ini", "objects/00007-win.ini"),
            ("", "objects/00007-object"),
            ("...", "objects/00007-object"),
            ("Grüße an Ωmega.eml", "objects/00007-Gr-e-an-mega.eml"),
            ("-rf", "objects/00007-rf"),
            ("a\nb\0c\u{202e}txt.exe", "objects/00007-a-b-c-txt.exe"),
        ] {
            assert_eq!(object_path(7, name), path);
        }
        let long = object_path(100_000, &format!("{}.eml", "x".repeat(500)));
        assert!(
            long.ends_with("xxx.eml") && long.len() <= crate::ustar::PATH_MAX,
            "{long}"
        );
    }

    #[test]
    fn formulas_are_disarmed() {
        for (text, cell) in [
            ("=1+1", "'=1+1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("  -2", "'  -2"),
            ("\t=cmd", "'\u{fffd}=cmd"),
            ("\u{ff1d}1", "'\u{ff1d}1"),
            ("plain", "plain"),
            ("a=b", "a=b"),
        ] {
            assert_eq!(csv_cell(text), cell);
        }
    }

    proptest! {
        #[test]
        fn every_name_fits_the_container(number in 1_usize..=100_000, name in ".{0,300}") {
            let path = object_path(number, &name);
            prop_assert!(crate::ustar::header(&path, 0).is_ok(), "{path}");
            prop_assert!(path.is_ascii());
        }
    }
}
