//! Values as text for the formats that people read.

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::intervals;
use crate::unit::is_duration;

/// The column's values in order, NULL as `null`.
pub(super) fn cells(column: &ArrayRef, null: &str) -> Result<Vec<String>, ArrowError> {
    let lengths = intervals::texts(column)?;
    let column = lengths.as_ref().unwrap_or(column);
    let options = FormatOptions::new()
        .with_null(null)
        .with_timestamp_format(Some("%Y-%m-%d %H:%M:%S%.f"))
        .with_timestamp_tz_format(Some(match column.data_type() {
            DataType::Timestamp(_, Some(zone)) if is_utc(zone) => "%Y-%m-%d %H:%M:%S%.fZ",
            _ => "%Y-%m-%d %H:%M:%S%.f%:z",
        }));
    let formatter = ArrayFormatter::try_new(column.as_ref(), &options)?;
    (0..column.len())
        .map(|row| formatter.value(row).try_to_string())
        .collect()
}

fn is_utc(zone: &str) -> bool {
    matches!(zone, "UTC" | "Z" | "+00:00" | "Etc/UTC")
}

/// Whether values of the column are compared by size, and so stand to the right.
pub(super) fn is_number(field: &Field) -> bool {
    field.data_type().is_numeric() || is_duration(field.name())
}

/// Whether a part of a value would be another value: of numbers, and of dates and times.
pub(super) fn is_whole(field: &Field) -> bool {
    field.data_type().is_temporal() || is_number(field)
}
