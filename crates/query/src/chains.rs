//! Statements that are too long to be planned. Each operator of a chain, each query of a union and each join takes room on the
//! stack of what plans it, and a stack that is full ends the process.

use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use crate::error::QueryError;
use crate::excerpt::SqlMistake;
use crate::mistake::place_in_sql;

const OPERATORS_AT_MOST: usize = 1000;
const PARTS_AT_MOST: usize = 500;

/// What follows each other within one pair of parentheses, or of CASE and END. What binds closer than AND and OR is one
/// below the other only between two of them.
#[derive(Default)]
struct Chain {
    /// Operators that it lies below.
    around: usize,
    ors: usize,
    ands: usize,
    others: usize,
    /// Joined tables and united queries.
    parts: usize,
}

impl Chain {
    fn depth(&self) -> usize {
        self.around + self.ors + self.ands + self.others
    }

    fn within(&self) -> Chain {
        Chain {
            around: self.depth(),
            ..Chain::default()
        }
    }

    /// Another expression of a list begins, or another part of a query.
    fn part(&mut self, parts: usize) {
        *self = Chain {
            around: self.around,
            parts: self.parts + parts,
            ..Chain::default()
        };
    }
}

/// Refuses a statement that is longer than can be planned, at the place where it is. `tokens` are without spaces.
///
/// # Errors
/// [`QueryError::Sql`].
pub(crate) fn check(tokens: &[TokenWithSpan]) -> Result<(), QueryError> {
    let mut outer = Vec::new();
    let mut chain = Chain::default();
    let mut before = &Token::EOF;
    for token in tokens {
        let keyword = match &token.token {
            Token::Word(word) => word.keyword,
            _ => Keyword::NoKeyword,
        };
        match (&token.token, keyword) {
            (Token::LParen | Token::LBracket | Token::LBrace, _) | (_, Keyword::CASE) => {
                let within = chain.within();
                outer.push(std::mem::replace(&mut chain, within));
            }
            (Token::RParen | Token::RBracket | Token::RBrace, _) | (_, Keyword::END) => {
                chain = outer.pop().unwrap_or_default();
            }
            (Token::Comma, _) | (_, Keyword::WHEN | Keyword::THEN | Keyword::ELSE) => chain.part(0),
            // Of `SELECT * EXCEPT (a)` it is none.
            (_, Keyword::EXCEPT) if *before == Token::Mul => {}
            (
                _,
                Keyword::UNION
                | Keyword::INTERSECT
                | Keyword::EXCEPT
                | Keyword::MINUS
                | Keyword::JOIN,
            ) => chain.part(1),
            (_, Keyword::OR | Keyword::XOR) => {
                chain.ors += 1;
                (chain.ands, chain.others) = (0, 0);
            }
            (_, Keyword::AND) => {
                chain.ands += 1;
                chain.others = 0;
            }
            (
                _,
                Keyword::IS
                | Keyword::IN
                | Keyword::LIKE
                | Keyword::ILIKE
                | Keyword::RLIKE
                | Keyword::REGEXP
                | Keyword::SIMILAR
                | Keyword::OPERATOR
                | Keyword::DIV
                | Keyword::COLLATE
                | Keyword::AT,
            ) => chain.others += 1,
            (
                Token::Word(_)
                | Token::Number(..)
                | Token::SingleQuotedString(_)
                | Token::DollarQuotedString(_)
                | Token::EscapedStringLiteral(_)
                | Token::NationalStringLiteral(_)
                | Token::HexStringLiteral(_)
                | Token::Placeholder(_)
                | Token::Period
                | Token::SemiColon,
                _,
            ) => {}
            _ => chain.others += 1,
        }
        before = &token.token;
        let message = if chain.depth() > OPERATORS_AT_MOST {
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

    fn is_refused(sql: &str) -> bool {
        check(&tokens(sql)).is_err()
    }

    fn of(count: usize, part: &str, between: &str) -> String {
        vec![part; count].join(between)
    }

    #[test]
    fn a_chain_is_refused_where_it_is_too_long() {
        let sum = of(OPERATORS_AT_MOST + 1, "1", "+");
        assert!(!is_refused(&format!("SELECT {sum}")));
        let Err(QueryError::Sql(mistake)) = check(&tokens(&format!("SELECT {sum}+1"))) else {
            panic!("it is too long");
        };
        assert_eq!(mistake.place.map(|place| place.column), Some(2009));
        let many = 2 * OPERATORS_AT_MOST;
        for long in [
            of(many, "a = 1", " OR "),
            of(many, "(a = 1 AND b)", " OR "),
            of(many, "CASE WHEN a THEN 1 ELSE 0 END", " + "),
            of(many, "{'a': 1, 'b': 2}", " = "),
            of(many, "1", " RLIKE "),
            of(many, "1", " OPERATOR(pg_catalog.+) "),
            format!("{}1{}", of(600, "(1 + 2 + ", ""), of(600, ")", "")),
        ] {
            assert!(is_refused(&format!("SELECT {long}")), "{long}");
        }
        for united in ["UNION ALL", "EXCEPT", "MINUS"] {
            let united = of(
                PARTS_AT_MOST + 2,
                "SELECT a, b FROM t",
                &format!(" {united} "),
            );
            assert!(is_refused(&united));
        }
    }

    #[test]
    fn only_what_is_one_below_the_other_counts() {
        let many = 100 * OPERATORS_AT_MOST;
        let any = OPERATORS_AT_MOST - 10;
        for short in [
            format!("SELECT a IN ({})", of(many, "-1", ", ")),
            format!("INSERT INTO t VALUES {}", of(many, "(1, -2, a + 1)", ",")),
            format!(
                "SELECT CASE {} END",
                of(many, "WHEN a = 1 THEN -1 + 2", " ")
            ),
            format!(
                "SELECT {}",
                of(any, "payload ->> 'k' = E'x' AND NOT b", " OR ")
            ),
            format!("SELECT {}", of(any, "lower(a) LIKE '%x%'", " OR ")),
            of(PARTS_AT_MOST, "SELECT * EXCEPT (a) FROM t", " UNION ALL "),
        ] {
            assert!(!is_refused(&short), "{short}");
        }
    }
}
