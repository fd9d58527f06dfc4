//! SQL as statements, without a look at what they name.

use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::dialect::GenericDialect;

use crate::error::QueryError;

/// # Errors
/// [`QueryError::Sql`] with the place at which reading ended; also where there is no statement.
pub(crate) fn parse(sql: &str, recursion_limit: usize) -> Result<Vec<Statement>, QueryError> {
    let statements = DFParserBuilder::new(sql)
        .with_dialect(&GenericDialect {})
        .with_recursion_limit(recursion_limit)
        .build()
        .and_then(|mut parser| parser.parse_statements())
        .map_err(|error| QueryError::from(error).at_the_end_of(sql))?;
    if statements.is_empty() {
        return Err(QueryError::sql("there is no statement to run"));
    }
    Ok(statements.into())
}
