//! CSV and TSV: always a header, NULL as an empty field, instants as RFC 3339, nested values as JSON text.

use arrow::csv::WriterBuilder;
use arrow::datatypes::Schema;
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;

use super::columns::nested_as_json;
use super::intervals;
use super::{LeftOut, ResultWriter, Style};

pub(super) struct SeparatedWriter {
    delimiter: u8,
    null: String,
}

impl SeparatedWriter {
    pub fn by_commas(style: &Style) -> Self {
        Self {
            delimiter: b',',
            null: style.null_or("").to_owned(),
        }
    }

    pub fn by_tabs(style: &Style) -> Self {
        Self {
            delimiter: b'\t',
            ..Self::by_commas(style)
        }
    }

    fn write(
        &self,
        batch: &RecordBatch,
        header: bool,
        text: &mut Vec<u8>,
    ) -> Result<(), ArrowError> {
        WriterBuilder::new()
            .with_header(header)
            .with_delimiter(self.delimiter)
            .with_null(self.null.clone())
            .build(text)
            .write(&nested_as_json(&intervals::as_text(batch)?)?)
    }
}

impl ResultWriter for SeparatedWriter {
    fn start(&mut self, schema: &Schema, text: &mut Vec<u8>) -> Result<(), ArrowError> {
        let no_rows = RecordBatch::new_empty(schema.clone().into());
        self.write(&no_rows, true, text)
    }

    fn rows(&mut self, batch: &RecordBatch, text: &mut Vec<u8>) -> Result<(), ArrowError> {
        self.write(batch, false, text)
    }

    fn finish(&mut self, _text: &mut Vec<u8>) -> Result<LeftOut, ArrowError> {
        Ok(LeftOut::default())
    }
}
