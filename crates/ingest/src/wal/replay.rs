//! Reading frames back, in order, from the segments of one WAL id, whatever happened to them: a bad stretch is set
//! aside and reading goes on at the next valid frame. Never changes a segment, never skips bytes without a report.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::disk::{Disk, DiskFile};
use super::frame::{self, Frame, HEADER_BYTES, MAGIC};
use super::segment::{Segment, Segments};

/// Bytes fetched from a segment at a time, unless one frame needs more.
const CHUNK_BYTES: usize = 1024 * 1024;

/// How the names of copies of unfinished frames end.
pub(super) const UNFINISHED: &str = "-unfinished.bin";

/// Frames of one WAL id, oldest first.
pub struct WalReader {
    segments: Arc<Segments>,
    began: Option<DateTime<Utc>>,
    position: Position,
    open: Option<Window>,
}

/// What one [`WalReader::read`] found.
#[derive(Debug, Default)]
pub struct Replayed {
    /// Valid frames, by rising offset.
    pub frames: Vec<Frame>,
    /// Stretches that are no frames, each already copied beside the log.
    pub damage: Vec<Damage>,
    /// The end of an earlier start's log, if it is a frame cut short. Any stop in the middle of a write leaves one that
    /// nobody was told is safe; but a disk that forgets what it synced leaves one, too, and only it knows.
    pub unfinished: Option<Damage>,
}

/// A stretch of a segment that holds no valid frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The segment, by the first offset in its name.
    pub segment: u64,
    /// Bytes from the start of the segment.
    pub byte_offset: u64,
    /// Length in bytes.
    pub length: u64,
    /// Where a copy of the bytes is.
    pub kept_in: PathBuf,
}

#[derive(Debug, Clone, Copy, Default)]
struct Position {
    segment: u64,
    byte: u64,
    /// The offset of the last frame read.
    offset: u64,
}

/// What begins at a byte of a segment.
enum Found {
    Frame(Frame),
    NoFrame,
}

impl WalReader {
    pub(super) fn new(segments: Arc<Segments>) -> Self {
        Self {
            segments,
            began: None,
            position: Position::default(),
            open: None,
        }
    }

    /// The id under which this log's offsets are committed.
    pub fn id(&self) -> Uuid {
        self.segments.id
    }

    /// When the first delivery of an earlier start's log came; `None` where it holds no valid frame.
    pub fn began(&self) -> Option<DateTime<Utc>> {
        self.began
    }

    /// Finds out when it began, by the first frame whose checksum holds: a damaged one may tell any time. Copies nothing
    /// aside. Blocks on the disk.
    pub(super) fn find_beginning(&mut self) -> io::Result<()> {
        for segment in self.segments.all() {
            self.enter(segment)?;
            let first = self.next_frame(0)?;
            if let Found::Frame(frame) = self.frame_at(first)? {
                self.began = Some(frame.received_at);
                break;
            }
        }
        self.rewind();
        Ok(())
    }

    /// The frames that follow the last one read, until their bodies exceed `max_bytes` or they are `max_frames`; at
    /// least one, if there is one. Nothing at all means the end. Blocks on the disk.
    ///
    /// # Errors
    /// The disk's. The position stays where it was, so the same call may be made again.
    pub fn read(&mut self, max_bytes: u64, max_frames: usize) -> io::Result<Replayed> {
        let before = self.position;
        let read = self.read_on(max_bytes, max_frames);
        if read.is_err() {
            self.position = before;
            self.open = None;
        }
        read
    }

    /// Starts again from the oldest segment there is.
    pub fn rewind(&mut self) {
        self.position = Position::default();
        self.open = None;
    }

    /// Frees the space of segments that hold no offset beyond `up_to`. Blocks on the disk.
    pub fn release(&self, up_to: u64) -> io::Result<()> {
        self.segments.release(up_to)
    }

    /// Removes the whole log, files and directory; nothing in it is needed any more. Blocks on the disk.
    pub fn remove(self) -> io::Result<()> {
        self.segments.remove_all()
    }

    /// Keeps a copy of a delivery that no table takes, where damaged bytes are kept. Blocks on the disk.
    pub fn set_aside(&self, frame: &Frame) -> io::Result<PathBuf> {
        let (disk, path) =
            self.damaged_file(&format!("{}-offset-{}.json", self.id(), frame.offset))?;
        let mut file = disk.create(&path)?;
        file.write_at(0, &frame.body)?;
        file.sync()?;
        Ok(path)
    }

    fn read_on(&mut self, max_bytes: u64, max_frames: usize) -> io::Result<Replayed> {
        let mut replayed = Replayed::default();
        let mut bytes = 0;
        let all = self.segments.all();
        for (index, segment) in all.iter().enumerate() {
            if segment.first < self.position.segment {
                continue;
            }
            let is_last = index + 1 == all.len();
            self.enter(*segment)?;
            while self.position.byte < segment.bytes {
                if bytes >= max_bytes || replayed.frames.len() >= max_frames {
                    return Ok(replayed);
                }
                match self.frame_at(self.position.byte)? {
                    Found::Frame(frame) => {
                        self.position.byte += (HEADER_BYTES + frame.body.len()) as u64;
                        self.position.offset = frame.offset;
                        bytes += frame.body.len() as u64;
                        replayed.frames.push(frame);
                    }
                    Found::NoFrame => self.skip_damage(is_last, &mut replayed)?,
                }
            }
        }
        Ok(replayed)
    }

    /// Opens the segment, or takes note that it has grown.
    fn enter(&mut self, segment: Segment) -> io::Result<()> {
        if self.position.segment != segment.first {
            self.position = Position {
                segment: segment.first,
                byte: 0,
                offset: self.position.offset,
            };
            self.open = None;
        }
        match &mut self.open {
            Some(window) => window.end = segment.bytes,
            None => {
                let path = self.segments.path(segment.first);
                self.open = Some(Window {
                    file: self.segments.root.disk.open(&path)?,
                    path,
                    end: segment.bytes,
                    chunk: Bytes::new(),
                    chunk_at: 0,
                });
            }
        }
        Ok(())
    }

    fn window(&mut self) -> io::Result<&mut Window> {
        self.open
            .as_mut()
            .ok_or_else(|| io::Error::other("no segment is open"))
    }

    fn frame_at(&mut self, at: u64) -> io::Result<Found> {
        let last_offset = self.position.offset;
        let window = self.window()?;
        let Some(header) = frame::header(&window.bytes(at, HEADER_BYTES)?) else {
            return Ok(Found::NoFrame);
        };
        let length = HEADER_BYTES + header.length as usize;
        if header.offset <= last_offset || length as u64 > window.end - at {
            return Ok(Found::NoFrame);
        }
        let body = window.bytes(at, length)?.slice(HEADER_BYTES..length);
        Ok(frame::checked(header, body).map_or(Found::NoFrame, Found::Frame))
    }

    /// Moves to the next valid frame, or to the end of the segment, and sets aside what lies between.
    fn skip_damage(&mut self, is_last_segment: bool, replayed: &mut Replayed) -> io::Result<()> {
        let from = self.position.byte;
        let to = self.next_frame(from + 1)?;
        let window = self.window()?;
        let is_tail = is_last_segment && to == window.end;
        if is_tail && window.is_zero(from)? {
            // Room that the file system gave to the file but never filled.
            self.position.byte = to;
            return Ok(());
        }
        let is_unfinished = is_tail && self.is_unfinished(from)?;
        let ending = if is_unfinished { UNFINISHED } else { ".bin" };
        let kept_in = self.keep(from, to, ending)?;
        let damage = Damage {
            segment: self.position.segment,
            byte_offset: from,
            length: to - from,
            kept_in,
        };
        if is_unfinished {
            replayed.unfinished = Some(damage);
        } else {
            replayed.damage.push(damage);
        }
        self.position.byte = to;
        Ok(())
    }

    /// Where the next valid frame begins, or the segment's end.
    fn next_frame(&mut self, from: u64) -> io::Result<u64> {
        let mut at = from;
        loop {
            let window = self.window()?;
            let end = window.end;
            let bytes = window.bytes(at, MAGIC.len())?;
            if bytes.len() < MAGIC.len() {
                return Ok(end);
            }
            match bytes.windows(MAGIC.len()).position(|bytes| bytes == MAGIC) {
                Some(skip) => {
                    at += skip as u64;
                    if matches!(self.frame_at(at)?, Found::Frame(_)) {
                        return Ok(at);
                    }
                    at += 1;
                }
                // The magic may straddle the end of this chunk.
                None => at += (bytes.len() - MAGIC.len() + 1) as u64,
            }
        }
    }

    /// Whether the bytes from here to the end are what a stop in the middle of a write leaves: a frame cut short, and
    /// not a whole one of which only the length is wrong.
    fn is_unfinished(&mut self, from: u64) -> io::Result<bool> {
        let window = self.window()?;
        let tail_bytes = window.end - from;
        let start = window.bytes(from, HEADER_BYTES)?;
        let Some(header) = frame::header(&start) else {
            return Ok(tail_bytes < HEADER_BYTES as u64
                && MAGIC.iter().zip(start.iter()).all(|(a, b)| a == b));
        };
        if HEADER_BYTES as u64 + u64::from(header.length) <= tail_bytes {
            return Ok(false);
        }
        let Ok(length) = u32::try_from(tail_bytes - HEADER_BYTES as u64) else {
            return Ok(true);
        };
        let tail = window.bytes(from, HEADER_BYTES + length as usize)?;
        let whole = frame::Header { length, ..header };
        Ok(frame::checked(
            whole,
            tail.slice(HEADER_BYTES..HEADER_BYTES + length as usize),
        )
        .is_none())
    }

    /// Copies a stretch of the open segment beside the log.
    fn keep(&mut self, from: u64, to: u64, ending: &str) -> io::Result<PathBuf> {
        let segment = self.position.segment;
        let name = format!("{}-{segment:020}-{from}{ending}", self.id());
        let (disk, path) = self.damaged_file(&name)?;
        let mut copy = disk.create(&path)?;
        let window = self.window()?;
        let mut at = from;
        while at < to {
            let mut bytes = window.bytes(at, 1)?;
            bytes.truncate(usize::try_from(to - at).unwrap_or(usize::MAX));
            copy.write_at(at - from, &bytes)?;
            at += bytes.len() as u64;
        }
        copy.sync()?;
        Ok(path)
    }

    fn damaged_file(&self, name: &str) -> io::Result<(Arc<dyn Disk>, PathBuf)> {
        let dir = self.segments.root.path.join("damaged");
        self.segments.root.disk.create_dir(&dir)?;
        Ok((Arc::clone(&self.segments.root.disk), dir.join(name)))
    }
}

/// The open segment and the part of it in memory.
struct Window {
    file: Box<dyn DiskFile>,
    path: PathBuf,
    /// Bytes of the segment that may be read.
    end: u64,
    chunk: Bytes,
    chunk_at: u64,
}

/// What cannot be read keeps all that came after it from the lake, so that nothing is lost without anybody's word.
fn unreadable(path: &Path, error: &io::Error) -> io::Error {
    let what = format!(
        "reading {}: {error}; check its disk. To go on without the deliveries in this file, stop the service and move \
         the file out of the write-ahead log",
        path.display()
    );
    io::Error::new(error.kind(), what)
}

impl Window {
    /// The bytes from `at` on: `wanted` or more, fewer only at the segment's end. Shares memory with the chunk, so
    /// frames are never copied out of it.
    fn bytes(&mut self, at: u64, wanted: usize) -> io::Result<Bytes> {
        let remaining = usize::try_from(self.end.saturating_sub(at)).unwrap_or(usize::MAX);
        let wanted = wanted.min(remaining);
        let cached = at
            .checked_sub(self.chunk_at)
            .and_then(|skip| usize::try_from(skip).ok())
            .filter(|skip| skip.saturating_add(wanted) <= self.chunk.len());
        if let Some(skip) = cached {
            return Ok(self.chunk.slice(skip..));
        }
        let mut chunk = vec![0; wanted.max(CHUNK_BYTES.min(remaining))];
        let read = self.file.read_at(at, &mut chunk);
        let read = read.map_err(|error| unreadable(&self.path, &error))?;
        if read < wanted {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the segment is shorter than it was",
            ));
        }
        chunk.truncate(read);
        self.chunk = Bytes::from(chunk);
        self.chunk_at = at;
        Ok(self.chunk.clone())
    }

    fn is_zero(&mut self, from: u64) -> io::Result<bool> {
        let mut at = from;
        while at < self.end {
            let bytes = self.bytes(at, 1)?;
            if bytes.iter().any(|byte| *byte != 0) {
                return Ok(false);
            }
            at += bytes.len() as u64;
        }
        Ok(true)
    }
}
