//! What the lake's facts were derived with: the zone and the hours of the business, by which the functions of
//! queries go as well, whoever asks.

use std::fmt::Debug;
use std::ops::ControlFlow;
use std::sync::Arc;

use chrono_tz::Tz;
use datafusion::logical_expr::ScalarUDF;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{Expr, visit_expressions};
use lake::{LakeError, Table};

use crate::business::{self, BusinessHours};
use crate::local;
use crate::parameters::sql_of;

/// The clock of the business.
#[derive(Debug, Clone)]
pub struct BusinessClock {
    /// Of local dates and times.
    pub zone: Tz,
    /// By which `business_seconds` counts; without them it is NULL.
    pub hours: Option<Arc<dyn BusinessHours>>,
}

/// Knows where the lake says what its facts were derived with.
pub trait Derivation: Debug + Send + Sync {
    /// The table that says it.
    fn table(&self) -> &str;

    /// What the table says; nothing where an earlier version made it.
    ///
    /// # Errors
    /// [`LakeError::Delta`].
    fn clock(&self, table: &Table) -> Result<Option<BusinessClock>, LakeError>;
}

impl BusinessClock {
    pub(crate) fn functions(&self) -> Vec<Arc<ScalarUDF>> {
        let mut functions = local::functions(self.zone).to_vec();
        functions.push(business::function(self.hours.clone()));
        functions
    }

    /// Whether the statement calls one of the functions.
    pub(crate) fn is_asked_by(&self, statement: &Statement) -> bool {
        let functions = self.functions();
        let is_ours = |name: &str| {
            functions
                .iter()
                .any(|function| function.name().eq_ignore_ascii_case(name))
        };
        let found = sql_of(statement).map(|statement| {
            visit_expressions(statement, |expr| match expr {
                Expr::Function(called) => {
                    let name = called.name.0.last().and_then(|part| part.as_ident());
                    match name.is_some_and(|name| is_ours(&name.value)) {
                        true => ControlFlow::Break(()),
                        false => ControlFlow::Continue(()),
                    }
                }
                _ => ControlFlow::Continue(()),
            })
        });
        found.is_some_and(|found| found.is_break())
    }
}
