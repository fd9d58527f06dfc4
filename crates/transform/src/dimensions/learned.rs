//! What events say of things, dimension by dimension.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use chrono::{DateTime, Utc};
use events::Event;

use super::{ALL, Known};

/// Things of one dimension by id, then company.
pub(crate) type Things = BTreeMap<(i64, Option<i64>), Known>;

/// What was learned of things, in the order of [`ALL`].
#[derive(Debug, Default)]
pub(crate) struct Learned([Things; ALL.len()]);

impl Learned {
    /// Takes in an event. An event shows things as they were when it was dispatched.
    pub fn take(&mut self, event: &Event, delivered_at: DateTime<Utc>) {
        for (things, dimension) in self.0.iter_mut().zip(ALL) {
            for mention in (dimension.mentions)(event) {
                let Some(id) = mention.id else { continue };
                let company_id = event.company_id;
                let known = Known::from_mention(dimension, company_id, id, mention, delivered_at);
                merge(things, known);
            }
        }
    }

    pub fn things(&self) -> &[Things; ALL.len()] {
        &self.0
    }

    pub fn into_things(self) -> [Things; ALL.len()] {
        self.0
    }
}

/// Adds what is known of a thing to what is known of all.
pub(crate) fn merge(things: &mut Things, known: Known) {
    match things.entry((known.id, known.company_id)) {
        Entry::Occupied(mut entry) => entry.get_mut().merge(known),
        Entry::Vacant(entry) => {
            entry.insert(known);
        }
    }
}
