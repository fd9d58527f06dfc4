//! Doing a piece of work alone: under a lease that is renewed while the work goes on, and given back.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::error::LakeError;
use crate::lease::Lease;
use crate::location::Lake;

/// A dead holder's lease expires soon; a living one renews it well before.
const LEASE: TimeDelta = TimeDelta::seconds(20);
const RENEWED_EVERY: Duration = Duration::from_secs(5);
/// How often one who waits for a lease looks again.
pub(crate) const LOOKED_EVERY: Duration = Duration::from_millis(250);

/// What is to be done alone, by whom, and how long it may wait for its turn.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'a> {
    pub what: &'a str,
    /// Names this process to others.
    pub holder: &'a str,
    pub wait: TimeDelta,
    pub clock: fn() -> DateTime<Utc>,
}

impl Claim<'_> {
    /// Longer than a dead holder's lease.
    pub const UNTIL_EXPIRED: TimeDelta = TimeDelta::seconds(25);
}

impl Lake {
    /// Does the work while nobody else does it under the same name. Work that loses its lease, because the process
    /// was stopped for too long, is broken off at the next point where it waits.
    ///
    /// # Errors
    /// [`LakeError::Held`] if another holds the lease, also where it passed to another; those of the work.
    pub async fn alone<T, E: From<LakeError>>(
        &self,
        claim: Claim<'_>,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let mut lease = self.acquire(claim).await?;
        // On the heap: such work holds much, and may be done within other such work.
        let mut work = Box::pin(work);
        let mut renewals = tokio::time::interval(RENEWED_EVERY);
        renewals.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        renewals.tick().await;
        let result = loop {
            tokio::select! {
                // A lease that was lost is noticed before the work goes on.
                biased;
                _ = renewals.tick() => lease.renew(claim.holder, LEASE, (claim.clock)()).await?,
                result = &mut work => break result,
            }
        };
        if let Err(error) = lease.release().await {
            tracing::warn!(%error, lease = claim.what, "a lease was not given back and will expire");
        }
        result
    }

    async fn acquire(&self, claim: Claim<'_>) -> Result<Lease, LakeError> {
        let now = claim.clock;
        let give_up = now() + claim.wait;
        loop {
            match self.lease(claim.what, claim.holder, LEASE, now()).await {
                Err(LakeError::Held { .. }) if now() < give_up => {
                    tokio::time::sleep(LOOKED_EVERY).await;
                }
                result => return result,
            }
        }
    }
}
