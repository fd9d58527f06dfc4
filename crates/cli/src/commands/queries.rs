//! `huggy-etl queries`: the saved queries with question and parameters, or the text of one.
//!
//! A query of that name in the folder `queries` goes before the one the binary brings along.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::anyhow;

use crate::exit::Failure;
use crate::list;
use ::query::{Declaration, SavedQuery, did_you_mean};

const FOLDER: &str = "queries";
const EXTENSION: &str = "sql";

pub fn run(name: Option<&str>) -> Result<(), Failure> {
    let mut text = Vec::new();
    write(name, &mut text)?;
    // The text of a query is as it is.
    match name {
        Some(_) => std::io::stdout().write_all(&text)?,
        None => list::show(&text)?,
    }
    Ok(())
}

pub fn write(name: Option<&str>, out: &mut impl Write) -> Result<(), Failure> {
    if let Some(name) = name {
        let query = find(name)?.ok_or_else(|| unknown(name))?;
        write!(out, "{}", query.sql)?;
        return Ok(());
    }
    let queries = all();
    let width = queries.keys().map(String::len).max().unwrap_or_default();
    for (name, query) in queries {
        let (question, below) = match &query {
            Ok(query) => (query.question(), parameters(query)),
            Err(error) => ("", Err(error.to_string())),
        };
        let below = below.unwrap_or_else(|error| format!("cannot be run: {error}"));
        let lines = [question, below.as_str()];
        let mut lines = lines.into_iter().filter(|line| !line.is_empty());
        writeln!(out, "{name:width$}  {}", lines.next().unwrap_or_default())?;
        for line in lines {
            writeln!(out, "{:width$}  {line}", "")?;
        }
    }
    Ok(())
}

/// In one line, or why the query cannot be run.
fn parameters(query: &SavedQuery) -> Result<String, String> {
    let declared = query.check().and_then(|()| query.parameters());
    let declared = declared.map_err(|error| error.to_string())?;
    Ok(declared.iter().map(shown).collect::<Vec<_>>().join("  "))
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
    let first = name.split(char::is_whitespace).next().unwrap_or_default();
    let is_sql = [
        "select", "with", "from", "values", "show", "describe", "explain", "create",
    ]
    .iter()
    .any(|word| first.len() < name.len() && first.eq_ignore_ascii_case(word));
    if is_sql {
        return Failure::Usage(anyhow!(
            "there is no saved query of this name; SQL is given with -c: huggy-etl query -c 'SELECT ...'"
        ));
    }
    let names: Vec<String> = all().into_keys().collect();
    let advice = did_you_mean(name, names.iter().map(String::as_str))
        .unwrap_or_else(|| "; `huggy-etl queries` lists them".to_owned());
    Failure::Usage(anyhow!("there is no saved query {name}{advice}"))
}

pub fn unreadable(path: &Path, error: io::Error) -> Failure {
    let saved = path.file_stem().and_then(|name| name.to_str());
    let saved =
        saved.filter(|name| error.kind() == ErrorKind::NotFound && all().contains_key(*name));
    if let Some(name) = saved {
        return Failure::Usage(anyhow!(
            "there is no file {}; the saved query is known by its name, {name}",
            path.display()
        ));
    }
    Failure::Usage(anyhow!(error).context(format!("reading {}", path.display())))
}

/// Every saved query that can be read.
pub fn readable() -> impl Iterator<Item = SavedQuery> {
    all().into_values().filter_map(Result::ok)
}

/// Every saved query, by name.
fn all() -> BTreeMap<String, io::Result<SavedQuery>> {
    let brought = SavedQuery::all()
        .into_iter()
        .map(|query| (query.name.clone(), Ok(query)));
    let mut queries: BTreeMap<String, io::Result<SavedQuery>> = brought.collect();
    for path in files() {
        let Some(name) = path.file_stem().and_then(|name| name.to_str()) else {
            continue;
        };
        let name = name.to_owned();
        let query = std::fs::read_to_string(&path).map(|sql| SavedQuery {
            name: name.clone(),
            sql,
        });
        queries.insert(name, query);
    }
    queries
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
