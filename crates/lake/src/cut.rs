//! A large file written anew without a few of its rows.
//!
//! Row groups that lose none are copied as they lie, byte for byte; only what is left of the others is encoded
//! again. Rows keep their order, so that nothing is sorted.

use arrow::array::BooleanArray;
use arrow::compute::{concat, concat_batches, filter_record_batch, sum};
use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use datafusion::error::DataFusionError;
use deltalake::kernel::Add;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use parquet::arrow::arrow_writer::{ArrowRowGroupWriterFactory, compute_leaves};
use parquet::arrow::{ArrowSchemaConverter, ArrowWriter};
use parquet::bloom_filter::Sbbf;
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::ParquetError;
use parquet::file::metadata::{
    ColumnChunkMetaData, PageIndexPolicy, ParquetMetaData, RowGroupMetaData,
};
use parquet::file::statistics::Statistics;
use parquet::file::writer::SerializedFileWriter;

use crate::difference::Rows;
use crate::error::LakeError;
use crate::scope::Replaced;
use crate::stats::{ColumnStatistics, bounds, json_of};
use crate::table::Table;
use crate::write::Target;

/// A file is held whole, before and after. Ours are far smaller.
const MOST_BYTES: u64 = 64 << 20;

impl Table {
    /// What is written in place of the file once its replaced rows but the `staying` ones are gone. `None` where it
    /// cannot be copied in part: it is not written as files of this table are now, or is too large to be held.
    pub(crate) async fn cut(
        &self,
        path: &str,
        replaced: &Replaced,
        staying: &[RecordBatch],
    ) -> Result<Option<Vec<Add>>, LakeError> {
        let read = || LakeError::read(&self.name);
        let reading = || LakeError::storage(format!("reading table {}", self.name));
        let target = Target::new(self, usize::MAX)?;
        let place = Path::parse(path).map_err(|error| reading()(error.into()))?;
        let file = target.store.get(&place).await.map_err(reading())?;
        if file.meta.size > MOST_BYTES {
            return Ok(None);
        }
        let bytes = file.bytes().await.map_err(reading())?;
        let Some(source) = Source::of(bytes, &target).map_err(read())? else {
            return Ok(None);
        };
        let mut staying =
            Rows::of(&target.schema, staying).map_err(|error| read()(error.into()))?;
        let (bytes, metadata) = source
            .without(replaced, &mut staying, &target)
            .map_err(read())?;
        // What was read as one value before must be now.
        if staying.any_is_left() {
            return Ok(None);
        }
        let rows = usize::try_from(metadata.file_metadata().num_rows()).unwrap_or_default();
        if rows == 0 {
            return Ok(Some(Vec::new()));
        }
        let columns = statistics(&metadata, &target).map_err(read())?;
        Ok(Some(vec![target.put(bytes, json_of(rows, columns)).await?]))
    }
}

/// The file as it is.
struct Source {
    bytes: Bytes,
    file: ArrowReaderMetadata,
}

impl Source {
    fn of(bytes: Bytes, target: &Target) -> Result<Option<Self>, DataFusionError> {
        let options = ArrowReaderOptions::new()
            .with_page_index_policy(PageIndexPolicy::Optional)
            .with_encoding_stats_as_mask(false);
        let file = ArrowReaderMetadata::load(&bytes, options)?;
        let metadata = file.metadata();
        let columns = ArrowSchemaConverter::new().convert(&target.schema)?;
        let is_current = file.schema().fields() == target.schema.fields()
            && metadata.file_metadata().schema_descr().columns() == columns.columns()
            && metadata.offset_index().is_some()
            && metadata
                .row_groups()
                .iter()
                .all(|group| is_described(group, target));
        Ok(is_current.then_some(Self { bytes, file }))
    }

    /// Without the replaced rows but the staying ones.
    fn without(
        &self,
        replaced: &Replaced,
        staying: &mut Rows,
        target: &Target,
    ) -> Result<(Vec<u8>, ParquetMetaData), DataFusionError> {
        let properties = Some(target.properties());
        let mut bytes = Vec::new();
        let writer = ArrowWriter::try_new(&mut bytes, target.schema.clone(), properties)?;
        let (mut writer, groups) = writer.into_serialized_writer()?;
        for (number, may_lose) in self.may_lose(replaced, target)?.into_iter().enumerate() {
            let rows = match may_lose {
                true => self.losing(number, replaced, staying)?,
                false => None,
            };
            match rows {
                None => self.copy(number, &mut writer)?,
                Some(rows) if rows.num_rows() == 0 => {}
                Some(rows) => encode(&rows, &groups, &mut writer)?,
            }
        }
        let metadata = writer.close()?;
        Ok((bytes, metadata))
    }

    /// Of each row group, whether it may hold replaced rows, by its statistics.
    fn may_lose(&self, replaced: &Replaced, target: &Target) -> Result<Vec<bool>, DataFusionError> {
        let metadata = self.file.metadata();
        let parquet_schema = metadata.file_metadata().schema_descr();
        let keys =
            StatisticsConverter::try_new(replaced.key_column(), &target.schema, parquet_schema)?;
        let least = keys.row_group_mins(metadata.row_groups())?;
        let greatest = keys.row_group_maxes(metadata.row_groups())?;
        Ok(replaced.may_be_between(&least, &greatest)?)
    }

    /// What is left of a row group; `None` where it loses nothing.
    fn losing(
        &self,
        number: usize,
        replaced: &Replaced,
        staying: &mut Rows,
    ) -> Result<Option<RecordBatch>, DataFusionError> {
        let rows = self.file.metadata().row_group(number).num_rows();
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(
            self.bytes.clone(),
            self.file.clone(),
        )
        .with_row_groups(vec![number])
        .with_batch_size(usize::try_from(rows).unwrap_or_default())
        .build()?;
        let batches = reader.collect::<Result<Vec<_>, _>>()?;
        let rows = concat_batches(self.file.schema(), &batches)?;
        let going = replaced.mask_of(&rows)?;
        let found = filter_record_batch(&rows, &going)?;
        let mut stays = staying.take(&found)?.into_iter();
        let kept: BooleanArray = going
            .iter()
            .map(|is_going| is_going != Some(true) || stays.next() == Some(true))
            .map(Some)
            .collect();
        if kept.false_count() == 0 {
            return Ok(None);
        }
        Ok(Some(filter_record_batch(&rows, &kept)?))
    }

    /// Writes a row group as it is.
    fn copy(
        &self,
        number: usize,
        writer: &mut SerializedFileWriter<&mut Vec<u8>>,
    ) -> Result<(), ParquetError> {
        let metadata = self.file.metadata();
        let column_indexes = metadata.column_index().and_then(|index| index.get(number));
        let offset_indexes = metadata.offset_index().and_then(|index| index.get(number));
        let group = metadata.row_group(number);
        let mut copied = writer.next_row_group()?;
        for (place, column) in group.columns().iter().enumerate() {
            let closed = ColumnCloseResult {
                bytes_written: column.compressed_size().unsigned_abs(),
                rows_written: group.num_rows().unsigned_abs(),
                metadata: column.clone(),
                bloom_filter: Sbbf::read_from_column_chunk(column, &self.bytes)?,
                column_index: column_indexes
                    .and_then(|indexes| indexes.get(place))
                    .cloned(),
                offset_index: offset_indexes
                    .and_then(|indexes| indexes.get(place))
                    .cloned(),
            };
            copied.append_column(&self.bytes, closed)?;
        }
        copied.close()?;
        Ok(())
    }
}

/// Writes the rows as a row group.
fn encode(
    rows: &RecordBatch,
    groups: &ArrowRowGroupWriterFactory,
    writer: &mut SerializedFileWriter<&mut Vec<u8>>,
) -> Result<(), ParquetError> {
    let mut columns = groups
        .create_column_writers(writer.flushed_row_groups().len())?
        .into_iter();
    let mut written = writer.next_row_group()?;
    for (field, column) in rows.schema().fields().iter().zip(rows.columns()) {
        for (leaf, mut column) in compute_leaves(field, column)?.iter().zip(columns.by_ref()) {
            column.write(leaf)?;
            column.close()?.append_to_row_group(&mut written)?;
        }
    }
    written.close()?;
    Ok(())
}

/// Whether the log's statistics can be told from those of the row group.
fn is_described(group: &RowGroupMetaData, target: &Target) -> bool {
    let is_indexed =
        |column: &&ColumnChunkMetaData| target.is_indexed(column.column_path().string().as_str());
    group.columns().iter().filter(is_indexed).all(|column| {
        let nulls = column.statistics().and_then(Statistics::null_count_opt);
        let has_bounds = column
            .statistics()
            .is_some_and(|statistics| statistics.min_bytes_opt().is_some());
        nulls.is_some_and(|nulls| has_bounds || nulls == column.num_values().unsigned_abs())
    })
}

/// The log's statistics of the file.
fn statistics(
    metadata: &ParquetMetaData,
    target: &Target,
) -> Result<Vec<ColumnStatistics>, DataFusionError> {
    let mut columns = Vec::new();
    let fields = target.schema.fields().iter();
    for name in fields
        .map(|field| field.name())
        .filter(|name| target.is_indexed(name))
    {
        let parquet_schema = metadata.file_metadata().schema_descr();
        let column = StatisticsConverter::try_new(name, &target.schema, parquet_schema)?;
        let least = column.row_group_mins(metadata.row_groups())?;
        let greatest = column.row_group_maxes(metadata.row_groups())?;
        let nulls = column.row_group_null_counts(metadata.row_groups())?;
        columns.push(ColumnStatistics {
            name: name.clone(),
            nulls: sum(&nulls).unwrap_or_default(),
            bounds: bounds(&concat(&[&least, &greatest])?),
        });
    }
    Ok(columns)
}
