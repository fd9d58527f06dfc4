//! `closedChat`: the chat ended; `tabulation` is the closing reason.

use super::{Detail, Event, Kind, Object, chat_as_item};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tabulation {
    pub id: Option<i64>,
    pub name: Option<String>,
}

pub(super) fn parse(kind: Kind, item: Object) -> Event {
    let reason = item.object("tabulation");
    let tabulation = reason.is_present().then(|| Tabulation {
        id: reason.id("id"),
        name: reason.word("name"),
    });
    let detail = Detail::Closed {
        closed_at: item.word("closed_at"),
        tabulation,
    };
    Event {
        detail,
        ..chat_as_item(kind, item)
    }
}
