//! A table for reading: a header even without rows, numbers to the right, NULL as `NULL`.
//!
//! Control characters, which customers' messages may hold, are shown and not sent to the terminal.

mod fit;

use std::io::Write;

use arrow::datatypes::{Field, Schema};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use comfy_table::{CellAlignment, Table};

use super::cells::{cells, is_number, is_whole};
use super::{LeftOut, ResultWriter, Screen, Style};
use fit::fit;

const BORDERS: &str = "||--+-++|    ++++++";

pub(super) struct TableWriter {
    null: String,
    screen: Option<Screen>,
    columns: Vec<Column>,
}

/// A column with all its cells.
#[derive(Clone)]
struct Column {
    name: String,
    is_number: bool,
    /// Whether its values are never cut.
    is_whole: bool,
    cells: Vec<String>,
}

impl TableWriter {
    pub fn new(style: &Style) -> Self {
        Self {
            null: style.null_or("NULL").to_owned(),
            screen: style.screen,
            columns: Vec::new(),
        }
    }
}

impl ResultWriter for TableWriter {
    fn start(&mut self, schema: &Schema, _text: &mut Vec<u8>) -> Result<(), ArrowError> {
        let column = |field: &Field| Column {
            name: printable(field.name()),
            is_number: is_number(field),
            is_whole: is_whole(field),
            cells: Vec::new(),
        };
        let fields = schema.fields().iter();
        self.columns = fields.map(|field| column(field)).collect();
        Ok(())
    }

    fn rows(&mut self, batch: &RecordBatch, _text: &mut Vec<u8>) -> Result<(), ArrowError> {
        for (column, values) in self.columns.iter_mut().zip(batch.columns()) {
            let texts = cells(values, &self.null)?;
            column
                .cells
                .extend(texts.iter().map(|text| printable(text)));
        }
        Ok(())
    }

    fn finish(&mut self, text: &mut Vec<u8>) -> Result<LeftOut, ArrowError> {
        let columns = std::mem::take(&mut self.columns);
        let Some(screen) = self.screen else {
            writeln!(text, "{}", drawn(columns))?;
            return Ok(LeftOut::default());
        };
        let (fitted, left_out) = fit(&columns, screen.width);
        let shown = drawn(fitted);
        let is_higher = screen
            .height
            .is_some_and(|height| shown.lines().count() >= height);
        if is_higher || (screen.height.is_some() && !left_out.columns.is_empty()) {
            writeln!(text, "{}", drawn(columns))?;
            return Ok(LeftOut {
                exceeds_screen: true,
                ..LeftOut::default()
            });
        }
        writeln!(text, "{shown}")?;
        Ok(left_out)
    }
}

fn drawn(columns: Vec<Column>) -> String {
    let mut table = Table::new();
    table.load_preset(BORDERS);
    table.set_header(columns.iter().map(|column| column.name.as_str()));
    let rows = columns.first().map_or(0, |column| column.cells.len());
    for (drawn, column) in table.column_iter_mut().zip(&columns) {
        if column.is_number {
            drawn.set_cell_alignment(CellAlignment::Right);
        }
    }
    let mut columns: Vec<_> = columns
        .into_iter()
        .map(|column| column.cells.into_iter())
        .collect();
    for _ in 0..rows {
        let cells = columns.iter_mut();
        table.add_row(cells.map(|cells| cells.next().unwrap_or_default()));
    }
    table.to_string()
}

/// Line breaks stay, so that plans and messages read as written.
fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.replace("\r\n", "\n").chars() {
        match character {
            '\n' => shown.push('\n'),
            control if control.is_control() => shown.extend(control.escape_default()),
            other => shown.push(other),
        }
    }
    shown
}
