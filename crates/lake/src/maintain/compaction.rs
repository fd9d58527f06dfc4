//! Writing groups of files anew: the same rows, sorted, in files of the target size, without copies.
//!
//! To those who follow a table by its log nothing is new (`dataChange` is false), and application
//! transactions stay where they are, since they are the log's. Delta itself does not see that two
//! compactions take the same files, because it passes over removals that change no data: every commit
//! that removes files of a table therefore carries a transaction under one id, [`FENCE`], of which two that
//! overlap conflict. Appends conflict with neither.

use std::sync::Arc;

use chrono::Utc;
use datafusion::catalog::TableProvider;
use datafusion::prelude::col;
use deltalake::kernel::{Action, Add};
use deltalake::protocol::DeltaOperation;
use futures::TryStreamExt;

use super::Compacted;
use super::copies::Copies;
use super::plan::{Group, StoredFile};
use crate::error::LakeError;
use crate::rewrite::REWRITE_MEMORY_BYTES;
use crate::session::sorted;
use crate::table::{APPEND_RETRIES, Table};
use crate::write::{FileWriter, full_rows, tags};

/// The application id of every commit that removes files of a table that is appended to.
pub(crate) const FENCE: &str = "maintain";
/// The application id of commits by which rows are fewer than before.
pub(crate) const FEWER_ROWS: &str = "maintain-fewer-rows";
/// The application id under which the log says which partitions were removed by age: all before this date, in
/// days since 1970.
pub(crate) const KEPT_FROM: &str = "maintain-kept-from";
/// Marks settled files in the log.
const SETTLED: &str = "huggy-etl.settled";

/// What others may commit while files are written anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tolerance {
    /// Appends; only another removal is a conflict.
    Appends,
    /// Nothing.
    Nothing,
}

impl Table {
    /// The table's files as planning sees them.
    pub(crate) fn stored_files(&self) -> Result<Vec<StoredFile>, LakeError> {
        let files = self.files()?.into_iter();
        Ok(files
            .map(|file| {
                let tags = tags(&file);
                let rows = file.num_records().unwrap_or_default() as u64;
                StoredFile {
                    full_rows: full_rows(&tags, rows),
                    path: file.path().into_owned(),
                    partition: file.partition_values_map().into_values().flatten().next(),
                    bytes: file.size().unsigned_abs(),
                    rows,
                    written_at: file.modification_time(),
                    is_settled: tags.contains_key(SETTLED),
                }
            })
            .collect())
    }

    /// Writes a group anew and commits it.
    ///
    /// # Errors
    /// [`LakeError::Conflict`] if somebody else has removed files since; nothing is changed then.
    pub(crate) async fn compact(
        &mut self,
        group: &Group,
        tolerance: Tolerance,
    ) -> Result<Compacted, LakeError> {
        let began = Utc::now();
        let mut copies = Copies::of(self, group).await?;
        let adds = self.write_group(group, &mut copies).await?;
        let done = Compacted {
            groups: 1,
            files_in: group.files.len() as u64,
            bytes_in: group.bytes(),
            files_out: adds.len() as u64,
            bytes_out: adds.iter().map(|add| add.size.unsigned_abs()).sum(),
            copies: copies.dropped(),
        };
        let mut actions = self.removals_of(&group.files)?;
        actions.extend(adds.into_iter().map(Action::Add));
        self.still_uncommitted(began)?;
        // Never the same twice: who asks afterwards must not take another's commit for his own.
        let now = Utc::now().timestamp_micros();
        let (txns, retries) = match (tolerance, done.copies) {
            (Tolerance::Nothing, _) => (vec![], 0),
            (Tolerance::Appends, 0) => (vec![(FENCE, now)], APPEND_RETRIES),
            (Tolerance::Appends, _) => (vec![(FENCE, now), (FEWER_ROWS, now)], APPEND_RETRIES),
        };
        let operation = DeltaOperation::Optimize {
            predicate: None,
            target_size: i64::try_from(self.layout.target_file_bytes).unwrap_or(i64::MAX),
        };
        self.commit_as(operation, actions, &txns, retries).await?;
        Ok(done)
    }

    async fn write_group(&self, group: &Group, copies: &mut Copies) -> Result<Vec<Add>, LakeError> {
        let read = || LakeError::read(&self.name);
        let columns = self.plain_columns()?;
        let order = self.layout.sort_columns.iter();
        let order: Vec<_> = order.map(|name| col(name).sort(true, false)).collect();
        let paths = group.files.iter().map(|file| &file.path);
        let provider = self.provider_of(paths).await?;
        let sorting = sorted(REWRITE_MEMORY_BYTES, |context| {
            let frame = context.read_table(provider.clone());
            let frame = frame.and_then(|frame| frame.select(columns.clone()));
            frame.and_then(|frame| frame.sort(order.clone()))
        });
        let mut stream = sorting.await.map_err(read())?;
        let rows = usize::try_from(group.rows()).unwrap_or(usize::MAX);
        let mut writer = FileWriter::new(self, rows)?;
        let mut rows_read = 0;
        while let Some(batch) = stream.try_next().await.map_err(read())? {
            rows_read += batch.num_rows() as u64;
            let batch = copies
                .drop_from(batch)
                .map_err(|error| read()(error.into()))?;
            writer.write(batch).await?;
        }
        let mut adds = writer.finish().await?;
        self.check_rows(group, rows_read, &adds, copies)?;
        for add in &mut adds {
            add.data_change = false;
            add.modification_time = group.written_at();
            if group.settles && copies.are_all_found() {
                let tag = (SETTLED.to_owned(), Some("true".to_owned()));
                add.tags.get_or_insert_default().extend([tag]);
            }
        }
        Ok(adds)
    }

    /// A compaction that would lose or gain a row is a defect, and must not be committed.
    fn check_rows(
        &self,
        group: &Group,
        read: u64,
        adds: &[Add],
        copies: &Copies,
    ) -> Result<(), LakeError> {
        let mut written = 0;
        for add in adds {
            let stats = add.get_stats().map_err(|error| {
                LakeError::delta(&self.name)(deltalake::DeltaTableError::from(error))
            })?;
            written += stats.map_or(0, |stats| stats.num_records.unsigned_abs());
        }
        let expected = group.rows();
        if read == expected && written + copies.dropped() == expected {
            return Ok(());
        }
        Err(LakeError::Miscounted {
            table: self.name.clone(),
            expected,
            read,
            written: written + copies.dropped(),
        })
    }

    /// Some of the files as a table.
    pub(crate) async fn provider_of(
        &self,
        paths: impl Iterator<Item = &String>,
    ) -> Result<Arc<dyn TableProvider>, LakeError> {
        let provider = self.inner.table_provider().with_file_paths(paths).await;
        provider.map_err(LakeError::read(&self.name))
    }

    /// Removes the files, all of which must still be there.
    fn removals_of(&self, removed: &[StoredFile]) -> Result<Vec<Action>, LakeError> {
        let paths: std::collections::HashSet<&str> =
            removed.iter().map(|file| file.path.as_str()).collect();
        let files = self.files()?.into_iter();
        let removals: Vec<Action> = files
            .filter(|file| paths.contains(file.path().as_ref()))
            .map(|file| Action::Remove(file.remove_action(false)))
            .collect();
        if removals.len() == removed.len() {
            return Ok(removals);
        }
        Err(LakeError::Conflict {
            table: self.name.clone(),
        })
    }
}
