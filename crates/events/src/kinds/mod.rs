//! Every documented event kind, typed; one file a shape.
//!
//! [`parse_item`] turns one item's JSON into an [`Event`]: what all kinds share (company, chat,
//! contact, agent, channel, department, situation), and a [`Detail`] of its own. Unknown kinds keep
//! what they share. Never fails: misfits leave `None` and a note in [`Event::problems`].

mod agent_changed_status;
mod agent_entered;
mod answered_chat_form;
mod async_export_data;
mod automation_flow;
mod closed_chat;
mod contact;
mod customer;
mod left_queue;
mod message;
mod started_chat;
mod started_widget_attendance;
mod unknown;
mod updated_chat_department;
mod updated_workflow_step;

use std::cell::RefCell;

use serde_json::Value;

pub use agent_changed_status::AgentStatus;
pub use automation_flow::Flow;
pub use closed_chat::Tabulation;
pub use contact::{Contact, ContactDetails, ContactSpelling};
pub use message::{Message, Role};
pub use updated_workflow_step::WorkflowStep;

use contact::contact;

use crate::fields::{Channel, Department, Object, Problems, kind_of};

/// The documented event names, as a subscription lists them.
pub const DOCUMENTED: [&str; 19] = [
    "receivedMessage",
    "receivedAllMessage",
    "startedChat",
    "createdChat",
    "agentEntered",
    "closedChat",
    "answeredChatForm",
    "createdCustomer",
    "startedWidgetAttendance",
    "startedAutomationFlow",
    "finishedAutomationFlow",
    "sentAllMessage",
    "updatedWorkflowStep",
    "leftQueue",
    "agentChangedStatus",
    "updatedCustomer",
    "newInternalMessage",
    "asyncExportData",
    "updatedChatDepartment",
];

/// What an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    ReceivedMessage,
    ReceivedAllMessage,
    SentAllMessage,
    NewInternalMessage,
    StartedChat,
    CreatedChat,
    AgentEntered,
    LeftQueue,
    ClosedChat,
    AnsweredChatForm,
    CreatedCustomer,
    UpdatedCustomer,
    StartedWidgetAttendance,
    StartedAutomationFlow,
    FinishedAutomationFlow,
    UpdatedWorkflowStep,
    UpdatedChatDepartment,
    AgentChangedStatus,
    AsyncExportData,
    Unknown,
}

/// The documented name of an event that is named by an old one.
pub fn documented_name(event_type: &str) -> &str {
    match event_type {
        "sendedAllMessage" => "sentAllMessage",
        name => name,
    }
}

impl Kind {
    /// The kind of an event name, also of an old one.
    pub fn of(event_type: &str) -> Kind {
        match documented_name(event_type) {
            "receivedMessage" => Kind::ReceivedMessage,
            "receivedAllMessage" => Kind::ReceivedAllMessage,
            "sentAllMessage" => Kind::SentAllMessage,
            "newInternalMessage" => Kind::NewInternalMessage,
            "startedChat" => Kind::StartedChat,
            "createdChat" => Kind::CreatedChat,
            "agentEntered" => Kind::AgentEntered,
            "leftQueue" => Kind::LeftQueue,
            "closedChat" => Kind::ClosedChat,
            "answeredChatForm" => Kind::AnsweredChatForm,
            "createdCustomer" => Kind::CreatedCustomer,
            "updatedCustomer" => Kind::UpdatedCustomer,
            "startedWidgetAttendance" => Kind::StartedWidgetAttendance,
            "startedAutomationFlow" => Kind::StartedAutomationFlow,
            "finishedAutomationFlow" => Kind::FinishedAutomationFlow,
            "updatedWorkflowStep" => Kind::UpdatedWorkflowStep,
            "updatedChatDepartment" => Kind::UpdatedChatDepartment,
            "agentChangedStatus" => Kind::AgentChangedStatus,
            "asyncExportData" => Kind::AsyncExportData,
            _ => Kind::Unknown,
        }
    }

    pub fn is_message(self) -> bool {
        matches!(
            self,
            Kind::ReceivedMessage
                | Kind::ReceivedAllMessage
                | Kind::SentAllMessage
                | Kind::NewInternalMessage
        )
    }
}

/// An agent, or a message's sender.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Person {
    pub id: Option<i64>,
    pub name: Option<String>,
    pub mobile: Option<String>,
    pub phone: Option<String>,
    pub email: Option<String>,
}

/// One event, normalised.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    pub kind: Kind,
    pub company_id: Option<i64>,
    pub chat_id: Option<i64>,
    pub situation: Option<String>,
    /// The chat's channel where it came as a word.
    pub channel: Option<String>,
    /// The chat's channel where it came as an object.
    pub channel_object: Option<Channel>,
    pub department: Option<Department>,
    pub workflow_id: Option<i64>,
    pub workflow_step_id: Option<i64>,
    pub contact: Option<Contact>,
    pub agent: Option<Person>,
    pub detail: Detail,
    /// Why something could not be filled, one note a field.
    pub problems: Vec<String>,
}

/// What only some kinds carry.
#[derive(Debug, Clone, PartialEq)]
pub enum Detail {
    None,
    Message(Box<Message>),
    Closed {
        closed_at: Option<String>,
        tabulation: Option<Tabulation>,
    },
    Flow(Box<Flow>),
    /// `known` is false where the event lacks the new department altogether.
    DepartmentChange {
        previous: Option<Department>,
        known: bool,
    },
    WorkflowStep(Box<WorkflowStep>),
    AgentStatus(AgentStatus),
}

impl Event {
    /// The channel in one word: its string form, else the object's type in lower case.
    pub fn channel_word(&self) -> Option<String> {
        let kind = || {
            self.channel_object
                .as_ref()?
                .kind
                .as_ref()
                .map(|kind| kind.to_lowercase())
        };
        self.channel.clone().or_else(kind)
    }

    pub fn message(&self) -> Option<&Message> {
        match &self.detail {
            Detail::Message(message) => Some(message),
            _ => None,
        }
    }

    pub fn flow(&self) -> Option<&Flow> {
        match &self.detail {
            Detail::Flow(flow) => Some(flow),
            _ => None,
        }
    }
}

/// Reads one item of a delivery. `payload` is the item's JSON.
pub fn parse_item(event_type: &str, payload: &str) -> Event {
    let problems: Problems = RefCell::new(Vec::new());
    let value: Value = serde_json::from_str(payload).unwrap_or_else(|error| {
        problems
            .borrow_mut()
            .push(format!("the item cannot be read: {error}"));
        Value::Null
    });
    if !value.is_object() && problems.borrow().is_empty() {
        problems.borrow_mut().push(format!(
            "the item is {}, expected an object",
            kind_of(&value)
        ));
    }
    let kind = Kind::of(event_type);
    let mut event = parse_kind(kind, Object::new(value.as_object(), "", &problems));
    event.problems = problems.into_inner();
    event.problems.dedup();
    event
}

fn parse_kind(kind: Kind, item: Object) -> Event {
    match kind {
        Kind::ReceivedMessage
        | Kind::ReceivedAllMessage
        | Kind::SentAllMessage
        | Kind::NewInternalMessage => message::parse(kind, item),
        Kind::StartedChat | Kind::CreatedChat => started_chat::parse(kind, item),
        Kind::AgentEntered => agent_entered::parse(kind, item),
        Kind::LeftQueue => left_queue::parse(kind, item),
        Kind::ClosedChat => closed_chat::parse(kind, item),
        Kind::AnsweredChatForm => answered_chat_form::parse(kind, item),
        Kind::CreatedCustomer | Kind::UpdatedCustomer => customer::parse(kind, item),
        Kind::StartedWidgetAttendance => started_widget_attendance::parse(kind, item),
        Kind::StartedAutomationFlow | Kind::FinishedAutomationFlow => {
            automation_flow::parse(kind, item)
        }
        Kind::UpdatedWorkflowStep => updated_workflow_step::parse(kind, item),
        Kind::UpdatedChatDepartment => updated_chat_department::parse(kind, item),
        Kind::AgentChangedStatus => agent_changed_status::parse(kind, item),
        Kind::AsyncExportData => async_export_data::parse(kind, item),
        Kind::Unknown => unknown::parse(kind, item),
    }
}

/// An event of which only the company is read yet.
fn base(kind: Kind, item: Object) -> Event {
    Event {
        kind,
        company_id: item
            .object("company")
            .id("id")
            .or_else(|| item.id("companyID")),
        chat_id: None,
        situation: None,
        channel: None,
        channel_object: None,
        department: None,
        workflow_id: None,
        workflow_step_id: None,
        contact: None,
        agent: None,
        detail: Detail::None,
        problems: Vec::new(),
    }
}

/// The shape in which the item itself is the chat (`startedChat`, `agentEntered`, `leftQueue`, ...).
fn chat_as_item(kind: Kind, item: Object) -> Event {
    with_chat(base(kind, item), item, item)
}

/// The shape in which the chat is nested under `chat` (messages, changes of step or department).
fn chat_inside(kind: Kind, item: Object) -> Event {
    with_chat(base(kind, item), item.object("chat"), item)
}

fn with_chat<'a>(event: Event, chat: Object<'a>, item: Object<'a>) -> Event {
    let (channel, channel_object) = chat.channel("channel");
    Event {
        chat_id: required_id(chat, "id"),
        situation: chat.word("situation"),
        channel,
        channel_object,
        department: chat.department("department"),
        workflow_id: chat.id("workflowID"),
        workflow_step_id: chat.id("workflowStepID"),
        contact: contact(chat).or_else(|| contact(item)),
        agent: person(item.object("agent")),
        ..event
    }
}

/// An id without which the event cannot be placed.
fn required_id(object: Object, key: &str) -> Option<i64> {
    let id = object.id(key);
    if id.is_none() && object.is_present() && matches!(object.get(key), None | Some(Value::Null)) {
        object.note(format!("{key} is missing"));
    }
    id
}

fn person(object: Object) -> Option<Person> {
    object.is_present().then(|| Person {
        id: object.id("id"),
        name: object.word("name"),
        mobile: object.word("mobile"),
        phone: object.word("phone"),
        email: object.word("email"),
    })
}
