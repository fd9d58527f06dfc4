//! Files of this machine as tables: `FROM 'targets.csv'`. CSV and TSV with a header, JSON as an array or
//! an object a line, Parquet; several at once by a pattern such as `'2024-*.csv'`.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::common::plan_datafusion_err;
use datafusion::datasource::file_format::FileFormat;
use datafusion::datasource::file_format::csv::CsvFormat;
use datafusion::datasource::file_format::json::JsonFormat;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::{
    ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl,
};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SessionState;

/// A column's type is read from so many rows: a file where it shows later is rare.
const ROWS_OF_TYPES: usize = 10_000;

/// Whether a table of that name is meant to be a file.
pub(crate) fn is_file(name: &str) -> bool {
    !name.contains("://") && extension(name).is_some()
}

/// Whether it stands for the files of a folder whose names match it.
pub(crate) fn is_pattern(name: &str) -> bool {
    name.contains(['*', '?', '['])
}

/// The file's ending, if files of that kind can be read.
fn extension(name: &str) -> Option<&str> {
    let extension = Path::new(name).extension()?.to_str()?;
    ["csv", "tsv", "json", "ndjson", "jsonl", "parquet"]
        .contains(&extension.to_ascii_lowercase().as_str())
        .then_some(extension)
}

/// The file, or the files that match the pattern; nothing where there is none.
pub(crate) async fn open_file(
    name: &str,
    state: &SessionState,
) -> Result<Option<Arc<dyn TableProvider>>> {
    let is_pattern = is_pattern(name);
    let (Some(extension), true) = (extension(name), is_pattern || Path::new(name).is_file()) else {
        return Ok(None);
    };
    let location = ListingTableUrl::parse(name)?;
    let options = ListingOptions::new(format(name, extension)).with_file_extension(extension);
    let schema = match options.infer_schema(state, &location).await {
        Err(error) if is_pattern && finds_nothing(&error) => return Ok(None),
        schema => schema.map_err(|error| plan_datafusion_err!("{name}: {}", plainly(&error)))?,
    };
    if schema.fields().is_empty() {
        return Ok(None);
    }
    let config = ListingTableConfig::new(location)
        .with_listing_options(options)
        .with_schema(schema);
    Ok(Some(Arc::new(ListingTable::try_new(config)?)))
}

/// Whether it is DataFusion's sentence about a pattern that no file matches.
fn finds_nothing(error: &DataFusionError) -> bool {
    matches!(error.find_root(), DataFusionError::Plan(message) if message.starts_with("No files found"))
}

/// Without the kinds of errors that are told before it, each by the one that wraps it.
fn plainly(error: &DataFusionError) -> String {
    let message = error.find_root().strip_backtrace();
    let mut parts = message.rsplit(" error: ");
    parts.next().unwrap_or(&message).to_owned()
}

fn format(name: &str, extension: &str) -> Arc<dyn FileFormat> {
    let separated = || {
        CsvFormat::default()
            .with_has_header(true)
            .with_schema_infer_max_rec(ROWS_OF_TYPES)
    };
    match extension.to_ascii_lowercase().as_str() {
        "csv" => Arc::new(separated()),
        "tsv" => Arc::new(separated().with_delimiter(b'\t')),
        "parquet" => Arc::new(ParquetFormat::default()),
        _ => Arc::new(
            JsonFormat::default()
                .with_newline_delimited(!begins_an_array(name))
                .with_schema_infer_max_rec(ROWS_OF_TYPES),
        ),
    }
}

/// Whether the file is one JSON array, by its first character; of a pattern no.
fn begins_an_array(name: &str) -> bool {
    let Ok(file) = std::fs::File::open(name) else {
        return false;
    };
    let mut bytes = std::io::BufReader::new(file)
        .bytes()
        .map_while(std::result::Result::ok);
    bytes.find(|byte| !byte.is_ascii_whitespace()) == Some(b'[')
}
