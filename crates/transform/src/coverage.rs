//! `coverage`: which events the subscription really delivers. Pure.
//!
//! Counts are of stored rows, repetitions included. They add up, which does not go twice: whoever adds
//! must know up to which version of `events` they were counted.

use std::collections::{BTreeMap, BTreeSet};

use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use chrono::{DateTime, Utc};
use events::documented_name;

use crate::columns::{self, Column, Value, column};
use crate::read::{instant, instants, long, longs, text, texts};

pub(crate) const NAME: &str = "coverage";
pub(crate) const DESCRIPTION: &str = "One row per kind of event that was ever delivered or is subscribed: what the subscription brings.";
/// The columns of `events` that [`Coverage::count`] needs.
pub(crate) const COUNTED: [&str; 3] = ["company_id", "event_type", "delivered_at"];

/// How many events of each company and type there are, and since and until when.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Coverage(BTreeMap<(Option<i64>, Option<String>), Seen>);

#[derive(Debug, Clone, Copy, PartialEq)]
struct Seen {
    first: DateTime<Utc>,
    last: DateTime<Utc>,
    events: i64,
}

struct Row {
    company_id: Option<i64>,
    event_type: Option<String>,
    /// Nothing where the kind never came.
    seen: Option<Seen>,
    is_subscribed: Option<bool>,
}

const COLUMNS: &[Column<Row>] = &[
    column(
        "company_id",
        "Company of the platform; NULL for a kind that never came, and for events that name none",
        Value::Long(|row| row.company_id),
    ),
    column(
        "event_type",
        "Event name as sent; NULL for parts of deliveries that are no event",
        Value::Text(|row| row.event_type.as_deref()),
    ),
    column(
        "first_seen_at",
        "Time of the first delivery with such an event; NULL if none came",
        Value::Instant(|row| row.seen.map(|seen| seen.first)),
    ),
    column(
        "last_seen_at",
        "Time of the latest delivery with such an event; NULL if none came",
        Value::Instant(|row| row.seen.map(|seen| seen.last)),
    ),
    column(
        "events",
        "How many are stored, repetitions included; 0 for a kind that is subscribed and never came",
        Value::Long(|row| Some(row.seen.map_or(0, |seen| seen.events))),
    ),
    column(
        "is_subscribed",
        "Whether the setting subscribed_events lists it; NULL for what is no event",
        Value::Flag(|row| row.is_subscribed),
    ),
];

pub(crate) fn schema() -> SchemaRef {
    columns::schema(COLUMNS)
}

impl Coverage {
    /// Counts the rows of a batch of `events` with at least the columns [`COUNTED`].
    pub fn count(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        let (companies, types) = (longs(batch, "company_id")?, texts(batch, "event_type")?);
        let delivered = instants(batch, "delivered_at")?;
        for row in 0..batch.num_rows() {
            let company_id = long(&companies, row);
            let event_type = text(&types, row).map(str::to_owned);
            let at = instant(delivered.value(row));
            let seen = Seen {
                first: at,
                last: at,
                events: 1,
            };
            self.add((company_id, event_type), seen);
        }
        Ok(())
    }

    /// Adds counts that the table already holds.
    pub fn add_rows(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        let (companies, types) = (longs(batch, "company_id")?, texts(batch, "event_type")?);
        let (first, last) = (
            instants(batch, "first_seen_at")?,
            instants(batch, "last_seen_at")?,
        );
        let events = longs(batch, "events")?;
        // Kinds that never came are told anew each time.
        for row in (0..batch.num_rows()).filter(|row| events.value(*row) > 0) {
            let company_id = long(&companies, row);
            let event_type = text(&types, row).map(str::to_owned);
            let seen = Seen {
                first: instant(first.value(row)),
                last: instant(last.value(row)),
                events: events.value(row),
            };
            self.add((company_id, event_type), seen);
        }
        Ok(())
    }

    fn add(&mut self, key: (Option<i64>, Option<String>), seen: Seen) {
        let add = |total: &mut Seen| {
            *total = Seen {
                first: total.first.min(seen.first),
                last: total.last.max(seen.last),
                events: total.events + seen.events,
            };
        };
        self.0.entry(key).and_modify(add).or_insert(seen);
    }

    /// The table's rows, by what is subscribed.
    pub fn batch(&self, subscribed: &BTreeSet<String>) -> RecordBatch {
        let is_subscribed = |name: &str| subscribed.contains(documented_name(name));
        let came = self.0.iter().map(|((company_id, event_type), seen)| Row {
            company_id: *company_id,
            event_type: event_type.clone(),
            seen: Some(*seen),
            is_subscribed: event_type.as_deref().map(is_subscribed),
        });
        let names = self.0.keys().filter_map(|(_, name)| name.as_deref());
        let names: BTreeSet<&str> = names.map(documented_name).collect();
        let never_came = subscribed
            .iter()
            .filter(|name| !names.contains(name.as_str()))
            .map(|name| Row {
                company_id: None,
                event_type: Some(name.clone()),
                seen: None,
                is_subscribed: Some(true),
            });
        columns::batch(COLUMNS, &came.chain(never_came).collect::<Vec<_>>())
    }
}
