//! Maintainers that overlap, which the lease does not prevent.

use std::fs;
use std::sync::Arc;

use arrow::array::{Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use chrono::{TimeDelta, Utc};
use object_store::ObjectStoreExt;
use object_store::path::Path;
use serde_json::Value;
use tempfile::TempDir;

use super::compaction::Tolerance;
use super::plan::{Group, of_appended};
use super::waste::Waste;
use super::{Effort, LakeError};
use crate::location::Lake;
use crate::table::{Layout, Table, TableSpec};

#[path = "../../tests/support/numbers.rs"]
mod sorted;

fn spec() -> TableSpec {
    let schema = Schema::new(vec![Field::new("number", DataType::Int64, true)]);
    TableSpec {
        name: "events".to_owned(),
        description: "A table of the test".to_owned(),
        schema: Arc::new(schema),
        partition_columns: Vec::new(),
        stats_columns: Vec::new(),
        layout: Layout {
            sort_columns: vec!["number".to_owned()],
            ..Layout::default()
        },
    }
}

async fn table_of(files: i64) -> (TempDir, Lake, Table) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let lake = Lake::open(&folder.path().display().to_string(), []).expect("a lake");
    let mut table = lake.table(&spec()).await.expect("a table");
    for number in 0..files {
        append(&mut table, number).await;
    }
    (folder, lake, table)
}

async fn append(table: &mut Table, number: i64) {
    let numbers = Arc::new(Int64Array::from(vec![number]));
    let row = RecordBatch::try_new(spec().schema, vec![numbers]).expect("a row");
    table.append(vec![row], None).await.expect("appending");
}

fn everything(table: &Table) -> Group {
    let files = table.stored_files().expect("the files");
    let mut groups = of_appended(files, None, 64 << 20, Effort::Whole, Utc::now());
    groups.remove(0)
}

async fn numbers(lake: &Lake) -> Vec<i64> {
    let table = lake.existing("events").await.expect("the table");
    sorted::numbers(table.read(&["number"], None).await.expect("reading")).await
}

#[tokio::test]
async fn of_two_that_write_the_same_files_anew_one_conflicts() {
    let (_folder, lake, mut table) = table_of(3).await;
    let mut paused = table.clone();
    let group = everything(&table);
    table
        .compact(&group, Tolerance::Appends)
        .await
        .expect("compacting");
    let late = paused.compact(&group, Tolerance::Appends).await;
    assert!(matches!(late, Err(LakeError::Conflict { .. })), "{late:?}");
    // Nor is it taken in by a look at the table in between.
    paused.refresh().await.expect("refreshing");
    let late = paused.compact(&group, Tolerance::Appends).await;
    assert!(late.is_err(), "{late:?}");
    assert_eq!(numbers(&lake).await, [0, 1, 2]);
}

#[tokio::test]
async fn appends_during_a_compaction_conflict_only_where_nothing_is_tolerated() {
    for (tolerance, is_done) in [(Tolerance::Appends, true), (Tolerance::Nothing, false)] {
        let (_folder, lake, mut table) = table_of(3).await;
        let mut writer = table.clone();
        append(&mut writer, 3).await;
        let group = everything(&table);
        let compacted = table.compact(&group, tolerance).await;
        assert_eq!(compacted.is_ok(), is_done, "{compacted:?}");
        append(&mut writer, 4).await;
        assert_eq!(numbers(&lake).await, [0, 1, 2, 3, 4]);
    }
}

#[tokio::test]
async fn settled_files_are_known_as_such_also_from_a_checkpoint() {
    let (_folder, lake, mut table) = table_of(3).await;
    let group = everything(&table);
    table
        .compact(&group, Tolerance::Appends)
        .await
        .expect("compacting");
    table.write_checkpoint(None).await.expect("a checkpoint");
    append(&mut table, 3).await;
    let table = lake.existing("events").await.expect("the table");
    let files = table.stored_files().expect("the files");
    let mut settled: Vec<_> = files
        .iter()
        .map(|file| (file.rows, file.is_settled))
        .collect();
    settled.sort_unstable();
    assert_eq!(settled, [(1, false), (3, true)]);
}

#[tokio::test]
async fn a_checkpoint_of_one_who_was_paused_hides_nothing() {
    let (_folder, lake, mut table) = table_of(3).await;
    let paused = table.clone();
    let group = everything(&table);
    table
        .compact(&group, Tolerance::Appends)
        .await
        .expect("compacting");
    append(&mut table, 3).await;
    table.write_checkpoint(None).await.expect("a checkpoint");
    paused
        .write_checkpoint(None)
        .await
        .expect("an older checkpoint");
    assert_eq!(numbers(&lake).await, [0, 1, 2, 3]);
    // Also where what lies between them was deleted.
    let folder = table.folder(None).await.expect("the folder");
    let waste: Vec<_> = folder.waste.iter().collect();
    assert!(waste.len() > 3, "{waste:?}");
    table.delete_files(&waste).await.expect("deleting files");
    table.delete_log(&waste).await.expect("deleting the log");
    assert_eq!(numbers(&lake).await, [0, 1, 2, 3]);
    append(&mut table, 4).await;
    assert_eq!(numbers(&lake).await, [0, 1, 2, 3, 4]);
}

#[tokio::test]
async fn what_a_clock_that_is_behind_removed_just_now_stays_for_an_hour() {
    let (folder, lake, mut table) = table_of(9).await;
    let group = everything(&table);
    let compacted = table.compact(&group, Tolerance::Appends).await;
    compacted.expect("compacting");
    // As if the clock had been two hours behind.
    let log = folder.path().join("events/_delta_log");
    let commit = log.join(format!("{:020}.json", table.version()));
    let text = fs::read_to_string(&commit).expect("the commit");
    let dated = text.lines().map(|line| {
        let mut action: Value = serde_json::from_str(line).expect("an action");
        let removal = action.get_mut("remove");
        if let Some(at) = removal.and_then(|removal| removal.get_mut("deletionTimestamp")) {
            *at = (at.as_i64().expect("an instant") - 2 * 3_600_000).into();
        }
        action.to_string() + "\n"
    });
    fs::write(&commit, dated.collect::<String>()).expect("the commit");
    let table = lake.existing("events").await.expect("the table");
    let mut waste = table.folder(None).await.expect("the folder");
    let (day, now) = (TimeDelta::days(1), Utc::now());
    assert!(!waste.due(day, now).is_empty(), "as it is dated");
    let dated = table.date_removals(&mut waste, day, now).await;
    dated.expect("reading the log");
    assert_eq!(waste.due(day, now), Vec::<&Waste>::new());
    let later = now + TimeDelta::hours(1);
    assert!(!waste.due(day, later).is_empty());
    // Who asks for all of it now gets it.
    let mut waste = table.folder(None).await.expect("the folder");
    let dated = table
        .date_removals(&mut waste, TimeDelta::zero(), now)
        .await;
    dated.expect("reading nothing");
    assert_eq!(waste.due(TimeDelta::zero(), now).len(), 9);
}

#[tokio::test]
async fn the_oldest_version_that_can_be_read_is_told_where_older_ones_are_gone() {
    let (_folder, lake, mut table) = table_of(3).await;
    table.write_checkpoint(None).await.expect("a checkpoint");
    let summed_up = table.version();
    append(&mut table, 3).await;
    let folder = table.folder(None).await.expect("the folder");
    let waste: Vec<_> = folder.waste.iter().collect();
    table.delete_log(&waste).await.expect("deleting the log");
    let gone = lake.existing_at("events", summed_up - 1).await;
    let gone = gone.expect_err("no version").to_string();
    let expected = format!("the oldest that can be read is {summed_up}, since maintenance");
    assert!(gone.contains(&expected), "{gone}");
    for version in summed_up..=table.version() {
        let read = lake.existing_at("events", version).await;
        assert_eq!(read.expect("the version").version(), version);
    }
    let before = chrono::DateTime::UNIX_EPOCH;
    let gone = lake.existing_as_of("events", before).await;
    assert!(
        matches!(gone, Err(LakeError::NoSuchVersion { .. })),
        "{gone:?}"
    );
}

#[tokio::test]
async fn a_checkpoint_forgets_removed_files_once_they_are_gone() {
    let (_folder, lake, mut table) = table_of(3).await;
    let group = everything(&table);
    let compacted = table.compact(&group, Tolerance::Appends).await;
    compacted.expect("compacting");
    for remembered in [3, 0] {
        append(&mut table, 3).await;
        let folder = table.folder(None).await.expect("the folder");
        let checkpoint = table.write_checkpoint(Some(&folder.removed())).await;
        checkpoint.expect("a checkpoint");
        let reopened = lake.existing("events").await.expect("the table");
        let removed = reopened.removed().await.expect("tombstones");
        assert_eq!(removed.len(), remembered);
        let (before, after) = (table.stored_files(), reopened.stored_files());
        assert_eq!(after.expect("files"), before.expect("files"));
        let waste: Vec<_> = folder.waste.iter().collect();
        reopened.delete_files(&waste).await.expect("deleting files");
        table = reopened;
    }
    assert_eq!(numbers(&lake).await, [0, 1, 2, 3, 3]);
    let hint = table.inner.log_store().object_store(None);
    let hint = hint.get(&Path::from("_delta_log/_last_checkpoint")).await;
    let hint = hint.expect("the hint").bytes().await.expect("its bytes");
    let hint: Value = serde_json::from_slice(&hint).expect("JSON");
    assert_eq!(hint["version"], table.version());
    assert_eq!(hint["numOfAddFiles"], 3);
}
