//! Axes: where ticks stand, and what they say. Durations tick in minutes and hours, times in days and months.

use chrono::{DateTime, Datelike, NaiveDate};

use crate::unit::is_duration;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Unit {
    #[default]
    Number,
    /// Shown as `1m 30s`.
    Seconds,
    Percent,
}

impl Unit {
    /// By the column's name, which ends in its unit.
    pub fn of(column: &str) -> Unit {
        if is_duration(column) {
            Unit::Seconds
        } else if column.ends_with("_pct") || column == "pct" {
            Unit::Percent
        } else {
            Unit::Number
        }
    }

    /// A value by itself, such as the one at a bar's end.
    pub fn value(self, value: f64) -> String {
        match self {
            Unit::Seconds => duration(value),
            Unit::Percent => format!("{}%", rounded(value)),
            Unit::Number => rounded(value),
        }
    }
}

/// Places of ticks with their labels.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Axis {
    pub low: f64,
    pub high: f64,
    pub ticks: Vec<(f64, String)>,
}

impl Axis {
    /// From 0 to 1 along the axis.
    pub fn share(&self, value: f64) -> f64 {
        if self.high > self.low {
            (value - self.low) / (self.high - self.low)
        } else {
            0.5
        }
    }

    /// As [`share`](Self::share), for bars: where all are 0, none reaches anywhere.
    pub fn reach(&self, value: f64) -> f64 {
        if self.high > self.low {
            self.share(value)
        } else {
            0.0
        }
    }
}

/// An axis over the values that begins and ends with a tick; about as many ticks as wanted.
pub(super) fn axis(unit: Unit, low: f64, high: f64, wanted: usize) -> Axis {
    let (low, high) = if low == high {
        (low.min(0.0), if high == 0.0 { 1.0 } else { high.max(0.0) })
    } else {
        (low, high)
    };
    let step = step(unit, (high - low) / wanted.max(1) as f64);
    let (first, last) = ((low / step).floor(), (high / step).ceil());
    let decimals = if step >= 1.0 {
        0
    } else {
        (-step.log10()).ceil().clamp(0.0, 9.0) as usize
    };
    let label = |value: f64| match unit {
        Unit::Seconds if step >= 1.0 => duration(value),
        Unit::Seconds => format!("{value:.decimals$}s"),
        Unit::Percent => format!("{value:.decimals$}%"),
        Unit::Number => grouped(value, decimals),
    };
    let count = (last - first).round().max(1.0) as usize;
    let ticks = (0..=count).map(|tick| {
        let value = (first + tick as f64) * step;
        (value, label(value))
    });
    Axis {
        low: first * step,
        high: (first + count as f64) * step,
        ticks: ticks.collect(),
    }
}

/// The least round step that is not below the given one.
fn step(unit: Unit, least: f64) -> f64 {
    const DURATIONS: [f64; 18] = [
        1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0,
        10800.0, 21600.0, 43200.0, 86400.0,
    ];
    let round = |least: f64| {
        let power = 10f64.powf(least.log10().floor());
        let factor = [1.0, 2.0, 5.0, 10.0]
            .into_iter()
            .find(|factor| factor * power >= least * (1.0 - 1e-9));
        factor.unwrap_or(10.0) * power
    };
    match unit {
        Unit::Seconds if least > 0.5 => DURATIONS
            .into_iter()
            .find(|step| *step >= least)
            .unwrap_or_else(|| 86400.0 * round(least / 86400.0)),
        _ => round(least),
    }
}

/// Ticks at round times between the two, and not beyond them.
pub(super) fn time_axis(low: f64, high: f64, wanted: usize) -> Axis {
    const HOUR: f64 = 3600.0;
    const DAY: f64 = 24.0 * HOUR;
    const STEPS: [f64; 15] = [
        60.0,
        300.0,
        900.0,
        1800.0,
        HOUR,
        2.0 * HOUR,
        3.0 * HOUR,
        6.0 * HOUR,
        12.0 * HOUR,
        DAY,
        2.0 * DAY,
        4.0 * DAY,
        7.0 * DAY,
        14.0 * DAY,
        28.0 * DAY,
    ];
    if low == high {
        let ticks = vec![(low, time_name(low))];
        return Axis { low, high, ticks };
    }
    let least = (high - low) / wanted.max(1) as f64;
    let ticks = match STEPS.into_iter().find(|step| *step >= least) {
        Some(step) => {
            // Weeks begin at the first day shown.
            let origin = if step > DAY { low } else { 0.0 };
            let first = ((low - origin) / step).ceil() as i64;
            let last = ((high - origin) / step).floor() as i64;
            let format = if step >= DAY { "%Y-%m-%d" } else { "%H:%M" };
            (first..=last)
                .map(|tick| origin + tick as f64 * step)
                .map(|time| (time, time_label(time, format)))
                .collect()
        }
        None => months(low, high, (least / (28.0 * DAY)).ceil() as i32),
    };
    Axis { low, high, ticks }
}

/// The first of every so many months.
fn months(low: f64, high: f64, wanted: i32) -> Vec<(f64, String)> {
    let every = [1, 2, 3, 6, 12, 24, 60, 120]
        .into_iter()
        .find(|every| *every >= wanted)
        .unwrap_or(240);
    let Some(start) = DateTime::from_timestamp(low as i64, 0) else {
        return Vec::new();
    };
    let months = start.year() * 12 + start.month0() as i32;
    let first = months.div_euclid(every) * every;
    let firsts = (0..).map(|tick| first + tick * every).map_while(|month| {
        let date =
            NaiveDate::from_ymd_opt(month.div_euclid(12), month.rem_euclid(12) as u32 + 1, 1)?;
        let time = date.and_time(chrono::NaiveTime::MIN).and_utc().timestamp() as f64;
        (time <= high).then_some(time)
    });
    firsts
        .filter(|time| *time >= low)
        .map(|time| (time, time_label(time, "%Y-%m")))
        .collect()
}

fn time_label(time: f64, format: &str) -> String {
    let time = DateTime::from_timestamp(time as i64, 0).unwrap_or_default();
    // Midnight says which day begins.
    let is_midnight = (time.timestamp() % 86400) == 0;
    let format = if format == "%H:%M" && is_midnight {
        "%m-%d"
    } else {
        format
    };
    time.format(format).to_string()
}

/// A point of time as the label of a bar or a row.
pub(super) fn time_name(time: f64) -> String {
    let format = if time % 86400.0 == 0.0 {
        "%Y-%m-%d"
    } else {
        "%Y-%m-%d %H:%M"
    };
    let time = DateTime::from_timestamp(time as i64, 0).unwrap_or_default();
    time.format(format).to_string()
}

/// The two largest units: `45s`, `1m 30s`, `2h`, `1d 6h`.
pub(super) fn duration(seconds: f64) -> String {
    if seconds < 0.0 {
        return format!("-{}", duration(-seconds));
    }
    if seconds < 10.0 && seconds.fract() != 0.0 {
        return format!("{seconds:.1}s");
    }
    let whole = seconds.round() as u64;
    let (large, small) = match whole {
        0..60 => return format!("{whole}s"),
        60..3600 => ((whole / 60, "m"), (whole % 60, "s")),
        3600..86400 => ((whole / 3600, "h"), (whole % 3600 / 60, "m")),
        _ => ((whole / 86400, "d"), (whole % 86400 / 3600, "h")),
    };
    if small.0 == 0 {
        format!("{}{}", large.0, large.1)
    } else {
        format!("{}{} {}{}", large.0, large.1, small.0, small.1)
    }
}

/// Up to two decimals, no more than needed.
fn rounded(value: f64) -> String {
    let decimals = if value.fract() == 0.0 || value.abs() >= 1000.0 {
        0
    } else if (value * 10.0).fract().abs() < 1e-9 || value.abs() >= 100.0 {
        1
    } else {
        2
    };
    grouped(value, decimals)
}

/// With a comma between thousands.
fn grouped(value: f64, decimals: usize) -> String {
    let text = format!("{:.decimals$}", value.abs());
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut shown = String::new();
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place) % 3 == 0 {
            shown.push(',');
        }
        shown.push(digit);
    }
    let is_negative = value < 0.0 && text.chars().any(|digit| matches!(digit, '1'..='9'));
    format!("{}{shown}{rest}", if is_negative { "-" } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|(_, label)| label.as_str()).collect()
    }

    #[test]
    fn ticks_are_round_and_cover_the_values() {
        let check = |unit, low, high, expected: &[&str]| {
            assert_eq!(
                labels(&axis(unit, low, high, 4)),
                expected,
                "{low} to {high}"
            );
        };
        check(Unit::Number, 0.0, 37.0, &["0", "10", "20", "30", "40"]);
        check(Unit::Number, 0.0, 4200.0, &["0", "2,000", "4,000", "6,000"]);
        check(Unit::Number, 0.0, 0.9, &["0.0", "0.5", "1.0"]);
        check(Unit::Number, -3.0, 5.0, &["-4", "-2", "0", "2", "4", "6"]);
        check(Unit::Number, 0.0, 0.0, &["0.0", "0.5", "1.0"]);
        check(Unit::Percent, 0.0, 83.0, &["0%", "50%", "100%"]);
        check(Unit::Seconds, 0.0, 200.0, &["0s", "1m", "2m", "3m", "4m"]);
        check(Unit::Seconds, 0.0, 9000.0, &["0s", "1h", "2h", "3h"]);
        check(Unit::Seconds, 0.0, 400_000.0, &["0s", "2d", "4d", "6d"]);
    }

    #[test]
    fn times_tick_at_round_times_within_them() {
        let at = |text: &str| {
            chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M")
                .expect(text)
                .and_utc()
                .timestamp() as f64
        };
        let check = |low: &str, high: &str, expected: &[&str]| {
            let axis = time_axis(at(low), at(high), 4);
            assert_eq!(labels(&axis), expected, "{low} to {high}");
        };
        check(
            "2024-03-01 00:00",
            "2024-03-04 00:00",
            &["2024-03-01", "2024-03-02", "2024-03-03", "2024-03-04"],
        );
        check(
            "2024-03-01 07:10",
            "2024-03-01 18:00",
            &["09:00", "12:00", "15:00", "18:00"],
        );
        check(
            "2024-03-01 18:00",
            "2024-03-02 06:00",
            &["18:00", "21:00", "03-02", "03:00", "06:00"],
        );
        check(
            "2023-11-15 00:00",
            "2024-03-20 00:00",
            &["2024-01", "2024-03"],
        );
    }

    #[test]
    fn durations_have_two_units_and_numbers_have_commas() {
        let check = |seconds: f64, expected: &str| assert_eq!(duration(seconds), expected);
        check(0.0, "0s");
        check(4.5, "4.5s");
        check(59.0, "59s");
        check(90.0, "1m 30s");
        check(7200.0, "2h");
        check(108_000.0, "1d 6h");
        check(-90.0, "-1m 30s");
        assert_eq!(Unit::Number.value(1234567.0), "1,234,567");
        assert_eq!(Unit::Number.value(0.25), "0.25");
        assert_eq!(Unit::Percent.value(12.5), "12.5%");
        assert_eq!(Unit::of("sum(paused_seconds)"), Unit::Seconds);
        assert_eq!(Unit::of("abandoned_within_30_seconds"), Unit::Number);
        assert_eq!(Unit::of("abandoned_pct"), Unit::Percent);
    }
}
