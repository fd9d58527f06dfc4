//! The fact tables: one file a fact, one line in [`of_chats`].
//!
//! A fact is a list of described columns over a row type, and the rows that a chat, or an agent,
//! gives. Pure.

mod agent_segments;
mod agent_status;
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

use crate::agents::Agent;
use crate::chain::Chat;
use crate::columns::{Column, batch, schema};
use crate::settings::Settings;

/// A fact's rows and columns, and what they are derived from.
trait Fact<Of = Chat>: Send + Sync {
    type Row: 'static;
    const NAME: &'static str;
    const DESCRIPTION: &'static str;
    /// The date by which rows lie together in files, and are found.
    const DATE: &'static str;
    /// The id by which rows are found, and replaced.
    const KEY: &'static str = "chat_id";

    fn columns(&self) -> Vec<Column<Self::Row>>;
    fn rows(&self, of: &Of, settings: &Settings) -> Vec<Self::Row>;
}

/// A fact table whatever its rows are.
pub trait FactTable<Of = Chat>: Send + Sync {
    fn name(&self) -> &'static str;
    fn description(&self) -> &'static str;
    fn date_column(&self) -> &'static str;
    fn key_column(&self) -> &'static str;
    fn schema(&self) -> SchemaRef;
    /// The rows of these chats, or agents.
    fn batch(&self, of: &[Of], settings: &Settings) -> RecordBatch;
}

impl<Of, F: Fact<Of>> FactTable<Of> for F {
    fn name(&self) -> &'static str {
        F::NAME
    }

    fn description(&self) -> &'static str {
        F::DESCRIPTION
    }

    fn date_column(&self) -> &'static str {
        F::DATE
    }

    fn key_column(&self) -> &'static str {
        F::KEY
    }

    fn schema(&self) -> SchemaRef {
        schema(&self.columns())
    }

    fn batch(&self, of: &[Of], settings: &Settings) -> RecordBatch {
        let rows: Vec<F::Row> = of.iter().flat_map(|one| self.rows(one, settings)).collect();
        batch(&self.columns(), &rows)
    }
}

/// Every fact table of chats. `fact_chats` comes last: it tells how far back a chat's events lie, so it must not
/// be ahead of the others.
pub fn of_chats() -> Vec<Box<dyn FactTable>> {
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

/// The fact table of agents.
pub fn of_agents() -> Box<dyn FactTable<Agent>> {
    Box::new(agent_status::AgentStatuses)
}
