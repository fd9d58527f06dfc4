//! Rows that are too old, of a table whose rows are replaced: what stays of their files is written anew. The first date
//! that is kept is written into the log, and heeded by who replaces rows, so that nothing brings them back.

use std::collections::BTreeSet;

use arrow::array::{AsArray, BooleanArray};
use arrow::compute::{cast, filter_record_batch};
use arrow::datatypes::{DataType, Date32Type};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use chrono::{NaiveDate, Utc};
use datafusion::prelude::{Expr, col, lit};
use datafusion::scalar::ScalarValue;
use deltalake::kernel::{Action, LogicalFileView};
use deltalake::protocol::DeltaOperation;

use super::Size;
use super::compaction::FEWER_ROWS;
use super::plan::StoredFile;
use super::retention::days;
use crate::error::LakeError;
use crate::rewrite::{Merge, REWRITE_MEMORY_BYTES};
use crate::session::session;
use crate::table::Table;

/// The rows but those of dates before `first`. One without a date stays.
///
/// # Errors
/// If the column holds no dates.
pub fn without_older(
    batch: RecordBatch,
    column: &str,
    first: Option<NaiveDate>,
) -> Result<RecordBatch, ArrowError> {
    let (Some(first), Some(dates)) = (first.map(days), batch.column_by_name(column)) else {
        return Ok(batch);
    };
    let dates = cast(dates, &DataType::Date32)?;
    let dates = dates.as_primitive::<Date32Type>().iter();
    let stays: BooleanArray = dates
        .map(|date| Some(date.is_none_or(|date| i64::from(date) >= first)))
        .collect();
    filter_record_batch(&batch, &stays)
}

impl Table {
    /// The rows of dates before `first`, and the files they lie in.
    pub(crate) async fn older(&self, first: NaiveDate) -> Result<Size, LakeError> {
        let files = self.with_older(first)?;
        let (Some(column), false) = (&self.layout.aging_column, files.is_empty()) else {
            return Ok(Size::default());
        };
        let read = || LakeError::read(&self.name);
        let older = session(REWRITE_MEMORY_BYTES)
            .read_table(
                self.provider_of(files.iter().map(|file| &file.path))
                    .await?,
            )
            .and_then(|frame| frame.filter(col(column).lt(date(first))))
            .map_err(read())?;
        let rows = older.count().await.map_err(read())? as u64;
        Ok(match rows {
            0 => Size::default(),
            rows => Size {
                rows,
                files: files.len() as u64,
                bytes: files.iter().map(|file| file.bytes).sum(),
            },
        })
    }

    /// Removes them.
    ///
    /// # Errors
    /// [`LakeError::Conflict`] if anybody has committed since; nothing is changed then.
    pub(crate) async fn remove_older(&mut self, first: NaiveDate) -> Result<(), LakeError> {
        let Some(column) = self.layout.aging_column.clone() else {
            return Ok(());
        };
        let began = Utc::now();
        let files = self.with_older(first)?;
        let paths: BTreeSet<String> = files.iter().map(|file| file.path.clone()).collect();
        let merge = Merge {
            files: paths.iter().cloned().collect(),
            staying: Some(col(&column).is_null().or(col(&column).gt_eq(date(first)))),
            written_at: files.iter().map(|file| file.written_at).max(),
            ..Merge::default()
        };
        let adds = self.merge(merge).await?;
        let mut actions = self.removals(|path| paths.contains(path))?;
        actions.extend(adds.into_iter().map(Action::Add));
        self.still_uncommitted(began)?;
        let txns = [
            (FEWER_ROWS, Utc::now().timestamp_micros()),
            self.keeping_from(first).await?,
        ];
        let operation = DeltaOperation::Delete { predicate: None };
        self.commit_as(operation, actions, &txns, 0).await
    }

    /// The files that may hold such rows, by the log's statistics.
    fn with_older(&self, first: NaiveDate) -> Result<Vec<StoredFile>, LakeError> {
        let Some(column) = &self.layout.aging_column else {
            return Ok(Vec::new());
        };
        let may_hold =
            |file: &LogicalFileView| earliest(file, column).is_none_or(|earliest| earliest < first);
        let files = self.files()?.into_iter().filter(may_hold);
        let paths: BTreeSet<String> = files.map(|file| file.path().into_owned()).collect();
        let mut files = self.stored_files()?;
        files.retain(|file| paths.contains(&file.path));
        Ok(files)
    }
}

fn earliest(file: &LogicalFileView, column: &str) -> Option<NaiveDate> {
    let stats: serde_json::Value = serde_json::from_str(&file.stats()?).ok()?;
    stats["minValues"][column].as_str()?.parse().ok()
}

fn date(date: NaiveDate) -> Expr {
    lit(ScalarValue::Date32(i32::try_from(days(date)).ok()))
}
