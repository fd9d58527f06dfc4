//! The types a parameter may have, and how a value of each is written.

use std::fmt;

use arrow::datatypes::DataType;
use chrono::{DateTime, Duration, NaiveDate, NaiveDateTime, TimeZone, Utc};
use chrono_tz::Tz;
use datafusion::scalar::ScalarValue;
use datafusion::sql::sqlparser::ast::{self, ExactNumberInfo, TimezoneInfo};

/// What stands for "no value", whatever the type.
const NULL: &str = "NULL";
const UTC: &str = "UTC";
const MICROSECONDS: u64 = 6;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Date,
    /// An instant.
    Timestamp,
    Text,
    BigInt,
    Int,
    Double,
    Boolean,
}

impl Kind {
    pub const ALL: [Kind; 7] = [
        Kind::Date,
        Kind::Timestamp,
        Kind::Text,
        Kind::BigInt,
        Kind::Int,
        Kind::Double,
        Kind::Boolean,
    ];

    /// The type of that name in any case.
    pub fn named(name: &str) -> Option<Kind> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.name().eq_ignore_ascii_case(name))
    }

    /// The nearest type to what DataFusion inferred; text for what has no type of its own here.
    pub(super) fn of(data_type: &DataType) -> Kind {
        match data_type {
            DataType::Date32 | DataType::Date64 => Kind::Date,
            DataType::Timestamp(..) => Kind::Timestamp,
            DataType::Boolean => Kind::Boolean,
            DataType::Dictionary(_, values) => Kind::of(values),
            integer if integer.is_integer() => Kind::BigInt,
            number if number.is_numeric() => Kind::Double,
            _ => Kind::Text,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Kind::Date => "DATE",
            Kind::Timestamp => "TIMESTAMP",
            Kind::Text => "TEXT",
            Kind::BigInt => "BIGINT",
            Kind::Int => "INT",
            Kind::Double => "DOUBLE",
            Kind::Boolean => "BOOLEAN",
        }
    }

    pub(super) fn article(self) -> &'static str {
        if self == Kind::Int { "an" } else { "a" }
    }

    fn example(self) -> &'static str {
        match self {
            Kind::Date => "2024-03-01",
            Kind::Timestamp => "2024-03-01T18:00:00Z, or without offset in the business time zone",
            Kind::Text => "whatsapp",
            Kind::BigInt | Kind::Int => "20",
            Kind::Double => "0.9",
            Kind::Boolean => "true",
        }
    }

    /// As a cast names it. Instants have the precision of the lake's, so that comparing converts no column.
    pub(super) fn sql_type(self) -> ast::DataType {
        match self {
            Kind::Date => ast::DataType::Date,
            Kind::Timestamp => {
                ast::DataType::Timestamp(Some(MICROSECONDS), TimezoneInfo::WithTimeZone)
            }
            Kind::Text => ast::DataType::Text,
            Kind::BigInt => ast::DataType::BigInt(None),
            Kind::Int => ast::DataType::Int(None),
            Kind::Double => ast::DataType::Double(ExactNumberInfo::None),
            Kind::Boolean => ast::DataType::Boolean,
        }
    }

    /// The value that `text` writes, or how it should have been written. Text that says no offset is a
    /// local time of `zone`.
    pub(super) fn parse(self, text: &str, zone: Tz) -> Result<ScalarValue, String> {
        self.read((text != NULL).then_some(text), zone)
            .ok_or_else(|| {
                format!(
                    "{text:?} is no {}; write {}, or NULL",
                    self.name(),
                    self.example()
                )
            })
    }

    fn read(self, text: Option<&str>, zone: Tz) -> Option<ScalarValue> {
        Some(match self {
            Kind::Text => ScalarValue::Utf8View(text.map(str::to_owned)),
            Kind::Date => ScalarValue::Date32(parsed(text, date)?),
            Kind::Timestamp => ScalarValue::TimestampMicrosecond(
                parsed(text, |text| instant(text, zone))?,
                Some(UTC.into()),
            ),
            Kind::BigInt => ScalarValue::Int64(parsed(text, |text| text.parse().ok())?),
            Kind::Int => ScalarValue::Int32(parsed(text, |text| text.parse().ok())?),
            Kind::Double => ScalarValue::Float64(parsed(text, number)?),
            Kind::Boolean => ScalarValue::Boolean(parsed(text, boolean)?),
        })
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// Nothing where the text cannot be read; `Some(None)` where there is none to read.
fn parsed<T>(text: Option<&str>, read: impl FnOnce(&str) -> Option<T>) -> Option<Option<T>> {
    match text {
        None => Some(None),
        Some(text) => read(text.trim()).map(Some),
    }
}

fn date(text: &str) -> Option<i32> {
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    i32::try_from((date - NaiveDate::default()).num_days()).ok()
}

/// The microseconds of what the text says, at the clock of `zone` where it says no offset.
pub(crate) fn instant(text: &str, zone: Tz) -> Option<i64> {
    let with_offset = DateTime::parse_from_rfc3339(&text.replacen(' ', "T", 1));
    let instant = match with_offset {
        Ok(instant) => instant.to_utc(),
        Err(_) => local_instant(local_time(text)?, zone)?,
    };
    Some(instant.timestamp_micros())
}

/// Whether the text is a time that says no offset.
pub(super) fn is_local(text: &str) -> bool {
    let text = text.trim();
    DateTime::parse_from_rfc3339(&text.replacen(' ', "T", 1)).is_err() && local_time(text).is_some()
}

fn local_time(text: &str) -> Option<NaiveDateTime> {
    const FORMATS: [&str; 4] = [
        "%Y-%m-%d %H:%M:%S%.f",
        "%Y-%m-%dT%H:%M:%S%.f",
        "%Y-%m-%d %H:%M",
        "%Y-%m-%dT%H:%M",
    ];
    let time = FORMATS
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok());
    time.or_else(|| {
        NaiveDate::parse_from_str(text, "%Y-%m-%d")
            .ok()?
            .and_hms_opt(0, 0, 0)
    })
}

/// When a local clock first shows `local`; in an hour that it skips, by the offset before it.
pub(crate) fn local_instant(local: NaiveDateTime, zone: Tz) -> Option<DateTime<Utc>> {
    if let Some(instant) = zone.from_local_datetime(&local).earliest() {
        return Some(instant.to_utc());
    }
    // Clocks skip an hour or less, except where a zone left out a whole day.
    (1..=48).find_map(|half_hours| {
        let skipped = Duration::minutes(30 * half_hours);
        let earlier = local.checked_sub_signed(skipped)?;
        let instant = zone.from_local_datetime(&earlier).latest()?;
        instant.to_utc().checked_add_signed(skipped)
    })
}

/// Neither NaN nor infinite: nothing can be compared with those.
fn number(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kind: Kind, text: &str, expected: &str) {
        let value = kind.parse(text, Tz::America__Sao_Paulo).expect(text);
        assert_eq!(format!("{value:?}"), expected, "{text}");
    }

    /// Expects the text to be the same instant as `expected`, which says its offset.
    fn check_instant(text: &str, expected: &str) {
        let instant = |text| Kind::Timestamp.parse(text, Tz::America__Sao_Paulo);
        assert_eq!(instant(text), instant(expected), "{text}");
    }

    #[test]
    fn values_are_of_their_type_and_null_is_of_every_type() {
        check(Kind::Date, "1970-01-11", "Date32(\"1970-01-11\")");
        check(Kind::Text, " a ", "Utf8View(\" a \")");
        check(Kind::BigInt, "-9", "Int64(-9)");
        check(Kind::Int, "2147483647", "Int32(2147483647)");
        check(Kind::Double, "1e3", "Float64(1000)");
        check(Kind::Boolean, "True", "Boolean(true)");
        check(Kind::Text, "NULL", "Utf8View(NULL)");
        check(Kind::Int, "NULL", "Int32(NULL)");
        for (kind, text) in [
            (Kind::Int, "2147483648"),
            (Kind::BigInt, ""),
            (Kind::Double, "NaN"),
            (Kind::Boolean, "1"),
            (Kind::Date, "2024-13-01"),
            (Kind::Timestamp, "2024-03-01T25:00:00Z"),
        ] {
            assert!(kind.parse(text, Tz::UTC).is_err(), "{kind} {text}");
        }
    }

    #[test]
    fn a_local_time_is_the_first_such_and_a_skipped_one_goes_by_the_offset_before() {
        check_instant("2024-03-01 10:00", "2024-03-01T10:00:00-03:00");
        check_instant("2019-02-16T23:30:00", "2019-02-16T23:30:00-02:00");
        check_instant("2018-11-04 00:30:00", "2018-11-04T00:30:00-03:00");
        check_instant("2018-11-04", "2018-11-04T03:00:00Z");
    }
}
