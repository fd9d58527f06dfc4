//! `dim_contacts`: the contacts as last told.

use std::collections::BTreeMap;

use events::{Contact, Event, Message, Person, Role};
use serde_json::Value as Json;

use super::{Dimension, Mention};
use crate::columns::{Column, Value, column};
use crate::dimensions::Known;

pub(super) static CONTACTS: Dimension = Dimension {
    name: "dim_contacts",
    description: "One row per contact (contato), with the latest known values.",
    id: ("contact_id", "Id of the contact (contato)"),
    fields: FIELDS,
    counts: &[],
    last_seen: "updated_at",
    mentions,
};

const FIELDS: &[Column<Known>] = &[
    column(
        "name",
        "Name as last told",
        Value::Text(|known| known.text(0)),
    ),
    column(
        "mobile",
        "Latest mobile number, as sent",
        Value::Text(|known| known.text(1)),
    ),
    column(
        "phone",
        "Latest telephone number, as sent",
        Value::Text(|known| known.text(2)),
    ),
    column(
        "email",
        "Latest e-mail address",
        Value::Text(|known| known.text(3)),
    ),
    column(
        "custom_fields",
        "Latest custom fields that hold something, JSON object with sorted keys",
        Value::Text(|known| known.text(4)),
    ),
    column(
        "organizations",
        "Latest organizations, JSON as sent",
        Value::Text(|known| known.text(5)),
    ),
    column(
        "groups",
        "Groups as last told, JSON as sent",
        Value::Text(|known| known.text(6)),
    ),
];

/// The contact itself, and who wrote a contact's message or got an agent's.
fn mentions(event: &Event) -> Vec<Mention> {
    let itself = event.contact.as_ref().map(of_contact);
    let in_message = event.message().and_then(contact_in).map(of_person);
    itself.into_iter().chain(in_message).collect()
}

fn contact_in(message: &Message) -> Option<&Person> {
    if message.role() == Role::Contact {
        return Some(&message.sender);
    }
    let to_staff = matches!(
        message.receiver_type.as_deref(),
        None | Some("agent" | "virtual_agent" | "bot" | "ura")
    );
    message.receiver.as_ref().filter(|_| !to_staff)
}

fn of_contact(contact: &Contact) -> Mention {
    let details = &contact.details;
    Mention {
        id: contact.id,
        values: vec![
            contact.name.clone(),
            details.mobile.clone(),
            details.phone.clone(),
            details.email.clone(),
            details.custom_fields.as_ref().and_then(filled),
            details.organizations.as_ref().map(sorted),
            details.groups.as_ref().map(sorted),
        ],
    }
}

fn of_person(person: &Person) -> Mention {
    Mention {
        id: person.id,
        values: vec![
            person.name.clone(),
            person.mobile.clone(),
            person.phone.clone(),
            person.email.clone(),
            None,
            None,
            None,
        ],
    }
}

/// Custom fields without those that are empty; `None` where nothing is left.
fn filled(fields: &Json) -> Option<String> {
    let Json::Object(fields) = fields else {
        return Some(sorted(fields));
    };
    let is_none = |value: &Json| match value {
        Json::Null | Json::Bool(false) => true,
        Json::String(text) => text.trim().is_empty(),
        _ => false,
    };
    let filled: BTreeMap<_, _> = fields.iter().filter(|(_, value)| !is_none(value)).collect();
    (!filled.is_empty()).then(|| sorted(&serde_json::json!(filled)))
}

/// Compact JSON with sorted keys, so that equal values are equal texts.
fn sorted(value: &Json) -> String {
    match value {
        Json::Object(fields) => {
            let fields: BTreeMap<_, _> = fields.iter().collect();
            let fields: Vec<String> = fields
                .into_iter()
                .map(|(key, value)| format!("{}:{}", Json::from(key.as_str()), sorted(value)))
                .collect();
            format!("{{{}}}", fields.join(","))
        }
        Json::Array(items) => {
            let items: Vec<String> = items.iter().map(sorted).collect();
            format!("[{}]", items.join(","))
        }
        plain => plain.to_string(),
    }
}
