//! Sessions of a chat: a reopened chat starts the next one, with its own clocks.

use chrono::{DateTime, Duration, Utc};
use events::{Kind, Role};

use super::kept::Kept;
use super::order::{ChainEvent, Copied};
use super::turns::{Turn, turns};
use super::walk::{Before, Finishes, Walked, walk};
use crate::settings::Settings;

/// What comes this soon after a close is its echo, not a reopening.
const REOPEN_AFTER: Duration = Duration::seconds(5);

/// One chat with everything derived from its chain.
#[derive(Debug, Clone)]
pub struct Chat {
    pub company_id: Option<i64>,
    pub chat_id: i64,
    /// Flow runs of sessions that are kept and not among these.
    pub runs_before: i32,
    pub sessions: Vec<Session>,
}

/// One session: from its opening to its close, and what trails the close.
#[derive(Debug, Clone)]
pub struct Session {
    pub no: i32,
    /// Evidence in order, what trails the close included.
    pub events: Vec<ChainEvent>,
    /// The place of the close in `events`.
    pub close: Option<usize>,
    /// Distinct events, copies of messages included.
    pub event_count: usize,
    /// Of all of them, copies included.
    pub first_delivered_at: Option<DateTime<Utc>>,
    /// Likewise; what occurred after its own delivery, by clocks that disagree, counts by the delivery.
    pub last_event_at: Option<DateTime<Utc>>,
    pub walked: Walked,
    pub turns: Vec<Turn>,
}

impl Session {
    pub fn closed_at(&self) -> Option<DateTime<Utc>> {
        self.close.map(|close| self.events[close].occurred_at)
    }

    /// The events that may change the session's state: up to its close.
    pub fn live_events(&self) -> &[ChainEvent] {
        match self.close {
            Some(close) => &self.events[..=close],
            None => &self.events,
        }
    }
}

/// The sessions of the events, after those that are kept.
pub(super) fn split(
    events: Vec<ChainEvent>,
    copies: &[Copied],
    kept: Kept,
    settings: &Settings,
) -> Vec<Session> {
    let mut parts: Vec<(Vec<ChainEvent>, Option<usize>)> = Vec::new();
    for event in events {
        let reopens = match parts.last() {
            None => true,
            Some((part, close)) => {
                close.is_some_and(|close| reopens(&event, part[close].occurred_at))
            }
        };
        if reopens {
            parts.push((Vec::new(), None));
        }
        if let Some((part, close)) = parts.last_mut() {
            if event.kind() == Kind::ClosedChat && close.is_none() {
                *close = Some(part.len());
            }
            part.push(event);
        }
    }
    let finishes = Finishes::of(parts.iter().map(|(events, _)| events.as_slice()), kept.runs);
    let mut sessions: Vec<Session> = Vec::new();
    for ((events, close), no) in parts.into_iter().zip(kept.sessions + 1..) {
        let before = match sessions.last() {
            None => Before {
                closed_at: kept.closed_at.or(kept.until),
                department_id: kept.department_id,
            },
            Some(last) => Before {
                closed_at: last.closed_at(),
                department_id: last.walked.department_id,
            },
        };
        let finishes = (sessions.len(), &finishes);
        let walked = walk(&events, close, before, finishes, settings);
        sessions.push(session(no, events, close, copies, walked));
    }
    sessions
}

fn session(
    no: i32,
    events: Vec<ChainEvent>,
    close: Option<usize>,
    copies: &[Copied],
    walked: Walked,
) -> Session {
    let of_session = |copy: &&Copied| events.iter().any(|event| event.event_id == copy.original);
    let copies: Vec<&Copied> = copies.iter().filter(of_session).collect();
    let event_count = events.len() + copies.len();
    let times = events
        .iter()
        .map(|event| (event.occurred_at, event.delivered_at))
        .chain(
            copies
                .iter()
                .map(|copy| (copy.occurred_at, copy.delivered_at)),
        );
    let first_delivered_at = times.clone().map(|(_, delivered_at)| delivered_at).min();
    let last_event_at = times
        .map(|(occurred_at, delivered_at)| occurred_at.min(delivered_at))
        .max();
    let turns = turns(&events, &walked);
    Session {
        no,
        events,
        close,
        event_count,
        first_delivered_at,
        last_event_at,
        walked,
        turns,
    }
}

pub(super) fn reopens(event: &ChainEvent, closed_at: DateTime<Utc>) -> bool {
    let opens = match event.kind() {
        Kind::StartedChat | Kind::StartedAutomationFlow | Kind::AgentEntered => true,
        Kind::LeftQueue => !event.leaves_by_close(),
        _ => event.is_from(Role::Contact),
    };
    opens && event.at - closed_at > REOPEN_AFTER
}
