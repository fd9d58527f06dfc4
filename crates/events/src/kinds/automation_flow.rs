//! `startedAutomationFlow`, `finishedAutomationFlow`: a bot's flow began or ended in a chat.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Detail, Event, Kind, Object, base, required_id};

#[derive(Debug, Clone, PartialEq)]
pub struct Flow {
    pub flow_id: Option<i64>,
    pub flow_token: Option<String>,
    pub context: BTreeMap<String, Value>,
}

impl Flow {
    /// `SYSTEM.CHAT_CREATED_DATE`: when the chat was created, local time.
    pub fn chat_created_date(&self) -> Option<&str> {
        self.context
            .get("SYSTEM.CHAT_CREATED_DATE")?
            .as_str()
            .filter(|text| !text.trim().is_empty())
    }

    /// What the flow asked and was told: the context outside the platform's own names, as compact
    /// JSON with sorted keys; `None` where it holds nothing.
    pub fn answers(&self) -> Option<String> {
        let own = |key: &str| !key.starts_with("SYSTEM.") && !key.starts_with("huggy.");
        let answers: BTreeMap<_, _> = self.context.iter().filter(|(key, _)| own(key)).collect();
        if answers.is_empty() {
            return None;
        }
        serde_json::to_string(&answers).ok()
    }
}

pub(super) fn parse(kind: Kind, item: Object) -> Event {
    let context = match item.get("context") {
        Some(Value::Object(context)) => context.clone().into_iter().collect(),
        // An empty context comes as an empty array; anything else is noted by reading it as an object.
        _ => {
            item.object("context");
            BTreeMap::new()
        }
    };
    let flow = Flow {
        flow_id: item.id("flowID"),
        flow_token: item.word("flowToken"),
        context,
    };
    Event {
        chat_id: required_id(item, "chatID"),
        detail: Detail::Flow(Box::new(flow)),
        ..base(kind, item)
    }
}
