//! What the log says of refused requests: for each way to be refused one warning a minute at most, with how many there
//! were. Shows nothing of a request.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::answer::Refusal;
use crate::metrics::Outcome;

const EVERY: Duration = Duration::from_secs(60);
/// What has waited for its minute is told at most so much later.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Counts what is refused, and tells of it.
#[derive(Default)]
pub(super) struct Notices(Mutex<HashMap<Outcome, Account>>);

struct Account {
    told_at: Instant,
    untold: u64,
    /// The latest one's.
    reason: String,
    check: &'static str,
}

/// One warning.
#[derive(Debug, PartialEq, Eq)]
struct Notice {
    requests: u64,
    reason: String,
    check: &'static str,
}

impl Notices {
    /// The first one is told at once, what follows within a minute together.
    pub fn refused(&self, refusal: &Refusal) {
        if let Some(notice) = self.count(refusal, Instant::now()) {
            notice.tell();
        }
    }

    /// Tells what is still untold, each when its minute is over and all of it at the stop.
    pub async fn follow(&self, mut stop: watch::Receiver<bool>) {
        let mut looks = tokio::time::interval(LOOK_EVERY);
        let mut stopped = false;
        while !stopped {
            tokio::select! {
                _ = looks.tick() => {}
                _ = stop.wait_for(|stop| *stop) => stopped = true,
            }
            let least = if stopped { Duration::ZERO } else { EVERY };
            for notice in self.due(Instant::now(), least) {
                notice.tell();
            }
        }
    }

    fn count(&self, refusal: &Refusal, now: Instant) -> Option<Notice> {
        let mut accounts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (reason, check) = (refusal.error(), refusal.check());
        let Some(account) = accounts.get_mut(&refusal.outcome()) else {
            let account = Account {
                told_at: now,
                untold: 0,
                reason: reason.clone(),
                check,
            };
            accounts.insert(refusal.outcome(), account);
            return Some(Notice {
                requests: 1,
                reason,
                check,
            });
        };
        (account.reason, account.check) = (reason, check);
        account.untold += 1;
        account.notice(now, EVERY)
    }

    fn due(&self, now: Instant, least: Duration) -> Vec<Notice> {
        let mut accounts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let accounts = accounts.values_mut();
        accounts
            .filter_map(|account| account.notice(now, least))
            .collect()
    }
}

impl Account {
    fn notice(&mut self, now: Instant, least: Duration) -> Option<Notice> {
        let is_due = self.untold > 0 && now.saturating_duration_since(self.told_at) >= least;
        is_due.then(|| {
            self.told_at = now;
            Notice {
                requests: std::mem::take(&mut self.untold),
                reason: self.reason.clone(),
                check: self.check,
            }
        })
    }
}

impl Notice {
    fn tell(self) {
        let Notice {
            requests,
            reason,
            check,
        } = self;
        tracing::warn!(
            requests,
            reason,
            check,
            "requests to the webhook were refused"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_to_be_refused_is_told_once_a_minute_with_its_count() {
        let notices = Notices::default();
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let requests = |notice: Option<Notice>| notice.map(|notice| notice.requests);
        assert_eq!(
            requests(notices.count(&Refusal::WrongToken, start)),
            Some(1)
        );
        for second in 1..60 {
            assert_eq!(notices.count(&Refusal::NoTokenSent, at(second)), None);
        }
        // Another way has its own minute.
        let other = notices.count(&Refusal::NotADelivery, at(1));
        assert_eq!(requests(other), Some(1));
        assert_eq!(notices.due(at(59), EVERY), []);
        let due = notices.due(at(60), EVERY);
        assert_eq!(due.len(), 1, "{due:?}");
        assert_eq!(due[0].requests, 59);
        assert_eq!(due[0].reason, Refusal::NoTokenSent.error());
        assert!(due[0].check.contains("tokens"), "{}", due[0].check);
        // The next one may come long after.
        assert_eq!(notices.due(at(600), Duration::ZERO), []);
        let next = notices.count(&Refusal::WrongToken, at(600));
        assert_eq!(requests(next), Some(1));
    }
}
