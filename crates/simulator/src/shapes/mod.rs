//! The JSON of the webhook: every event in the shape that the platform's documentation and its receivers show, and in all the
//! spellings they show of one thing. Which spelling an event has is drawn once, with the event, so a redelivery has the same bytes.

mod flow;
mod json;
mod message;
mod parts;

pub use json::Json;
pub use message::file as file_url;

use crate::cast::{Agent, Cast, Department, PHOTO, Step};
use crate::clock::local_text;
use crate::event::{Dispatch, Event, What};
use crate::shapes::parts::{
    agent_person, channel_object, chat, company, contact, contact_fields, department_id,
    department_object, step,
};

/// Which of an event's drawn bits chooses what.
#[derive(Clone, Copy)]
enum Choice {
    ChatIdIsText = 0,
    MessageIdIsText = 1,
    CompanyIdIsText = 2,
    NoneIsFalse = 3,
    ChannelHasType = 4,
    HidesDepartment = 5,
    TabulationIdIsText = 6,
    CustomFieldsAreList = 7,
    MessageChannelIsAgent = 8,
    HasLastAction = 9,
}

impl Event {
    fn is(&self, choice: Choice) -> bool {
        self.spelling >> (choice as u32) & 1 == 1
    }
}

/// The envelope of a dispatch, whose events of one name share a list.
pub fn envelope(dispatch: &Dispatch, cast: &Cast, token: &str) -> String {
    let ascii = dispatch
        .events
        .first()
        .is_some_and(|event| event.spelling >> 30 == 0);
    let mut json = Json::new(ascii);
    json.raw(r#"{"time":"#)
        .int(dispatch.time)
        .raw(r#","messages":{"#);
    for (index, event) in dispatch.events.iter().enumerate() {
        let name = event.what.name();
        if dispatch.events[..index]
            .iter()
            .any(|earlier| earlier.what.name() == name)
        {
            continue;
        }
        json.raw(if index == 0 { "\"" } else { ",\"" })
            .raw(name)
            .raw("\":[");
        let of_one_name = dispatch.events[index..]
            .iter()
            .filter(|event| event.what.name() == name);
        for (index, event) in of_one_name.enumerate() {
            json.raw(if index == 0 { "" } else { "," });
            item(&mut json, event, cast);
        }
        json.raw("]");
    }
    json.raw(r#"},"token":"#).text(token).raw("}");
    json.finish()
}

fn item(json: &mut Json, event: &Event, cast: &Cast) {
    match &event.what {
        What::StartedChat => started_chat(json, event, cast),
        What::ReceivedMessage(message)
        | What::ReceivedAllMessage(message)
        | What::SentAllMessage(message)
        | What::NewInternalMessage(message) => message::item(json, event, message, cast),
        What::StartedFlow(call) | What::FinishedFlow(call) => flow::item(json, event, call, cast),
        What::LeftQueue(agent) => left_queue(json, event, *agent, cast),
        What::AgentEntered(agent) => agent_entered(json, event, *agent, cast),
        What::ClosedChat { closed_at, .. } => closed_chat(json, event, *closed_at, cast),
        What::UpdatedDepartment { previous } => updated_department(json, event, *previous, cast),
        What::UpdatedStep { agent, previous } => updated_step(json, event, *agent, *previous, cast),
        What::CreatedCustomer | What::UpdatedCustomer => customer(json, event, cast),
    }
}

fn started_chat(json: &mut Json, event: &Event, cast: &Cast) {
    json.raw(r#"{"id":"#)
        .id(cast.chat_id, false)
        .raw(r#","situation":""#)
        .raw(event.situation.name())
        .raw(r#"","channel":"#);
    channel_object(json, event, cast);
    json.raw(r#","department":"#);
    department_object(json, event.department);
    json.raw(r#","contact":"#);
    contact(json, event, &cast.contact);
    json.raw(r#","pipe":null,"#);
    company(json, event);
    json.raw("}");
}

fn left_queue(json: &mut Json, event: &Event, agent: Option<Agent>, cast: &Cast) {
    json.raw(r#"{"id":"#)
        .id(cast.chat_id, false)
        .raw(r#","situation":""#)
        .raw(event.situation.name())
        .raw(r#"","agent":"#);
    match agent {
        Some(agent) => json
            .raw(r#"{"id":"#)
            .id(agent.id(), event.is(Choice::MessageIdIsText))
            .raw("}"),
        None => json.raw("null"),
    };
    json.raw(r#","channel":"#);
    channel_object(json, event, cast);
    json.raw(r#","department":"#);
    // Seen without a department even in chats that have one.
    department_object(
        json,
        event
            .department
            .filter(|_| !event.is(Choice::HidesDepartment)),
    );
    json.raw(r#","contact":"#);
    contact(json, event, &cast.contact);
    json.raw(r#","pipe":null,"#);
    company(json, event);
    json.raw("}");
}

fn agent_entered(json: &mut Json, event: &Event, agent: Agent, cast: &Cast) {
    json.raw(r#"{"id":"#)
        .id(cast.chat_id, event.is(Choice::ChatIdIsText))
        .raw(r#","channel":""#)
        .raw(cast.channel.kind);
    json.raw(r#"","situation":""#)
        .raw(event.situation.name())
        .raw(r#"","department":"#);
    department_id(
        json,
        event,
        event
            .department
            .filter(|_| !event.is(Choice::HidesDepartment)),
    );
    json.raw(r#","customer":"#);
    contact(json, event, &cast.contact);
    json.raw(r#","agent":"#);
    agent_person(json, agent);
    json.raw(",");
    company(json, event);
    json.raw("}");
}

fn closed_chat(json: &mut Json, event: &Event, closed_at: i64, cast: &Cast) {
    json.raw(r#"{"id":"#)
        .id(cast.chat_id, event.is(Choice::ChatIdIsText))
        .raw(r#","channel":""#)
        .raw(cast.channel.kind);
    json.raw(r#"","closed_at":""#)
        .raw(&local_text(closed_at))
        .raw(r#"","tabulation":"#);
    match event.what {
        What::ClosedChat {
            tabulation: Some(tabulation),
            ..
        } => json
            .raw(r#"{"id":"#)
            .id(tabulation.id, event.is(Choice::TabulationIdIsText))
            .raw(r#","name":"#)
            .text(tabulation.name)
            .raw("}"),
        _ => json.raw("false"),
    };
    json.raw(r#","situation":"finishing","closed":1,"#);
    company(json, event);
    json.raw("}");
}

fn updated_department(json: &mut Json, event: &Event, previous: Option<&Department>, cast: &Cast) {
    json.raw(r#"{"chat":"#);
    chat(json, event, cast);
    json.raw(r#","previousDepartment":"#);
    match previous {
        None if event.is(Choice::NoneIsFalse) => {
            json.raw("false");
        }
        previous => department_object(json, previous),
    }
    json.raw(",");
    company(json, event);
    json.raw("}");
}

fn updated_step(
    json: &mut Json,
    event: &Event,
    agent: Agent,
    previous: Option<&Step>,
    cast: &Cast,
) {
    json.raw(r#"{"agent":{"id":"#)
        .int(agent.id())
        .raw(r#","name":"#)
        .text(&agent.name())
        .raw(r#","photo":"#)
        .text(PHOTO)
        .raw(r#"},"chat":"#);
    chat(json, event, cast);
    json.raw(r#","step":"#);
    step(json, event.step);
    json.raw(r#","previousStep":"#);
    step(json, previous);
    json.raw(",");
    company(json, event);
    json.raw("}");
}

fn customer(json: &mut Json, event: &Event, cast: &Cast) {
    contact_fields(json, &cast.contact);
    json.raw(if event.is(Choice::CustomFieldsAreList) {
        r#","custom_fields":[]"#
    } else {
        r#","custom_fields":{}"#
    });
    json.raw(r#","organizations":[{"id":16146,"name":"DCS - Brasil"}],"groups":[],"#);
    company(json, event);
    json.raw("}");
}
