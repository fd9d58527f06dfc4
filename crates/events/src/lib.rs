//! The webhook as the platform sends it, and the `events` table as the lake keeps it.
//!
//! Holds the envelope, every documented event kind, tolerant parsing, local clocks, and the rows of
//! the `events` table with their Arrow form. Never does I/O and never derives a fact.
//!
//! Tolerance is the rule: whatever a well-formed delivery holds becomes a row. What does not fit its
//! column leaves the column NULL and says why in `parse_error`; the item's bytes are always kept.

mod clock;
mod envelope;
mod fields;
mod kinds;
mod row;
mod table;

pub use chrono_tz::Tz;
pub use clock::{LocalTimeError, instant, local_date};
pub use envelope::{BadDelivery, envelope_time};
pub use fields::{Channel, Department};
pub use kinds::{
    AgentStatus, Contact, ContactDetails, ContactSpelling, DOCUMENTED, Detail, Event, Flow, Kind,
    Message, Person, Role, Tabulation, WorkflowStep, documented_name, parse_item,
};
#[cfg(any(test, fuzzing))]
pub use row::check_item;
pub use row::{EventId, EventRow, TimeSource, each_event, occurred, read_delivery};
pub use table::{PARTITION_COLUMN, TABLE, TABLE_DESCRIPTION, schema, to_batch};
