//! The shape of a message, which four events share.

use crate::cast::{BOT_ID, BOT_NAME, Cast, PHOTO};
use crate::clock::local_text;
use crate::event::{Author, Event, Message, What};
use crate::shapes::parts::{agent_person, chat, company, contact};
use crate::shapes::{Choice, Json};

pub fn item(json: &mut Json, event: &Event, message: &Message, cast: &Cast) {
    json.raw(r#"{"id":"#)
        .id(message.id, event.is(Choice::MessageIdIsText))
        .raw(r#","body":"#)
        .text(&message.text.body());
    json.raw(if message.is_internal {
        r#","is_internal":true"#
    } else {
        r#","is_internal":false"#
    });
    json.raw(if cast.channel.kind == "email" {
        r#","is_email":true"#
    } else {
        r#","is_email":false"#
    });
    json.raw(r#","sender":"#);
    sender(json, event, message, cast);
    json.raw(r#","senderType":""#)
        .raw(sender_type(message, cast))
        .raw(r#"","receiver":"#);
    receiver(json, event, message, cast);
    let to_contact = message.author != Author::Contact;
    json.raw(r#","receiverType":""#)
        .raw(if to_contact {
            cast.channel.kind
        } else {
            "agent"
        })
        .raw(r#"","file":"#);
    if message.has_file {
        json.text(&file(message.id));
    } else {
        json.raw("null");
    }
    if !matches!(event.what, What::NewInternalMessage(_)) {
        // The message's own channel is no evidence of the chat's.
        let by_agent =
            to_contact || event.is(Choice::MessageChannelIsAgent) && message.agent_in.is_some();
        json.raw(r#","channel":""#)
            .raw(if by_agent { "agent" } else { cast.channel.kind })
            .raw(r#"","customer":"#);
        contact(json, event, &cast.contact);
    }
    json.raw(r#","chat":"#);
    chat(json, event, cast);
    json.raw(r#","send_at":""#)
        .raw(&local_text(message.sent_at))
        .raw(r#"","read_at":null,"#);
    company(json, event);
    json.raw("}");
}

/// Where a message's attachment lies.
pub fn file(message_id: i64) -> String {
    format!("https://arquivos.example/anexos/{message_id}.jpg")
}

fn sender_type(message: &Message, cast: &Cast) -> &'static str {
    match message.author {
        Author::Contact => cast.channel.kind,
        Author::Agent(_) => "agent",
        Author::Bot => "virtual_agent",
    }
}

fn sender(json: &mut Json, event: &Event, message: &Message, cast: &Cast) {
    match message.author {
        Author::Contact => contact(json, event, &cast.contact),
        Author::Agent(agent) => agent_person(json, agent),
        Author::Bot => {
            json.raw(r#"{"id":"#)
                .int(BOT_ID)
                .raw(r#","name":"#)
                .text(BOT_NAME);
            json.raw(r#","mobile":null,"phone":null,"email":null,"photo":"#)
                .text(PHOTO)
                .raw("}");
        }
    }
}

fn receiver(json: &mut Json, event: &Event, message: &Message, cast: &Cast) {
    match (message.author, message.agent_in) {
        (Author::Contact, Some(agent)) => agent_person(json, agent),
        (Author::Contact, None) => {
            json.raw("false");
        }
        _ if event.is(Choice::NoneIsFalse) => {
            json.raw("false");
        }
        _ => contact(json, event, &cast.contact),
    }
}
