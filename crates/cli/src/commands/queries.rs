//! `huggy-etl queries`: the saved queries with question and parameters, or the text of one.
//!
//! A query of that name in the folder `queries` goes before the one the binary brings along.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::anyhow;

use crate::exit::Failure;
use ::query::{Declaration, SavedQuery, did_you_mean};

const FOLDER: &str = "queries";
const EXTENSION: &str = "sql";

pub fn run(name: Option<&str>) -> Result<(), Failure> {
    write(name, &mut std::io::stdout().lock())
}

pub fn write(name: Option<&str>, out: &mut impl Write) -> Result<(), Failure> {
    if let Some(name) = name {
        let query = find(name)?.ok_or_else(|| unknown(name))?;
        write!(out, "{}", query.sql)?;
        return Ok(());
    }
    let queries = all()?;
    let width = queries.keys().map(String::len).max().unwrap_or_default();
    for (name, query) in queries {
        writeln!(out, "{name:width$}  {}", query.question())?;
        let parameters = match query.parameters() {
            Ok(parameters) => parameters.iter().map(shown).collect::<Vec<_>>().join("  "),
            Err(error) => format!("cannot be run: {error}"),
        };
        if !parameters.is_empty() {
            writeln!(out, "{:width$}  {parameters}", "")?;
        }
    }
    Ok(())
}

/// The saved query of that name, if there is one.
pub fn find(name: &str) -> Result<Option<SavedQuery>, Failure> {
    let path = Path::new(FOLDER).join(format!("{name}.{EXTENSION}"));
    match std::fs::read_to_string(&path) {
        Ok(sql) => Ok(Some(SavedQuery {
            name: name.to_owned(),
            sql,
        })),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(SavedQuery::all()
            .into_iter()
            .find(|query| query.name == name)),
        Err(error) => Err(unreadable(&path, error)),
    }
}

/// For a name that no saved query has.
pub fn unknown(name: &str) -> Failure {
    let names: Vec<String> = all().unwrap_or_default().into_keys().collect();
    let advice = did_you_mean(name, names.iter().map(String::as_str))
        .unwrap_or_else(|| "; `huggy-etl queries` lists them".to_owned());
    Failure::Usage(anyhow!("there is no saved query {name}{advice}"))
}

pub fn unreadable(path: &Path, error: std::io::Error) -> Failure {
    Failure::Usage(anyhow!(error).context(format!("reading {}", path.display())))
}

/// Every saved query, by name.
pub fn all() -> Result<BTreeMap<String, SavedQuery>, Failure> {
    let brought = SavedQuery::all()
        .into_iter()
        .map(|query| (query.name.clone(), query));
    let mut queries: BTreeMap<String, SavedQuery> = brought.collect();
    for path in files() {
        let Some(name) = path.file_stem().and_then(|name| name.to_str()) else {
            continue;
        };
        let sql = std::fs::read_to_string(&path).map_err(|error| unreadable(&path, error))?;
        let name = name.to_owned();
        queries.insert(name.clone(), SavedQuery { name, sql });
    }
    Ok(queries)
}

/// The queries of the folder; none where there is no such folder.
fn files() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(FOLDER).into_iter().flatten();
    entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == EXTENSION)
        })
        .collect()
}

fn shown(parameter: &Declaration) -> String {
    let Declaration { name, kind, .. } = parameter;
    match parameter.default.as_deref() {
        None => format!("{name} {kind} (required)"),
        Some("NULL") => format!("{name} {kind}"),
        Some(default) => format!("{name} {kind} = {default}"),
    }
}
