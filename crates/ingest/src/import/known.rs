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

/// So many ids are kept for the batches to come; about 60 bytes each.
const MAX_IDS: usize = 4_000_000;
/// Ids asked for in one query.
const LOOKED_UP: usize = 1000;

/// Ids by `event_date`. All copies of an event share their date, so no other date need be asked, unless
/// the delivery's own time was unusable and the time of receipt stands in: those ids are asked for singly.
#[derive(Debug)]
pub(super) struct KnownIds {
    dates: HashMap<NaiveDate, HashSet<EventId>>,
    /// Of the rows loaded last, under whatever date.
    undated: HashSet<EventId>,
    /// All their dates have too many ids: only those of the rows loaded last are there.
    is_partial: bool,
    max_ids: usize,
}

impl Default for KnownIds {
    fn default() -> Self {
        Self {
            dates: HashMap::new(),
            undated: HashSet::new(),
            is_partial: false,
            max_ids: MAX_IDS,
        }
    }
}

impl KnownIds {
    /// Reads the ids of the rows' dates, as far as they are not known.
    pub async fn load(&mut self, table: &Table, rows: &[EventRow]) -> Result<(), LakeError> {
        self.load_undated(table, rows).await?;
        let needed: BTreeSet<NaiveDate> = rows.iter().map(|row| row.event_date).collect();
        if self.is_partial {
            self.dates.clear();
            self.is_partial = false;
        }
        if self.count() > self.max_ids {
            self.dates.retain(|date, _| needed.contains(date));
        }
        let missing: Vec<String> = needed
            .iter()
            .filter(|date| !self.dates.contains_key(date))
            .map(|date| format!("DATE '{date}'"))
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        let predicate = format!("{} IN ({})", events::PARTITION_COLUMN, missing.join(", "));
        let wanted: HashSet<EventId> = rows.iter().map(|row| row.event_id).collect();
        let mut batches = table
            .read(&["event_id", events::PARTITION_COLUMN], Some(&predicate))
            .await?;
        // Until all is read.
        let mut is_partial = false;
        self.is_partial = true;
        for date in needed {
            self.dates.entry(date).or_default();
        }
        while let Some(batch) = batches.try_next().await? {
            for (date, id) in dated_ids(&batch) {
                if !is_partial || wanted.contains(&id) {
                    self.dates.entry(date).or_default().insert(id);
                }
            }
            if !is_partial && self.count() > self.max_ids {
                is_partial = true;
                for ids in self.dates.values_mut() {
                    ids.retain(|id| wanted.contains(id));
                    ids.shrink_to_fit();
                }
            }
        }
        self.is_partial = is_partial;
        Ok(())
    }

    fn count(&self) -> usize {
        self.dates.values().map(HashSet::len).sum()
    }

    async fn load_undated(&mut self, table: &Table, rows: &[EventRow]) -> Result<(), LakeError> {
        self.undated.clear();
        let undated: Vec<String> = rows
            .iter()
            .filter(|row| !row.has_own_time)
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

#[cfg(test)]
mod tests {
    use lake::Lake;

    use super::*;
    use crate::import::line::each_row;
    use crate::table::{events_table, sorted_batch};

    /// Of a chat on each of 10 days.
    fn rows(chat: i64) -> Vec<EventRow> {
        let mut rows = Vec::new();
        for day in 0..10 {
            let time = 1_700_000_000 + day * 86_400;
            let line = format!(
                "{{\"time\":{time},\"messages\":{{\"startedChat\":[{{\"chat\":{{\"id\":{chat}}}}}]}}}}"
            );
            each_row(line.as_bytes(), None, events::Tz::UTC, |row| rows.push(row))
                .expect("a delivery");
        }
        rows
    }

    #[tokio::test]
    async fn ids_of_many_dates_are_known_within_bounds() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let lake = Lake::open(&folder.path().display().to_string(), []).expect("a lake");
        let mut table = lake.table(&events_table()).await.expect("a table");
        let mut stored: Vec<EventRow> = (0..20).flat_map(rows).collect();
        let batch = sorted_batch(&mut stored);
        table.append(vec![batch], None).await.expect("a commit");
        for max_ids in [30, 1_000] {
            let mut known = KnownIds {
                max_ids,
                ..KnownIds::default()
            };
            // Ids of all dates, then of one date, which are few enough.
            for (looked_for, are_known) in [
                (rows(7), true),
                (rows(21), false),
                (rows(8).split_off(9), true),
            ] {
                known.load(&table, &looked_for).await.expect("ids");
                let is_right = |row: &EventRow| known.contains(row) == are_known;
                assert!(looked_for.iter().all(is_right), "{max_ids}");
                assert!(known.count() <= max_ids, "{}", known.count());
            }
        }
    }
}
