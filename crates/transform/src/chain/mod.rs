//! A chat's chain: its events deduplicated, ordered and split into sessions, and each session walked
//! through once for what happened in it. Pure.

mod kept;
mod order;
mod session;
mod turns;
mod walk;

pub use kept::{Kept, KnownSession};
pub use order::{ChainEvent, ChainInput, StoredEvent, join_unnamed};
pub use session::{Chat, Session};
pub use turns::Turn;
pub use walk::{
    DepartmentChange, EndReason, EnteredSource, Episode, Exit, LeftSource, Place, Position, Run,
    Segment, State, Step, WorkflowChange,
};

use crate::settings::Settings;

/// Derives a chat from all its events, in any order and with any repetition. What is kept of it is not derived again.
pub fn derive(input: ChainInput, settings: &Settings) -> Chat {
    let kept = input.kept;
    let (mut events, copies) = order::arrange(input.events, settings.zone);
    let mut is_reopened = false;
    events.retain(|event| {
        let closed_at = kept.closed_at.filter(|_| kept.is_reopened);
        is_reopened |= closed_at.is_some_and(|closed_at| session::reopens(event, closed_at));
        // A send time ahead of its delivery must not take what was delivered since for a part of what is kept.
        is_reopened || Some(event.occurred_at.min(event.delivered_at)) > kept.until
    });
    let sessions = session::split(events, &copies, kept, settings);
    Chat {
        company_id: input.company_id,
        chat_id: input.chat_id,
        runs_before: kept.runs,
        sessions,
    }
}
