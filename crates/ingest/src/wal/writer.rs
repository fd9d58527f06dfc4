//! The thread that makes accepted deliveries durable: it takes all that wait, writes them at once, syncs once, then
//! answers each. Never answers "safe" before the sync returned, never goes on after a write or a sync it cannot undo.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use super::disk::DiskFile;
use super::frame::{self, HEADER_BYTES};
use super::{AppendError, Shared};

/// Deliveries taken from the queue at a time.
const GROUP_REQUESTS: usize = 4096;
/// A group is written once its frames reach this size, which bounds the write buffer.
const GROUP_BYTES: usize = 8 * 1024 * 1024;

pub(super) enum Request {
    Append(Append),
    /// Answer everything that waits, then stop.
    Close,
}

pub(super) struct Append {
    pub body: Bytes,
    pub received_at_us: i64,
    pub answer: oneshot::Sender<Result<u64, AppendError>>,
}

/// Why a group is not safe.
enum WriteError {
    /// The system has no room, or no file handle; the segment is as it was before.
    Refused(AppendError),
    /// The segment can no longer be trusted.
    Fatal(String),
}

pub(super) struct Writer {
    shared: Arc<Shared>,
    queue: mpsc::Receiver<Request>,
    segment: Option<OpenSegment>,
    /// The offset of the next frame.
    next_offset: u64,
    /// The frames of the group at hand.
    buffer: Vec<u8>,
}

struct OpenSegment {
    file: Box<dyn DiskFile>,
    /// Length up to the last durable frame.
    bytes: u64,
}

impl Writer {
    pub fn new(shared: Arc<Shared>, queue: mpsc::Receiver<Request>) -> Self {
        Self {
            shared,
            queue,
            segment: None,
            next_offset: 1,
            buffer: Vec::new(),
        }
    }

    /// Until every handle is gone or one asked to close.
    pub fn run(mut self) {
        let mut requests = Vec::with_capacity(GROUP_REQUESTS);
        let mut group = Vec::with_capacity(GROUP_REQUESTS);
        while self.queue.blocking_recv_many(&mut requests, GROUP_REQUESTS) > 0 {
            for request in requests.drain(..) {
                match request {
                    Request::Append(append) => self.collect(append, &mut group),
                    Request::Close => self.queue.close(),
                }
                if self.buffer.len() >= GROUP_BYTES {
                    self.commit(&mut group);
                }
            }
            self.commit(&mut group);
        }
    }

    /// Encodes a delivery into the group, or refuses it.
    fn collect(&mut self, append: Append, group: &mut Vec<Append>) {
        if group.is_empty() {
            self.roll_if_due();
        }
        let size = HEADER_BYTES + append.body.len();
        let used = self.shared.segments.usage() + (self.buffer.len() + size) as u64;
        let refusal = if self.shared.failure.get().is_some() {
            Some(AppendError::Failed)
        } else if used > self.shared.limits.max_bytes {
            Some(AppendError::Full)
        } else {
            None
        };
        if let Some(refusal) = refusal {
            // A requester that went away needs no answer.
            let _ = append.answer.send(Err(refusal));
            return;
        }
        let offset = self.next_offset + group.len() as u64;
        frame::encode(
            &mut self.buffer,
            offset,
            append.received_at_us,
            &append.body,
        );
        group.push(append);
    }

    fn commit(&mut self, group: &mut Vec<Append>) {
        if group.is_empty() {
            return;
        }
        let first = self.next_offset;
        let size = self.buffer.len() as u64;
        let result = self.write();
        self.buffer.clear();
        self.buffer.shrink_to(2 * GROUP_BYTES);
        match result {
            Ok(bytes) => {
                self.next_offset += group.len() as u64;
                self.shared.segments.grew_to(bytes);
                self.shared.set_refused(None);
                self.shared.written.fetch_add(size, Ordering::Release);
                self.shared
                    .durable
                    .store(self.next_offset - 1, Ordering::Release);
                for (offset, append) in (first..).zip(group.drain(..)) {
                    let _ = append.answer.send(Ok(offset));
                }
            }
            Err(WriteError::Refused(error)) => {
                self.shared.set_refused(Some(error));
                refuse(group, error);
            }
            Err(WriteError::Fatal(reason)) => {
                self.shared.fail(reason);
                refuse(group, AppendError::Failed);
            }
        }
    }

    /// Makes the buffer durable; the segment's new length.
    fn write(&mut self) -> Result<u64, WriteError> {
        let mut segment = match self.segment.take() {
            Some(segment) => segment,
            None => self.create_segment()?,
        };
        let end = segment.bytes + self.buffer.len() as u64;
        failpoint!("wal-write");
        match segment.file.write_at(segment.bytes, &self.buffer) {
            Ok(()) => {}
            Err(error) if is_no_space(&error) => {
                // Part of the group may be in the file. It was not acknowledged, and must not precede later frames.
                segment.file.truncate(segment.bytes).map_err(|error| {
                    WriteError::Fatal(format!(
                        "the disk is full, and cutting off an unfinished write failed: {error}"
                    ))
                })?;
                self.segment = Some(segment);
                return Err(WriteError::Refused(AppendError::NoSpace));
            }
            Err(error) => {
                return Err(WriteError::Fatal(format!(
                    "writing to the log failed: {error}"
                )));
            }
        }
        failpoint!("wal-written");
        // After a failed sync the kernel may drop the dirty pages and report success the next time.
        segment
            .file
            .sync()
            .map_err(|error| WriteError::Fatal(format!("syncing the log failed: {error}")))?;
        failpoint!("wal-synced");
        segment.bytes = end;
        self.segment = Some(segment);
        Ok(end)
    }

    /// Closes the segment when it is full, or when nothing in it is needed any more: so a log that is drained now and
    /// then stays small, and a full disk gets its room back.
    fn roll_if_due(&mut self) {
        let Some(segment) = &self.segment else { return };
        let last = self.next_offset - 1;
        let released = self.shared.released.load(Ordering::Acquire);
        let drained = segment.bytes > 0 && released >= last;
        if !drained && segment.bytes < self.shared.limits.segment_bytes {
            return;
        }
        self.segment = None;
        self.shared.segments.seal(last);
        if drained && let Err(error) = self.shared.segments.release(last) {
            tracing::warn!(%error, "a drained segment of the write-ahead log could not be removed; will be tried again");
        }
    }

    fn create_segment(&mut self) -> Result<OpenSegment, WriteError> {
        let path = self.shared.segments.path(self.next_offset);
        failpoint!("segment-create");
        let segments = &self.shared.segments;
        let disk = &segments.root.disk;
        match disk
            .create_dir(&segments.dir())
            .and_then(|()| disk.create(&path))
        {
            Ok(file) => {
                failpoint!("segment-created");
                self.shared.segments.add(self.next_offset);
                Ok(OpenSegment { file, bytes: 0 })
            }
            Err(error) if is_no_space(&error) => Err(WriteError::Refused(AppendError::NoSpace)),
            // Nothing was written, and connections that end give theirs back.
            Err(error) if is_no_handle(&error) => Err(WriteError::Refused(AppendError::NoHandle)),
            Err(error) => Err(WriteError::Fatal(format!(
                "creating {} failed: {error}",
                path.display()
            ))),
        }
    }
}

fn refuse(group: &mut Vec<Append>, error: AppendError) {
    for append in group.drain(..) {
        let _ = append.answer.send(Err(error));
    }
}

/// The process, or the system, has as many files open as it may: `EMFILE`, `ENFILE`.
fn is_no_handle(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(23 | 24))
}

pub(super) fn is_no_space(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}
