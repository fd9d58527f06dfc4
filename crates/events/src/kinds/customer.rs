//! `createdCustomer`, `updatedCustomer`: a contact of the company, not of one chat. The item is the
//! contact.

use super::{Contact, ContactSpelling, Event, Kind, Object, base, required_id};

pub(super) fn parse(kind: Kind, item: Object) -> Event {
    required_id(item, "id");
    Event {
        contact: Some(Contact::read(item, ContactSpelling::Customer)),
        ..base(kind, item)
    }
}
