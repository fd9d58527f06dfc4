//! An agent's changes of status to the intervals between them. Pure.
//!
//! A change opens an interval and closes the one before; consecutive changes to one state are one.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use events::{AgentStatus, EventId};

/// All that is known of an agent's status, in any order and with any repetition.
#[derive(Debug, Clone)]
pub struct Agent {
    pub agent_id: i64,
    pub changes: Vec<StatusChange>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct StatusChange {
    pub at: DateTime<Utc>,
    /// The event that tells it; `None` for an interval derived earlier, whose event may be gone. Of two
    /// changes at one instant the greater id wins, and any event over what was derived.
    pub event_id: Option<EventId>,
    pub company_id: Option<i64>,
    pub status: AgentStatus,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Interval {
    pub agent_id: i64,
    pub opened_by: StatusChange,
    /// `None` while it lasts.
    pub ended_at: Option<DateTime<Utc>>,
}

impl StatusChange {
    /// How the agent came into a state is no part of it.
    fn is_to_same_state(&self, other: &StatusChange) -> bool {
        let state = |change: &StatusChange| {
            let status = &change.status;
            (
                status.is_online,
                status.is_available,
                status.is_active,
                status.status_id,
            )
        };
        state(self) == state(other)
    }
}

/// The intervals, company by company, in order; the last one of each lasts. Two companies may use one id.
/// What names no company is of the agent id's only one; with two nobody can tell whose it is, and it stays
/// apart.
pub fn intervals(agent: &Agent) -> Vec<Interval> {
    let named = agent.changes.iter().map(|change| change.company_id);
    let only = only_company(named);
    let mut companies: BTreeMap<Option<i64>, Vec<StatusChange>> = BTreeMap::new();
    for change in &agent.changes {
        let company_id = change.company_id.or(only);
        let change = StatusChange {
            company_id,
            ..change.clone()
        };
        companies.entry(company_id).or_default().push(change);
    }
    let of_company = companies.into_values();
    of_company
        .flat_map(|changes| intervals_of(agent.agent_id, changes))
        .collect()
}

/// The one company that is named, if there is just one.
pub fn only_company(named: impl IntoIterator<Item = Option<i64>>) -> Option<i64> {
    let companies: BTreeSet<i64> = named.into_iter().flatten().collect();
    let is_only = companies.len() == 1;
    companies.into_iter().next().filter(|_| is_only)
}

fn intervals_of(agent_id: i64, mut changes: Vec<StatusChange>) -> Vec<Interval> {
    changes.sort_by_key(|change| (change.at, change.event_id));
    let mut opening: Vec<StatusChange> = Vec::new();
    for change in changes {
        opening.pop_if(|last| last.at == change.at);
        if !opening
            .last()
            .is_some_and(|last| last.is_to_same_state(&change))
        {
            opening.push(change);
        }
    }
    let ends: Vec<_> = opening
        .iter()
        .skip(1)
        .map(|next| Some(next.at))
        .chain([None])
        .collect();
    let opened = opening.into_iter().zip(ends);
    opened
        .map(|(opened_by, ended_at)| Interval {
            agent_id,
            opened_by,
            ended_at,
        })
        .collect()
}
