//! A fact's columns: name, description, and how a row fills them; schema and Arrow from one list.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use chrono::{DateTime, NaiveDate, Utc};

/// One column of rows `R`.
#[derive(Clone)]
pub(crate) struct Column<R: 'static> {
    pub name: &'static str,
    pub description: &'static str,
    pub value: Value<R>,
}

/// How a row fills a column, by the column's type.
#[derive(Clone)]
pub(crate) enum Value<R: 'static> {
    /// An id or a duration in seconds: BIGINT.
    Long(fn(&R) -> Option<i64>),
    /// A number or count: INT.
    Int(fn(&R) -> Option<i32>),
    Text(fn(&R) -> Option<&str>),
    /// Text that the row does not hold as such.
    Written(fn(&R) -> Option<String>),
    Flag(fn(&R) -> Option<bool>),
    /// Timestamp in microseconds, UTC.
    Instant(fn(&R) -> Option<DateTime<Utc>>),
    Date(fn(&R) -> Option<NaiveDate>),
}

pub(crate) const fn column<R>(
    name: &'static str,
    description: &'static str,
    value: Value<R>,
) -> Column<R> {
    Column {
        name,
        description,
        value,
    }
}

impl<R> Value<R> {
    fn data_type(&self) -> DataType {
        match self {
            Value::Long(_) => DataType::Int64,
            Value::Int(_) => DataType::Int32,
            Value::Text(_) | Value::Written(_) => DataType::Utf8,
            Value::Flag(_) => DataType::Boolean,
            Value::Instant(_) => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Value::Date(_) => DataType::Date32,
        }
    }

    fn array(&self, rows: &[R]) -> ArrayRef {
        match self {
            Value::Long(get) => Arc::new(rows.iter().map(get).collect::<Int64Array>()),
            Value::Int(get) => Arc::new(rows.iter().map(get).collect::<Int32Array>()),
            Value::Text(get) => Arc::new(rows.iter().map(get).collect::<StringArray>()),
            Value::Written(get) => Arc::new(rows.iter().map(get).collect::<StringArray>()),
            Value::Flag(get) => Arc::new(rows.iter().map(get).collect::<BooleanArray>()),
            Value::Instant(get) => {
                let micros = rows
                    .iter()
                    .map(|row| get(row).map(|instant| instant.timestamp_micros()));
                Arc::new(
                    micros
                        .collect::<TimestampMicrosecondArray>()
                        .with_timezone("UTC"),
                )
            }
            Value::Date(get) => {
                let days = rows.iter().map(|row| {
                    get(row).map(|date| (date - NaiveDate::default()).num_days() as i32)
                });
                Arc::new(days.collect::<Date32Array>())
            }
        }
    }
}

/// The columns as a schema, descriptions in the fields' metadata under `comment`.
pub(crate) fn schema<R>(columns: &[Column<R>]) -> SchemaRef {
    let fields = columns.iter().map(|column| {
        let comment = HashMap::from([("comment".to_owned(), column.description.to_owned())]);
        Field::new(column.name, column.value.data_type(), true).with_metadata(comment)
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

pub(crate) fn batch<R>(columns: &[Column<R>], rows: &[R]) -> RecordBatch {
    let arrays = columns
        .iter()
        .map(|column| column.value.array(rows))
        .collect();
    RecordBatch::try_new(schema(columns), arrays)
        .expect("schema and arrays come from the same list of columns")
}
