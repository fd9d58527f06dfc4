//! `updatedChatDepartment`: the only event that can also set a chat's department back to none.

use super::{Detail, Event, Kind, Object, chat_inside};

pub(super) fn parse(kind: Kind, item: Object) -> Event {
    let known = item.object("chat").get("department").is_some();
    if item.is_present() && !known {
        item.note("chat.department is missing".to_owned());
    }
    let detail = Detail::DepartmentChange {
        previous: item.department("previousDepartment"),
        known,
    };
    Event {
        detail,
        ..chat_inside(kind, item)
    }
}
