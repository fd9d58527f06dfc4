//! `fact_agent_status`: the touched agents' intervals from the one in which their news begin, or all.
//!
//! What was before a row that begins before the earliest new change stays as it is, and so does where
//! that row begins; from there on rows are derived from events, since intervals forget the changes that
//! they merged. The rows themselves stand in for events that are gone.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{Array, BooleanArray};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use chrono::{DateTime, Utc};
use datafusion::prelude::{Expr, col, lit};
use datafusion::scalar::ScalarValue;
use events::{AgentStatus, Detail};
use futures::TryStreamExt;
use lake::{Rewrite, Scope, Table};

use super::by_key::ByKey;
use super::news::News;
use super::{READ_MEMORY_BYTES, Report, TransformError, date_value};
use crate::agents::{Agent, StatusChange};
use crate::chain::StoredEvent;
use crate::facts::of_agents;
use crate::read::{COLUMNS, EventRows, any_of, flags, instant, instants, long, longs, text, texts};
use crate::settings::Settings;

const EVENT_TYPE: &str = "agentChangedStatus";
/// Changes derived and written at a time; an agent's are never divided.
const CHANGES_AT_ONCE: usize = 50_000;

/// What was derived earlier, by agent: derived anew from the instant with the agent on.
type Touched = BTreeMap<i64, (DateTime<Utc>, Vec<StatusChange>)>;

/// The rows that stand in for events.
enum Known {
    /// Of the touched agents, from where their news begin.
    OfNews(Touched),
    /// Of all agents; only those whose events are gone count.
    OfAll(Box<ByKey<StatusChange>>),
}

pub(super) async fn bring_up_to_date(
    table: &mut Table,
    events: &Table,
    news: Option<&News>,
    settings: &Settings,
    txns: &[(&str, i64)],
    report: &mut Report,
) -> Result<(), TransformError> {
    let (scope, predicate, known) = match news {
        None => (
            Scope::Everything,
            col("event_type").eq(lit(EVENT_TYPE)),
            Known::OfAll(Box::new(
                ByKey::of(table, &KNOWN_COLUMNS, None, &["agent_id"], read_known).await?,
            )),
        ),
        Some(news) => {
            let Some(predicate) = of_touched(news) else {
                return Ok(());
            };
            let touched = touched(table, news).await?;
            let since = touched.iter().map(|(agent, (since, _))| (*agent, *since));
            let scope = Scope::KeysSince {
                column: "agent_id",
                instant: "started_at",
                since: since.collect(),
            };
            (scope, predicate, Known::OfNews(touched))
        }
    };
    let rewrite = table.rewrite(scope)?;
    let rewrite = derive(rewrite, events, predicate, known, settings, report).await?;
    Ok(rewrite.commit(txns, true).await?)
}

/// Events of the touched agents since the news begin; what was before them is in the known rows.
fn of_touched(news: &News) -> Option<Expr> {
    let agents = any_of("agent_id", &news.agents.keys().copied().collect())?;
    let from = news.agents.values().min()?.date_naive();
    let since = col("event_date").gt_eq(lit(date_value(from)));
    Some(col("event_type").eq(lit(EVENT_TYPE)).and(since).and(agents))
}

/// The rows from the one on in which each agent's news begin. Earlier ones ended before.
async fn touched(table: &Table, news: &News) -> Result<Touched, TransformError> {
    let agents = news.agents.keys().copied().collect();
    let (Some(touched), Some(from)) = (any_of("agent_id", &agents), news.agents.values().min())
    else {
        return Ok(Touched::new());
    };
    let from = ScalarValue::TimestampMicrosecond(Some(from.timestamp_micros()), Some("UTC".into()));
    let unended = col("ended_at")
        .is_null()
        .or(col("ended_at").gt_eq(lit(from)));
    let mut rows = table
        .read_sorted(
            &KNOWN_COLUMNS,
            Some(touched.and(unended)),
            &[],
            READ_MEMORY_BYTES,
        )
        .await?;
    let mut found: BTreeMap<i64, Vec<StatusChange>> = BTreeMap::new();
    while let Some(batch) = rows.try_next().await? {
        for (agent, change) in read_known(&batch)? {
            found.entry(agent).or_default().push(change);
        }
    }
    let known = news.agents.iter().map(|(agent, first_news)| {
        let mut changes = found.remove(agent).unwrap_or_default();
        // Not at it: what happens at one instant is decided among all that happens then. Each company's last one before.
        let mut before: BTreeMap<Option<i64>, DateTime<Utc>> = BTreeMap::new();
        for change in changes.iter().filter(|change| change.at < *first_news) {
            let last = before.entry(change.company_id).or_insert(change.at);
            *last = change.at.max(*last);
        }
        let since = before.into_values().min().unwrap_or(*first_news);
        changes.retain(|change| change.at >= since);
        (*agent, (since, changes))
    });
    Ok(known.collect())
}

const KNOWN_COLUMNS: [&str; 8] = [
    "company_id",
    "agent_id",
    "started_at",
    "is_online",
    "is_available",
    "is_active",
    "status_id",
    "origin",
];

fn read_known(batch: &RecordBatch) -> Result<Vec<(i64, StatusChange)>, ArrowError> {
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

/// Derives agent by agent, from what is known and what follows.
async fn derive<'a>(
    rewrite: Rewrite<'a>,
    events: &Table,
    predicate: Expr,
    known: Known,
    settings: &Settings,
    report: &mut Report,
) -> Result<Rewrite<'a>, TransformError> {
    let columns: Vec<&str> = COLUMNS.into_iter().chain(["agent_id"]).collect();
    let mut stream = events
        .read_sorted(&columns, Some(predicate), &["agent_id"], READ_MEMORY_BYTES)
        .await?;
    let mut deriving = Deriving {
        rewrite,
        known,
        agents: Vec::new(),
        held: 0,
        settings,
        report,
    };
    while let Some(batch) = stream.try_next().await? {
        for (agent_id, change) in EventRows::new(&batch)?.events().filter_map(change) {
            deriving.take(agent_id, change).await?;
        }
    }
    deriving.finish().await
}

/// Agents whose changes come one agent after the other.
struct Deriving<'a, 'b> {
    rewrite: Rewrite<'a>,
    known: Known,
    agents: Vec<Agent>,
    held: usize,
    settings: &'b Settings,
    report: &'b mut Report,
}

impl<'a> Deriving<'a, '_> {
    async fn take(&mut self, agent_id: i64, change: StatusChange) -> Result<(), TransformError> {
        if self
            .agents
            .last()
            .is_none_or(|last| last.agent_id != agent_id)
        {
            if self.held > CHANGES_AT_ONCE {
                self.write().await?;
            }
            self.agents.push(Agent {
                agent_id,
                changes: Vec::new(),
            });
        }
        let is_wanted = match &self.known {
            Known::OfNews(touched) => touched
                .get(&agent_id)
                .is_some_and(|(since, _)| change.at >= *since),
            Known::OfAll(_) => true,
        };
        if let (true, Some(agent)) = (is_wanted, self.agents.last_mut()) {
            agent.changes.push(change);
            self.held += 1;
        }
        Ok(())
    }

    async fn write(&mut self) -> Result<(), TransformError> {
        let mut agents = std::mem::take(&mut self.agents);
        for agent in &mut agents {
            match &mut self.known {
                Known::OfNews(touched) => {
                    let known = touched.remove(&agent.agent_id);
                    agent
                        .changes
                        .extend(known.into_iter().flat_map(|(_, changes)| changes));
                }
                Known::OfAll(_) => {
                    let told: BTreeSet<_> = agent.changes.iter().map(|change| change.at).collect();
                    let mut known = self.known_of(Some(agent.agent_id)).await?;
                    // A row begins with an event: one at whose beginning there is none stands in for it.
                    known.retain(|change| !told.contains(&change.at));
                    agent.changes.extend(known);
                }
            }
        }
        self.agents.extend(agents);
        self.report.agents += self.agents.len();
        let rows = of_agents().batch(&self.agents, self.settings);
        self.rewrite.write(rows).await?;
        self.agents.clear();
        self.held = 0;
        Ok(())
    }

    /// What is known of an agent; agents before it, or all for `None`, have no events and stay as they are.
    async fn known_of(&mut self, agent: Option<i64>) -> Result<Vec<StatusChange>, TransformError> {
        let Known::OfAll(rows) = &mut self.known else {
            return Ok(Vec::new());
        };
        let is_due = |key: &i64| agent.is_none_or(|agent| *key <= agent);
        while let Some(agent_id) = rows.key().await?.filter(is_due) {
            let changes = rows.next().await?;
            if Some(agent_id) == agent {
                return Ok(changes);
            }
            self.agents.push(Agent { agent_id, changes });
        }
        Ok(Vec::new())
    }

    async fn finish(mut self) -> Result<Rewrite<'a>, TransformError> {
        self.write().await?;
        self.known_of(None).await?;
        self.write().await?;
        Ok(self.rewrite)
    }
}

fn change(stored: StoredEvent) -> Option<(i64, StatusChange)> {
    let agent_id = stored.event.agent?.id?;
    let Detail::AgentStatus(status) = stored.event.detail else {
        return None;
    };
    let change = StatusChange {
        at: stored.delivered_at,
        event_id: Some(stored.event_id),
        company_id: stored.event.company_id,
        status,
    };
    Some((agent_id, change))
}
