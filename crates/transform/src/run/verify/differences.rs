//! The differences between rows derived anew and rows stored.

use std::collections::{BTreeMap, HashMap};

use arrow::array::Array;
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use arrow::row::{RowConverter, SortField};
use arrow::util::display::array_value_to_string;

use super::{DifferenceKind, FactDifference};

/// Rows are compared whole, as multisets; those left on both sides are paired by the key columns.
pub(super) fn differences(
    table: &'static str,
    columns: &[&str],
    derived: &RecordBatch,
    stored: &RecordBatch,
) -> Result<Vec<FactDifference>, ArrowError> {
    let schema = derived.schema();
    let fields = schema.fields().iter();
    let fields = fields.map(|field| SortField::new(field.data_type().clone()));
    let converter = RowConverter::new(fields.collect())?;
    let derived_rows = converter.convert_columns(derived.columns())?;
    let stored_rows = converter.convert_columns(stored.columns())?;
    let mut unmatched: HashMap<&[u8], Vec<usize>> = HashMap::new();
    for (number, row) in derived_rows.iter().enumerate() {
        unmatched.entry(row.data()).or_default().push(number);
    }
    let mut surplus = Vec::new();
    for (number, row) in stored_rows.iter().enumerate() {
        let found = unmatched.get_mut(row.data()).and_then(Vec::pop);
        if found.is_none() {
            surplus.push(number);
        }
    }
    let mut missing: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for number in unmatched.into_values().flatten() {
        missing
            .entry(key(columns, derived, number)?)
            .or_default()
            .push(number);
    }
    let mut found = Vec::new();
    for number in surplus {
        let key = key(columns, stored, number)?;
        let kind = match missing.get_mut(&key).and_then(Vec::pop) {
            Some(other) => DifferenceKind::Columns(differing(derived, other, stored, number)?),
            None => DifferenceKind::Surplus,
        };
        found.push(FactDifference { table, key, kind });
    }
    for (key, numbers) in missing {
        found.extend(numbers.iter().map(|_| FactDifference {
            table,
            key: key.clone(),
            kind: DifferenceKind::Missing,
        }));
    }
    Ok(found)
}

fn key(columns: &[&str], rows: &RecordBatch, row: usize) -> Result<String, ArrowError> {
    let mut parts = Vec::new();
    for name in columns {
        if let Some(column) = rows
            .column_by_name(name)
            .filter(|column| column.is_valid(row))
        {
            parts.push(format!("{name} {}", array_value_to_string(column, row)?));
        }
    }
    Ok(parts.join(", "))
}

fn differing(
    one: &RecordBatch,
    one_row: usize,
    other: &RecordBatch,
    other_row: usize,
) -> Result<Vec<String>, ArrowError> {
    let mut names = Vec::new();
    for ((field, mine), theirs) in one
        .schema()
        .fields()
        .iter()
        .zip(one.columns())
        .zip(other.columns())
    {
        if mine.slice(one_row, 1).to_data() != theirs.slice(other_row, 1).to_data() {
            names.push(field.name().clone());
        }
    }
    Ok(names)
}
