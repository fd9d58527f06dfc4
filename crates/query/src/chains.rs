//! Statements that are too long to be planned. Each operator of an expression, each query of a union and each join takes
//! room on the stack of what plans it, and a stack that is full ends the process.

use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use crate::error::QueryError;
use crate::excerpt::SqlMistake;
use crate::mistake::place_in_sql;

const OPERATORS_AT_MOST: usize = 2000;
const PARTS_AT_MOST: usize = 500;

/// What follows each other within one pair of parentheses.
#[derive(Default)]
struct Chain {
    operators: usize,
    /// Joined tables and united queries.
    parts: usize,
}

/// Refuses a statement that is longer than can be planned, at the place where it is.
///
/// # Errors
/// [`QueryError::Sql`].
pub(crate) fn check(tokens: &[TokenWithSpan]) -> Result<(), QueryError> {
    let mut outer = Vec::new();
    let mut chain = Chain::default();
    for token in tokens {
        match &token.token {
            Token::LParen | Token::LBracket => outer.push(std::mem::take(&mut chain)),
            Token::RParen | Token::RBracket => chain = outer.pop().unwrap_or_default(),
            Token::Comma => chain.operators = 0,
            Token::Word(word) => match word.keyword {
                Keyword::WHEN | Keyword::THEN | Keyword::ELSE => chain.operators = 0,
                Keyword::UNION | Keyword::INTERSECT | Keyword::EXCEPT | Keyword::JOIN => {
                    chain.parts += 1;
                    chain.operators = 0;
                }
                Keyword::AND
                | Keyword::OR
                | Keyword::XOR
                | Keyword::IS
                | Keyword::IN
                | Keyword::LIKE
                | Keyword::ILIKE
                | Keyword::SIMILAR
                | Keyword::COLLATE
                | Keyword::AT => chain.operators += 1,
                _ => {}
            },
            Token::Whitespace(_)
            | Token::Number(..)
            | Token::SingleQuotedString(_)
            | Token::Placeholder(_)
            | Token::Period
            | Token::SemiColon => {}
            _ => chain.operators += 1,
        }
        let message = if chain.operators > OPERATORS_AT_MOST {
            format!(
                "an expression of more than {OPERATORS_AT_MOST} operators in a row is too long to be planned; list the values, \
                as in `chat_id IN (1, 2, 3)`, or put them into a table or a file and join it"
            )
        } else if chain.parts > PARTS_AT_MOST {
            format!(
                "a query of more than {PARTS_AT_MOST} joins and unions is too long to be planned; list rows by VALUES, or \
                collect parts in a table by INSERT"
            )
        } else {
            continue;
        };
        let place = place_in_sql(token.span);
        return Err(QueryError::Sql(SqlMistake::at(message, place)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::tokens;

    fn refused_at(sql: &str) -> Option<usize> {
        match check(&tokens(sql)) {
            Ok(()) => None,
            Err(QueryError::Sql(mistake)) => mistake.place.map(|place| place.column),
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn only_operators_that_follow_each_other_are_counted() {
        let of = |count: usize, part: &str, between: &str| vec![part; count].join(between);
        let sum = of(OPERATORS_AT_MOST + 1, "1", "+");
        assert_eq!(refused_at(&format!("SELECT {sum}")), None);
        assert_eq!(refused_at(&format!("SELECT {sum}+1")), Some(4009));
        let any = of(OPERATORS_AT_MOST, "(a = 'x' AND b)", " OR ");
        assert_eq!(refused_at(&format!("SELECT {any}")), None);
        assert!(refused_at(&format!("SELECT {any} OR c OR d")).is_some());
        for many in [
            format!("SELECT a IN ({})", of(100_000, "-1", ", ")),
            format!(
                "INSERT INTO t VALUES {}",
                of(100_000, "(1, -2, a + 1)", ",")
            ),
            format!("SELECT CASE {} END", of(5_000, "WHEN a = 1 THEN -1", " ")),
            of(PARTS_AT_MOST, "SELECT a + b", " UNION ALL "),
        ] {
            assert_eq!(refused_at(&many), None);
        }
        let united = of(PARTS_AT_MOST + 2, "SELECT a, b FROM t", " UNION ALL ");
        assert!(refused_at(&united).is_some());
    }
}
