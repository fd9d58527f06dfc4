//! What a WAL directory holds, told without taking part: takes no lock, writes nothing, sets nothing
//! aside. A service may own the directory meanwhile, and the log may be damaged. Bodies are not kept.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::disk::{Disk, DiskFile, Entry, RealDisk};
use super::frame::{Frame, HEADER_BYTES};
use super::replay::{Replayed, UNFINISHED, WalReader};
use super::segment::{Root, Segments};

/// Of bodies in memory at a time.
const READ_BYTES: u64 = 8 << 20;

/// What is in the directory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inspection {
    /// What the lock file says of the last owner; a process that ended leaves it behind.
    pub last_owner: Option<String>,
    /// In the order of their first deliveries.
    pub logs: Vec<LogFound>,
    /// Bytes and deliveries that were set aside earlier, and are not in the lake: how many files, and bytes.
    pub set_aside: (usize, u64),
    /// Likewise, of frames that were never finished, and so never acknowledged.
    pub unfinished: (usize, u64),
}

/// The log of one process start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFound {
    pub id: Uuid,
    /// The last offset that the lake has, if that is known.
    pub flushed: Option<u64>,
    pub segments: Vec<SegmentFound>,
    pub damage: Vec<DamageFound>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SegmentFound {
    /// The offset in its name.
    pub first: u64,
    pub bytes: u64,
    pub frames: u64,
    /// Of the frames, those beyond what the lake has.
    pub unflushed: u64,
    pub last_offset: Option<u64>,
    /// Without the frames' headers.
    pub body_bytes: u64,
    pub oldest: Option<DateTime<Utc>>,
    pub newest: Option<DateTime<Utc>>,
    /// At its end, of a frame that was never finished, or is being written now.
    pub unfinished_bytes: u64,
}

/// A stretch of a segment that holds no valid frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DamageFound {
    pub segment: u64,
    /// Bytes from the start of the segment.
    pub byte_offset: u64,
    pub length: u64,
}

impl LogFound {
    pub fn frames(&self) -> u64 {
        self.segments.iter().map(|segment| segment.frames).sum()
    }

    pub fn unflushed(&self) -> u64 {
        self.segments.iter().map(|segment| segment.unflushed).sum()
    }
}

/// The ids of the logs in the directory. Blocks on the disk.
///
/// # Errors
/// The disk's; there is no such directory.
pub fn logs(dir: &Path) -> io::Result<Vec<Uuid>> {
    let entries = RealDisk.list(dir)?.into_iter();
    let folders = entries.filter(|entry| entry.is_dir);
    Ok(folders
        .filter_map(|entry| Uuid::parse_str(&entry.name).ok())
        .collect())
}

/// Reads every frame of every log. `flushed` has the last offset in the lake of each log that the lake
/// knows; all frames of the others count as unflushed. Blocks on the disk.
///
/// # Errors
/// The disk's.
pub fn inspect(dir: &Path, flushed: &BTreeMap<Uuid, u64>) -> io::Result<Inspection> {
    let disk: Arc<dyn Disk> = Arc::new(ReadOnly);
    let root = Arc::new(Root {
        path: dir.to_owned(),
        disk,
        usage: AtomicU64::new(0),
        _lock: None,
    });
    let mut inspection = Inspection {
        last_owner: std::fs::read_to_string(dir.join("lock"))
            .ok()
            .map(|owner| owner.trim().to_owned())
            .filter(|owner| !owner.is_empty()),
        ..Inspection::default()
    };
    for id in logs(dir)? {
        match read(id, &root, flushed.get(&id).copied()) {
            Ok(log) => inspection.logs.push(log),
            // Flushed and removed meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    let began = |log: &LogFound| {
        log.segments
            .iter()
            .filter_map(|segment| segment.oldest)
            .min()
    };
    inspection.logs.sort_by_key(|log| (began(log), log.id));
    if let Ok(aside) = RealDisk.list(&dir.join("damaged")) {
        let (unfinished, lost): (Vec<_>, Vec<_>) = aside
            .into_iter()
            .partition(|entry| entry.name.ends_with(UNFINISHED));
        let sum = |aside: &[Entry]| (aside.len(), aside.iter().map(|entry| entry.bytes).sum());
        inspection.set_aside = sum(&lost);
        inspection.unfinished = sum(&unfinished);
    }
    Ok(inspection)
}

fn read(id: Uuid, root: &Arc<Root>, flushed: Option<u64>) -> io::Result<LogFound> {
    loop {
        let segments = Arc::new(Segments::found(id, Arc::clone(root))?);
        match read_all(id, &segments, flushed) {
            // A segment was released meanwhile: what is left is asked for again.
            Err(error) if error.kind() == io::ErrorKind::NotFound && segments.dir().is_dir() => {}
            result => return result,
        }
    }
}

fn read_all(id: Uuid, segments: &Arc<Segments>, flushed: Option<u64>) -> io::Result<LogFound> {
    let all = segments.all();
    let mut log = LogFound {
        id,
        flushed,
        segments: all
            .iter()
            .map(|segment| SegmentFound {
                first: segment.first,
                bytes: segment.bytes,
                ..SegmentFound::default()
            })
            .collect(),
        damage: Vec::new(),
    };
    let mut reader = WalReader::new(Arc::clone(segments));
    loop {
        let Replayed { frames, damage, .. } = reader.read(READ_BYTES, usize::MAX)?;
        if frames.is_empty() && damage.is_empty() {
            break;
        }
        frames.iter().for_each(|frame| log.take(frame));
        let damage = damage.into_iter().map(|damage| DamageFound {
            segment: damage.segment,
            byte_offset: damage.byte_offset,
            length: damage.length,
        });
        log.damage.extend(damage);
    }
    if let Some(last) = log.segments.last_mut() {
        let damaged = log
            .damage
            .iter()
            .filter(|damage| damage.segment == last.first);
        let known = last.frames * HEADER_BYTES as u64
            + last.body_bytes
            + damaged.map(|damage| damage.length).sum::<u64>();
        last.unfinished_bytes = last.bytes.saturating_sub(known);
    }
    Ok(log)
}

impl LogFound {
    fn take(&mut self, frame: &Frame) {
        let is_flushed = self.flushed.is_some_and(|flushed| frame.offset <= flushed);
        // A segment's name is the first offset in it.
        let mut segments = self.segments.iter_mut().rev();
        let Some(found) = segments.find(|found| found.first <= frame.offset) else {
            return;
        };
        let at = Some(frame.received_at);
        found.frames += 1;
        found.unflushed += u64::from(!is_flushed);
        found.last_offset = Some(frame.offset);
        found.body_bytes += frame.body.len() as u64;
        found.oldest = found.oldest.map_or(at, |oldest| at.min(Some(oldest)));
        found.newest = found.newest.max(at);
    }
}

/// The disk of this machine, of which nothing is changed: what would be written goes nowhere.
struct ReadOnly;

impl Disk for ReadOnly {
    fn create_dir(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn create(&self, _: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(Nowhere))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        RealDisk.open(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        RealDisk.list(path)
    }

    fn remove_file(&self, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn remove_dir(&self, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }
}

/// A file of which nothing is kept.
pub(super) struct Nowhere;

impl DiskFile for Nowhere {
    fn write_at(&mut self, _: u64, _: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn read_at(&mut self, _: u64, _: &mut [u8]) -> io::Result<usize> {
        Ok(0)
    }

    fn truncate(&mut self, _: u64) -> io::Result<()> {
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}
