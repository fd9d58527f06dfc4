//! One event of a chat, as small as it can wait in memory for its delivery; `shapes` writes it as JSON.

use std::sync::Arc;

use crate::cast::{Agent, Department, Flow, Step, Tabulation};
use crate::phrases::Text;

/// One request to the webhook: events that share the envelope's `time`.
#[derive(Debug)]
pub struct Dispatch {
    /// Unix seconds.
    pub time: i64,
    pub events: Vec<Event>,
}

#[derive(Clone, Debug)]
pub struct Event {
    pub what: What,
    pub situation: Situation,
    pub department: Option<&'static Department>,
    pub step: Option<&'static Step>,
    /// Random bits that choose among the platform's spellings of one thing: an id as integer or string, `null` or `false`.
    pub spelling: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Situation {
    Auto,
    WaitForChat,
    InChat,
    Finishing,
}

impl Situation {
    pub fn name(self) -> &'static str {
        match self {
            Situation::Auto => "auto",
            Situation::WaitForChat => "wait_for_chat",
            Situation::InChat => "in_chat",
            Situation::Finishing => "finishing",
        }
    }
}

#[derive(Clone, Debug)]
pub enum What {
    StartedChat,
    ReceivedMessage(Message),
    ReceivedAllMessage(Message),
    SentAllMessage(Message),
    NewInternalMessage(Message),
    StartedFlow(FlowCall),
    FinishedFlow(FlowCall),
    LeftQueue(Option<Agent>),
    AgentEntered(Agent),
    ClosedChat {
        closed_at: i64,
        tabulation: Option<&'static Tabulation>,
    },
    UpdatedDepartment {
        previous: Option<&'static Department>,
    },
    UpdatedStep {
        agent: Agent,
        previous: Option<&'static Step>,
    },
    CreatedCustomer,
    UpdatedCustomer,
}

impl What {
    /// When it happened, where the event says it; else that is the envelope's `time`.
    pub fn occurred_at(&self) -> Option<i64> {
        match self {
            What::ReceivedMessage(message)
            | What::ReceivedAllMessage(message)
            | What::SentAllMessage(message)
            | What::NewInternalMessage(message) => Some(message.sent_at),
            What::ClosedChat { closed_at, .. } => Some(*closed_at),
            _ => None,
        }
    }

    /// The event's name in the envelope.
    pub fn name(&self) -> &'static str {
        match self {
            What::StartedChat => "startedChat",
            What::ReceivedMessage(_) => "receivedMessage",
            What::ReceivedAllMessage(_) => "receivedAllMessage",
            What::SentAllMessage(_) => "sentAllMessage",
            What::NewInternalMessage(_) => "newInternalMessage",
            What::StartedFlow(_) => "startedAutomationFlow",
            What::FinishedFlow(_) => "finishedAutomationFlow",
            What::LeftQueue(_) => "leftQueue",
            What::AgentEntered(_) => "agentEntered",
            What::ClosedChat { .. } => "closedChat",
            What::UpdatedDepartment { .. } => "updatedChatDepartment",
            What::UpdatedStep { .. } => "updatedWorkflowStep",
            What::CreatedCustomer => "createdCustomer",
            What::UpdatedCustomer => "updatedCustomer",
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub struct Message {
    pub id: i64,
    pub author: Author,
    /// The agent who was in the chat.
    pub agent_in: Option<Agent>,
    pub text: Text,
    pub has_file: bool,
    pub is_internal: bool,
    /// Unix seconds.
    pub sent_at: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Author {
    Contact,
    Agent(Agent),
    Bot,
}

/// A flow's start or finish, with what its context shows.
#[derive(Clone, Debug)]
pub struct FlowCall {
    pub flow: &'static Flow,
    pub token: FlowToken,
    pub answers: Arc<[(&'static str, Answer)]>,
    pub created_at: Option<i64>,
    pub agent: Option<Agent>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlowToken {
    Absent,
    Uuid(u64),
    Other(u32),
}

impl FlowToken {
    pub fn text(self) -> Option<String> {
        match self {
            FlowToken::Absent => None,
            FlowToken::Uuid(bits) => {
                let (high, low) = ((bits >> 32) as u32, bits as u32);
                Some(format!(
                    "{high:08x}-{:04x}-4{:03x}-a{:03x}-{low:08x}{:04x}",
                    low >> 16,
                    low & 0xfff,
                    high & 0xfff,
                    high >> 16
                ))
            }
            FlowToken::Other(number) => Some(format!("flow-{number}")),
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub enum Answer {
    Text(&'static str),
    Number(i64),
    Nothing,
}
