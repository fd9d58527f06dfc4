//! Which events count, and in which order.
//!
//! Copies of an event are one (by event id), copies of a message are one (by message id). The order is
//! by instant, then by cause: a dispatch gives all its events one time, and the cause decides there.

use std::collections::{BTreeMap, BTreeSet};

use super::kept::Kept;
use chrono::{DateTime, Duration, Utc};
use events::{Event, EventId, Kind, Role, TimeSource, Tz, occurred, parse_item};

/// How long after `closed_at` a close may be dispatched and still be ordered by its dispatch.
const CLOSE_LAG: Duration = Duration::seconds(5);

/// All events of one chat, as stored.
#[derive(Debug, Clone, Default)]
pub struct ChainInput {
    pub company_id: Option<i64>,
    pub chat_id: i64,
    pub events: Vec<StoredEvent>,
    pub kept: Kept,
}

/// One stored event, read.
#[derive(Debug, Clone)]
pub struct StoredEvent {
    pub event_id: EventId,
    pub delivered_at: DateTime<Utc>,
    pub event: Event,
}

/// One event of the chain.
#[derive(Debug, Clone)]
pub struct ChainEvent {
    pub event_id: EventId,
    pub event: Event,
    pub occurred_at: DateTime<Utc>,
    pub occurred_at_source: TimeSource,
    pub delivered_at: DateTime<Utc>,
    /// The instant the order goes by.
    pub at: DateTime<Utc>,
}

impl ChainInput {
    /// Adds a stored event.
    pub fn push(
        &mut self,
        event_id: EventId,
        event_type: &str,
        delivered_at: DateTime<Utc>,
        payload: &str,
    ) {
        self.events.push(StoredEvent {
            event_id,
            delivered_at,
            event: parse_item(event_type, payload),
        });
    }
}

/// The chains of one chat id, one a company: what names no company is of the chat's only one. With two
/// companies nobody can tell whose it is, and it stays apart.
pub fn join_unnamed(mut chains: Vec<ChainInput>) -> Vec<ChainInput> {
    let companies = chains.iter().filter(|chain| chain.company_id.is_some());
    if companies.count() != 1 {
        return chains;
    }
    // The company's chain goes first and takes in the other.
    chains.sort_by_key(|chain| chain.company_id.is_none());
    let joined = chains.into_iter().reduce(|mut company, unnamed| {
        company.events.extend(unnamed.events);
        company
    });
    joined.into_iter().collect()
}

impl ChainEvent {
    fn place(stored: StoredEvent, zone: Tz) -> Self {
        let StoredEvent {
            event_id,
            delivered_at,
            event,
        } = stored;
        let (occurred_at, occurred_at_source, _) = occurred(&event, delivered_at, zone);
        let dispatched_at_once = delivered_at - occurred_at <= CLOSE_LAG;
        let at = if event.kind == Kind::ClosedChat && dispatched_at_once {
            delivered_at
        } else {
            occurred_at
        };
        Self {
            event_id,
            event,
            occurred_at,
            occurred_at_source,
            delivered_at,
            at,
        }
    }

    pub fn kind(&self) -> Kind {
        self.event.kind
    }

    /// A message that is no note among agents, by who wrote it.
    pub fn is_from(&self, role: Role) -> bool {
        self.event
            .message()
            .is_some_and(|message| !message.is_internal && message.role() == role)
    }

    pub fn situation(&self) -> Option<&str> {
        self.event.situation.as_deref()
    }

    /// Of a `leftQueue`: the close ended the wait, and no agent did.
    pub fn leaves_by_close(&self) -> bool {
        self.situation() == Some("finishing")
    }

    /// Whether the event itself shows the chat in the queue. The events that end a wait may still carry
    /// the situation before them: theirs says nothing.
    pub fn shows_waiting(&self) -> bool {
        let ends_wait = matches!(
            self.kind(),
            Kind::LeftQueue | Kind::AgentEntered | Kind::ClosedChat
        );
        !ends_wait && self.situation() == Some("wait_for_chat")
    }

    fn message_id(&self) -> Option<i64> {
        self.event.message().and_then(|message| message.id)
    }

    /// What causes what within one instant.
    fn causal_rank(&self) -> u8 {
        match self.kind() {
            Kind::StartedChat | Kind::StartedWidgetAttendance => 0,
            Kind::StartedAutomationFlow => 1,
            Kind::FinishedAutomationFlow => 3,
            Kind::UpdatedChatDepartment => 4,
            Kind::LeftQueue => 5,
            Kind::AgentEntered => 6,
            Kind::UpdatedWorkflowStep => 7,
            Kind::ClosedChat => 8,
            _ => match self.event.message() {
                Some(message) if message.is_internal || message.role() == Role::Agent => 7,
                _ => 2,
            },
        }
    }
}

/// A copy of a message: no evidence, but an event of the chat all the same.
#[derive(Debug, Clone, Copy)]
pub(super) struct Copied {
    pub original: EventId,
    pub occurred_at: DateTime<Utc>,
    pub delivered_at: DateTime<Utc>,
}

/// The events that are evidence, in order, and the copies of messages that are not.
pub(super) fn arrange(stored: Vec<StoredEvent>, zone: Tz) -> (Vec<ChainEvent>, Vec<Copied>) {
    let mut seen = BTreeSet::new();
    let distinct = stored
        .into_iter()
        .filter(|stored| seen.insert(stored.event_id));
    let mut all: Vec<ChainEvent> = distinct
        .map(|stored| ChainEvent::place(stored, zone))
        .collect();

    let mut originals: BTreeMap<i64, (DateTime<Utc>, EventId)> = BTreeMap::new();
    for event in &all {
        if let Some(id) = event.message_id() {
            let candidate = (event.occurred_at, event.event_id);
            originals
                .entry(id)
                .and_modify(|first| *first = (*first).min(candidate))
                .or_insert(candidate);
        }
    }
    let mut copies = Vec::new();
    all.retain(
        |event| match event.message_id().and_then(|id| originals.get(&id)) {
            Some((_, original)) if *original != event.event_id => {
                copies.push(Copied {
                    original: *original,
                    occurred_at: event.occurred_at,
                    delivered_at: event.delivered_at,
                });
                false
            }
            _ => true,
        },
    );
    // Other events have no message id and come first.
    all.sort_by_key(|event| {
        (
            event.at,
            event.causal_rank(),
            event.message_id(),
            event.event_id,
        )
    });
    (all, copies)
}
