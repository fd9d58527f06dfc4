//! A chat's chain of events to facts.
//!
//! [`chain`] and [`facts`] are pure: events and [`Settings`] in, rows out, no I/O and no clock, so that
//! any order of arrival, any batching and any number of runs give the same rows. [`run`] finds the
//! touched chats, reads their events, derives, and replaces their rows.
//! Never touches HTTP or the write-ahead log.

pub mod calendar;
pub mod chain;
mod columns;
pub mod facts;
mod read;
mod run;
mod settings;

pub use run::{Mode, Report, TransformError, run};
pub use settings::{RULES_VERSION, Settings};
