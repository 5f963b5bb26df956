//! Counting days as procedure counts them.
//!
//! A calendar is data: its zone as a POSIX TZ rule, its weekend, its holidays. No time zone database is read, so every
//! machine counts alike.

use jiff::{
    SignedDuration, Timestamp, ToSpan,
    civil::{Date, Weekday},
    tz::TimeZone,
};
use serde::Deserialize;

use super::rule::Source;

/// Most days that a deadline may roll. No real run of holidays is longer.
const ROLL_MAX: usize = 14;
/// Most working days that a period may have.
const WORKING_DAYS_MAX: u16 = 366;

/// Where and how days are counted.
#[derive(Debug, Deserialize)]
#[serde(try_from = "CalendarRow")]
pub(super) struct Calendar {
    place: String,
    zone: TimeZone,
    weekend: Vec<Weekday>,
    holidays: Vec<Holiday>,
    observed: bool,
    least_working_days: u8,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CalendarRow {
    /// Whose days, in words.
    place: String,
    /// A POSIX TZ rule: `CET-1CEST,M3.5.0,M10.5.0/3`.
    zone: String,
    #[serde(default)]
    weekend: Vec<WeekdayName>,
    #[serde(default)]
    holidays: Vec<HolidayRow>,
    /// A holiday on Saturday is kept on Friday, one on Sunday on Monday (5 U.S.C. 6103(b)).
    #[serde(default)]
    observed: bool,
    /// How many working days a period of two days or more has at least, where it rolls (Regulation 1182/71, Art. 3(5)).
    #[serde(default)]
    least_working_days: u8,
    #[serde(rename = "citation")]
    _citation: String,
    #[serde(rename = "verified_on")]
    _verified_on: Date,
    /// What was read to check it; absent, it was written from memory.
    #[serde(default, rename = "source")]
    _source: Source,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum WeekdayName {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HolidayRow {
    name: String,
    #[serde(default)]
    month: Option<i8>,
    #[serde(default)]
    day: Option<i8>,
    #[serde(default)]
    weekday: Option<WeekdayName>,
    /// 1 is the first, -1 the last.
    #[serde(default)]
    nth: Option<i8>,
    /// Days after Easter Sunday.
    #[serde(default)]
    easter: Option<i16>,
    /// Days after Orthodox Easter Sunday.
    #[serde(default)]
    orthodox_easter: Option<i16>,
    /// First year.
    #[serde(default)]
    from: Option<i16>,
    /// Last year.
    #[serde(default)]
    until: Option<i16>,
    /// One single day, where a law or a proclamation sets one.
    #[serde(default)]
    on: Option<Date>,
    /// Kept on the first day after it that is neither weekend nor another holiday, where it falls on a weekend: a
    /// substitute day.
    #[serde(default)]
    substitute: bool,
}

#[derive(Debug)]
struct Holiday {
    name: String,
    from: i16,
    until: i16,
    day: HolidayDay,
    substitute: bool,
}

#[derive(Debug)]
enum HolidayDay {
    Fixed { month: i8, day: i8 },
    Nth { month: i8, weekday: Weekday, nth: i8 },
    OnOrAfter { month: i8, day: i8, weekday: Weekday },
    Easter { after: i16 },
    OrthodoxEaster { after: i16 },
    Once { on: Date },
}

/// A date, counted.
pub(super) struct Counted {
    pub(super) at: Timestamp,
    pub(super) on: Date,
    pub(super) words: String,
}

impl Calendar {
    /// The civil date of an instant here.
    pub(super) fn date_of(&self, at: Timestamp) -> Date {
        self.zone.to_datetime(at).date()
    }

    /// `days` after `from`, that day itself not counted; the period ends with the last day's last second.
    pub(super) fn days_after(&self, from: Date, start: &str, days: u16) -> Option<(Date, String)> {
        let last = from.checked_add(i32::from(days).days()).ok()?;
        let words = match days {
            0 => format!("{start} {from}, until the end of that day in {}", self.place),
            _ => self.words(days, "days", start, from),
        };
        Some((last, words))
    }

    /// `months` after `from`: the period ends with the day of the same number, or the month's last.
    pub(super) fn months_after(&self, from: Date, start: &str, months: u16) -> Option<(Date, String)> {
        let last = from.checked_add(i32::from(months).months()).ok()?;
        Some((last, self.words(months, "month(s)", start, from)))
    }

    /// The `days`-th day after `from` on which this calendar works.
    pub(super) fn working_days_after(&self, from: Date, start: &str, days: u16) -> Option<(Date, String)> {
        let mut on = from;
        for _ in 0..days.min(WORKING_DAYS_MAX) {
            on = self.next_working(on.tomorrow().ok()?)?;
        }
        Some((on, self.words(days, "working days", start, from)))
    }

    fn words(&self, number: u16, unit: &str, start: &str, from: Date) -> String {
        format!(
            "{number} {unit} after {start} {from}, that day not counted, until the end of the last day in {}",
            self.place
        )
    }

    /// The last day of a period that began on `from` and would end on `last`, rolled to a working day where it rolls.
    pub(super) fn rolled(&self, from: Date, last: Date, words: &mut String) -> Option<Date> {
        let mut on = self.next_working(last)?;
        if let Some(reason) = self.not_working(last) {
            words.push_str(&format!("; {last} is {reason}, so the next working day counts"));
        }
        let two_days = from.checked_add(2.days()).ok()?;
        if self.least_working_days > 0 && last >= two_days {
            let mut missing = self
                .least_working_days
                .saturating_sub(self.working_days_between(from, on));
            while missing > 0 {
                on = self.next_working(on.tomorrow().ok()?)?;
                missing = missing.saturating_sub(1);
                words.push_str(&format!(
                    "; a period of two days or more has at least {} working days, so it runs to {on}",
                    self.least_working_days
                ));
            }
        }
        Some(on)
    }

    /// Working days after `from`, up to and with `last`, as far as they matter for the least number.
    fn working_days_between(&self, from: Date, last: Date) -> u8 {
        let mut count = 0_u8;
        let mut on = from;
        while let Ok(next) = on.tomorrow() {
            if next > last || count >= self.least_working_days {
                break;
            }
            count = count.saturating_add(u8::from(self.not_working(next).is_none()));
            on = next;
        }
        count
    }

    /// The end of that day here.
    pub(super) fn ending(&self, on: Date, words: String) -> Option<Counted> {
        Some(Counted {
            at: self.last_second(on)?,
            on,
            words,
        })
    }

    /// That day, or the first after it on which people work.
    fn next_working(&self, mut on: Date) -> Option<Date> {
        for _ in 0..ROLL_MAX {
            if self.not_working(on).is_none() {
                break;
            }
            on = on.tomorrow().ok()?;
        }
        Some(on)
    }

    /// `hours` after an instant. Hours run through weekends and holidays.
    pub(super) fn hours_after(&self, from: Timestamp, start: &str, hours: u16) -> Option<Counted> {
        let at = from
            .checked_add(SignedDuration::from_hours(i64::from(hours)))
            .ok()?;
        Some(Counted {
            at,
            on: self.date_of(at),
            words: format!("{hours} hours after {start} at {from}, nights and holidays included"),
        })
    }

    fn last_second(&self, on: Date) -> Option<Timestamp> {
        self.zone
            .to_ambiguous_timestamp(on.at(23, 59, 59, 0))
            .later()
            .ok()
    }

    /// Why nobody works that day, if so.
    fn not_working(&self, on: Date) -> Option<String> {
        if self.weekend.contains(&on.weekday()) {
            return Some(format!("a {}", name_of(on.weekday())));
        }
        // A holiday kept on a neighbouring day may belong to the next or the last year.
        let found = || {
            (-1..=1)
                .filter_map(|shift| on.year().checked_add(shift))
                .flat_map(|year| self.holidays.iter().map(move |holiday| (year, holiday)))
                .filter_map(|(year, holiday)| Some((holiday, holiday.in_year(year)?)))
        };
        if let Some((holiday, _)) = found().find(|(_, day)| self.kept_on(*day) == on) {
            return Some(holiday.name.clone());
        }
        self.substitutes(on, found())
    }

    /// The holiday whose substitute day this is. Substitutes are taken one after the other, each on the first free day.
    fn substitutes<'a>(
        &'a self,
        on: Date,
        found: impl Iterator<Item = (&'a Holiday, Date)> + Clone,
    ) -> Option<String> {
        let on_a_weekend = |day: &Date| self.weekend.contains(&day.weekday());
        let mut fallen: Vec<(Date, &Holiday)> = found
            .clone()
            .filter(|(holiday, day)| holiday.substitute && on_a_weekend(day))
            .map(|(holiday, day)| (day, holiday))
            .collect();
        fallen.sort_by_key(|(day, _)| *day);
        let mut taken: Vec<Date> = Vec::new();
        for (day, holiday) in fallen {
            let mut free = day;
            for _ in 0..ROLL_MAX {
                let kept = found.clone().any(|(_, other)| other == free);
                if !on_a_weekend(&free) && !kept && !taken.contains(&free) {
                    break;
                }
                free = free.tomorrow().ok()?;
            }
            if free == on {
                return Some(format!("the substitute for {}", holiday.name));
            }
            taken.push(free);
        }
        None
    }

    fn kept_on(&self, day: Date) -> Date {
        match (self.observed, day.weekday()) {
            (true, Weekday::Saturday) => day.yesterday().unwrap_or(day),
            (true, Weekday::Sunday) => day.tomorrow().unwrap_or(day),
            _ => day,
        }
    }
}

impl Holiday {
    fn in_year(&self, year: i16) -> Option<Date> {
        if year < self.from || year > self.until {
            return None;
        }
        match self.day {
            HolidayDay::Once { on } => (on.year() == year).then_some(on),
            HolidayDay::Fixed { month, day } => Date::new(year, month, day).ok(),
            HolidayDay::Nth { month, weekday, nth } => Date::new(year, month, 1)
                .ok()?
                .nth_weekday_of_month(nth, weekday)
                .ok(),
            HolidayDay::OnOrAfter { month, day, weekday } => {
                let first = Date::new(year, month, day).ok()?;
                first.yesterday().ok()?.nth_weekday(1, weekday).ok()
            }
            HolidayDay::Easter { after } => easter(year)?.checked_add(i32::from(after).days()).ok(),
            HolidayDay::OrthodoxEaster { after } => {
                orthodox_easter(year)?.checked_add(i32::from(after).days()).ok()
            }
        }
    }
}

/// Easter Sunday in the Gregorian calendar (the anonymous algorithm; Meeus, *Astronomical Algorithms*, ch. 8).
fn easter(year: i16) -> Option<Date> {
    let year_number = i32::from(year);
    let (a, b, c) = (year_number % 19, year_number / 100, year_number % 100);
    let (d, e) = (b / 4, b % 4);
    let g = (b - (b + 8) / 25 + 1) / 3;
    let h = (19 * a + b - d - g + 15) % 30;
    let (i, k) = (c / 4, c % 4);
    let l = (32 + 2 * e + 2 * i - h - k) % 7;
    let m = (a + 11 * h + 22 * l) / 451;
    let n = h + l - 7 * m + 114;
    Date::new(year, i8::try_from(n / 31).ok()?, i8::try_from(n % 31 + 1).ok()?).ok()
}

/// Easter Sunday of the Orthodox churches, as a Gregorian date (Meeus's Julian algorithm; 13 days apart until 2099).
fn orthodox_easter(year: i16) -> Option<Date> {
    let year_number = i32::from(year);
    let (a, b, c) = (year_number % 4, year_number % 7, year_number % 19);
    let d = (19 * c + 15) % 30;
    let e = (2 * a + 4 * b - d + 34) % 7;
    let n = d + e + 114;
    let julian = Date::new(year, i8::try_from(n / 31).ok()?, i8::try_from(n % 31 + 1).ok()?).ok()?;
    julian.checked_add(13.days()).ok()
}

impl TryFrom<CalendarRow> for Calendar {
    type Error = String;
    fn try_from(row: CalendarRow) -> Result<Self, String> {
        let zone = TimeZone::posix(&row.zone).map_err(|e| {
            format!(
                "zone `{}` is not a POSIX TZ rule: {e}; write one such as `CET-1CEST,M3.5.0,M10.5.0/3`",
                row.zone
            )
        })?;
        Ok(Self {
            place: row.place,
            zone,
            weekend: row.weekend.into_iter().map(Weekday::from).collect(),
            holidays: row
                .holidays
                .into_iter()
                .map(Holiday::try_from)
                .collect::<Result<_, _>>()?,
            observed: row.observed,
            least_working_days: row.least_working_days,
        })
    }
}

impl TryFrom<HolidayRow> for Holiday {
    type Error = String;
    fn try_from(row: HolidayRow) -> Result<Self, String> {
        let weekday = row.weekday.map(Weekday::from);
        if let Some(on) = row.on {
            let alone = [row.month, row.day, row.nth].iter().all(Option::is_none)
                && weekday.is_none()
                && [row.easter, row.orthodox_easter, row.from, row.until]
                    .iter()
                    .all(Option::is_none);
            let holiday = Self {
                name: row.name,
                from: i16::MIN,
                until: i16::MAX,
                day: HolidayDay::Once { on },
                substitute: row.substitute,
            };
            return if alone {
                Ok(holiday)
            } else {
                Err(format!(
                    "holiday `{}` gives one single day, `on`, and a rule for every year beside it; keep one",
                    holiday.name
                ))
            };
        }
        let day = match (
            row.month,
            row.day,
            weekday,
            row.nth,
            row.easter,
            row.orthodox_easter,
        ) {
            (Some(month), Some(day), None, None, None, None) => HolidayDay::Fixed { month, day },
            (Some(month), None, Some(weekday), Some(nth), None, None) => {
                HolidayDay::Nth { month, weekday, nth }
            }
            (Some(month), Some(day), Some(weekday), None, None, None) => {
                HolidayDay::OnOrAfter { month, day, weekday }
            }
            (None, None, None, None, Some(after), None) => HolidayDay::Easter { after },
            (None, None, None, None, None, Some(after)) => HolidayDay::OrthodoxEaster { after },
            _ => {
                return Err(format!(
                    "holiday `{}` must give month and day; or month, weekday and nth; or month, day and weekday (the first on or after); or easter; or orthodox_easter",
                    row.name
                ));
            }
        };
        let holiday = Self {
            name: row.name,
            from: row.from.unwrap_or(i16::MIN),
            until: row.until.unwrap_or(i16::MAX),
            day,
            substitute: row.substitute,
        };
        // A leap year, so that 29 February counts as a day.
        let leap = 2028.max(holiday.from).min(holiday.until);
        match holiday.in_year(leap) {
            Some(_) => Ok(holiday),
            None => Err(format!("holiday `{}` is no day of the year", holiday.name)),
        }
    }
}

fn name_of(weekday: Weekday) -> &'static str {
    match weekday {
        Weekday::Monday => "Monday",
        Weekday::Tuesday => "Tuesday",
        Weekday::Wednesday => "Wednesday",
        Weekday::Thursday => "Thursday",
        Weekday::Friday => "Friday",
        Weekday::Saturday => "Saturday",
        Weekday::Sunday => "Sunday",
    }
}

impl From<WeekdayName> for Weekday {
    fn from(name: WeekdayName) -> Self {
        match name {
            WeekdayName::Mon => Self::Monday,
            WeekdayName::Tue => Self::Tuesday,
            WeekdayName::Wed => Self::Wednesday,
            WeekdayName::Thu => Self::Thursday,
            WeekdayName::Fri => Self::Friday,
            WeekdayName::Sat => Self::Saturday,
            WeekdayName::Sun => Self::Sunday,
        }
    }
}

#[cfg(test)]
mod tests;
