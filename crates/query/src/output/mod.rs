//! The formats of results. A format is one variant of [`Format`] and one arm in each of its methods.
//!
//! Results are written as they arrive, batch by batch; only a table, whose columns must be measured,
//! is collected first, and therefore limited.

mod arrow_file;
mod cells;
mod columns;
mod durations;
mod format;
mod intervals;
mod json;
mod markup;
mod parquet_file;
mod separated;
mod style;
mod table;

use std::io::Write;

use arrow::datatypes::{Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use datafusion::execution::SendableRecordBatchStream;
use futures::StreamExt;

use crate::error::QueryError;
pub use format::{Format, UnknownFormat};
pub use style::{Screen, Style, TABLE_ROW_LIMIT};

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Summary {
    /// One for each statement with a result, in order.
    pub results: Vec<ResultSummary>,
}

/// What was written of one result, and what was left out: the reader must be told.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ResultSummary {
    /// Rows written.
    pub rows: usize,
    /// Whether there are more rows than were written.
    pub truncated: bool,
    pub left_out: LeftOut,
}

/// What did not fit the width of the screen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LeftOut {
    /// How many values are shown in part, ending in `…`.
    pub cut_values: usize,
    /// Columns that are not shown.
    pub columns: Vec<String>,
    /// Whether the text is larger than the screen, and so nothing was left out: it wants a pager.
    pub exceeds_screen: bool,
}

/// Turns one result into text or bytes, appended to a buffer; never does I/O, so that a failed output
/// and an unprintable value cannot be taken for one another.
trait ResultWriter {
    fn start(&mut self, schema: &Schema, text: &mut Vec<u8>) -> Result<(), ArrowError>;
    fn rows(&mut self, batch: &RecordBatch, text: &mut Vec<u8>) -> Result<(), ArrowError>;
    fn finish(&mut self, text: &mut Vec<u8>) -> Result<LeftOut, ArrowError>;
}

/// Writes one result: a header, batches as they come, an end.
pub struct Printer {
    format: Format,
    style: Style,
    writer: Box<dyn ResultWriter + Send>,
    text: Vec<u8>,
    summary: ResultSummary,
}

impl Printer {
    pub fn new(format: Format, style: &Style) -> Printer {
        Printer {
            format,
            style: style.clone(),
            writer: format.writer(style),
            text: Vec::new(),
            summary: ResultSummary::default(),
        }
    }

    /// # Errors
    /// [`QueryError::Failed`] if the format has no way to write such columns, [`QueryError::Output`].
    pub fn start<W: Write + ?Sized>(
        &mut self,
        schema: &SchemaRef,
        out: &mut W,
    ) -> Result<(), QueryError> {
        let none = self.shaped(&RecordBatch::new_empty(schema.clone()))?;
        self.writer
            .start(&none.schema(), &mut self.text)
            .map_err(|error| self.unprintable(&error))?;
        self.flush(out)
    }

    /// Whether more rows are wanted.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn write<W: Write + ?Sized>(
        &mut self,
        batch: &RecordBatch,
        out: &mut W,
    ) -> Result<bool, QueryError> {
        let room = self.row_limit() - self.summary.rows;
        let shown = batch.slice(0, batch.num_rows().min(room));
        self.summary.rows += shown.num_rows();
        self.summary.truncated |= shown.num_rows() < batch.num_rows();
        let shown = self.shaped(&shown)?;
        self.writer
            .rows(&shown, &mut self.text)
            .map_err(|error| self.unprintable(&error))?;
        self.flush(out)?;
        Ok(!self.summary.truncated)
    }

    /// # Errors
    /// As [`start`](Self::start).
    pub fn finish<W: Write + ?Sized>(mut self, out: &mut W) -> Result<ResultSummary, QueryError> {
        self.summary.left_out = self
            .writer
            .finish(&mut self.text)
            .map_err(|error| self.unprintable(&error))?;
        self.flush(out)?;
        Ok(self.summary)
    }

    fn row_limit(&self) -> usize {
        match self.format {
            Format::Table => self.style.row_limit,
            _ => usize::MAX,
        }
    }

    fn shaped(&self, batch: &RecordBatch) -> Result<RecordBatch, QueryError> {
        let plain = columns::plain(batch)?;
        if self.style.human && self.format.is_for_reading() {
            Ok(durations::readable(&plain).map_err(|error| self.unprintable(&error))?)
        } else {
            Ok(plain)
        }
    }

    fn flush<W: Write + ?Sized>(&mut self, out: &mut W) -> Result<(), QueryError> {
        out.write_all(&self.text)?;
        self.text.clear();
        Ok(())
    }

    fn unprintable(&self, error: &ArrowError) -> QueryError {
        QueryError::Failed(format!("no {} of this result: {error}", self.format))
    }
}

/// Writes what the format and the style let through; the rest is not even computed.
pub(crate) async fn write_result<W: Write + ?Sized>(
    mut batches: SendableRecordBatchStream,
    format: Format,
    style: &Style,
    out: &mut W,
) -> Result<ResultSummary, QueryError> {
    let mut printer = Printer::new(format, style);
    printer.start(&batches.schema(), out)?;
    while let Some(batch) = batches.next().await {
        if !printer.write(&batch?, out)? {
            break;
        }
        // Batches may come without a pause: whoever wants to stop this must be let in.
        tokio::task::yield_now().await;
    }
    printer.finish(out)
}

#[cfg(test)]
mod tests;
