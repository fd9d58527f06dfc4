//! Frames to rows to Arrow: the part of a flush that only computes. Blocks; runs off the async threads.

use std::collections::HashSet;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arrow::record_batch::RecordBatch;
use chrono::{DateTime, Utc};
use events::{EventId, EventRow, Tz};
use uuid::Uuid;

use super::FlushPolicy;
use crate::dedup::Dedup;
use crate::metrics::{BatchCounts, Metrics};
use crate::table::sorted_batch;
use crate::wal::{Frame, Replayed, WalReader};

/// Bodies read from the log at a time while a batch fills.
const STEP_BYTES: u64 = 4 << 20;

/// Rows that become Arrow at a time. As rows they take several times the room, and one body may hold millions.
pub(super) const ROWS_AT_ONCE: usize = 100_000;

/// Deliveries that are to be committed together.
pub(super) struct Batch {
    /// The offset before the first frame looked at.
    pub after: u64,
    /// The offset of the last frame.
    pub last_offset: u64,
    /// Time spent on reading and building it.
    pub build_time: Duration,
    pub newest_received_at: DateTime<Utc>,
    /// Each sorted; none when every event was a copy, or there was none.
    pub rows: Vec<RecordBatch>,
    pub ids: Vec<(DateTime<Utc>, EventId)>,
    pub counts: BatchCounts,
}

/// Turns the frames of one log into batches.
pub(super) struct Batcher {
    pub log: WalReader,
    /// Frames up to this offset are done with.
    pub after: u64,
    pub dedup: Arc<Mutex<Dedup>>,
    pub policy: FlushPolicy,
    /// [`ROWS_AT_ONCE`].
    pub rows_at_once: usize,
    pub zone: Tz,
    pub metrics: Metrics,
}

/// The events of a batch in the making, each once.
#[derive(Default)]
struct Gathered {
    /// Not Arrow yet.
    rows: Vec<EventRow>,
    batches: Vec<RecordBatch>,
    ids: Vec<(DateTime<Utc>, EventId)>,
    seen: HashSet<EventId>,
    counts: BatchCounts,
}

impl Gathered {
    fn take(&mut self, row: EventRow, dedup: &Dedup, rows_at_once: usize) {
        if dedup.knows(&row.event_id) || !self.seen.insert(row.event_id) {
            self.counts.duplicates += 1;
            return;
        }
        self.counts.parse_errors += u64::from(row.parse_error.is_some());
        match self.counts.rows.get_mut(&row.event_type) {
            Some(count) => *count += 1,
            None => drop(self.counts.rows.insert(row.event_type.clone(), 1)),
        }
        self.ids.push((row.received_at, row.event_id));
        self.rows.push(row);
        if self.rows.len() >= rows_at_once {
            self.close();
        }
    }

    fn close(&mut self) {
        if !self.rows.is_empty() {
            self.batches.push(sorted_batch(&mut self.rows));
            self.rows.clear();
        }
    }
}

impl Batcher {
    pub fn id(&self) -> Uuid {
        self.log.id()
    }

    /// The next batch; `None` at the end of the log. After an error the same call finds the same deliveries again.
    pub fn next(&mut self) -> io::Result<Option<Batch>> {
        let batch = self.fill();
        if batch.is_err() {
            self.log.rewind();
        }
        batch
    }

    fn fill(&mut self) -> io::Result<Option<Batch>> {
        let started = Instant::now();
        let after = self.after;
        let mut gathered = Gathered::default();
        let (mut bytes, mut last) = (0, None);
        while bytes < self.policy.max_bytes && gathered.ids.len() < self.policy.max_rows {
            let Replayed {
                frames,
                damage,
                unfinished,
            } = match self.log.read(
                STEP_BYTES.min(self.policy.max_bytes - bytes),
                self.policy.max_rows,
            ) {
                Ok(replayed) => replayed,
                // What was read before the failure is a batch all the same; the next one meets the failure again.
                Err(_) if last.is_some() => break,
                Err(error) => return Err(error),
            };
            if let Some(tail) = unfinished {
                tracing::warn!(
                    wal = %self.log.id(), segment = tail.segment, byte_offset = tail.byte_offset,
                    length = tail.length, kept_in = %tail.kept_in.display(),
                    "the write-ahead log ends in an unfinished delivery: after a kill or a power cut that is one that \
                     was never acknowledged; otherwise check the disk"
                );
            }
            if frames.is_empty() && damage.is_empty() {
                break;
            }
            for damage in damage {
                self.metrics.damage_found();
                tracing::error!(
                    wal = %self.log.id(), segment = damage.segment, byte_offset = damage.byte_offset,
                    length = damage.length, kept_in = %damage.kept_in.display(),
                    "the write-ahead log is damaged: these bytes are no delivery; check the disk"
                );
            }
            for frame in frames.into_iter().filter(|frame| frame.offset > after) {
                bytes += frame.body.len() as u64;
                last = Some((frame.offset, frame.received_at));
                self.read_frame(&frame, &mut gathered)?;
            }
        }
        let Some((last_offset, newest_received_at)) = last else {
            return Ok(None);
        };
        gathered.close();
        Ok(Some(Batch {
            after: self.after,
            last_offset,
            newest_received_at,
            rows: gathered.batches,
            ids: gathered.ids,
            counts: gathered.counts,
            build_time: started.elapsed(),
        }))
    }

    fn read_frame(&self, frame: &Frame, gathered: &mut Gathered) -> io::Result<()> {
        let dedup = self.dedup.lock().unwrap_or_else(PoisonError::into_inner);
        let take = |row| gathered.take(row, &dedup, self.rows_at_once);
        if let Err(error) = events::each_event(&frame.body, frame.received_at, self.zone, take) {
            let kept_in = self.log.set_aside(frame)?;
            tracing::error!(
                wal = %self.log.id(), offset = frame.offset, kept_in = %kept_in.display(), %error,
                "an accepted delivery cannot be read; it was set aside: please report this"
            );
        }
        Ok(())
    }
}
