//! What a query has read so far, and what it could leave out: the sums of its plan's own counters.

use std::sync::Arc;

use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::metrics::{MetricValue, MetricsSet};
use lake::Table;

use crate::memory::PeakPool;

/// Of one statement. Bytes and files are those of the lake's tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Rows that the scans gave, after what they could filter themselves.
    pub rows_scanned: u64,
    pub files_read: u64,
    /// Files of the named tables that partitions and statistics ruled out.
    pub files_skipped: u64,
    pub bytes_read: u64,
    /// Of the named tables, in files, columns and row groups that were not needed.
    pub bytes_skipped: u64,
    /// Row groups that statistics and bloom filters ruled out within the files read.
    pub row_groups_skipped: u64,
    pub spilled_bytes: u64,
    /// The most that operators reserved at a time, of all the engine's queries.
    pub peak_reserved_bytes: u64,
}

/// Looks at a query while it runs, and after.
#[derive(Debug, Clone)]
pub struct Watch {
    plan: Arc<dyn ExecutionPlan>,
    /// The lake's tables that the query scans, once for each scan.
    tables: Vec<Table>,
    pool: Arc<PeakPool>,
}

impl Watch {
    pub(crate) fn new(
        plan: Arc<dyn ExecutionPlan>,
        tables: Vec<Table>,
        pool: Arc<PeakPool>,
    ) -> Self {
        Self { plan, tables, pool }
    }

    /// The size of the files that the query reads, of which it need not want all columns.
    pub fn bytes_to_read(&self) -> u64 {
        file_bytes(&self.plan)
    }

    pub fn stats(&self) -> Stats {
        let mut stats = Stats {
            peak_reserved_bytes: self.pool.peak() as u64,
            ..Stats::default()
        };
        add(&self.plan, &mut stats);
        let (mut files, mut bytes) = (0, 0);
        for (_, table_files, table_bytes) in self.tables.iter().filter_map(|t| t.totals().ok()) {
            files += table_files as u64;
            bytes += table_bytes;
        }
        stats.files_skipped = files.saturating_sub(stats.files_read);
        stats.bytes_skipped = bytes.saturating_sub(stats.bytes_read);
        stats
    }
}

/// What is read of a plan's files at most, once statistics have ruled others out: their sizes.
fn file_bytes(plan: &Arc<dyn ExecutionPlan>) -> u64 {
    let of_files = |scan: &FileScanConfig| -> u64 {
        let files = scan.file_groups.iter().flat_map(|group| group.files());
        files.map(PartitionedFile::effective_size).sum()
    };
    let own = plan
        .downcast_ref::<DataSourceExec>()
        .and_then(|source| source.data_source().downcast_ref::<FileScanConfig>())
        .map_or(0, of_files);
    own + plan.children().into_iter().map(file_bytes).sum::<u64>()
}

fn add(plan: &Arc<dyn ExecutionPlan>, stats: &mut Stats) {
    if let Some(metrics) = plan.metrics() {
        let is_source = plan.children().is_empty();
        if is_source {
            stats.rows_scanned += metrics.output_rows().unwrap_or_default() as u64;
        }
        stats.spilled_bytes += metrics.spilled_bytes().unwrap_or_default() as u64;
        stats.bytes_read += sum(&metrics, "bytes_scanned");
        stats.files_read += sum(&metrics, "count_files_scanned");
        stats.row_groups_skipped += pruned(&metrics, "row_groups_pruned_statistics")
            + pruned(&metrics, "row_groups_pruned_bloom_filter");
    }
    for child in plan.children() {
        add(child, stats);
    }
}

fn sum(metrics: &MetricsSet, name: &str) -> u64 {
    metrics
        .sum_by_name(name)
        .map_or(0, |value| value.as_usize() as u64)
}

fn pruned(metrics: &MetricsSet, wanted: &str) -> u64 {
    let pruned = metrics.iter().filter_map(|metric| match metric.value() {
        MetricValue::PruningMetrics {
            name,
            pruning_metrics,
        } if name == wanted => Some(pruning_metrics.pruned() as u64),
        _ => None,
    });
    pruned.sum()
}
