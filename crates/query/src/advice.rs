//! Names that mean something in other databases, and what does it here.

use crate::mistake::did_you_mean;

/// How the time is written that something is compared with.
pub(crate) const TIME_IN_QUOTES: &str =
    "a date stands in quotes, as '2024-03-01', an instant as '2024-03-01 15:00:00'";

const FORMATTED: &str =
    "to_char(local_time(t), '%H:%M') of an instant, to_char(d, '%d/%m/%Y') of a date";
const DIFFERENCE: &str =
    "b - a, in days, of dates, date_part('epoch', b - a), in seconds, of instants";

/// Functions, in lower case. Instants are read on the clock of the business time zone, which is meant.
const ELSEWHERE: [(&str, &str); 13] = [
    ("strftime", FORMATTED),
    ("date_diff", DIFFERENCE),
    ("datediff", DIFFERENCE),
    ("timestampdiff", DIFFERENCE),
    ("dateadd", "t + INTERVAL '1 day'"),
    ("date_add", "t + INTERVAL '1 day'"),
    (
        "year",
        "date_part('year', local_time(t)) of an instant, date_part('year', d) of a date",
    ),
    (
        "month",
        "date_part('month', local_time(t)) of an instant, date_part('month', d) of a date",
    ),
    (
        "day",
        "date_part('day', local_time(t)) of an instant, date_part('day', d) of a date",
    ),
    ("hour", "date_part('hour', local_time(t))"),
    ("getdate", "now()"),
    ("group_concat", "string_agg(x, ', ')"),
    ("if", "CASE WHEN ... THEN ... END"),
];

/// `known` are the functions that there are.
pub(crate) fn unknown_function(name: &str, known: &[String]) -> String {
    let lower = name.to_lowercase();
    let elsewhere = ELSEWHERE.iter().find(|(theirs, _)| *theirs == lower);
    let advice = match elsewhere {
        Some((_, ours)) => format!("; instead: {ours}"),
        None => did_you_mean(name, known.iter().map(String::as_str))
            .unwrap_or_else(|| "; `huggy-etl functions` lists some".to_owned()),
    };
    format!("there is no function {name}{advice}")
}

/// The advice where text in double quotes, which is a column's name, was meant as a value.
pub(crate) fn quoted_text(name: &str) -> String {
    format!("there is no column {name}; text stands in single quotes: '{name}'")
}
