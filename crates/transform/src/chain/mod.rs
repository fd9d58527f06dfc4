//! A chat's chain: its events deduplicated, ordered and split into sessions, and each session walked
//! through once for what happened in it. Pure.

mod order;
mod session;
mod turns;
mod walk;

pub use order::{ChainEvent, ChainInput, StoredEvent, join_unnamed};
pub use session::{Chat, Session};
pub use turns::Turn;
pub use walk::{
    DepartmentChange, EndReason, EnteredSource, Episode, Exit, LeftSource, Position, Run, Segment,
    State, Step, WorkflowChange,
};

use crate::settings::Settings;

/// Derives a chat from all its events, in any order and with any repetition.
pub fn derive(input: ChainInput, settings: &Settings) -> Chat {
    let (events, copies) = order::arrange(input.events, settings.zone);
    session::split(input.company_id, input.chat_id, events, &copies, settings)
}
