//! `leftQueue`: the chat left the queue, to the agent it names or by being closed.

use super::{Event, Kind, Object, chat_as_item};

pub(super) fn parse(kind: Kind, item: Object) -> Event {
    chat_as_item(kind, item)
}
