//! The business calendar: weekly opening intervals less holidays, in local time.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{
    DateTime, Datelike, Days, NaiveDate, NaiveTime, Offset, TimeDelta, TimeZone, Timelike, Utc,
    Weekday,
};
use events::Tz;

/// When the business is open. A weekday not listed is closed.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Calendar {
    /// Per weekday (Monday is 0): opening intervals in seconds of the local day, sorted, disjoint.
    pub intervals: BTreeMap<u8, Vec<(u32, u32)>>,
    pub holidays: BTreeSet<NaiveDate>,
    /// Whether Brazil's national holidays are closed too.
    pub brazil: bool,
}

/// The calendars of a company: its own, and those of departments that keep other hours.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Calendars {
    /// Of everything without a calendar of its own; without it, business seconds are unknown there.
    pub company: Option<Calendar>,
    pub departments: BTreeMap<i64, Calendar>,
}

impl Calendars {
    /// The calendar of a department, or of what is in none.
    pub fn of(&self, department_id: Option<i64>) -> Option<&Calendar> {
        department_id
            .and_then(|id| self.departments.get(&id))
            .or(self.company.as_ref())
    }
}

/// A calendar entry that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CalendarError {
    #[error(
        "{0:?} is no opening interval; write it as \"08:00-12:00\", the end after the start, at most 24:00"
    )]
    Interval(String),
    #[error("opening intervals {0:?} overlap")]
    Overlap(Vec<String>),
    #[error(
        "{0:?} is no holiday; write a date such as \"2024-03-29\", or \"BR\" for the national ones"
    )]
    Holiday(String),
}

impl Calendar {
    /// Sets the opening intervals of a weekday, such as `08:00-12:00`.
    ///
    /// # Errors
    /// [`CalendarError::Interval`], [`CalendarError::Overlap`].
    pub fn open(&mut self, day: Weekday, intervals: &[String]) -> Result<(), CalendarError> {
        let mut parsed = intervals
            .iter()
            .map(|text| interval(text))
            .collect::<Result<Vec<_>, _>>()?;
        parsed.sort_unstable();
        if parsed.windows(2).any(|pair| pair[1].0 < pair[0].1) {
            return Err(CalendarError::Overlap(intervals.to_vec()));
        }
        self.intervals
            .insert(day.num_days_from_monday() as u8, parsed);
        Ok(())
    }

    /// Adds a holiday: a date, or `BR`.
    ///
    /// # Errors
    /// [`CalendarError::Holiday`].
    pub fn close(&mut self, holiday: &str) -> Result<(), CalendarError> {
        if holiday == "BR" {
            self.brazil = true;
            return Ok(());
        }
        let date = holiday
            .parse()
            .map_err(|_| CalendarError::Holiday(holiday.to_owned()))?;
        self.holidays.insert(date);
        Ok(())
    }

    /// The seconds of `from..to` in which the business is open; 0 where it is closed throughout.
    pub fn business_seconds(&self, from: DateTime<Utc>, to: DateTime<Utc>, zone: Tz) -> i64 {
        let local_day = |instant: DateTime<Utc>| instant.with_timezone(&zone).date_naive();
        // A clock put back at midnight returns to the day before.
        let neighbours = Days::new(1);
        let mut day = local_day(from)
            .checked_sub_days(neighbours)
            .unwrap_or(NaiveDate::MIN);
        let last = local_day(to)
            .checked_add_days(neighbours)
            .unwrap_or(NaiveDate::MAX);
        let mut total = 0;
        while day <= last {
            for opening in self.of(day) {
                total += open_seconds(day, *opening, (from, to), zone);
            }
            let Some(next) = day.checked_add_days(Days::new(1)) else {
                break;
            };
            day = next;
        }
        total
    }

    fn of(&self, day: NaiveDate) -> &[(u32, u32)] {
        if self.holidays.contains(&day) || (self.brazil && is_national_holiday(day)) {
            return &[];
        }
        let weekday = day.weekday().num_days_from_monday() as u8;
        self.intervals.get(&weekday).map_or(&[], Vec::as_slice)
    }
}

/// The seconds of `from..to` at which local clocks show a time of the day within the opening: an hour that
/// daylight saving skips is never shown, one that it repeats is shown twice.
fn open_seconds(
    day: NaiveDate,
    (opens, closes): (u32, u32),
    (from, to): (DateTime<Utc>, DateTime<Utc>),
    zone: Tz,
) -> i64 {
    let shown = |second: u32| day.and_time(NaiveTime::MIN).and_utc() + seconds(second);
    let (opens, closes) = (shown(opens), shown(closes));
    let open = |offset: TimeDelta, from: DateTime<Utc>, to: DateTime<Utc>| {
        let part = (closes - offset).min(to) - (opens - offset).max(from);
        part.num_seconds().max(0)
    };
    // No offset is as long as a day: the opening lies between these, whichever of them holds.
    let (before, after) = (opens - TimeDelta::days(1), closes + TimeDelta::days(1));
    let (old, new) = (offset(before, zone), offset(after, zone));
    if old == new {
        return open(old, from, to);
    }
    let change = change_of_offset(before, after, zone);
    open(old, from, to.min(change)) + open(new, from.max(change), to)
}

fn seconds(number: u32) -> TimeDelta {
    TimeDelta::seconds(i64::from(number))
}

/// What local clocks are ahead of UTC by.
fn offset(at: DateTime<Utc>, zone: Tz) -> TimeDelta {
    let ahead = zone.offset_from_utc_datetime(&at.naive_utc()).fix();
    TimeDelta::seconds(i64::from(ahead.local_minus_utc()))
}

/// The first second of the new offset, between an instant of the old one and one of the new: no zone changes
/// twice within days.
fn change_of_offset(mut old: DateTime<Utc>, mut new: DateTime<Utc>, zone: Tz) -> DateTime<Utc> {
    let before = offset(old, zone);
    while new - old > TimeDelta::seconds(1) {
        let middle = old + TimeDelta::seconds((new - old).num_seconds() / 2);
        if offset(middle, zone) == before {
            old = middle;
        } else {
            new = middle;
        }
    }
    new
}

fn interval(text: &str) -> Result<(u32, u32), CalendarError> {
    let bad = || CalendarError::Interval(text.to_owned());
    let (from, to) = text.split_once('-').ok_or_else(bad)?;
    let (from, to) = (
        clock(from.trim()).ok_or_else(bad)?,
        clock(to.trim()).ok_or_else(bad)?,
    );
    if from < to {
        Ok((from, to))
    } else {
        Err(bad())
    }
}

fn clock(text: &str) -> Option<u32> {
    if text == "24:00" {
        return Some(24 * 3600);
    }
    let time = NaiveTime::parse_from_str(text, "%H:%M")
        .or_else(|_| NaiveTime::parse_from_str(text, "%H:%M:%S"));
    time.ok().map(|time| time.num_seconds_from_midnight())
}

/// Brazil's national holidays by law (Lei 662/1949 as amended, 6.802/1980, 14.759/2023 from 2024 on)
/// and Good Friday. Carnival and Corpus Christi are optional days, not national holidays.
fn is_national_holiday(day: NaiveDate) -> bool {
    let fixed = matches!(
        (day.month(), day.day()),
        (1, 1) | (4, 21) | (5, 1) | (9, 7) | (10, 12) | (11, 2) | (11, 15) | (12, 25)
    );
    let black_awareness = day.year() >= 2024 && (day.month(), day.day()) == (11, 20);
    fixed
        || black_awareness
        || easter(day.year()).and_then(|easter| easter.checked_sub_days(Days::new(2))) == Some(day)
}

/// Easter Sunday of the Gregorian calendar (Meeus, Astronomical Algorithms, chapter 8).
fn easter(year: i32) -> Option<NaiveDate> {
    let (a, b, c) = (year % 19, year / 100, year % 100);
    let (d, e) = (b / 4, b % 4);
    let g = (b - (b + 8) / 25 + 1) / 3;
    let h = (19 * a + b - d - g + 15) % 30;
    let l = (32 + 2 * e + 2 * (c / 4) - h - c % 4) % 7;
    let m = (a + 11 * h + 22 * l) / 451;
    let n = h + l - 7 * m + 114;
    NaiveDate::from_ymd_opt(year, (n / 31) as u32, (n % 31 + 1) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZONE: Tz = Tz::America__Sao_Paulo;

    fn weekdays() -> Calendar {
        let mut calendar = Calendar::default();
        for day in [
            Weekday::Mon,
            Weekday::Tue,
            Weekday::Wed,
            Weekday::Thu,
            Weekday::Fri,
        ] {
            calendar
                .open(day, &["13:00-18:00".to_owned(), "08:00-12:00".to_owned()])
                .expect("intervals");
        }
        calendar
    }

    fn check(calendar: &Calendar, from: &str, to: &str, expected: i64) {
        let (from, to) = (from.parse().expect("instant"), to.parse().expect("instant"));
        assert_eq!(
            calendar.business_seconds(from, to, ZONE),
            expected,
            "{from}..{to}"
        );
    }

    #[test]
    fn only_opening_hours_count() {
        // Friday 17:50 to Monday 08:10 local.
        check(
            &weekdays(),
            "2024-03-01T20:50:00Z",
            "2024-03-04T11:10:00Z",
            1200,
        );
        // Over lunch.
        check(
            &weekdays(),
            "2024-03-01T14:50:00Z",
            "2024-03-01T16:10:00Z",
            1200,
        );
        // Saturday.
        check(
            &weekdays(),
            "2024-03-02T13:00:00Z",
            "2024-03-02T14:00:00Z",
            0,
        );
    }

    #[test]
    fn holidays_are_closed() {
        let mut calendar = weekdays();
        calendar.close("BR").expect("BR");
        // Good Friday 2024.
        check(&calendar, "2024-03-29T11:00:00Z", "2024-03-29T21:00:00Z", 0);
        check(
            &weekdays(),
            "2024-03-29T11:00:00Z",
            "2024-03-29T21:00:00Z",
            9 * 3600,
        );
    }

    #[test]
    fn a_dated_holiday_is_closed_in_the_midst_of_an_interval() {
        let mut calendar = weekdays();
        // Thursday 17:00 to Monday 09:00 local, with the Friday between.
        let check_interval = |calendar: &Calendar, hours: i64| {
            let (from, to) = ("2024-02-29T20:00:00Z", "2024-03-04T12:00:00Z");
            check(calendar, from, to, hours * 3600);
        };
        check_interval(&calendar, 1 + 9 + 1);
        calendar.close("2024-03-01").expect("a date");
        check_interval(&calendar, 1 + 1);
        calendar.close("2024-03-04").expect("a date");
        check_interval(&calendar, 1);
    }

    #[test]
    fn easter_falls_on_its_sundays() {
        for (year, month, day) in [
            (2019, 4, 21),
            (2024, 3, 31),
            (2025, 4, 20),
            (2026, 4, 5),
            (2038, 4, 25),
        ] {
            assert_eq!(
                easter(year),
                NaiveDate::from_ymd_opt(year, month, day),
                "{year}"
            );
        }
    }

    #[test]
    fn a_day_that_daylight_saving_shortens_is_no_longer_than_it_is() {
        let mut calendar = Calendar::default();
        calendar
            .open(Weekday::Sun, &["00:00-24:00".to_owned()])
            .expect("interval");
        check(
            &calendar,
            "2018-11-03T12:00:00Z",
            "2018-11-05T12:00:00Z",
            23 * 3600,
        );
    }

    /// Of openings of a weekday in a zone, in an interval.
    fn check_openings(zone: Tz, openings: &[(Weekday, &str)], from: &str, to: &str, expected: i64) {
        let mut calendar = Calendar::default();
        for (day, opening) in openings {
            calendar
                .open(*day, &[(*opening).to_owned()])
                .expect("an interval");
        }
        let (from, to) = (from.parse().expect("instant"), to.parse().expect("instant"));
        assert_eq!(
            calendar.business_seconds(from, to, zone),
            expected,
            "{openings:?} in {from}..{to}"
        );
    }

    #[test]
    fn an_hour_that_daylight_saving_skips_is_not_open() {
        // Clocks went forward on 2018-11-04 at 00:00 to 01:00.
        let check = |openings: &[(Weekday, &str)], expected| {
            let (from, to) = ("2018-11-04T00:00:00Z", "2018-11-05T02:00:00Z");
            check_openings(ZONE, openings, from, to, expected);
        };
        check(&[(Weekday::Sun, "00:00-00:30")], 0);
        check(&[(Weekday::Sun, "00:30-01:30")], 1800);
        check(
            &[(Weekday::Sat, "23:00-24:00"), (Weekday::Sun, "00:00-00:30")],
            3600,
        );
    }

    #[test]
    fn an_hour_that_daylight_saving_repeats_is_open_twice() {
        let sunday = [(Weekday::Sun, "01:00-01:30")];
        let check = |from, to, expected| {
            check_openings(Tz::America__New_York, &sunday, from, to, expected);
        };
        check("2024-11-03T04:00:00Z", "2024-11-03T08:00:00Z", 3600);
        check("2024-11-03T05:15:00Z", "2024-11-03T06:10:00Z", 1500);
        // Clocks went back on 2018-02-18 at 00:00 to 23:00 of the day before.
        let saturday = [(Weekday::Sat, "23:00-24:00")];
        let check = |from, to, expected| check_openings(ZONE, &saturday, from, to, expected);
        check("2018-02-18T00:00:00Z", "2018-02-18T12:00:00Z", 7200);
        check("2018-02-18T01:30:00Z", "2018-02-18T02:30:00Z", 3600);
    }

    #[test]
    fn odd_intervals_are_refused() {
        for text in ["8-12", "12:00-08:00", "08:00", "08:00-25:00"] {
            assert!(
                Calendar::default()
                    .open(Weekday::Mon, &[text.to_owned()])
                    .is_err(),
                "{text}"
            );
        }
    }
}
