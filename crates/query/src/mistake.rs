//! DataFusion's errors as an analyst should read them: no internals, the place, the likely name.

use std::fmt::Display;

use arrow::error::ArrowError;
use datafusion::common::{Column, SchemaError};
use datafusion::error::DataFusionError;
use datafusion::sql::sqlparser::parser::ParserError;
use lake::{Lake, LakeError};

use crate::catalog::{CATALOG, SCHEMA};
use crate::error::QueryError;

/// Below this likeness, from 0 to 1, a name is another name and not a slip of the pen.
const LIKENESS: f64 = 0.6;

/// Why a statement did not run; a table that is not there still wants a look at those that are.
pub(crate) enum Mistake {
    UnknownTable { name: String },
    Known(QueryError),
}

impl Mistake {
    pub async fn explain(self, lake: &Lake, derived_tables: &[String]) -> QueryError {
        match self {
            Mistake::UnknownTable { name } => unknown_table(&name, lake, derived_tables).await,
            Mistake::Known(error) => error,
        }
    }
}

/// The error for a table that does not exist.
pub(crate) async fn unknown_table(
    name: &str,
    lake: &Lake,
    derived_tables: &[String],
) -> QueryError {
    let existing = match lake.tables().await {
        Ok(names) => names,
        Err(error) => return error.into(),
    };
    let advice = if derived_tables.iter().any(|table| table == name) {
        "; run `huggy-etl transform` first".to_owned()
    } else if existing.is_empty() {
        "; the lake has no tables yet".to_owned()
    } else {
        did_you_mean(
            name,
            existing.iter().chain(derived_tables).map(String::as_str),
        )
        .unwrap_or_else(|| "; `huggy-etl tables` lists those that do".to_owned())
    };
    QueryError::Sql(format!("table {name} does not exist in the lake{advice}"))
}

impl From<DataFusionError> for Mistake {
    fn from(error: DataFusionError) -> Self {
        let place = place(&error);
        match error {
            DataFusionError::External(source) => {
                Mistake::Known(match source.downcast::<LakeError>() {
                    Ok(error) => QueryError::Lake(*error),
                    Err(source) => QueryError::Failed(source.to_string()),
                })
            }
            error => classify(error.find_root(), &place),
        }
    }
}

impl From<QueryError> for Mistake {
    fn from(error: QueryError) -> Self {
        Mistake::Known(error)
    }
}

impl From<LakeError> for Mistake {
    fn from(error: LakeError) -> Self {
        Mistake::Known(error.into())
    }
}

/// For errors beyond planning, where no table can be missing any more.
impl From<DataFusionError> for QueryError {
    fn from(error: DataFusionError) -> Self {
        Mistake::from(error).into()
    }
}

impl From<Mistake> for QueryError {
    fn from(mistake: Mistake) -> Self {
        match mistake {
            Mistake::UnknownTable { name } => {
                QueryError::Sql(format!("table {name} does not exist in the lake"))
            }
            Mistake::Known(error) => error,
        }
    }
}

fn classify(error: &DataFusionError, place: &str) -> Mistake {
    let wrong = |what: &dyn Display| QueryError::Sql(format!("{what}{place}"));
    Mistake::Known(match error {
        DataFusionError::Plan(message) => match missing_table(message) {
            Some(name) => {
                return Mistake::UnknownTable {
                    name: name.to_owned(),
                };
            }
            None => wrong(&plain_words(message)),
        },
        DataFusionError::SQL(error, _) => match error.as_ref() {
            ParserError::TokenizerError(message) | ParserError::ParserError(message) => {
                QueryError::Sql(format!("syntax error: {message}"))
            }
            ParserError::RecursionLimitExceeded => wrong(&"the statement is nested too deeply"),
        },
        DataFusionError::SchemaError(error, _) => match error.as_ref() {
            SchemaError::FieldNotFound {
                field,
                valid_fields,
            } => wrong(&unknown_column(field, valid_fields)),
            error => wrong(error),
        },
        DataFusionError::NotImplemented(message) => {
            wrong(&format!("not supported: {}", plain_words(message)))
        }
        DataFusionError::Configuration(message) | DataFusionError::Execution(message) => {
            wrong(&plain_words(message))
        }
        DataFusionError::ArrowError(error, _) => match error.as_ref() {
            ArrowError::IoError(..) | ArrowError::ExternalError(_) => {
                QueryError::Failed(error.to_string())
            }
            error => wrong(&error),
        },
        DataFusionError::ResourcesExhausted(message) => QueryError::Memory(message.clone()),
        DataFusionError::Internal(message) => QueryError::Failed(message.clone()),
        error => QueryError::Failed(error.strip_backtrace()),
    })
}

/// The table's name in DataFusion's sentence about it, which is all it gives.
fn missing_table(message: &str) -> Option<&str> {
    let name = message
        .strip_prefix("table '")?
        .strip_suffix("' not found")?;
    Some(
        name.strip_prefix(&format!("{CATALOG}.{SCHEMA}."))
            .unwrap_or(name),
    )
}

fn unknown_column(field: &Column, valid_fields: &[Column]) -> String {
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
    let (_, nearest) = names
        .map(|candidate| (likeness(name, candidate), candidate))
        .filter(|(likeness, _)| *likeness >= LIKENESS)
        .max_by(|(one, first), (other, second)| {
            one.total_cmp(other).then(second.len().cmp(&first.len()))
        })?;
    Some(format!("; did you mean {nearest}?"))
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

/// ` (line 2, column 8)`, where DataFusion knows it.
fn place(error: &DataFusionError) -> String {
    match error {
        DataFusionError::Diagnostic(diagnostic, inner) => match diagnostic.span {
            Some(span) => format!(" (line {}, column {})", span.start.line, span.start.column),
            None => place(inner),
        },
        DataFusionError::Context(_, inner) => place(inner),
        DataFusionError::Collection(errors) => errors.first().map(place).unwrap_or_default(),
        DataFusionError::Shared(inner) => place(inner),
        _ => String::new(),
    }
}

/// The message without the kinds that nested errors repeat in their text, and without the list of
/// attempts that precedes what is wrong with a function's arguments.
fn plain_words(message: &str) -> String {
    const PREFIXES: [&str; 4] = [
        "Error during planning: ",
        "Execution error: ",
        "This feature is not implemented: ",
        "Schema error: ",
    ];
    let mut message = message.trim();
    if let Some(start) = message.find("No function matches the given name") {
        message = &message[start..];
    }
    while let Some(rest) = PREFIXES
        .iter()
        .find_map(|prefix| message.strip_prefix(prefix))
    {
        message = rest;
    }
    message.replace("\nDid you mean", " Did you mean")
}
