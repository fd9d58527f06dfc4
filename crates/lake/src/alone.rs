//! Doing a piece of work alone: under a lease that is renewed while the work goes on, and given back.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

use crate::error::LakeError;
use crate::lease::{Attempt, Lease, held};
use crate::location::Lake;

/// How long a lease runs, and how often it is renewed.
#[derive(Debug, Clone, Copy)]
struct Terms {
    lease: Duration,
    renewed_every: Duration,
    /// Where the storage did not answer.
    tried_again_after: Duration,
}

/// A dead holder's lease expires soon; a living one renews it well before.
const TERMS: Terms = Terms {
    lease: Duration::from_secs(20),
    renewed_every: Duration::from_secs(5),
    tried_again_after: Duration::from_secs(1),
};
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
    /// was stopped for too long or could not reach the storage for so long, is broken off at the next point where it
    /// waits.
    ///
    /// # Errors
    /// [`LakeError::Held`] if another holds the lease, also where it passed to another; those of the work.
    pub async fn alone<T, E: From<LakeError>>(
        &self,
        claim: Claim<'_>,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        self.alone_on(TERMS, claim, work).await
    }

    async fn alone_on<T, E: From<LakeError>>(
        &self,
        terms: Terms,
        claim: Claim<'_>,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let (lease, asked) = self.acquire(terms, claim).await?;
        let (done, is_done) = oneshot::channel::<()>();
        let (runs_until, mut runs) = watch::channel(asked + terms.lease);
        let mut keeper = tokio::spawn(
            Keeper {
                lease,
                terms,
                what: claim.what.to_owned(),
                holder: claim.holder.to_owned(),
                clock: claim.clock,
                runs_until,
            }
            .keep(asked, is_done),
        );
        // On the heap: such work holds much, and may be done within other such work.
        let mut work = Box::pin(work);
        let result = loop {
            let runs_until = *runs.borrow_and_update();
            // Not while the lease may be lost.
            let guarded = poll_fn(|context| {
                if Instant::now() < runs_until {
                    work.as_mut().poll(context)
                } else {
                    Poll::Pending
                }
            });
            tokio::select! {
                biased;
                lost = &mut keeper => {
                    let Ok(Err(error)) = lost else {
                        return Err(unanswered(claim.what).into());
                    };
                    return Err(error.into());
                }
                result = guarded => break result,
                Ok(()) = runs.changed() => {}
            }
        };
        drop(done);
        // A lease that was lost in the last moment changes nothing any more.
        let _ = keeper.await;
        result
    }

    /// The lease, and when it was asked for.
    ///
    /// Whoever lives renews his lease, which gives it another number. One that stands unchanged for as long as a lease
    /// runs is dead, whatever its holder's clock was. One that says that it ran out, or that it runs for longer than any
    /// does, is worth watching for so long, by whoever would not wait.
    async fn acquire(&self, terms: Terms, claim: Claim<'_>) -> Result<(Lease, Instant), LakeError> {
        let Claim { what, holder, .. } = claim;
        let wait = claim.wait.to_std().unwrap_or_default();
        let began = Instant::now();
        // The number that stands, and since when it is known to.
        let mut standing: Option<(u64, Instant)> = None;
        let mut was_renewed = false;
        loop {
            let (asked, now) = (Instant::now(), (claim.clock)());
            let dead = standing
                .filter(|(_, since)| asked - *since >= terms.lease)
                .map(|(number, _)| number);
            let attempt = self.try_lease(what, holder, terms.duration(), now, dead);
            let (number, record) = match attempt.await? {
                Attempt::Taken(lease) => return Ok((lease, asked)),
                Attempt::Held(number, record) => (number, record),
            };
            if standing.is_none_or(|(same, _)| same != number) {
                was_renewed = standing.is_some();
                if record.expires_at <= now {
                    tracing::info!(
                        lease = what,
                        holder = record.holder,
                        "a lease that ran out is watched for 20 s, as its holder may live"
                    );
                }
                standing = Some((number, Instant::now()));
            }
            // Clocks may differ a little.
            let is_credible =
                record.expires_at > now && record.expires_at <= now + terms.duration() * 2;
            if began.elapsed() >= wait && (was_renewed || is_credible) {
                return Err(held(what, &record));
            }
            tokio::time::sleep(LOOKED_EVERY).await;
        }
    }
}

/// Renews a lease while the work goes on, in a task of its own: work may go on for long without waiting for anything, so
/// that the runtime must have another thread.
struct Keeper {
    lease: Lease,
    terms: Terms,
    what: String,
    holder: String,
    clock: fn() -> DateTime<Utc>,
    /// Told to whoever works.
    runs_until: watch::Sender<Instant>,
}

impl Keeper {
    /// Until the work is done or given up. Fails once the lease is lost.
    async fn keep(
        mut self,
        mut asked: Instant,
        mut is_done: oneshot::Receiver<()>,
    ) -> Result<(), LakeError> {
        let terms = self.terms;
        // Others count from when they saw it, which was later, or by its record, which says as much.
        let mut runs_until = asked + terms.lease;
        let mut renewed_at = asked + terms.renewed_every;
        loop {
            tokio::select! {
                biased;
                _ = &mut is_done => break,
                () = tokio::time::sleep_until(renewed_at) => {}
            }
            asked = Instant::now();
            // A renewal is several requests, of which a slow store takes seconds for each; one that hangs is given up in
            // time for another attempt.
            let answered_by = if asked < runs_until {
                runs_until.min(asked + terms.lease / 2)
            } else {
                asked + terms.lease
            };
            let renewal = self
                .lease
                .renew(&self.holder, terms.duration(), (self.clock)());
            let renewed = tokio::select! {
                biased;
                _ = &mut is_done => break,
                renewed = tokio::time::timeout_at(answered_by, renewal) => renewed,
            };
            match renewed.unwrap_or_else(|_| Err(unanswered(&self.what))) {
                Ok(()) => {
                    runs_until = asked + terms.lease;
                    renewed_at = asked + terms.renewed_every;
                    self.runs_until.send_replace(runs_until);
                }
                Err(error @ LakeError::Storage { .. }) if Instant::now() < runs_until => {
                    tracing::warn!(%error, lease = self.what, "a lease was not renewed; it runs on, and is tried again");
                    renewed_at = runs_until.min(Instant::now() + terms.tried_again_after);
                }
                Err(error) => return Err(error),
            }
        }
        let released = tokio::time::timeout_at(runs_until, self.lease.release()).await;
        if let Err(error) = released.unwrap_or_else(|_| Err(unanswered(&self.what))) {
            tracing::warn!(%error, lease = self.what, "a lease was not given back and will expire");
        }
        Ok(())
    }
}

fn unanswered(what: &str) -> LakeError {
    LakeError::storage(format!("renewing the lease on {what}"))(object_store::Error::Generic {
        store: "lake",
        source: "the storage gave no answer in time".into(),
    })
}

impl Terms {
    fn duration(self) -> TimeDelta {
        TimeDelta::from_std(self.lease).unwrap_or(TimeDelta::MAX)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;
    use std::sync::Arc;
    use std::sync::atomic::Ordering;

    use tempfile::TempDir;

    use super::*;
    use crate::lease::tests::hanging;

    const SHORT: Terms = Terms {
        lease: Duration::from_secs(2),
        renewed_every: Duration::from_millis(100),
        tried_again_after: Duration::from_millis(50),
    };

    /// A lake whose storage of leases can be away.
    struct World {
        folder: TempDir,
        lake: Lake,
    }

    impl World {
        fn new() -> World {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let lake = Lake::open(&folder.path().display().to_string(), []).expect("a lake");
            World { folder, lake }
        }

        fn path(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }

        fn leave(&self) {
            fs::rename(self.path("_leases"), self.path("away")).expect("taking the leases away");
            fs::write(self.path("_leases"), "in the way").expect("a file");
        }

        fn come_back(&self) {
            fs::remove_file(self.path("_leases")).expect("removing the file");
            fs::rename(self.path("away"), self.path("_leases")).expect("bringing them back");
        }

        /// Does the work alone, without waiting for its turn.
        async fn alone<T>(
            &self,
            work: impl Future<Output = Result<T, LakeError>>,
        ) -> Result<T, LakeError> {
            let claim = Claim {
                what: "work",
                holder: "one",
                wait: TimeDelta::zero(),
                clock: Utc::now,
            };
            self.lake.alone_on(SHORT, claim, work).await
        }
    }

    async fn milliseconds(count: u64) {
        tokio::time::sleep(Duration::from_millis(count)).await;
    }

    #[tokio::test]
    async fn work_goes_on_while_the_storage_is_away_for_less_than_the_lease_and_not_for_longer() {
        let world = World::new();
        let work = async {
            world.leave();
            milliseconds(500).await;
            world.come_back();
            milliseconds(2_000).await;
            Ok("done")
        };
        assert_eq!(world.alone(work).await.expect("the work"), "done");
        let began = Instant::now();
        let work = async {
            world.leave();
            milliseconds(60_000).await;
            Ok("done")
        };
        let done = world.alone(work).await;
        assert!(matches!(done, Err(LakeError::Storage { .. })), "{done:?}");
        let took = began.elapsed();
        assert!(took >= SHORT.lease && took < SHORT.lease * 2, "{took:?}");
    }

    #[tokio::test]
    async fn work_goes_on_while_a_renewal_has_no_answer_and_not_beyond_its_lease() {
        let (lake, hangs) = hanging();
        let claim = Claim {
            what: "work",
            holder: "one",
            wait: TimeDelta::zero(),
            clock: Utc::now,
        };
        let outage_of = |length: u64| {
            let hangs = Arc::clone(&hangs);
            async move {
                hangs.store(true, Ordering::SeqCst);
                milliseconds(length).await;
                hangs.store(false, Ordering::SeqCst);
                milliseconds(2_000).await;
                Ok::<_, LakeError>("done")
            }
        };
        let began = Instant::now();
        let done = lake.alone_on(SHORT, claim, outage_of(500)).await;
        assert_eq!(done.expect("the work"), "done");
        let took = began.elapsed();
        assert!(took < Duration::from_millis(3_500), "{took:?}");
        let began = Instant::now();
        let done = lake.alone_on(SHORT, claim, outage_of(60_000)).await;
        assert!(matches!(done, Err(LakeError::Storage { .. })), "{done:?}");
        let took = began.elapsed();
        assert!(took >= SHORT.lease && took < SHORT.lease * 3, "{took:?}");
    }

    /// A lease of the holder's, by a clock that is wrong, is respected while he renews it, and no longer.
    async fn check_by_clock(clock: fn() -> DateTime<Utc>) {
        let world = World::new();
        let term = TimeDelta::seconds(2);
        let lease = world.lake.lease("work", "other", term, clock());
        let mut lease = lease.await.expect("free");
        let living = async {
            loop {
                milliseconds(300).await;
                let renewed = lease.renew("other", term, clock()).await;
                renewed.expect("renewed");
            }
        };
        tokio::select! {
            () = living => {}
            done = world.alone(async { Ok(()) }) => {
                assert!(matches!(done, Err(LakeError::Held { .. })), "{done:?}");
            }
        }
        let began = Instant::now();
        let done = tokio::time::timeout(SHORT.lease * 5, world.alone(async { Ok(()) })).await;
        done.expect("in time").expect("nobody renews it any more");
        assert!(began.elapsed() >= SHORT.lease);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn work_that_waits_for_nothing_keeps_its_lease() {
        let world = World::new();
        let work = async {
            std::thread::sleep(SHORT.lease * 2);
            milliseconds(300).await;
            Ok("done")
        };
        assert_eq!(world.alone(work).await.expect("the work"), "done");
    }

    #[tokio::test]
    async fn work_that_is_given_up_gives_its_lease_back() {
        let world = World::new();
        let never = world.alone(std::future::pending::<Result<(), LakeError>>());
        let given_up = tokio::time::timeout(Duration::from_millis(200), never).await;
        assert!(given_up.is_err());
        milliseconds(100).await;
        world.alone(async { Ok(()) }).await.expect("it is free");
    }

    #[tokio::test]
    async fn a_lease_by_a_clock_that_was_ahead_is_respected_only_while_it_is_renewed() {
        check_by_clock(|| Utc::now() + TimeDelta::days(1_000)).await;
    }

    #[tokio::test]
    async fn a_lease_by_a_clock_that_was_behind_is_respected_while_it_is_renewed() {
        check_by_clock(|| Utc::now() - TimeDelta::minutes(5)).await;
    }

    #[tokio::test]
    async fn those_who_come_at_the_same_time_take_turns_or_hear_who_came_first() {
        let world = World::new();
        let all = (0..16).map(|_| world.alone(async { Ok(()) }));
        for done in futures::future::join_all(all).await {
            let is_told = |error: &LakeError| matches!(error, LakeError::Held { holder, .. } if holder == "one");
            assert!(done.as_ref().err().is_none_or(is_told), "{done:?}");
        }
    }
}
