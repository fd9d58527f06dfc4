//! A session's waits: episodes of the queue joined where only the department changed.

use chrono::{DateTime, Utc};

use crate::chain::{EnteredSource, Episode, Session};
use crate::settings::Settings;

/// One unbroken wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wait {
    pub entered_at: Option<DateTime<Utc>>,
    pub left_at: Option<DateTime<Utc>>,
    /// Each department's part by that department's hours.
    pub business_seconds: Option<i64>,
}

impl Wait {
    pub fn seconds(&self) -> Option<i64> {
        Some((self.left_at? - self.entered_at?).num_seconds().max(0))
    }
}

pub(super) fn waits(session: &Session, settings: &Settings) -> Vec<Wait> {
    let mut waits: Vec<Wait> = Vec::new();
    for episode in &session.walked.episodes {
        let part = episode_business_seconds(episode, settings);
        match waits.last_mut() {
            Some(wait) if episode.entered_source == EnteredSource::DepartmentChanged => {
                wait.left_at = episode.left_at;
                wait.business_seconds = wait.business_seconds.zip(part).map(|(a, b)| a + b);
            }
            _ => waits.push(Wait {
                entered_at: episode.entered_at,
                left_at: episode.left_at,
                business_seconds: part,
            }),
        }
    }
    waits
}

pub(super) fn episode_business_seconds(episode: &Episode, settings: &Settings) -> Option<i64> {
    business_seconds(
        episode.entered_at,
        episode.left_at,
        episode.department_id,
        settings,
    )
}

/// Seconds of `from..to` in the department's business hours; `None` without a calendar or where an end is unknown.
pub(super) fn business_seconds(
    from: Option<DateTime<Utc>>,
    to: Option<DateTime<Utc>>,
    department_id: Option<i64>,
    settings: &Settings,
) -> Option<i64> {
    settings.business_seconds(department_id, from?, to?)
}
