//! The write-ahead log's files as their specification says they are, read without the product's code.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::record::delivery_of;

pub const HEADER_BYTES: usize = 28;

/// A frame of a segment.
#[derive(Debug, Clone)]
pub struct Frame {
    pub delivery: u64,
    /// Where it lies in its segment.
    pub bytes: Range<usize>,
}

/// The only segment of the only log, and its frames.
pub fn only_segment(logs: &[PathBuf]) -> (PathBuf, Vec<Frame>) {
    let [log] = logs else {
        panic!("{logs:?} is not one log")
    };
    let mut files = fs::read_dir(log)
        .expect("the log")
        .map(|entry| entry.expect("an entry").path());
    let segment = files.next().expect("a segment");
    assert!(files.next().is_none(), "more than one segment");
    let frames = frames(&segment);
    (segment, frames)
}

fn frames(segment: &Path) -> Vec<Frame> {
    let bytes = fs::read(segment).expect("the segment");
    let mut frames = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        assert_eq!(bytes[at..at + 4], [0xF5, b'h', b'w', 0xFA]);
        let length = bytes[at + 4..at + 8].try_into().expect("four bytes");
        let end = at + HEADER_BYTES + u32::from_le_bytes(length) as usize;
        frames.push(Frame {
            delivery: delivery_of(&bytes[at + HEADER_BYTES..end]),
            bytes: at..end,
        });
        at = end;
    }
    frames
}

pub fn flip(segment: &Path, byte: usize, bit: usize) {
    let mut bytes = fs::read(segment).expect("the segment");
    bytes[byte] ^= 1 << (bit % 8);
    fs::write(segment, bytes).expect("writing the segment");
}
