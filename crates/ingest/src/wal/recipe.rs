//! Logs that anything may have happened to, for tests and fuzzing. Bytes are a recipe of frames, noise between
//! them, flipped bytes and a cut; every frame that was not hit is read back, in order and as it was, and nothing else is.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use uuid::Uuid;

use super::disk::{Disk, DiskFile, Entry};
use super::frame::{self, HEADER_BYTES};
use super::inspect::Nowhere;
use super::replay::WalReader;
use super::segment::{Root, Segments};

const ID: Uuid = Uuid::from_u128(7);

/// What a recipe makes.
#[derive(Default)]
struct Log {
    /// By their first offsets.
    segments: BTreeMap<u64, Vec<u8>>,
    frames: Vec<Written>,
    /// Segment and byte. One that is flipped back counts as hit: the frame may be there or not.
    flipped: Vec<(u64, usize)>,
}

#[derive(Debug)]
struct Written {
    segment: u64,
    at: usize,
    offset: u64,
    body: Vec<u8>,
}

/// Makes the log and reads it.
///
/// # Panics
/// A frame is missing that was not hit, or there is one that was never written.
pub(crate) fn check(recipe: &[u8]) {
    let log = Log::made_by(recipe);
    let (read, damaged_bytes) = log.read();
    assert!(read.is_sorted_by_key(|(offset, _)| *offset), "{read:?}");
    for written in log.frames.iter().filter(|frame| log.is_whole(frame)) {
        let is_there = read
            .iter()
            .any(|(offset, body)| *offset == written.offset && *body == written.body);
        assert!(is_there, "{written:?} is lost of {recipe:?}");
    }
    for (offset, body) in &read {
        let is_known = log
            .frames
            .iter()
            .any(|frame| frame.offset == *offset && frame.body == *body);
        assert!(is_known, "{offset} was never written: {recipe:?}");
    }
    let framed: usize = read.iter().map(|(_, body)| HEADER_BYTES + body.len()).sum();
    let all: usize = log.segments.values().map(Vec::len).sum();
    assert!(
        framed + damaged_bytes <= all,
        "more was read than there is: {recipe:?}"
    );
}

impl Log {
    fn made_by(mut recipe: &[u8]) -> Log {
        let mut log = Log::default();
        let (mut segment, mut offset) = (1, 1);
        let cut = number(&mut recipe).saturating_sub(128);
        log.segments.insert(segment, Vec::new());
        while !recipe.is_empty() {
            let step = number(&mut recipe);
            let bytes = log.segments.entry(segment).or_default();
            match step % 6 {
                0 | 1 => {
                    let length = number(&mut recipe);
                    let body = taken(&mut recipe, length).to_vec();
                    // Offsets may be missing: what held them may be gone.
                    offset += u64::from(step > 200);
                    let at = bytes.len();
                    frame::encode(bytes, offset, step as i64, &body);
                    log.frames.push(Written {
                        segment,
                        at,
                        offset,
                        body,
                    });
                    offset += 1;
                }
                2 => {
                    let length = number(&mut recipe);
                    bytes.extend(taken(&mut recipe, length));
                }
                // What looks like a frame and is none.
                3 => {
                    let mut header = Vec::new();
                    frame::encode(&mut header, offset, 0, taken(&mut recipe, 9));
                    header.truncate(HEADER_BYTES);
                    header[16] ^= 1;
                    bytes.extend(header);
                }
                4 => {
                    let place = number(&mut recipe) * 256 + number(&mut recipe);
                    if let Some(place) = place.checked_rem(bytes.len()) {
                        bytes[place] ^= step as u8 | 1;
                        log.flipped.push((segment, place));
                    }
                }
                _ => {
                    segment = offset.max(segment + 1);
                    offset = segment;
                }
            }
        }
        if let Some(last) = log.segments.get_mut(&segment) {
            last.truncate(last.len().saturating_sub(cut));
        }
        log
    }

    fn is_whole(&self, frame: &Written) -> bool {
        let place = frame.at..frame.at + HEADER_BYTES + frame.body.len();
        let is_hit = |(segment, at): &(u64, usize)| *segment == frame.segment && place.contains(at);
        place.end <= self.segments[&frame.segment].len() && !self.flipped.iter().any(is_hit)
    }

    /// Offsets and bodies as they are read back, and how many bytes are told to be damaged.
    fn read(&self) -> (Vec<(u64, Vec<u8>)>, usize) {
        let root = Root {
            path: PathBuf::new(),
            disk: Arc::new(Memory(self.segments.clone())),
            usage: AtomicU64::new(0),
            _lock: None,
        };
        let segments = Segments::found(ID, Arc::new(root)).expect("memory does not fail");
        let mut reader = WalReader::new(Arc::new(segments));
        let (mut read, mut damaged_bytes) = (Vec::new(), 0);
        loop {
            let replayed = reader.read(1 << 20, 3).expect("memory does not fail");
            if replayed.frames.is_empty() && replayed.damage.is_empty() {
                return (read, damaged_bytes);
            }
            let damage = replayed.damage.iter();
            damaged_bytes += damage.map(|damage| damage.length as usize).sum::<usize>();
            let frames = replayed.frames.into_iter();
            read.extend(frames.map(|frame| (frame.offset, frame.body.to_vec())));
        }
    }
}

fn taken<'a>(recipe: &mut &'a [u8], bytes: usize) -> &'a [u8] {
    let (taken, rest) = recipe.split_at(bytes.min(recipe.len()));
    *recipe = rest;
    taken
}

fn number(recipe: &mut &[u8]) -> usize {
    let byte = taken(recipe, 1).first();
    byte.map_or(0, |byte| usize::from(*byte))
}

/// Segments to read; what is copied aside goes nowhere.
struct Memory(BTreeMap<u64, Vec<u8>>);

impl Disk for Memory {
    fn create_dir(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn create(&self, _: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(Nowhere))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let name = path.file_stem().and_then(|name| name.to_str());
        let first: Option<u64> = name.and_then(|name| name.parse().ok());
        let bytes = first.and_then(|first| self.0.get(&first));
        Ok(Box::new(InMemory(
            bytes.cloned().ok_or(io::ErrorKind::NotFound)?,
        )))
    }

    fn list(&self, _: &Path) -> io::Result<Vec<Entry>> {
        let entry = |(first, bytes): (&u64, &Vec<u8>)| Entry {
            name: format!("{first:020}.wal"),
            is_dir: false,
            bytes: bytes.len() as u64,
        };
        Ok(self.0.iter().map(entry).collect())
    }

    fn remove_file(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn remove_dir(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }
}

struct InMemory(Vec<u8>);

impl DiskFile for InMemory {
    fn write_at(&mut self, _: u64, _: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn read_at(&mut self, position: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let rest = self.0.get(position as usize..).unwrap_or_default();
        let read = rest.len().min(buffer.len());
        buffer[..read].copy_from_slice(&rest[..read]);
        Ok(read)
    }

    fn truncate(&mut self, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}
