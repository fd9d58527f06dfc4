//! DataFusion's and arrow's sentences in plain words.

use arrow::error::ArrowError;

use super::types::in_sql;
use crate::advice::TIME_IN_QUOTES;
use crate::catalog::{CATALOG, SCHEMA};
use crate::excerpt::{Place, SqlMistake};

pub(super) const DIVISION_BY_ZERO: &str =
    "division by zero; x / NULLIF(y, 0) is NULL where y is 0, and not an error";

/// What a value is not, and how it would be.
pub(super) fn arrow_words(error: &ArrowError) -> String {
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
        return value_of_a_file(error).unwrap_or_else(|| plain_words(&error.to_string()));
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

/// The table's name in DataFusion's sentence about it, which is all it gives.
pub(super) fn missing_table(message: &str) -> Option<&str> {
    let name = message
        .strip_prefix("table '")?
        .strip_suffix("' not found")?;
    Some(
        name.strip_prefix(&format!("{CATALOG}.{SCHEMA}."))
            .unwrap_or(name),
    )
}

pub(super) fn missing_table_function(message: &str) -> Option<&str> {
    message
        .strip_prefix("table function '")?
        .strip_suffix("' not found")
}

/// The path in the storage's sentence about a file that is not there.
pub(super) fn missing_object(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once("Object at location ")?;
    let (path, _) = rest.split_once(" not found")?;
    Some(path)
}

/// The function's name in DataFusion's sentence about it.
pub(super) fn missing_function(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once("Invalid function '")?;
    rest.split('\'').next()
}

/// The parser's message, which ends with where it stopped reading.
pub(super) fn syntax_error(message: &str) -> SqlMistake {
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

/// The message without the kinds that nested errors repeat in their text, and without the list of
/// attempts that precedes what is wrong with a function's arguments.
pub(super) fn plain_words(message: &str) -> String {
    const PREFIXES: [&str; 9] = [
        "Error during planning: ",
        "Execution error: ",
        "External error: ",
        "This feature is not implemented: ",
        "Schema error: ",
        "Invalid argument error: ",
        "Compute error: ",
        "Cast error: ",
        "Parser error: ",
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
    ungrouped_column(message)
        .or_else(|| output_named_twice(message))
        .or_else(|| misfit_types(message))
        .unwrap_or_else(|| without_debug(&in_sql(message)))
}

/// From DataFusion's sentences about what does not go together.
fn misfit_types(message: &str) -> Option<String> {
    let operation = |prefix: &str| Some(in_sql(message.strip_prefix(prefix)?.trim()));
    let is_time = |operation: &str| operation.contains("DATE") || operation.contains("TIMESTAMP");
    if let Some(compared) = operation("Cannot infer common argument type for comparison operation ")
    {
        let advice = match is_time(&compared) {
            true => TIME_IN_QUOTES,
            false => "CAST(... AS ...) gives a value another type",
        };
        return Some(format!("{compared} cannot be compared; {advice}"));
    }
    if let Some(computed) = operation("Cannot coerce arithmetic expression ")
        .or_else(|| operation("Cannot get result type for temporal operation "))
    {
        let computed = computed.trim_end_matches(" to valid types");
        let computed = computed.split(": ").next().unwrap_or(computed);
        return Some(format!(
            "{computed} cannot be computed; CAST(... AS ...) gives a value another type"
        ));
    }
    if let Some(joined) = operation("Cannot infer common string type for string concat operation ")
    {
        return Some(format!(
            "{joined}: || joins texts; CAST(... AS TEXT) makes one"
        ));
    }
    if let Some(filter) = operation("Cannot create filter with non-boolean predicate ") {
        let (condition, kind) = filter.rsplit_once(" returning ")?;
        let condition = match condition.contains('{') {
            true => "this",
            false => condition.trim_matches('\''),
        };
        return Some(format!(
            "{condition} is no condition but {kind}; compare it with something"
        ));
    }
    if let Some(kind) = operation("Unary operator 'NOT' requires a boolean expression, got ")
        .or_else(|| operation("Invalid arithmetic operation: !"))
    {
        return Some(format!("NOT takes a condition, and not {kind}"));
    }
    if let Some(name) = message.strip_prefix("Can't parse placeholder: ") {
        return Some(format!(
            "{name} has no type here; CAST({name} AS TEXT) gives it one"
        ));
    }
    if message == "Column count doesn't match insert query!" {
        return Some("there are more or fewer values than columns for them".to_owned());
    }
    if message.starts_with("Dot access not supported for non-string expr") {
        return Some(
            "a dot stands between a table and its column; a function is called as upper(x), \
            JSON in text is read as payload ->> 'key'"
                .to_owned(),
        );
    }
    if message.starts_with("Cannot access field at argument") {
        return Some(
            "this column has no parts to be named behind a dot; JSON in text is read as payload ->> 'key'"
                .to_owned(),
        );
    }
    let (name, rest) = message
        .strip_prefix("Function '")?
        .split_once("' failed to match any signature")?;
    let received = rest.split("(DataType: ").nth(1)?.split(").").next()?;
    Some(format!(
        "function {name} takes no ({}); CAST(... AS ...) gives a value another type",
        in_sql(received)
    ))
}

/// Whether an error that the engine takes for its own is one of types.
pub(super) fn is_misfit(message: &str) -> bool {
    message.contains("failed to match any signature")
        || message.starts_with("Failed to coerce types")
        || message.starts_with("Cannot run range queries on")
}

/// What the engine does not do, and what does.
pub(super) fn unsupported(message: &str) -> String {
    if message.contains("COUNT DISTINCT with multiple arguments") {
        return "not supported: count(DISTINCT ...) OVER (...) takes one column, not several"
            .to_owned();
    }
    if message == "TOP" {
        return "not supported: TOP; LIMIT 3 at the end of the statement does the same".to_owned();
    }
    const EXPRESSION: &str = "Physical plan does not support logical expression ";
    if let Some(expression) = message.strip_prefix(EXPRESSION) {
        return match expression {
            exists if exists.starts_with("Exists") => {
                "not supported: EXISTS (...) here; it stands among the conditions of WHERE, by AND"
            }
            star if star.contains("Wildcard") => {
                "* stands behind SELECT and in count(*); elsewhere a column is named"
            }
            _ => "not supported: what stands here cannot be computed; see `huggy-etl functions`",
        }
        .to_owned();
    }
    if message.starts_with("Unsupported JOIN operator ") {
        return "not supported: this kind of JOIN; there are LEFT SEMI JOIN and LEFT ANTI JOIN ... ON ..."
            .to_owned();
    }
    let words = plain_words(message);
    match words.contains("; ") {
        true => words,
        false => format!("not supported: {words}"),
    }
}

/// Without the shapes in which Rust shows its values, which some messages end with.
fn without_debug(message: &str) -> String {
    const SHAPES: [&str; 6] = [" { ", "Some(", "Ident", "ObjectName", "(Value", "Span("];
    let Some(start) = SHAPES.iter().filter_map(|shape| message.find(shape)).min() else {
        return message.to_owned();
    };
    // The word that the shape belongs to goes with it.
    let head = &message[..start];
    let head = head
        .rsplit_once(char::is_whitespace)
        .map_or("", |(head, _)| head);
    let head = head.trim_end_matches(|end: char| !end.is_alphanumeric());
    match head.is_empty() {
        true => "the statement cannot be run as it is written".to_owned(),
        false => head.to_owned(),
    }
}

/// The error within a message of the reader of files, by which conditions are computed as rows are read.
pub(super) fn filter_mistake(message: &str) -> Option<ArrowError> {
    let (_, shown) = message.split_once("Error evaluating filter predicate: ")?;
    if shown.contains("DivideByZero") {
        return Some(ArrowError::DivideByZero);
    }
    let start = shown.find("(\"")?;
    let kind = shown[..start].rsplit('(').next()?;
    let text = &shown[start + 1..];
    let is_end = |(place, _): &(usize, &str)| *place > 0 && !text[..*place].ends_with('\\');
    let (end, _) = text.match_indices('"').find(is_end)?;
    let text: String =
        serde_json::from_str(&text[..=end]).unwrap_or_else(|_| text[1..end].replace("\\'", "'"));
    Some(match kind {
        "CastError" => ArrowError::CastError(text),
        "ParseError" => ArrowError::ParseError(text),
        "ArithmeticOverflow" => ArrowError::ArithmeticOverflow(text),
        _ => ArrowError::ComputeError(text),
    })
}

/// From arrow's sentence about a value beyond those that told its column's type.
fn value_of_a_file(error: &ArrowError) -> Option<String> {
    let ArrowError::ParseError(message) = error else {
        return None;
    };
    let rest = message.strip_prefix("Error while parsing value '")?;
    let (value, rest) = rest.split_once("' as type '")?;
    let (kind, rest) = rest.split_once("' for column ")?;
    let line = rest.split_once(" at line ")?.1.split('.').next()?;
    Some(format!(
        "'{value}' in line {line} of the file is no {}, as the values of its column are before",
        in_sql(kind)
    ))
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

/// From DataFusion's sentence about `Projections` or what a `TABLE` would have.
fn output_named_twice(message: &str) -> Option<String> {
    let (_, rest) = message.split_once(" require unique expression names but the expression \"")?;
    let (expression, _) = rest.split_once("\" at position ")?;
    let name = expression.rsplit('.').next()?;
    let is_word = name
        .chars()
        .all(|letter| letter.is_alphanumeric() || letter == '_');
    Some(match is_word {
        true => format!("two columns are named {name}; give one another name: ... AS {name}_2"),
        false => "two columns have one name; give one another: ... AS name".to_owned(),
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
