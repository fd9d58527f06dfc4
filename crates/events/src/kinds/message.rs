//! `receivedMessage`, `receivedAllMessage`, `sentAllMessage`, `newInternalMessage`: a message.
//!
//! The event name alone decides nothing about who wrote it: `receivedAllMessage` also carries agents'
//! and bots' messages. A message's own `channel` is not the chat's.

use super::{Detail, Event, Kind, Object, Person, chat_inside, person, required_id};

/// Who wrote a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Contact,
    Agent,
    Bot,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    pub id: Option<i64>,
    pub body: Option<String>,
    /// A note among agents: `is_internal`, or any `newInternalMessage`.
    pub is_internal: bool,
    pub is_email: Option<bool>,
    pub sender: Person,
    pub sender_type: Option<String>,
    pub receiver: Option<Person>,
    pub receiver_type: Option<String>,
    pub file: Option<String>,
    /// Local time as sent.
    pub send_at: Option<String>,
}

impl Message {
    /// By `senderType`: a contact's type is the contact's channel, an open set.
    pub fn role(&self) -> Role {
        match self.sender_type.as_deref() {
            Some("agent") => Role::Agent,
            Some("virtual_agent" | "bot" | "ura") => Role::Bot,
            _ => Role::Contact,
        }
    }
}

pub(super) fn parse(kind: Kind, item: Object) -> Event {
    let event = chat_inside(kind, item);
    if item.is_present() && event.chat_id.is_none() && !item.object("chat").is_present() {
        item.note("chat is missing".to_owned());
    }
    let message = Message {
        id: required_id(item, "id"),
        body: item.text("body").filter(|body| !body.is_empty()),
        is_internal: kind == Kind::NewInternalMessage || item.flag("is_internal") == Some(true),
        is_email: item.flag("is_email"),
        sender: person(item.object("sender")).unwrap_or_default(),
        sender_type: item.word("senderType"),
        receiver: person(item.object("receiver")),
        receiver_type: item.word("receiverType"),
        file: item.word("file"),
        send_at: item.word("send_at"),
    };
    let agent = agent_of(&message);
    Event {
        agent,
        detail: Detail::Message(Box::new(message)),
        ..event
    }
}

/// The agent who wrote the message, else the one it was written to.
fn agent_of(message: &Message) -> Option<Person> {
    if message.role() == Role::Agent {
        return Some(message.sender.clone());
    }
    let to_agent = message.receiver_type.as_deref() == Some("agent");
    message.receiver.clone().filter(|_| to_agent)
}
