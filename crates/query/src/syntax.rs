//! SQL as statements, without a look at what they name.

use std::any::TypeId;

use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::dialect::{Dialect, GenericDialect};
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};

use crate::error::QueryError;

/// # Errors
/// [`QueryError::Sql`] with the place at which reading ended; also where there is no statement.
pub(crate) fn parse(sql: &str, recursion_limit: usize) -> Result<Vec<Statement>, QueryError> {
    let statements = DFParserBuilder::new(sql)
        .with_dialect(&LakeDialect)
        .with_recursion_limit(recursion_limit)
        .build()
        .and_then(|mut parser| parser.parse_statements())
        .map_err(|error| QueryError::from(error).at_the_end_of(sql))?;
    if statements.is_empty() {
        return Err(QueryError::sql("there is no statement to run"));
    }
    Ok(statements.into())
}

/// As [`parse`], each statement by itself: one that cannot be read takes nothing from the others.
pub(crate) fn parse_each(sql: &str, recursion_limit: usize) -> Vec<Result<Statement, QueryError>> {
    match parse(sql, recursion_limit) {
        Ok(statements) => statements.into_iter().map(Ok).collect(),
        Err(error) => {
            let ends = ends(sql);
            if ends.is_empty() {
                return vec![Err(error)];
            }
            let mut parsed = Vec::new();
            for part in parts(sql, &ends) {
                match parse(&part, recursion_limit) {
                    Ok(statements) => parsed.extend(statements.into_iter().map(Ok)),
                    Err(_)
                        if tokens(&part)
                            .iter()
                            .all(|token| token.token == Token::SemiColon) => {}
                    Err(error) => parsed.push(Err(error)),
                }
            }
            parsed
        }
    }
}

/// The places of the semicolons, by line and column; none where the text cannot be divided.
fn ends(sql: &str) -> Vec<(u64, u64)> {
    let semicolons = tokens(sql)
        .into_iter()
        .filter(|token| token.token == Token::SemiColon);
    semicolons
        .map(|token| (token.span.start.line, token.span.start.column))
        .collect()
}

/// The text of each statement, with lines and blanks above and before it, so that all places are those of the whole.
fn parts(sql: &str, ends: &[(u64, u64)]) -> impl Iterator<Item = String> {
    let (mut rest, mut line, mut column) = (sql, 1, 1);
    let ends = ends.iter().copied().map(Some).chain([None]);
    ends.map(move |end| {
        let mut part = "\n".repeat(line as usize - 1) + &" ".repeat(column as usize - 1);
        let mut length = rest.len();
        for (place, character) in rest.char_indices() {
            let is_end = end == Some((line, column));
            (line, column) = match character {
                '\n' => (line + 1, 1),
                _ => (line, column + 1),
            };
            if is_end {
                length = place + character.len_utf8();
                break;
            }
        }
        let (text, after) = rest.split_at(length);
        rest = after;
        part += text;
        part
    })
}

/// The parts of the SQL with their places, spaces and comments left out; none where it cannot be read.
pub(crate) fn tokens(sql: &str) -> Vec<TokenWithSpan> {
    let tokens = Tokenizer::new(&LakeDialect, sql).tokenize_with_location();
    let mut tokens = tokens.unwrap_or_default();
    tokens.retain(|token| !matches!(token.token, Token::Whitespace(_)));
    tokens
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
