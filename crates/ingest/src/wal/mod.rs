//! The write-ahead log: an accepted delivery is on stable storage here before anybody is told so, and stays until the
//! lake has it. Knows nothing of events or HTTP.
//!
//! # Format
//!
//! ```text
//! <dir>/lock                                   locked by the process that serves; says which
//! <dir>/<WAL id>/<first offset, 20 digits>.wal segments of one process start (the id is a UUID)
//! <dir>/damaged/<WAL id>-<segment>-<byte>.bin  copies of bytes that were no frames; of an unfinished frame
//!                                              at the end the name ends in -unfinished.bin
//! ```
//!
//! A segment is a sequence of frames and nothing else. A frame, little-endian:
//!
//! | bytes | field |
//! |---|---|
//! | 4 | magic `F5 68 77 FA`, which no UTF-8 text contains |
//! | 4 | length of the body in bytes, `u32` |
//! | 8 | offset, `u64`: 1, 2, 3 and so on within a WAL id, across its segments |
//! | 4 | CRC32C over length, offset, received_at and body |
//! | 8 | received_at, microseconds since 1970 UTC, `i64` |
//! | n | body, as it was received |
//!
//! # Rules
//!
//! - A WAL id lives for one process start and its offsets are never used twice, so `(WAL id, offset)` names a delivery
//!   for ever. Logs of earlier starts are read under their own ids, drained and removed.
//! - One thread writes. It takes every request that waits, writes their frames at once, syncs once (`fdatasync`), then
//!   answers. Files and directories are synced when created and removed.
//! - A segment that reached [`Limits::segment_bytes`], or of which nothing is needed, takes no more frames. Segments
//!   are removed whole, oldest first, once every offset in them is released.
//! - A write that fails for want of space is cut off the segment and answered [`AppendError::NoSpace`]; a segment that
//!   cannot be created for want of file handles is tried again ([`AppendError::NoHandle`]). Any other failed write, and
//!   any failed sync, ends the log: every append fails from then on, because the page cache no longer says what the disk
//!   holds. What was acknowledged before is read back at the next start.
//! - Reading looks for a frame at every byte until it finds one whose checksum holds and whose offset is higher than
//!   the last. Bytes that are no frame are copied aside and reported. So is an unfinished frame at the very end of the
//!   last segment, but not as damage: any crash in the middle of a write leaves one, and nobody was told it is safe.

mod disk;
mod frame;
mod inspect;
mod lock;
#[cfg(any(test, fuzzing))]
pub(crate) mod recipe;
mod replay;
mod segment;
#[cfg(test)]
mod tests;
mod writer;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use thiserror::Error;
use tokio::sync::{mpsc, oneshot, watch};
use uuid::Uuid;

pub use disk::{Disk, DiskFile, Entry, RealDisk};
pub use frame::{Frame, HEADER_BYTES};
pub use inspect::{DamageFound, Inspection, LogFound, SegmentFound, inspect, logs};
use lock::Lock;
pub use replay::{Damage, Replayed, WalReader};
use segment::{Root, Segments};
use writer::{Append, Request, Writer};

/// How long a refusal of the system is remembered, so that the service reports itself unready but tries again without
/// traffic.
const REFUSAL_MEMORY: Duration = Duration::from_secs(10);

/// How much a WAL may hold.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// A segment is closed at this size. Default 64 MiB.
    pub segment_bytes: u64,
    /// Bytes on disk, logs of earlier starts included; beyond it appends answer [`AppendError::Full`]. Default 4 GiB.
    pub max_bytes: u64,
    /// Appends that may wait for the writer; beyond it they answer [`AppendError::Busy`]. Default 8192.
    pub queue: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            segment_bytes: 64 << 20,
            max_bytes: 4 << 30,
            queue: 8192,
        }
    }
}

/// Why a WAL directory cannot be used.
#[derive(Debug, Error)]
pub enum OpenError {
    #[error("the write-ahead log {} belongs to {owner}, which is still running; stop it, or choose another directory", dir.display())]
    Locked { dir: PathBuf, owner: String },
    #[error("the write-ahead log cannot use {}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
}

/// Why a delivery is not safe. Nothing of it is promised; the sender must try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum AppendError {
    #[error("too many deliveries wait to be written")]
    Busy,
    #[error(
        "the write-ahead log reached its size limit: the lake does not take deliveries fast enough, or not at all"
    )]
    Full,
    #[error("the disk of the write-ahead log is full")]
    NoSpace,
    #[error("the system gives no file handle for the write-ahead log")]
    NoHandle,
    #[error("the delivery is too large for one frame")]
    TooLarge,
    #[error("the write-ahead log failed and the service must be restarted")]
    Failed,
    #[error("the service is shutting down")]
    Closed,
}

/// What [`Wal::open`] found and made.
pub struct Opened {
    pub wal: Wal,
    /// Reads what `wal` appends.
    pub reader: WalReader,
    /// Logs that earlier starts left, oldest first.
    pub old: Vec<WalReader>,
}

/// Where deliveries become durable. Clones share one log.
#[derive(Clone)]
pub struct Wal {
    shared: Arc<Shared>,
    queue: mpsc::Sender<Request>,
}

struct Shared {
    segments: Arc<Segments>,
    limits: Limits,
    /// The last offset that is on stable storage.
    durable: AtomicU64,
    /// Bytes of all durable frames since the start, released ones included.
    written: AtomicU64,
    /// Every offset up to here is in the lake.
    released: AtomicU64,
    /// Why the log ended, once it did.
    failure: OnceLock<String>,
    failed: watch::Sender<bool>,
    /// True once the writer is gone and holds nothing of the log.
    closed: watch::Receiver<bool>,
    /// What the system last refused, if nothing was written since.
    refused: Mutex<Option<(AppendError, Instant)>>,
}

impl Wal {
    /// Takes the directory, starts a log under `id` (never used before) and its writer thread, and finds the logs of
    /// earlier starts. Blocks on the disk.
    ///
    /// # Errors
    /// Another process has the directory, or the disk refuses.
    pub fn open(
        dir: &Path,
        id: Uuid,
        limits: Limits,
        disk: Arc<dyn Disk>,
    ) -> Result<Opened, OpenError> {
        let io = |source| OpenError::Io {
            path: dir.to_owned(),
            source,
        };
        disk.create_dir(dir).map_err(io)?;
        let lock = Lock::acquire(dir)?;
        let root = Arc::new(Root {
            path: dir.to_owned(),
            disk,
            usage: AtomicU64::new(0),
            _lock: Some(lock),
        });
        let old = old_logs(&root).map_err(io)?;

        let segments = Arc::new(Segments::new(id, root));
        // On a full disk the first append will try again: what earlier starts left must be stored to make room.
        if let Err(error) = segments.root.disk.create_dir(&segments.dir())
            && !writer::is_no_space(&error)
        {
            return Err(io(error));
        }
        let (queue, requests) = mpsc::channel(limits.queue);
        let (closing, closed) = watch::channel(false);
        let shared = Arc::new(Shared {
            segments: Arc::clone(&segments),
            limits,
            durable: AtomicU64::new(0),
            written: AtomicU64::new(0),
            released: AtomicU64::new(0),
            failure: OnceLock::new(),
            failed: watch::Sender::new(false),
            closed,
            refused: Mutex::new(None),
        });
        let writer = Writer::new(Arc::clone(&shared), requests);
        let thread = move || {
            writer.run();
            closing.send_replace(true);
        };
        std::thread::Builder::new()
            .name("wal-writer".to_owned())
            .spawn(thread)
            .map_err(io)?;
        Ok(Opened {
            wal: Self { shared, queue },
            reader: WalReader::new(segments),
            old,
        })
    }

    /// Returns the delivery's offset once it is on stable storage.
    ///
    /// # Errors
    /// It is not, and will not be; see [`AppendError`].
    pub async fn append(
        &self,
        body: Bytes,
        received_at: DateTime<Utc>,
    ) -> Result<u64, AppendError> {
        if u32::try_from(body.len() + HEADER_BYTES).is_err() {
            return Err(AppendError::TooLarge);
        }
        let (answer, answered) = oneshot::channel();
        let append = Append {
            body,
            received_at_us: received_at.timestamp_micros(),
            answer,
        };
        self.queue
            .try_send(Request::Append(append))
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => AppendError::Busy,
                mpsc::error::TrySendError::Closed(_) => AppendError::Closed,
            })?;
        // The writer answers everything it takes; without an answer it is gone, and nothing is promised.
        answered.await.unwrap_or(Err(AppendError::Failed))
    }

    /// The last durable offset; 0 before the first.
    pub fn durable(&self) -> u64 {
        self.shared.durable.load(Ordering::Acquire)
    }

    /// Bytes of all durable frames since the start, released ones included.
    pub fn written(&self) -> u64 {
        self.shared.written.load(Ordering::Acquire)
    }

    /// Bytes on disk, logs of earlier starts included.
    pub fn bytes(&self) -> u64 {
        self.shared.segments.usage()
    }

    /// Every offset up to here is in the lake: frees the segments that hold nothing else. Blocks on the disk.
    ///
    /// # Errors
    /// The disk's; the space stays taken until the next call.
    pub fn release(&self, up_to: u64) -> io::Result<()> {
        self.shared.released.store(up_to, Ordering::Release);
        self.shared.segments.release(up_to)
    }

    /// Whether an append would be expected to succeed.
    pub fn check(&self) -> Result<(), AppendError> {
        let refused = *self
            .shared
            .refused
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if self.shared.failure.get().is_some() {
            Err(AppendError::Failed)
        } else if *self.shared.closed.borrow() || self.queue.is_closed() {
            Err(AppendError::Closed)
        } else if self.bytes() >= self.shared.limits.max_bytes {
            Err(AppendError::Full)
        } else {
            match refused {
                Some((error, since)) if since.elapsed() < REFUSAL_MEMORY => Err(error),
                _ => Ok(()),
            }
        }
    }

    /// Waits until the log fails, and says why. Pends for ever on a healthy one.
    pub async fn failed(&self) -> String {
        let mut failed = self.shared.failed.subscribe();
        // The sender lives in `self`, so the wait ends only with a failure.
        let _ = failed.wait_for(|failed| *failed).await;
        self.shared.failure.get().cloned().unwrap_or_default()
    }

    /// Answers every append already queued, then takes no more. Returns when the writer has stopped.
    pub async fn close(&self) {
        let mut closed = self.shared.closed.clone();
        // A closed queue means the writer is already on its way out.
        let _ = self.queue.send(Request::Close).await;
        let _ = closed.wait_for(|closed| *closed).await;
    }
}

impl Shared {
    fn fail(&self, reason: String) {
        let _ = self.failure.set(reason);
        self.failed.send_replace(true);
    }

    fn set_refused(&self, error: Option<AppendError>) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        *refused = error.map(|error| (error, Instant::now()));
    }
}

/// The logs under `root`, ordered by when their first delivery came. Directories left empty are removed.
fn old_logs(root: &Arc<Root>) -> io::Result<Vec<WalReader>> {
    let mut logs = Vec::new();
    for entry in root.disk.list(&root.path)? {
        let Some(id) = Uuid::parse_str(&entry.name).ok().filter(|_| entry.is_dir) else {
            continue;
        };
        let segments = Segments::found(id, Arc::clone(root))?;
        match segments.all().first() {
            Some(_) => {
                let mut log = WalReader::new(Arc::new(segments));
                log.find_beginning()?;
                logs.push(log);
            }
            None => {
                // Nothing in it is a delivery; it need not keep the service from starting.
                if let Err(error) = segments.remove_all() {
                    tracing::warn!(%id, %error, "an empty log of an earlier start was not removed");
                }
            }
        }
    }
    logs.sort_by_key(WalReader::began);
    Ok(logs)
}
