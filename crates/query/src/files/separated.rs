//! CSV and TSV: which character separates the values, and of which types the columns are.
//!
//! Values in quotes may hold line breaks, so a file is never split by its lines.

use std::collections::HashSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::csv;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use datafusion::common::{plan_datafusion_err, plan_err};
use datafusion::datasource::file_format::FileFormat;
use datafusion::datasource::file_format::csv::CsvFormat;
use datafusion::error::Result;

use super::{ROWS_OF_TYPES, first_unlike, rows_of_types, short};

/// How the files are read, and their columns; nothing where none has any.
///
/// # Errors
/// That the files cannot be read as one table.
pub(super) fn separated(
    name: &str,
    files: &[PathBuf],
    delimiter: u8,
) -> Result<Option<(Arc<dyn FileFormat>, SchemaRef)>> {
    let mut headers = headers(files, delimiter)?;
    // What Excel writes where the comma is the decimal separator.
    let is_meant = |(_, names): &(_, Vec<String>)| names.len() == 1 && names[0].contains(';');
    let delimiter = match delimiter == b',' && headers.first().is_some_and(is_meant) {
        true => b';',
        false => delimiter,
    };
    if delimiter == b';' {
        headers = self::headers(files, delimiter)?;
    }
    if headers.is_empty() {
        return Ok(None);
    }
    for (file, names) in &headers {
        let mut seen = HashSet::new();
        if let Some(twice) = names.iter().find(|name| !seen.insert(*name)) {
            let of = match short(file) {
                file if file == name => String::new(),
                file => format!(" of {file}"),
            };
            return plan_err!(
                "{name}: two columns{of} are named {twice}; rename one in the header"
            );
        }
    }
    let kinds = headers.iter().map(|(file, names)| (*file, names));
    if let Some((one, other)) = first_unlike(kinds) {
        return plan_err!(
            "{name}: {one} and {other} have other columns, or the same in another order; \
            read each by a name of its own"
        );
    }
    let rows = rows_of_types(files.len());
    let mut types: Option<Vec<DataType>> = None;
    for (file, _) in &headers {
        let of_file = types_of(file, delimiter, rows)?;
        types = Some(match types {
            None => of_file,
            Some(types) => types.iter().zip(&of_file).map(common_type).collect(),
        });
    }
    let (_, names) = headers.swap_remove(0);
    let columns = names.into_iter().zip(types.unwrap_or_default());
    let fields: Vec<Field> = columns
        .map(|(name, kind)| Field::new(name, kind, true))
        .collect();
    let format = CsvFormat::default()
        .with_has_header(true)
        .with_delimiter(delimiter)
        .with_newlines_in_values(true)
        .with_schema_infer_max_rec(ROWS_OF_TYPES);
    Ok(Some((Arc::new(format), Arc::new(Schema::new(fields)))))
}

/// The names of each file's columns, of those that have any.
fn headers(files: &[PathBuf], delimiter: u8) -> Result<Vec<(&PathBuf, Vec<String>)>> {
    let mut headers = Vec::new();
    for file in files {
        let (schema, _) = infer(file, delimiter, 0)?;
        let names = schema.fields().iter().map(|field| field.name().clone());
        let names: Vec<String> = names.collect();
        if !names.is_empty() {
            headers.push((file, names));
        }
    }
    Ok(headers)
}

fn types_of(file: &Path, delimiter: u8, rows: usize) -> Result<Vec<DataType>> {
    let (schema, read) = infer(file, delimiter, rows)?;
    let kinds = schema.fields().iter().map(|field| field.data_type());
    Ok(kinds
        .map(|kind| match kind {
            // Values may follow, of any kind.
            DataType::Null if read == rows => DataType::Utf8,
            kind => kind.clone(),
        })
        .collect())
}

fn infer(file: &Path, delimiter: u8, rows: usize) -> Result<(Schema, usize)> {
    csv::reader::Format::default()
        .with_header(true)
        .with_delimiter(delimiter)
        .infer_schema(File::open(file)?, Some(rows))
        .map_err(|error| plan_datafusion_err!("{}: {}", short(file), csv_words(&error)))
}

/// What holds the values of both: as within a file, so among several.
fn common_type((one, other): (&DataType, &DataType)) -> DataType {
    use DataType::{Date32, Float64, Int64, Null, Timestamp, Utf8};
    match (one, other) {
        (one, other) if one == other => one.clone(),
        (Null, known) | (known, Null) => known.clone(),
        (Int64, Float64) | (Float64, Int64) => Float64,
        (Date32, time @ Timestamp(..)) | (time @ Timestamp(..), Date32) => time.clone(),
        (Timestamp(one, zone), Timestamp(other, _)) => Timestamp(*one.max(other), zone.clone()),
        _ => Utf8,
    }
}

/// Without arrow's kinds of errors, and with what to do.
fn csv_words(error: &ArrowError) -> String {
    let message = error.to_string();
    let message = message.trim_start_matches("Csv error: ");
    if message.contains("invalid UTF-8") {
        return "the text is not in UTF-8; save the file as \"CSV UTF-8\"".to_owned();
    }
    let unequal = message
        .strip_prefix("Encountered unequal lengths between records on CSV file. Expected ")
        .and_then(|rest| {
            let (expected, rest) = rest.split_once(' ')?;
            let (_, rest) = rest.split_once("found ")?;
            let (found, rest) = rest.split_once(' ')?;
            let (_, line) = rest.split_once("line ")?;
            Some(format!(
                "line {} has {found} values, the header has {expected}",
                line.trim_end_matches('.')
            ))
        });
    unequal.unwrap_or_else(|| message.to_owned())
}
