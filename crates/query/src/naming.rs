//! What is left out of a statement and meant all the same: the columns of `FROM t`, and names of outputs, which are
//! otherwise the engine's own, such as `Int64(1)`.

use std::collections::HashSet;
use std::ops::ControlFlow;

use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    self, Expr, Ident, Query, Select, SelectFlavor, SelectItem, SetExpr, VisitMut, VisitorMut,
    WildcardAdditionalOptions,
};

/// Where nothing is selected all columns are, and what has no name bears its own text.
pub(crate) fn complete(statement: &mut Statement) {
    let Some(query) = query(statement) else {
        return;
    };
    let _ = VisitMut::visit(query, &mut AllColumns);
    let is_ordered = query.order_by.is_some();
    if let Some(select) = outermost(&mut query.body)
        // What distinct rows are ordered by must be found among the outputs as it is written.
        && !(is_ordered && select.distinct.is_some())
    {
        name_outputs(select);
    }
}

fn query(statement: &mut Statement) -> Option<&mut Query> {
    match statement {
        Statement::Statement(statement) => match statement.as_mut() {
            ast::Statement::Query(query) => Some(query),
            ast::Statement::CreateView(view) => Some(&mut view.query),
            ast::Statement::CreateTable(table) => table.query.as_deref_mut(),
            _ => None,
        },
        Statement::Explain(explain) => query(&mut explain.statement),
        _ => None,
    }
}

/// The one that gives the columns their names.
fn outermost(body: &mut SetExpr) -> Option<&mut Select> {
    match body {
        SetExpr::Select(select) => Some(select),
        SetExpr::Query(query) => outermost(&mut query.body),
        SetExpr::SetOperation { left, .. } => outermost(left),
        _ => None,
    }
}

/// What is selected twice has a number behind its name the second time.
fn name_outputs(select: &mut Select) {
    let mut taken: HashSet<String> = select.projection.iter().filter_map(name).collect();
    let mut columns = HashSet::new();
    for item in &mut select.projection {
        let named = name(item);
        if let SelectItem::UnnamedExpr(expr) = item {
            let written = expr.to_string();
            let text = match is_column(expr) {
                true if columns.insert(written.clone()) => continue,
                true => named.unwrap_or(written),
                false => written,
            };
            let numbered = (1..).map(|number| format!("{text}_{number}"));
            let mut names = std::iter::once(text.clone()).chain(numbered);
            let Some(free) = names.find(|name| taken.insert(name.clone())) else {
                continue;
            };
            *item = SelectItem::ExprWithAlias {
                expr: expr.clone(),
                alias: Ident::with_quote('"', free),
            };
        }
    }
}

/// The name that an output has already.
fn name(item: &SelectItem) -> Option<String> {
    match item {
        SelectItem::UnnamedExpr(Expr::Identifier(column)) => Some(column.value.clone()),
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) => {
            Some(parts.last()?.value.clone())
        }
        SelectItem::ExprWithAlias { alias, .. } => Some(alias.value.clone()),
        _ => None,
    }
}

fn is_column(expr: &Expr) -> bool {
    match expr {
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) => true,
        Expr::Nested(inner) => is_column(inner),
        _ => false,
    }
}

struct AllColumns;

impl VisitorMut for AllColumns {
    type Break = ();

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        if select.projection.is_empty() {
            let all = SelectItem::Wildcard(WildcardAdditionalOptions::default());
            select.projection = vec![all];
            select.flavor = SelectFlavor::Standard;
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::parse;

    #[test]
    fn outputs_bear_their_text_and_nothing_means_all_columns() {
        let check = |sql: &str, expected: &str| {
            let mut statement = parse(sql, 50).unwrap().remove(0);
            complete(&mut statement);
            assert_eq!(statement.to_string(), expected);
        };
        check("SELECT 1, 1", r#"SELECT 1 AS "1", 1 AS "1_1""#);
        check(
            "SELECT a, a, t.a, count(*), count(*) FROM t",
            r#"SELECT a, a AS "a_1", t.a, count(*) AS "count(*)", count(*) AS "count(*)_1" FROM t"#,
        );
        check(
            "SELECT date_trunc('day', at), t.a, (a), b AS c FROM t",
            r#"SELECT date_trunc('day', at) AS "date_trunc('day', at)", t.a, (a), b AS c FROM t"#,
        );
        check(
            "SELECT a + 1 FROM t UNION SELECT b + 1 FROM t",
            r#"SELECT a + 1 AS "a + 1" FROM t UNION SELECT b + 1 FROM t"#,
        );
        check(
            "SELECT DISTINCT a + 1 FROM t",
            r#"SELECT DISTINCT a + 1 AS "a + 1" FROM t"#,
        );
        check(
            "SELECT DISTINCT a + 1 FROM t ORDER BY a + 1",
            "SELECT DISTINCT a + 1 FROM t ORDER BY a + 1",
        );
        check("FROM t LIMIT 1", "SELECT * FROM t LIMIT 1");
        check(
            "WITH u AS (FROM t) SELECT a FROM u",
            "WITH u AS (SELECT * FROM t) SELECT a FROM u",
        );
        check("EXPLAIN FROM t", "EXPLAIN SELECT * FROM t");
    }
}
