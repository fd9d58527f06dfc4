//! One Delta table: open, create, append once, read.

use std::collections::HashMap;

use arrow::datatypes::{DataType, SchemaRef};
use arrow::record_batch::RecordBatch;
use chrono::{DateTime, TimeDelta, Utc};
use datafusion::catalog::TableProvider;
use datafusion::error::DataFusionError;
use datafusion::physical_plan::SendableRecordBatchStream;
use datafusion::prelude::{DataFrame, Expr, cast, col, lit};
use deltalake::DeltaTable;
use deltalake::kernel::engine::arrow_conversion::TryIntoKernel;
use deltalake::kernel::transaction::{CommitBuilder, CommitProperties};
use deltalake::kernel::{Action, StructType, Transaction};
use deltalake::operations::create::CreateBuilder;
use deltalake::protocol::{DeltaOperation, SaveMode};
use futures::TryStreamExt;
use std::sync::Arc;

use crate::conditions::CheckedTable;
use crate::error::LakeError;
use crate::landed::landmark;

use crate::location::Lake;
use crate::maintain::{Hidden, KEPT_FROM, Size};
use crate::session::{BatchStream, aside, session, sorted};
use crate::write::write_files;

/// Every so many commits the log is summed up in a checkpoint, so that opening a table stays cheap.
const CHECKPOINT_EVERY: u64 = 100;
/// How often an append may lose the race for a version before it gives up.
pub(crate) const APPEND_RETRIES: usize = 50;
/// How often an append is tried again because rows were removed meanwhile, which is rare.
const APPEND_ATTEMPTS: u32 = 5;
/// How old files may be when they are committed. A rebuild of very large facts takes hours.
const COMMITTED_WITHIN: TimeDelta = TimeDelta::hours(12);
/// Files that are older and never were part of the table are nobody's any more. Twice as long: clocks may differ.
pub(crate) const ABANDONED_AFTER: TimeDelta = TimeDelta::hours(24);
/// Reading for bookkeeping (ids, keys) stays within this.
const READ_MEMORY_BYTES: usize = 512 << 20;

/// The property of a table that names the columns with statistics in the log.
pub(crate) const STATS_COLUMNS: &str = "delta.dataSkippingStatsColumns";

/// Large files suit most tables: a scan stays parallel, and a rewrite stays small.
const FILE_BYTES: u64 = 64 << 20;
const ROW_GROUP_ROWS: usize = 256 * 1024;
/// As writers of Parquet have it.
const PAGE_ROWS: usize = 20_000;

/// What a table is.
#[derive(Debug, Clone)]
pub struct TableSpec {
    pub name: String,
    pub description: String,
    /// Fields may carry their description as metadata under `comment`.
    pub schema: SchemaRef,
    pub partition_columns: Vec<String>,
    /// Columns with minimum and maximum in the log, by which files are found. Never personal data.
    pub stats_columns: Vec<String>,
    pub layout: Layout,
}

/// How rows lie in the files that are written. Readers need not know it.
#[derive(Debug, Clone)]
pub struct Layout {
    /// The order of rows within files.
    pub sort_columns: Vec<String>,
    /// Columns looked up by single values.
    pub bloom_filter_columns: Vec<String>,
    /// Columns whose values hardly repeat: a dictionary would only be in the way of compression.
    pub distinct_columns: Vec<String>,
    /// Long texts, which are worth compressing harder.
    pub bulky_columns: Vec<String>,
    /// Files roll at about this size. Smaller where rewrites touch single rows all over the table.
    pub target_file_bytes: u64,
    /// Rows in a row group at most. Fewer where rewrites touch single rows: only their row groups are encoded anew.
    pub row_group_rows: usize,
    /// Rows in a page at most. Fewer where single rows are read: their pages are decompressed whole.
    pub page_rows: usize,
    /// The column whose value tells a row from all others: rows that share it are copies of one, of
    /// which maintenance keeps one.
    pub identity: Option<String>,
    /// Of a table whose rows are replaced, the date by which they become too old.
    pub aging_column: Option<String>,
}

impl Default for Layout {
    /// Files of the usual size, in no order.
    fn default() -> Self {
        Self {
            sort_columns: Vec::new(),
            bloom_filter_columns: Vec::new(),
            distinct_columns: Vec::new(),
            bulky_columns: Vec::new(),
            target_file_bytes: FILE_BYTES,
            row_group_rows: ROW_GROUP_ROWS,
            page_rows: PAGE_ROWS,
            identity: None,
            aging_column: None,
        }
    }
}

/// An open table at one version.
#[derive(Debug, Clone)]
pub struct Table {
    pub(crate) lake: Lake,
    pub(crate) name: String,
    pub(crate) inner: DeltaTable,
    pub(crate) layout: Layout,
    /// Rows that reading and following the table passes over.
    pub(crate) hidden: Option<Hidden>,
}

/// What an append wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    pub version: u64,
    pub files: usize,
    pub bytes: u64,
}

impl Table {
    pub(crate) async fn open(lake: &Lake, name: &str) -> Result<Table, LakeError> {
        let mut inner = lake
            .builder(name)?
            .build()
            .map_err(LakeError::delta(name))?;
        if !inner
            .verify_deltatable_existence()
            .await
            .map_err(LakeError::delta(name))?
        {
            return Err(LakeError::NoSuchTable {
                table: name.to_owned(),
                lake: lake.url().to_owned(),
            });
        }
        inner.load().await.map_err(LakeError::delta(name))?;
        Ok(Table {
            lake: lake.clone(),
            name: name.to_owned(),
            inner,
            layout: Layout::default(),
            hidden: None,
        })
    }

    pub(crate) async fn open_or_create(lake: &Lake, spec: &TableSpec) -> Result<Table, LakeError> {
        let mut opened = match Table::open(lake, &spec.name).await {
            Err(LakeError::NoSuchTable { .. }) => {
                // Whether this creation or a racing one wins, the table exists afterwards.
                let created = create(lake, spec).await;
                Table::open(lake, &spec.name)
                    .await
                    .map_err(|error| created.err().unwrap_or(error))
            }
            opened => opened,
        }?;
        opened.add_missing_columns(spec).await?;
        Ok(Table {
            layout: spec.layout.clone(),
            ..opened
        })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn version(&self) -> u64 {
        self.inner.version().unwrap_or_default()
    }

    /// Takes in what others have committed.
    ///
    /// # Errors
    /// [`LakeError::Storage`], [`LakeError::Delta`].
    pub async fn refresh(&mut self) -> Result<(), LakeError> {
        self.inner
            .update_state()
            .await
            .map_err(LakeError::delta(&self.name))
    }

    /// As [`refresh`](Self::refresh), without trust in what is known already: the log may have been cleaned, or put
    /// back to an older state.
    ///
    /// # Errors
    /// Those of [`Lake::existing`].
    pub async fn reopen(&mut self) -> Result<(), LakeError> {
        self.inner = Table::open(&self.lake, &self.name).await?.inner;
        Ok(())
    }

    /// The version last committed under `app_id`, as of this table's version. The commit is durable, whoever made it.
    ///
    /// # Errors
    /// [`LakeError::Storage`], [`LakeError::Delta`].
    pub async fn committed(&self, app_id: &str) -> Result<Option<i64>, LakeError> {
        let snapshot = self
            .inner
            .snapshot()
            .map_err(LakeError::delta(&self.name))?;
        let version = snapshot
            .transaction_version(self.inner.log_store().as_ref(), app_id)
            .await;
        let version = version.map_err(LakeError::delta(&self.name))?;
        if version.is_some() {
            let synced = self.lake.sync_commits(&self.name).await;
            synced.map_err(LakeError::storage(format!(
                "syncing the commits of table {}",
                self.name
            )))?;
        }
        Ok(version)
    }

    /// Appends the rows in one commit, which also records `txn` (application id, its version).
    ///
    /// # Errors
    /// An error does **not** mean "not committed": [`refresh`](Self::refresh), ask
    /// [`committed`](Self::committed), then decide.
    pub async fn append(
        &mut self,
        batches: Vec<RecordBatch>,
        txn: Option<(&str, i64)>,
    ) -> Result<Appended, LakeError> {
        failpoint!("append");
        let began = Utc::now();
        let adds = write_files(self, batches).await?;
        failpoint!("files-written");
        let (files, bytes) = (
            adds.len(),
            adds.iter().map(|add| add.size.unsigned_abs()).sum(),
        );
        let actions = adds.into_iter().map(Action::Add).collect();
        self.commit_append(actions, txn, began).await?;
        Ok(Appended {
            version: self.version(),
            files,
            bytes,
        })
    }

    /// Commits added files. A removal of old rows that was committed meanwhile is a conflict to Delta, but none
    /// to an append: it is committed again, unless `txn` was committed by somebody else.
    async fn commit_append(
        &mut self,
        actions: Vec<Action>,
        txn: Option<(&str, i64)>,
        began: DateTime<Utc>,
    ) -> Result<(), LakeError> {
        let mut attempt = 1;
        loop {
            self.still_uncommitted(began)?;
            let before = self.committed_of(txn).await?;
            let committed = self
                .commit(
                    actions.clone(),
                    SaveMode::Append,
                    txn.as_slice(),
                    APPEND_RETRIES,
                )
                .await;
            match committed {
                Err(LakeError::Conflict { .. }) if attempt < APPEND_ATTEMPTS => {
                    attempt += 1;
                    self.refresh().await?;
                    if self.committed_of(txn).await? != before {
                        return committed;
                    }
                }
                committed => return committed,
            }
        }
    }

    async fn committed_of(&self, txn: Option<(&str, i64)>) -> Result<Option<i64>, LakeError> {
        match txn {
            Some((app_id, _)) => self.committed(app_id).await,
            None => Ok(None),
        }
    }

    /// Files that nobody has committed for long are taken for those of a process that died, and are
    /// deleted. Whoever was stopped for so long must not commit his.
    pub(crate) fn still_uncommitted(&self, began: DateTime<Utc>) -> Result<(), LakeError> {
        if Utc::now() - began < COMMITTED_WITHIN {
            return Ok(());
        }
        Err(LakeError::Conflict {
            table: self.name.clone(),
        })
    }

    /// Commits against the version this table is at. With `retries` 0 any commit in between is a
    /// [`LakeError::Conflict`]: the fence of everything that removes files.
    pub(crate) async fn commit(
        &mut self,
        actions: Vec<Action>,
        mode: SaveMode,
        txns: &[(&str, i64)],
        retries: usize,
    ) -> Result<(), LakeError> {
        let operation = DeltaOperation::Write {
            mode,
            partition_by: None,
            predicate: None,
        };
        self.commit_as(operation, actions, txns, retries).await
    }

    pub(crate) async fn commit_as(
        &mut self,
        operation: DeltaOperation,
        actions: Vec<Action>,
        txns: &[(&str, i64)],
        retries: usize,
    ) -> Result<(), LakeError> {
        // By which ids of ended processes leave the log.
        let now = Utc::now().timestamp_millis();
        let transactions = txns
            .iter()
            .map(|(app_id, version)| {
                let last_update = (*app_id != KEPT_FROM).then_some(now);
                Transaction::new_with_last_update(app_id, *version, last_update)
            })
            .collect();
        let properties = CommitProperties::default()
            .with_application_transactions(transactions)
            .with_create_checkpoint(false)
            .with_cleanup_expired_logs(Some(false))
            .with_max_retries(retries);
        let snapshot = self
            .inner
            .snapshot()
            .map_err(LakeError::delta(&self.name))?
            .snapshot()
            .clone();
        let landmark = landmark(&actions, txns);
        let committed = CommitBuilder::from(properties)
            .with_actions(actions)
            .build(Some(&snapshot), self.inner.log_store(), operation)
            .await
            .map_err(LakeError::delta(&self.name))?;
        failpoint!("committed");
        self.take_in(committed.version(), landmark, txns).await?;
        self.checkpoint_when_due(snapshot.version()).await;
        Ok(())
    }

    /// A checkpoint is an optimisation: its failure is worth a line, not an error.
    async fn checkpoint_when_due(&self, before: u64) {
        if before / CHECKPOINT_EVERY != self.version() / CHECKPOINT_EVERY
            && let Err(error) = self.write_checkpoint(None).await
        {
            tracing::warn!(table = self.name, %error, "the table's log could not be summed up in a checkpoint");
        }
    }

    /// The rows' `columns` where the SQL `predicate` over the table's columns holds.
    ///
    /// # Errors
    /// [`LakeError::Read`], also in the stream.
    pub async fn read(
        &self,
        columns: &[&str],
        predicate: Option<&str>,
    ) -> Result<BatchStream, LakeError> {
        let read = || LakeError::read(&self.name);
        let frame = session(READ_MEMORY_BYTES)
            .read_table(self.provider().await?)
            .map_err(read())?;
        let predicate = predicate
            .map(|predicate| frame.parse_sql_expr(predicate))
            .transpose();
        let frame = predicate.and_then(|predicate| self.chosen(frame, columns, predicate));
        let stream = frame.map_err(read())?.execute_stream().await;
        Ok(self.batches(stream.map_err(read())?))
    }

    /// As [`read`](Self::read), sorted by the `order` columns within about `memory_bytes`; what does
    /// not fit spills to disk.
    ///
    /// # Errors
    /// [`LakeError::Read`], also in the stream.
    pub async fn read_sorted(
        &self,
        columns: &[&str],
        predicate: Option<Expr>,
        order: &[&str],
        memory_bytes: usize,
    ) -> Result<BatchStream, LakeError> {
        let provider = self.provider().await?;
        let sorting = sorted(memory_bytes, |context| {
            let frame = context.read_table(provider.clone());
            let frame = frame.and_then(|frame| self.chosen(frame, columns, predicate.clone()));
            let order = order.iter().map(|name| col(*name).sort(true, false));
            frame.and_then(|frame| match order.len() {
                0 => Ok(frame),
                _ => frame.sort(order.collect()),
            })
        });
        Ok(self.batches(sorting.await.map_err(LakeError::read(&self.name))?))
    }

    /// The rows that are not hidden and meet the predicate.
    fn chosen(
        &self,
        mut frame: DataFrame,
        columns: &[&str],
        predicate: Option<Expr>,
    ) -> Result<DataFrame, DataFusionError> {
        if let Some(hidden) = &self.hidden {
            let first = cast(lit(hidden.before.as_str()), DataType::Date32);
            frame = frame.filter(col(&hidden.column).gt_eq(first))?;
        }
        if let Some(predicate) = predicate {
            frame = frame.filter(predicate)?;
        }
        frame.select_columns(columns)
    }

    fn batches(&self, stream: SendableRecordBatchStream) -> BatchStream {
        let name = self.name.clone();
        Box::pin(aside(stream).map_err(move |error| LakeError::read(&name)(error)))
    }

    /// The table at this version for a DataFusion session.
    ///
    /// # Errors
    /// [`LakeError::Read`].
    pub async fn provider(&self) -> Result<Arc<dyn TableProvider>, LakeError> {
        let provider = self.inner.table_provider().await;
        let provider = provider.map_err(LakeError::read(&self.name))?;
        Ok(Arc::new(CheckedTable(provider)))
    }

    /// Registers this table's storage with a session that reads [`provider`](Self::provider) by plan.
    ///
    /// # Errors
    /// [`LakeError::Delta`].
    pub fn register_storage(
        &self,
        state: &dyn datafusion::catalog::Session,
    ) -> Result<(), LakeError> {
        self.inner
            .update_datafusion_session(state)
            .map_err(LakeError::delta(&self.name))
    }

    /// The schema with its descriptions, and the table's own description.
    ///
    /// # Errors
    /// [`LakeError::Delta`].
    pub fn describe(&self) -> Result<(SchemaRef, Option<String>), LakeError> {
        let snapshot = self
            .inner
            .snapshot()
            .map_err(LakeError::delta(&self.name))?
            .snapshot();
        Ok((
            snapshot.arrow_schema(),
            snapshot.metadata().description().map(str::to_owned),
        ))
    }

    pub(crate) fn partition_columns(&self) -> Result<Vec<String>, LakeError> {
        let snapshot = self
            .inner
            .snapshot()
            .map_err(LakeError::delta(&self.name))?;
        Ok(snapshot.snapshot().metadata().partition_columns().to_vec())
    }

    /// The least value of the partition column, as the log writes it.
    ///
    /// # Errors
    /// [`LakeError::Delta`].
    pub fn earliest_partition(&self) -> Result<Option<String>, LakeError> {
        let files = self.files()?.into_iter();
        let values = files.flat_map(|file| file.partition_values_map().into_values());
        let values = values.flatten().filter(|value| !self.hides(Some(value)));
        Ok(values.min())
    }

    pub(crate) fn size(&self) -> Result<Size, LakeError> {
        let (rows, files, bytes) = self.totals()?;
        Ok(Size {
            rows,
            files: files as u64,
            bytes,
        })
    }

    /// Rows, files and bytes by the log's statistics, without reading data.
    ///
    /// # Errors
    /// [`LakeError::Delta`].
    pub fn totals(&self) -> Result<(u64, usize, u64), LakeError> {
        let snapshot = self
            .inner
            .snapshot()
            .map_err(LakeError::delta(&self.name))?;
        let log = snapshot.log_data();
        let (mut rows, mut bytes) = (0, 0);
        for file in log.iter() {
            rows += file.num_records().unwrap_or_default() as u64;
            bytes += file.size().unsigned_abs();
        }
        Ok((rows, log.num_files(), bytes))
    }
}

async fn create(lake: &Lake, spec: &TableSpec) -> Result<(), LakeError> {
    let schema: StructType =
        spec.schema
            .as_ref()
            .try_into_kernel()
            .map_err(|error: arrow::error::ArrowError| {
                LakeError::read(&spec.name)(datafusion::error::DataFusionError::from(error))
            })?;
    let log_store = lake
        .builder(&spec.name)?
        .build_storage()
        .map_err(LakeError::delta(&spec.name))?;
    // An empty list is no list of columns to Delta; without the property all are indexed.
    let stats_columns = (!spec.stats_columns.is_empty()).then(|| spec.stats_columns.join(","));
    let properties = HashMap::from([
        (STATS_COLUMNS.to_owned(), stats_columns),
        // Application ids of ended ingest processes leave the log after this.
        (
            "delta.setTransactionRetentionDuration".to_owned(),
            Some("interval 90 days".to_owned()),
        ),
        // Removed files leave the log after this; maintenance deletes them earlier.
        (
            "delta.deletedFileRetentionDuration".to_owned(),
            Some("interval 2 days".to_owned()),
        ),
    ]);
    CreateBuilder::new()
        .with_log_store(log_store)
        .with_table_name(&spec.name)
        .with_comment(&spec.description)
        .with_columns(schema.fields().cloned())
        .with_partition_columns(&spec.partition_columns)
        .with_configuration(properties)
        .with_raise_if_key_not_exists(false)
        .await
        .map_err(LakeError::delta(&spec.name))?;
    Ok(())
}
