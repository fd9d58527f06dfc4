//! Arrow's types and values, as its messages name them, in SQL's words.

/// Arrow's names and SQL's.
const NAMES: [(&str, &str); 22] = [
    ("Utf8View", "TEXT"),
    ("LargeUtf8", "TEXT"),
    ("Utf8", "TEXT"),
    ("UInt64", "UNSIGNED BIGINT"),
    ("UInt32", "UNSIGNED INT"),
    ("UInt16", "UNSIGNED SMALLINT"),
    ("UInt8", "UNSIGNED TINYINT"),
    ("Int64", "BIGINT"),
    ("Int32", "INT"),
    ("Int16", "SMALLINT"),
    ("Int8", "TINYINT"),
    ("Float64", "DOUBLE"),
    ("Float32", "REAL"),
    ("Float16", "REAL"),
    ("Date32", "DATE"),
    ("Date64", "DATE"),
    ("Boolean", "BOOLEAN"),
    ("Binary", "BYTEA"),
    ("LargeBinary", "BYTEA"),
    ("BinaryView", "BYTEA"),
    ("IntervalMonthDayNano", "INTERVAL"),
    ("Null", "NULL"),
];

/// Those that tell more in parentheses, which SQL does not.
const WITH_DETAILS: [(&str, &str); 12] = [
    ("Interval", "INTERVAL"),
    ("Duration", "INTERVAL"),
    ("Time32", "TIME"),
    ("Time64", "TIME"),
    ("TimestampSecond", "TIMESTAMP"),
    ("TimestampMillisecond", "TIMESTAMP"),
    ("TimestampMicrosecond", "TIMESTAMP"),
    ("TimestampNanosecond", "TIMESTAMP"),
    ("FixedSizeBinary", "BYTEA"),
    ("List", "LIST"),
    ("LargeList", "LIST"),
    ("Struct", "STRUCT"),
];

/// The message with SQL's names of types; a value such as `Utf8("x")` as it is written.
pub(super) fn in_sql(message: &str) -> String {
    let mut told = String::new();
    let mut rest = message;
    while let Some(start) = rest.find(is_word) {
        told.push_str(&rest[..start]);
        rest = &rest[start..];
        let end = rest
            .find(|character| !is_word(character))
            .unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        let details = parenthesized(after);
        let (words, after) = match details {
            Some((inner, beyond)) => match with_details(word, inner) {
                Some(words) => (words, beyond),
                None => (word.to_owned(), after),
            },
            None => (plain(word).unwrap_or(word).to_owned(), after),
        };
        told.push_str(&words);
        rest = after;
    }
    told + rest
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

fn plain(word: &str) -> Option<&'static str> {
    NAMES
        .iter()
        .find(|(arrow, _)| *arrow == word)
        .map(|(_, sql)| *sql)
}

fn with_details(word: &str, inner: &str) -> Option<String> {
    if word == "Timestamp" {
        let zoned = inner.contains('"');
        let words = if zoned {
            "TIMESTAMP WITH TIME ZONE"
        } else {
            "TIMESTAMP"
        };
        return Some(words.to_owned());
    }
    if word == "Dictionary" {
        return inner.split_once(", ").map(|(_, values)| in_sql(values));
    }
    if word == "Decimal128" {
        return Some(format!("DECIMAL({inner})"));
    }
    if let Some((_, sql)) = WITH_DETAILS.iter().find(|(arrow, _)| *arrow == word) {
        return Some((*sql).to_owned());
    }
    plain(word)?;
    // A value, whose type the message tells beside it.
    let quoted = inner
        .strip_prefix('"')
        .and_then(|inner| inner.strip_suffix('"'));
    Some(quoted.map_or_else(|| inner.to_owned(), |text| format!("'{text}'")))
}

/// What stands between the parentheses that the text begins with, and what comes behind them.
fn parenthesized(text: &str) -> Option<(&str, &str)> {
    let inner = text.strip_prefix('(')?;
    let mut depth = 1;
    for (place, character) in inner.char_indices() {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some((&inner[..place], &inner[place + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::in_sql;

    #[test]
    fn types_and_values_are_told_as_one_would_write_them() {
        for (message, expected) in [
            ("Utf8View + Int64", "TEXT + BIGINT"),
            (
                "Timestamp(µs, \"UTC\") = Date32",
                "TIMESTAMP WITH TIME ZONE = DATE",
            ),
            (
                "Timestamp(Microsecond, Some(\"UTC\"))",
                "TIMESTAMP WITH TIME ZONE",
            ),
            (
                "Timestamp(ns) or Interval(MonthDayNano)",
                "TIMESTAMP or INTERVAL",
            ),
            ("f(t.x, Utf8(\"a (b)\"), Int64(1))", "f(t.x, 'a (b)', 1)"),
            (
                "Dictionary(Int32, Utf8), Decimal128(10, 2)",
                "TEXT, DECIMAL(10, 2)",
            ),
            ("no Int64s and a (half", "no Int64s and a (half"),
        ] {
            assert_eq!(in_sql(message), expected);
        }
    }
}
