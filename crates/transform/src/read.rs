//! Rows of the lake's tables as plain columns, and events of chats as chains.

use std::collections::BTreeSet;

use arrow::array::{Array, AsArray, Int64Array, StringArray, TimestampMicrosecondArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, Schema, TimeUnit, TimestampMicrosecondType};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use chrono::{DateTime, Utc};
use datafusion::prelude::{Expr, col, lit};
use events::{Event, EventId, parse_item};
use lake::near_any_of;

use crate::chain::{ChainInput, StoredEvent, join_unnamed};

/// The columns of `events` that [`EventRows`] needs.
pub(crate) const COLUMNS: [&str; 6] = [
    "company_id",
    "chat_id",
    "event_id",
    "event_type",
    "delivered_at",
    "payload",
];
/// The order in which rows must come for [`Chains`].
pub(crate) const ORDER: [&str; 2] = ["chat_id", "company_id"];
/// Up to so many keys are looked up by value, more by ranges alone.
const LOOKED_UP: usize = 5_000;

/// Groups rows that come in [`ORDER`] into chats: one chat id at a time, since events that name no company
/// join the chat's only one.
#[derive(Default)]
pub(crate) struct Chains {
    /// Of one chat id, one a company.
    current: Vec<ChainInput>,
}

impl Chains {
    /// Adds the rows of a batch of [`COLUMNS`]; the chats that are now complete go to `complete`.
    /// With `wanted`, rows of other chats are passed over.
    pub fn take(
        &mut self,
        batch: &RecordBatch,
        wanted: Option<&BTreeSet<i64>>,
        complete: &mut Vec<ChainInput>,
    ) -> Result<(), ArrowError> {
        let rows = EventRows::new(batch)?;
        for row in 0..batch.num_rows() {
            let Some(chat_id) = long(&rows.chat_id, row) else {
                continue;
            };
            if wanted.is_some_and(|wanted| !wanted.contains(&chat_id)) {
                continue;
            }
            let company_id = long(&rows.company_id, row);
            let last = self.current.last();
            if last.is_some_and(|chain| chain.chat_id != chat_id) {
                complete.extend(join_unnamed(std::mem::take(&mut self.current)));
            }
            let last = self.current.last();
            if last.is_none_or(|chain| chain.company_id != company_id) {
                self.current.push(ChainInput {
                    company_id,
                    chat_id,
                    ..ChainInput::default()
                });
            }
            if let (Some(chat), Some(event)) = (self.current.last_mut(), rows.event(row)) {
                chat.events.push(event);
            }
        }
        Ok(())
    }

    /// The last chats.
    pub fn finish(self) -> Vec<ChainInput> {
        join_unnamed(self.current)
    }
}

/// The events of a batch with the columns [`COLUMNS`], in whichever order.
pub(crate) struct EventRows {
    company_id: Int64Array,
    chat_id: Int64Array,
    event_id: StringArray,
    event_type: StringArray,
    delivered_at: TimestampMicrosecondArray,
    payload: StringArray,
}

impl EventRows {
    pub fn new(batch: &RecordBatch) -> Result<Self, ArrowError> {
        Ok(Self {
            company_id: longs(batch, "company_id")?,
            chat_id: longs(batch, "chat_id")?,
            event_id: texts(batch, "event_id")?,
            event_type: texts(batch, "event_type")?,
            delivered_at: instants(batch, "delivered_at")?,
            payload: texts(batch, "payload")?,
        })
    }

    /// All rows that are events.
    pub fn events(&self) -> impl Iterator<Item = StoredEvent> {
        (0..self.event_id.len()).filter_map(|row| self.event(row))
    }

    fn event(&self, row: usize) -> Option<StoredEvent> {
        let event: Event = parse_item(self.event_type.value(row), self.payload.value(row));
        Some(StoredEvent {
            event_id: self.event_id.value(row).parse::<EventId>().ok()?,
            delivered_at: DateTime::<Utc>::from_timestamp_micros(self.delivered_at.value(row))?,
            event,
        })
    }
}

/// The names of all columns.
pub(crate) fn names(schema: &Schema) -> Vec<&str> {
    let fields = schema.fields().iter();
    fields.map(|field| field.name().as_str()).collect()
}

/// An integer column of a batch.
pub(crate) fn longs(batch: &RecordBatch, name: &str) -> Result<Int64Array, ArrowError> {
    let column = plain(batch, name, &DataType::Int64)?;
    Ok(column.as_primitive::<Int64Type>().clone())
}

/// A text column of a batch: scans may give views and dictionaries.
pub(crate) fn texts(batch: &RecordBatch, name: &str) -> Result<StringArray, ArrowError> {
    Ok(plain(batch, name, &DataType::Utf8)?.as_string().clone())
}

/// A column of instants, in microseconds and without their zone, which is UTC.
pub(crate) fn instants(
    batch: &RecordBatch,
    name: &str,
) -> Result<TimestampMicrosecondArray, ArrowError> {
    let column = plain(
        batch,
        name,
        &DataType::Timestamp(TimeUnit::Microsecond, None),
    )?;
    Ok(column.as_primitive::<TimestampMicrosecondType>().clone())
}

/// A column of booleans.
pub(crate) fn flags(
    batch: &RecordBatch,
    name: &str,
) -> Result<arrow::array::BooleanArray, ArrowError> {
    Ok(plain(batch, name, &DataType::Boolean)?.as_boolean().clone())
}

fn plain(
    batch: &RecordBatch,
    name: &str,
    to: &DataType,
) -> Result<arrow::array::ArrayRef, ArrowError> {
    let column = batch
        .column_by_name(name)
        .ok_or_else(|| ArrowError::SchemaError(format!("there is no column {name}")))?;
    if column.data_type() == to {
        Ok(column.clone())
    } else {
        cast(column, to)
    }
}

pub(crate) fn long(values: &Int64Array, row: usize) -> Option<i64> {
    values.is_valid(row).then(|| values.value(row))
}

pub(crate) fn text(values: &StringArray, row: usize) -> Option<&str> {
    values.is_valid(row).then(|| values.value(row))
}

/// An instant as Arrow keeps it. Every instant of the lake was one of ours before, and so is in range.
pub(crate) fn instant(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(micros).unwrap_or_default()
}

/// Rows of the keys, and perhaps of others between them; `None` where there are no keys.
pub(crate) fn any_of(column: &str, keys: &BTreeSet<i64>) -> Option<Expr> {
    let near = near_any_of(column, keys.iter().copied())?;
    if keys.len() > LOOKED_UP {
        return Some(near);
    }
    let values = keys.iter().map(|key| lit(*key)).collect();
    Some(near.and(col(column).in_list(values, false)))
}
