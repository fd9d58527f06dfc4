//! From the write-ahead log to the `events` table: batches by age, bytes or rows, each committed once, whatever fails.
//! Never releases a delivery from the log before the commit that holds it is durable, and never gives up.

mod backoff;
mod batch;
#[cfg(test)]
mod tests;
mod window;

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use events::Tz;
use lake::{Lake, LakeError, Table};
use thiserror::Error;
use tokio::sync::watch;
use tokio::task::JoinError;
use uuid::Uuid;

use crate::dedup::{Dedup, DedupLimits};
use crate::metrics::Metrics;
use crate::wal::{Opened, Wal, WalReader};
pub(crate) use backoff::Backoff;
use batch::{Batch, Batcher, ROWS_AT_ONCE};

/// When a batch is due, and how large it may be.
#[derive(Debug, Clone, Copy)]
pub struct FlushPolicy {
    /// A delivery waits at most about this long. Default 10 seconds.
    pub interval: Duration,
    /// A batch is due at so many bytes of bodies, and holds about as many. Default 64 MiB, at most 1 GiB.
    pub max_bytes: u64,
    /// A batch is due at so many deliveries, and holds about as many rows. Default 200,000.
    pub max_rows: usize,
}

impl Default for FlushPolicy {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(10),
            max_bytes: 64 << 20,
            max_rows: 200_000,
        }
    }
}

impl FlushPolicy {
    /// Arrow's text columns end at 2 GiB, and a batch of nothing would never end.
    fn bounded(self) -> Self {
        Self {
            max_bytes: self.max_bytes.clamp(1, 1 << 30),
            max_rows: self.max_rows.max(1),
            ..self
        }
    }
}

/// What a flusher needs besides the log.
pub(crate) struct FlushSettings {
    pub lake: Lake,
    pub policy: FlushPolicy,
    pub dedup: DedupLimits,
    pub zone: Tz,
    pub metrics: Metrics,
    pub clock: fn() -> DateTime<Utc>,
    /// What keeps deliveries from the lake at present, if anything does.
    pub hindrance: watch::Sender<Option<String>>,
}

/// Why flushing cannot go on: a defect, not an outage. The deliveries stay in the log.
#[derive(Debug, Error)]
pub enum FlushStopped {
    #[error("flushing stopped: {0}; restart the service, and report this if it returns")]
    Panicked(#[from] JoinError),
    #[error(
        "flushing stopped without being asked to; restart the service, and report this if it returns"
    )]
    Unasked,
}

/// Why one attempt failed. The next may not.
#[derive(Debug, Error)]
enum Attempt {
    #[error(transparent)]
    Lake(#[from] LakeError),
    #[error("the write-ahead log cannot be read: {0}")]
    Log(#[from] io::Error),
}

/// Flushes until `stop` turns true (the log takes no more appends by then) and the last delivery is in the lake; then
/// the log is removed. Outages are waited out, however long.
///
/// # Errors
/// A defect; see [`FlushStopped`].
pub(crate) async fn run(
    settings: FlushSettings,
    opened: Opened,
    stop: watch::Receiver<bool>,
) -> Result<(), FlushStopped> {
    let Opened { wal, reader, old } = opened;
    let mut backoff = Backoff::new(reader.id().as_u64_pair().0);
    let started = (settings.clock)();
    let pending_since = old.iter().filter_map(WalReader::began).min();
    settings.metrics.set_oldest_unflushed(pending_since);

    let (table, dedup) = prepare(&settings, &mut backoff, pending_since).await;
    let mut flusher = Flusher {
        settings,
        backoff,
        table,
        dedup: Arc::new(Mutex::new(dedup)),
    };
    for log in old {
        flusher.drain(log).await?;
    }
    if pending_since.is_some() {
        // What may wait still came since.
        let metrics = &flusher.settings.metrics;
        metrics.set_oldest_unflushed(Some(started));
    }
    flusher.follow(&wal, reader, stop).await
}

/// Opens the table and rebuilds the window of known events, reaching back from the oldest pending delivery.
async fn prepare(
    settings: &FlushSettings,
    backoff: &mut Backoff,
    pending_since: Option<DateTime<Utc>>,
) -> (Table, Dedup) {
    let now = (settings.clock)();
    let oldest = pending_since.map_or(now, |pending| pending.min(now));
    loop {
        match window::rebuild(&settings.lake, settings.dedup, oldest, now).await {
            Ok((table, dedup)) => {
                tracing::info!(known_events = dedup.len(), "the events table is open");
                backoff.reset();
                settings.hindrance.send_replace(None);
                return (table, dedup);
            }
            Err(error) => report_and_wait(&error.into(), settings, backoff).await,
        }
    }
}

struct Flusher {
    settings: FlushSettings,
    backoff: Backoff,
    table: Table,
    dedup: Arc<Mutex<Dedup>>,
}

/// What became of a batch.
enum Stored {
    /// All of it is in the table.
    Whole,
    /// Another owner of a copied log has already stored deliveries up to this offset.
    UpTo(u64),
}

impl Flusher {
    /// Stores all of an earlier start's log, then removes it.
    async fn drain(&mut self, log: WalReader) -> Result<(), FlushStopped> {
        tracing::info!(wal = %log.id(), "storing what an earlier start left in the write-ahead log");
        let mut batcher = self.batcher(log);
        loop {
            let (returned, batch) = self.next_batch(batcher).await?;
            batcher = returned;
            let Some(batch) = batch else { break };
            self.settle(&mut batcher, &batch).await;
            if let Err(error) = batcher.log.release(batcher.after) {
                tracing::warn!(%error, "stored segments could not be removed; will be tried again");
            }
        }
        if let Err(error) = batcher.log.remove() {
            tracing::warn!(%error, "a stored log could not be removed; the next start will try again");
        }
        Ok(())
    }

    /// Stores what is appended, as it becomes due.
    async fn follow(
        &mut self,
        wal: &Wal,
        log: WalReader,
        mut stop: watch::Receiver<bool>,
    ) -> Result<(), FlushStopped> {
        let policy = self.settings.policy.bounded();
        let tick =
            (policy.interval / 20).clamp(Duration::from_millis(5), Duration::from_millis(250));
        let mut batcher = self.batcher(log);
        let mut flushed_bytes = 0;
        let mut pending_since: Option<Instant> = None;
        loop {
            let stopping = *stop.borrow_and_update() || stop.has_changed().is_err();
            let written = wal.written();
            let durable = wal.durable();
            if durable <= batcher.after {
                pending_since = None;
                self.settings.metrics.set_oldest_unflushed(None);
                if stopping {
                    break;
                }
            } else {
                let since = *pending_since.get_or_insert_with(|| {
                    self.settings
                        .metrics
                        .delivery_waits((self.settings.clock)());
                    Instant::now()
                });
                let due = stopping
                    || since.elapsed() >= policy.interval
                    || written.saturating_sub(flushed_bytes) >= policy.max_bytes
                    || durable - batcher.after >= policy.max_rows as u64;
                if due {
                    batcher = self.flush_up_to(wal, durable, batcher).await?;
                    flushed_bytes = written;
                    pending_since = None;
                    continue;
                }
            }
            // The writer does not wake us for every group: looking a few times an interval costs less.
            let _ = tokio::time::timeout(tick, stop.changed()).await;
        }
        if let Err(error) = batcher.log.remove() {
            tracing::warn!(%error, "the stored log could not be removed; the next start will try again");
        }
        Ok(())
    }

    /// Stores everything up to an offset that is durable now.
    async fn flush_up_to(
        &mut self,
        wal: &Wal,
        durable: u64,
        mut batcher: Batcher,
    ) -> Result<Batcher, FlushStopped> {
        while batcher.after < durable {
            let (returned, batch) = self.next_batch(batcher).await?;
            batcher = returned;
            match batch {
                Some(batch) => {
                    self.settle(&mut batcher, &batch).await;
                    self.settings
                        .metrics
                        .set_oldest_unflushed(Some(batch.newest_received_at));
                }
                // What is missing was damaged, and is set aside and reported.
                None => batcher.after = durable,
            }
            if let Err(error) = wal.release(batcher.after) {
                tracing::warn!(%error, "stored segments could not be removed; will be tried again");
            }
        }
        Ok(batcher)
    }

    fn batcher(&self, log: WalReader) -> Batcher {
        Batcher {
            log,
            after: 0,
            dedup: Arc::clone(&self.dedup),
            policy: self.settings.policy.bounded(),
            rows_at_once: ROWS_AT_ONCE,
            zone: self.settings.zone,
            metrics: self.settings.metrics.clone(),
        }
    }

    /// Skips what the table has of this log, then builds a batch from what follows.
    async fn next_batch(
        &mut self,
        mut batcher: Batcher,
    ) -> Result<(Batcher, Option<Batch>), FlushStopped> {
        loop {
            match self.committed(batcher.id()).await {
                Ok(committed) => batcher.after = batcher.after.max(committed),
                Err(error) => {
                    self.wait_after(&error.into()).await;
                    continue;
                }
            }
            let build = move || {
                let batch = batcher.next();
                (batcher, batch)
            };
            let (returned, batch) = tokio::task::spawn_blocking(build).await?;
            batcher = returned;
            match batch {
                Ok(batch) => {
                    self.settings.hindrance.send_replace(None);
                    return Ok((batcher, batch));
                }
                Err(error) => self.wait_after(&error.into()).await,
            }
        }
    }

    /// Returns when the batch, or as much of it as another owner left, is in the table.
    async fn settle(&mut self, batcher: &mut Batcher, batch: &Batch) {
        let started = Instant::now();
        let stored = loop {
            match self.store(batcher.id(), batch).await {
                Ok(stored) => break stored,
                Err(error) => self.wait_after(&error.into()).await,
            }
        };
        self.backoff.reset();
        self.settings.hindrance.send_replace(None);
        match stored {
            Stored::Whole => {
                batcher.after = batch.last_offset;
                self.dedup
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .remember(batch.ids.iter().copied());
                self.settings.metrics.batch_committed(&batch.counts);
                self.settings
                    .metrics
                    .flushed(started.elapsed() + batch.build_time);
            }
            Stored::UpTo(offset) => {
                batcher.after = offset;
                batcher.log.rewind();
            }
        }
    }

    /// One attempt. Asks first what the table has: after an error that is the only way to know, and the commit then
    /// stands against the very version that was asked.
    async fn store(&mut self, wal: Uuid, batch: &Batch) -> Result<Stored, LakeError> {
        // A batch without new events is not worth a commit: reading it again finds the same copies.
        if batch.rows.is_empty() {
            return Ok(Stored::Whole);
        }
        let committed = self.committed(wal).await?;
        if committed >= batch.last_offset {
            return Ok(Stored::Whole);
        }
        if committed > batch.after {
            return Ok(Stored::UpTo(committed));
        }
        failpoint!("flush");
        let started = Instant::now();
        let app_id = wal.to_string();
        // Offsets count from 1 and fit an i64 for longer than any disk lasts.
        let version = i64::try_from(batch.last_offset).unwrap_or(i64::MAX);
        let appended = self
            .table
            .append(batch.rows.clone(), Some((&app_id, version)))
            .await?;
        failpoint!("flushed");
        self.settings.metrics.commit_took(started.elapsed());
        tracing::debug!(
            rows = batch.ids.len(),
            bytes = appended.bytes,
            version = appended.version,
            "flushed"
        );
        Ok(Stored::Whole)
    }

    /// The last offset of this log that the table has; 0 for none.
    async fn committed(&mut self, wal: Uuid) -> Result<u64, LakeError> {
        let app_id = wal.to_string();
        let version = match self.table.committed(&app_id).await {
            Ok(version) => version,
            // Of what was open for long, the log may be gone by now: it is summed up elsewhere.
            Err(_) => {
                self.table.reopen().await?;
                self.table.committed(&app_id).await?
            }
        };
        Ok(version
            .and_then(|version| u64::try_from(version).ok())
            .unwrap_or(0))
    }

    /// Reports a failed attempt, waits, and takes in what the table has become meanwhile, whatever was known of it.
    async fn wait_after(&mut self, error: &Attempt) {
        report_and_wait(error, &self.settings, &mut self.backoff).await;
        while let Err(error) = self.table.reopen().await {
            report_and_wait(&error.into(), &self.settings, &mut self.backoff).await;
        }
    }
}

async fn report_and_wait(error: &Attempt, settings: &FlushSettings, backoff: &mut Backoff) {
    let wait = backoff.wait();
    settings.metrics.flush_failed();
    settings.hindrance.send_replace(Some(error.to_string()));
    tracing::error!(
        %error, retry_in_ms = wait.as_millis() as u64,
        "deliveries could not be brought to the lake; they stay safe in the write-ahead log: check that the lake is \
         reachable and writable"
    );
    tokio::time::sleep(wait).await;
}
