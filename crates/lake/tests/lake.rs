//! A lake on a local disk: appending once, rewriting by key, leases.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, TimestampMicrosecondType};
use chrono::{DateTime, Duration, Utc};
use datafusion::prelude::{col, lit};
use futures::TryStreamExt;
use lake::{Changes, Lake, LakeError, Layout, Scope, Table, TableSpec};
use tempfile::TempDir;

fn spec() -> TableSpec {
    let fields = vec![
        Field::new("chat_id", DataType::Int64, true),
        Field::new("body", DataType::Utf8, true),
    ];
    let columns = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    TableSpec {
        name: "facts".to_owned(),
        description: "A table of the test".to_owned(),
        schema: Arc::new(Schema::new(fields)),
        partition_columns: Vec::new(),
        stats_columns: columns(&["chat_id"]),
        layout: Layout {
            sort_columns: columns(&["chat_id"]),
            bloom_filter_columns: columns(&["chat_id"]),
            distinct_columns: columns(&["body"]),
            bulky_columns: columns(&["body"]),
            ..Layout::default()
        },
    }
}

fn rows(rows: &[(Option<i64>, &str)]) -> RecordBatch {
    let ids: ArrayRef = Arc::new(rows.iter().map(|(id, _)| *id).collect::<Int64Array>());
    let bodies: ArrayRef = Arc::new(
        rows.iter()
            .map(|(_, body)| Some(*body))
            .collect::<StringArray>(),
    );
    RecordBatch::try_new(spec().schema, vec![ids, bodies]).expect("rows of the table")
}

fn open() -> (TempDir, Lake) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let lake = Lake::open(&folder.path().display().to_string(), []).expect("a lake");
    (folder, lake)
}

async fn contents(table: &Table) -> Vec<(Option<i64>, String)> {
    let batches: Vec<RecordBatch> = table
        .read(&["chat_id", "body"], None)
        .await
        .expect("reading")
        .try_collect()
        .await
        .expect("reading");
    let mut all = Vec::new();
    for batch in batches {
        let bodies = arrow::compute::cast(batch.column(1), &DataType::Utf8).expect("text");
        let ids = batch.column(0).as_primitive::<Int64Type>();
        all.extend(
            ids.iter()
                .zip(bodies.as_string::<i32>())
                .map(|(id, body)| (id, body.unwrap_or("").to_owned())),
        );
    }
    all.sort();
    all
}

async fn replace(
    table: &mut Table,
    keys: &[i64],
    new: RecordBatch,
    version: i64,
) -> Result<(), LakeError> {
    let scope = Scope::Keys {
        column: "chat_id",
        keys: keys.iter().copied().collect::<BTreeSet<_>>(),
    };
    let mut rewrite = table.rewrite(scope)?;
    rewrite.write(new).await?;
    rewrite.commit(&[("test", version)], false).await
}

fn owned(rows: &[(Option<i64>, &str)]) -> Vec<(Option<i64>, String)> {
    rows.iter()
        .map(|(id, body)| (*id, (*body).to_owned()))
        .collect()
}

#[tokio::test]
async fn a_lake_that_is_opened_to_read_is_not_made() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for absent in ["absent", "none/../absent", "a/b/c"] {
        let location = folder.path().join(absent).display().to_string();
        let lake = Lake::open_to_read(&location, []).expect("a lake");
        assert_eq!(lake.tables().await.expect("listing"), [""; 0]);
        let table = lake.existing("facts").await;
        assert!(matches!(table, Err(LakeError::NoSuchTable { .. })));
        assert!(!lake.exists().await.expect("looking"));
        assert!(matches!(lake.ping().await, Err(LakeError::Gone { .. })));
    }
    let made = std::fs::read_dir(folder.path()).expect("the folder");
    assert_eq!(made.count(), 0);
    let file = folder.path().join("file");
    std::fs::write(&file, "").expect("a file");
    let opened = Lake::open_to_read(&file.display().to_string(), []);
    assert!(matches!(opened, Err(LakeError::Location { .. })));
}

#[tokio::test]
async fn an_append_records_its_transaction_and_its_files() {
    let (_folder, lake) = open();
    let mut table = lake.table(&spec()).await.expect("a table");
    assert_eq!(table.committed("log").await.expect("asking"), None);
    let before = table.version();
    table
        .append(vec![rows(&[(Some(1), "a")])], Some(("log", 7)))
        .await
        .expect("appending");
    let mut other = lake.existing("facts").await.expect("the table");
    assert_eq!(other.committed("log").await.expect("asking"), Some(7));
    let Changes::Added(files) = other.changes_since(before).await.expect("changes") else {
        panic!("no changes")
    };
    assert_eq!(files.len(), 1);
    let read: Vec<RecordBatch> = other
        .read_file(&files[0], &["chat_id"])
        .await
        .expect("the file")
        .collect::<Result<_, _>>()
        .expect("rows of the file");
    assert_eq!(read[0].column(0).as_primitive::<Int64Type>().value(0), 1);
    other.refresh().await.expect("refreshing");
    assert_eq!(
        other.changes_since(other.version()).await.expect("changes"),
        Changes::Added(Vec::new())
    );
}

#[tokio::test]
async fn a_rewrite_replaces_the_keys_and_nothing_else() {
    let (_folder, lake) = open();
    let mut table = lake.table(&spec()).await.expect("a table");
    let first = [
        (Some(1), "a"),
        (Some(2), "b"),
        (None, "keyless"),
        (Some(2), "b2"),
    ];
    table
        .append(vec![rows(&first)], None)
        .await
        .expect("appending");
    table
        .append(vec![rows(&[(Some(3), "c"), (Some(9), "d")])], None)
        .await
        .expect("appending");

    replace(
        &mut table,
        &[2, 5],
        rows(&[(Some(2), "new"), (Some(5), "e")]),
        1,
    )
    .await
    .expect("replacing");
    let expected = [
        (None, "keyless"),
        (Some(1), "a"),
        (Some(2), "new"),
        (Some(3), "c"),
        (Some(5), "e"),
        (Some(9), "d"),
    ];
    assert_eq!(contents(&table).await, owned(&expected));
    assert_eq!(table.committed("test").await.expect("asking"), Some(1));

    // Nothing to remove and nothing to add: nothing is committed.
    let version = table.version();
    replace(&mut table, &[77], rows(&[]), 2)
        .await
        .expect("replacing");
    assert_eq!(table.version(), version);

    let mut rewrite = table.rewrite(Scope::Everything).expect("a rewrite");
    rewrite
        .write(rows(&[(Some(4), "only")]))
        .await
        .expect("writing");
    rewrite
        .commit(&[("test", 3)], true)
        .await
        .expect("replacing all");
    assert_eq!(contents(&table).await, owned(&[(Some(4), "only")]));
}

/// Intervals of a key, by the second they begin at.
fn intervals(rows: &[(i64, i64)]) -> RecordBatch {
    let starts = rows.iter().map(|(_, second)| second * 1_000_000);
    let starts = TimestampMicrosecondArray::from_iter_values(starts).with_timezone("UTC");
    let keys = Int64Array::from_iter_values(rows.iter().map(|(key, _)| *key));
    let columns: [(&str, ArrayRef); 2] = [("agent_id", Arc::new(keys)), ("at", Arc::new(starts))];
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true)))
        .expect("rows of the table")
}

async fn intervals_of(table: &Table) -> Vec<(i64, i64)> {
    let stream = table.read(&["agent_id", "at"], None).await;
    let batches: Vec<RecordBatch> = stream
        .expect("reading")
        .try_collect()
        .await
        .expect("reading");
    let rows = batches.iter().flat_map(|batch| {
        let keys = batch.column(0).as_primitive::<Int64Type>().values();
        let starts = batch
            .column(1)
            .as_primitive::<TimestampMicrosecondType>()
            .values();
        keys.iter()
            .copied()
            .zip(starts.iter().map(|micros| micros / 1_000_000))
    });
    let mut rows: Vec<_> = rows.collect();
    rows.sort_unstable();
    rows
}

#[tokio::test]
async fn a_rewrite_since_an_instant_leaves_what_was_before_it_where_it_is() {
    let (_folder, lake) = open();
    let spec = TableSpec {
        schema: intervals(&[]).schema(),
        stats_columns: vec!["agent_id".to_owned(), "at".to_owned()],
        layout: Layout {
            sort_columns: vec!["at".to_owned()],
            ..Layout::default()
        },
        ..spec()
    };
    let mut table = lake.table(&spec).await.expect("a table");
    for old in [[(1, 10), (2, 11)], [(1, 20), (2, 21)], [(1, 30), (2, 31)]] {
        table
            .append(vec![intervals(&old)], None)
            .await
            .expect("appending");
    }
    let before = table.version();
    let at = |second| DateTime::from_timestamp(second, 0).expect("an instant");
    let scope = Scope::KeysSince {
        column: "agent_id",
        instant: "at",
        since: [(1, at(20)), (2, at(31)), (9, at(0))].into(),
    };
    let mut rewrite = table.rewrite(scope).expect("a rewrite");
    rewrite
        .write(intervals(&[(1, 25), (2, 33), (9, 5)]))
        .await
        .expect("writing");
    rewrite
        .commit(&[("test", 1)], false)
        .await
        .expect("replacing");
    let expected = [(1, 10), (1, 25), (2, 11), (2, 21), (2, 33), (9, 5)];
    assert_eq!(intervals_of(&table).await, expected);

    let Changes::Added(files) = table.changes_since(before).await.expect("changes") else {
        panic!("no changes")
    };
    let mut rewritten = 0;
    for file in &files {
        let batches = table.read_file(file, &["agent_id"]).await.expect("a file");
        rewritten += batches
            .map(|batch| batch.expect("rows").num_rows())
            .sum::<usize>();
    }
    assert_eq!(rewritten, 4, "the oldest file was rewritten too");
}

/// Of a table of many files, one row is replaced: one file is written anew, and no others.
async fn check_rewritten_in_small_files(target_file_bytes: u64, body: fn(i64) -> String) {
    let (_folder, lake) = open();
    let spec = TableSpec {
        layout: Layout {
            target_file_bytes,
            ..spec().layout
        },
        ..spec()
    };
    let mut table = lake.table(&spec).await.expect("a table");
    let mut rewrite = table.rewrite(Scope::Everything).expect("a rewrite");
    for thousand in 0..20 {
        let keys: Vec<i64> = (thousand * 1_000..(thousand + 1) * 1_000).collect();
        let bodies: Vec<String> = keys.iter().map(|key| body(*key)).collect();
        let batch: Vec<_> = keys
            .iter()
            .zip(&bodies)
            .map(|(key, body)| (Some(*key), body.as_str()))
            .collect();
        rewrite.write(rows(&batch)).await.expect("writing");
    }
    rewrite.commit(&[], true).await.expect("replacing all");
    let (_, files, bytes) = table.totals().expect("totals");
    assert!(files >= 5, "{files} files of {bytes} bytes");
    for (round, key) in [10_500, 10_501].into_iter().enumerate() {
        let before = table.version();
        let new = rows(&[(Some(key), "new")]);
        replace(&mut table, &[key], new, round as i64)
            .await
            .expect("replacing");
        assert_eq!(contents(&table).await.len(), 20_000);
        let Changes::Added(added) = table.changes_since(before).await.expect("changes") else {
            panic!("no changes")
        };
        assert!(added.len() <= 2, "{} of {files} files", added.len());
    }
}

#[tokio::test]
async fn a_table_of_small_files_is_rewritten_in_small_files() {
    let incompressible = |key: i64| format!("{:x}", key.wrapping_mul(0x1e37_79b9_7f4a_7c15));
    check_rewritten_in_small_files(16 << 10, incompressible).await;
}

/// They look small, and would come out as they are if they were written together.
#[tokio::test]
async fn full_files_that_shrank_to_little_are_not_written_together() {
    check_rewritten_in_small_files(64 << 10, |key| format!("{key:>200}")).await;
}

#[tokio::test]
async fn folding_keeps_every_row_once_and_bounds_the_number_of_files() {
    let (_folder, lake) = open();
    let mut table = lake.table(&spec()).await.expect("a table");
    let mut expected = BTreeMap::new();
    for round in 0..60 {
        // A new key, and an old one that changes, wherever its row lies by now.
        let (new, old) = ((Some(round), "new"), (Some(round * 7 % 60), "changed"));
        let changes = if old.0 < new.0 {
            vec![new, old]
        } else {
            vec![new]
        };
        let keys: Vec<i64> = changes.iter().filter_map(|change| change.0).collect();
        replace(&mut table, &keys, rows(&changes), round)
            .await
            .expect("replacing");
        expected.extend(changes);
        let files = table.totals().expect("totals").1;
        assert!(files <= 24, "{files} files after {round} rounds");
    }
    let expected: Vec<_> = expected.into_iter().collect();
    assert_eq!(contents(&table).await, owned(&expected));
}

#[tokio::test]
async fn a_rewrite_fails_if_the_table_has_changed_since() {
    let (_folder, lake) = open();
    let mut table = lake.table(&spec()).await.expect("a table");
    table
        .append(vec![rows(&[(Some(1), "a")])], None)
        .await
        .expect("appending");
    let mut paused = lake.table(&spec()).await.expect("the table");
    replace(&mut table, &[1], rows(&[(Some(1), "first")]), 1)
        .await
        .expect("replacing");
    let late = replace(&mut paused, &[1], rows(&[(Some(1), "late")]), 1).await;
    assert!(matches!(late, Err(LakeError::Conflict { .. })), "{late:?}");
    assert_eq!(contents(&table).await, owned(&[(Some(1), "first")]));
}

#[tokio::test]
async fn many_writers_append_without_loss() {
    let (_folder, lake) = open();
    lake.table(&spec()).await.expect("a table");
    let writers = (0..4).map(|writer| {
        let lake = lake.clone();
        tokio::spawn(async move {
            let mut table = lake.table(&spec()).await.expect("the table");
            for number in 1..=5 {
                let row = rows(&[(Some(writer * 100 + number), "x")]);
                table
                    .append(vec![row], Some((&format!("writer {writer}"), number)))
                    .await
                    .expect("appending");
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.expect("a writer");
    }
    assert_eq!(
        contents(&lake.existing("facts").await.expect("the table"))
            .await
            .len(),
        20
    );
}

#[tokio::test]
async fn one_holds_a_lease_until_it_is_released_or_expires() {
    let (_folder, lake) = open();
    let now = DateTime::UNIX_EPOCH + Duration::days(20_000);
    let take = |holder: &'static str, now: DateTime<Utc>| {
        let lake = lake.clone();
        async move { lake.lease("work", holder, Duration::seconds(20), now).await }
    };
    let mut first = take("first", now).await.expect("a free lease");
    let held = take("second", now).await;
    assert!(
        matches!(&held, Err(LakeError::Held { holder, .. }) if holder == "first"),
        "{held:?}"
    );
    first
        .renew("first", Duration::seconds(20), now + Duration::seconds(15))
        .await
        .expect("renewing");
    assert!(take("second", now + Duration::seconds(25)).await.is_err());
    // The holder's clock may be behind.
    assert!(take("second", now + Duration::minutes(10)).await.is_err());
    let second = take("second", now + Duration::minutes(11))
        .await
        .expect("a lease that expired long ago");
    let lost = first
        .renew("first", Duration::seconds(20), now + Duration::minutes(11))
        .await;
    assert!(matches!(lost, Err(LakeError::Held { .. })), "{lost:?}");
    second.release().await.expect("releasing");
    take("third", now + Duration::minutes(11))
        .await
        .expect("a released lease");
}

#[test]
fn a_location_with_credentials_is_refused_and_shows_none() {
    for location in [
        "az://container/lake?sv=2020&sig=c2VjcmV0",
        "s3://someone:c2VjcmV0@bucket/lake",
    ] {
        let error = Lake::open(location, []).expect_err(location).to_string();
        assert!(error.contains("credentials in the environment"), "{error}");
        assert!(!error.contains("c2VjcmV0"), "{error}");
    }
}

#[test]
fn a_location_that_cannot_be_used_says_why() {
    for location in ["ftp://host/lake", "s3://", "file://relative"] {
        let error = Lake::open(location, []).expect_err(location).to_string();
        assert!(error.contains(location), "{error}");
    }
}

/// A batch of such rows alone is larger than all memory.
#[tokio::test]
async fn rows_of_any_width_are_sorted_within_little_memory() {
    const PARTS: i64 = 6;
    const ROWS: i64 = 100;
    let (_folder, lake) = open();
    let mut table = lake.table(&spec()).await.expect("a table");
    let body = "x".repeat(400 << 10);
    for part in 0..PARTS {
        let wide: Vec<_> = (0..ROWS)
            .map(|row| (Some(row * PARTS + part), body.as_str()))
            .collect();
        table
            .append(vec![rows(&wide)], None)
            .await
            .expect("appending");
    }
    let sorted = table
        .read_sorted(&["chat_id", "body"], None, &["chat_id"], 32 << 20)
        .await;
    let batches: Vec<RecordBatch> = sorted
        .expect("sorting")
        .try_collect()
        .await
        .expect("sorting");
    let ids = batches
        .iter()
        .flat_map(|batch| batch.column(0).as_primitive::<Int64Type>().values());
    assert!(ids.copied().eq(0..PARTS * ROWS));
}

#[tokio::test]
async fn lists_of_any_length_choose_rows() {
    const VALUES: i64 = 50_000;
    let (_folder, lake) = open();
    let mut table = lake.table(&spec()).await.expect("a new table");
    let all = [
        (Some(1), "one"),
        (Some(VALUES + 1), "beyond"),
        (None, "nobody's"),
    ];
    table.append(vec![rows(&all)], None).await.expect("rows");
    let ids = || (0..VALUES).map(lit).collect::<Vec<_>>();
    for (condition, expected) in [
        (col("chat_id").in_list(ids(), false), vec!["one"]),
        (col("chat_id").in_list(ids(), true), vec!["beyond"]),
        (
            col("chat_id")
                .in_list(ids(), false)
                .or(col("chat_id").is_null()),
            vec!["nobody's", "one"],
        ),
    ] {
        let chosen = table
            .read_sorted(&["body"], Some(condition), &["body"], 32 << 20)
            .await;
        let chosen: Vec<RecordBatch> = chosen
            .expect("choosing")
            .try_collect()
            .await
            .expect("choosing");
        let chosen = chosen
            .iter()
            .flat_map(|batch| batch.column(0).as_string_view().iter().flatten());
        assert_eq!(chosen.collect::<Vec<_>>(), expected);
    }
}

#[tokio::test]
async fn a_table_of_an_earlier_version_gets_the_columns_it_lacks() {
    let (_folder, lake) = open();
    let mut earlier = spec();
    earlier.schema = Arc::new(Schema::new(vec![Field::new(
        "chat_id",
        DataType::Int64,
        true,
    )]));
    let ids: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
    let old = RecordBatch::try_new(earlier.schema.clone(), vec![ids]).expect("rows");
    let mut table = lake.table(&earlier).await.expect("a table");
    table.append(vec![old], None).await.expect("appending");

    let mut table = lake.table(&spec()).await.expect("the table");
    let old_rows = || vec![(Some(1), String::new()), (Some(2), String::new())];
    assert_eq!(contents(&table).await, old_rows());
    let version = table.version();
    let mut again = lake.table(&spec()).await.expect("the table");
    assert_eq!(again.version(), version, "nothing is missing any more");
    again
        .append(vec![rows(&[(Some(3), "new")])], None)
        .await
        .expect("appending");
    table.refresh().await.expect("the newest");
    let mut all = old_rows();
    all.push((Some(3), "new".to_owned()));
    assert_eq!(contents(&table).await, all);
    replace(&mut table, &[1], rows(&[(Some(1), "other")]), 1)
        .await
        .expect("replacing");
    all[0].1 = "other".to_owned();
    assert_eq!(contents(&table).await, all);
    let (schema, _) = lake
        .existing("facts")
        .await
        .expect("the table")
        .describe()
        .expect("its columns");
    let names: Vec<&String> = schema.fields().iter().map(|field| field.name()).collect();
    assert_eq!(names, ["chat_id", "body"]);
}

#[tokio::test]
async fn a_property_is_given_with_a_commit_and_stays() {
    let (_folder, lake) = open();
    let mut table = lake.table(&spec()).await.expect("a table");
    let give = async |table: &mut Table, value: &str, chat: i64| {
        let scope = Scope::Keys {
            column: "chat_id",
            keys: BTreeSet::from([chat]),
        };
        let mut rewrite = table.rewrite(scope).expect("a rewrite");
        rewrite
            .write(rows(&[(Some(chat), "body")]))
            .await
            .expect("writing");
        let prepared = rewrite.prepare().await.expect("preparing");
        let prepared = prepared
            .with_property("made.with", value)
            .expect("a property");
        prepared
            .commit(&[("run", chat)], true)
            .await
            .expect("committing");
    };
    assert_eq!(table.property("made.with").expect("properties"), None);
    let made_with = async || {
        let table = lake.existing("facts").await.expect("the table");
        table.property("made.with").expect("properties")
    };
    for (value, chat) in [("{\"a\": 1}", 1), ("{\"a\": 1}", 2), ("{}", 3)] {
        give(&mut table, value, chat).await;
        assert_eq!(made_with().await.as_deref(), Some(value));
        assert_eq!(
            table.property("made.with").expect("properties").as_deref(),
            Some(value)
        );
    }
    assert_eq!(contents(&table).await.len(), 3);
}
