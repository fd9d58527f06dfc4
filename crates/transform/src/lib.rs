//! A chat's chain of events to facts.
//!
//! [`agents`], [`chain`], [`facts`] and the dimensions are pure: events and [`Settings`] in, rows out,
//! no I/O and no clock, so that any order of arrival, any batching and any number of runs give the same
//! rows. [`run`] finds what is touched, reads its events, derives, and replaces its rows.
//! Never touches HTTP or the write-ahead log.

pub mod agents;
pub mod calendar;
pub mod chain;
mod columns;
mod coverage;
mod dimensions;
pub mod doctor;
pub mod facts;
mod read;
mod run;
mod settings;

pub use run::{
    CONSUMER, DifferenceKind, Extent, FactDifference, FactsCheck, FactsState, Mode, Report,
    SETTINGS_TABLE, TransformError, aging_tables, derived_specs, derived_tables, missing_tables,
    repeated_events, run, settings_in, verify_facts,
};
pub use settings::{RULES_VERSION, Settings};
