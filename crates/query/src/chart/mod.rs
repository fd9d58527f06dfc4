//! Charts of results: in characters for a terminal, or as a self-contained picture.
//!
//! A chart is described in words ([`ChartSpec`]), made into a figure that knows no way of drawing
//! (`model.rs`), and drawn by `terminal.rs` and `picture.rs`. NULL is a gap everywhere, and what is left
//! out is said in a note.

mod figure;
mod model;
mod picture;
mod scale;
mod spec;
mod terminal;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;

use crate::error::QueryError;
pub use spec::{ChartKind, ChartSpec, UnknownChart};
pub use terminal::Sheet;

/// As many rows as a chart is made of: it is no list.
pub const CHART_ROW_LIMIT: usize = 1_000_000;

/// A chart, ready to be drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart(model::Figure);

impl Chart {
    /// The title may be empty: the chart then says what it shows.
    ///
    /// # Errors
    /// [`QueryError::Parameter`] if the result has not the columns or the values for such a chart.
    pub fn new(
        spec: &ChartSpec,
        title: &str,
        schema: &SchemaRef,
        batches: &[RecordBatch],
    ) -> Result<Chart, QueryError> {
        Ok(Chart(figure::figure(spec, title, schema, batches)?))
    }

    /// What the reader must know, such as what was left out. It is part of the drawn chart.
    pub fn note(&mut self, note: String) {
        self.0.notes.push(note);
    }

    /// In characters, with a line end after each line.
    pub fn text(&self, sheet: Sheet) -> String {
        terminal::text(&self.0, sheet)
    }

    /// # Errors
    /// [`QueryError::Failed`] if it could not be drawn.
    pub fn svg(&self) -> Result<String, QueryError> {
        picture::svg(&self.0).map_err(undrawn)
    }

    /// A page with the picture in it, and nothing loaded from elsewhere.
    ///
    /// # Errors
    /// [`QueryError::Failed`] if it could not be drawn.
    pub fn html(&self) -> Result<String, QueryError> {
        picture::html(&self.0).map_err(undrawn)
    }
}

fn undrawn(why: String) -> QueryError {
    QueryError::Failed(format!("the chart could not be drawn: {why}"))
}
