//! SQL as statements, without a look at what they name.

use std::any::TypeId;

use datafusion::error::DataFusionError;
use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::dialect::{Dialect, GenericDialect};
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};

use crate::chains;
use crate::error::QueryError;
use crate::mistake::with_likely_keyword;

/// A part of a script, up to its semicolon.
pub(crate) struct Part {
    /// Without spaces and comments.
    pub tokens: Vec<TokenWithSpan>,
    /// What it says, or why it cannot be read.
    pub statement: Result<Statement, QueryError>,
}

/// # Errors
/// [`QueryError::Sql`] with the place at which reading ended; also where there is no statement.
pub(crate) fn parse(sql: &str, recursion_limit: usize) -> Result<Vec<Statement>, QueryError> {
    let parts = parse_each(sql, recursion_limit)?.into_iter();
    parts.map(|part| part.statement).collect()
}

/// As [`parse`], each statement by itself: one that cannot be read takes nothing from the others. Behind a quote that is
/// not closed nothing can be told apart: all of it is one statement.
///
/// # Errors
/// [`QueryError::Sql`] where there is no statement.
pub(crate) fn parse_each(sql: &str, recursion_limit: usize) -> Result<Vec<Part>, QueryError> {
    let mut tokens = Vec::new();
    let unread = Tokenizer::new(&LakeDialect, sql)
        .tokenize_with_location_into_buf(&mut tokens)
        .err();
    let is_end = |token: &TokenWithSpan| token.token == Token::SemiColon;
    let readable = match &unread {
        Some(_) => tokens.iter().rposition(is_end).map_or(0, |end| end + 1),
        None => tokens.len(),
    };
    let rest = tokens.split_off(readable);
    let mut parts = Vec::new();
    for tokens in tokens.split_inclusive(is_end) {
        let mut said = tokens.to_vec();
        said.retain(says_something);
        let read = chains::check(&said).and_then(|()| {
            statement(tokens, recursion_limit).map_err(|error| {
                with_likely_keyword(QueryError::from(error).at_the_end_of(sql), &said)
            })
        });
        if let Some(statement) = read.transpose() {
            parts.push(Part {
                tokens: said,
                statement,
            });
        }
    }
    if let Some(error) = unread {
        let error = DataFusionError::from(ParserError::from(error));
        parts.push(Part {
            tokens: rest.into_iter().filter(says_something).collect(),
            statement: Err(error.into()),
        });
    }
    match parts.is_empty() {
        true => Err(QueryError::sql("there is no statement to run")),
        false => Ok(parts),
    }
}

/// The statement that ends with the tokens; nothing where there is only its end.
fn statement(
    tokens: &[TokenWithSpan],
    recursion_limit: usize,
) -> Result<Option<Statement>, DataFusionError> {
    let mut parser = DFParserBuilder::new(tokens.to_vec())
        .with_dialect(&LakeDialect)
        .with_recursion_limit(recursion_limit)
        .build()?;
    Ok(parser.parse_statements()?.pop_front())
}

fn says_something(token: &TokenWithSpan) -> bool {
    !matches!(token.token, Token::Whitespace(_))
}

/// The parts of the SQL with their places, spaces and comments left out; where it cannot be read, those before.
pub(crate) fn tokens(sql: &str) -> Vec<TokenWithSpan> {
    let mut tokens = Vec::new();
    let _ = Tokenizer::new(&LakeDialect, sql).tokenize_with_location_into_buf(&mut tokens);
    tokens.retain(says_something);
    tokens
}

/// Whether all of it can be told apart: every quote and comment is closed.
pub(crate) fn is_readable(sql: &str) -> bool {
    Tokenizer::new(&LakeDialect, sql).tokenize().is_ok()
}

/// The parser's generic dialect, but for `->` and `->>`, which bind closer than any comparison, as in PostgreSQL:
/// `answers ->> 'rating' = '5'` compares what is at the path.
#[derive(Debug)]
struct LakeDialect;

/// Between the casts and the arithmetic.
const PATH_PRECEDENCE: u8 = 45;

macro_rules! as_generic {
    ($($method:ident)*) => {
        $(fn $method(&self) -> bool {
            GenericDialect.$method()
        })*
    };
}

impl Dialect for LakeDialect {
    /// The parser asks for it where a dialect's own methods do not tell.
    fn dialect(&self) -> TypeId {
        TypeId::of::<GenericDialect>()
    }

    fn is_delimited_identifier_start(&self, start: char) -> bool {
        GenericDialect.is_delimited_identifier_start(start)
    }

    fn is_identifier_start(&self, start: char) -> bool {
        GenericDialect.is_identifier_start(start)
    }

    fn is_identifier_part(&self, part: char) -> bool {
        GenericDialect.is_identifier_part(part)
    }

    fn get_next_precedence(&self, parser: &Parser) -> Option<Result<u8, ParserError>> {
        match parser.peek_token_ref().token {
            Token::Arrow | Token::LongArrow => Some(Ok(PATH_PRECEDENCE)),
            _ => None,
        }
    }

    as_generic! {
        supports_unicode_string_literal
        supports_partition_by_after_order_by
        supports_array_join_syntax
        supports_group_by_expr
        supports_group_by_with_modifier
        supports_left_associative_joins_without_parens
        supports_connect_by
        supports_match_recognize
        supports_pipe_operator
        supports_start_transaction_modifier
        supports_window_function_null_treatment_arg
        supports_dictionary_syntax
        supports_window_clause_named_window_reference
        supports_parenthesized_set_variables
        supports_select_wildcard_except
        support_map_literal_syntax
        allow_extract_custom
        allow_extract_single_quotes
        supports_extract_comma_syntax
        supports_create_view_comment_syntax
        supports_parens_around_table_factor
        supports_values_as_table_factor
        supports_create_index_with_clause
        supports_explain_with_utility_options
        supports_limit_comma
        supports_update_order_by
        supports_from_first_select
        supports_projection_trailing_commas
        supports_asc_desc_in_column_definition
        supports_try_convert
        supports_bitwise_shift_operators
        supports_comment_on
        supports_load_extension
        supports_named_fn_args_with_assignment_operator
        supports_struct_literal
        supports_empty_projections
        supports_nested_comments
        supports_multiline_comment_hints
        supports_user_host_grantee
        supports_string_escape_constant
        supports_array_typedef_with_brackets
        supports_match_against
        supports_set_names
        supports_comma_separated_set_assignments
        supports_filter_during_aggregation
        supports_select_wildcard_exclude
        supports_data_type_signed_suffix
        supports_interval_options
        supports_quote_delimited_string
        supports_select_wildcard_replace
        supports_select_wildcard_ilike
        supports_select_wildcard_rename
        supports_optimize_table
        supports_install
        supports_detach
        supports_prewhere
        supports_with_fill
        supports_limit_by
        supports_interpolate
        supports_settings
        supports_select_format
        supports_comment_optimizer_hint
        supports_constraint_keyword_without_name
        supports_key_column_option
        supports_comma_separated_trim
        supports_cte_without_as
        supports_select_item_multi_column_alias
        supports_xml_expressions
    }
}
