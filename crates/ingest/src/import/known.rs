//! Which events the table has on the dates that an import touches. Ids only, read once a date, bounded in memory.

use std::collections::{BTreeSet, HashMap, HashSet};

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type};
use arrow::record_batch::RecordBatch;
use chrono::{NaiveDate, TimeDelta};
use events::{EventId, EventRow};
use futures::TryStreamExt;
use lake::{LakeError, Table};

use crate::table::event_ids;

/// Beyond so many ids, dates not in use are forgotten; about 60 bytes each.
const MAX_IDS: usize = 4_000_000;
/// Ids asked for in one query.
const LOOKED_UP: usize = 1000;

/// Ids by `event_date`. All copies of an event share their date, so no other date need be asked, unless
/// the delivery's own time was unusable and the time of receipt stands in: those ids are asked for singly.
#[derive(Debug, Default)]
pub(super) struct KnownIds {
    dates: HashMap<NaiveDate, HashSet<EventId>>,
    /// Under whatever date.
    undated: HashSet<EventId>,
}

impl KnownIds {
    /// Reads the ids of the rows' dates, as far as they are not known.
    pub async fn load(&mut self, table: &Table, rows: &[EventRow]) -> Result<(), LakeError> {
        self.load_undated(table, rows).await?;
        let needed: BTreeSet<NaiveDate> = rows.iter().map(|row| row.event_date).collect();
        if self.dates.values().map(HashSet::len).sum::<usize>() > MAX_IDS {
            self.dates.retain(|date, _| needed.contains(date));
        }
        let missing: Vec<NaiveDate> = needed
            .into_iter()
            .filter(|date| !self.dates.contains_key(date))
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        let list: Vec<String> = missing
            .iter()
            .map(|date| format!("DATE '{date}'"))
            .collect();
        let predicate = format!("{} IN ({})", events::PARTITION_COLUMN, list.join(", "));
        let mut found: HashMap<NaiveDate, HashSet<EventId>> = missing
            .into_iter()
            .map(|date| (date, HashSet::new()))
            .collect();
        let mut batches = table
            .read(&["event_id", events::PARTITION_COLUMN], Some(&predicate))
            .await?;
        while let Some(batch) = batches.try_next().await? {
            for (date, id) in dated_ids(&batch) {
                found.entry(date).or_default().insert(id);
            }
        }
        self.dates.extend(found);
        Ok(())
    }

    async fn load_undated(&mut self, table: &Table, rows: &[EventRow]) -> Result<(), LakeError> {
        let undated: Vec<String> = rows
            .iter()
            .filter(|row| !row.has_own_time && !self.undated.contains(&row.event_id))
            .map(|row| format!("'{}'", row.event_id))
            .collect();
        for ids in undated.chunks(LOOKED_UP) {
            let predicate = format!("event_id IN ({})", ids.join(", "));
            let mut batches = table.read(&["event_id"], Some(&predicate)).await?;
            while let Some(batch) = batches.try_next().await? {
                self.undated
                    .extend(event_ids(batch.column(0)).into_iter().flatten());
            }
        }
        Ok(())
    }

    pub fn contains(&self, row: &EventRow) -> bool {
        if self.undated.contains(&row.event_id) {
            return true;
        }
        self.dates
            .get(&row.event_date)
            .is_some_and(|ids| ids.contains(&row.event_id))
    }

    /// These are committed now.
    pub fn add(&mut self, ids: impl IntoIterator<Item = (NaiveDate, EventId)>) {
        for (date, id) in ids {
            self.dates.entry(date).or_default().insert(id);
        }
    }
}

fn dated_ids(batch: &RecordBatch) -> Vec<(NaiveDate, EventId)> {
    // Partition columns may come as dictionaries.
    let dates = cast(batch.column(1), &DataType::Date32)
        .expect("event_date is a date, and a date casts to a date");
    let dates = dates.as_primitive::<Date32Type>();
    let ids = event_ids(batch.column(0));
    dates
        .iter()
        .zip(ids)
        .filter_map(|(days, id)| Some((date(days?)?, id?)))
        .collect()
}

fn date(days_since_epoch: i32) -> Option<NaiveDate> {
    NaiveDate::default().checked_add_signed(TimeDelta::days(days_since_epoch.into()))
}
