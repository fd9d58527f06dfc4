//! Replacing the rows of some keys, or of all, in one commit.
//!
//! Only files that hold a row which is to go are rewritten, so cost follows what changes. What stays of
//! larger ones is kept apart from what is added, so that rows which still change do not drag settled
//! ones along. Small files are folded together as they accumulate, which bounds their number without a
//! rewrite of everything. The commit fails if anybody else has committed since: a lease is not a fence,
//! this is.

use std::collections::BTreeSet;

use arrow::record_batch::RecordBatch;
use chrono::{DateTime, NaiveDate, Utc};
use datafusion::prelude::{Expr, col};
use deltalake::kernel::{Action, Add, LogicalFileView};
use deltalake::protocol::SaveMode;
use futures::{StreamExt, TryStreamExt, stream};
use tokio::sync::OnceCell;

use crate::difference::Difference;
use crate::error::LakeError;
use crate::folding::{self, DataFile};
use crate::maintain::{StoredFile, without_older};
use crate::scope::{Replaced, Scope};
use crate::session::{sorted, spawned};
use crate::table::Table;
use crate::write::{FEW_ROWS, FileWriter, tag_as_full};

/// Memory for sorting rewritten rows; beyond it they spill to disk.
pub(crate) const REWRITE_MEMORY_BYTES: usize = 512 << 20;
/// Files of one table that are written anew at a time: the table with the most of them is waited for.
const MERGES_AT_ONCE: usize = 2;

/// A replacement in the making.
pub struct Rewrite<'a> {
    table: &'a mut Table,
    rows: NewRows,
    began: DateTime<Utc>,
    /// Rows of earlier dates are not written; not known before the first row.
    kept_from: OnceCell<Option<NaiveDate>>,
}

/// A replacement whose files are written, and which nobody sees yet.
pub struct Prepared<'a> {
    table: &'a mut Table,
    actions: Vec<Action>,
    began: DateTime<Utc>,
}

enum NewRows {
    /// Of everything: they go to files as they come.
    Written(Box<FileWriter>),
    /// Of some keys: they are few and wait to be compared with the old ones.
    Waiting(Replaced, Vec<RecordBatch>),
}

impl Table {
    /// Begins to replace the rows in `scope` as of this table's version.
    ///
    /// # Errors
    /// [`LakeError::Delta`].
    pub fn rewrite(&mut self, scope: Scope) -> Result<Rewrite<'_>, LakeError> {
        let rows = match Replaced::of(scope) {
            None => NewRows::Written(Box::new(FileWriter::new(self, usize::MAX)?)),
            Some(replaced) => NewRows::Waiting(replaced, Vec::new()),
        };
        Ok(Rewrite {
            table: self,
            rows,
            began: Utc::now(),
            kept_from: OnceCell::new(),
        })
    }
}

impl<'a> Rewrite<'a> {
    /// The table as it was when the rewrite began.
    pub fn table(&self) -> &Table {
        self.table
    }

    /// Adds rows of the replacement, but those of dates that retention has removed.
    ///
    /// # Errors
    /// [`LakeError::Delta`], [`LakeError::Storage`].
    pub async fn write(&mut self, batch: RecordBatch) -> Result<(), LakeError> {
        let batch = match &self.table.layout.aging_column {
            Some(column) => {
                let kept_from = self.kept_from.get_or_try_init(|| self.table.kept_from());
                without_older(batch, column, *kept_from.await?)
                    .map_err(|error| LakeError::read(&self.table.name)(error.into()))?
            }
            None => batch,
        };
        match &mut self.rows {
            NewRows::Written(writer) => writer.write(batch).await,
            NewRows::Waiting(_, rows) => {
                rows.push(batch);
                Ok(())
            }
        }
    }

    /// As [`Prepared::commit`], of what is to be prepared first.
    ///
    /// # Errors
    /// Those of both.
    pub async fn commit(self, txns: &[(&str, i64)], always: bool) -> Result<(), LakeError> {
        self.prepare().await?.commit(txns, always).await
    }

    /// Writes what is to be committed.
    ///
    /// # Errors
    /// [`LakeError::Read`], [`LakeError::Delta`], [`LakeError::Storage`].
    pub async fn prepare(self) -> Result<Prepared<'a>, LakeError> {
        let table = self.table;
        let actions = match self.rows {
            NewRows::Written(writer) => {
                let adds = writer.finish().await?;
                let mut actions = table.removals(|_| true)?;
                actions.extend(adds.into_iter().map(Action::Add));
                actions
            }
            NewRows::Waiting(replaced, rows) => {
                let replacing = table.clone();
                spawned(&table.name, async move {
                    replacing.replace(&replaced, &rows).await
                })
                .await?
            }
        };
        Ok(Prepared {
            table,
            actions,
            began: self.began,
        })
    }
}

impl Prepared<'_> {
    /// Gives the table a property in the same commit.
    ///
    /// # Errors
    /// [`LakeError::Delta`].
    pub fn with_property(mut self, name: &str, value: &str) -> Result<Self, LakeError> {
        self.actions
            .extend(self.table.property_change(name, value)?);
        Ok(self)
    }

    /// Commits the replacement, recording `txns` (application ids and their versions). Where nothing
    /// changes and `always` is false, nothing is committed.
    ///
    /// # Errors
    /// [`LakeError::Conflict`] if the table has changed since; others as they come. Nothing is
    /// replaced then, unless the store lost its answer: run again, it is harmless.
    pub async fn commit(self, txns: &[(&str, i64)], always: bool) -> Result<(), LakeError> {
        if self.actions.is_empty() && !always {
            return Ok(());
        }
        self.table.still_uncommitted(self.began)?;
        let committed = self
            .table
            .commit(self.actions, SaveMode::Overwrite, txns, 0);
        committed.await
    }
}

/// Files that are read and removed, and what is written in their place.
#[derive(Default)]
pub(crate) struct Merge {
    pub files: Vec<String>,
    /// True for the files' rows that stay; all of them do without it.
    pub staying: Option<Expr>,
    /// Of one large file to which nothing is added: which rows go, but those among `rows`.
    pub cut: Option<Replaced>,
    pub rows: Vec<RecordBatch>,
    /// When the youngest of all the rows were written, if not now.
    pub written_at: Option<i64>,
    /// How many rows the file had when it was full, of which these are what stays.
    pub full_rows: Option<u64>,
}

impl Table {
    async fn replace(
        &self,
        replaced: &Replaced,
        new_rows: &[RecordBatch],
    ) -> Result<Vec<Action>, LakeError> {
        let difference = self.difference(replaced, new_rows).await?;
        if difference.is_empty() {
            return Ok(Vec::new());
        }
        let merges = self.merges(replaced, difference)?;
        let removed: BTreeSet<String> = merges
            .iter()
            .flat_map(|merge| merge.files.iter().cloned())
            .collect();
        let mut actions = self.removals(|path| removed.contains(path))?;
        let merging = merges.into_iter().map(|merge| {
            let table = self.clone();
            spawned(&self.name, async move { table.merge(merge).await })
        });
        let mut merged = stream::iter(merging).buffered(MERGES_AT_ONCE);
        while let Some(adds) = merged.try_next().await? {
            actions.extend(adds.into_iter().map(Action::Add));
        }
        Ok(actions)
    }

    /// What to read and write for the table to become the new one.
    fn merges(&self, replaced: &Replaced, difference: Difference) -> Result<Vec<Merge>, LakeError> {
        let Difference { added, mut files } = difference;
        let stored = self.stored_files()?;
        let (changed, others) = stored
            .iter()
            .map(StoredFile::data_file)
            .partition(|file: &DataFile| files.contains_key(&file.path));
        let target = self.layout.target_file_bytes;
        let columns = self.plain_schema()?.fields().len();
        // A file of few rows is read and written whole in less time than it takes to look into it.
        let is_large = |paths: &[String]| {
            let is_it = |file: &&StoredFile| paths == [file.path.as_str()];
            stored
                .iter()
                .find(is_it)
                .is_some_and(|file| file.rows > FEW_ROWS as u64)
        };
        let rewritten = folding::rewritten(changed, columns, target);
        let mut staying = |paths: &[String]| -> Vec<RecordBatch> {
            let rows = paths.iter().filter_map(|path| files.remove(path));
            rows.flatten().collect()
        };
        let mut merges = vec![Merge {
            rows: [staying(&rewritten.joined), added].concat(),
            files: rewritten.joined,
            staying: Some(replaced.kept()),
            ..Merge::default()
        }];
        merges.extend(rewritten.apart.into_iter().map(|group| Merge {
            rows: staying(&group.paths),
            cut: is_large(&group.paths).then(|| replaced.clone()),
            files: group.paths,
            staying: Some(replaced.kept()),
            written_at: Some(group.written_at),
            full_rows: group.full_rows,
        }));
        let folded = folding::folded(others, target);
        merges.extend(folded.into_iter().map(|group| Merge {
            files: group.paths,
            written_at: Some(group.written_at),
            ..Merge::default()
        }));
        Ok(merges)
    }

    /// Writes the files' rows that stay with the other rows, sorted.
    pub(crate) async fn merge(&self, merge: Merge) -> Result<Vec<Add>, LakeError> {
        let cut = match &merge.cut {
            Some(replaced) => self.cut(&merge.files[0], replaced, &merge.rows).await?,
            None => None,
        };
        let mut adds = match cut {
            Some(adds) => adds,
            None => self.merged(merge.files, merge.staying, merge.rows).await?,
        };
        for add in &mut adds {
            add.modification_time = merge.written_at.unwrap_or(add.modification_time);
            if let Some(rows) = merge.full_rows {
                tag_as_full(add, rows);
            }
        }
        Ok(adds)
    }

    async fn merged(
        &self,
        files: Vec<String>,
        staying: Option<Expr>,
        rows: Vec<RecordBatch>,
    ) -> Result<Vec<Add>, LakeError> {
        if files.is_empty() && rows.is_empty() {
            return Ok(Vec::new());
        }
        let read = || LakeError::read(&self.name);
        let order = self.layout.sort_columns.iter();
        let order: Vec<_> = order.map(|name| col(name).sort(true, false)).collect();
        let kept = match files.is_empty() {
            true => None,
            false => Some(self.provider_of(files.iter()).await?),
        };
        // Rows come with plain types; the scan's views must not differ from them.
        let columns = self.plain_columns()?;
        let sorting = sorted(REWRITE_MEMORY_BYTES, |context| {
            let kept = kept.clone().map(|files| {
                let kept = context.read_table(files);
                let kept = kept.and_then(|kept| match staying.clone() {
                    Some(staying) => kept.filter(staying),
                    None => Ok(kept),
                });
                kept.and_then(|kept| kept.select(columns.clone()))
            });
            let rows = (!rows.is_empty()).then(|| context.read_batches(rows.clone()));
            let parts = kept.into_iter().chain(rows);
            let frame = parts.reduce(|kept, rows| kept?.union(rows?));
            let frame = frame.unwrap_or_else(|| context.read_empty());
            frame.and_then(|frame| frame.sort(order.clone()))
        });
        let mut stream = sorting.await.map_err(read())?;
        let mut writer = FileWriter::new(self, usize::MAX)?;
        while let Some(batch) = stream.try_next().await.map_err(read())? {
            writer.write(batch).await?;
        }
        writer.finish().await
    }

    pub(crate) fn files(&self) -> Result<Vec<LogicalFileView>, LakeError> {
        let snapshot = self
            .inner
            .snapshot()
            .map_err(LakeError::delta(&self.name))?;
        Ok(snapshot.log_data().iter().collect())
    }

    pub(crate) fn removals(&self, chosen: impl Fn(&str) -> bool) -> Result<Vec<Action>, LakeError> {
        let files = self
            .files()?
            .into_iter()
            .filter(|file| chosen(&file.path()));
        Ok(files
            .map(|file| Action::Remove(file.remove_action(true)))
            .collect())
    }
}
