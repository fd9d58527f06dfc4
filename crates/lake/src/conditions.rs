//! Long lists of values in the conditions of scans. The library that plans scans of Delta tables makes a chain of
//! comparisons of a list, and goes down a chain by calling itself: a list of tens of thousands is more than a stack holds.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::ScalarValue;
use datafusion::common::tree_node::TreeNode;
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::lit;

/// Up to so many values are compared with the statistics of files.
const COMPARED: usize = 1000;

/// A table whose scans are spared what is too long for them.
#[derive(Debug)]
pub(crate) struct SparedLists(pub Arc<dyn TableProvider>);

/// What the scan makes of a condition.
enum Heeded {
    AsItIs,
    /// The rows that are read must be in the list, but no files are passed over by it.
    InLongList(Expr),
    Not,
}

fn heeded(condition: &Expr) -> Result<Heeded> {
    let is_long =
        |expr: &Expr| Ok(matches!(expr, Expr::InList(list) if list.list.len() > COMPARED));
    if !condition.exists(is_long)? {
        return Ok(Heeded::AsItIs);
    }
    let (list, value) = match condition {
        Expr::InList(list) if !list.negated => match list.list.first() {
            Some(Expr::Literal(value, _)) => (list, value),
            _ => return Ok(Heeded::Not),
        },
        _ => return Ok(Heeded::Not),
    };
    // A list with a NULL is not made a chain, and such a condition holds for no more rows and no fewer.
    let mut list = list.clone();
    list.list
        .push(lit(ScalarValue::try_from(value.data_type())?));
    Ok(Heeded::InLongList(Expr::InList(list)))
}

#[async_trait]
impl TableProvider for SparedLists {
    fn schema(&self) -> SchemaRef {
        self.0.schema()
    }

    fn table_type(&self) -> TableType {
        self.0.table_type()
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let mut spared = Vec::with_capacity(filters.len());
        for filter in filters {
            match heeded(filter)? {
                Heeded::AsItIs => spared.push(filter.clone()),
                Heeded::InLongList(list) => spared.push(list),
                Heeded::Not => {}
            }
        }
        self.0.scan(session, projection, &spared, limit).await
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        let support = |filter: &&Expr| match heeded(filter)? {
            Heeded::AsItIs => {
                let mut support = self.0.supports_filters_pushdown(&[filter])?;
                Ok(support
                    .pop()
                    .unwrap_or(TableProviderFilterPushDown::Unsupported))
            }
            Heeded::InLongList(_) => Ok(TableProviderFilterPushDown::Inexact),
            Heeded::Not => Ok(TableProviderFilterPushDown::Unsupported),
        };
        filters.iter().map(support).collect()
    }
}
