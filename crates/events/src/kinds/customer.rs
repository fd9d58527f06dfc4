//! `createdCustomer`, `updatedCustomer`: a contact of the company, not of one chat.

use serde_json::Value;

use super::{Contact, ContactSpelling, Detail, Event, Kind, Object, base, required_id};

#[derive(Debug, Clone, PartialEq)]
pub struct Customer {
    pub mobile: Option<String>,
    pub phone: Option<String>,
    pub email: Option<String>,
    /// JSON of an object; `{}` and `[]` are none.
    pub custom_fields: Option<Value>,
    pub organizations: Option<Value>,
    pub groups: Option<Value>,
}

pub(super) fn parse(kind: Kind, item: Object) -> Event {
    let customer = Customer {
        mobile: item.word("mobile"),
        phone: item.word("phone"),
        email: item.word("email"),
        custom_fields: filled(item, "custom_fields"),
        organizations: filled(item, "organizations"),
        groups: filled(item, "groups"),
    };
    let contact = Contact {
        id: required_id(item, "id"),
        name: item.word("name"),
        spelling: ContactSpelling::Customer,
    };
    Event {
        contact: Some(contact),
        detail: Detail::Customer(Box::new(customer)),
        ..base(kind, item)
    }
}

fn filled(item: Object, key: &str) -> Option<Value> {
    match item.get(key)? {
        Value::Object(fields) if fields.is_empty() => None,
        Value::Array(items) if items.is_empty() => None,
        Value::Null | Value::Bool(false) => None,
        value => Some(value.clone()),
    }
}
