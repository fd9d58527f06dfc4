//! Keywords that are misspelt: the parser takes them for names, and stops behind them or before.

use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use super::names::did_you_mean;
use super::places::place_in_sql;
use crate::error::QueryError;
use crate::excerpt::SqlMistake;

const BEGINNINGS: [&str; 10] = [
    "SELECT", "WITH", "VALUES", "FROM", "EXPLAIN", "DESCRIBE", "SHOW", "CREATE", "INSERT", "DROP",
];
const CLAUSES: [&str; 13] = [
    "FROM",
    "WHERE",
    "GROUP",
    "HAVING",
    "ORDER",
    "LIMIT",
    "OFFSET",
    "UNION",
    "EXCEPT",
    "INTERSECT",
    "JOIN",
    "WINDOW",
    "QUALIFY",
];
/// What a name stands behind, and an alias does not.
const BEFORE_NAMES: [&str; 6] = ["SELECT", "DISTINCT", "FROM", "JOIN", "AS", "BY"];

/// A mistake of the parser's with the keyword that was meant, at the word that was written for it. `tokens` are those of
/// the statement.
pub(crate) fn with_likely_keyword(error: QueryError, tokens: &[TokenWithSpan]) -> QueryError {
    match error {
        QueryError::Sql(mistake) => QueryError::Sql(likely(&mistake, tokens).unwrap_or(mistake)),
        error => error,
    }
}

fn likely(mistake: &SqlMistake, tokens: &[TokenWithSpan]) -> Option<SqlMistake> {
    let (expected, _) = mistake.message.split_once(", found: ")?;
    let begins = |token: &TokenWithSpan| {
        place_in_sql(token.span)
            .zip(mistake.place)
            .is_some_and(|(one, other)| (one.line, one.column) == (other.line, other.column))
    };
    let at = tokens.iter().position(begins)?;
    let found = word(&tokens[at]);
    if expected.ends_with("an SQL statement") {
        let meant = did_you_mean(found?, BEGINNINGS.into_iter())?;
        let message = format!("{}{meant}", mistake.message);
        return Some(SqlMistake::at(message, mistake.place));
    }
    // GROUP and ORDER are read with their BY, or not at all.
    if found.is_some_and(|word| is_one_of(&["GROUP", "ORDER"], word)) {
        let next = tokens.get(at + 1)?;
        let is_by = word(next).is_some_and(|word| is_one_of(&["BY"], word));
        let message = format!("syntax error: Expected: BY, found: {next}");
        return (!is_by).then(|| SqlMistake::at(message, place_in_sql(next.span)));
    }
    let before = at.checked_sub(1).filter(|before| is_alias(tokens, *before));
    let misspelt = |at: usize| {
        let word = word(&tokens[at]).filter(|word| !is_one_of(&CLAUSES, word))?;
        Some((at, did_you_mean(word, CLAUSES.into_iter())?))
    };
    let (at, meant) = before.and_then(misspelt).or_else(|| misspelt(at))?;
    let message = format!("{}{meant}", mistake.message);
    Some(SqlMistake::at(message, place_in_sql(tokens[at].span)))
}

/// Whether the word is a second name of what stands before it, as an alias is.
fn is_alias(tokens: &[TokenWithSpan], at: usize) -> bool {
    let Some(before) = at.checked_sub(1).map(|before| &tokens[before]) else {
        return false;
    };
    match &before.token {
        Token::Word(word) => !is_one_of(&BEFORE_NAMES, &word.value),
        Token::RParen | Token::Mul | Token::Number(..) | Token::Placeholder(_) => true,
        Token::SingleQuotedString(_) => true,
        _ => false,
    }
}

fn is_one_of(keywords: &[&str], word: &str) -> bool {
    keywords
        .iter()
        .any(|keyword| keyword.eq_ignore_ascii_case(word))
}

fn word(token: &TokenWithSpan) -> Option<&str> {
    match &token.token {
        Token::Word(word) if word.quote_style.is_none() => Some(&word.value),
        _ => None,
    }
}
