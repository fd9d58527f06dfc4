//! The `events` table as ingest writes it: its specification, and the order of rows within a batch.

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::DataType;
use arrow::record_batch::RecordBatch;
use events::{EventId, EventRow};
use lake::{Layout, TableSpec};

/// The events of one chat lie in a page or two, which are decompressed whole.
const PAGE_ROWS: usize = 4 * 1024;

/// What the `events` table is. [`lake::Lake::table`] opens it with this, and creates it where it is absent.
pub fn events_table() -> TableSpec {
    let columns = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    TableSpec {
        name: events::TABLE.to_owned(),
        description: events::TABLE_DESCRIPTION.to_owned(),
        schema: events::schema(),
        partition_columns: columns(&[events::PARTITION_COLUMN]),
        stats_columns: columns(&[
            "event_type",
            "chat_id",
            "occurred_at",
            "delivered_at",
            "received_at",
        ]),
        layout: Layout {
            sort_columns: columns(&["chat_id", "delivered_at", "delivery_id", "chain_index"]),
            bloom_filter_columns: columns(&["chat_id"]),
            distinct_columns: columns(&[
                "event_id",
                "delivery_id",
                "occurred_at",
                "delivered_at",
                "received_at",
                "message_id",
                "payload",
            ]),
            bulky_columns: columns(&["payload"]),
            page_rows: PAGE_ROWS,
            identity: Some("event_id".to_owned()),
            ..Layout::default()
        },
    }
}

/// The rows as one batch, in the table's order: a chat's events lie together, so that finding its chain opens few pages,
/// and compress well, because they repeat the same contact and texts.
pub(crate) fn sorted_batch(rows: &mut [EventRow]) -> RecordBatch {
    rows.sort_unstable_by_key(|row| {
        (
            row.chat_id,
            row.delivered_at,
            row.delivery_id,
            row.chain_index,
        )
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
