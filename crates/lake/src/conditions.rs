//! The conditions of scans, of which the library that plans scans of Delta tables takes more than it can hold to.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::ScalarValue;
use datafusion::common::tree_node::TreeNode;
use datafusion::error::Result;
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::lit;

/// Of a list, up to so many values are compared with the statistics of files.
const COMPARED: usize = 1000;

/// A table of which every row that is read is looked at again: of a condition on the partition alone the library says that it
/// passes over all files without such rows, and it keeps those of which it cannot tell.
#[derive(Debug)]
pub(crate) struct CheckedTable(pub Arc<dyn TableProvider>);

/// What the scan makes of a condition.
enum Heeded<'a> {
    AsItIs,
    /// Rows are passed over by it, but no files.
    LongList(&'a InList),
    Not,
}

/// A list is made a chain of comparisons by the library, which goes down a chain by calling itself: tens of thousands are more
/// than a stack holds.
fn heeded(condition: &Expr) -> Result<Heeded<'_>> {
    let is_long =
        |expr: &Expr| Ok(matches!(expr, Expr::InList(list) if list.list.len() > COMPARED));
    Ok(match condition {
        _ if !condition.exists(is_long)? => Heeded::AsItIs,
        Expr::InList(list) if !list.negated => Heeded::LongList(list),
        _ => Heeded::Not,
    })
}

/// A list with a NULL is not made a chain, and such a condition holds for no more rows and no fewer. Nothing where the list
/// does not begin with a value, whose type NULL must have.
fn with_null(list: &InList) -> Result<Option<Expr>> {
    let Some(Expr::Literal(value, _)) = list.list.first() else {
        return Ok(None);
    };
    let null = lit(ScalarValue::try_from(value.data_type())?);
    let mut list = list.clone();
    list.list.push(null);
    Ok(Some(Expr::InList(list)))
}

#[async_trait]
impl TableProvider for CheckedTable {
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
        let mut taken = Vec::with_capacity(filters.len());
        for filter in filters {
            match heeded(filter)? {
                Heeded::AsItIs => taken.push(filter.clone()),
                Heeded::LongList(list) => taken.extend(with_null(list)?),
                Heeded::Not => {}
            }
        }
        self.0.scan(session, projection, &taken, limit).await
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        let support = |filter: &&Expr| match heeded(filter)? {
            Heeded::AsItIs => {
                let support = self.0.supports_filters_pushdown(&[filter])?;
                Ok(match support.first() {
                    Some(TableProviderFilterPushDown::Unsupported) | None => {
                        TableProviderFilterPushDown::Unsupported
                    }
                    Some(_) => TableProviderFilterPushDown::Inexact,
                })
            }
            Heeded::LongList(_) => Ok(TableProviderFilterPushDown::Inexact),
            Heeded::Not => Ok(TableProviderFilterPushDown::Unsupported),
        };
        filters.iter().map(support).collect()
    }
}
