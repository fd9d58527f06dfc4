//! `startedWidgetAttendance`: a visitor filled in the widget's form. Its `id` stands beside name, phone
//! and e-mail and is the contact's; a chat is known only where the item names one.

use super::{Contact, ContactSpelling, Event, Kind, Object, base, required_id};

pub(super) fn parse(kind: Kind, item: Object) -> Event {
    required_id(item, "id");
    let chat_id = item.object("chat").id("id").or_else(|| item.id("chatID"));
    Event {
        chat_id,
        contact: Some(Contact::read(item, ContactSpelling::Customer)),
        ..base(kind, item)
    }
}
