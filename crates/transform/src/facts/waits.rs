//! A session's waits: episodes of the queue joined where only the department changed.

use chrono::{DateTime, Utc};

use crate::chain::{EnteredSource, Episode, Session};
use crate::settings::Settings;

/// One unbroken wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wait {
    pub entered_at: Option<DateTime<Utc>>,
    pub left_at: Option<DateTime<Utc>>,
}

impl Wait {
    pub fn seconds(&self) -> Option<i64> {
        Some((self.left_at? - self.entered_at?).num_seconds().max(0))
    }
}

pub(super) fn waits(session: &Session) -> Vec<Wait> {
    let mut waits: Vec<Wait> = Vec::new();
    for Episode {
        entered_at,
        entered_source,
        left_at,
        ..
    } in &session.walked.episodes
    {
        match waits.last_mut() {
            Some(wait) if *entered_source == EnteredSource::DepartmentChanged => {
                wait.left_at = *left_at
            }
            _ => waits.push(Wait {
                entered_at: *entered_at,
                left_at: *left_at,
            }),
        }
    }
    waits
}

/// Seconds of `from..to` in business hours; `None` without a calendar or where an end is unknown.
pub(super) fn business_seconds(
    from: Option<DateTime<Utc>>,
    to: Option<DateTime<Utc>>,
    settings: &Settings,
) -> Option<i64> {
    Some(
        settings
            .calendar
            .as_ref()?
            .business_seconds(from?, to?, settings.zone),
    )
}
