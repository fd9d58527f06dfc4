//! Durations for reading: seconds, by the column's name, as `1h 02m 03s`.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;

use super::columns::map_columns;
use crate::unit::is_duration;

pub(super) fn readable(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    map_columns(batch, |field, column| {
        if is_duration(field.name()) && field.data_type().is_numeric() {
            texts(column)
        } else {
            Ok(column.clone())
        }
    })
}

fn texts(column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let seconds = cast(column, &DataType::Float64)?;
    let texts = seconds.as_primitive::<Float64Type>().iter();
    let texts: StringArray = texts.map(|seconds| seconds.map(readable_seconds)).collect();
    Ok(Arc::new(texts))
}

fn readable_seconds(seconds: f64) -> String {
    if !seconds.is_finite() {
        return seconds.to_string();
    }
    let sign = if seconds < 0.0 { "-" } else { "" };
    let length = seconds.abs();
    // Tenths matter for an average of some seconds, and for nothing longer.
    if length < 10.0 && length.fract() >= 0.05 {
        return format!("{sign}{length:.1}s");
    }
    let whole = length.round() as u64;
    let (days, hours, minutes, seconds) = (
        whole / 86_400,
        whole / 3_600 % 24,
        whole / 60 % 60,
        whole % 60,
    );
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{sign}{seconds}s"),
        (0, 0, _) => format!("{sign}{minutes}m {seconds:02}s"),
        (0, _, _) => format!("{sign}{hours}h {minutes:02}m {seconds:02}s"),
        _ => format!("{sign}{days}d {hours:02}h {minutes:02}m"),
    }
}

#[cfg(test)]
mod tests {
    use super::readable_seconds;

    #[test]
    fn durations_read_as_one_would_say_them() {
        for (seconds, expected) in [
            (0.0, "0s"),
            (8.5, "8.5s"),
            (9.9, "9.9s"),
            (59.6, "1m 00s"),
            (754.0, "12m 34s"),
            (3_723.0, "1h 02m 03s"),
            (266_640.0, "3d 02h 04m"),
            (-61.0, "-1m 01s"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(readable_seconds(seconds), expected, "{seconds}");
        }
    }
}
