//! Refuses to compare dates and instants with whole numbers. The engine would count the days since 1970, and
//! `started_date = 2025-03-10`, which is 2012, would be a day of 1975, without a row and without a word.

use arrow::datatypes::DataType;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, Diagnostic, plan_datafusion_err};
use datafusion::error::Result;
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, LogicalPlan};

use crate::advice::TIME_IN_QUOTES;

/// # Errors
/// What is compared, and how a date is written.
pub(crate) fn refuse_numbers_as_dates(plan: &LogicalPlan) -> Result<()> {
    plan.apply_with_subqueries(|node| {
        let mut schema = DFSchema::empty();
        for input in node.inputs() {
            schema.merge(input.schema());
        }
        if let LogicalPlan::Join(join) = node {
            for (left, right) in &join.on {
                refuse(left, &type_of(left, &schema), &type_of(right, &schema))?;
            }
        }
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                check(expr, &schema)?;
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(())
}

fn check(expr: &Expr, schema: &DFSchema) -> Result<()> {
    let (one, others): (&Expr, Vec<DataType>) = match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if op.supports_propagation() => {
            (left, vec![type_of(right, schema)])
        }
        Expr::Between(between) => {
            let ends = [&between.low, &between.high];
            let ends = ends.map(|end| type_of(end, schema));
            (&between.expr, ends.to_vec())
        }
        Expr::InList(list) => {
            let values = list.list.iter();
            let values = values.map(|value| type_of(value, schema));
            (&list.expr, values.collect())
        }
        Expr::InSubquery(within) => {
            let columns = within.subquery.subquery.schema().fields().iter();
            let types = columns.map(|column| column.data_type().clone());
            (&within.expr, types.collect())
        }
        _ => return Ok(()),
    };
    let kind = type_of(one, schema);
    others
        .iter()
        .try_for_each(|other| refuse(one, &kind, other))
}

/// Nothing, which goes with everything, where the type is not known.
fn type_of(expr: &Expr, schema: &DFSchema) -> DataType {
    expr.get_type(schema).unwrap_or(DataType::Null)
}

fn refuse(one: &Expr, first: &DataType, second: &DataType) -> Result<()> {
    let is_time = |kind: &DataType| {
        matches!(
            kind,
            DataType::Date32 | DataType::Date64 | DataType::Timestamp(..)
        )
    };
    let is_mixed =
        (is_time(first) && second.is_integer()) || (first.is_integer() && is_time(second));
    if !is_mixed {
        return Ok(());
    }
    let error = plan_datafusion_err!("{first} and {second} cannot be compared; {TIME_IN_QUOTES}");
    let span = one.spans().and_then(|spans| spans.first());
    let diagnostic = Diagnostic::new_error("no date", span);
    Err(error.with_diagnostic(diagnostic))
}
