//! Views of a session over the lake as it is now.
//!
//! A view is a plan, and a plan holds the tables that it was made over, at their versions of then. Where the
//! session is to see what was committed meanwhile, the same plan is put over the tables as they are opened anew.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::catalog::view::ViewTable;
use datafusion::common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion::datasource::provider_as_source;
use datafusion::error::Result;
use datafusion::logical_expr::LogicalPlan;
use datafusion::logical_expr::logical_plan::TableScanBuilder;

/// The names of the tables that a plan scans.
pub(crate) fn scanned(plan: &LogicalPlan) -> Result<HashSet<String>> {
    let mut names = HashSet::new();
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            names.insert(scan.table_name.table().to_owned());
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(names)
}

/// The view over these tables, by name; what else it scans stays.
pub(crate) fn over(
    view: &dyn TableProvider,
    plan: LogicalPlan,
    tables: &HashMap<String, Arc<dyn TableProvider>>,
) -> Result<ViewTable> {
    let renewed = plan.transform_up_with_subqueries(|node| {
        let LogicalPlan::TableScan(scan) = node else {
            // Its inputs may have other columns than they had.
            return Ok(Transformed::yes(node.recompute_schema()?));
        };
        let Some(table) = tables.get(scan.table_name.table()) else {
            return Ok(Transformed::no(LogicalPlan::TableScan(scan)));
        };
        let renewed = TableScanBuilder::new(scan.table_name, provider_as_source(table.clone()))
            .with_projection(scan.projection)
            .with_filters(scan.filters)
            .with_fetch(scan.fetch)
            .build()?;
        Ok(Transformed::yes(LogicalPlan::TableScan(renewed)))
    })?;
    let definition = view.get_table_definition().map(str::to_owned);
    Ok(ViewTable::new(renewed.data, definition))
}
