//! Events of chats, from the lake to chains.

use std::collections::BTreeSet;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, StringArray, TimestampMicrosecondArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, TimeUnit, TimestampMicrosecondType};
use arrow::record_batch::RecordBatch;
use chrono::{DateTime, Utc};
use events::EventId;

use crate::chain::ChainInput;

/// The columns that [`Chains::take`] needs, in order.
pub(crate) const COLUMNS: [&str; 6] = [
    "company_id",
    "chat_id",
    "event_id",
    "event_type",
    "delivered_at",
    "payload",
];
/// The order in which rows must come.
pub(crate) const ORDER: [&str; 2] = ["company_id", "chat_id"];

/// Groups rows that come in [`ORDER`] into chats.
#[derive(Default)]
pub(crate) struct Chains {
    current: Option<ChainInput>,
}

impl Chains {
    /// Adds the rows of a batch of [`COLUMNS`]; the chats that are now complete go to `complete`.
    /// With `wanted`, rows of other chats are passed over.
    pub fn take(
        &mut self,
        batch: &RecordBatch,
        wanted: Option<&BTreeSet<i64>>,
        complete: &mut Vec<ChainInput>,
    ) -> Result<(), arrow::error::ArrowError> {
        let rows = Rows::new(batch)?;
        for row in 0..batch.num_rows() {
            let Some(chat_id) = long(&rows.chat_id, row) else {
                continue;
            };
            if wanted.is_some_and(|wanted| !wanted.contains(&chat_id)) {
                continue;
            }
            let company_id = long(&rows.company_id, row);
            let same = |chat: &ChainInput| chat.chat_id == chat_id && chat.company_id == company_id;
            if !self.current.as_ref().is_some_and(same) {
                complete.extend(self.current.replace(ChainInput {
                    company_id,
                    chat_id,
                    events: Vec::new(),
                }));
            }
            if let (Some(chat), Some((id, event_type, delivered_at, payload))) =
                (&mut self.current, rows.event(row))
            {
                chat.push(id, event_type, delivered_at, payload);
            }
        }
        Ok(())
    }

    /// The last chat.
    pub fn finish(self) -> Option<ChainInput> {
        self.current
    }
}

/// A batch's columns with their plain types: scans may give views and dictionaries.
struct Rows {
    company_id: Int64Array,
    chat_id: Int64Array,
    event_id: StringArray,
    event_type: StringArray,
    delivered_at: TimestampMicrosecondArray,
    payload: StringArray,
}

impl Rows {
    fn new(batch: &RecordBatch) -> Result<Self, arrow::error::ArrowError> {
        let text = |index: usize| {
            Ok::<_, arrow::error::ArrowError>(
                plain(batch.column(index), &DataType::Utf8)?
                    .as_string()
                    .clone(),
            )
        };
        let instant = DataType::Timestamp(TimeUnit::Microsecond, None);
        Ok(Self {
            company_id: plain(batch.column(0), &DataType::Int64)?
                .as_primitive::<Int64Type>()
                .clone(),
            chat_id: plain(batch.column(1), &DataType::Int64)?
                .as_primitive::<Int64Type>()
                .clone(),
            event_id: text(2)?,
            event_type: text(3)?,
            delivered_at: plain(batch.column(4), &instant)?
                .as_primitive::<TimestampMicrosecondType>()
                .clone(),
            payload: text(5)?,
        })
    }

    /// The event of a row that names a chat; such a row has an id, a time and a payload.
    fn event(&self, row: usize) -> Option<(EventId, &str, DateTime<Utc>, &str)> {
        let id = self.event_id.value(row).parse().ok()?;
        let delivered_at = DateTime::from_timestamp_micros(self.delivered_at.value(row))?;
        Some((
            id,
            self.event_type.value(row),
            delivered_at,
            self.payload.value(row),
        ))
    }
}

/// Also of instants: without their zone, which is UTC.
pub(crate) fn plain(
    column: &ArrayRef,
    to: &DataType,
) -> Result<ArrayRef, arrow::error::ArrowError> {
    if column.data_type() == to {
        Ok(column.clone())
    } else {
        cast(column, to)
    }
}

fn long(values: &Int64Array, row: usize) -> Option<i64> {
    values.is_valid(row).then(|| values.value(row))
}
