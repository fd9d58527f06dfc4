//! Which events are already in the lake, as far back as redeliveries are expected. Remembers ids only, and only those
//! that are committed: a batch that failed leaves no trace.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use chrono::{DateTime, Utc};
use events::{EventId, EventRow};

/// How long and how many ids are remembered.
#[derive(Debug, Clone, Copy)]
pub struct DedupLimits {
    /// Ids of events received this long before the newest one are forgotten. Default 24 hours.
    pub window: Duration,
    /// At most so many ids, about 60 bytes each; the oldest go first. Default 4 million.
    pub max_ids: usize,
}

impl Default for DedupLimits {
    fn default() -> Self {
        Self {
            window: Duration::from_secs(24 * 60 * 60),
            max_ids: 4_000_000,
        }
    }
}

/// The window of remembered ids.
#[derive(Debug)]
pub struct Dedup {
    limits: DedupLimits,
    seen: HashSet<EventId>,
    /// The same ids in the order they came.
    order: VecDeque<(DateTime<Utc>, EventId)>,
    newest: DateTime<Utc>,
}

impl Dedup {
    /// An empty window.
    pub fn new(limits: DedupLimits) -> Self {
        Self {
            limits,
            seen: HashSet::new(),
            order: VecDeque::new(),
            newest: DateTime::<Utc>::MIN_UTC,
        }
    }

    /// Whether the event is in the window.
    pub fn knows(&self, id: &EventId) -> bool {
        self.seen.contains(id)
    }

    /// Remembers events that were received then and are now committed.
    pub fn remember(&mut self, ids: impl IntoIterator<Item = (DateTime<Utc>, EventId)>) {
        for (received_at, id) in ids {
            if self.seen.insert(id) {
                self.order.push_back((received_at, id));
                self.newest = self.newest.max(received_at);
            }
        }
        while let Some((received_at, id)) = self.order.front() {
            let age = (self.newest - *received_at).to_std().unwrap_or_default();
            if age <= self.limits.window && self.order.len() <= self.limits.max_ids {
                return;
            }
            self.seen.remove(id);
            self.order.pop_front();
        }
    }

    pub fn len(&self) -> usize {
        self.order.len()
    }

    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}

/// Removes rows that `is_known`, and copies within `rows`, of which the first stays. Returns how many went.
pub(crate) fn drop_copies(rows: &mut Vec<EventRow>, is_known: impl Fn(&EventRow) -> bool) -> u64 {
    let before = rows.len();
    let mut batch = HashSet::with_capacity(before);
    rows.retain(|row| !is_known(row) && batch.insert(row.event_id));
    (before - rows.len()) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000 + seconds, 0).unwrap()
    }

    fn row(number: u8) -> EventRow {
        let body = format!(
            "{{\"time\":1700000000,\"messages\":{{\"closedChat\":[{{\"chat\":{{\"id\":{number}}}}}]}}}}"
        );
        events::read_delivery(body.as_bytes(), at(0), events::Tz::UTC)
            .unwrap()
            .remove(0)
    }

    fn id(number: u8) -> EventId {
        row(number).event_id
    }

    /// Which of the rows numbered `offered` pass a window of `limits` after the `committed` (second, number) ones.
    fn check(limits: DedupLimits, committed: &[(i64, u8)], offered: &[u8], expected: &[u8]) {
        let mut dedup = Dedup::new(limits);
        dedup.remember(
            committed
                .iter()
                .map(|(second, number)| (at(*second), id(*number))),
        );
        let mut rows: Vec<EventRow> = offered.iter().copied().map(row).collect();
        let dropped = drop_copies(&mut rows, |row| dedup.knows(&row.event_id));
        let left: Vec<EventId> = rows.iter().map(|row| row.event_id).collect();
        assert_eq!(left, expected.iter().copied().map(id).collect::<Vec<_>>());
        assert_eq!(dropped as usize, offered.len() - expected.len());
    }

    const HOUR: DedupLimits = DedupLimits {
        window: Duration::from_secs(3600),
        max_ids: 3,
    };

    #[test]
    fn committed_events_and_copies_within_a_batch_are_dropped() {
        check(HOUR, &[(0, 1)], &[1, 2, 2, 3, 1, 3], &[2, 3]);
    }

    #[test]
    fn events_older_than_the_window_pass_again() {
        check(HOUR, &[(0, 1), (3600, 2)], &[1, 2], &[]);
        check(HOUR, &[(0, 1), (3601, 2)], &[1, 2], &[1]);
    }

    #[test]
    fn beyond_the_bound_the_oldest_are_forgotten() {
        check(HOUR, &[(0, 1), (1, 2), (2, 3), (3, 4)], &[1, 2, 3, 4], &[1]);
    }
}
