//! A memory pool that remembers the most that was reserved at a time, and refuses none of those who only hand rows on.
//!
//! Refused, a merge of sorted parts fails, since the sorts below it take all there is; and a repartition spills, which may
//! wait for itself for good (DataFusion's issue 24883). A merge holds a few batches. So does a repartition whose outputs
//! are read alike; one of which nearly all rows go to one output holds what that is behind with, whatever the limit.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};

use datafusion::error::Result;
use datafusion::execution::memory_pool::{
    MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation,
};
use std::sync::Arc;

#[derive(Debug)]
pub(crate) struct PeakPool {
    inner: Arc<dyn MemoryPool>,
    peak: AtomicUsize,
}

impl PeakPool {
    pub fn over(inner: Arc<dyn MemoryPool>) -> Self {
        Self {
            inner,
            peak: AtomicUsize::new(0),
        }
    }

    pub fn peak(&self) -> usize {
        self.peak.load(Ordering::Relaxed)
    }

    /// Whether it holds rows only on their way from one operator to the next.
    fn hands_on(consumer: &MemoryConsumer) -> bool {
        let name = consumer.name();
        ["RepartitionExec[", "SortPreservingMergeExec["]
            .iter()
            .any(|kind| name.starts_with(kind))
    }

    fn remember(&self) {
        self.peak
            .fetch_max(self.inner.reserved(), Ordering::Relaxed);
    }
}

impl MemoryPool for PeakPool {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn register(&self, consumer: &MemoryConsumer) {
        // The others share what there is: who takes no share is not counted.
        if !Self::hands_on(consumer) {
            self.inner.register(consumer);
        }
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        if !Self::hands_on(consumer) {
            self.inner.unregister(consumer);
        }
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.inner.grow(reservation, additional);
        self.remember();
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.inner.shrink(reservation, shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        match Self::hands_on(reservation.consumer()) {
            true => self.inner.grow(reservation, additional),
            false => self.inner.try_grow(reservation, additional)?,
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
    fn who_hands_rows_on_is_never_refused_and_takes_no_share() {
        let pool: Arc<dyn MemoryPool> = Arc::new(PeakPool::over(Arc::new(FairSpillPool::new(100))));
        let consumer = |name: &str| MemoryConsumer::new(name);
        let repartition = consumer("RepartitionExec[0]").with_can_spill(true);
        let repartition = repartition.register(&pool);
        let sort = consumer("ExternalSorter[0]").with_can_spill(true);
        let sort = sort.register(&pool);
        let merge = consumer("SortPreservingMergeExec[0]").register(&pool);
        assert!(sort.try_grow(100).is_ok());
        assert!(sort.try_grow(1).is_err());
        assert!(repartition.try_grow(10).is_ok());
        assert!(merge.try_grow(10).is_ok());
        assert_eq!(pool.reserved(), 120);
        drop((sort, repartition, merge));
        assert_eq!(pool.reserved(), 0);
    }
}
