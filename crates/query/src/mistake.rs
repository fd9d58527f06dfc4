//! DataFusion's errors as an analyst should read them: no internals, the place, the likely name.

use std::fmt::Display;
use std::ops::ControlFlow;
use std::path::Path;

use arrow::error::ArrowError;
use datafusion::common::{Column, SchemaError, Span};
use datafusion::error::DataFusionError;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{Expr, visit_expressions, visit_relations};
use datafusion::sql::sqlparser::parser::ParserError;
use datafusion::sql::sqlparser::tokenizer::Token;
use lake::LakeError;

use crate::advice;
use crate::catalog::{CATALOG, SCHEMA};
use crate::engine::Engine;
use crate::error::QueryError;
use crate::excerpt::{Place, SqlMistake};
use crate::files::{is_file, is_pattern};
use crate::parameters::sql_of;
use crate::syntax::tokens;

/// Below this likeness, from 0 to 1, a name is another name and not a slip of the pen.
const LIKENESS: f64 = 0.6;

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
                QueryError::Sql(column_mistake(mistake, context.sql))
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

/// With the place of what the mistake names, if that is all that is missing.
pub(crate) fn located(error: QueryError, sql: &str) -> QueryError {
    match error {
        QueryError::Sql(mistake) if mistake.place.is_none() => {
            let quoted = misfit_value(&mistake.message).or_else(|| misfit_file(&mistake.message));
            let place = match quoted {
                Some(text) => text_place(sql, text),
                None if mistake.message == DIVISION_BY_ZERO => division_place(sql),
                None => None,
            };
            QueryError::Sql(SqlMistake { place, ..mistake })
        }
        error => error,
    }
}

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
    let derived = engine.derived_tables();
    let advice = if derived.iter().any(|table| table == name) {
        "; run `huggy-etl transform` first".to_owned()
    } else {
        did_you_mean(name, existing.iter().chain(derived).map(String::as_str))
            .unwrap_or_else(|| "; `huggy-etl tables` lists those that do".to_owned())
    };
    QueryError::sql(format!("table {name} does not exist in the lake{advice}"))
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
            let advice = near_file(name).unwrap_or_else(|| elsewhere.to_owned());
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

fn table_place(statement: &Statement, name: &str) -> Option<Place> {
    let last = name.rsplit('.').next().unwrap_or(name);
    let is_meant = |ident: &str| ident == name || ident.eq_ignore_ascii_case(last);
    let mut found = None;
    let _ = visit_relations(sql_of(statement)?, |relation| {
        match relation.0.last().and_then(|part| part.as_ident()) {
            Some(ident) if is_meant(&ident.value) => {
                found = Span::try_from_sqlparser_span(ident.span).and_then(place_of);
                ControlFlow::Break(())
            }
            _ => ControlFlow::Continue(()),
        }
    });
    found
}

const NO_COLUMN: &str = "there is no column ";

fn is_of_a_column(mistake: &SqlMistake) -> bool {
    mistake.message.starts_with(NO_COLUMN)
}

/// With the place of the name, if it stands at one only, and advice on quotes, if it stands in double ones.
fn column_mistake(mistake: SqlMistake, sql: &str) -> SqlMistake {
    let name = mistake.message[NO_COLUMN.len()..]
        .split(';')
        .next()
        .unwrap_or_default();
    let tokens = tokens(sql);
    let named: Vec<_> = tokens
        .iter()
        .filter_map(|token| match &token.token {
            Token::Word(word) if word.value == name => Some((word, token.span)),
            _ => None,
        })
        .collect();
    let [(word, span)] = named.as_slice() else {
        return mistake;
    };
    let is_guessed = mistake.message.contains("did you mean");
    SqlMistake {
        place: mistake
            .place
            .or_else(|| Span::try_from_sqlparser_span(*span).and_then(place_of)),
        message: match word.quote_style {
            Some('"') if !is_guessed => advice::quoted_text(name),
            _ => mistake.message,
        },
    }
}

/// Where a text in quotes stands, of which the statement's parser keeps no place.
fn text_place(sql: &str, wanted: &str) -> Option<Place> {
    let tokens = tokens(sql);
    let named = tokens
        .iter()
        .find(|token| matches!(&token.token, Token::SingleQuotedString(text) if text == wanted))?;
    Span::try_from_sqlparser_span(named.span).and_then(place_of)
}

/// The division by a plain 0, else the only one.
fn division_place(sql: &str) -> Option<Place> {
    let tokens = tokens(sql);
    let divides = |token: &Token| matches!(token, Token::Div | Token::Mod);
    let is_zero = |token: &Token| matches!(token, Token::Number(number, _) if number == "0");
    let by_zero = tokens
        .windows(2)
        .find(|two| divides(&two[0].token) && is_zero(&two[1].token))
        .map(|two| &two[0]);
    let mut divisions = tokens.iter().filter(|token| divides(&token.token));
    let found = match (by_zero, divisions.next(), divisions.next()) {
        (Some(found), ..) => found,
        (None, Some(only), None) => only,
        _ => return None,
    };
    Span::try_from_sqlparser_span(found.span).and_then(place_of)
}

/// The file that the message begins with.
fn misfit_file(message: &str) -> Option<&str> {
    let (name, _) = message.split_once(": ")?;
    is_file(name).then_some(name)
}

fn function_place(statement: &Statement, name: &str) -> Option<Place> {
    let mut found = None;
    let _ = visit_expressions(sql_of(statement)?, |expr| {
        let ident = match expr {
            Expr::Function(function) => function.name.0.last().and_then(|part| part.as_ident()),
            _ => None,
        };
        match ident {
            Some(ident) if name.eq_ignore_ascii_case(&ident.value) => {
                found = Span::try_from_sqlparser_span(ident.span).and_then(place_of);
                ControlFlow::Break(())
            }
            _ => ControlFlow::Continue(()),
        }
    });
    found
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
                    Err(source) => QueryError::Failed(source.to_string()),
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
        DataFusionError::NotImplemented(message)
            if message.contains("COUNT DISTINCT with multiple arguments") =>
        {
            wrong(&"not supported: count(DISTINCT ...) OVER (...) takes one column, not several")
        }
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
            error => wrong(&arrow_words(error)),
        },
        DataFusionError::ResourcesExhausted(message) => QueryError::Memory(message.clone()),
        DataFusionError::Internal(message) => QueryError::Failed(message.clone()),
        error => QueryError::Failed(error.strip_backtrace()),
    })
}

const DIVISION_BY_ZERO: &str =
    "division by zero; x / NULLIF(y, 0) is NULL where y is 0, and not an error";

/// What a value is not, and how it would be.
fn arrow_words(error: &ArrowError) -> String {
    const MISCAST: &str = "Cannot cast string '";
    const MISREAD: &str = "Error parsing timestamp from '";
    let misfit = match error {
        ArrowError::DivideByZero => return DIVISION_BY_ZERO.to_owned(),
        ArrowError::CastError(message) => message
            .strip_prefix(MISCAST)
            .and_then(|rest| rest.rsplit_once("' to value of "))
            .map(|(value, wanted)| (value, wanted.trim_end_matches(" type"))),
        ArrowError::ParseError(message) => message
            .strip_prefix(MISREAD)
            .and_then(|rest| rest.rsplit_once("': "))
            .map(|(value, _)| (value, "Timestamp(")),
        _ => None,
    };
    let Some((value, wanted)) = misfit else {
        return in_sql(&error.to_string());
    };
    let wanted = match wanted.starts_with("Timestamp(") {
        true => "TIMESTAMP".to_owned(),
        false => in_sql(wanted),
    };
    let advice = match wanted.as_str() {
        "DATE" => "; write one like '2024-03-01'",
        "TIMESTAMP" => "; write one like '2024-03-01 15:00:00'",
        "BIGINT" | "INT" | "SMALLINT" | "UNSIGNED BIGINT" => "; write a whole number",
        "DOUBLE" | "REAL" => "; write a number like 1.5",
        "BOOLEAN" => "; write true or false",
        _ => "",
    };
    format!("'{value}' is no {wanted}{advice}")
}

/// The value of such words.
fn misfit_value(message: &str) -> Option<&str> {
    let (value, _) = message.strip_prefix('\'')?.split_once("' is no ")?;
    Some(value)
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

/// The function's name in DataFusion's sentence about it.
fn missing_function(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once("Invalid function '")?;
    rest.split('\'').next()
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

/// The parser's message, which ends with where it stopped reading.
fn syntax_error(message: &str) -> SqlMistake {
    let parts = message
        .rsplit_once(" at Line: ")
        .and_then(|(what, place)| Some((what, place.split_once(", Column: ")?)));
    let Some((what, (line, column))) = parts else {
        return SqlMistake::new(format!("syntax error: {message}"));
    };
    let place = line.parse().ok().zip(column.trim().parse().ok());
    let place = place.map(|(line, column)| Place {
        line,
        column,
        width: 0,
    });
    SqlMistake::at(format!("syntax error: {what}"), place)
}

/// Where the mistake is, if DataFusion knows it.
fn place(error: &DataFusionError) -> Option<Place> {
    match error {
        DataFusionError::Diagnostic(diagnostic, inner) => {
            diagnostic.span.and_then(place_of).or_else(|| place(inner))
        }
        DataFusionError::Context(_, inner) => place(inner),
        DataFusionError::Collection(errors) => errors.first().and_then(place),
        DataFusionError::Shared(inner) => place(inner),
        _ => None,
    }
}

/// The columns that a name without a table can mean, which DataFusion only tells in notes.
fn candidates(error: &DataFusionError) -> Vec<String> {
    let DataFusionError::Diagnostic(diagnostic, inner) = error else {
        return match error {
            DataFusionError::Context(_, inner) => candidates(inner),
            DataFusionError::Collection(errors) => {
                errors.first().map(candidates).unwrap_or_default()
            }
            DataFusionError::Shared(inner) => candidates(inner),
            _ => Vec::new(),
        };
    };
    let notes = diagnostic.notes.iter();
    let named: Vec<String> = notes
        .filter_map(|note| note.message.strip_prefix("possible column "))
        .map(|column| {
            column
                .trim_start_matches(&format!("{CATALOG}.{SCHEMA}."))
                .to_owned()
        })
        .collect();
    if named.is_empty() {
        candidates(inner)
    } else {
        named
    }
}

fn place_of(span: Span) -> Option<Place> {
    let number = |number: u64| usize::try_from(number).ok();
    let (line, column) = (number(span.start.line)?, number(span.start.column)?);
    let is_on_one_line = span.end.line == span.start.line;
    let end = number(span.end.column).filter(|_| is_on_one_line);
    (line > 0).then(|| Place {
        line,
        column,
        width: end.map_or(0, |end| end.saturating_sub(column)),
    })
}

/// The message without the kinds that nested errors repeat in their text, and without the list of
/// attempts that precedes what is wrong with a function's arguments.
fn plain_words(message: &str) -> String {
    const PREFIXES: [&str; 5] = [
        "Error during planning: ",
        "Execution error: ",
        "External error: ",
        "This feature is not implemented: ",
        "Schema error: ",
    ];
    let mut message = message.trim();
    if let Some(start) = message.find(NO_MATCH) {
        return misfit_arguments(&message[start + NO_MATCH.len()..]);
    }
    while let Some(rest) = PREFIXES
        .iter()
        .find_map(|prefix| message.strip_prefix(prefix))
    {
        message = rest;
    }
    ungrouped_column(message).unwrap_or_else(|| message.to_owned())
}

/// From DataFusion's sentence about a column beside an aggregate.
fn ungrouped_column(message: &str) -> Option<String> {
    let (_, rest) = message.split_once("column \"")?;
    let (column, rest) = rest.split_once('"')?;
    rest.starts_with(" must appear in the GROUP BY clause")
        .then(|| {
            format!(
                "column {column} must be in GROUP BY, or within an aggregate such as max({column})"
            )
        })
}

const NO_MATCH: &str = "No function matches the given name and argument types '";

/// From `sum(Utf8)'. You might need to add explicit type casts.` and a line for each form of `sum`.
fn misfit_arguments(rest: &str) -> String {
    let (call, rest) = rest.split_once('\'').unwrap_or((rest, ""));
    let (name, arguments) = call.split_once('(').unwrap_or((call, ")"));
    let arguments = in_sql(arguments.strip_suffix(')').unwrap_or(arguments));
    let forms: Vec<String> = rest
        .lines()
        .map(str::trim)
        .filter(|line| line.starts_with(&format!("{name}(")))
        .map(in_sql)
        .collect();
    let forms = match forms.len() {
        0 => "; `huggy-etl functions` tells more".to_owned(),
        _ => format!("; there are {}", forms.join(", ")),
    };
    format!(
        "function {name} takes no ({arguments}){forms}; CAST(... AS ...) gives a value another type"
    )
}

/// The function of a [`misfit_arguments`].
fn misfit_function(message: &str) -> Option<&str> {
    Some(
        message
            .strip_prefix("function ")?
            .split_once(" takes no (")?
            .0,
    )
}

/// Arrow's names of types as SQL's.
fn in_sql(types: &str) -> String {
    const NAMES: [(&str, &str); 10] = [
        ("Utf8View", "TEXT"),
        ("LargeUtf8", "TEXT"),
        ("Utf8", "TEXT"),
        ("UInt64", "UNSIGNED BIGINT"),
        ("Int64", "BIGINT"),
        ("Int32", "INT"),
        ("Float64", "DOUBLE"),
        ("Float32", "REAL"),
        ("Date32", "DATE"),
        ("Boolean", "BOOLEAN"),
    ];
    NAMES.iter().fold(types.to_owned(), |types, (arrow, sql)| {
        types.replace(arrow, sql)
    })
}
