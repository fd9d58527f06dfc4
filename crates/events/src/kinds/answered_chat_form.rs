//! `answeredChatForm`, deprecated: `{chat, customer, answers}`; the answers stay in the payload.

use super::{Event, Kind, Object, chat_inside};

pub(super) fn parse(kind: Kind, item: Object) -> Event {
    chat_inside(kind, item)
}
