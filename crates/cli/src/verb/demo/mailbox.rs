//! A small mailbox of our own, for a demonstration without `--mail`.

use std::path::Path;

use anyhow::Context as _;

/// How many messages are made.
pub const MESSAGES: u32 = 400;

const SUBJECTS: &[&str] = &[
    "Minutes of Tuesday",
    "Invoice",
    "Holiday plans",
    "Draft for review",
    "Lunch?",
    "Train times",
];
const WORDS: &[&str] = &[
    "ledger", "harbour", "window", "garden", "concert", "winter", "bicycle", "kettle", "library", "orchard",
    "platform", "umbrella",
];

/// Writes the messages into `dir`, one file each, dated over August, September and October 2002.
///
/// # Errors
/// When the folder cannot be written.
pub fn write(dir: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(dir).with_context(|| format!("cannot make `{}`", dir.display()))?;
    for number in 0..MESSAGES {
        let day = number % 90;
        let (month, of_month) = match day / 30 {
            0 => ("Aug", day % 30 + 1),
            1 => ("Sep", day % 30 + 1),
            _ => ("Oct", day % 30 + 1),
        };
        let pick = |list: &[&'static str], salt: u32| -> &'static str {
            let length = u32::try_from(list.len()).unwrap_or(1);
            list.get(((number * 7 + salt * 13) % length) as usize)
                .copied()
                .unwrap_or_default()
        };
        let mut body = String::new();
        for line in 0..12 {
            body.push_str(&format!(
                "Line {line} of message {number}: the {} by the {} near the {}.\r\n",
                pick(WORDS, line),
                pick(WORDS, line + 3),
                pick(WORDS, line + 5)
            ));
        }
        let message = format!(
            "From: writer{}@example.org\r\nTo: reader{}@example.net\r\nSubject: {} {number}\r\n\
             Date: {of_month} {month} 2002 {:02}:{:02}:00 +0200\r\nMessage-ID: <{number}@example.org>\r\n\r\n{body}",
            number % 17,
            number % 11,
            pick(SUBJECTS, 1),
            number % 24,
            number % 60,
        );
        let path = dir.join(format!("{number:05}.eml"));
        std::fs::write(&path, message).with_context(|| format!("cannot write `{}`", path.display()))?;
    }
    Ok(())
}
