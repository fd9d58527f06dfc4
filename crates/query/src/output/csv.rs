//! CSV: always a header, NULL as an empty field, instants as RFC 3339, nested values as JSON text.

use arrow::csv::WriterBuilder;
use arrow::datatypes::Schema;
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;

use super::ResultWriter;
use super::columns::nested_as_json;

pub(super) struct CsvWriter;

impl ResultWriter for CsvWriter {
    fn start(&mut self, schema: &Schema, text: &mut Vec<u8>) -> Result<(), ArrowError> {
        let no_rows = RecordBatch::new_empty(schema.clone().into());
        WriterBuilder::new()
            .with_header(true)
            .build(text)
            .write(&nested_as_json(&no_rows)?)
    }

    fn rows(&mut self, batch: &RecordBatch, text: &mut Vec<u8>) -> Result<(), ArrowError> {
        WriterBuilder::new()
            .with_header(false)
            .build(text)
            .write(&nested_as_json(batch)?)
    }

    fn finish(&mut self, _text: &mut Vec<u8>) -> Result<(), ArrowError> {
        Ok(())
    }
}
