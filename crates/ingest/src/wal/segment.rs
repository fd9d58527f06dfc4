//! Which segment files a WAL has, what they hold, and when they may go. Never looks inside them.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use super::disk::Disk;
use super::lock::Lock;

/// The directory that holds the logs of all ids.
pub(super) struct Root {
    pub path: PathBuf,
    pub disk: Arc<dyn Disk>,
    /// Bytes of all segments of all ids.
    pub usage: AtomicU64,
    /// Held as long as anything here may read or write; `None` for who only looks.
    pub _lock: Option<Lock>,
}

/// The files of one WAL id, oldest first. Shared by the writer, the reader and whoever releases.
pub(super) struct Segments {
    pub id: Uuid,
    pub root: Arc<Root>,
    files: Mutex<VecDeque<Segment>>,
}

/// One file, as far as its content is known to be on stable storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Segment {
    /// The first offset it may hold; names the file.
    pub first: u64,
    pub bytes: u64,
    /// The last offset it may hold; `None` while it is written, or when only reading it will tell.
    pub last: Option<u64>,
}

impl Segments {
    /// A log without files yet.
    pub fn new(id: Uuid, root: Arc<Root>) -> Self {
        Self {
            id,
            root,
            files: Mutex::new(VecDeque::new()),
        }
    }

    /// The segments that an earlier process start left under `root`.
    pub fn found(id: Uuid, root: Arc<Root>) -> io::Result<Self> {
        let segments = Self::new(id, root);
        let mut found: Vec<(u64, u64)> = segments
            .root
            .disk
            .list(&segments.dir())?
            .into_iter()
            .filter(|entry| !entry.is_dir)
            .filter_map(|entry| Some((first_offset(&entry.name)?, entry.bytes)))
            .collect();
        found.sort_unstable();
        let followers = found
            .iter()
            .skip(1)
            .map(|(first, _)| Some(first - 1))
            .chain([None]);
        for ((first, bytes), last) in found.iter().zip(followers) {
            segments.root.usage.fetch_add(*bytes, Ordering::Relaxed);
            segments.lock().push_back(Segment {
                first: *first,
                bytes: *bytes,
                last,
            });
        }
        Ok(segments)
    }

    pub fn dir(&self) -> PathBuf {
        self.root.path.join(self.id.to_string())
    }

    pub fn path(&self, first: u64) -> PathBuf {
        self.dir().join(format!("{first:020}.wal"))
    }

    pub fn all(&self) -> Vec<Segment> {
        self.lock().iter().copied().collect()
    }

    /// Bytes of all WALs under the root.
    pub fn usage(&self) -> u64 {
        self.root.usage.load(Ordering::Relaxed)
    }

    /// A new last segment, empty, just created on disk.
    pub fn add(&self, first: u64) {
        self.lock().push_back(Segment {
            first,
            bytes: 0,
            last: None,
        });
    }

    /// The last segment now holds this many durable bytes.
    pub fn grew_to(&self, bytes: u64) {
        if let Some(segment) = self.lock().back_mut() {
            self.root
                .usage
                .fetch_add(bytes.saturating_sub(segment.bytes), Ordering::Relaxed);
            segment.bytes = bytes;
        }
    }

    /// The last segment takes no more frames; `last` is the last offset given out.
    pub fn seal(&self, last: u64) {
        if let Some(segment) = self.lock().back_mut() {
            segment.last = Some(last);
        }
    }

    /// Removes the files whose every offset is at most `up_to`, oldest first, so that a crash in between leaves a
    /// shorter log, never one with a hole.
    pub fn release(&self, up_to: u64) -> io::Result<()> {
        self.remove_while(|segment| segment.last.is_some_and(|last| last <= up_to))
    }

    /// Removes every file and the directory of this id.
    pub fn remove_all(&self) -> io::Result<()> {
        self.remove_while(|_| true)?;
        failpoint!("log-remove");
        match self.root.disk.remove_dir(&self.dir()) {
            // A full disk may never have let it be made.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }

    fn remove_while(&self, mut condition: impl FnMut(&Segment) -> bool) -> io::Result<()> {
        loop {
            // Taken out under the lock and removed outside it, so that appends do not wait for the disk.
            let Some(segment) = self.lock().pop_front_if(|segment| condition(segment)) else {
                return Ok(());
            };
            failpoint!("segment-remove");
            match self.root.disk.remove_file(&self.path(segment.first)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    self.lock().push_front(segment);
                    return Err(error);
                }
                _ => self.root.usage.fetch_sub(segment.bytes, Ordering::Relaxed),
            };
            failpoint!("segment-removed");
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Segment>> {
        // Every change of the list is one call, so a panic elsewhere cannot have left it half done.
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The first offset a segment's file name says, `None` for any other file.
fn first_offset(name: &str) -> Option<u64> {
    let digits = Path::new(name).file_stem()?.to_str()?;
    let named = name.ends_with(".wal") && digits.len() == 20;
    digits.parse().ok().filter(|first| named && *first > 0)
}
