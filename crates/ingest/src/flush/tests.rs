use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures::TryStreamExt;
use tempfile::TempDir;
use tokio::task::JoinHandle;

use super::*;
use crate::table::{event_ids, events_table};
use crate::wal::{Limits, OpenError, RealDisk};

/// A lake and a log on disk, and process starts in between.
struct World {
    dir: TempDir,
}

/// One process start.
struct Start {
    wal: Wal,
    stop: watch::Sender<bool>,
    metrics: Metrics,
    flusher: JoinHandle<Result<(), FlushStopped>>,
}

/// Nothing is due by itself before the test ends.
const NEVER: FlushPolicy = FlushPolicy {
    interval: Duration::from_secs(3600),
    max_bytes: 64 << 20,
    max_rows: 200_000,
};
const EAGER: FlushPolicy = FlushPolicy {
    interval: Duration::ZERO,
    ..NEVER
};

impl World {
    fn new() -> Self {
        Self {
            dir: TempDir::new().unwrap(),
        }
    }

    fn wal_dir(&self) -> PathBuf {
        self.dir.path().join("wal")
    }

    fn lake_dir(&self) -> PathBuf {
        self.dir.path().join("lake")
    }

    fn lake(&self) -> Lake {
        Lake::open(self.lake_dir().to_str().unwrap(), []).unwrap()
    }

    /// A killed start's last blocking call may hold the lock a moment longer than its tasks live.
    fn open_wal(&self) -> Opened {
        for _ in 0..1000 {
            let (id, limits) = (Uuid::new_v4(), Limits::default());
            match Wal::open(&self.wal_dir(), id, limits, Arc::new(RealDisk)) {
                Err(OpenError::Locked { .. }) => std::thread::sleep(Duration::from_millis(10)),
                opened => return opened.unwrap(),
            }
        }
        panic!("the log of a killed start stays locked");
    }

    fn start(&self, policy: FlushPolicy) -> Start {
        let opened = self.open_wal();
        let wal = opened.wal.clone();
        let metrics = Metrics::new();
        let settings = FlushSettings {
            lake: self.lake(),
            policy,
            dedup: DedupLimits::default(),
            zone: Tz::UTC,
            metrics: metrics.clone(),
            clock: now,
            hindrance: watch::Sender::new(None),
        };
        let (stop, stopped) = watch::channel(false);
        Start {
            wal,
            stop,
            metrics,
            flusher: tokio::spawn(run(settings, opened, stopped)),
        }
    }

    /// The payloads of the table, sorted.
    async fn stored(&self) -> Vec<String> {
        let table = self.lake().table(&events_table()).await.unwrap();
        let batches: Vec<_> = table
            .read(&["payload"], None)
            .await
            .unwrap()
            .try_collect()
            .await
            .unwrap();
        let mut payloads = Vec::new();
        for batch in batches {
            let text =
                arrow::compute::cast(batch.column(0), &arrow::datatypes::DataType::Utf8).unwrap();
            let text = arrow::array::AsArray::as_string::<i32>(&text);
            payloads.extend(text.iter().map(|payload| payload.unwrap().to_owned()));
        }
        payloads.sort();
        payloads
    }

    fn wal_entries(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.wal_dir()).unwrap();
        entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name != "lock")
            .collect()
    }
}

impl Start {
    async fn accept(&self, chats: impl IntoIterator<Item = u32>) {
        for chat in chats {
            self.wal.append(delivery(chat), now()).await.unwrap();
        }
    }

    /// As after SIGTERM.
    async fn finish(self) -> Metrics {
        self.wal.close().await;
        self.stop.send_replace(true);
        self.flusher.await.unwrap().unwrap();
        self.metrics
    }

    /// As near to `kill -9` as a task comes.
    async fn kill(self) {
        self.flusher.abort();
        let _ = self.flusher.await;
        self.wal.close().await;
    }

    async fn until(&self, condition: impl Fn(&str) -> bool) {
        while !condition(&self.metrics.render(now())) {
            assert!(!self.flusher.is_finished());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000, 0).unwrap()
}

fn payload(chat: u32) -> String {
    format!("{{\"chat\":{{\"id\":{chat}}}}}")
}

fn delivery(chat: u32) -> Bytes {
    let payload = payload(chat);
    Bytes::from(format!(
        "{{\"time\":1700000000,\"messages\":{{\"startedChat\":[{payload}]}},\"token\":\"t\"}}"
    ))
}

fn payloads(chats: impl IntoIterator<Item = u32>) -> Vec<String> {
    let mut payloads: Vec<String> = chats.into_iter().map(payload).collect();
    payloads.sort();
    payloads
}

#[tokio::test]
async fn what_was_accepted_is_in_the_lake_after_a_clean_stop_and_the_log_is_gone() {
    let world = World::new();
    let start = world.start(NEVER);
    start.accept(0..50).await;
    let metrics = start.finish().await.render(now());
    assert_eq!(world.stored().await, payloads(0..50));
    assert_eq!(world.wal_entries(), Vec::<String>::new());
    assert!(
        metrics.contains("huggy_etl_events_total{event_type=\"startedChat\"} 50\n"),
        "{metrics}"
    );
    assert!(
        metrics.contains("huggy_etl_commit_duration_seconds_count 1\n"),
        "{metrics}"
    );
}

#[tokio::test]
async fn deliveries_are_flushed_when_they_are_old_enough() {
    let world = World::new();
    let start = world.start(EAGER);
    start.accept([1]).await;
    start
        .until(|metrics| metrics.contains("flushed_rows_total 1\n"))
        .await;
    start.accept([2]).await;
    start
        .until(|metrics| metrics.contains("flushed_rows_total 2\n"))
        .await;
    start.kill().await;
    assert_eq!(world.stored().await, payloads([1, 2]));
}

#[tokio::test]
async fn deliveries_are_flushed_when_they_are_many_or_large_enough() {
    for policy in [
        FlushPolicy {
            max_rows: 10,
            ..NEVER
        },
        FlushPolicy {
            max_bytes: 500,
            ..NEVER
        },
    ] {
        let world = World::new();
        let start = world.start(policy);
        start.accept(0..30).await;
        // What is left after the last batch that was due may be less than one.
        let flushed = |metrics: &str| {
            let line = "huggy_etl_flushed_rows_total ";
            let rows = metrics.lines().find_map(|shown| shown.strip_prefix(line));
            rows.and_then(|rows| rows.parse().ok()).unwrap_or(0)
        };
        start.until(|metrics| flushed(metrics) > 20).await;
        start.finish().await;
        assert_eq!(world.stored().await, payloads(0..30));
    }
}

#[tokio::test]
async fn starts_that_were_killed_lose_nothing_and_double_nothing() {
    let world = World::new();
    for round in 0..5 {
        let start = world.start(if round % 2 == 0 { NEVER } else { EAGER });
        start.accept(round * 20..(round + 1) * 20).await;
        start.kill().await;
    }
    world.start(NEVER).finish().await;
    assert_eq!(world.stored().await, payloads(0..100));
    assert_eq!(world.wal_entries(), Vec::<String>::new());
}

#[tokio::test]
async fn a_log_that_was_committed_but_not_released_is_not_stored_again() {
    let world = World::new();
    let start = world.start(NEVER);
    start.accept(0..10).await;
    start.wal.close().await;
    let copy = world.dir.path().join("copy");
    copy_tree(&world.wal_dir(), &copy);
    start.finish().await;
    // The crash came after the commit, before anything was removed. Without a window only the offset can tell.
    std::fs::remove_dir_all(world.wal_dir()).unwrap();
    std::fs::rename(&copy, world.wal_dir()).unwrap();

    let again = world.start(NEVER);
    again.accept(10..12).await;
    let metrics = again.finish().await.render(now());
    assert_eq!(world.stored().await, payloads(0..12));
    assert!(
        metrics.contains("huggy_etl_duplicates_total 0\n"),
        "{metrics}"
    );
}

#[tokio::test]
async fn redeliveries_are_dropped_within_a_batch_across_batches_and_across_starts() {
    let world = World::new();
    let start = world.start(EAGER);
    start.accept([1, 1, 2]).await;
    start
        .until(|metrics| metrics.contains("flushed_rows_total 2\n"))
        .await;
    start.accept([2, 1, 3]).await;
    start.finish().await;
    let start = world.start(NEVER);
    start.accept([3, 1, 4]).await;
    let metrics = start.finish().await.render(now());
    assert_eq!(world.stored().await, payloads([1, 2, 3, 4]));
    assert!(
        metrics.contains("huggy_etl_duplicates_total 2\n"),
        "{metrics}"
    );
}

#[tokio::test]
async fn an_outage_of_the_lake_is_waited_out() {
    let world = World::new();
    std::fs::create_dir_all(world.lake_dir()).unwrap();
    std::fs::write(world.lake_dir().join("events"), "in the way").unwrap();
    let start = world.start(EAGER);
    start.accept(0..5).await;
    start
        .until(|metrics| !metrics.contains("flush_failures_total 0\n"))
        .await;
    std::fs::remove_file(world.lake_dir().join("events")).unwrap();
    start
        .until(|metrics| metrics.contains("flushed_rows_total 5\n"))
        .await;
    start.kill().await;
    assert_eq!(world.stored().await, payloads(0..5));
}

#[tokio::test]
async fn an_accepted_body_that_is_no_delivery_is_set_aside_and_holds_up_nothing() {
    let world = World::new();
    let start = world.start(NEVER);
    start.accept([1]).await;
    start
        .wal
        .append(Bytes::from_static(b"[]"), now())
        .await
        .unwrap();
    start.accept([2]).await;
    start.finish().await;
    assert_eq!(world.stored().await, payloads([1, 2]));
    let kept = std::fs::read_dir(world.wal_dir().join("damaged"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    assert_eq!(std::fs::read(kept.path()).unwrap(), b"[]");
}

#[tokio::test]
async fn ids_read_back_from_the_table_are_the_ids_of_the_rows() {
    let world = World::new();
    let start = world.start(NEVER);
    start.accept([7]).await;
    start.finish().await;
    let table = world.lake().table(&events_table()).await.unwrap();
    let batches: Vec<_> = table
        .read(&["event_id"], None)
        .await
        .unwrap()
        .try_collect()
        .await
        .unwrap();
    let row = events::read_delivery(&delivery(7), now(), Tz::UTC)
        .unwrap()
        .remove(0);
    assert_eq!(event_ids(batches[0].column(0)), [Some(row.event_id)]);
}

#[tokio::test]
async fn a_delivery_of_very_many_items_becomes_rows_little_by_little_and_one_batch() {
    let world = World::new();
    let opened = world.open_wal();
    let items: Vec<String> = (0..35).chain(0..35).map(payload).collect();
    let body = format!(
        "{{\"time\":1700000000,\"messages\":{{\"startedChat\":[{}]}}}}",
        items.join(",")
    );
    opened.wal.append(Bytes::from(body), now()).await.unwrap();
    opened.wal.append(delivery(3), now()).await.unwrap();
    let mut batcher = Batcher {
        log: opened.reader,
        after: 0,
        dedup: Arc::new(Mutex::new(Dedup::new(DedupLimits::default()))),
        policy: NEVER,
        rows_at_once: 10,
        zone: Tz::UTC,
        metrics: Metrics::new(),
    };
    let batch = batcher.next().unwrap().unwrap();
    let rows: Vec<usize> = batch.rows.iter().map(|rows| rows.num_rows()).collect();
    assert_eq!(rows, [10, 10, 10, 5]);
    assert_eq!((batch.last_offset, batch.ids.len()), (2, 35));
    assert_eq!(batch.counts.duplicates, 36);
    assert_eq!(batch.counts.rows[&Some("startedChat".to_owned())], 35);
    assert!(batcher.next().unwrap().is_none());
}

#[tokio::test]
async fn a_time_long_before_all_events_does_not_keep_the_window_from_being_rebuilt() {
    let world = World::new();
    let start = world.start(NEVER);
    start.accept([1]).await;
    start.finish().await;
    let long_ago = DateTime::from_timestamp_micros(-70_000_000_000_000_000).unwrap();
    let limits = DedupLimits::default();
    let rebuilt = window::rebuild(&world.lake(), limits, long_ago, now()).await;
    assert_eq!(rebuilt.unwrap().1.len(), 1);
}

fn copy_tree(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
