//! Declarations of parameters: lines of a script's leading comments.
//!
//! ```text
//! -- $name TYPE [= default] [description]
//! -- $from DATE = '2024-01-01'  first day, in the lake's business time zone
//! -- $channel TEXT = NULL  only this channel
//! -- $seconds INT  answered within so long
//! ```
//!
//! A default is one word, or text in single quotes in which two stand for one; without it the parameter
//! must be given. Leading comments are those before the first line of SQL; other comments are only read.

use super::kind::Kind;
use crate::error::QueryError;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declaration {
    pub name: String,
    pub kind: Kind,
    /// As one would give it on the command line.
    pub default: Option<String>,
    /// Empty where there is none.
    pub description: String,
}

/// The comments above the first SQL, without their dashes, in order and with their line's number.
pub(crate) fn leading_comments(sql: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = sql.lines().map(str::trim).zip(1..);
    lines
        .take_while(|(line, _)| line.is_empty() || line.starts_with("--"))
        .filter_map(|(line, number)| Some((number, line.strip_prefix("--")?.trim())))
}

/// What the script declares, in its order.
///
/// # Errors
/// [`QueryError::Sql`] with the line that starts as a declaration and is none.
pub fn declarations(sql: &str) -> Result<Vec<Declaration>, QueryError> {
    let mut declared: Vec<Declaration> = Vec::new();
    for (number, line) in leading_comments(sql) {
        let Some(rest) = line.strip_prefix('$') else {
            continue;
        };
        if !rest.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_') {
            continue;
        }
        let misfit = |why: String| {
            QueryError::sql(format!(
                "line {number}: {why}; a parameter is declared as `-- $name TYPE = default  description`"
            ))
        };
        let declaration = declaration(rest).map_err(misfit)?;
        if declared.iter().any(|other| other.name == declaration.name) {
            return Err(misfit(format!("${} is declared twice", declaration.name)));
        }
        declared.push(declaration);
    }
    Ok(declared)
}

fn declaration(text: &str) -> Result<Declaration, String> {
    let (name, rest) = split_word(text);
    if !is_name(name) {
        return Err(format!(
            "${name} is no name: use letters, digits and underscores"
        ));
    }
    let (kind, rest) = split_word(rest);
    let kind = Kind::named(kind).ok_or_else(|| {
        let known = Kind::ALL.map(Kind::name).join(", ");
        format!("${name}: {kind:?} is no type of a parameter; use one of {known}")
    })?;
    let (default, description) = match rest.strip_prefix('=') {
        None => (None, rest),
        Some(rest) => {
            let (default, rest) =
                default_value(rest.trim_start()).map_err(|why| format!("${name}: {why}"))?;
            (Some(default), rest)
        }
    };
    Ok(Declaration {
        name: name.to_owned(),
        kind,
        default,
        description: description.trim().to_owned(),
    })
}

fn is_name(name: &str) -> bool {
    name.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// The first word, and what follows it.
fn split_word(text: &str) -> (&str, &str) {
    match text.split_once(char::is_whitespace) {
        Some((word, rest)) => (word, rest.trim_start()),
        None => (text, ""),
    }
}

fn default_value(text: &str) -> Result<(String, &str), String> {
    let Some(quoted) = text.strip_prefix('\'') else {
        return match split_word(text) {
            ("", _) => Err("there is no default after =".to_owned()),
            (word, rest) => Ok((word.to_owned(), rest)),
        };
    };
    let mut value = String::new();
    let mut rest = quoted;
    loop {
        let Some((part, after)) = rest.split_once('\'') else {
            return Err("the default's quote is not closed".to_owned());
        };
        value.push_str(part);
        match after.strip_prefix('\'') {
            Some(more) => {
                value.push('\'');
                rest = more;
            }
            None => return Ok((value, after)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expects one declaration, as its parts in order.
    fn check(line: &str, name: &str, kind: Kind, default: Option<&str>, description: &str) {
        let found = declarations(&format!("-- What?\n{line}\nSELECT 1"));
        let expected = Declaration {
            name: name.to_owned(),
            kind,
            default: default.map(str::to_owned),
            description: description.to_owned(),
        };
        assert_eq!(found.expect(line), [expected]);
    }

    fn check_misfit(lines: &str, expected: &str) {
        match declarations(lines) {
            Err(QueryError::Sql(mistake)) => {
                assert!(mistake.message.contains(expected), "{mistake}")
            }
            other => panic!("{lines}: {other:?}"),
        }
    }

    #[test]
    fn declarations_have_name_type_default_and_description() {
        check(
            "-- $from DATE = '2024-01-01'  first day",
            "from",
            Kind::Date,
            Some("2024-01-01"),
            "first day",
        );
        check("--$x text", "x", Kind::Text, None, "");
        check(
            "-- $share DOUBLE =0.9 nine in ten",
            "share",
            Kind::Double,
            Some("0.9"),
            "nine in ten",
        );
        check(
            "-- $who TEXT = 'it''s me' = whom",
            "who",
            Kind::Text,
            Some("it's me"),
            "= whom",
        );
        check("-- $n INT  how many", "n", Kind::Int, None, "how many");
    }

    #[test]
    fn other_comments_declare_nothing() {
        let sql = "-- $5 an hour\n-- costs $from DATE\nSELECT 1;\n-- $late DATE = NULL\n";
        assert_eq!(declarations(sql).expect("no declaration"), []);
    }

    #[test]
    fn what_starts_as_a_declaration_must_be_one() {
        check_misfit(
            "-- ok\n-- $from DAY = NULL",
            "line 2: $from: \"DAY\" is no type",
        );
        check_misfit("-- $from", "\"\" is no type");
        check_misfit("-- $from: DATE", "$from: is no name");
        check_misfit("-- $from DATE =", "$from: there is no default after =");
        check_misfit(
            "-- $from TEXT = 'x",
            "$from: the default's quote is not closed",
        );
        check_misfit("-- $a INT\n-- $a INT", "line 2: $a is declared twice");
    }
}
