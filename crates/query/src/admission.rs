//! Which statements may run: those that read the lake, and those that make, fill and drop tables and views of
//! the session's own, which live in memory and go with it.

use std::collections::HashSet;

use datafusion::execution::context::SQLOptions;
use datafusion::logical_expr::dml::InsertOp;
use datafusion::logical_expr::{DdlStatement, DmlStatement, LogicalPlan, WriteOp};
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{self, ObjectName, ObjectType, TableObject};

use crate::error::QueryError;

/// What a statement is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// It has rows.
    Answer,
    /// It makes, fills or drops something of the session's.
    Own,
}

/// The purpose of the statement, if it may run. `own` are the names of what the session has by then.
pub(crate) fn admit(
    statement: &Statement,
    own: &mut HashSet<String>,
) -> Result<Purpose, QueryError> {
    purpose(statement, own).ok_or_else(|| read_only(statement))
}

fn purpose(statement: &Statement, own: &mut HashSet<String>) -> Option<Purpose> {
    match statement {
        Statement::Statement(statement) => match statement.as_ref() {
            ast::Statement::Query(_)
            | ast::Statement::ExplainTable { .. }
            | ast::Statement::ShowTables { .. }
            | ast::Statement::ShowColumns { .. }
            | ast::Statement::ShowFunctions { .. }
            | ast::Statement::ShowVariable { .. } => Some(Purpose::Answer),
            ast::Statement::Explain { statement, .. } => {
                matches!(statement.as_ref(), ast::Statement::Query(_)).then_some(Purpose::Answer)
            }
            ast::Statement::CreateView(view) => {
                own.insert(own_name(&view.name)?);
                Some(Purpose::Own)
            }
            ast::Statement::CreateTable(table)
                if !table.external && (table.query.is_some() || !table.columns.is_empty()) =>
            {
                own.insert(own_name(&table.name)?);
                Some(Purpose::Own)
            }
            ast::Statement::Insert(insert) => match &insert.table {
                TableObject::TableName(name) => {
                    own.contains(&own_name(name)?).then_some(Purpose::Own)
                }
                _ => None,
            },
            ast::Statement::Drop {
                object_type: ObjectType::Table | ObjectType::View,
                names,
                if_exists,
                ..
            } => {
                // What is not the session's is looked for, and refused, when the statement runs.
                let are_own = names
                    .iter()
                    .all(|name| own_name(name).is_some_and(|name| own.contains(&name)));
                (are_own || *if_exists).then_some(Purpose::Own)
            }
            _ => None,
        },
        // What it would do it also does, if it is to be analyzed: so only what reads.
        Statement::Explain(explain) => {
            let explained = purpose(&explain.statement, &mut HashSet::new())?;
            (explained == Purpose::Answer).then_some(explained)
        }
        // Settings are the engine's, so `SET` and `RESET` are refused like writing.
        Statement::CreateExternalTable(_) | Statement::CopyTo(_) | Statement::Reset(_) => None,
    }
}

/// The name as the session will know it.
pub(crate) fn own_name(name: &ObjectName) -> Option<String> {
    let ident = name.0.last()?.as_ident()?;
    Some(match ident.quote_style {
        Some(_) => ident.value.clone(),
        None => ident.value.to_ascii_lowercase(),
    })
}

/// The guarantee; the statement's kind was only the polite way to say it early.
pub(crate) fn verify(
    plan: &LogicalPlan,
    purpose: Purpose,
    statement: &Statement,
) -> Result<(), QueryError> {
    let read = match (purpose, plan) {
        (Purpose::Own, LogicalPlan::Ddl(DdlStatement::CreateView(view))) => &view.input,
        (Purpose::Own, LogicalPlan::Ddl(DdlStatement::CreateMemoryTable(table))) => &table.input,
        // Whether the table is the session's own is looked up when it gets its rows.
        (Purpose::Own, LogicalPlan::Dml(insert)) if adds_rows(insert) => &insert.input,
        (
            Purpose::Own,
            LogicalPlan::Ddl(DdlStatement::DropTable(_) | DdlStatement::DropView(_)),
        ) => return Ok(()),
        _ => plan,
    };
    SQLOptions::new()
        .with_allow_ddl(false)
        .with_allow_dml(false)
        .with_allow_statements(false)
        .verify_plan(read)
        .map_err(|_| read_only(statement))
}

fn adds_rows(change: &DmlStatement) -> bool {
    matches!(change.op, WriteOp::Insert(InsertOp::Append))
}

pub(crate) fn read_only(statement: &Statement) -> QueryError {
    QueryError::sql(format!(
        "{:?} is refused: queries only read the lake; use SELECT, WITH, VALUES, EXPLAIN, DESCRIBE or SHOW, \
        or, for the time of the session, CREATE VIEW, CREATE TABLE and INSERT into such a table",
        first_words(statement)
    ))
}

fn first_words(statement: &Statement) -> String {
    let text = statement.to_string();
    let mut words = text.split_whitespace();
    let shown: Vec<&str> = words.by_ref().take(3).collect();
    shown.join(" ") + if words.next().is_some() { " ..." } else { "" }
}
