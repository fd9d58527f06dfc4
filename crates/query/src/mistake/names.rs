//! What there is none of, and what was meant most likely.

use std::path::Path;

use datafusion::common::Column;

use crate::advice;
use crate::catalog::CATALOG;
use crate::engine::Engine;
use crate::error::QueryError;
use crate::files::{is_file, is_pattern};
use crate::saved::SavedQuery;

/// Below this likeness, from 0 to 1, a name is another name and not a slip of the pen.
const LIKENESS: f64 = 0.6;

/// The error for a table that does not exist.
pub(crate) async fn unknown_table(name: &str, engine: &Engine) -> QueryError {
    if is_file(name) {
        return unknown_file(name, engine);
    }
    let existing = match engine.lake().tables().await {
        Ok(names) => names,
        Err(error) => return error.into(),
    };
    if existing.is_empty() {
        return QueryError::NoTables(engine.lake().url().to_owned());
    }
    if SavedQuery::all().iter().any(|query| query.name == name) {
        return QueryError::sql(advice::saved_query(name));
    }
    if engine.reads_files() && is_like_a_file(name) {
        return QueryError::sql(advice::unread_file(name));
    }
    let derived = engine.derived_tables();
    let advice = if derived.iter().any(|table| table == name) {
        "; run `huggy-etl transform` first".to_owned()
    } else {
        did_you_mean(name, existing.iter().chain(derived).map(String::as_str))
            .unwrap_or_else(|| "; `huggy-etl tables` lists those that do".to_owned())
    };
    QueryError::sql(format!("table {name} does not exist in the lake{advice}"))
}

/// A path, or a name with an ending that is not one within a schema.
fn is_like_a_file(name: &str) -> bool {
    let has_ending = Path::new(name).extension().is_some();
    name.contains('/') || has_ending && !name.starts_with(&format!("{CATALOG}."))
}

/// A name that is a file's is one only in single quotes.
fn unknown_file(name: &str, engine: &Engine) -> QueryError {
    let bare = name.strip_prefix(&format!("{CATALOG}.")).unwrap_or(name);
    QueryError::sql(if !engine.reads_files() {
        format!("table {name} does not exist in the lake, and files cannot be read from here")
    } else if bare != name {
        format!("table {bare} does not exist in the lake; a file is named in quotes: FROM '{bare}'")
    } else {
        let elsewhere = "; its path goes by the current folder";
        if is_pattern(name) {
            format!("no file that has columns matches {name}{elsewhere}")
        } else if Path::new(name).exists() {
            format!("file {name} has no columns")
        } else {
            let advice = match name.starts_with('~') {
                true => "; within quotes ~ stands for no folder: write the whole path".to_owned(),
                false => near_file(name).unwrap_or_else(|| elsewhere.to_owned()),
            };
            format!("file {name} does not exist{advice}")
        }
    })
}

/// `; did you mean ...?` with the nearest of the files in the same folder that can be read.
fn near_file(name: &str) -> Option<String> {
    let path = Path::new(name);
    let wanted = path.file_name()?.to_str()?;
    let folder = path.parent()?;
    let listed = match folder.as_os_str().is_empty() {
        true => Path::new("."),
        false => folder,
    };
    let entries = std::fs::read_dir(listed).ok()?.filter_map(Result::ok);
    let files: Vec<String> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|file| file != wanted && is_file(file))
        .collect();
    let nearest = nearest(wanted, files.iter().map(String::as_str))?;
    Some(format!(
        "; did you mean {}?",
        folder.join(nearest).display()
    ))
}

pub(super) fn unknown_column(field: &Column, valid_fields: &[Column]) -> String {
    let tables = valid_fields
        .iter()
        .filter_map(|valid| valid.relation.as_ref())
        .map(|table| table.table());
    let table = field.relation.as_ref().map(|table| table.table());
    // Under an alias of its own a column is looked for there, without one everywhere.
    let candidates = valid_fields.iter().filter(|valid| {
        table.is_none_or(|table| {
            valid
                .relation
                .as_ref()
                .is_some_and(|relation| relation.table() == table)
        })
    });
    let name = match table {
        Some(table) => format!("{table}.{}", field.name),
        None => field.name.clone(),
    };
    if table.is_some_and(|table| !tables.clone().any(|known| known == table)) {
        let advice = table
            .and_then(|table| did_you_mean(table, tables))
            .unwrap_or_default();
        return format!("column {name}: the statement names no such table{advice}");
    }
    let advice = did_you_mean(&field.name, candidates.map(|column| column.name.as_str()))
        .unwrap_or_else(|| "; `huggy-etl describe TABLE` lists a table's columns".to_owned());
    format!("there is no column {name}{advice}")
}

/// `; did you mean ...?` with the nearest of the names, if one is near.
pub fn did_you_mean<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<String> {
    let nearest = nearest(name, names)?;
    Some(format!("; did you mean {nearest}?"))
}

fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let (_, nearest) = names
        .map(|candidate| (likeness(name, candidate), candidate))
        .filter(|(likeness, _)| *likeness >= LIKENESS)
        .max_by(|(one, first), (other, second)| {
            one.total_cmp(other).then(second.len().cmp(&first.len()))
        })?;
    Some(nearest)
}

fn likeness(name: &str, candidate: &str) -> f64 {
    let name = name.to_lowercase();
    let edits = strsim::normalized_damerau_levenshtein(&name, &candidate.to_lowercase());
    // `chats` for `fact_chats`: too many edits, yet plainly meant.
    let part = name.len() > 3
        && candidate.split('_').count() > 1
        && candidate.to_lowercase().contains(&name);
    if part { edits.max(LIKENESS) } else { edits }
}
