//! A table for reading: a header even without rows, numbers to the right, NULL as `NULL`.
//!
//! Control characters, which customers' messages may hold, are shown and not sent to the terminal.

use std::io::Write;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Schema};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use comfy_table::{CellAlignment, Table};

use super::ResultWriter;

const BORDERS: &str = "||--+-++|    ++++++";

#[derive(Default)]
pub(super) struct TableWriter {
    table: Table,
}

impl ResultWriter for TableWriter {
    fn start(&mut self, schema: &Schema, _text: &mut Vec<u8>) -> Result<(), ArrowError> {
        self.table.load_preset(BORDERS);
        self.table
            .set_header(schema.fields().iter().map(|field| printable(field.name())));
        for (column, field) in self.table.column_iter_mut().zip(schema.fields()) {
            if is_number(field.data_type()) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        Ok(())
    }

    fn rows(&mut self, batch: &RecordBatch, _text: &mut Vec<u8>) -> Result<(), ArrowError> {
        let columns: Vec<Vec<String>> = batch
            .columns()
            .iter()
            .map(cells)
            .collect::<Result<_, _>>()?;
        let mut columns: Vec<_> = columns.into_iter().map(Vec::into_iter).collect();
        for _ in 0..batch.num_rows() {
            self.table.add_row(
                columns
                    .iter_mut()
                    .map(|cells| cells.next().unwrap_or_default()),
            );
        }
        Ok(())
    }

    fn finish(&mut self, text: &mut Vec<u8>) -> Result<(), ArrowError> {
        Ok(writeln!(text, "{}", self.table)?)
    }
}

fn is_number(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, values) => values.is_numeric(),
        other => other.is_numeric(),
    }
}

fn cells(column: &ArrayRef) -> Result<Vec<String>, ArrowError> {
    let options = FormatOptions::new()
        .with_null("NULL")
        .with_timestamp_format(Some("%Y-%m-%d %H:%M:%S%.f"))
        .with_timestamp_tz_format(Some(match column.data_type() {
            DataType::Timestamp(_, Some(zone)) if is_utc(zone) => "%Y-%m-%d %H:%M:%S%.fZ",
            _ => "%Y-%m-%d %H:%M:%S%.f%:z",
        }));
    let formatter = ArrayFormatter::try_new(column.as_ref(), &options)?;
    (0..column.len())
        .map(|row| Ok(printable(&formatter.value(row).try_to_string()?)))
        .collect()
}

fn is_utc(zone: &str) -> bool {
    matches!(zone, "UTC" | "Z" | "+00:00" | "Etc/UTC")
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
