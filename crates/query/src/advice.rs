//! Names that mean something in other databases, and what does it here.

use crate::mistake::did_you_mean;

/// Functions, in lower case.
const ELSEWHERE: [(&str, &str); 14] = [
    ("strftime", "to_char(t, '%H:%M')"),
    ("date_format", "to_char(t, '%H:%M')"),
    ("date_diff", "date_part('epoch', b - a), which are seconds,"),
    ("datediff", "date_part('epoch', b - a), which are seconds,"),
    (
        "timestampdiff",
        "date_part('epoch', b - a), which are seconds,",
    ),
    ("dateadd", "t + INTERVAL '1 day'"),
    ("date_add", "t + INTERVAL '1 day'"),
    ("year", "date_part('year', t)"),
    ("month", "date_part('month', t)"),
    ("day", "date_part('day', t)"),
    ("hour", "date_part('hour', t)"),
    ("getdate", "now()"),
    ("group_concat", "string_agg(x, ', ')"),
    ("if", "CASE WHEN ... THEN ... END"),
];

/// `known` are the functions that there are.
pub(crate) fn unknown_function(name: &str, known: &[String]) -> String {
    let lower = name.to_lowercase();
    let elsewhere = ELSEWHERE.iter().find(|(theirs, _)| *theirs == lower);
    let advice = match elsewhere {
        Some((_, ours)) => format!("; {ours} does it"),
        None => did_you_mean(name, known.iter().map(String::as_str))
            .unwrap_or_else(|| "; `huggy-etl functions` lists some".to_owned()),
    };
    format!("there is no function {name}{advice}")
}

/// The advice where text in double quotes, which is a column's name, was meant as a value.
pub(crate) fn quoted_text(name: &str) -> String {
    format!("there is no column {name}; text stands in single quotes: '{name}'")
}
