//! What was done to a table, as rows.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, StringArray, TimestampMicrosecondArray, UInt64Array};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use lake::Commit;

/// The newest commits of a table, newest first.
#[derive(Debug, Clone)]
pub struct TableHistory {
    pub commits: RecordBatch,
    /// How many older ones the log still has.
    pub older: u64,
}

pub(crate) fn rows(commits: &[Commit]) -> Result<RecordBatch, ArrowError> {
    let number = |value: fn(&Commit) -> Option<u64>| -> ArrayRef {
        Arc::new(commits.iter().map(value).collect::<UInt64Array>())
    };
    let times: TimestampMicrosecondArray = commits
        .iter()
        .map(|commit| Some(commit.time?.timestamp_micros()))
        .collect();
    let operations: StringArray = commits
        .iter()
        .map(|commit| commit.operation.clone())
        .collect();
    let changes: BooleanArray = commits
        .iter()
        .map(|commit| Some(commit.changes_rows))
        .collect();
    RecordBatch::try_from_iter([
        ("version", number(|commit| Some(commit.version))),
        ("time", Arc::new(times.with_timezone("UTC")) as ArrayRef),
        ("operation", Arc::new(operations)),
        ("changes_rows", Arc::new(changes)),
        ("rows_added", number(|commit| commit.rows_added)),
        ("rows_removed", number(|commit| commit.rows_removed)),
        ("files_added", number(|commit| Some(commit.files_added))),
        ("files_removed", number(|commit| Some(commit.files_removed))),
        ("bytes_added", number(|commit| Some(commit.bytes_added))),
    ])
}
