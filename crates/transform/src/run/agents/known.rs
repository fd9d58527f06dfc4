//! The rows of `fact_agent_status`, which stand in for events that are gone and for those before the news.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{Array, BooleanArray};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use chrono::{DateTime, Utc};
use datafusion::prelude::{Expr, col, lit};
use datafusion::scalar::ScalarValue;
use events::AgentStatus;
use futures::TryStreamExt;
use lake::Table;

use crate::agents::{StatusChange, only_company};
use crate::read::{any_of, flags, instant, instants, long, longs, text, texts};
use crate::run::news::{AgentNews, News};
use crate::run::{READ_MEMORY_BYTES, TransformError};

/// What is derived anew of an agent.
pub(super) struct Touched {
    /// Rows from this instant on are replaced.
    pub since: DateTime<Utc>,
    /// Events from this instant on are read; before it the rows tell all.
    pub events_from: DateTime<Utc>,
    /// Those rows.
    pub known: Vec<StatusChange>,
}

/// Of each agent with news: from the earliest of its companies' rows in which the news begin.
pub(super) async fn touched(
    table: &Table,
    news: &News,
) -> Result<BTreeMap<i64, Touched>, TransformError> {
    let agents = news.agents.keys().copied().collect();
    let first = news.agents.values().map(|news| news.since).min();
    let (Some(of_agents), Some(first)) = (any_of("agent_id", &agents), first) else {
        return Ok(BTreeMap::new());
    };
    let ended_before = col("ended_at").lt(value(first));
    let unended = col("ended_at").is_null().or(!ended_before.clone());
    // Each company's last interval before the news is among them, and so is each company.
    let mut found = read(table, of_agents.and(unended)).await?;
    let mut touched = BTreeMap::new();
    for (agent, news) in &news.agents {
        let known = found.remove(agent).unwrap_or_default();
        touched.insert(*agent, of_agent(known, news));
    }
    // Of one company nothing lies between them and the rows before.
    let several: BTreeSet<i64> = touched
        .iter()
        .filter(|(_, agent)| agent.is_whole() || agent.has_several_companies())
        .map(|(id, _)| *id)
        .collect();
    if let Some(of_agents) = any_of("agent_id", &several) {
        let since = several.iter().map(|id| touched[id].since).min();
        let since = since.filter(|since| *since > DateTime::<Utc>::MIN_UTC);
        let since = since.map(|since| col("started_at").gt_eq(value(since)));
        let earlier = since
            .into_iter()
            .fold(of_agents.and(ended_before), Expr::and);
        for (id, rows) in read(table, earlier).await? {
            if let Some(agent) = touched.get_mut(&id).filter(|_| several.contains(&id)) {
                agent.known.extend(rows);
            }
        }
    }
    for agent in touched.values_mut() {
        agent.known.retain(|change| change.at >= agent.since);
    }
    Ok(touched)
}

fn of_agent(known: Vec<StatusChange>, news: &AgentNews) -> Touched {
    let companies: BTreeSet<_> = known.iter().map(|change| change.company_id).collect();
    let with_news = companies.union(&news.companies).copied();
    // Whose the events without a company are may have changed, of all times.
    let moves = !companies.is_empty() && only_company(companies.clone()) != only_company(with_news);
    if moves {
        return Touched {
            since: DateTime::<Utc>::MIN_UTC,
            events_from: DateTime::<Utc>::MIN_UTC,
            known,
        };
    }
    // Not at the news: what happens at one instant is decided among all that happens then. Each company's last row before.
    let mut before: BTreeMap<Option<i64>, DateTime<Utc>> = BTreeMap::new();
    for change in known.iter().filter(|change| change.at < news.since) {
        let last = before.entry(change.company_id).or_insert(change.at);
        *last = change.at.max(*last);
    }
    Touched {
        since: before.into_values().min().unwrap_or(news.since),
        events_from: news.since,
        known,
    }
}

impl Touched {
    /// Whether everything of the agent is derived anew.
    pub fn is_whole(&self) -> bool {
        self.events_from == DateTime::<Utc>::MIN_UTC
    }

    fn has_several_companies(&self) -> bool {
        let companies = self.known.iter().map(|change| change.company_id);
        companies.collect::<BTreeSet<_>>().len() > 1
    }
}

/// Adds the rows to what events tell. A row begins with an event: one at whose beginning there is none stands
/// in for it.
pub(in crate::run) fn stand_in(changes: &mut Vec<StatusChange>, mut known: Vec<StatusChange>) {
    // An event may have been of another company's before: what counts is that it is there.
    let told: BTreeSet<_> = changes.iter().map(|change| change.at).collect();
    known.retain(|change| !told.contains(&change.at));
    changes.extend(known);
}

fn value(instant: DateTime<Utc>) -> Expr {
    let micros = Some(instant.timestamp_micros());
    lit(ScalarValue::TimestampMicrosecond(
        micros,
        Some("UTC".into()),
    ))
}

async fn read(
    table: &Table,
    predicate: Expr,
) -> Result<BTreeMap<i64, Vec<StatusChange>>, TransformError> {
    let mut rows = table
        .read_sorted(&KNOWN_COLUMNS, Some(predicate), &[], READ_MEMORY_BYTES)
        .await?;
    let mut found: BTreeMap<i64, Vec<StatusChange>> = BTreeMap::new();
    while let Some(batch) = rows.try_next().await? {
        for (agent, change) in read_known(&batch)? {
            found.entry(agent).or_default().push(change);
        }
    }
    Ok(found)
}

/// The columns that [`read_known`] needs.
pub(in crate::run) const KNOWN_COLUMNS: [&str; 8] = [
    "company_id",
    "agent_id",
    "started_at",
    "is_online",
    "is_available",
    "is_active",
    "status_id",
    "origin",
];

pub(in crate::run) fn read_known(
    batch: &RecordBatch,
) -> Result<Vec<(i64, StatusChange)>, ArrowError> {
    let (companies, agents) = (longs(batch, "company_id")?, longs(batch, "agent_id")?);
    let (started, origins) = (instants(batch, "started_at")?, texts(batch, "origin")?);
    let statuses = longs(batch, "status_id")?;
    let (online, available) = (flags(batch, "is_online")?, flags(batch, "is_available")?);
    let active = flags(batch, "is_active")?;
    let flag = |values: &BooleanArray, row: usize| values.is_valid(row).then(|| values.value(row));
    let row = |row: usize| {
        let status = AgentStatus {
            is_active: flag(&active, row),
            is_online: flag(&online, row),
            is_available: flag(&available, row),
            status_id: long(&statuses, row),
            origin: text(&origins, row).map(str::to_owned),
        };
        let change = StatusChange {
            at: instant(started.value(row)),
            event_id: None,
            company_id: long(&companies, row),
            status,
        };
        (agents.value(row), change)
    };
    Ok((0..batch.num_rows()).map(row).collect())
}
