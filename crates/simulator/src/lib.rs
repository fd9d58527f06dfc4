//! A made-up support desk on the chat platform: its webhook deliveries, and the facts that they must become.
//!
//! Every chat is a script (`scenarios`), written from its own random stream, that both emits events and notes what happened.
//! `generate` sends the events on their way and yields them as they arrive; `truth` yields the notes. Neither reads the other's
//! output, and nothing here derives a fact from an event: that is the work under test. All chats are invented; nothing is read from
//! the machine's clock, its files or the network.

mod arrival;
mod cast;
mod clock;
mod company;
mod event;
mod ledger;
mod phrases;
mod scenarios;
mod script;
mod shapes;
#[cfg(test)]
mod tests;
mod truth;
mod world;

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};

pub use arrival::Simulation;
pub use truth::TruthRow;

/// What to simulate. Two runs with equal options give equal bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// How many chats are started; some of them are reopened later.
    pub chats: u64,
    /// Over how many local days the chats start.
    pub days: u32,
    pub seed: u64,
    /// The first local day, in America/Sao_Paulo.
    pub first_day: NaiveDate,
    /// The webhook token in every envelope.
    pub token: String,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            chats: 1_000,
            days: 7,
            seed: 1,
            first_day: NaiveDate::from_ymd_opt(2025, 3, 10).expect("a date of the calendar"),
            token: "5e8b9943da099dbd05c53c48662c31ab".to_string(),
        }
    }
}

/// One webhook request: when it arrived, and its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    pub received_at: DateTime<Utc>,
    /// The envelope `{time, messages, token}` as compact JSON.
    pub body: String,
}

impl Delivery {
    /// The line that an import reads: `{"received_at":"...Z","body":{...}}`, without a line feed.
    pub fn to_ndjson(&self) -> String {
        let received_at = self
            .received_at
            .to_rfc3339_opts(SecondsFormat::Millis, true);
        format!(r#"{{"received_at":"{received_at}","body":{}}}"#, self.body)
    }
}

/// The deliveries in order of arrival.
pub fn generate(options: &Options) -> Simulation {
    Simulation::new(options)
}

/// One row for every fact that the deliveries of `generate` with the same options must become, chat by chat; then the
/// agents' status.
pub fn truth(options: &Options) -> impl Iterator<Item = TruthRow> + use<> {
    truth::rows(options)
}
