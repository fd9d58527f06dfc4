//! Customer turns: what the contact waited for from a human, and when it came.

use chrono::{DateTime, Utc};
use events::Role;

use super::order::ChainEvent;
use super::walk::{Step, Walked};

/// One turn of the contact that an agent had to answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    pub waiting_since: DateTime<Utc>,
    /// `None`: never answered, or not yet.
    pub replied_at: Option<DateTime<Utc>>,
    pub agent_id: Option<i64>,
    /// As of the reply.
    pub department_id: Option<i64>,
}

/// The turns of a walked session.
pub(super) fn turns(events: &[ChainEvent], walked: &Walked) -> Vec<Turn> {
    let mut turns = Vec::new();
    let mut open: Option<DateTime<Utc>> = None;
    // The contact wrote while no human was due, and neither bot nor agent has answered.
    let mut unanswered = false;
    let mut was_due = false;
    for step in &walked.steps {
        let event = &events[step.index];
        // The close ends what is due; it starts nothing.
        let due = step.state.human_due();
        if due && !was_due && unanswered {
            open.get_or_insert(event.at);
            unanswered = false;
        }
        if event.is_from(Role::Contact) {
            match (due, step.state.flow_running) {
                // The flow takes it: an answer to a survey asks nothing of the agent.
                (true, true) => {}
                (true, false) => {
                    open.get_or_insert(event.at);
                }
                (false, _) => unanswered = true,
            }
        } else if event.is_from(Role::Agent) {
            turns.extend(open.take().map(|since| replied(since, event, step)));
            unanswered = false;
        } else if event.is_from(Role::Bot) && !due {
            unanswered = false;
        }
        was_due = due;
    }
    let department_id = walked.department_id;
    turns.extend(open.map(|waiting_since| Turn {
        waiting_since,
        replied_at: None,
        agent_id: None,
        department_id,
    }));
    turns
}

fn replied(waiting_since: DateTime<Utc>, event: &ChainEvent, step: &Step) -> Turn {
    Turn {
        waiting_since,
        replied_at: Some(event.at),
        agent_id: event.event.message().and_then(|message| message.sender.id),
        department_id: step.department_id,
    }
}
