//! `fact_agent_status`: the touched agents' intervals from the one in which their news begin, or all.
//!
//! What was before a row that begins before the earliest new change stays as it is, and so does where
//! that row begins; from the news on rows are derived from events, since intervals forget the changes that
//! they merged. The rows themselves stand in for events that are gone. Where an agent's companies become one or
//! several, all of it is derived anew: what names no company may move.

mod known;

use std::collections::BTreeMap;

use datafusion::prelude::{Expr, col, lit};
use events::Detail;
use futures::TryStreamExt;
use lake::{Rewrite, Scope, Table};

use super::by_key::ByKey;
use super::news::News;
use super::{READ_MEMORY_BYTES, Report, TransformError, date_value};
use crate::agents::{Agent, StatusChange};
use crate::chain::StoredEvent;
use crate::facts::of_agents;
use crate::read::{COLUMNS, EventRows, any_of};
use crate::settings::Settings;
pub(super) use known::{KNOWN_COLUMNS, read_known, stand_in};
use known::{Touched, touched};

pub(super) const EVENT_TYPE: &str = "agentChangedStatus";
/// Changes derived and written at a time; an agent's are never divided.
const CHANGES_AT_ONCE: usize = 50_000;

/// The rows that stand in for events.
enum Known {
    /// Of the touched agents, from where their news begin.
    OfNews(BTreeMap<i64, Touched>),
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
            let touched = touched(table, news).await?;
            let Some(predicate) = of_touched(&touched) else {
                return Ok(());
            };
            let since = touched.iter().map(|(id, agent)| (*id, agent.since));
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

/// Events of the touched agents since the news begin, which is all that the known rows do not tell; or all events.
fn of_touched(touched: &BTreeMap<i64, Touched>) -> Option<Expr> {
    let agents = any_of("agent_id", &touched.keys().copied().collect())?;
    let of_news = touched.values().filter(|agent| !agent.is_whole());
    let from = of_news.map(|agent| agent.events_from.date_naive()).min();
    let of_news = from.map(|from| {
        let since = col("event_date").gt_eq(lit(date_value(from)));
        since.and(agents)
    });
    let whole = touched.iter().filter(|(_, agent)| agent.is_whole());
    let whole = any_of("agent_id", &whole.map(|(id, _)| *id).collect());
    let wanted = of_news.into_iter().chain(whole).reduce(Expr::or)?;
    Some(col("event_type").eq(lit(EVENT_TYPE)).and(wanted))
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
                .is_some_and(|agent| change.at >= agent.events_from),
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
            let known = match &mut self.known {
                Known::OfNews(touched) => touched
                    .remove(&agent.agent_id)
                    .map_or_else(Vec::new, |touched| touched.known),
                Known::OfAll(_) => self.known_of(Some(agent.agent_id)).await?,
            };
            stand_in(&mut agent.changes, known);
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

    /// Those of whom no event is left stay as they are.
    async fn finish(mut self) -> Result<Rewrite<'a>, TransformError> {
        self.write().await?;
        if let Known::OfNews(touched) = &mut self.known {
            let rest = std::mem::take(touched).into_iter();
            self.agents.extend(rest.map(|(agent_id, touched)| Agent {
                agent_id,
                changes: touched.known,
            }));
        }
        self.known_of(None).await?;
        self.write().await?;
        Ok(self.rewrite)
    }
}

pub(super) fn change(stored: StoredEvent) -> Option<(i64, StatusChange)> {
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
