//! The shape of a flow's start and finish, with its context of variables.

use crate::cast::{COMPANY_ID, Cast};
use crate::clock::local_text;
use crate::event::{Answer, Event, FlowCall, What};
use crate::shapes::parts::company;
use crate::shapes::{Choice, Json};

pub fn item(json: &mut Json, event: &Event, call: &FlowCall, cast: &Cast) {
    json.raw(r#"{"chatID":"#)
        .id(cast.chat_id, event.is(Choice::ChatIdIsText));
    if event.is(Choice::HasLastAction) {
        json.raw(r#","lastActionID":"#).int(call.flow.id * 10 + 1);
    }
    json.raw(r#","companyID":""#)
        .int(COMPANY_ID)
        .raw(r#"","flowID":"#)
        .id(call.flow.id, event.is(Choice::MessageIdIsText));
    if let Some(token) = call.token.text() {
        json.raw(r#","flowToken":"#).text(&token);
    }
    json.raw(r#","context":{"SYSTEM.TIME_HELLO":"Bem-vindo","#);
    context(json, event, call, cast);
    json.raw("},");
    company(json, event);
    json.raw("}");
}

fn context(json: &mut Json, event: &Event, call: &FlowCall, cast: &Cast) {
    json.raw(r#""SYSTEM.CHAT_ID":"#)
        .id(cast.chat_id, event.is(Choice::ChatIdIsText));
    if let Some(created_at) = call.created_at {
        json.raw(r#","SYSTEM.CHAT_CREATED_DATE":""#)
            .raw(&local_text(created_at))
            .raw("\"");
    }
    json.raw(r#","SYSTEM.DEPARTMENT_NAME":"#);
    match event.department {
        Some(department) => json.text(department.name),
        None if event.is(Choice::NoneIsFalse) => json.text(""),
        None => json.text("Sem departamento"),
    };
    json.raw(r#","SYSTEM.DEPARTMENT_ORDER":null,"SYSTEM.CLIENT_NAME":"#)
        .text(&cast.contact.name);
    json.raw(r#","SYSTEM.CLIENT_FIRST_NAME":"#)
        .text(cast.contact.first_name());
    json.raw(r#","SYSTEM.CLIENT_NUMBER":"#)
        .text_or_null(cast.contact.mobile.as_deref());
    json.raw(r#","SYSTEM.CLIENT_EMAIL":"#)
        .text_or_null(cast.contact.email.as_deref());
    json.raw(r#","SYSTEM.COMPANY_NAME":"Huggy Testing","SYSTEM.COMPANY_NUMBER":"551199995555","SYSTEM.AGENT_PHONE":null"#);
    json.raw(
        r#","SYSTEM.QUEUE_POSITION":"","SYSTEM.WORKFLOW_ID":null,"SYSTEM.WORKFLOW_STEP_ID":null"#,
    );
    if matches!(event.what, What::FinishedFlow(_)) {
        agent(json, call);
    }
    for (key, answer) in call.answers.iter() {
        json.raw(",").text(key).raw(":");
        match answer {
            Answer::Text(text) => json.text(text),
            Answer::Number(number) => json.int(*number),
            Answer::Nothing => json.raw("null"),
        };
    }
}

fn agent(json: &mut Json, call: &FlowCall) {
    let name = call.agent.map(|agent| agent.name());
    let email = call.agent.map(|agent| agent.email());
    json.raw(r#","huggy.chat.agent.id":"#);
    match call.agent {
        Some(agent) => json.int(agent.id()),
        None => json.raw("null"),
    };
    json.raw(r#","huggy.chat.agent.name":"#)
        .text_or_null(name.as_deref());
    json.raw(r#","huggy.chat.agent.email":"#)
        .text_or_null(email.as_deref());
    json.raw(r#","huggy.chat.company.id":"#)
        .int(COMPANY_ID)
        .raw(r#","huggy.chat.company.name":"Huggy Testing""#);
}
