//! Lengths of time, as `closed_at - started_at` is one: `00:11:50`, or `3 days 02:04:00.5`, which SQL reads as
//! an INTERVAL.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, TimeUnit};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;

use super::columns::map_columns;

/// The batch with lengths of time as text.
pub(super) fn as_text(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    map_columns(batch, |_, column| {
        Ok(texts(column)?.unwrap_or_else(|| column.clone()))
    })
}

/// The column as text, if it holds lengths of time.
pub(super) fn texts(column: &ArrayRef) -> Result<Option<ArrayRef>, ArrowError> {
    let DataType::Duration(unit) = column.data_type() else {
        return Ok(None);
    };
    let nanoseconds: i128 = match unit {
        TimeUnit::Second => 1_000_000_000,
        TimeUnit::Millisecond => 1_000_000,
        TimeUnit::Microsecond => 1_000,
        TimeUnit::Nanosecond => 1,
    };
    let lengths = cast(column, &DataType::Int64)?;
    let lengths = lengths.as_primitive::<Int64Type>().iter();
    let texts: StringArray = lengths
        .map(|length| length.map(|length| text(i128::from(length) * nanoseconds)))
        .collect();
    Ok(Some(Arc::new(texts)))
}

fn text(nanoseconds: i128) -> String {
    const SECOND: u128 = 1_000_000_000;
    let sign = if nanoseconds < 0 { "-" } else { "" };
    let length = nanoseconds.unsigned_abs();
    let (seconds, rest) = (length / SECOND, length % SECOND);
    let (hours, minutes) = (seconds / 3_600 % 24, seconds / 60 % 60);
    let mut text = match seconds / 86_400 {
        0 => format!("{sign}{hours:02}:{minutes:02}:{:02}", seconds % 60),
        days => format!(
            "{sign}{days} day{} {sign}{hours:02}:{minutes:02}:{:02}",
            if days == 1 { "" } else { "s" },
            seconds % 60
        ),
    };
    if rest > 0 {
        text += format!(".{rest:09}").trim_end_matches('0');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn lengths_of_time_read_as_on_a_clock() {
        for (seconds, expected) in [
            (0.0, "00:00:00"),
            (710.0, "00:11:50"),
            (0.25, "00:00:00.25"),
            (-61.0, "-00:01:01"),
            (86_400.0, "1 day 00:00:00"),
            (-180_000.0, "-2 days -02:00:00"),
        ] {
            assert_eq!(text((seconds * 1e9) as i128), expected, "{seconds}");
        }
    }
}
