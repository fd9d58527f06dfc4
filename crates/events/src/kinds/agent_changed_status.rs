//! `agentChangedStatus`: an agent came, went, or paused. The item is the agent.

use super::{Detail, Event, Kind, Object, base, person, required_id};

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AgentStatus {
    pub is_active: Option<bool>,
    pub is_online: Option<bool>,
    pub is_available: Option<bool>,
    pub status_id: Option<i64>,
    pub origin: Option<String>,
}

pub(super) fn parse(kind: Kind, item: Object) -> Event {
    required_id(item, "id");
    let status = AgentStatus {
        is_active: item.flag("isActive"),
        is_online: item.flag("isOnline"),
        is_available: item.flag("isAvailable"),
        status_id: item.id("statusID"),
        origin: item.word("origin"),
    };
    Event {
        agent: person(item),
        detail: Detail::AgentStatus(status),
        ..base(kind, item)
    }
}
