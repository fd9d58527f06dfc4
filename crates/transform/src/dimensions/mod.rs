//! The dimension tables: one file a dimension, one line in [`ALL`].
//!
//! A dimension is a list of described columns, and what an event says of such things. What is known of
//! a thing is the latest of all that was said, field by field ([`Known`]): merging is commutative and
//! idempotent, so that redeliveries, any order and any batching give the same rows, and a run reads
//! only new events and the rows of what they name. Pure.

mod agents;
mod channels;
mod contacts;
mod departments;
mod flows;
mod known;
mod learned;
mod tabulations;
#[cfg(test)]
mod tests;
mod workflow_steps;

use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use events::Event;

use crate::columns::{Column, Value, batch, column, schema};

pub(crate) use known::Known;
pub(crate) use learned::{Learned, Things, merge};

/// Every dimension table.
pub(crate) static ALL: [&Dimension; 7] = [
    &contacts::CONTACTS,
    &agents::AGENTS,
    &channels::CHANNELS,
    &departments::DEPARTMENTS,
    &flows::FLOWS,
    &workflow_steps::WORKFLOW_STEPS,
    &tabulations::TABULATIONS,
];

/// A kind of things that events name by an id.
pub(crate) struct Dimension {
    pub name: &'static str,
    pub description: &'static str,
    /// The id's column, and what it is.
    pub id: (&'static str, &'static str),
    /// What events say of a thing: in the order of a mention's values, from [`Known::text`] alone.
    fields: &'static [Column<Known>],
    /// What is counted of it apart from what events say.
    counts: &'static [Column<Known>],
    /// The name of the column for the latest event that named it.
    last_seen: &'static str,
    mentions: fn(&Event) -> Vec<Mention>,
}

/// An event names a thing: its id, and a value for each of the dimension's fields that it tells.
struct Mention {
    id: Option<i64>,
    values: Vec<Option<String>>,
}

impl Dimension {
    pub fn schema(&self) -> SchemaRef {
        schema(&self.columns())
    }

    pub fn batch(&self, things: &[Known]) -> RecordBatch {
        batch(&self.columns(), things)
    }

    /// Whether something is counted of it that does not merge.
    pub fn has_counts(&self) -> bool {
        !self.counts.is_empty()
    }

    /// The things of a batch with all columns, as [`batch`](Self::batch) wrote them.
    pub fn read(&self, batch: &RecordBatch) -> Result<Vec<Known>, ArrowError> {
        known::read(batch, self)
    }

    fn columns(&self) -> Vec<Column<Known>> {
        let mut columns = vec![
            column(
                "company_id",
                "Company of the platform",
                Value::Long(|known: &Known| known.company_id),
            ),
            column(self.id.0, self.id.1, Value::Long(|known| Some(known.id))),
        ];
        columns.extend_from_slice(self.fields);
        columns.extend_from_slice(self.counts);
        columns.extend([
            column(
                "first_seen_at",
                "Time of the first event that named it",
                Value::Instant(|known: &Known| Some(known.first_seen_at)),
            ),
            column(
                self.last_seen,
                "Time of the latest event that named it",
                Value::Instant(|known| Some(known.last_seen_at)),
            ),
            column(
                known::KNOWN_AT,
                "Bookkeeping: when each value was last told, JSON object of column and microseconds",
                Value::Written(|known| known.known_at()),
            ),
        ]);
        columns
    }
}
