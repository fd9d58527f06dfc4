//! The log's statistics of a small file, by which files are found: from its rows, not from the file.
//!
//! As Delta has them: per column the least and the greatest value and how many are NULL. Instants are
//! in milliseconds and never narrower than the truth. Text and floating point have no bounds.

use arrow::array::{Array, ArrayRef, ArrowNativeTypeOp, AsArray, BooleanArray};
use arrow::compute::{max, max_boolean, min, min_boolean};
use arrow::datatypes::{
    ArrowNumericType, DataType, Date32Type, Int8Type, Int16Type, Int32Type, Int64Type, TimeUnit,
    TimestampMicrosecondType,
};
use arrow::record_batch::RecordBatch;
use chrono::{DateTime, SecondsFormat};
use serde_json::{Map, Value, json};

const MICROS_OF_A_MILLI: i64 = 1_000;

/// What the log says of a column.
pub(crate) struct ColumnStatistics {
    pub name: String,
    pub nulls: u64,
    /// The least and the greatest value.
    pub bounds: Option<(Value, Value)>,
}

/// The statistics of a file that holds these rows, for the columns that are to have some.
pub(crate) fn statistics(rows: &RecordBatch, is_indexed: impl Fn(&str) -> bool) -> String {
    let schema = rows.schema();
    let columns = schema.fields().iter().zip(rows.columns());
    let columns = columns.filter(|(field, _)| is_indexed(field.name()));
    let columns = columns.map(|(field, column)| ColumnStatistics {
        name: field.name().clone(),
        nulls: column.null_count() as u64,
        bounds: bounds(column),
    });
    json_of(rows.num_rows(), columns)
}

/// As the log has them.
pub(crate) fn json_of(rows: usize, columns: impl IntoIterator<Item = ColumnStatistics>) -> String {
    let (mut least, mut greatest, mut nulls) = (Map::new(), Map::new(), Map::new());
    for column in columns {
        nulls.insert(column.name.clone(), json!(column.nulls));
        if let Some((low, high)) = column.bounds {
            least.insert(column.name.clone(), low);
            greatest.insert(column.name, high);
        }
    }
    let statistics = json!({
        "numRecords": rows,
        "minValues": least,
        "maxValues": greatest,
        "nullCount": nulls,
    });
    statistics.to_string()
}

/// The bounds of the column's values, if it has any and its type has bounds.
pub(crate) fn bounds(column: &ArrayRef) -> Option<(Value, Value)> {
    match column.data_type() {
        DataType::Int8 => numbers::<Int8Type>(column),
        DataType::Int16 => numbers::<Int16Type>(column),
        DataType::Int32 => numbers::<Int32Type>(column),
        DataType::Int64 => numbers::<Int64Type>(column),
        DataType::Boolean => {
            let values: &BooleanArray = column.as_boolean();
            Some((json!(min_boolean(values)?), json!(max_boolean(values)?)))
        }
        DataType::Date32 => {
            let (low, high) = extremes::<Date32Type>(column)?;
            Some((date(low)?, date(high)?))
        }
        DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => {
            let (low, high) = extremes::<TimestampMicrosecondType>(column)?;
            let after = (MICROS_OF_A_MILLI - 1).checked_add(high)?;
            Some((instant(low)?, instant(after)?))
        }
        _ => None,
    }
}

fn extremes<T: ArrowNumericType>(column: &ArrayRef) -> Option<(T::Native, T::Native)>
where
    T::Native: ArrowNativeTypeOp,
{
    let values = column.as_primitive::<T>();
    Some((min(values)?, max(values)?))
}

fn numbers<T: ArrowNumericType>(column: &ArrayRef) -> Option<(Value, Value)>
where
    T::Native: ArrowNativeTypeOp + Into<i64>,
{
    let (low, high) = extremes::<T>(column)?;
    Some((json!(low.into()), json!(high.into())))
}

fn date(days: i32) -> Option<Value> {
    let date = Date32Type::to_naive_date_opt(days)?;
    Some(json!(date.format("%Y-%m-%d").to_string()))
}

/// The last whole millisecond not after the instant.
fn instant(micros: i64) -> Option<Value> {
    let at = DateTime::from_timestamp_millis(micros.div_euclid(MICROS_OF_A_MILLI))?;
    Some(json!(at.to_rfc3339_opts(SecondsFormat::Millis, true)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray,
        TimestampMicrosecondArray,
    };
    use serde_json::{Value, json};

    use super::statistics;

    fn check(column: ArrayRef, least: Value, greatest: Value, nulls: u64) {
        let rows = RecordBatch::try_from_iter_with_nullable([("column", column, true)])
            .expect("rows of one column");
        let statistics: Value = serde_json::from_str(&statistics(&rows, |_| true)).expect("JSON");
        assert_eq!(statistics["numRecords"], json!(rows.num_rows()));
        assert_eq!(statistics["minValues"]["column"], least, "{rows:?}");
        assert_eq!(statistics["maxValues"]["column"], greatest, "{rows:?}");
        assert_eq!(statistics["nullCount"]["column"], json!(nulls), "{rows:?}");
    }

    #[test]
    fn bounds_are_the_values_or_wider() {
        let longs = Int64Array::from(vec![Some(i64::MAX), None, Some(-7)]);
        check(Arc::new(longs), json!(-7), json!(i64::MAX), 1);
        let flags = BooleanArray::from(vec![Some(true), None, Some(true)]);
        check(Arc::new(flags), json!(true), json!(true), 1);
        let dates = Date32Array::from(vec![20_000, -1]);
        check(Arc::new(dates), json!("1969-12-31"), json!("2024-10-04"), 0);
        let instants = |micros: [i64; 2]| {
            Arc::new(TimestampMicrosecondArray::from(micros.to_vec()).with_timezone("UTC"))
        };
        check(
            instants([1_001, 2_000_001]),
            json!("1970-01-01T00:00:00.001Z"),
            json!("1970-01-01T00:00:02.001Z"),
            0,
        );
        check(
            instants([-1, 3_000_000]),
            json!("1969-12-31T23:59:59.999Z"),
            json!("1970-01-01T00:00:03.000Z"),
            0,
        );
    }

    #[test]
    fn without_values_or_an_order_there_are_no_bounds() {
        let nothing = Int64Array::from(vec![None, None]);
        check(Arc::new(nothing), Value::Null, Value::Null, 2);
        let texts = StringArray::from(vec![Some("personal"), None]);
        check(Arc::new(texts), Value::Null, Value::Null, 1);
        let floats = Float64Array::from(vec![f64::NAN, 1.0]);
        check(Arc::new(floats), Value::Null, Value::Null, 0);
        let beyond = TimestampMicrosecondArray::from(vec![i64::MAX]).with_timezone("UTC");
        check(Arc::new(beyond), Value::Null, Value::Null, 0);
    }

    #[test]
    fn only_indexed_columns_have_statistics() {
        let column: ArrayRef = Arc::new(Int64Array::from(vec![1]));
        let rows = RecordBatch::try_from_iter([("a", column.clone()), ("b", column)])
            .expect("rows of two columns");
        let statistics = statistics(&rows, |name| name == "b");
        let expected = json!({
            "numRecords": 1, "minValues": {"b": 1}, "maxValues": {"b": 1}, "nullCount": {"b": 0},
        });
        let statistics: Value = serde_json::from_str(&statistics).expect("JSON");
        assert_eq!(statistics, expected);
    }
}
