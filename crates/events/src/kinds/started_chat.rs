//! `startedChat`: a chat was created; `createdChat`, deprecated, is its old name and has its shape.

use super::{Event, Kind, Object, chat_as_item};

pub(super) fn parse(kind: Kind, item: Object) -> Event {
    chat_as_item(kind, item)
}
