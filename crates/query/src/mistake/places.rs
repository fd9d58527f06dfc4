//! Where mistakes stand in the SQL.

use std::ops::ControlFlow;

use datafusion::common::Span;
use datafusion::error::DataFusionError;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    Expr, Select, SelectItem, Visit, Visitor, visit_expressions, visit_relations,
};
use datafusion::sql::sqlparser::tokenizer::{self, Token, TokenWithSpan};

use super::MistakeContext;
use super::words::DIVISION_BY_ZERO;
use crate::advice;
use crate::catalog::{CATALOG, SCHEMA};
use crate::error::QueryError;
use crate::excerpt::{Place, SqlMistake};
use crate::files::is_file;
use crate::parameters::sql_of;
use crate::syntax::tokens;

/// With the place of what the mistake names, if that is all that is missing.
pub(crate) fn located(error: QueryError, sql: &str) -> QueryError {
    match error {
        QueryError::Sql(mistake) if mistake.place.is_none() => {
            let value = misfit_value(&mistake.message);
            let place = match value.or_else(|| misfit_file(&mistake.message)) {
                Some(text) => text_place(sql, text),
                None if mistake.message == DIVISION_BY_ZERO => division_place(sql),
                None => None,
            };
            let message = match value {
                // Nobody wrote it: it is one of the rows'.
                Some(_) if place.is_none() => value_of_rows(&mistake.message),
                _ => mistake.message,
            };
            QueryError::Sql(SqlMistake { message, place })
        }
        error => error,
    }
}

/// With advice for who compares texts with numbers, in the place of how to write the value.
fn value_of_rows(message: &str) -> String {
    let told = message.split("; ").next().unwrap_or(message);
    let wanted = told.rsplit(" is no ").next().unwrap_or_default();
    let told = told.replacen("' is no ", "', a value of the rows, is no ", 1);
    format!(
        "{told}; compare text with text in quotes, or write TRY_CAST(... AS {wanted}), which is NULL for such values"
    )
}

pub(super) fn table_place(statement: &Statement, name: &str) -> Option<Place> {
    let last = name.rsplit('.').next().unwrap_or(name);
    let is_meant = |ident: &str| ident == name || ident.eq_ignore_ascii_case(last);
    let mut found = None;
    let _ = visit_relations(sql_of(statement)?, |relation| {
        match relation.0.last().and_then(|part| part.as_ident()) {
            Some(ident) if is_meant(&ident.value) => {
                found = place_in_sql(ident.span);
                ControlFlow::Break(())
            }
            _ => ControlFlow::Continue(()),
        }
    });
    found
}

const NO_COLUMN: &str = "there is no column ";

pub(super) fn is_of_a_column(mistake: &SqlMistake) -> bool {
    mistake.message.starts_with(NO_COLUMN)
}

/// With the place of the name, if it stands at one only, and advice for what it was meant as.
pub(super) fn column_mistake(mistake: SqlMistake, context: MistakeContext<'_>) -> SqlMistake {
    let name = mistake.message[NO_COLUMN.len()..]
        .split(';')
        .next()
        .unwrap_or_default();
    if is_output(context.statement, name) {
        return SqlMistake::at(advice::output_name(name), mistake.place);
    }
    let tokens = tokens(context.sql);
    let is_named =
        |token: &TokenWithSpan| matches!(&token.token, Token::Word(word) if word.value == name);
    let is_word = |token: &TokenWithSpan, keyword: &str| matches!(&token.token, Token::Word(word) if word.value.eq_ignore_ascii_case(keyword));
    let mut all = tokens.windows(2);
    if let Some([_, all]) = all.find(|two| is_word(&two[0], "BY") && is_word(&two[1], "ALL"))
        && name == "all"
    {
        return SqlMistake::at(
            advice::order_by_all(),
            mistake.place.or_else(|| place_in_sql(all.span)),
        );
    }
    let mut named = (0..tokens.len()).filter(|at| is_named(&tokens[*at]));
    let (Some(at), None) = (named.next(), named.next()) else {
        return mistake;
    };
    let is_guessed = mistake.message.contains("did you mean");
    let is_quoted = matches!(&tokens[at].token, Token::Word(word) if word.quote_style == Some('"'));
    SqlMistake {
        place: mistake.place.or_else(|| place_in_sql(tokens[at].span)),
        message: match () {
            () if is_guessed => mistake.message,
            () if is_quoted => advice::quoted_text(name),
            () if is_compared(&tokens, at) => advice::bare_text(name),
            () => mistake.message,
        },
    }
}

/// Whether what stands there is alone behind a sign of comparison.
fn is_compared(tokens: &[TokenWithSpan], at: usize) -> bool {
    let before = at.checked_sub(1).map(|before| &tokens[before].token);
    let is_sign = match before {
        Some(Token::Word(word)) => ["LIKE", "ILIKE"]
            .iter()
            .any(|like| word.value.eq_ignore_ascii_case(like)),
        Some(sign) => matches!(
            sign,
            Token::Eq | Token::Neq | Token::Lt | Token::LtEq | Token::Gt | Token::GtEq
        ),
        None => false,
    };
    let after = tokens.get(at + 1).map(|token| &token.token);
    is_sign && !matches!(after, Some(Token::Period | Token::LParen))
}

/// Whether an output of a query within the statement has that name.
fn is_output(statement: &Statement, name: &str) -> bool {
    struct Outputs<'a>(&'a str);
    impl Visitor for Outputs<'_> {
        type Break = ();
        fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
            let is_named = |item: &SelectItem| matches!(item, SelectItem::ExprWithAlias { alias, .. } if alias.value == self.0);
            match select.projection.iter().any(is_named) {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        }
    }
    sql_of(statement).is_some_and(|sql| sql.visit(&mut Outputs(name)).is_break())
}

/// Where a text in quotes stands, of which the statement's parser keeps no place.
pub(super) fn text_place(sql: &str, wanted: &str) -> Option<Place> {
    let tokens = tokens(sql);
    let named = tokens
        .iter()
        .find(|token| matches!(&token.token, Token::SingleQuotedString(text) if text == wanted))?;
    place_in_sql(named.span)
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
    place_in_sql(found.span)
}

/// The file that the message begins with.
fn misfit_file(message: &str) -> Option<&str> {
    let (name, _) = message.split_once(": ")?;
    is_file(name).then_some(name)
}

pub(super) fn function_place(statement: &Statement, name: &str) -> Option<Place> {
    let mut found = None;
    let _ = visit_expressions(sql_of(statement)?, |expr| {
        let ident = match expr {
            Expr::Function(function) => function.name.0.last().and_then(|part| part.as_ident()),
            _ => None,
        };
        match ident {
            Some(ident) if name.eq_ignore_ascii_case(&ident.value) => {
                found = place_in_sql(ident.span);
                ControlFlow::Break(())
            }
            _ => ControlFlow::Continue(()),
        }
    });
    found
}

/// The value of such words.
fn misfit_value(message: &str) -> Option<&str> {
    let (value, _) = message.strip_prefix('\'')?.split_once("' is no ")?;
    Some(value)
}

/// Where the mistake is, if DataFusion knows it.
pub(super) fn place(error: &DataFusionError) -> Option<Place> {
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
pub(super) fn candidates(error: &DataFusionError) -> Vec<String> {
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

/// Of what the parser has read.
pub(crate) fn place_in_sql(span: tokenizer::Span) -> Option<Place> {
    Span::try_from_sqlparser_span(span).and_then(place_of)
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

/// The function of a [`misfit_arguments`].
pub(super) fn misfit_function(message: &str) -> Option<&str> {
    Some(
        message
            .strip_prefix("function ")?
            .split_once(" takes no (")?
            .0,
    )
}
