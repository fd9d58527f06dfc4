//! What the planner would pass over in silence, so that rows would not be those that were asked for.

use std::ops::ControlFlow;

use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Query, Select, TableFactor, Visit, Visitor,
};
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use crate::error::QueryError;
use crate::excerpt::SqlMistake;
use crate::mistake::place_in_sql;
use crate::parameters::sql_of;

/// `tokens` are those of the statement.
///
/// # Errors
/// [`QueryError::Sql`] for what would have no effect, or another than it seems to.
pub(crate) fn refuse_unheeded(
    tokens: &[TokenWithSpan],
    statement: &Statement,
) -> Result<(), QueryError> {
    refuse_names_in_numbers(tokens)?;
    let Some(statement) = sql_of(statement) else {
        return Ok(());
    };
    if let ControlFlow::Break((word, advice)) = statement.visit(&mut Unheeded) {
        let named = tokens.iter().find(|token| match &token.token {
            Token::Word(known) => known.value.eq_ignore_ascii_case(word),
            _ => false,
        });
        let place = named.and_then(|token| place_in_sql(token.span));
        let message = format!("not supported: {advice}");
        return Err(QueryError::Sql(SqlMistake::at(message, place)));
    }
    Ok(())
}

/// `SELECT 1_000` would be a column `_000`, which is 1.
fn refuse_names_in_numbers(tokens: &[TokenWithSpan]) -> Result<(), QueryError> {
    for two in tokens.windows(2) {
        let (Token::Number(number, _), Token::Word(word)) = (&two[0].token, &two[1].token) else {
            continue;
        };
        if two[0].span.end != two[1].span.start || word.quote_style.is_some() {
            continue;
        }
        let written = format!("{number}{}", word.value);
        let digits: String = written.chars().filter(|digit| *digit != '_').collect();
        let advice = match digits.bytes().all(|digit| digit.is_ascii_digit()) {
            true => format!("write {digits}"),
            false => "a space stands between a number and a name".to_owned(),
        };
        let place = place_in_sql(two[0].span);
        let message = format!("{written} is no number; {advice}");
        return Err(QueryError::Sql(SqlMistake::at(message, place)));
    }
    Ok(())
}

/// Finds the first such part: the word that it is known by, and what to do.
struct Unheeded;

impl Visitor for Unheeded {
    type Break = (&'static str, &'static str);

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Self::Break> {
        if !query.locks.is_empty() || query.for_clause.is_some() {
            let advice = "FOR UPDATE and its kin: nothing is locked, as queries only read";
            return ControlFlow::Break(("FOR", advice));
        }
        if query.settings.is_some() {
            return ControlFlow::Break(("SETTINGS", "SETTINGS"));
        }
        if query.format_clause.is_some() {
            return ControlFlow::Break(("FORMAT", "FORMAT; the option --format does it"));
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<Self::Break> {
        if select.prewhere.is_some() {
            return ControlFlow::Break(("PREWHERE", "PREWHERE; WHERE does the same"));
        }
        if !select.connect_by.is_empty() {
            return ControlFlow::Break(("CONNECT", "CONNECT BY; WITH RECURSIVE does the same"));
        }
        ControlFlow::Continue(())
    }

    /// The parser takes all that follows for what is compared.
    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<Self::Break> {
        let compared = match expr {
            Expr::IsDistinctFrom(_, right) | Expr::IsNotDistinctFrom(_, right) => right,
            _ => return ControlFlow::Continue(()),
        };
        match compared.as_ref() {
            Expr::BinaryOp {
                op: BinaryOperator::And | BinaryOperator::Or,
                ..
            } => ControlFlow::Break((
                "",
                "AND or OR behind IS DISTINCT FROM; with parentheses it is: (a IS NOT DISTINCT FROM b) AND c",
            )),
            _ => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_table_factor(&mut self, table: &TableFactor) -> ControlFlow<Self::Break> {
        match table {
            TableFactor::Table {
                sample: Some(_), ..
            }
            | TableFactor::Derived {
                sample: Some(_), ..
            } => {
                let advice =
                    "a sample of the rows; WHERE random() < 0.1 keeps about a tenth of them";
                ControlFlow::Break(("TABLESAMPLE", advice))
            }
            TableFactor::Table {
                version: Some(_), ..
            } => ControlFlow::Break((
                "FOR",
                "a table as it was, within the statement; the option --at reads the lake so",
            )),
            TableFactor::Table {
                with_hints,
                index_hints,
                partitions,
                ..
            } if !(with_hints.is_empty() && index_hints.is_empty() && partitions.is_empty()) => {
                ControlFlow::Break(("WITH", "hints and partitions behind a table's name"))
            }
            _ => ControlFlow::Continue(()),
        }
    }
}
