//! What a JSON value must look like, said by tables, and where it does not.
//!
//! The few forms that ETSI's schemas use, and no more: closed objects, objects left open, lists, a choice of exactly one,
//! simple types.

use serde_json::{Map, Value};

use crate::simple::Simple;

/// What a value must look like.
pub(crate) enum Shape {
    /// A text of a kind.
    Text(Simple),
    /// A whole number, this or more.
    Whole(u64),
    /// True or false.
    Flag,
    /// Anything.
    Any,
    /// Any object.
    Open,
    /// A list of so many or more.
    List(&'static Shape, usize),
    /// An object with these members and no others.
    Object(&'static [Member]),
    /// An object with these members, and whatever else.
    Loose(&'static [Member]),
    /// These members where it is an object; anything else as it is. The schemas have one such place.
    IfObject(&'static [Member]),
    /// As [`Shape::Object`], where names beginning with `@` may stand beside the members, with texts.
    Annotated(&'static [Member]),
    /// Exactly one of these fits.
    Choice(&'static [Shape]),
    /// An action or its answer: its identifier, and exactly one of these.
    Action(&'static [Member]),
    /// An object of the standard, by its `@xsi:type`.
    Typed(fn(&str) -> Option<&'static [&'static [Member]]>),
}

/// A member of an object.
pub(crate) struct Member {
    name: &'static str,
    shape: &'static Shape,
    needed: bool,
}

/// A member that must be there.
pub(crate) const fn must(name: &'static str, shape: &'static Shape) -> Member {
    Member {
        name,
        shape,
        needed: true,
    }
}

/// A member that may be there.
pub(crate) const fn may(name: &'static str, shape: &'static Shape) -> Member {
    Member {
        name,
        shape,
        needed: false,
    }
}

/// Where a value is not as it must be, and how. Quotes no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Misfit {
    /// From the inside out.
    path: Vec<String>,
    reason: String,
}

impl Misfit {
    fn new(reason: impl Into<String>) -> Self {
        Self {
            path: Vec::new(),
            reason: reason.into(),
        }
    }

    fn under(mut self, step: impl Into<String>) -> Self {
        self.path.push(step.into());
        self
    }
}

impl std::fmt::Display for Misfit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.path.is_empty() {
            return f.write_str(&self.reason);
        }
        f.write_str("`")?;
        for (number, step) in self.path.iter().rev().enumerate() {
            if number > 0 && !step.starts_with('[') {
                f.write_str(".")?;
            }
            f.write_str(step)?;
        }
        write!(f, "` {}", self.reason)
    }
}

/// Name of what every action has.
pub(crate) const ACTION_IDENTIFIER: &str = "ActionIdentifier";
/// Name of what says which object of the standard one is.
pub(crate) const XSI_TYPE: &str = "@xsi:type";

impl Shape {
    /// That `value` looks like this.
    pub(crate) fn fits(&self, value: &Value) -> Result<(), Misfit> {
        match self {
            Self::Any => Ok(()),
            Self::Text(simple) => match value.as_str() {
                Some(text) if simple.admits(text) => Ok(()),
                _ => Err(Misfit::new(format!("is not {}", simple.name()))),
            },
            Self::Whole(least) => match whole(value) {
                Some(number) if number >= *least => Ok(()),
                _ => Err(Misfit::new(format!("is no whole number from {least} on"))),
            },
            Self::Flag => value
                .is_boolean()
                .then_some(())
                .ok_or_else(|| Misfit::new("is neither true nor false")),
            Self::Open => object(value).map(|_| ()),
            Self::List(of, least) => list(value, of, *least),
            Self::Object(members) => {
                let object = object(value)?;
                only(object, &[members], false)?;
                fit_all(object, members)
            }
            Self::Annotated(members) => {
                let object = object(value)?;
                only(object, &[members], true)?;
                fit_all(object, members)
            }
            Self::Loose(members) => fit_all(object(value)?, members),
            Self::IfObject(members) => match value.as_object() {
                Some(object) => fit_all(object, members),
                None => Ok(()),
            },
            Self::Choice(shapes) => choice(value, shapes),
            Self::Action(verbs) => action(object(value)?, verbs),
            Self::Typed(members_of) => {
                let object = object(value)?;
                let named = object.get(XSI_TYPE).and_then(Value::as_str);
                let name = named.ok_or_else(|| Misfit::new(format!("has no `{XSI_TYPE}`")))?;
                let Some(sets) = members_of(name) else {
                    return Err(Misfit::new("is of a type that the standard does not have").under(XSI_TYPE));
                };
                // A kind that is not supported has no tables; what becomes of it is decided by its action.
                if sets.is_empty() {
                    return Ok(());
                }
                only(object, sets, false)?;
                sets.iter().try_for_each(|members| fit_all(object, members))
            }
        }
    }
}

/// A whole number as JSON Schema has it: `1.0` is one.
pub(crate) fn whole(value: &Value) -> Option<u64> {
    if let Some(number) = value.as_u64() {
        return Some(number);
    }
    let number = value.as_f64()?;
    // Beyond this, not every whole number is a double.
    const LARGEST: f64 = 9_007_199_254_740_992.0;
    if number.fract() != 0.0 || !(0.0..=LARGEST).contains(&number) {
        return None;
    }
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "whole, not negative, and at most 2^53"
    )]
    Some(number as u64)
}

fn object(value: &Value) -> Result<&Map<String, Value>, Misfit> {
    value.as_object().ok_or_else(|| Misfit::new("is no object"))
}

fn list(value: &Value, of: &Shape, least: usize) -> Result<(), Misfit> {
    let items = value.as_array().ok_or_else(|| Misfit::new("is no list"))?;
    if items.len() < least {
        return Err(Misfit::new(format!(
            "has {} entries; {least} is the least",
            items.len()
        )));
    }
    let fit = |(number, item)| {
        of.fits(item)
            .map_err(|misfit| misfit.under(format!("[{number}]")))
    };
    items.iter().enumerate().try_for_each(fit)
}

/// That nothing stands in the object but these members.
fn only(object: &Map<String, Value>, sets: &[&[Member]], annotated: bool) -> Result<(), Misfit> {
    for (name, value) in object {
        if sets
            .iter()
            .flat_map(|set| set.iter())
            .any(|member| member.name == name)
        {
            continue;
        }
        if annotated && name.starts_with('@') {
            if value.is_string() {
                continue;
            }
            return Err(Misfit::new("is not a text").under(short(name)));
        }
        return Err(Misfit::new("has no place here").under(short(name)));
    }
    Ok(())
}

fn short(name: &str) -> String {
    name.chars().take(64).collect()
}

fn fit_all(object: &Map<String, Value>, members: &[Member]) -> Result<(), Misfit> {
    for member in members {
        match object.get(member.name) {
            Some(value) => member
                .shape
                .fits(value)
                .map_err(|misfit| misfit.under(member.name))?,
            None if member.needed => return Err(Misfit::new(format!("lacks `{}`", member.name))),
            None => {}
        }
    }
    Ok(())
}

fn choice(value: &Value, shapes: &[Shape]) -> Result<(), Misfit> {
    let mut fitting = 0_usize;
    // What is said is about the alternative that was meant: the one whose first member is there.
    let mut meant = None;
    let mut other = None;
    for shape in shapes {
        match shape.fits(value) {
            Ok(()) => fitting += 1,
            Err(misfit) if shape.leads(value) => meant = meant.or(Some(misfit)),
            Err(misfit) => other = other.or(Some(misfit)),
        }
    }
    match fitting {
        1 => Ok(()),
        0 => Err(meant.or(other).unwrap_or_else(|| Misfit::new("fits nothing"))),
        _ => Err(Misfit::new("is more than one of the things that it may be")),
    }
}

impl Shape {
    /// Whether the first member of this is there.
    fn leads(&self, value: &Value) -> bool {
        match self {
            Self::Loose(members) | Self::Object(members) => members
                .first()
                .is_some_and(|member| value.get(member.name).is_some()),
            _ => false,
        }
    }
}

fn action(object: &Map<String, Value>, verbs: &[Member]) -> Result<(), Misfit> {
    let identifier = object
        .get(ACTION_IDENTIFIER)
        .ok_or_else(|| Misfit::new(format!("lacks `{ACTION_IDENTIFIER}`")))?;
    Shape::Whole(0)
        .fits(identifier)
        .map_err(|misfit| misfit.under(ACTION_IDENTIFIER))?;
    let mut found = 0_usize;
    for (name, value) in object.iter().filter(|(name, _)| *name != ACTION_IDENTIFIER) {
        let Some(verb) = verbs.iter().find(|verb| verb.name == name) else {
            return Err(Misfit::new("is no action").under(short(name)));
        };
        verb.shape.fits(value).map_err(|misfit| misfit.under(verb.name))?;
        found += 1;
    }
    match found {
        1 => Ok(()),
        0 => Err(Misfit::new("names no action")),
        _ => Err(Misfit::new("names more than one action")),
    }
}
