//! The answer to one statement: its columns, and its rows as they are computed.

use std::io::Write;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::execution::SendableRecordBatchStream;
use futures::StreamExt;

use crate::error::QueryError;
use crate::mistake::located;
use crate::output::{Format, ResultSummary, Style, write_result};
use crate::stats::Watch;

/// Dropped before its end, it stops the query.
pub struct Answer {
    rows: SendableRecordBatchStream,
    watch: Watch,
    /// Of the script that it answers, for mistakes that show while rows are computed.
    sql: Arc<str>,
}

impl Answer {
    pub(crate) fn new(rows: SendableRecordBatchStream, watch: Watch, sql: Arc<str>) -> Self {
        Self { rows, watch, sql }
    }

    pub fn schema(&self) -> SchemaRef {
        self.rows.schema()
    }

    /// What the query reads, seen from outside while it runs.
    pub fn watch(&self) -> Watch {
        self.watch.clone()
    }

    /// The next rows; nothing after the last.
    ///
    /// # Errors
    /// [`QueryError::Sql`], [`QueryError::Memory`], [`QueryError::Failed`]: after one there is no more.
    pub async fn next(&mut self) -> Option<Result<RecordBatch, QueryError>> {
        let rows = self.rows.next().await?;
        Some(rows.map_err(|error| located(error.into(), &self.sql)))
    }

    /// Writes the rows as they come.
    ///
    /// # Errors
    /// As [`next`](Self::next), and [`QueryError::Output`]. What was written before one is part of a result.
    pub async fn print<W: Write + ?Sized>(
        self,
        format: Format,
        style: &Style,
        out: &mut W,
    ) -> Result<ResultSummary, QueryError> {
        let written = write_result(self.rows, format, style, out).await;
        written.map_err(|error| located(error, &self.sql))
    }
}
