//! The formats of results. A format is one variant of [`Format`] and one arm in each of its methods.
//!
//! Results are written as they arrive, batch by batch; only a table, whose columns must be measured,
//! is collected first, and therefore limited.

mod columns;
mod csv;
mod json;
mod table;

use std::fmt;
use std::io::Write;
use std::str::FromStr;

use arrow::datatypes::Schema;
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use datafusion::execution::SendableRecordBatchStream;
use futures::StreamExt;

use crate::error::QueryError;

/// As many rows a table shows.
pub const TABLE_ROW_LIMIT: usize = 10_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// For reading: aligned columns, `NULL` spelled out, at most [`TABLE_ROW_LIMIT`] rows.
    #[default]
    Table,
    /// A header, then a record a row; NULL is empty.
    Csv,
    /// One array of objects.
    Json,
    /// An object a line.
    Ndjson,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Summary {
    /// One for each statement, in order.
    pub results: Vec<ResultSummary>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResultSummary {
    /// Rows written.
    pub rows: usize,
    /// Whether there are more rows than were written: the reader must be told.
    pub truncated: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown format {0:?}; there are table, csv, json and ndjson")]
pub struct UnknownFormat(String);

impl Format {
    pub const ALL: [Format; 4] = [Format::Table, Format::Csv, Format::Json, Format::Ndjson];

    pub const fn name(self) -> &'static str {
        match self {
            Format::Table => "table",
            Format::Csv => "csv",
            Format::Json => "json",
            Format::Ndjson => "ndjson",
        }
    }

    fn writer(self) -> Box<dyn ResultWriter + Send> {
        match self {
            Format::Table => Box::new(table::TableWriter::default()),
            Format::Csv => Box::new(csv::CsvWriter),
            Format::Json => Box::new(json::JsonWriter::array()),
            Format::Ndjson => Box::new(json::JsonWriter::lines()),
        }
    }

    pub(crate) fn row_limit(self) -> usize {
        match self {
            Format::Table => TABLE_ROW_LIMIT,
            Format::Csv | Format::Json | Format::Ndjson => usize::MAX,
        }
    }

    /// What stands between the results of two statements.
    pub(crate) fn separator(self) -> &'static [u8] {
        match self {
            Format::Table | Format::Csv => b"\n",
            Format::Json | Format::Ndjson => b"",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.pad(self.name())
    }
}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Self, UnknownFormat> {
        let found = Format::ALL
            .into_iter()
            .find(|format| format.name().eq_ignore_ascii_case(name));
        found.ok_or_else(|| UnknownFormat(name.to_owned()))
    }
}

/// Turns one result into text, appended to a buffer; never does I/O, so that a failed output and an
/// unprintable value cannot be taken for one another.
trait ResultWriter {
    fn start(&mut self, schema: &Schema, text: &mut Vec<u8>) -> Result<(), ArrowError>;
    fn rows(&mut self, batch: &RecordBatch, text: &mut Vec<u8>) -> Result<(), ArrowError>;
    fn finish(&mut self, text: &mut Vec<u8>) -> Result<(), ArrowError>;
}

/// Writes up to `limit` rows; the rest is not even computed.
pub(crate) async fn write_result<W: Write + ?Sized>(
    mut batches: SendableRecordBatchStream,
    format: Format,
    limit: usize,
    out: &mut W,
) -> Result<ResultSummary, QueryError> {
    let mut writer = format.writer();
    let mut summary = ResultSummary {
        rows: 0,
        truncated: false,
    };
    let mut text = Vec::new();
    let unprintable =
        |error: ArrowError| QueryError::Failed(format!("no {format} of this result: {error}"));
    writer
        .start(&batches.schema(), &mut text)
        .map_err(unprintable)?;
    while let Some(batch) = batches.next().await {
        let batch = batch?;
        let shown = batch.slice(0, batch.num_rows().min(limit - summary.rows));
        summary.rows += shown.num_rows();
        writer
            .rows(&columns::plain(&shown)?, &mut text)
            .map_err(unprintable)?;
        out.write_all(&text)?;
        text.clear();
        if shown.num_rows() < batch.num_rows() {
            summary.truncated = true;
            break;
        }
    }
    writer.finish(&mut text).map_err(unprintable)?;
    out.write_all(&text)?;
    Ok(summary)
}

#[cfg(test)]
mod tests;
