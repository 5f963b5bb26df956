//! Letters that wait to be sent. They are drawn up by themselves; who is to be told was not told until somebody sends them.

use casework::ids::CaseId;
use service::app::Desk;

use crate::voice::{Format, WARN, say};

/// Says which letters of a case are not sent yet, and what to do about each.
pub(super) async fn remind(desk: &Desk, case: CaseId, format: Format) -> anyhow::Result<()> {
    if format == Format::Json {
        return Ok(());
    }
    let letters = desk.letters(case).await?;
    for letter in letters.iter().filter(|letter| letter.sent_at.is_none()) {
        say!(
            "{WARN}not sent yet{WARN:#} {}: read it with `amparo case letter {case} {}`, send it, and say so with `amparo case sent`",
            letter.kind,
            letter.digest
        );
    }
    Ok(())
}
