//! JSON objects in the order of the SELECT, as one array or one a line.
//!
//! Every key in every object, NULL as `null`; numbers and booleans as such, NaN and infinities as
//! `null`; instants as RFC 3339 with as many decimals as they need, dates as `YYYY-MM-DD`.

use arrow::datatypes::Schema;
use arrow::error::ArrowError;
use arrow::json::writer::{JsonArray, JsonFormat, LineDelimited};
use arrow::json::{Writer, WriterBuilder};
use arrow::record_batch::RecordBatch;

use super::intervals;
use super::{LeftOut, ResultWriter};

pub(super) struct JsonWriter<F: JsonFormat> {
    writer: Writer<Vec<u8>, F>,
    /// What ends the text, after what the format itself ends it with.
    end: &'static [u8],
}

impl JsonWriter<JsonArray> {
    pub fn array() -> Self {
        Self {
            writer: WriterBuilder::new()
                .with_explicit_nulls(true)
                .build(Vec::new()),
            end: b"\n",
        }
    }
}

impl JsonWriter<LineDelimited> {
    pub fn lines() -> Self {
        Self {
            writer: WriterBuilder::new()
                .with_explicit_nulls(true)
                .build(Vec::new()),
            end: b"",
        }
    }
}

impl<F: JsonFormat> ResultWriter for JsonWriter<F> {
    fn start(&mut self, _schema: &Schema, _text: &mut Vec<u8>) -> Result<(), ArrowError> {
        Ok(())
    }

    fn rows(&mut self, batch: &RecordBatch, text: &mut Vec<u8>) -> Result<(), ArrowError> {
        self.writer.write(&intervals::as_text(batch)?)?;
        text.append(self.writer.get_mut());
        Ok(())
    }

    fn finish(&mut self, text: &mut Vec<u8>) -> Result<LeftOut, ArrowError> {
        self.writer.finish()?;
        text.append(self.writer.get_mut());
        text.extend_from_slice(self.end);
        Ok(LeftOut::default())
    }
}
