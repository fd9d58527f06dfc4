//! The fact tables: one file a fact, one line in [`all`].
//!
//! A fact is a list of described columns over a row type, and the rows that a chat gives. Pure.

mod agent_segments;
mod chats;
mod department_changes;
mod flow_runs;
mod key;
mod messages;
mod queue_waits;
mod replies;
mod waits;
mod workflow_changes;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;

use crate::chain::Chat;
use crate::columns::{Column, batch, schema};
use crate::settings::Settings;

/// A fact's rows and columns.
trait Fact: Send + Sync {
    type Row: 'static;
    const NAME: &'static str;
    const DESCRIPTION: &'static str;
    /// The date by which rows lie together in files, and are found.
    const DATE: &'static str;

    fn columns(&self) -> Vec<Column<Self::Row>>;
    fn rows(&self, chat: &Chat, settings: &Settings) -> Vec<Self::Row>;
}

/// A fact table whatever its rows are.
pub trait FactTable: Send + Sync {
    fn name(&self) -> &'static str;
    fn description(&self) -> &'static str;
    fn date_column(&self) -> &'static str;
    fn schema(&self) -> SchemaRef;
    /// The rows of these chats.
    fn batch(&self, chats: &[Chat], settings: &Settings) -> RecordBatch;
}

impl<F: Fact> FactTable for F {
    fn name(&self) -> &'static str {
        F::NAME
    }

    fn description(&self) -> &'static str {
        F::DESCRIPTION
    }

    fn date_column(&self) -> &'static str {
        F::DATE
    }

    fn schema(&self) -> SchemaRef {
        schema(&self.columns())
    }

    fn batch(&self, chats: &[Chat], settings: &Settings) -> RecordBatch {
        let rows: Vec<F::Row> = chats
            .iter()
            .flat_map(|chat| self.rows(chat, settings))
            .collect();
        batch(&self.columns(), &rows)
    }
}

/// Every fact table. `fact_chats` comes last: it tells how far back a chat's events lie, so it must not
/// be ahead of the others.
pub fn all() -> Vec<Box<dyn FactTable>> {
    vec![
        Box::new(queue_waits::QueueWaits),
        Box::new(agent_segments::AgentSegments),
        Box::new(flow_runs::FlowRuns),
        Box::new(messages::Messages),
        Box::new(replies::Replies),
        Box::new(department_changes::DepartmentChanges),
        Box::new(workflow_changes::WorkflowChanges),
        Box::new(chats::Chats),
    ]
}
