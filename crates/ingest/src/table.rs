//! The `events` table as ingest writes it: its specification, and the order of rows within a batch.

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::DataType;
use arrow::record_batch::RecordBatch;
use events::{EventId, EventRow};
use lake::TableSpec;

/// What the `events` table is. [`lake::Lake::table`] opens it with this, and creates it where it is absent.
pub fn events_table() -> TableSpec {
    let columns = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    TableSpec {
        name: events::TABLE.to_owned(),
        description: events::TABLE_DESCRIPTION.to_owned(),
        schema: events::schema(),
        partition_columns: columns(&[events::PARTITION_COLUMN]),
        sort_columns: columns(&["event_type", "chat_id", "occurred_at"]),
        stats_columns: columns(&[
            "event_type",
            "chat_id",
            "occurred_at",
            "delivered_at",
            "received_at",
        ]),
        bloom_filter_columns: columns(&["chat_id"]),
        target_file_bytes: lake::FILE_BYTES,
    }
}

/// The rows as one batch, in the table's order.
pub(crate) fn sorted_batch(rows: &mut [EventRow]) -> RecordBatch {
    rows.sort_unstable_by(|a, b| {
        let key = |row: &EventRow| (row.chat_id, row.occurred_at, row.event_id);
        a.event_type
            .cmp(&b.event_type)
            .then_with(|| key(a).cmp(&key(b)))
    });
    events::to_batch(rows)
}

/// The ids in a column of the table as it is read; `None` for what is no id.
pub(crate) fn event_ids(column: &ArrayRef) -> Vec<Option<EventId>> {
    // Reading may give any of Arrow's text layouts.
    let text = arrow::compute::cast(column, &DataType::Utf8)
        .expect("event_id is text, and text casts to text");
    text.as_string::<i32>()
        .iter()
        .map(|id| id?.parse().ok())
        .collect()
}
