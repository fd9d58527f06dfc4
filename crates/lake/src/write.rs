//! Rows to Parquet files: compression, statistics, bloom filters, file size.

use arrow::record_batch::RecordBatch;
use deltalake::kernel::Add;
use deltalake::writer::{DeltaWriter, RecordBatchWriter};
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use crate::error::LakeError;
use crate::table::Table;

/// Of zstd: beyond it most columns hardly shrink, while texts do.
const LEVEL: i32 = 3;
const BULKY_LEVEL: i32 = 6;
const ROW_GROUP_ROWS: usize = 256 * 1024;

/// Writes the batches as files of the table, uncommitted.
pub(crate) async fn write_files(
    table: &Table,
    batches: Vec<RecordBatch>,
) -> Result<Vec<Add>, LakeError> {
    let rows = batches.iter().map(RecordBatch::num_rows).sum();
    let mut writer = file_writer(table, rows)?;
    for batch in batches {
        writer
            .write(batch)
            .await
            .map_err(LakeError::delta(table.name()))?;
    }
    writer.flush().await.map_err(LakeError::delta(table.name()))
}

/// A writer for about `rows` rows.
pub(crate) fn file_writer(table: &Table, rows: usize) -> Result<RecordBatchWriter, LakeError> {
    let writer =
        RecordBatchWriter::for_table(&table.inner).map_err(LakeError::delta(table.name()))?;
    Ok(writer
        .with_writer_properties(properties(table, rows))
        .with_target_file_size(table.layout.target_file_bytes))
}

fn properties(table: &Table, rows: usize) -> WriterProperties {
    let zstd = |level| Compression::ZSTD(ZstdLevel::try_new(level).unwrap_or_default());
    let layout = &table.layout;
    let mut builder = WriterProperties::builder()
        .set_created_by(concat!("huggy-etl ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(zstd(LEVEL))
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS));
    for column in &layout.distinct_columns {
        builder = builder.set_column_dictionary_enabled(ColumnPath::from(column.as_str()), false);
    }
    for column in &layout.bulky_columns {
        let path = ColumnPath::from(column.as_str());
        builder = builder.set_column_compression(path, zstd(BULKY_LEVEL));
    }
    for column in &layout.bloom_filter_columns {
        let path = ColumnPath::from(column.as_str());
        // The default size is for a million values; a flush has far fewer.
        builder = builder
            .set_column_bloom_filter_enabled(path.clone(), true)
            .set_column_bloom_filter_fpp(path.clone(), 0.01)
            .set_column_bloom_filter_max_ndv(path, rows.clamp(100, ROW_GROUP_ROWS) as u64);
    }
    builder.build()
}
