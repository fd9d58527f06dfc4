//! One frame: an accepted delivery as bytes on disk. Encoding and checking only; never touches a file.

use bytes::Bytes;
use chrono::{DateTime, Utc};

/// Opens every frame. 0xF5 and 0xFA occur in no UTF-8 text, so no stored JSON can imitate it.
pub(super) const MAGIC: [u8; 4] = [0xF5, b'h', b'w', 0xFA];

/// What a frame adds to its body: magic, length, offset, checksum, received_at.
pub const HEADER_BYTES: usize = 4 + 4 + 8 + 4 + 8;

/// A frame read back: one delivery, exactly as it was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Its number in its WAL, from 1, without gaps.
    pub offset: u64,
    pub received_at: DateTime<Utc>,
    pub body: Bytes,
}

/// The fixed part of a frame. All numbers are little-endian.
#[derive(Debug, Clone, Copy)]
pub(super) struct Header {
    pub length: u32,
    pub offset: u64,
    pub checksum: u32,
    pub received_at_us: i64,
}

/// Appends the frame's bytes to `buffer`. The caller has checked that the body's length fits a `u32`.
pub(super) fn encode(buffer: &mut Vec<u8>, offset: u64, received_at_us: i64, body: &[u8]) {
    let length = body.len() as u32;
    buffer.extend_from_slice(&MAGIC);
    buffer.extend_from_slice(&length.to_le_bytes());
    buffer.extend_from_slice(&offset.to_le_bytes());
    buffer.extend_from_slice(&checksum(length, offset, received_at_us, body).to_le_bytes());
    buffer.extend_from_slice(&received_at_us.to_le_bytes());
    buffer.extend_from_slice(body);
}

/// The header at the start of `bytes`, or `None` where no frame can begin.
pub(super) fn header(bytes: &[u8]) -> Option<Header> {
    let rest = bytes.strip_prefix(&MAGIC)?;
    let (length, rest) = rest.split_first_chunk()?;
    let (offset, rest) = rest.split_first_chunk()?;
    let (checksum, rest) = rest.split_first_chunk()?;
    let (received_at_us, _) = rest.split_first_chunk()?;
    Some(Header {
        length: u32::from_le_bytes(*length),
        offset: u64::from_le_bytes(*offset),
        checksum: u32::from_le_bytes(*checksum),
        received_at_us: i64::from_le_bytes(*received_at_us),
    })
}

/// The frame, if its checksum holds.
pub(super) fn checked(header: Header, body: Bytes) -> Option<Frame> {
    let expected = checksum(header.length, header.offset, header.received_at_us, &body);
    if expected != header.checksum {
        return None;
    }
    Some(Frame {
        offset: header.offset,
        received_at: DateTime::from_timestamp_micros(header.received_at_us)?,
        body,
    })
}

fn checksum(length: u32, offset: u64, received_at_us: i64, body: &[u8]) -> u32 {
    let mut fixed = [0; 20];
    fixed[..4].copy_from_slice(&length.to_le_bytes());
    fixed[4..12].copy_from_slice(&offset.to_le_bytes());
    fixed[12..].copy_from_slice(&received_at_us.to_le_bytes());
    crc32c::crc32c_append(crc32c::crc32c(&fixed), body)
}
