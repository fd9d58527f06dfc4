//! Exports of a small lake, read back as Parquet: every row once, whatever happens between two runs.

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use arrow::datatypes::{DataType, TimeUnit};
use arrow::record_batch::RecordBatch;
use arrow::util::pretty::pretty_format_batches;
use chrono::{DateTime, Utc};
use lake::{Folder, Lake, Scope};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use query::{ExportError, Exported, Partition, Snapshot, Wanted};
use support::{Column, TestLake, days, instants, longs, texts};

/// 2024-01-01, in days since 1970.
const FIRST: i32 = 19_723;

fn chats<const N: usize>(ids: [i64; N], dates: [Option<i32>; N]) -> Vec<Column> {
    vec![
        ("chat_id", longs(ids.map(Some))),
        ("started_date", days(dates)),
        ("channel", texts(ids.map(|_| Some("widget")))),
        (
            "started_at",
            instants(ids.map(|id| Some(1_704_067_200_000_000 + id))),
        ),
    ]
}

/// Chats of two days, and one without a date.
async fn lake_with_chats() -> TestLake {
    let lake = TestLake::new();
    let dates = [Some(FIRST), Some(FIRST), Some(FIRST + 1), None];
    lake.add("fact_chats", None, chats([1, 2, 3, 4], dates))
        .await;
    lake
}

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_704_100_000, 0).unwrap()
}

fn table(name: &str) -> Wanted {
    Wanted::Table(name.to_owned())
}

fn out(lake: &TestLake) -> PathBuf {
    lake.folder.path().join("out")
}

fn folder(lake: &TestLake) -> Folder {
    Folder::open(out(lake).to_str().unwrap(), []).unwrap()
}

async fn export(lake: &TestLake, partition: Option<Partition>) -> Result<Exported, ExportError> {
    lake.engine()
        .export(&folder(lake), &table("fact_chats"), partition, now())
        .await
}

/// Objects in the export, objects written, objects removed.
async fn counts(lake: &TestLake) -> (usize, usize, usize) {
    let done = export(lake, None).await.unwrap();
    (done.objects, done.written, done.removed)
}

/// Every object below the folder, by its name.
fn objects(below: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![below.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(below).unwrap();
                found.insert(name.to_str().unwrap().to_owned());
            }
        }
    }
    found
}

fn read(path: &Path) -> Vec<RecordBatch> {
    let file = fs::File::open(path).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    reader.build().unwrap().map(Result::unwrap).collect()
}

/// The chats in each object.
fn exported_chats(lake: &TestLake) -> Vec<(String, Vec<i64>)> {
    let below = out(lake).join("fact_chats");
    let of_object = |name: String| {
        let rows = read(&below.join(&name));
        let chats = rows.iter().flat_map(|batch| {
            let column = batch.column_by_name("chat_id").unwrap();
            let column = arrow::array::AsArray::as_primitive::<arrow::datatypes::Int64Type>(column);
            column.values().to_vec()
        });
        (name.clone(), chats.collect())
    };
    objects(&below).into_iter().map(of_object).collect()
}

fn check_chats(lake: &TestLake, expected: &[(&str, &[i64])]) {
    let found = exported_chats(lake);
    let found: Vec<(&str, &[i64])> = found
        .iter()
        .map(|(name, chats)| (name.as_str(), chats.as_slice()))
        .collect();
    assert_eq!(found, expected);
}

const DAYS: [&str; 3] = [
    "started_date=2024-01-01/data.parquet",
    "started_date=2024-01-02/data.parquet",
    "started_date=__HIVE_DEFAULT_PARTITION__/data.parquet",
];

#[tokio::test]
async fn rows_lie_by_day_in_plain_types_with_their_descriptions() {
    let lake = lake_with_chats().await;
    let done = export(&lake, None).await.unwrap();
    assert_eq!((done.objects, done.rows, done.written), (3, 4, 3));
    check_chats(
        &lake,
        &[(DAYS[0], &[1, 2]), (DAYS[1], &[3]), (DAYS[2], &[4])],
    );
    let rows = read(&out(&lake).join("fact_chats").join(DAYS[0]));
    let schema = rows[0].schema();
    let columns: Vec<(&str, &DataType)> = schema
        .fields()
        .iter()
        .map(|field| (field.name().as_str(), field.data_type()))
        .collect();
    let instant = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    assert_eq!(
        columns,
        [
            ("chat_id", &DataType::Int64),
            ("channel", &DataType::Utf8),
            ("started_at", &instant)
        ]
    );
    let described = schema.field_with_name("channel").unwrap();
    assert_eq!(described.metadata()["comment"], "the channel of a row");
}

#[tokio::test]
async fn months_and_one_object_keep_the_date() {
    let lake = TestLake::new();
    let dates = [Some(FIRST), Some(FIRST + 30), Some(FIRST + 31)];
    lake.add("fact_chats", None, chats([1, 2, 3], dates)).await;
    export(&lake, Some(Partition::Month)).await.unwrap();
    let months = [
        "started_month=2024-01/data.parquet",
        "started_month=2024-02/data.parquet",
    ];
    check_chats(&lake, &[(months[0], &[1, 2]), (months[1], &[3])]);
    let rows = read(&out(&lake).join("fact_chats").join(months[1]));
    assert!(rows[0].schema().column_with_name("started_date").is_some());

    fs::remove_dir_all(out(&lake)).unwrap();
    export(&lake, Some(Partition::None)).await.unwrap();
    check_chats(&lake, &[("data.parquet", &[1, 2, 3])]);
}

#[tokio::test]
async fn only_objects_whose_rows_changed_are_written_again() {
    let lake = lake_with_chats().await;
    assert_eq!(counts(&lake).await, (3, 3, 0));
    let written_at = || -> Vec<SystemTime> {
        let path = |name: &&str| out(&lake).join("fact_chats").join(name);
        DAYS.iter()
            .map(|name| fs::metadata(path(name)).unwrap().modified().unwrap())
            .collect()
    };
    let first = written_at();
    assert_eq!(counts(&lake).await, (3, 0, 0), "nothing has changed");

    lake.add(
        "fact_chats",
        None,
        chats([5, 6], [Some(FIRST + 1), Some(FIRST + 2)]),
    )
    .await;
    assert_eq!(counts(&lake).await, (4, 2, 0), "two days have new rows");
    let second = written_at();
    assert_eq!((first[0], first[2]), (second[0], second[2]));

    // The same number of rows, of which one has moved to another day, and a day that has none left.
    let moved = [Some(FIRST), Some(FIRST), Some(FIRST), None, Some(FIRST + 1)];
    let columns = chats([1, 2, 3, 4, 5], moved).into_iter();
    let rows = RecordBatch::try_from_iter_with_nullable(
        columns.map(|(name, column)| (name, column, true)),
    );
    let mut chats = lake.lake.existing("fact_chats").await.unwrap();
    let mut rewrite = chats.rewrite(Scope::Everything).unwrap();
    rewrite.write(rows.unwrap()).await.unwrap();
    rewrite.commit(&[], true).await.unwrap();
    assert_eq!(
        counts(&lake).await,
        (3, 2, 1),
        "two days changed, one is gone"
    );
    check_chats(
        &lake,
        &[(DAYS[0], &[1, 2, 3]), (DAYS[1], &[5]), (DAYS[2], &[4])],
    );
}

#[tokio::test]
async fn a_commit_that_changes_no_row_rewrites_nothing() {
    let lake = lake_with_chats().await;
    assert_eq!(counts(&lake).await, (3, 3, 0));
    let mut chats = lake.lake.existing("fact_chats").await.unwrap();
    let (column, keys) = ("chat_id", BTreeSet::new());
    let rewrite = chats.rewrite(Scope::Keys { column, keys }).unwrap();
    rewrite.commit(&[("anybody", 1)], true).await.unwrap();
    assert_eq!(counts(&lake).await, (3, 0, 0));
}

#[tokio::test]
async fn a_lake_that_was_made_anew_is_exported_anew_though_its_versions_are_the_same() {
    let mut lake = lake_with_chats().await;
    export(&lake, None).await.unwrap();
    let root = lake.folder.path().join("lake");
    fs::remove_dir_all(&root).unwrap();
    lake.lake = Lake::open(root.to_str().unwrap(), []).unwrap();
    let dates = [Some(FIRST), Some(FIRST)];
    lake.add("fact_chats", None, chats([7, 8], dates)).await;
    assert_eq!(counts(&lake).await, (1, 1, 2));
    check_chats(&lake, &[(DAYS[0], &[7, 8])]);
    assert_eq!(counts(&lake).await, (1, 0, 0));
}

#[tokio::test]
async fn files_of_others_beside_the_objects_stay() {
    let lake = lake_with_chats().await;
    export(&lake, None).await.unwrap();
    let mine = out(&lake).join("fact_chats/metadata.parquet");
    fs::write(&mine, "mine").unwrap();
    let rows = chats([9], [Some(FIRST + 1)]);
    lake.add("fact_chats", None, rows).await;
    assert_eq!(counts(&lake).await.2, 0);
    assert!(mine.exists());
}

#[tokio::test]
async fn whatever_an_interrupted_export_left_is_mended_by_the_next() {
    let lake = lake_with_chats().await;
    let manifest = out(&lake).join("_manifests/fact_chats.json");
    let object = |name: &str| out(&lake).join("fact_chats").join(name);
    assert_eq!(counts(&lake).await, (3, 3, 0));
    let old_manifest = fs::read(&manifest).unwrap();

    lake.add("fact_chats", None, chats([5], [Some(FIRST + 1)]))
        .await;
    assert_eq!(counts(&lake).await, (3, 1, 0));
    // Killed before the manifest: an object is newer than it says.
    fs::write(&manifest, old_manifest).unwrap();
    assert_eq!(counts(&lake).await, (3, 1, 0));

    // Overwritten by a slower export with older rows, after the manifest of the newer one.
    fs::copy(object(DAYS[0]), object(DAYS[1])).unwrap();
    assert_eq!(counts(&lake).await, (3, 1, 0));
    fs::remove_file(object(DAYS[2])).unwrap();
    assert_eq!(counts(&lake).await, (3, 1, 0));
    // Killed before it removed an object without rows.
    let gone = object("started_date=2023-12-31/data.parquet");
    fs::create_dir_all(gone.parent().unwrap()).unwrap();
    fs::copy(object(DAYS[0]), &gone).unwrap();
    assert_eq!(counts(&lake).await, (3, 0, 1));
    assert_eq!(counts(&lake).await, (3, 0, 0));
    check_chats(
        &lake,
        &[(DAYS[0], &[1, 2]), (DAYS[1], &[3, 5]), (DAYS[2], &[4])],
    );
    assert_eq!(objects(&out(&lake).join("_staging")), BTreeSet::new());
}

#[tokio::test]
async fn of_what_lies_staged_only_what_an_export_left_long_ago_is_removed() {
    let lake = lake_with_chats().await;
    let staging = out(&lake).join("_staging");
    fs::create_dir_all(&staging).unwrap();
    let left = |name: &str, hours: u64| {
        let file = fs::File::create(staging.join(name)).unwrap();
        let modified = SystemTime::now() - Duration::from_secs(hours * 3_600);
        file.set_modified(modified).unwrap();
    };
    let dead = "6f0d2c5e-8f43-4f4b-9f8e-0c8c3b0f1a11";
    let (unfinished, young) = (format!("{dead}#1"), dead.replace("6f", "7f"));
    let others = [
        "model.parquet",
        "model.parquet#1",
        "6f0d2c5e8f434f4b9f8e0c8c3b0f1a11",
    ];
    let names = |names: &[&str]| {
        names
            .iter()
            .map(|name| (*name).to_owned())
            .collect::<BTreeSet<_>>()
    };
    for name in [dead, &unfinished].into_iter().chain(others) {
        left(name, 25);
    }
    left(&young, 23);
    let all = objects(&staging);

    // Nothing says yet that an export was here.
    let nobody = lake
        .engine()
        .export(&folder(&lake), &table("nobody"), None, now())
        .await;
    assert!(nobody.is_err(), "{nobody:?}");
    assert_eq!(objects(&staging), all);
    export(&lake, None).await.unwrap();
    assert_eq!(objects(&staging), all);
    export(&lake, None).await.unwrap();
    let kept = names(&[&others[..], &[&young]].concat());
    assert_eq!(objects(&staging), kept);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exports_at_the_same_time_end_in_the_newest_rows() {
    let lake = lake_with_chats().await;
    let mut expected = vec![1, 2, 3, 4];
    for round in 0..6_i64 {
        let first = lake.engine();
        let (to, wanted) = (folder(&lake), table("fact_chats"));
        let id = 10 + round;
        let slow = first.export(&to, &wanted, None, now());
        let fast = async {
            let date = Some(FIRST + (round % 3) as i32);
            lake.add("fact_chats", None, chats([id], [date])).await;
            lake.engine().export(&to, &wanted, None, now()).await
        };
        let (slow, fast) = tokio::join!(slow, fast);
        slow.unwrap();
        fast.unwrap();
        expected.push(id);
        let found = exported_chats(&lake).into_iter().flat_map(|(_, ids)| ids);
        assert_eq!(
            found.collect::<BTreeSet<_>>(),
            expected.iter().copied().collect()
        );
    }
}

#[tokio::test]
async fn results_of_queries_keep_their_order_and_follow_their_parameters() {
    let lake = lake_with_chats().await;
    let sql = "SELECT chat_id, started_date, count(*) OVER () AS among FROM fact_chats \
               WHERE chat_id > $above ORDER BY chat_id DESC";
    let query = |above: &str| Wanted::Query {
        name: "latest".to_owned(),
        sql: sql.to_owned(),
        values: vec![("above".to_owned(), above.to_owned())],
        is_saved: false,
    };
    let (engine, to) = (lake.engine(), folder(&lake));
    let done = engine.export(&to, &query("2"), None, now()).await.unwrap();
    assert_eq!((done.objects, done.rows, done.written), (1, 2, 1));
    let rows = read(&out(&lake).join("latest/data.parquet"));
    let expected = "\
+---------+--------------+-------+
| chat_id | started_date | among |
+---------+--------------+-------+
| 4       |              | 2     |
| 3       | 2024-01-02   | 2     |
+---------+--------------+-------+";
    assert_eq!(pretty_format_batches(&rows).unwrap().to_string(), expected);
    let again = engine.export(&to, &query("2"), None, now()).await.unwrap();
    assert_eq!(again.written, 0);
    let other = engine.export(&to, &query("1"), None, now()).await.unwrap();
    assert_eq!((other.rows, other.written), (3, 1));
}

#[tokio::test]
async fn what_would_do_harm_is_refused() {
    let lake = lake_with_chats().await;
    let engine = lake.engine();
    let refused = async |to: &Path, wanted: &Wanted, partition, words: &str| {
        let to = Folder::open(to.to_str().unwrap(), []).unwrap();
        match engine.export(&to, wanted, partition, now()).await {
            Err(ExportError::Refused(message)) => assert!(message.contains(words), "{message}"),
            other => panic!("{words}: {other:?}"),
        }
    };
    let chats = table("fact_chats");
    let root = lake.folder.path();
    refused(&root.join("lake"), &chats, None, "belongs to the lake").await;
    refused(&root.join("lake/out"), &chats, None, "belongs to the lake").await;

    let foreign = root.join("foreign");
    fs::create_dir_all(foreign.join("fact_chats")).unwrap();
    fs::write(foreign.join("fact_chats/data.parquet"), "mine").unwrap();
    refused(&foreign, &chats, None, "was not written by an export").await;

    export(&lake, None).await.unwrap();
    let month = Some(Partition::Month);
    refused(&out(&lake), &chats, month, "--partition day").await;
    let query = |name: &str, sql: &str| Wanted::Query {
        name: name.to_owned(),
        sql: sql.to_owned(),
        values: Vec::new(),
        is_saved: false,
    };
    let to = root.join("queries");
    refused(
        &to,
        &query("../x", "SELECT 1 AS a"),
        None,
        "cannot be the name",
    )
    .await;
    refused(
        &to,
        &query("x", "SELECT 1 AS a"),
        month,
        "no column of type DATE",
    )
    .await;
    let interval = "SELECT started_at - started_at AS took FROM fact_chats";
    refused(&to, &query("x", interval), None, "column took is of type").await;
    let twice = "SELECT a.chat_id, b.chat_id FROM fact_chats a, fact_chats b";
    refused(
        &to,
        &query("x", twice),
        None,
        "two columns are named chat_id",
    )
    .await;
    assert_eq!(objects(&to), BTreeSet::new(), "nothing was written");
}

#[tokio::test]
async fn a_snapshot_is_complete_once_its_manifest_appears() {
    let lake = lake_with_chats().await;
    let (engine, to) = (lake.engine(), folder(&lake));
    let mut snapshot = Snapshot::begin(&engine, &to, None, now()).await.unwrap();
    let name = "snapshot-20240101T090640.000Z";
    assert!(
        snapshot.url().ends_with(&format!("/{name}/")),
        "{}",
        snapshot.url()
    );
    snapshot.add(&table("fact_chats")).await.unwrap();
    // What comes meanwhile is not of it, in whichever order things are added.
    lake.add("fact_chats", None, chats([9], [Some(FIRST)]))
        .await;
    let count = Wanted::Query {
        name: "count".to_owned(),
        sql: "SELECT count(*) AS chats FROM fact_chats".to_owned(),
        values: Vec::new(),
        is_saved: false,
    };
    snapshot.add(&count).await.unwrap();
    let below = out(&lake).join(name);
    assert!(!below.join("_manifest.json").exists());
    assert!(Snapshot::begin(&engine, &to, None, now()).await.is_err());
    snapshot.finish().await.unwrap();

    let manifest = fs::read(below.join("_manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
    let tables = manifest["tables"].as_array().unwrap();
    let mut listed = BTreeSet::from(["_manifest.json".to_owned(), "_begun.json".to_owned()]);
    for object in tables
        .iter()
        .flat_map(|table| table["objects"].as_array().unwrap())
    {
        let name = object["name"].as_str().unwrap();
        let path = below.join(name);
        assert_eq!(object["bytes"], fs::metadata(&path).unwrap().len());
        let rows: usize = read(&path).iter().map(RecordBatch::num_rows).sum();
        assert_eq!(object["rows"], rows);
        listed.insert(name.to_owned());
    }
    assert_eq!(objects(&below), listed);
    assert_eq!(tables[0]["versions"], tables[1]["versions"]);
    assert_eq!(tables[0]["rows"], 4);
    let counted = pretty_format_batches(&read(&below.join("count/data.parquet"))).unwrap();
    assert!(counted.to_string().contains("| 4     |"), "{counted}");
}
