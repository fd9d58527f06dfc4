//! Rows to Parquet files: compression, statistics, bloom filters, file size.
//!
//! Few rows become one file as lean as Parquet can be, since of a file of few rows the most part would
//! be what describes it: no statistics (the log has them), no page index, no dictionaries. Many rows,
//! and those of partitioned tables, go through Delta's own writer, file by file as they come.

use std::collections::HashMap;
use std::num::NonZeroU64;

use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use deltalake::DeltaTableError;
use deltalake::datafile::writer::{DeltaWriter, WriterConfig};
use deltalake::kernel::{Add, LogicalFileView};
use deltalake::logstore::ObjectStoreRef;
use deltalake::table::config::TablePropertiesExt;
use deltalake::writer::RecordBatchWriter;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;
use tokio::runtime::Handle;
use uuid::Uuid;

use crate::error::LakeError;
use crate::plain::conform;
use crate::stats::statistics;
use crate::table::{Layout, STATS_COLUMNS, Table};

/// Of zstd: beyond it most columns hardly shrink, while texts do.
const LEVEL: i32 = 3;
const BULKY_LEVEL: i32 = 6;
/// Up to so many rows a file is read whole whatever describes it, and dictionaries only enlarge it.
pub(crate) const FEW_ROWS: usize = 4_096;
/// In the log, of a file that was written as large as its table's target allows: how many rows it had then.
const FULL: &str = "huggy-etl.full";
/// How many columns have statistics in the log where the table does not name them: Delta's default.
const INDEXED_COLUMNS: usize = 32;

/// Writes the batches as files of the table, uncommitted.
pub(crate) async fn write_files(
    table: &Table,
    batches: Vec<RecordBatch>,
) -> Result<Vec<Add>, LakeError> {
    let rows = batches.iter().map(RecordBatch::num_rows).sum();
    let mut writer = FileWriter::new(table, rows)?;
    for batch in batches {
        writer.write(batch).await?;
    }
    writer.finish().await
}

type Tags = HashMap<String, Option<String>>;

/// Writes rows in the order in which they come.
pub(crate) struct FileWriter {
    target: Target,
    waiting: Vec<RecordBatch>,
    /// Once rows are more than a few.
    many: Option<DeltaWriter>,
}

/// The table as far as writing files is concerned.
pub(crate) struct Target {
    table: String,
    pub store: ObjectStoreRef,
    pub schema: SchemaRef,
    layout: Layout,
    stats_columns: Option<Vec<String>>,
    config: WriterConfig,
}

impl FileWriter {
    /// A writer for at most about `rows` rows.
    pub fn new(table: &Table, rows: usize) -> Result<Self, LakeError> {
        let target = Target::new(table, rows)?;
        let is_partitioned = target.schema.fields() != target.config.file_schema().fields();
        Ok(Self {
            many: is_partitioned.then(|| target.writer_of_many()),
            waiting: Vec::new(),
            target,
        })
    }

    pub async fn write(&mut self, batch: RecordBatch) -> Result<(), LakeError> {
        let target = &self.target;
        let batch = conform(&batch, &target.schema).map_err(|error| target.failed(error.into()))?;
        self.waiting.push(batch);
        let waiting: usize = self.waiting.iter().map(RecordBatch::num_rows).sum();
        if self.many.is_none() && waiting <= FEW_ROWS {
            return Ok(());
        }
        let writer = self.many.get_or_insert_with(|| target.writer_of_many());
        for batch in self.waiting.drain(..) {
            let written = writer.write(&batch).await;
            written.map_err(|error| target.failed(error))?;
        }
        Ok(())
    }

    /// The files, uncommitted; none where there were no rows.
    pub async fn finish(mut self) -> Result<Vec<Add>, LakeError> {
        let target = &self.target;
        if let Some(writer) = self.many.take() {
            let mut adds = writer.close().await.map_err(|error| target.failed(error))?;
            tag_full_ones(&mut adds);
            return Ok(adds);
        }
        let rows = concat_batches(&target.schema, &self.waiting)
            .map_err(|error| target.failed(error.into()))?;
        if rows.num_rows() == 0 {
            return Ok(Vec::new());
        }
        Ok(vec![target.write_few(&rows).await?])
    }
}

/// The tags of a file in the log.
pub(crate) fn tags(file: &LogicalFileView) -> Tags {
    #[expect(deprecated, reason = "there is no other way to a file's tags")]
    file.add_action().tags.unwrap_or_default()
}

/// How many rows a file had when it was full, if it has not lost most of them since: writing it with others anew would
/// give such files again.
pub(crate) fn full_rows(tags: &Tags, rows: u64) -> Option<u64> {
    let full: u64 = tags.get(FULL)?.as_ref()?.parse().ok()?;
    (rows * 2 >= full).then_some(full)
}

/// Says of a file that is to be added that it had so many rows when it was full.
pub(crate) fn tag_as_full(add: &mut Add, rows: u64) {
    let tag = (FULL.to_owned(), Some(rows.to_string()));
    add.tags.get_or_insert_default().extend([tag]);
}

/// Of the files of each partition all are full but the last: Delta's writer numbers them.
fn tag_full_ones(adds: &mut [Add]) {
    adds.sort_by(|one, other| {
        let partition = |add: &Add| add.partition_values.values().flatten().next().cloned();
        (partition(one), &one.path).cmp(&(partition(other), &other.path))
    });
    for place in 1..adds.len() {
        if adds[place - 1].partition_values == adds[place].partition_values
            && let Ok(Some(stats)) = adds[place - 1].get_stats()
        {
            tag_as_full(&mut adds[place - 1], stats.num_records.unsigned_abs());
        }
    }
}

impl Drop for FileWriter {
    /// What was uploaded of an unfinished file is not to stay behind.
    fn drop(&mut self) {
        if let (Some(writer), Ok(runtime)) = (self.many.take(), Handle::try_current()) {
            runtime.spawn(writer.abort());
        }
    }
}

impl Target {
    pub fn new(table: &Table, rows: usize) -> Result<Self, LakeError> {
        let delta = || LakeError::delta(&table.name);
        // Only for its refusal of tables with features that plain files would break.
        RecordBatchWriter::for_table(&table.inner).map_err(delta())?;
        let snapshot = table.inner.snapshot().map_err(delta())?.snapshot();
        let schema = table.plain_schema()?;
        let stats_columns = snapshot
            .metadata()
            .configuration()
            .get(STATS_COLUMNS)
            .map(|names| names.split(',').map(str::to_owned).collect::<Vec<_>>());
        let config = WriterConfig::new(
            schema.clone(),
            snapshot.metadata().partition_columns().to_vec(),
            Some(many_rows(&table.layout, rows)),
            NonZeroU64::new(table.layout.target_file_bytes),
            None,
            snapshot.table_properties().num_indexed_cols(),
            stats_columns.clone(),
        );
        Ok(Self {
            table: table.name.clone(),
            store: table.inner.object_store(),
            schema,
            layout: table.layout.clone(),
            stats_columns,
            config,
        })
    }

    fn writer_of_many(&self) -> DeltaWriter {
        DeltaWriter::new(self.store.clone(), self.config.clone())
    }

    async fn write_few(&self, rows: &RecordBatch) -> Result<Add, LakeError> {
        let bytes = few_rows(rows, &self.layout).map_err(|error| self.failed(error.into()))?;
        let stats = statistics(rows, |name| self.is_indexed(name));
        self.put(bytes, stats).await
    }

    /// Writes the bytes as a file, uncommitted.
    pub async fn put(&self, bytes: Vec<u8>, stats: String) -> Result<Add, LakeError> {
        let name = format!("part-00000-{}-c000.zstd.parquet", Uuid::new_v4());
        let size = i64::try_from(bytes.len()).unwrap_or(i64::MAX);
        let path = Path::from(name.as_str());
        let put = self.store.put(&path, bytes.into()).await;
        put.map_err(LakeError::storage(format!(
            "writing to table {}",
            self.table
        )))?;
        Ok(Add {
            path: name,
            size,
            // As Delta's own writer does.
            modification_time: chrono::Utc::now().timestamp_millis(),
            data_change: true,
            stats: Some(stats),
            ..Add::default()
        })
    }

    /// Whether the log is to have statistics of the column.
    pub fn is_indexed(&self, column: &str) -> bool {
        match &self.stats_columns {
            Some(names) => names.iter().any(|name| name == column),
            None => {
                let indexed = self.schema.fields().iter().take(INDEXED_COLUMNS);
                indexed.into_iter().any(|field| field.name() == column)
            }
        }
    }

    /// How files of many rows are written.
    pub fn properties(&self) -> WriterProperties {
        many_rows(&self.layout, usize::MAX)
    }

    fn failed(&self, error: DeltaTableError) -> LakeError {
        LakeError::delta(&self.table)(error)
    }
}

/// The rows as the bytes of a file. Neither does it tell Arrow's types: they follow from Parquet's.
fn few_rows(rows: &RecordBatch, layout: &Layout) -> parquet::errors::Result<Vec<u8>> {
    let properties = compressed(layout)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_offset_index_disabled(true)
        .set_dictionary_enabled(false);
    let options = ArrowWriterOptions::new()
        .with_properties(properties.build())
        .with_skip_arrow_metadata(true);
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new_with_options(&mut bytes, rows.schema(), options)?;
    writer.write(rows)?;
    writer.close()?;
    Ok(bytes)
}

fn many_rows(layout: &Layout, rows: usize) -> WriterProperties {
    let mut builder = compressed(layout)
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_max_row_group_row_count(Some(layout.row_group_rows))
        .set_data_page_row_count_limit(layout.page_rows);
    for column in &layout.distinct_columns {
        builder = builder.set_column_dictionary_enabled(ColumnPath::from(column.as_str()), false);
    }
    for column in &layout.bloom_filter_columns {
        let path = ColumnPath::from(column.as_str());
        // The default size is for a million values; a flush has far fewer.
        builder = builder
            .set_column_bloom_filter_enabled(path.clone(), true)
            .set_column_bloom_filter_fpp(path.clone(), 0.01)
            .set_column_bloom_filter_max_ndv(path, rows.clamp(100, layout.row_group_rows) as u64);
    }
    builder.build()
}

fn compressed(layout: &Layout) -> WriterPropertiesBuilder {
    let zstd = |level| Compression::ZSTD(ZstdLevel::try_new(level).unwrap_or_default());
    let mut builder = WriterProperties::builder()
        .set_created_by(concat!("huggy-etl ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(zstd(LEVEL));
    for column in &layout.bulky_columns {
        let path = ColumnPath::from(column.as_str());
        builder = builder.set_column_compression(path, zstd(BULKY_LEVEL));
    }
    builder
}
