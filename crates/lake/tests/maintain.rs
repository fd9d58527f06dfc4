//! Maintaining tables while others write to them, follow them and read them.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use lake::{
    Changes, Consumer, Effort, Freed, Lake, LakeError, Layout, Maintenance, Role, Scope, Table,
    TableReport, TableSpec, Upkeep,
};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use tempfile::TempDir;

#[path = "support/numbers.rs"]
mod sorted;

const CONSUMER: Consumer = Consumer {
    lease: "deriving",
    table: "facts",
    app_id: "position",
};
const DAYS: [&str; 3] = ["2024-03-01", "2024-03-02", "2024-03-03"];

fn spec(name: &str) -> TableSpec {
    let columns = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    TableSpec {
        name: name.to_owned(),
        description: "A table of the test".to_owned(),
        schema: Arc::new(Schema::new(vec![
            Field::new("number", DataType::Int64, true),
            Field::new("id", DataType::Utf8, true),
            Field::new("day", DataType::Utf8, true),
        ])),
        partition_columns: columns(&["day"]),
        stats_columns: columns(&["number"]),
        layout: Layout {
            sort_columns: columns(&["number"]),
            bloom_filter_columns: columns(&["number"]),
            identity: Some("id".to_owned()),
            ..Layout::default()
        },
    }
}

fn facts() -> TableSpec {
    TableSpec {
        partition_columns: Vec::new(),
        layout: Layout {
            identity: None,
            ..spec("facts").layout
        },
        ..spec("facts")
    }
}

/// Rows of a day, each with its number as its id.
fn rows(numbers: impl IntoIterator<Item = i64>, day: &str) -> RecordBatch {
    let numbers: Vec<i64> = numbers.into_iter().collect();
    let ids = numbers.iter().map(|number| Some(number.to_string()));
    let ids: ArrayRef = Arc::new(ids.collect::<StringArray>());
    let days: ArrayRef = Arc::new(StringArray::from(vec![day; numbers.len()]));
    let numbers: ArrayRef = Arc::new(Int64Array::from(numbers));
    RecordBatch::try_new(spec("events").schema, vec![numbers, ids, days])
        .expect("rows of the table")
}

struct World {
    folder: TempDir,
    lake: Lake,
}

impl World {
    fn new() -> World {
        // In memory where there is such a place: what is shown here does not hang on fsync, and commits a lot.
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() {
            tempfile::tempdir_in(memory)
        } else {
            tempfile::tempdir()
        };
        let folder = folder.expect("a temporary folder");
        let lake = Lake::open(&folder.path().display().to_string(), []).expect("a lake");
        World { folder, lake }
    }

    async fn events(&self) -> Table {
        self.lake.table(&spec("events")).await.expect("the table")
    }

    async fn append(&self, batch: RecordBatch) {
        let appended = self.events().await.append(vec![batch], None).await;
        appended.expect("appending");
    }

    /// Says how far the consumer has read.
    async fn consumed(&self, version: u64) {
        let mut table = self.lake.table(&facts()).await.expect("the table");
        let nothing = Scope::Keys {
            column: "number",
            keys: BTreeSet::new(),
        };
        let rewrite = table.rewrite(nothing).expect("a rewrite");
        let position = [(CONSUMER.app_id, version as i64)];
        rewrite.commit(&position, true).await.expect("committing");
    }

    async fn try_maintain(&self, work: Maintenance) -> Result<Vec<TableReport>, LakeError> {
        self.lake
            .maintain(&work, "the test", Utc::now, |_| {})
            .await
    }

    /// The report on `events`.
    async fn maintain(&self, work: Maintenance) -> TableReport {
        let reports = self.try_maintain(work).await.expect("maintaining");
        assert!(
            reports
                .iter()
                .all(|report| report.left.is_none() && report.failed.is_none()),
            "{reports:?}"
        );
        reports.into_iter().next().expect("a report")
    }

    /// Sorted.
    async fn numbers(&self) -> Vec<i64> {
        let table = self.lake.existing("events").await.expect("the table");
        sorted::numbers(table.read(&["number"], None).await.expect("reading")).await
    }

    fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }
}

fn work(effort: Effort, removed_stay: TimeDelta) -> Maintenance {
    let events = Role::Appended {
        filling: date(DAYS[2]),
        kept_for: None,
    };
    Maintenance {
        tables: vec![
            Upkeep {
                spec: spec("events"),
                role: events,
            },
            Upkeep {
                spec: facts(),
                role: Role::Rewritten { kept_for: None },
            },
        ],
        consumer: CONSUMER,
        effort,
        removed_stay,
        is_trial: false,
    }
}

fn date(day: &str) -> NaiveDate {
    day.parse().expect("a date")
}

fn all_now() -> Maintenance {
    work(Effort::Whole, TimeDelta::zero())
}

/// Events of so many days.
fn keeping(age: TimeDelta) -> Maintenance {
    let mut work = all_now();
    work.tables[0].role = Role::Appended {
        filling: date(DAYS[2]),
        kept_for: Some(age),
    };
    work
}

/// Files below a folder, with their sizes.
fn files(folder: &Path) -> Vec<(PathBuf, u64)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let entry = entry.expect("an entry");
        let metadata = entry.metadata().expect("its metadata");
        if metadata.is_dir() {
            found.extend(files(&entry.path()));
        } else {
            found.push((entry.path(), metadata.len()));
        }
    }
    found
}

#[tokio::test]
async fn compacted_files_are_sorted_and_of_about_the_target_size() {
    const TARGET_BYTES: u64 = 256 << 10;
    const PARTS: i64 = 6;
    const ROWS: i64 = 300_000;
    let world = World::new();
    for part in 0..PARTS {
        let scattered =
            (0..ROWS / PARTS).map(|place| (place * 7919 % (ROWS / PARTS)) * PARTS + part);
        world.append(rows(scattered, DAYS[0])).await;
    }
    let mut work = all_now();
    work.tables[0].spec.layout.target_file_bytes = TARGET_BYTES;
    world.maintain(work).await;
    let mut files = files(&world.path(&format!("events/day={}", DAYS[0])));
    files.sort();
    assert!(files.len() > 2, "{files:?}");
    let mut all = Vec::new();
    for (number, (path, bytes)) in files.iter().enumerate() {
        assert!(*bytes < 2 * TARGET_BYTES, "{files:?}");
        // The target is one of bytes before they are compressed.
        assert!(
            *bytes > TARGET_BYTES / 4 || number + 1 == files.len(),
            "{files:?}"
        );
        let numbers = numbers_of(path);
        assert!(numbers.is_sorted(), "{}", path.display());
        all.extend(numbers);
    }
    all.sort_unstable();
    assert!(all.into_iter().eq(0..ROWS));
}

/// Of a file, in its order.
fn numbers_of(path: &Path) -> Vec<i64> {
    let file = File::open(path).expect("a file");
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("a Parquet file");
    let batches = reader.build().expect("a reader");
    batches
        .flat_map(|batch| {
            let batch = batch.expect("rows");
            batch
                .column(0)
                .as_primitive::<Int64Type>()
                .values()
                .to_vec()
        })
        .collect()
}

#[tokio::test]
async fn small_files_become_one_and_those_who_follow_the_table_see_no_news() {
    let world = World::new();
    for number in 0..6 {
        world
            .append(rows([number], DAYS[(number % 2) as usize]))
            .await;
    }
    let before = world.events().await;
    let trial = Maintenance {
        is_trial: true,
        ..all_now()
    };
    let promised = world.maintain(trial).await;
    assert_eq!(
        world.events().await.version(),
        before.version(),
        "a trial does nothing"
    );
    let report = world.maintain(all_now()).await;
    assert_eq!((report.before.files, report.after.files), (6, 2));
    assert_eq!(report.after.rows, 6);
    let counts = |report: &TableReport| {
        let done = report.compacted;
        (done.groups, done.files_in, done.bytes_in, done.files_out)
    };
    assert_eq!(counts(&promised), counts(&report));
    assert_eq!(world.numbers().await, [0, 1, 2, 3, 4, 5]);
    let news = world.events().await.changes_since(before.version()).await;
    assert_eq!(news.expect("changes"), Changes::Added(Vec::new()));
    let again = world.maintain(all_now()).await;
    assert!(again.is_idle(), "{again:?}");
}

#[tokio::test]
async fn of_copies_one_stays_and_they_are_counted() {
    let world = World::new();
    world.append(rows([1, 2, 2, 3], DAYS[0])).await;
    world.append(rows([3, 4], DAYS[0])).await;
    let nameless: [ArrayRef; 3] = [
        Arc::new(Int64Array::from(vec![8, 8])),
        Arc::new(StringArray::from(vec![None::<&str>, None])),
        Arc::new(StringArray::from(vec![DAYS[0]; 2])),
    ];
    let nameless = RecordBatch::try_new(spec("events").schema, nameless.to_vec());
    world.append(nameless.expect("rows")).await;
    let report = world.maintain(all_now()).await;
    assert_eq!(report.compacted.copies, 2);
    assert_eq!(world.numbers().await, [1, 2, 3, 4, 8, 8]);
    world.append(rows([4, 5], DAYS[0])).await;
    assert_eq!(world.maintain(all_now()).await.compacted.copies, 1);
    assert_eq!(world.numbers().await, [1, 2, 3, 4, 5, 8, 8]);
}

#[tokio::test]
async fn copies_of_rows_in_large_files_are_found_without_writing_those_anew() {
    let world = World::new();
    let mut small_target = all_now();
    small_target.tables[0].spec.layout.target_file_bytes = 1;
    world.append(rows(0..2_000, DAYS[0])).await;
    world.maintain(small_target.clone()).await;
    world.append(rows([7, 7, 3_000], DAYS[0])).await;
    let report = world.maintain(small_target).await;
    assert_eq!((report.compacted.files_in, report.compacted.copies), (1, 2));
    assert_eq!(
        world.numbers().await,
        (0..2_000).chain([3_000]).collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn what_the_consumer_has_not_read_stays_whatever_its_age() {
    let world = World::new();
    world.append(rows([1], DAYS[0])).await;
    let read = world.events().await.version();
    world.consumed(read).await;
    for number in 2..30 {
        world.append(rows([number], DAYS[0])).await;
    }
    let report = world.maintain(all_now()).await;
    assert_eq!(report.awaited.files, 28, "all but the one that was read");
    assert_eq!(report.data.files, 1);
    let events = world.events().await;
    let Changes::Added(added) = events.changes_since(read).await.expect("changes") else {
        panic!("the log no longer reaches back");
    };
    assert_eq!(added.len(), 28);
    for file in &added {
        let read = events.read_file(file, &["number"]).await;
        assert_eq!(read.expect("a file that was removed").count(), 1);
    }
    world.consumed(events.version()).await;
    let report = world.maintain(all_now()).await;
    assert_eq!((report.data.files, report.awaited), (28, Freed::default()));
    assert!(report.log.files > 0, "{report:?}");
    assert_eq!(world.numbers().await, (1..30).collect::<Vec<_>>());
    // From a position that the log has forgotten, all must be read anew.
    let forgotten = world.events().await.changes_since(read).await;
    assert_eq!(forgotten.expect("changes"), Changes::Unknown);
}

#[tokio::test]
async fn files_that_a_writer_is_about_to_commit_stay_and_abandoned_ones_go() {
    let world = World::new();
    world.append(rows([1], DAYS[0])).await;
    let beside = |name: &str, hours: u64| {
        let path = world.path("events").join(name);
        let file = File::create(&path).expect("a file");
        let modified = SystemTime::now() - Duration::from_secs(hours * 3600);
        file.set_modified(modified).expect("its time");
        path
    };
    let young = ["young.parquet", "young.parquet#1"];
    let young = young.map(|name| beside(&format!("day=2024-03-01/{name}"), 23));
    // Of writes that were killed before they got their name, too.
    let abandoned = [
        "day=2024-03-01/old.parquet",
        "day=2024-03-01/older.parquet#2",
        "_delta_log/00000000000000000007.json#1",
    ];
    let abandoned = abandoned.map(|name| beside(name, 25));
    let other = ["day=2024-03-01/notes.txt", "notes#1x"].map(|name| beside(name, 1_000));
    let report = world.maintain(all_now()).await;
    assert_eq!(
        report.data.files,
        3 + 1,
        "the abandoned ones, and the one written anew"
    );
    assert!(young.iter().chain(&other).all(|path| path.exists()));
    assert!(!abandoned.iter().any(|path| path.exists()));
    assert_eq!(world.numbers().await, [1]);
}

#[tokio::test]
async fn writers_who_slept_through_compaction_and_clean_up_go_on() {
    let world = World::new();
    let mut sleeper = world.events().await;
    sleeper
        .append(vec![rows([0], DAYS[0])], Some(("sleeper", 1)))
        .await
        .expect("appending");
    for number in 1..40 {
        world.append(rows([number], DAYS[0])).await;
    }
    let report = world.maintain(all_now()).await;
    assert!(
        report.checkpoint.is_some() && report.log.files > 30,
        "{report:?}"
    );
    let mut other_sleeper = sleeper.clone();
    let appended = sleeper
        .append(vec![rows([100], DAYS[0])], Some(("sleeper", 2)))
        .await;
    if let Err(error) = appended {
        // What the service does after any failure.
        sleeper
            .refresh()
            .await
            .unwrap_or_else(|refresh| panic!("{error}, then {refresh}"));
        let again = vec![rows([100], DAYS[0])];
        sleeper
            .append(again, Some(("sleeper", 2)))
            .await
            .expect("appending");
    }
    other_sleeper.refresh().await.expect("refreshing");
    assert_eq!(
        other_sleeper.committed("sleeper").await.expect("asking"),
        Some(2)
    );
    assert_eq!(
        world.numbers().await,
        (0..40).chain([100]).collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn old_partitions_are_removed_and_appends_go_on_meanwhile() {
    let world = World::new();
    for (number, day) in (0..).zip(DAYS) {
        world.append(rows([number], day)).await;
    }
    world.consumed(3).await;
    let mut writer = world.events().await;
    let work = keeping(TimeDelta::days(2));
    let report = world.maintain(work.clone()).await;
    assert_eq!((report.expired.files, report.expired.rows), (1, 1));
    assert_eq!(world.numbers().await, [1, 2]);
    let appended = writer
        .append(vec![rows([3], DAYS[2])], Some(("writer", 1)))
        .await;
    appended.expect("an append is no conflict");
    assert_eq!(world.numbers().await, [1, 2, 3]);
    assert_eq!(world.maintain(work).await.expired.files, 0);
}

#[tokio::test]
async fn old_partitions_stay_until_the_consumer_has_read_them() {
    let world = World::new();
    for (number, day) in (0..).zip(DAYS) {
        world.append(rows([number], day)).await;
    }
    let work = keeping(TimeDelta::days(1));
    let check = async |removed: u64, left: u64, numbers: &[i64]| {
        let report = world.maintain(work.clone()).await;
        let rows = (report.expired.rows, report.unread.rows);
        assert_eq!(rows, (removed, left), "{report:?}");
        assert_eq!(world.numbers().await, numbers);
    };
    check(0, 2, &[0, 1, 2]).await;
    // Written together with what he has read, what he has not is known by its date.
    world.consumed(1).await;
    world.append(rows([3], DAYS[1])).await;
    world.maintain(all_now()).await;
    check(1, 2, &[1, 2, 3]).await;
    let kept_from = world.events().await.kept_from().await;
    assert_eq!(kept_from.expect("asking"), Some(date(DAYS[1])));
    // What comes in of a removed date he never reads.
    world.append(rows([4], DAYS[0])).await;
    check(1, 2, &[1, 2, 3]).await;
    // Nor does he follow a table that was restored from before he read it: he reads all.
    world.consumed(100).await;
    check(0, 2, &[1, 2, 3]).await;
    world.consumed(world.events().await.version()).await;
    check(2, 0, &[2]).await;
}

#[tokio::test]
async fn what_would_be_done_is_what_is_then_done() {
    let world = World::new();
    for number in 0..9 {
        world
            .append(rows([number], DAYS[number as usize % 3]))
            .await;
    }
    // Of the rest nothing may be deleted yet.
    world.consumed(7).await;
    let work = keeping(TimeDelta::days(2));
    let trial = Maintenance {
        is_trial: true,
        ..work.clone()
    };
    let would = world.maintain(trial).await;
    let done = world.maintain(work).await;
    let told = |report: &TableReport| {
        let (files, bytes) = (report.compacted.files_in, report.compacted.bytes_in);
        (
            report.expired,
            files,
            bytes,
            report.checkpoint,
            report.data,
            report.awaited,
        )
    };
    assert_eq!(told(&would), told(&done));
    assert!(
        would.checkpoint.is_some() && would.data.files > 0 && would.awaited.files > 0,
        "{would:?}"
    );
}

#[tokio::test]
async fn ages_count_from_the_newest_rows_where_the_clock_says_that_all_are_old() {
    let world = World::new();
    for (number, day) in (0..).zip(DAYS) {
        world.append(rows([number], day)).await;
    }
    world.consumed(3).await;
    let report = world.maintain(keeping(TimeDelta::days(4))).await;
    assert_eq!(report.expired.files, 0);
    assert_eq!(report.ages_from, Some(date(DAYS[2])));
    assert_eq!(
        world.maintain(keeping(TimeDelta::days(1))).await.after.rows,
        1
    );
    assert_eq!(world.numbers().await, [2], "the newest stay");
    // What comes later is neither old nor hidden.
    world.append(rows([3], "2024-03-04")).await;
    assert_eq!(
        world.events().await.kept_from().await.expect("asking"),
        Some(date(DAYS[2]))
    );
}

/// A sender's clock may be ahead as well.
#[tokio::test]
async fn rows_of_dates_to_come_make_no_others_old() {
    let world = World::new();
    let day = Utc::now().date_naive() - TimeDelta::days(10);
    world.append(rows([1], &day.to_string())).await;
    world.append(rows([2], "2090-01-01")).await;
    let trial = Maintenance {
        is_trial: true,
        ..keeping(TimeDelta::days(500))
    };
    let ahead = || Utc::now() + TimeDelta::days(1_000);
    let reports = world.lake.maintain(&trial, "the test", ahead, |_| {}).await;
    assert_eq!(reports.expect("a trial")[0].expired.files, 0);
}

#[tokio::test]
async fn by_a_clock_that_is_far_from_the_storages_nothing_is_done() {
    let world = World::new();
    world.append(rows([1], DAYS[0])).await;
    world.append(rows([2], DAYS[1])).await;
    let young = world.path("events/day=2024-03-01").join("young.parquet");
    File::create(&young).expect("a file");
    let version = world.events().await.version();
    let clocks: [fn() -> DateTime<Utc>; 2] = [
        || Utc::now() + TimeDelta::hours(25),
        || Utc::now() - TimeDelta::days(20_000),
    ];
    for clock in clocks {
        let work = keeping(TimeDelta::days(1));
        let done = world.lake.maintain(&work, "the test", clock, |_| {}).await;
        let refused = matches!(done, Err(LakeError::ClocksDiffer { .. }));
        assert!(refused, "{done:?}");
        assert!(young.exists());
        assert_eq!(world.events().await.version(), version);
    }
    // It holds no lease.
    world.maintain(all_now()).await;
}

#[tokio::test]
async fn how_old_uncommitted_files_are_is_told_by_the_storages_clock() {
    let world = World::new();
    world.append(rows([1], DAYS[0])).await;
    let partition = world.path("events/day=2024-03-01");
    let [young, old] = [("young.parquet", 14), ("old.parquet", 25)].map(|(name, hours)| {
        let path = partition.join(name);
        let modified = SystemTime::now() - Duration::from_secs(hours * 3_600);
        let file = File::create(&path).expect("a file");
        file.set_modified(modified).expect("its time");
        path
    });
    let ahead = || Utc::now() + TimeDelta::hours(11);
    let work = all_now();
    let reports = world.lake.maintain(&work, "the test", ahead, |_| {});
    let reports = reports.await.expect("maintaining");
    assert_eq!(reports[0].left, None);
    assert!(young.exists() && !old.exists());
}

#[tokio::test]
async fn what_cannot_be_read_keeps_nothing_else_from_being_maintained() {
    let world = World::new();
    for number in 0..6 {
        let day = DAYS[(number % 2) as usize];
        world.append(rows([number], day)).await;
    }
    for version in 0..12 {
        world.consumed(version).await;
    }
    let log = world.path("broken/_delta_log");
    fs::create_dir_all(&log).expect("a folder");
    fs::write(log.join("00000000000000000000.json"), "none").expect("a log that is none");
    let mut work = all_now();
    let broken = TableSpec {
        name: "broken".to_owned(),
        ..facts()
    };
    work.tables.insert(
        1,
        Upkeep {
            spec: broken,
            role: Role::Rewritten { kept_for: None },
        },
    );
    let partition = files(&world.path("events/day=2024-03-01"));
    fs::write(&partition[0].0, "no Parquet").expect("spoiling a file");
    let mut heard = Vec::new();
    let tell = |report: &TableReport| heard.push(report.table.clone());
    let reports = world.lake.maintain(&work, "the test", Utc::now, tell).await;
    let reports = reports.expect("maintaining");
    assert_eq!(heard, ["events", "broken", "facts"]);
    let [events, broken, facts] = reports.as_slice() else {
        panic!("{reports:?}")
    };
    assert!(events.failed.is_some(), "{events:?}");
    assert_eq!(events.compacted.groups, 1, "the other date: {events:?}");
    assert!(events.data.files > 0, "{events:?}");
    assert!(broken.failed.is_some(), "{broken:?}");
    assert!(
        facts.failed.is_none() && facts.checkpoint.is_some(),
        "{facts:?}"
    );
}

#[tokio::test]
async fn one_maintains_at_a_time() {
    let world = World::new();
    world.append(rows([1], DAYS[0])).await;
    let lease = world
        .lake
        .lease("maintain", "another", TimeDelta::seconds(20), Utc::now())
        .await;
    let lease = lease.expect("a free lease");
    let held = world.try_maintain(all_now()).await;
    assert!(
        matches!(&held, Err(LakeError::Held { holder, .. }) if holder == "another"),
        "{held:?}"
    );
    lease.release().await.expect("releasing");
    world.maintain(all_now()).await;
}

/// At every moment the table holds what was acknowledged, and nothing twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn counts_are_exact_while_eight_write_and_one_maintains() {
    const WRITERS: i64 = 8;
    const APPENDS: i64 = 20;
    let world = Arc::new(World::new());
    world.events().await;
    let (begun, acknowledged) = (Arc::new(AtomicI64::new(0)), Arc::new(AtomicI64::new(0)));
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let (world, begun, acknowledged) = (world.clone(), begun.clone(), acknowledged.clone());
            tokio::spawn(async move {
                let mut table = world.events().await;
                let name = format!("writer {writer}");
                for number in 0..APPENDS {
                    let first = (writer * APPENDS + number) * 3;
                    let batch = rows(first..first + 3, DAYS[(number % 3) as usize]);
                    begun.fetch_add(3, Ordering::SeqCst);
                    let appended = table.append(vec![batch], Some((&name, number))).await;
                    appended.expect("an append fails for no maintenance");
                    acknowledged.fetch_add(3, Ordering::SeqCst);
                }
            })
        })
        .collect();
    let total = WRITERS * APPENDS * 3;
    let (mut runs, mut looks, mut compacted) = (0, 0, 0);
    while acknowledged.load(Ordering::SeqCst) < total {
        assert!(
            !writers.iter().all(tokio::task::JoinHandle::is_finished),
            "a writer failed"
        );
        let effort = if runs % 2 == 0 {
            Effort::Whole
        } else {
            Effort::Steady
        };
        let report = world.maintain(work(effort, TimeDelta::hours(1))).await;
        compacted += report.compacted.files_in;
        runs += 1;
        let before = acknowledged.load(Ordering::SeqCst);
        let numbers = world.numbers().await;
        let after = begun.load(Ordering::SeqCst);
        assert!(
            (before..=after).contains(&(numbers.len() as i64)),
            "{} rows, while {before} were acknowledged and {after} begun",
            numbers.len()
        );
        assert!(
            numbers.windows(2).all(|pair| pair[0] < pair[1]),
            "a row came twice"
        );
        looks += 1;
    }
    for writer in writers {
        writer.await.expect("a writer");
    }
    let report = world.maintain(all_now()).await;
    println!(
        "{runs} runs wrote {compacted} files anew; {looks} looks; {:?}",
        report.after
    );
    assert!(compacted > 0);
    assert_eq!(world.numbers().await, (0..total).collect::<Vec<_>>());
    assert_eq!(report.after.files, 3);
    let events = world.lake.existing("events").await.expect("the table");
    for writer in 0..WRITERS {
        let last = events
            .committed(&format!("writer {writer}"))
            .await
            .expect("asking");
        assert_eq!(last, Some(APPENDS - 1), "application transactions stay");
    }
}

/// A day of flushes in small: a table that is maintained every so often has few files a partition, a short log, and
/// commits as fast as at the beginning; and takes at most twice the room of what it holds.
#[tokio::test]
async fn files_log_and_commits_stay_small_over_many_flushes() {
    const FLUSHES: i64 = 400;
    const MAINTAINED_EVERY: i64 = 40;
    const ROWS: i64 = 200;
    let world = World::new();
    let mut writer = world.events().await;
    let (mut most_files, mut most_entries, mut times) = (0, 0, Vec::new());
    for flush in 0..FLUSHES {
        let day = DAYS[(flush * 3 / FLUSHES) as usize];
        let batch = rows(flush * ROWS..(flush + 1) * ROWS, day);
        let began = Instant::now();
        writer
            .append(vec![batch], Some(("wal", flush)))
            .await
            .expect("appending");
        times.push(began.elapsed());
        if flush % MAINTAINED_EVERY == MAINTAINED_EVERY - 1 {
            world.consumed(writer.version()).await;
            let mut steady = work(Effort::Steady, TimeDelta::zero());
            if let Role::Appended { filling, .. } = &mut steady.tables[0].role {
                *filling = date(day);
            }
            most_files = most_files.max(files_of(&world, day));
            most_entries = most_entries.max(entries_of_log(&world));
            world.maintain(steady).await;
        }
    }
    let middle = |times: &[Duration]| {
        let mut times = times.to_vec();
        times.sort_unstable();
        times[times.len() / 2]
    };
    let (first, last) = (middle(&times[..100]), middle(&times[times.len() - 100..]));
    println!(
        "{FLUSHES} flushes: at most {most_files} files in the partition that fills, {most_entries} entries in the log; \
         median commit {first:?} at first, {last:?} at last"
    );
    // Folding leaves fewer than 24 + 16 files of such sizes, and as many come as are flushed between two runs.
    assert!(
        most_files < 24 + 16 + MAINTAINED_EVERY as usize,
        "{most_files} files"
    );
    // How long a commit takes hangs on what must be read of the log, which is summed up at every maintenance as far as the
    // consumer has read: it holds what came since the last one, and the commits of maintenance itself.
    assert!(
        most_entries < 2 * MAINTAINED_EVERY as usize,
        "{most_entries} entries"
    );
    assert_eq!(world.numbers().await.len() as i64, FLUSHES * ROWS);
    assert_eq!(
        writer.committed("wal").await.expect("asking"),
        Some(FLUSHES - 1)
    );

    world.consumed(world.events().await.version()).await;
    let report = world.maintain(all_now()).await;
    assert_eq!(report.after.files, 3);
    let on_disk: u64 = files(&world.path("events"))
        .iter()
        .map(|(_, bytes)| bytes)
        .sum();
    println!("{} bytes on disk, {} alive", on_disk, report.after.bytes);
    assert!(
        on_disk <= 2 * report.after.bytes,
        "{on_disk} for {}",
        report.after.bytes
    );
}

fn entries_of_log(world: &World) -> usize {
    let files = files(&world.path("events/_delta_log")).into_iter();
    files
        .filter(|(path, _)| path.extension().is_some_and(|it| it == "json"))
        .count()
}

fn files_of(world: &World, day: &str) -> usize {
    let partition = format!("events/day={day}");
    let files = files(&world.path(&partition)).into_iter();
    files
        .filter(|(path, _)| path.extension().is_some_and(|it| it == "parquet"))
        .count()
}
