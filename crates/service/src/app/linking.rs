//! Demands that follow on each other: amended ones, ones in another's place, ones beside it.

use casework::{
    case::Case,
    demand::Demand,
    event::{Actor, Body, Event, Relation},
    finding::Promise,
    ids::CaseId,
};

use super::{Desk, DeskError, Result, course::Plan};

impl Desk {
    /// Records that a case's demand follows on an earlier one's, in both. Where it takes the earlier one's place, nothing is
    /// released on that any more, and this is recorded first: a crash in between leaves no two demands for one.
    /// Grounds, notices, gags and signatures are not carried over: each demand is judged and answered by itself.
    ///
    /// # Errors
    /// [`DeskError::Invalid`] where a demand would end another authority's; [`DeskError::NotNow`] where a case does not allow it.
    pub async fn link(&self, case: CaseId, actor: Actor, to: CaseId, relation: Relation) -> Result<Event> {
        let (later, earlier) = (self.whole_chain(case).await?, self.whole_chain(to).await?);
        if relation.replaces() {
            same_authority(later.case(), earlier.case())?;
        }
        let known = later.case().file().further().links();
        let linked = Body::Linked { to, relation };
        if !known.contains(&(to, relation)) {
            later.case().may(self.now(), &actor, &linked)?;
        }
        let told = self
            .step(to, |chain| {
                let further = chain.case().file().further();
                let body = match relation.replaces() {
                    true if further.superseded_by() == Some(case) => return Ok(None),
                    true => Body::Superseded { by: case, relation },
                    false if further.followed_by().contains(&case) => return Ok(None),
                    false => Body::FollowedBy { case },
                };
                Ok(Some(Plan::new(actor.clone(), body)))
            })
            .await?;
        let event = self
            .step(case, |chain| {
                let known = chain.case().file().further().links();
                Ok((!known.contains(&(to, relation))).then(|| Plan::new(actor.clone(), linked.clone())))
            })
            .await?;
        event.or(told).ok_or_else(|| DeskError::NotNow {
            promise: Promise::P14,
            reason: "that link is recorded already".to_owned(),
            hint: "nothing is to be recorded",
        })
    }
}

/// Nobody ends another authority's demand with one of its own.
fn same_authority(later: &Case, earlier: &Case) -> Result<()> {
    let named = |demand: &Demand| {
        let words = demand.requester.authority.to_lowercase();
        let words: Vec<&str> = words.split_whitespace().collect();
        (words.join(" "), demand.requester.country.clone())
    };
    let both = later.file().demand().zip(earlier.file().demand());
    match both {
        Some((later, earlier)) if named(later) == named(earlier) => Ok(()),
        Some(_) => Err(DeskError::Invalid {
            what: "the link",
            reason: "the two demands come from different authorities, and none ends another's; record that one follows \
                     the other"
                .to_owned(),
        }),
        None => Err(DeskError::NotNow {
            promise: Promise::P14,
            reason: "one of the two was not read as a demand yet".to_owned(),
            hint: "enter the demand first",
        }),
    }
}
