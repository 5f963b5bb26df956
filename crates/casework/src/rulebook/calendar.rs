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
    #[serde(rename = "citation")]
    _citation: String,
    #[serde(rename = "verified_on")]
    _verified_on: Date,
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
}

#[derive(Debug)]
struct Holiday {
    name: String,
    from: i16,
    day: HolidayDay,
}

#[derive(Debug)]
enum HolidayDay {
    Fixed { month: i8, day: i8 },
    Nth { month: i8, weekday: Weekday, nth: i8 },
    OnOrAfter { month: i8, day: i8, weekday: Weekday },
    Easter { after: i16 },
    OrthodoxEaster { after: i16 },
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
    pub(super) fn days_after(&self, from: Date, start: &str, days: u16, roll: bool) -> Option<Counted> {
        let last = from.checked_add(i32::from(days).days()).ok()?;
        let words = match days {
            0 => format!("{start} {from}, until the end of that day in {}", self.place),
            _ => self.words(days, "days", start, from),
        };
        self.ending(last, words, roll)
    }

    /// `months` after `from`: the period ends with the day of the same number, or the month's last.
    pub(super) fn months_after(&self, from: Date, start: &str, months: u16, roll: bool) -> Option<Counted> {
        let last = from.checked_add(i32::from(months).months()).ok()?;
        self.ending(last, self.words(months, "month(s)", start, from), roll)
    }

    /// The end of the `days`-th day after `from` on which this calendar works.
    pub(super) fn working_days_after(&self, from: Date, start: &str, days: u16) -> Option<Counted> {
        let mut on = from;
        for _ in 0..days.min(WORKING_DAYS_MAX) {
            on = self.next_working(on.tomorrow().ok()?)?;
        }
        self.ending(on, self.words(days, "working days", start, from), false)
    }

    fn words(&self, number: u16, unit: &str, start: &str, from: Date) -> String {
        format!(
            "{number} {unit} after {start} {from}, that day not counted, until the end of the last day in {}",
            self.place
        )
    }

    fn ending(&self, last: Date, mut words: String, roll: bool) -> Option<Counted> {
        let on = if roll { self.next_working(last)? } else { last };
        if let Some(reason) = self.not_working(last).filter(|_| roll) {
            words.push_str(&format!("; {last} is {reason}, so the next working day counts"));
        }
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
            let name = if on.weekday() == Weekday::Saturday {
                "a Saturday"
            } else {
                "a Sunday"
            };
            return Some(name.to_owned());
        }
        // A holiday kept on a neighbouring day may belong to the next or the last year.
        (-1..=1)
            .filter_map(|shift| on.year().checked_add(shift))
            .flat_map(|year| self.holidays.iter().map(move |holiday| (year, holiday)))
            .find(|(year, holiday)| holiday.in_year(*year).is_some_and(|day| self.kept_on(day) == on))
            .map(|(_, holiday)| holiday.name.clone())
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
        if year < self.from {
            return None;
        }
        match self.day {
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
        })
    }
}

impl TryFrom<HolidayRow> for Holiday {
    type Error = String;
    fn try_from(row: HolidayRow) -> Result<Self, String> {
        let weekday = row.weekday.map(Weekday::from);
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
            day,
        };
        // A leap year, so that 29 February counts as a day.
        let leap = 2028.max(holiday.from);
        match holiday.in_year(leap) {
            Some(_) => Ok(holiday),
            None => Err(format!("holiday `{}` is no day of the year", holiday.name)),
        }
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
mod tests {
    use jiff::civil::date;

    use super::*;

    fn federal() -> Calendar {
        let tables: super::super::table::Tables =
            toml::from_str(include_str!("../../../../rulebooks/us/calendars.toml")).unwrap();
        tables
            .calendar
            .into_iter()
            .find(|(id, _)| id == "us.federal")
            .unwrap()
            .1
    }

    #[test]
    fn easter_falls_where_the_churches_say() {
        for (year, western, eastern) in [
            (2024, date(2024, 3, 31), date(2024, 5, 5)),
            (2025, date(2025, 4, 20), date(2025, 4, 20)),
            (2026, date(2026, 4, 5), date(2026, 4, 12)),
            (2027, date(2027, 3, 28), date(2027, 5, 2)),
            (2038, date(2038, 4, 25), date(2038, 4, 25)),
        ] {
            assert_eq!(easter(year), Some(western));
            assert_eq!(orthodox_easter(year), Some(eastern));
        }
    }

    /// Fed. R. Crim. P. 45(a)(1): leave out the day of the event, count every day, and roll a last day on which the
    /// court is closed.
    #[test]
    fn fourteen_days_end_on_a_day_the_court_is_open() {
        for (served, last, why) in [
            (date(2026, 11, 2), date(2026, 11, 16), "a Monday"),
            (
                date(2026, 11, 21),
                date(2026, 12, 7),
                "a Saturday rolls to Monday",
            ),
            (
                date(2026, 11, 12),
                date(2026, 11, 27),
                "Thanksgiving rolls to Friday",
            ),
            (
                date(2026, 6, 19),
                date(2026, 7, 6),
                "3 July 2026 is kept for the Fourth, then a weekend",
            ),
            (
                date(2026, 12, 11),
                date(2026, 12, 28),
                "Christmas, then a weekend",
            ),
            (
                date(2027, 12, 17),
                date(2028, 1, 3),
                "New Year's Day 2028 is a Saturday, kept on Friday in 2027",
            ),
            (
                date(2020, 6, 5),
                date(2020, 6, 19),
                "Juneteenth was no federal holiday before 2021",
            ),
            (date(2026, 6, 5), date(2026, 6, 22), "Juneteenth, then a weekend"),
        ] {
            let counted = federal().days_after(served, "service on", 14, true).unwrap();
            assert_eq!(counted.on, last, "{why}");
        }
    }

    #[test]
    fn days_end_in_the_laws_own_zone() {
        let counted = federal()
            .days_after(date(2026, 10, 20), "service on", 14, true)
            .unwrap();
        assert_eq!(
            counted.at.to_string(),
            "2026-11-04T04:59:59Z",
            "standard time by then"
        );
        // 01:30 UTC is still the day before in New York.
        assert_eq!(
            federal().date_of("2026-11-03T01:30:00Z".parse().unwrap()),
            date(2026, 11, 2)
        );
    }

    #[test]
    fn counting_near_the_end_of_time_gives_nothing_rather_than_a_panic() {
        assert!(federal().days_after(Date::MAX, "service on", 14, true).is_none());
        assert!(federal().hours_after(Timestamp::MAX, "service", 8).is_none());
    }
}
