//! DataFusion's errors as an analyst should read them: no internals, the place, the likely name.

mod keywords;
mod names;
mod places;
mod types;
mod words;

use std::fmt::Display;

use arrow::error::ArrowError;
use datafusion::common::SchemaError;
use datafusion::error::DataFusionError;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::parser::ParserError;
use lake::LakeError;

pub(crate) use self::keywords::with_likely_keyword;
pub use self::names::did_you_mean;
use self::names::unknown_column;
pub(crate) use self::names::unknown_table;
use self::places::{
    candidates, column_mistake, function_place, is_of_a_column, misfit_function, place,
    table_place, text_place,
};
pub(crate) use self::places::{located, place_in_sql};
use self::words::{
    arrow_words, filter_mistake, is_misfit, missing_function, missing_object, missing_table,
    missing_table_function, plain_words, syntax_error, unsupported,
};
use crate::advice;
use crate::engine::Engine;
use crate::error::QueryError;
use crate::excerpt::{Place, SqlMistake};
use crate::own_table::KEPT_TABLE;

/// Why a statement did not run; what is not there still wants a look at what is.
pub(crate) enum Mistake {
    UnknownTable { name: String },
    UnknownFunction { name: String, place: Option<Place> },
    Known(QueryError),
}

/// What helps to explain a mistake.
#[derive(Clone, Copy)]
pub(crate) struct MistakeContext<'a> {
    pub engine: &'a Engine,
    pub statement: &'a Statement,
    /// Of the script that it is from.
    pub sql: &'a str,
}

impl Mistake {
    pub async fn explain(self, context: MistakeContext<'_>) -> QueryError {
        match self {
            Mistake::UnknownTable { name } => match unknown_table(&name, context.engine).await {
                QueryError::Sql(mistake) => QueryError::Sql(SqlMistake {
                    place: table_place(context.statement, &name)
                        .or_else(|| text_place(context.sql, &name)),
                    ..mistake
                }),
                error => error,
            },
            Mistake::UnknownFunction { name, place } => {
                let message = advice::unknown_function(&name, &context.engine.function_names());
                let place = place.or_else(|| function_place(context.statement, &name));
                QueryError::Sql(SqlMistake::at(message, place))
            }
            Mistake::Known(QueryError::Sql(mistake)) if is_of_a_column(&mistake) => {
                QueryError::Sql(column_mistake(mistake, context))
            }
            Mistake::Known(QueryError::Sql(mistake)) if mistake.place.is_none() => {
                let place = misfit_function(&mistake.message)
                    .and_then(|name| function_place(context.statement, name));
                located(
                    QueryError::Sql(SqlMistake { place, ..mistake }),
                    context.sql,
                )
            }
            Mistake::Known(error) => error,
        }
    }
}

impl From<DataFusionError> for Mistake {
    fn from(error: DataFusionError) -> Self {
        let place = place(&error);
        let candidates = candidates(&error);
        match error {
            DataFusionError::External(source) => {
                Mistake::Known(match source.downcast::<LakeError>() {
                    Ok(error) if matches!(*error, LakeError::NoSuchVersion { .. }) => {
                        QueryError::sql(error.to_string())
                    }
                    Ok(error) => QueryError::Lake(*error),
                    Err(source) => failed(source.to_string(), place),
                })
            }
            error => classify(error.find_root(), place, &candidates),
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
                QueryError::sql(format!("table {name} does not exist in the lake"))
            }
            Mistake::UnknownFunction { name, place } => {
                QueryError::Sql(SqlMistake::at(advice::unknown_function(&name, &[]), place))
            }
            Mistake::Known(error) => error,
        }
    }
}

fn classify(error: &DataFusionError, place: Option<Place>, candidates: &[String]) -> Mistake {
    let wrong = |what: &dyn Display| QueryError::Sql(SqlMistake::at(what.to_string(), place));
    Mistake::Known(match error {
        DataFusionError::Plan(message) => match missing_table(message) {
            Some(name) => {
                return Mistake::UnknownTable {
                    name: name.to_owned(),
                };
            }
            None => match missing_function(message) {
                Some(name) => {
                    let name = name.to_owned();
                    return Mistake::UnknownFunction { name, place };
                }
                None if let Some(name) = missing_table_function(message) => {
                    wrong(&advice::unknown_table_function(name))
                }
                None => wrong(&plain_words(message)),
            },
        },
        DataFusionError::SQL(error, _) => match error.as_ref() {
            ParserError::TokenizerError(message) | ParserError::ParserError(message) => {
                QueryError::Sql(syntax_error(message))
            }
            ParserError::RecursionLimitExceeded => wrong(&"the statement is nested too deeply"),
        },
        DataFusionError::SchemaError(error, _) => match error.as_ref() {
            SchemaError::FieldNotFound {
                field,
                valid_fields,
            } => wrong(&unknown_column(field, valid_fields)),
            SchemaError::AmbiguousReference { field } => {
                let name = &field.name;
                let columns = match candidates {
                    [] => format!("TABLE.{name}"),
                    columns => columns.join(" or "),
                };
                wrong(&format!(
                    "column {name} exists in several tables: write {columns}"
                ))
            }
            error => wrong(error),
        },
        DataFusionError::NotImplemented(message) => wrong(&unsupported(message)),
        DataFusionError::Configuration(message) | DataFusionError::Execution(message) => {
            wrong(&plain_words(message))
        }
        DataFusionError::ArrowError(error, _) => match error.as_ref() {
            ArrowError::IoError(..) | ArrowError::ExternalError(_) => {
                failed(error.to_string(), place)
            }
            error => wrong(&arrow_words(error)),
        },
        DataFusionError::ResourcesExhausted(message) => exhausted(message),
        DataFusionError::Internal(message) if is_misfit(message) => wrong(&plain_words(message)),
        DataFusionError::Internal(message) => QueryError::Failed(message.clone()),
        error => failed(error.strip_backtrace(), place),
    })
}

/// Without the operator that was refused and its bytes.
fn exhausted(message: &str) -> QueryError {
    if message.contains("disk space") {
        return QueryError::Failed(
            "what it spilled to the folder for temporary files (TMPDIR) exceeds 100 GB".to_owned(),
        );
    }
    QueryError::Memory(match message.starts_with(KEPT_TABLE) {
        true => format!("{message}; "),
        false => String::new(),
    })
}

/// Reading, unless it was a condition that could not be computed while rows were read.
fn failed(message: String, place: Option<Place>) -> QueryError {
    match filter_mistake(&message) {
        Some(error) => QueryError::Sql(SqlMistake::at(arrow_words(&error), place)),
        None => match missing_object(&message) {
            Some(path) => QueryError::FileGone(path.to_owned()),
            None => QueryError::Failed(message),
        },
    }
}
