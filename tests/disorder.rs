//! Random traffic, in random order and batches, each batch's import and transform dying at random instants: whatever
//! happened on the way, the tables are those of a lake that took in everything at once.
//!
//! Dying is dropping the work after so many of its steps, wherever it is then. What it has handed to the
//! disk goes on by itself, as it would for a process that is stopped and wakes up beside its successor.

use std::future::{Future, poll_fn};
use std::ops::Range;
use std::path::Path;
use std::pin::pin;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::task::Poll;

use arrow::json::LineDelimitedWriter;
use chrono::{DateTime, Duration, Utc};
use futures::TryStreamExt;
use ingest::{ImportSettings, Input};
use lake::Lake;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use transform::{Mode, Settings, derived_tables};

/// An import takes some 10 to 40 steps, a run 200 to 350: most of these die.
const IMPORT_STEPS: Range<usize> = 1..30;
const TRANSFORM_STEPS: Range<usize> = 1..300;
/// A case takes seconds; `DISORDER_CASES` asks for more of them.
const CASES: u32 = 4;
/// What a successor may need while a dropped run's last writes still land.
const ATTEMPTS: usize = 10;

#[derive(Debug, Clone)]
struct Traffic {
    chats: u64,
    seed: u64,
    /// Sorts the deliveries.
    order: Vec<u32>,
    batches: Vec<Batch>,
}

#[derive(Debug, Clone)]
struct Batch {
    deliveries: usize,
    /// Deliveries of the batch before that come again.
    repeated: usize,
    import_dies_after: Option<usize>,
    /// Whether the facts are brought up to date before the next batch, and after how many steps that dies.
    transform: Option<Option<usize>>,
}

fn traffic() -> impl Strategy<Value = Traffic> {
    let import = option::of(IMPORT_STEPS);
    let transform = option::of(option::of(TRANSFORM_STEPS));
    let batch = (1..60_usize, 0..5_usize, import, transform).prop_map(
        |(deliveries, repeated, import_dies_after, transform)| Batch {
            deliveries,
            repeated,
            import_dies_after,
            transform,
        },
    );
    let (order, batches) = (vec(any::<u32>(), 64), vec(batch, 1..5));
    (1..12_u64, any::<u32>(), order, batches).prop_map(|(chats, seed, order, batches)| Traffic {
        chats,
        seed: u64::from(seed),
        order,
        batches,
    })
}

#[test]
fn whatever_dies_on_the_way_the_tables_are_those_of_everything_at_once() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let died = AtomicUsize::new(0);
    let mut runner = TestRunner::new(Config {
        cases: cases(),
        failure_persistence: None,
        max_shrink_iters: 64,
        ..Config::default()
    });
    let result = runner.run(&traffic(), |traffic| {
        runtime.block_on(check(&traffic, &died));
        Ok(())
    });
    result.unwrap_or_else(|failure| panic!("{failure}"));
    let died = died.into_inner();
    println!("{died} imports and runs died on the way");
    assert!(died > 0, "nothing died: the steps are too many");
}

async fn check(traffic: &Traffic, died: &AtomicUsize) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let options = simulator::Options {
        chats: traffic.chats,
        days: 2,
        seed: traffic.seed,
        ..simulator::Options::default()
    };
    let mut lines: Vec<String> = simulator::generate(&options)
        .map(|delivery| delivery.to_ndjson())
        .collect();
    let whole = Desk::new(folder.path(), "whole");
    whole.import(&lines, None).await;
    whole.transform(Mode::Incremental, None).await;

    let parts = Desk::new(folder.path(), "parts");
    shuffle(&mut lines, &traffic.order);
    let (mut rest, mut before) = (lines.as_slice(), [].as_slice());
    for batch in &traffic.batches {
        let (news, later) = rest.split_at(batch.deliveries.min(rest.len()));
        rest = later;
        let repeated = &before[..batch.repeated.min(before.len())];
        let arriving = [repeated, news].concat();
        let mut deaths = 0;
        deaths += usize::from(!parts.import(&arriving, batch.import_dies_after).await);
        parts.import(&arriving, None).await;
        if let Some(dies_after) = batch.transform {
            deaths += usize::from(!parts.transform(Mode::Incremental, dies_after).await);
        }
        died.fetch_add(deaths, Ordering::Relaxed);
        before = news;
    }
    parts.import(rest, None).await;
    parts.transform(Mode::Incremental, None).await;

    let expected = whole.rows().await;
    assert!(!expected.is_empty());
    assert_eq!(parts.rows().await, expected, "bit by bit is not at once");
    parts.transform(Mode::Full, None).await;
    assert_eq!(parts.rows().await, expected, "a rebuild gives other rows");
}

/// Any order that the keys give, the same one each time.
fn shuffle(lines: &mut [String], keys: &[u32]) {
    for last in (1..lines.len()).rev() {
        let key = keys[last % keys.len()] as usize;
        lines.swap(last, (key ^ last.wrapping_mul(0x9e37)) % (last + 1));
    }
}

/// A lake, worked on without the binary, so that work can be dropped at any of its steps.
struct Desk<'a> {
    folder: &'a Path,
    lake: Lake,
}

impl<'a> Desk<'a> {
    fn new(folder: &'a Path, name: &str) -> Self {
        let path = folder.join(name);
        let path = path.to_str().expect("a path of plain characters");
        let lake = Lake::open(path, []).expect("a lake on this disk");
        Desk { folder, lake }
    }

    /// Whether it lived to its end.
    async fn import(&self, lines: &[String], dies_after: Option<usize>) -> bool {
        let path = self.folder.join("batch.ndjson");
        std::fs::write(&path, lines.join("\n")).expect("writing a batch");
        let import = async {
            let mut events = self.lake.table(&ingest::events_table()).await?;
            let settings = ImportSettings::new(Settings::default().zone);
            let inputs = vec![Input::File(path.clone())];
            ingest::import(inputs, &mut events, settings, &mut |_| {}).await
        };
        match dying(import, dies_after).await {
            Some(imported) => {
                imported.expect("an import that is left alone succeeds");
                true
            }
            None => false,
        }
    }

    /// Whether it lived to its end.
    async fn transform(&self, mode: Mode, dies_after: Option<usize>) -> bool {
        let settings = Settings::default();
        let mut failures = Vec::new();
        while failures.len() < ATTEMPTS {
            let run = transform::run(&self.lake, &settings, mode, "the test", clock);
            match dying(run, dies_after).await {
                None => return false,
                Some(Ok(_)) => return true,
                Some(Err(error)) => failures.push(error),
            }
        }
        panic!("no run succeeds: {failures:?}");
    }

    /// All rows of all derived tables, sorted.
    async fn rows(&self) -> Vec<String> {
        let mut rows = Vec::new();
        for name in derived_tables() {
            let table = self.lake.existing(name).await.expect("a derived table");
            let schema = table.describe().expect("its columns").0;
            let columns: Vec<&str> = schema
                .fields()
                .iter()
                .map(|field| field.name().as_str())
                .collect();
            let batches = table.read(&columns, None).await.expect("reading a table");
            let batches: Vec<_> = batches.try_collect().await.expect("reading a table");
            let mut writer = LineDelimitedWriter::new(Vec::new());
            for batch in &batches {
                writer.write(batch).expect("rows as JSON");
            }
            writer.finish().expect("rows as JSON");
            let text = String::from_utf8(writer.into_inner()).expect("JSON is UTF-8");
            rows.extend(text.lines().map(|row| format!("{name} {row}")));
        }
        rows.sort();
        rows
    }
}

/// The work's outcome, or nothing if it dies before.
async fn dying<T>(work: impl Future<Output = T>, after: Option<usize>) -> Option<T> {
    let mut work = pin!(work);
    let mut steps = 0;
    poll_fn(move |context| {
        steps += 1;
        if after.is_some_and(|after| steps > after) {
            return Poll::Ready(None);
        }
        work.as_mut().poll(context).map(Some)
    })
    .await
}

/// Half a minute later whenever asked, so that nobody waits for the lease of the dead.
fn clock() -> DateTime<Utc> {
    static ASKED: AtomicI64 = AtomicI64::new(0);
    let asked = ASKED.fetch_add(1, Ordering::Relaxed);
    DateTime::UNIX_EPOCH + Duration::days(20_000) + Duration::seconds(30 * asked)
}

fn cases() -> u32 {
    let cases = std::env::var("DISORDER_CASES").ok();
    cases.map_or(CASES, |cases| {
        cases.parse().expect("DISORDER_CASES is a number")
    })
}
