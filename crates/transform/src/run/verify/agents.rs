//! The intervals of agents' status: from all events of an agent at once, and the rows that stand in for those that are gone.

use std::collections::{BTreeMap, BTreeSet};

use arrow::compute::{concat_batches, filter_record_batch};
use arrow::record_batch::RecordBatch;
use datafusion::prelude::{col, lit};
use futures::TryStreamExt;
use lake::Table;

use super::{Extent, FactsCheck, differences, ids, plain, sampled};
use crate::agents::{Agent, StatusChange};
use crate::facts::of_agents;
use crate::read::{COLUMNS, EventRows, any_of, longs, names};
use crate::run::agents::{EVENT_TYPE, change, read_known, stand_in};
use crate::run::{READ_MEMORY_BYTES, TransformError};
use crate::settings::Settings;

/// Agents derived and compared at a time.
const AGENTS_AT_ONCE: usize = 100;
/// The columns that tell rows apart.
const KEY: [&str; 3] = ["company_id", "agent_id", "started_at"];

pub(super) async fn compare(
    table: &Table,
    events: &Table,
    left_out: &BTreeSet<i64>,
    settings: &Settings,
    extent: Extent,
    check: &mut FactsCheck,
) -> Result<(), TransformError> {
    let changes = col("event_type").eq(lit(EVENT_TYPE));
    let changes = changes.and(col("agent_id").is_not_null());
    let ids = ids(events, "agent_id", changes).await?;
    let fact = of_agents();
    for ids in sampled(ids, left_out, extent).chunks(AGENTS_AT_ONCE) {
        let wanted = ids.iter().copied().collect();
        let stored = stored(table, &wanted).await?;
        let mut agents = told(events, &wanted).await?;
        for (agent_id, known) in read_known(&stored)? {
            let agent = agents.entry(agent_id).or_default();
            agent.1.push(known);
        }
        let agents = agents.into_iter().map(|(agent_id, (mut changes, known))| {
            stand_in(&mut changes, known);
            Agent { agent_id, changes }
        });
        let agents: Vec<Agent> = agents.collect();
        let derived = fact.batch(&agents, settings);
        check.agents += agents.len();
        check.rows += derived.num_rows();
        check.tell(differences(fact.name(), &KEY, &derived, &stored)?);
    }
    Ok(())
}

/// By agent, what events tell and, still to come, what is stored.
type Changes = BTreeMap<i64, (Vec<StatusChange>, Vec<StatusChange>)>;

async fn told(events: &Table, wanted: &BTreeSet<i64>) -> Result<Changes, TransformError> {
    let changes = col("event_type").eq(lit(EVENT_TYPE));
    let of_wanted = any_of("agent_id", wanted).map(|wanted| changes.and(wanted));
    let mut rows = events
        .read_sorted(&COLUMNS, of_wanted, &[], READ_MEMORY_BYTES)
        .await?;
    let mut told = Changes::new();
    while let Some(batch) = rows.try_next().await? {
        for (agent_id, change) in EventRows::new(&batch)?.events().filter_map(change) {
            if wanted.contains(&agent_id) {
                told.entry(agent_id).or_default().0.push(change);
            }
        }
    }
    Ok(told)
}

async fn stored(table: &Table, wanted: &BTreeSet<i64>) -> Result<RecordBatch, TransformError> {
    let schema = of_agents().schema();
    let of_wanted = any_of("agent_id", wanted);
    let mut rows = table
        .read_sorted(&names(&schema), of_wanted, &[], READ_MEMORY_BYTES)
        .await?;
    let mut batches = Vec::new();
    while let Some(batch) = rows.try_next().await? {
        let batch = plain(&batch, &schema)?;
        let agents = longs(&batch, "agent_id")?;
        let agents = agents.iter();
        let is_wanted = agents.map(|id| Some(id.is_some_and(|id| wanted.contains(&id))));
        batches.push(filter_record_batch(&batch, &is_wanted.collect())?);
    }
    Ok(concat_batches(&schema, &batches)?)
}
