use jiff::civil::date;

use super::*;

fn federal() -> Calendar {
    let tables: crate::rulebook::table::Tables =
        toml::from_str(include_str!("../../../../../rulebooks/us/calendars.toml")).unwrap();
    tables
        .calendar
        .into_iter()
        .find(|(id, _)| id == "us.federal")
        .unwrap()
        .1
}

fn rolled(calendar: &Calendar, from: Date, days: u16) -> Date {
    let (last, mut words) = calendar.days_after(from, "service on", days).unwrap();
    calendar.rolled(from, last, &mut words).unwrap()
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
        assert_eq!(rolled(&federal(), served, 14), last, "{why}");
    }
}

#[test]
fn days_end_in_the_laws_own_zone() {
    let counted = federal().ending(date(2026, 11, 3), String::new()).unwrap();
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
    assert!(federal().days_after(Date::MAX, "service on", 14).is_none());
    assert!(federal().hours_after(Timestamp::MAX, "service", 8).is_none());
}
