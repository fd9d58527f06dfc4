//! The contact as events name it: nested under `customer` or `contact`, or the item itself.

use serde_json::Value;

use super::Object;

/// Which of the platform's two spellings named the contact. Their ids may differ within one delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContactSpelling {
    Contact,
    Customer,
}

/// The contact as an event names it.
#[derive(Debug, Clone, PartialEq)]
pub struct Contact {
    pub id: Option<i64>,
    pub name: Option<String>,
    pub spelling: ContactSpelling,
    pub details: Box<ContactDetails>,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct ContactDetails {
    pub mobile: Option<String>,
    pub phone: Option<String>,
    pub email: Option<String>,
    /// JSON that holds something; `{}` and `[]` are none.
    pub custom_fields: Option<Value>,
    pub organizations: Option<Value>,
    pub groups: Option<Value>,
}

impl Contact {
    pub(super) fn read(object: Object, spelling: ContactSpelling) -> Self {
        let details = ContactDetails {
            mobile: object.word("mobile"),
            phone: object.word("phone"),
            email: object.word("email"),
            custom_fields: filled(object, "custom_fields"),
            organizations: filled(object, "organizations"),
            groups: filled(object, "groups"),
        };
        Self {
            id: object.id("id"),
            name: object.word("name"),
            spelling,
            details: Box::new(details),
        }
    }
}

/// The contact that a chat or an item names.
pub(super) fn contact(object: Object) -> Option<Contact> {
    let read = |key, spelling| {
        let person = object.object(key);
        person.is_present().then(|| Contact::read(person, spelling))
    };
    read("customer", ContactSpelling::Customer)
        .or_else(|| read("contact", ContactSpelling::Contact))
}

fn filled(object: Object, key: &str) -> Option<Value> {
    match object.get(key)? {
        Value::Object(fields) if fields.is_empty() => None,
        Value::Array(items) if items.is_empty() => None,
        Value::String(text) if text.trim().is_empty() => None,
        Value::Null | Value::Bool(false) => None,
        value => Some(value.clone()),
    }
}
