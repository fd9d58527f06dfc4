//! Local strings to instants, by the tz database.
//!
//! The platform writes `send_at`, `closed_at` and `SYSTEM.CHAT_CREATED_DATE` as local time without an
//! offset. Where daylight saving makes a local time ambiguous or impossible, the envelope's `time`
//! decides. Never reads the machine's clock or zone.

use chrono::{DateTime, Datelike, Duration, LocalResult, NaiveDate, NaiveDateTime, TimeZone, Utc};
use chrono_tz::Tz;

/// Zero dates and overflows fall outside; so would a chat from before the platform.
const PLAUSIBLE_YEARS: std::ops::Range<i32> = 2000..2100;

/// A local string that names no instant. Does not show it: anything may stand there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a local time such as 2024-02-29 22:21:47")]
pub struct LocalTimeError;

/// The instant that `local` names in `zone`. In an hour that daylight saving repeats, the reading
/// nearest to `near` wins; in an hour that it skips, the offset before the gap holds.
/// A string that carries its own offset (RFC 3339) is taken at its word.
pub fn instant(
    local: &str,
    zone: Tz,
    near: DateTime<Utc>,
) -> Result<DateTime<Utc>, LocalTimeError> {
    let text = local.trim();
    for format in ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f"] {
        if let Ok(naive) = NaiveDateTime::parse_from_str(text, format) {
            return if PLAUSIBLE_YEARS.contains(&naive.year()) {
                Ok(resolve(naive, zone, near))
            } else {
                Err(LocalTimeError)
            };
        }
    }
    DateTime::parse_from_rfc3339(text)
        .map(|instant| instant.with_timezone(&Utc))
        .ok()
        .filter(|instant| PLAUSIBLE_YEARS.contains(&instant.year()))
        .ok_or(LocalTimeError)
}

fn resolve(naive: NaiveDateTime, zone: Tz, near: DateTime<Utc>) -> DateTime<Utc> {
    match zone.from_local_datetime(&naive) {
        LocalResult::Single(instant) => instant.with_timezone(&Utc),
        LocalResult::Ambiguous(first, second) => {
            let (first, second) = (first.with_timezone(&Utc), second.with_timezone(&Utc));
            if (near - first).abs() <= (near - second).abs() {
                first
            } else {
                second
            }
        }
        LocalResult::None => before_the_gap(naive, zone),
    }
}

/// No zone has moved its clocks by more than a few hours at once: three hours earlier the offset
/// from before the gap is in force.
fn before_the_gap(naive: NaiveDateTime, zone: Tz) -> DateTime<Utc> {
    let lead = Duration::hours(3);
    match zone.from_local_datetime(&(naive - lead)).earliest() {
        Some(earlier) => earlier.with_timezone(&Utc) + lead,
        None => naive.and_utc(),
    }
}

/// The calendar date of `instant` in `zone`.
pub fn local_date(instant: DateTime<Utc>, zone: Tz) -> NaiveDate {
    instant.with_timezone(&zone).date_naive()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(local: &str, near: &str, expected: &str) {
        let near = near.parse().expect("test instant");
        let found = instant(local, Tz::America__Sao_Paulo, near).expect("a local time");
        assert_eq!(
            found.to_rfc3339(),
            expected.replace('Z', "+00:00"),
            "{local}"
        );
    }

    #[test]
    fn local_time_follows_the_tz_database() {
        check(
            "2024-02-29 22:21:47",
            "2024-03-01T01:21:48Z",
            "2024-03-01T01:21:47Z",
        );
        check(
            "2018-12-10 12:00:00",
            "2018-12-10T14:00:01Z",
            "2018-12-10T14:00:00Z",
        );
    }

    #[test]
    fn a_repeated_hour_takes_the_reading_nearest_to_the_delivery() {
        // Clocks went back on 2018-02-18 at 00:00 to 23:00 of the 17th.
        check(
            "2018-02-17 23:30:00",
            "2018-02-18T01:30:01Z",
            "2018-02-18T01:30:00Z",
        );
        check(
            "2018-02-17 23:30:00",
            "2018-02-18T02:30:01Z",
            "2018-02-18T02:30:00Z",
        );
    }

    #[test]
    fn a_skipped_hour_takes_the_offset_before_it() {
        // Clocks went forward on 2018-11-04 at 00:00 to 01:00.
        check(
            "2018-11-04 00:30:00",
            "2018-11-04T03:30:00Z",
            "2018-11-04T03:30:00Z",
        );
    }

    #[test]
    fn an_explicit_offset_is_taken_at_its_word() {
        check(
            "2024-03-01T10:00:00-05:00",
            "2024-03-01T15:00:00Z",
            "2024-03-01T15:00:00Z",
        );
    }

    #[test]
    fn what_is_no_time_is_an_error() {
        for text in [
            "",
            "yesterday",
            "0000-00-00 00:00:00",
            "2024-13-01 00:00:00",
            "+262142-12-31 23:59:59",
        ] {
            assert!(
                instant(text, Tz::America__Sao_Paulo, DateTime::UNIX_EPOCH).is_err(),
                "{text}"
            );
        }
    }
}
