//! The product as its users meet it: the real binary, on a real disk, over real HTTP.

mod agents;
mod cases;
mod charts;
mod command_line;
mod comparison;
mod disorder;
mod doctor;
mod export;
mod identities;
mod import;
mod maintain;
mod query;
mod query_errors;
mod query_files;
mod query_formats;
mod query_functions;
mod query_output;
mod query_past;
mod query_reading;
mod query_sources;
mod refusals;
mod retention;
mod saved_queries;
mod secrets;
mod serve;
mod settings;
mod shell;
#[allow(dead_code, reason = "shared with the other tests")]
mod support;
mod terminal;
mod truth;
mod verify;
