//! Files of this machine as tables: `FROM 'targets.csv'`. CSV and TSV with a header, JSON as an array or
//! an object a line, Parquet; several at once by a pattern such as `'2024-*.csv'` or `'*/targets.csv'`.

mod separated;

use std::collections::HashSet;
use std::io::Read;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef, Schema, SchemaRef};
use arrow::error::ArrowError;
use datafusion::catalog::TableProvider;
use datafusion::common::{plan_datafusion_err, plan_err};
use datafusion::datasource::file_format::FileFormat;
use datafusion::datasource::file_format::json::JsonFormat;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::{
    ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl,
};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SessionState;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::object_store::ObjectStoreExt;
use url::Url;

use self::separated::separated;

/// A column's type is read from so many rows: a file where it shows later is rare.
const ROWS_OF_TYPES: usize = 10_000;

/// Whether a table of that name is meant to be a file.
pub(crate) fn is_file(name: &str) -> bool {
    !name.contains("://") && extension(name).is_some()
}

/// Whether it stands for the files whose names match it.
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
    let Some(extension) = extension(name) else {
        return Ok(None);
    };
    let files = files(name)?;
    if files.is_empty() {
        return Ok(None);
    }
    let store = state
        .runtime_env()
        .object_store(ObjectStoreUrl::local_filesystem())?;
    let (mut locations, mut objects) = (Vec::new(), Vec::new());
    for file in &files {
        let location = Url::from_file_path(file)
            .map_err(|()| plan_datafusion_err!("{name}: the path cannot be read"))?;
        let location = ListingTableUrl::try_new(location, None)?;
        objects.push(store.head(location.prefix()).await?);
        locations.push(location);
    }
    let read = match extension.to_ascii_lowercase().as_str() {
        "csv" => separated(name, &files, b',')?,
        "tsv" => separated(name, &files, b'\t')?,
        "parquet" => {
            let format = Arc::new(ParquetFormat::default());
            let schema = format.infer_schema(state, &store, &objects).await;
            Some((format as _, schema.map_err(|error| in_file(name, &error))?))
        }
        _ => {
            let format = json(name, &files)?;
            let mut schemas = Vec::new();
            for object in objects {
                let schema = format.infer_schema(state, &store, &[object]).await;
                schemas.push(schema.map_err(|error| in_file(name, &error))?);
            }
            let schema = Schema::try_merge(with_decimals(&schemas));
            Some((
                format,
                Arc::new(schema.map_err(|error| unlike(name, &error))?),
            ))
        }
    };
    let Some((format, schema)) = read.filter(|(_, schema)| !schema.fields().is_empty()) else {
        return Ok(None);
    };
    let config = ListingTableConfig::new_with_multi_paths(locations)
        .with_listing_options(ListingOptions::new(format).with_file_extension(""))
        .with_schema(schema);
    Ok(Some(Arc::new(ListingTable::try_new(config)?)))
}

/// The files of that name. In a pattern `*` stands for a part of one name, `**` for folders of any depth;
/// hidden files and folders match none but those that the pattern names by their dots.
fn files(name: &str) -> Result<Vec<PathBuf>> {
    if Path::new(name).is_file() {
        return Ok(vec![std::fs::canonicalize(name)?]);
    }
    if !is_pattern(name) {
        return Ok(Vec::new());
    }
    let matching =
        glob::glob(name).map_err(|error| plan_datafusion_err!("{name}: {}", error.msg))?;
    let hidden = hidden_parts(Path::new(name));
    let mut files = Vec::new();
    for path in matching {
        let path = path.map_err(|error| plan_datafusion_err!("{name}: {error}"))?;
        if path.is_file() && hidden_parts(&path) == hidden {
            files.push(std::fs::canonicalize(path)?);
        }
    }
    Ok(files)
}

/// Files whose columns cannot be one table's; the message names the column in quotes.
fn unlike(name: &str, error: &ArrowError) -> DataFusionError {
    let message = error.to_string();
    let column = message.split('\'').nth(1).unwrap_or("one of the columns");
    plan_datafusion_err!(
        "{name}: {column} is not of one type in all the files; read each by a name of its own"
    )
}

fn in_file(name: &str, error: &DataFusionError) -> DataFusionError {
    plan_datafusion_err!("{name}: {}", plainly(error))
}

/// Without the kinds of errors that are told before it, each by the one that wraps it.
fn plainly(error: &DataFusionError) -> String {
    let message = error.find_root().strip_backtrace();
    let mut parts = message.rsplit(" error: ");
    parts.next().unwrap_or(&message).to_owned()
}

/// How many parts of the path begin with a dot.
fn hidden_parts(path: &Path) -> usize {
    path.components()
        .filter(|part| match part {
            Component::Normal(part) => part.as_encoded_bytes().starts_with(b"."),
            _ => false,
        })
        .count()
}

/// # Errors
/// That the files cannot be read as one table.
fn json(name: &str, files: &[PathBuf]) -> Result<Arc<dyn FileFormat>> {
    if let Some(file) = files.iter().find(|file| begins_with_a_mark(file)) {
        return plan_err!(
            "{name}: {} begins with a byte order mark, which JSON has none of; save it as UTF-8 without BOM",
            short(file)
        );
    }
    let mut kinds = files
        .iter()
        .filter_map(|file| Some((file, begins_an_array(file)?)))
        .peekable();
    let is_array = kinds.peek().is_some_and(|(_, is_array)| *is_array);
    if let Some((one, other)) = first_unlike(kinds) {
        return plan_err!(
            "{name}: of {one} and {other} one is an array, the other has an object a line; \
            read each by a name of its own"
        );
    }
    let format = JsonFormat::default()
        .with_newline_delimited(!is_array)
        .with_schema_infer_max_rec(rows_of_types(files.len()));
    Ok(Arc::new(format))
}

/// A column is one of decimals everywhere if it is in one of the files.
fn with_decimals(schemas: &[SchemaRef]) -> Vec<Schema> {
    let fields = || schemas.iter().flat_map(|schema| schema.fields());
    let decimals: HashSet<&str> = fields()
        .filter(|field| field.data_type() == &DataType::Float64)
        .map(|field| field.name().as_str())
        .collect();
    let widened = |field: &FieldRef| match field.data_type() {
        DataType::Int64 if decimals.contains(field.name().as_str()) => {
            Arc::new(field.as_ref().clone().with_data_type(DataType::Float64))
        }
        _ => field.clone(),
    };
    let schemas = schemas.iter();
    schemas
        .map(|schema| Schema::new(schema.fields().iter().map(widened).collect::<Vec<_>>()))
        .collect()
}

/// How many rows of each file tell the types: about as many, however many files there are.
fn rows_of_types(files: usize) -> usize {
    const AT_LEAST: usize = 1_000;
    (ROWS_OF_TYPES / files.max(1)).max(AT_LEAST)
}

/// The first file, and the first that is not of its kind, by their paths from the current folder.
fn first_unlike<'a, K: PartialEq>(
    mut kinds: impl Iterator<Item = (&'a PathBuf, K)>,
) -> Option<(String, String)> {
    let (first, kind) = kinds.next()?;
    let (other, _) = kinds.find(|(_, other)| *other != kind)?;
    Some((short(first), short(other)))
}

/// The file's path from the current folder.
fn short(file: &Path) -> String {
    let current = std::env::current_dir().unwrap_or_default();
    let file = file.strip_prefix(&current).unwrap_or(file);
    file.display().to_string()
}

fn begins_with_a_mark(file: &Path) -> bool {
    let mut first = [0; 3];
    let read = std::fs::File::open(file).and_then(|mut file| file.read_exact(&mut first));
    read.is_ok() && first == *b"\xef\xbb\xbf"
}

/// Whether the file is one JSON array, by its first character; nothing of a file without any.
fn begins_an_array(file: &Path) -> Option<bool> {
    let file = std::fs::File::open(file).ok()?;
    let mut bytes = std::io::BufReader::new(file)
        .bytes()
        .map_while(std::result::Result::ok);
    let first = bytes.find(|byte| !byte.is_ascii_whitespace())?;
    Some(first == b'[')
}
