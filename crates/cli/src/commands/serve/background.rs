//! What `serve` does beside receiving: it brings the facts up to date and maintains the lake, each every so often. On
//! threads of its own, so that neither ever delays an answer to the platform.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use chrono::Utc;
use ingest::Metrics;
use lake::{Effort, Lake, LakeError, TableReport};
use tokio::sync::watch;
use transform::{Mode, TransformError};

use crate::commands::{holder, maintain};
use crate::config::Config;
use crate::threads;

/// The work that the settings ask for.
pub fn start(
    config: &Config,
    lake: &Lake,
    metrics: &Metrics,
    stopped: &watch::Receiver<bool>,
) -> Vec<JoinHandle<()>> {
    let transform = config.transform_every.map(|every| {
        metrics.transform_starts(Utc::now());
        let (lake, rules, metrics) = (lake.clone(), config.rules.clone(), metrics.clone());
        let failed = metrics.clone();
        let once = move || transform_once(lake.clone(), rules.clone(), metrics.clone());
        repeat(
            "transform",
            every,
            once,
            move || failed.transform_failed(),
            stopped,
        )
    });
    let maintain = config.maintain_every.map(|every| {
        let (lake, config, metrics) = (lake.clone(), Arc::new(config.clone()), metrics.clone());
        let failed = metrics.clone();
        let once = move || maintain_once(lake.clone(), Arc::clone(&config), metrics.clone());
        repeat(
            "maintain",
            every,
            once,
            move || failed.maintenance_failed(),
            stopped,
        )
    });
    transform.into_iter().chain(maintain).collect()
}

/// Waits until all of it has ended, or until the grace is over; the rest ends with the process.
pub async fn wait_for(mut work: Vec<JoinHandle<()>>, grace: Duration) {
    let deadline = Instant::now() + grace;
    loop {
        for ended in work.extract_if(.., |thread| thread.is_finished()) {
            // It catches what breaks off in it.
            let _ = ended.join();
        }
        if work.is_empty() || Instant::now() >= deadline {
            // Detached while they end they might crash; see `threads::end`.
            return std::mem::forget(work);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn repeat<F: Future<Output = ()> + Send + 'static>(
    command: &'static str,
    every: Duration,
    once: impl Fn() -> F + Send + 'static,
    broke_off: impl Fn() + Send + 'static,
    stopped: &watch::Receiver<bool>,
) -> JoinHandle<()> {
    let mut stopped = stopped.clone();
    let work = async move {
        let mut ticks = tokio::time::interval(every);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                _ = stopped.wait_for(|stopped| *stopped) => return,
            }
            // A defect in one run must not end all later ones.
            if let Err(error) = tokio::spawn(once()).await {
                broke_off();
                tracing::error!(%error, "`{command}` broke off in the background; the next run tries again");
            }
        }
    };
    std::thread::spawn(move || {
        // The work may wait for nothing for long, while its lease must be renewed.
        let runtime = threads::builder().worker_threads(2).build();
        match runtime {
            Ok(runtime) => runtime.block_on(work),
            Err(error) => {
                tracing::error!(%error, "`{command}` cannot run in the background; run `huggy-etl {command}` instead");
            }
        }
    })
}

async fn transform_once(lake: Lake, rules: transform::Settings, metrics: Metrics) {
    let (began, as_of) = (Instant::now(), Utc::now());
    match transform::run(&lake, &rules, Mode::Incremental, &holder(), Utc::now).await {
        Ok(report) => {
            metrics.transform_finished(began.elapsed(), as_of);
            if let Some(reason) = report.rebuilt_because {
                tracing::info!(
                    reason,
                    chats = report.chats,
                    events = report.events,
                    "all facts rebuilt"
                );
            } else if report.chats > 0 {
                tracing::info!(
                    chats = report.chats,
                    events = report.events,
                    "facts brought up to date"
                );
            }
        }
        Err(TransformError::Lake(LakeError::Held { holder, .. })) => {
            tracing::info!(holder, "another process brings the facts up to date");
        }
        Err(error) => {
            metrics.transform_failed();
            tracing::error!(%error, "the facts were not brought up to date; the next run tries again");
        }
    }
}

async fn maintain_once(lake: Lake, config: Arc<Config>, metrics: Metrics) {
    let began = Instant::now();
    let maintenance = maintain::maintenance(&config, Effort::Steady, Utc::now());
    let tell = |report: &TableReport| tell(report);
    match lake.maintain(&maintenance, &holder(), Utc::now, tell).await {
        Ok(reports) => {
            let sum = |of: fn(&TableReport) -> u64| reports.iter().map(of).sum::<u64>();
            metrics.maintenance_finished(began.elapsed(), sum(|report| report.compacted.copies));
            if reports.iter().any(|report| report.failed.is_some()) {
                metrics.maintenance_failed();
            }
            if let Some(date) = reports.iter().find_map(|report| report.ages_from) {
                tracing::warn!("{}", maintain::about_ages(date));
            }
        }
        Err(LakeError::Held { holder, .. }) => {
            tracing::debug!(holder, "another process maintains the lake");
        }
        Err(error) => {
            metrics.maintenance_failed();
            tracing::error!(%error, "the lake was not maintained; the next run tries again");
        }
    }
}

fn tell(report: &TableReport) {
    if let Some(left) = &report.left {
        tracing::info!(
            table = report.table,
            left,
            "maintenance left something for its next run"
        );
    }
    if let Some(error) = &report.failed {
        tracing::error!(
            table = report.table,
            error,
            "a table was not maintained wholly; `huggy-etl verify` tells what is wrong with it"
        );
    }
    if let Some(unread) = maintain::about_unread(report) {
        tracing::warn!(table = report.table, "{unread}");
    }
    let (compacted, expired) = (report.compacted, report.expired);
    if compacted.groups > 0 || expired.files > 0 {
        tracing::info!(
            table = report.table,
            files_in = compacted.files_in,
            files_out = compacted.files_out,
            bytes = compacted.bytes_in,
            copies_dropped = compacted.copies,
            expired_rows = expired.rows,
            "table maintained"
        );
    }
}
