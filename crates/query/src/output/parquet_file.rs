//! Parquet: what other tools read best. Row groups leave as they are full, so that a result of any size
//! takes the memory of one.

use arrow::datatypes::Schema;
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use super::columns::widely_known;
use super::{LeftOut, ResultWriter};

/// Of a row group, encoded.
const ROW_GROUP_BYTES: usize = 32 << 20;

#[derive(Default)]
pub(super) struct ParquetWriter {
    writer: Option<ArrowWriter<Vec<u8>>>,
}

impl ResultWriter for ParquetWriter {
    fn start(&mut self, schema: &Schema, _text: &mut Vec<u8>) -> Result<(), ArrowError> {
        let none = widely_known(&RecordBatch::new_empty(schema.clone().into()))?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_created_by("huggy-etl".to_owned())
            .build();
        let writer = ArrowWriter::try_new(Vec::new(), none.schema(), Some(properties));
        self.writer = Some(writer.map_err(plain)?);
        Ok(())
    }

    fn rows(&mut self, batch: &RecordBatch, text: &mut Vec<u8>) -> Result<(), ArrowError> {
        let Some(writer) = &mut self.writer else {
            return Ok(());
        };
        writer.write(&widely_known(batch)?).map_err(plain)?;
        if writer.in_progress_size() >= ROW_GROUP_BYTES {
            writer.flush().map_err(plain)?;
        }
        // It counts what it has written; what lies in the buffer may leave.
        text.append(writer.inner_mut());
        Ok(())
    }

    fn finish(&mut self, text: &mut Vec<u8>) -> Result<LeftOut, ArrowError> {
        if let Some(writer) = self.writer.take() {
            text.append(&mut writer.into_inner().map_err(plain)?);
        }
        Ok(LeftOut::default())
    }
}

fn plain(error: ParquetError) -> ArrowError {
    ArrowError::from(error)
}
