//! Sessions whose events are gone: they stay as they were derived, and what comes later continues after them. Pure.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

/// A session as it was derived earlier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownSession {
    pub company_id: Option<i64>,
    pub no: i32,
    pub first_delivered_at: DateTime<Utc>,
    pub last_event_at: DateTime<Utc>,
    pub closed_at: Option<DateTime<Utc>>,
    /// The last known by then.
    pub department_id: Option<i64>,
    pub flow_runs: i32,
    pub events: i64,
}

/// How much of a chat stays as it was derived.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Kept {
    pub sessions: i32,
    /// Flow runs of those sessions.
    pub runs: i32,
    /// What occurred, and was not delivered before that, up to then is theirs, unless the chat was reopened before.
    pub until: Option<DateTime<Utc>>,
    /// The close of the last of them.
    pub closed_at: Option<DateTime<Utc>>,
    /// Its last known department, in which the next session begins.
    pub department_id: Option<i64>,
    /// Whether there was another session after them.
    pub is_reopened: bool,
}

impl Kept {
    /// Of one chat's sessions, in order, and when all events of its chat id were delivered: as far as the last session
    /// whose first event is gone. Events go oldest first, so that a session whose first event is there is whole.
    pub fn of<'a>(
        sessions: impl Iterator<Item = &'a KnownSession>,
        delivered: &BTreeSet<DateTime<Utc>>,
    ) -> Kept {
        let (mut kept, mut runs) = (Kept::default(), 0);
        let mut until = None;
        for session in sessions {
            runs += session.flow_runs;
            until = until.max(Some(session.last_event_at));
            if delivered.contains(&session.first_delivered_at) {
                kept.is_reopened = true;
            } else {
                kept = Kept {
                    sessions: session.no,
                    runs,
                    until,
                    closed_at: session.closed_at,
                    department_id: session.department_id,
                    is_reopened: false,
                };
            }
        }
        kept
    }
}
