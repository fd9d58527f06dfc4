//! Names that mean something in other databases, and what does it here.

use crate::mistake::did_you_mean;

/// How the time is written that something is compared with.
pub(crate) const TIME_IN_QUOTES: &str =
    "a date stands in quotes, as '2024-03-01', an instant as '2024-03-01 15:00:00'";

const FORMATTED: &str =
    "to_char(local_time(t), '%H:%M') of an instant, to_char(d, '%d/%m/%Y') of a date";
const DIFFERENCE: &str =
    "b - a, in days, of dates, date_part('epoch', b - a), in seconds, of instants";

const WEEKDAY: &str =
    "date_part('dow', local_time(t)) of an instant, date_part('dow', d) of a date; Sunday is 0";
const JSON: &str = "payload ->> 'key' as text, payload -> 'key' as JSON, json_get_int(payload, 'chat', 'id') and its kin";
const CASE: &str = "CASE WHEN ... THEN ... ELSE ... END";
const QUANTILE: &str = "percentile_cont(0.9) WITHIN GROUP (ORDER BY x)";
const LAST: &str = "first_value(x ORDER BY y DESC)";
const FIRST: &str = "first_value(x ORDER BY y)";
const COUNT_OF: &str = "count(*) FILTER (WHERE ...)";
const READ_TIME: &str = "to_timestamp(x, '%d/%m/%Y %H:%M:%S'), or to_date(x, '%d/%m/%Y')";

/// Functions, in lower case. Instants are read on the clock of the business time zone, which is meant.
const ELSEWHERE: [(&str, &str); 43] = [
    ("strftime", FORMATTED),
    ("date_format", FORMATTED),
    ("format_date", FORMATTED),
    ("date_diff", DIFFERENCE),
    ("datediff", DIFFERENCE),
    ("timestampdiff", DIFFERENCE),
    ("age", DIFFERENCE),
    ("dateadd", "t + INTERVAL '1 day'"),
    ("date_add", "t + INTERVAL '1 day'"),
    ("date_sub", "t - INTERVAL '1 day'"),
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
    ("minute", "date_part('minute', local_time(t))"),
    ("dayofweek", WEEKDAY),
    ("weekday", WEEKDAY),
    ("isodow", WEEKDAY),
    ("epoch", "date_part('epoch', t)"),
    ("unix_timestamp", "date_part('epoch', t)"),
    ("strptime", READ_TIME),
    ("str_to_date", READ_TIME),
    ("parse_date", READ_TIME),
    ("getdate", "now()"),
    ("curdate", "local_date(now())"),
    ("group_concat", "string_agg(x, ', ')"),
    ("listagg", "string_agg(x, ', ')"),
    ("if", CASE),
    ("iif", CASE),
    ("len", "length(x)"),
    ("charindex", "strpos(x, 'part')"),
    ("isnull", "coalesce(x, y), or the condition x IS NULL"),
    ("quantile", QUANTILE),
    ("quantile_cont", QUANTILE),
    ("countif", COUNT_OF),
    ("count_if", COUNT_OF),
    ("arg_max", LAST),
    ("max_by", LAST),
    ("arg_min", FIRST),
    (
        "mode",
        "SELECT x FROM ... GROUP BY x ORDER BY count(*) DESC LIMIT 1",
    ),
    ("json_extract", JSON),
    ("json_extract_string", JSON),
    ("json_get", JSON),
];

/// `known` are the functions that there are.
pub(crate) fn unknown_function(name: &str, known: &[String]) -> String {
    let lower = name.to_lowercase();
    let elsewhere = ELSEWHERE.iter().find(|(theirs, _)| *theirs == lower);
    // It is there, but not for one row or for a group of rows.
    if known.contains(&lower) {
        return format!(
            "{name} looks at the rows around each row: write {name}(...) OVER (ORDER BY ...)"
        );
    }
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

/// Where text without quotes is compared, which is a column's name.
pub(crate) fn bare_text(name: &str) -> String {
    format!("there is no column {name}; if it is text, it stands in single quotes: '{name}'")
}

/// The name of an output, where rows are not outputs yet.
pub(crate) fn output_name(name: &str) -> String {
    format!(
        "there is no column {name}; the output of that name is not there yet for WHERE, ON and other outputs: write \
        what it stands for, or SELECT from (SELECT ...)"
    )
}

/// `ALL` where columns to order by are named.
pub(crate) fn order_by_all() -> String {
    "there is no ORDER BY ALL; name the columns, or their places: ORDER BY 1, 2".to_owned()
}

/// A function in the place of a table.
pub(crate) fn unknown_table_function(name: &str) -> String {
    if name.starts_with("read_") || name.ends_with("_scan") {
        return format!(
            "there is no function {name}; a file is a table by its name in quotes: FROM 'targets.csv'"
        );
    }
    format!("there is no function {name} that gives rows; generate_series(from, to) does")
}

/// A file of a kind that is not read.
pub(crate) fn unread_file(name: &str) -> String {
    const PACKED: [&str; 5] = ["gz", "zst", "bz2", "zip", "xz"];
    const SHEETS: [&str; 3] = ["xlsx", "xls", "ods"];
    let ending = name.rsplit('.').next().unwrap_or_default().to_lowercase();
    let advice = match ending.as_str() {
        packed if PACKED.contains(&packed) => "unpack it first",
        sheet if SHEETS.contains(&sheet) => "save the sheet as CSV",
        _ => "the ending tells how it is read",
    };
    format!(
        "{name} is no table, and no file that can be read, which are .csv, .tsv, .json, .ndjson, .jsonl and .parquet; \
        {advice}"
    )
}

/// A name that is a saved query's.
pub(crate) fn saved_query(name: &str) -> String {
    format!(
        "{name} is no table but a saved query: `huggy-etl query {name}` runs it, `huggy-etl queries {name}` shows its SQL"
    )
}
