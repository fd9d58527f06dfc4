//! What maintenance did to a table, or would do.

use chrono::NaiveDate;

use super::plan::StoredFile;
use crate::error::LakeError;

/// How many rows, files and bytes a table has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Size {
    pub rows: u64,
    pub files: u64,
    pub bytes: u64,
}

impl Size {
    pub(super) fn of(files: &[StoredFile]) -> Self {
        Self {
            rows: files.iter().map(|file| file.rows).sum(),
            files: files.len() as u64,
            bytes: files.iter().map(|file| file.bytes).sum(),
        }
    }
}

/// Files written anew.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Compacted {
    /// Groups of files, each a commit.
    pub groups: u64,
    pub files_in: u64,
    pub bytes_in: u64,
    /// Estimates, where it was only asked what would be done.
    pub files_out: u64,
    pub bytes_out: u64,
    /// Copies of rows that were dropped; not known beforehand.
    pub copies: u64,
}

impl Compacted {
    pub(super) fn add(&mut self, other: Compacted) {
        self.groups += other.groups;
        self.files_in += other.files_in;
        self.bytes_in += other.bytes_in;
        self.files_out += other.files_out;
        self.bytes_out += other.bytes_out;
        self.copies += other.copies;
    }
}

/// Files deleted from storage.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Freed {
    pub files: u64,
    pub bytes: u64,
}

/// What was done to one table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TableReport {
    pub table: String,
    pub before: Size,
    pub after: Size,
    /// Removed because of its age.
    pub expired: Size,
    /// As old, but left for now: who follows the table has not read them yet.
    pub unread: Size,
    /// The date of the newest rows, from which ages were counted, if the clock says that it is long over.
    pub ages_from: Option<NaiveDate>,
    pub compacted: Compacted,
    /// The version that was summed up in a checkpoint.
    pub checkpoint: Option<u64>,
    /// Entries of the log.
    pub log: Freed,
    /// Data files: removed ones, and those of processes that died.
    pub data: Freed,
    /// What is no part of the table, but stays for now: it is not old enough,
    pub staying: Freed,
    /// or who follows the table has not read it yet.
    pub awaited: Freed,
    /// Why not all was done: others were at work. The next run finds what this one left.
    pub left: Option<String>,
    /// What is wrong with the table, so that not all could be done.
    pub failed: Option<String>,
}

impl TableReport {
    pub fn is_idle(&self) -> bool {
        let nothing = Freed::default();
        self.expired == Size::default()
            && self.unread == Size::default()
            && self.compacted.groups == 0
            && self.checkpoint.is_none()
            && self.log == nothing
            && self.data == nothing
            && self.left.is_none()
            && self.failed.is_none()
    }

    /// Notes what is wrong with the table, but not that others are at work on it.
    pub(super) fn bear(&mut self, done: Result<(), LakeError>) -> Result<(), LakeError> {
        match done {
            Err(error @ (LakeError::Conflict { .. } | LakeError::Held { .. })) => Err(error),
            Err(error) => {
                self.is_left_by(&error);
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    pub(super) fn is_left_by(&mut self, error: &LakeError) {
        let why = match error {
            LakeError::Conflict { .. } | LakeError::Held { .. } => &mut self.left,
            _ => &mut self.failed,
        };
        why.get_or_insert_with(|| error.to_string());
    }
}
