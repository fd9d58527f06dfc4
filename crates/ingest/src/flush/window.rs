//! The window of known events, rebuilt from the table at start. Reads ids and times, nothing else.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use arrow::array::AsArray;
use arrow::datatypes::TimestampMicrosecondType;
use arrow::record_batch::RecordBatch;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use events::EventId;
use futures::TryStreamExt;
use lake::{Lake, LakeError, Table};

use crate::dedup::{Dedup, DedupLimits};
use crate::table::{event_ids, events_table};

/// The `events` table, and the ids of what it received up to `limits.window` before `oldest`, or later.
pub(super) async fn rebuild(
    lake: &Lake,
    limits: DedupLimits,
    oldest: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<(Table, Dedup), LakeError> {
    let table = lake.table(&events_table()).await?;
    let window = TimeDelta::from_std(limits.window).unwrap_or(TimeDelta::MAX);
    let from = oldest
        .checked_sub_signed(window)
        .unwrap_or(DateTime::UNIX_EPOCH)
        // Nothing was received before, and SQL knows no years before 0.
        .max(DateTime::UNIX_EPOCH);
    let from = from.to_rfc3339_opts(SecondsFormat::Micros, true);
    // Of the column's own type, so that file statistics can answer.
    let predicate =
        format!("received_at >= arrow_cast('{from}', 'Timestamp(Microsecond, Some(\"UTC\"))')");
    let mut batches = table
        .read(&["event_id", "received_at"], Some(&predicate))
        .await?;

    let mut newest = BinaryHeap::new();
    while let Some(batch) = batches.try_next().await? {
        for (received_at, id) in entries(&batch) {
            // What was received later than now, by a clock that was put back since or by an import's word, is known as
            // well, but must not count as the newest and age all others out.
            newest.push(Reverse((received_at.min(now), id)));
            if newest.len() > limits.max_ids {
                newest.pop();
            }
        }
    }
    let mut dedup = Dedup::new(limits);
    dedup.remember(
        newest
            .into_sorted_vec()
            .into_iter()
            .rev()
            .map(|Reverse(entry)| entry),
    );
    Ok((table, dedup))
}

fn entries(batch: &RecordBatch) -> Vec<(DateTime<Utc>, EventId)> {
    let times = batch.column(1).as_primitive::<TimestampMicrosecondType>();
    event_ids(batch.column(0))
        .into_iter()
        .zip(times.iter())
        .filter_map(|(id, time)| Some((DateTime::from_timestamp_micros(time?)?, id?)))
        .collect()
}
