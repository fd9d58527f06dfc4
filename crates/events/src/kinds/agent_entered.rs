//! `agentEntered`: an agent was put into the chat.

use super::{Event, Kind, Object, chat_as_item};

pub(super) fn parse(kind: Kind, item: Object) -> Event {
    chat_as_item(kind, item)
}
