//! The objects that several events share: the chat, its department and channel, people, the company.

use crate::cast::{
    Agent, COMPANY_ID, Cast, Contact, Department, PHOTO, Step, WORKFLOW_ID, WORKFLOW_NAME,
};
use crate::event::Event;
use crate::shapes::{Choice, Json};

/// The chat as messages and updates show it.
pub fn chat(json: &mut Json, event: &Event, cast: &Cast) {
    json.raw(r#"{"id":"#)
        .id(cast.chat_id, event.is(Choice::ChatIdIsText))
        .raw(r#","channel":""#)
        .raw(cast.channel.kind);
    json.raw(r#"","situation":""#)
        .raw(event.situation.name())
        .raw(r#"","department":"#);
    department_id(json, event, event.department);
    json.raw(r#","customer":"#);
    contact(json, event, &cast.contact);
    if let Some(entrypoint) = cast.channel.entrypoint {
        json.raw(r#","entrypoint":""#).raw(entrypoint).raw("\"");
    }
    match event.step {
        Some(step) => json
            .raw(r#","workflowID":"#)
            .int(WORKFLOW_ID)
            .raw(r#","workflowStepID":"#)
            .int(step.id)
            .raw("}"),
        None => json.raw(r#","workflowID":null,"workflowStepID":null}"#),
    };
}

pub fn department_id(json: &mut Json, event: &Event, department: Option<&Department>) {
    match department {
        Some(department) => json.int(department.id),
        None if event.is(Choice::NoneIsFalse) => json.raw("false"),
        None => json.raw("null"),
    };
}

pub fn department_object(json: &mut Json, department: Option<&Department>) {
    match department {
        Some(department) => json
            .raw(r#"{"id":"#)
            .int(department.id)
            .raw(r#","name":"#)
            .text(department.name)
            .raw("}"),
        None => json.raw("null"),
    };
}

pub fn channel_object(json: &mut Json, event: &Event, cast: &Cast) {
    let channel = cast.channel;
    json.raw(r#"{"id":"#)
        .int(channel.id)
        .raw(r#","uuid":""#)
        .raw(channel.uuid)
        .raw(r#"","name":"#)
        .text(channel.name);
    if event.is(Choice::ChannelHasType) {
        json.raw(r#","type":""#).raw(channel.object_type).raw("\"");
    }
    json.raw("}");
}

pub fn step(json: &mut Json, step: Option<&Step>) {
    match step {
        Some(step) => {
            json.raw(r#"{"id":"#)
                .int(step.id)
                .raw(r#","name":"#)
                .text(step.name);
            json.raw(r#","workflow":{"id":"#)
                .int(WORKFLOW_ID)
                .raw(r#","name":"#)
                .text(WORKFLOW_NAME)
                .raw("}}")
        }
        None => json.raw("null"),
    };
}

/// A contact, whose `custom_fields` are an empty list where there are none.
pub fn contact(json: &mut Json, event: &Event, contact: &Contact) {
    contact_fields(json, contact);
    json.raw(if event.is(Choice::CustomFieldsAreList) {
        r#","custom_fields":[]}"#
    } else {
        r#","custom_fields":{"profissao":null}}"#
    });
}

/// A contact without `custom_fields` and without the closing brace.
pub fn contact_fields(json: &mut Json, contact: &Contact) {
    json.raw(r#"{"id":"#)
        .int(contact.id)
        .raw(r#","name":"#)
        .text(&contact.name);
    json.raw(r#","mobile":"#)
        .text_or_null(contact.mobile.as_deref())
        .raw(r#","phone":null,"email":"#);
    json.text_or_null(contact.email.as_deref())
        .raw(r#","photo":"#)
        .text(PHOTO);
}

pub fn agent_person(json: &mut Json, agent: Agent) {
    json.raw(r#"{"id":"#)
        .int(agent.id())
        .raw(r#","name":"#)
        .text(&agent.name());
    json.raw(r#","mobile":"5575999999999","phone":"5575333333333","email":"#)
        .text(&agent.email())
        .raw(r#","photo":"#)
        .text(PHOTO)
        .raw("}");
}

pub fn company(json: &mut Json, event: &Event) {
    json.raw(r#""company":{"id":"#)
        .id(COMPANY_ID, event.is(Choice::CompanyIdIsText))
        .raw("}");
}
