//! Events the documentation does not name: whatever they share with the documented ones is read.

use super::{Event, Kind, Object, base, with_chat};

/// An unknown item's own `id` may be anything, so only `chat.id` and `chatID` name a chat.
pub(super) fn parse(kind: Kind, item: Object) -> Event {
    let event = base(kind, item);
    let chat = item.object("chat");
    if chat.is_present() {
        return with_chat(event, chat, item);
    }
    Event {
        chat_id: item.id("chatID"),
        situation: item.word("situation"),
        ..event
    }
}
