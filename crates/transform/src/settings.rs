//! The settings that the rules use, and their fingerprint.

mod stored;

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use events::{DOCUMENTED, Tz};

use crate::calendar::Calendars;

/// Raised whenever a rule changes what the same events become: facts are then rebuilt.
pub const RULES_VERSION: u32 = 9;

/// Without these, a finish is all that is seen of a flow's run.
pub(crate) const FLOW_STARTS: [&str; 1] = ["startedAutomationFlow"];

/// One of these must come for an agent to be seen at all.
pub(crate) const AGENTS: [&str; 4] = [
    "agentEntered",
    "leftQueue",
    "sentAllMessage",
    "receivedAllMessage",
];

#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The business time zone, of local strings and of every local date.
    pub zone: Tz,
    /// The events that the webhook is set up to deliver.
    pub subscribed_events: BTreeSet<String>,
    /// An abandonment after less than this is a short one.
    pub short_abandon_seconds: i64,
    /// Opening hours; without them every measure in business seconds is NULL.
    pub calendars: Calendars,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            zone: Tz::America__Sao_Paulo,
            subscribed_events: DOCUMENTED.iter().map(|name| (*name).to_owned()).collect(),
            short_abandon_seconds: 10,
            calendars: Calendars::default(),
        }
    }
}

impl Settings {
    /// Whether any of the events is expected to arrive.
    pub fn expects(&self, events: &[&str]) -> bool {
        events
            .iter()
            .any(|event| self.subscribed_events.contains(*event))
    }

    /// The open seconds of `from..to` for a department, or for what is in none; nothing without a calendar.
    pub fn business_seconds(
        &self,
        department_id: Option<i64>,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> Option<i64> {
        let calendar = self.calendars.of(department_id)?;
        Some(calendar.business_seconds(from, to, self.zone))
    }

    /// A text that differs whenever rules or settings would derive other facts.
    pub fn fingerprint(&self) -> String {
        let text = format!("{RULES_VERSION} {self:?}");
        // FNV-1a: stable across builds, and collisions among a handful of settings do not happen.
        let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        format!("{hash:016x}")
    }
}
