//! The least and the greatest of a column, found by the statistics of files. A scan gets the statistics of those
//! columns only that a condition names: `SELECT max(delivered_at) FROM events` would open every file there is,
//! and not only those that can hold it. So the column gets a condition that changes nothing: that it is not NULL.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::error::Result;
use datafusion::logical_expr::utils::disjunction;
use datafusion::logical_expr::{Aggregate, Expr, Filter, LogicalPlan};
use datafusion::optimizer::AnalyzerRule;

use crate::files::is_file;

#[derive(Debug)]
pub(crate) struct NameExtremes;

impl AnalyzerRule for NameExtremes {
    fn name(&self) -> &str {
        "name_extremes"
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        let analyzed = plan.transform_up_with_subqueries(|plan| match plan {
            LogicalPlan::Aggregate(aggregate) if is_scan(&aggregate.input) => {
                name_extremes(aggregate)
            }
            other => Ok(Transformed::no(other)),
        })?;
        Ok(analyzed.data)
    }
}

fn name_extremes(mut aggregate: Aggregate) -> Result<Transformed<LogicalPlan>> {
    let columns: Option<Vec<&Expr>> = aggregate.aggr_expr.iter().map(column_of_extreme).collect();
    let named = columns.filter(|_| aggregate.group_expr.is_empty());
    // A row in which all are NULL is neither the least nor the greatest of any.
    let Some(condition) = named.and_then(|columns| {
        disjunction(
            columns
                .into_iter()
                .map(|column| column.clone().is_not_null()),
        )
    }) else {
        return Ok(Transformed::no(LogicalPlan::Aggregate(aggregate)));
    };
    let filter = Filter::try_new(condition, aggregate.input)?;
    aggregate.input = Arc::new(LogicalPlan::Filter(filter));
    Ok(Transformed::yes(LogicalPlan::Aggregate(aggregate)))
}

/// Whether the rows are those of one of the lake's tables: files of the machine are known as a whole.
fn is_scan(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::TableScan(scan) => !is_file(scan.table_name.table()),
        LogicalPlan::SubqueryAlias(alias) => is_scan(&alias.input),
        LogicalPlan::Filter(filter) => is_scan(&filter.input),
        _ => false,
    }
}

/// The column whose least or greatest value is wanted, if that is what is wanted.
fn column_of_extreme(expr: &Expr) -> Option<&Expr> {
    match expr {
        Expr::Alias(alias) => column_of_extreme(&alias.expr),
        Expr::AggregateFunction(call)
            if ["min", "max"].contains(&call.func.name()) && call.params.filter.is_none() =>
        {
            let [column @ Expr::Column(_)] = call.params.args.as_slice() else {
                return None;
            };
            Some(column)
        }
        _ => None,
    }
}
