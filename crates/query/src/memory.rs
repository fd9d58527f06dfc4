//! A memory pool that remembers the most that was reserved at a time, and does not let those who only hand rows on go short.
//!
//! Refused, a merge of sorted parts fails, since the sorts below it take all there is; it holds a few batches. So does a
//! repartition whose outputs are read alike, and one that is refused spills. Of which nearly all rows go to one output,
//! it would hold all that this is behind with: so it has a part of its own, beside what those that can spill share.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};

use datafusion::error::{DataFusionError, Result};
use datafusion::execution::memory_pool::{
    MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation,
};
use std::sync::Arc;

#[derive(Debug)]
pub(crate) struct PeakPool {
    inner: Arc<dyn MemoryPool>,
    peak: AtomicUsize,
    /// What all repartitions hold.
    on_its_way: AtomicUsize,
    on_its_way_at_most: usize,
}

/// Of what all others may have, so much again for rows between a repartition and its outputs.
const PART_ON_ITS_WAY: usize = 4;

impl PeakPool {
    pub fn over(inner: Arc<dyn MemoryPool>) -> Self {
        let on_its_way_at_most = match inner.memory_limit() {
            MemoryLimit::Finite(limit) => limit / PART_ON_ITS_WAY,
            MemoryLimit::Infinite | MemoryLimit::Unknown => usize::MAX,
        };
        Self {
            inner,
            peak: AtomicUsize::new(0),
            on_its_way: AtomicUsize::new(0),
            on_its_way_at_most,
        }
    }

    pub fn peak(&self) -> usize {
        self.peak.load(Ordering::Relaxed)
    }

    fn let_on_its_way(&self, additional: usize) -> Result<()> {
        let more =
            |held: usize| Some(held + additional).filter(|&all| all <= self.on_its_way_at_most);
        self.on_its_way
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
            .map(|_| ())
            .map_err(|_| DataFusionError::ResourcesExhausted("rows on their way".to_owned()))
    }

    fn remember(&self) {
        self.peak
            .fetch_max(self.inner.reserved(), Ordering::Relaxed);
    }
}

/// Who reserves, as far as it matters here.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Holder {
    Merge,
    Repartition,
    Other,
}

impl Holder {
    fn of(consumer: &MemoryConsumer) -> Holder {
        match consumer.name() {
            // Also one within a repartition that keeps an order: it cannot spill.
            name if name.starts_with("SortPreservingMergeExec[")
                || name.starts_with("RepartitionExec[Merge ") =>
            {
                Holder::Merge
            }
            name if name.starts_with("RepartitionExec[") => Holder::Repartition,
            _ => Holder::Other,
        }
    }
}

impl MemoryPool for PeakPool {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn register(&self, consumer: &MemoryConsumer) {
        // The others share what there is: who takes no share is not counted.
        if Holder::of(consumer) == Holder::Other {
            self.inner.register(consumer);
        }
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        if Holder::of(consumer) == Holder::Other {
            self.inner.unregister(consumer);
        }
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        if Holder::of(reservation.consumer()) == Holder::Repartition {
            self.on_its_way.fetch_add(additional, Ordering::Relaxed);
        }
        self.inner.grow(reservation, additional);
        self.remember();
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        if Holder::of(reservation.consumer()) == Holder::Repartition {
            self.on_its_way.fetch_sub(shrink, Ordering::Relaxed);
        }
        self.inner.shrink(reservation, shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        match Holder::of(reservation.consumer()) {
            Holder::Merge => self.inner.grow(reservation, additional),
            Holder::Repartition => {
                self.let_on_its_way(additional)?;
                self.inner.grow(reservation, additional);
            }
            Holder::Other => self.inner.try_grow(reservation, additional)?,
        }
        self.remember();
        Ok(())
    }

    fn reserved(&self) -> usize {
        self.inner.reserved()
    }

    fn memory_limit(&self) -> MemoryLimit {
        self.inner.memory_limit()
    }
}

impl fmt::Display for PeakPool {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        self.inner.fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::execution::memory_pool::FairSpillPool;

    #[test]
    fn who_hands_rows_on_takes_no_share_and_does_not_go_short() {
        let pool: Arc<dyn MemoryPool> = Arc::new(PeakPool::over(Arc::new(FairSpillPool::new(100))));
        let spills = |name: &str| {
            MemoryConsumer::new(name)
                .with_can_spill(true)
                .register(&pool)
        };
        let one = spills("RepartitionExec[0]");
        let other = spills("RepartitionExec[1]");
        let sort = spills("ExternalSorter[0]");
        let merge = MemoryConsumer::new("SortPreservingMergeExec[0]").register(&pool);
        assert!(sort.try_grow(100).is_ok());
        assert!(sort.try_grow(1).is_err());
        assert!(merge.try_grow(60).is_ok());
        let within = MemoryConsumer::new("RepartitionExec[Merge 0]").register(&pool);
        assert!(within.try_grow(60).is_ok());
        drop(within);
        assert!(one.try_grow(10).is_ok());
        assert!(other.try_grow(15).is_ok());
        // What piles up is spilled.
        assert!(other.try_grow(1).is_err());
        one.shrink(10);
        assert!(other.try_grow(10).is_ok());
        assert_eq!(pool.reserved(), 185);
        drop((sort, one, other, merge));
        assert_eq!(pool.reserved(), 0);
        assert!(spills("RepartitionExec[2]").try_grow(25).is_ok());
    }
}
