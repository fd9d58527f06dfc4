//! What replacing rows by key writes, and what it leaves alone.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type, Schema};
use futures::TryStreamExt;
use lake::{Changes, Depth, Lake, LakeError, Layout, Scope, Table, TableSpec};
use parquet::file::reader::{FileReader, SerializedFileReader};
use tempfile::TempDir;

type Row = (i64, Option<&'static str>, Option<f64>);

fn spec() -> TableSpec {
    let fields = vec![
        Field::new("chat_id", DataType::Int64, true),
        Field::new("body", DataType::Utf8, true),
        Field::new("score", DataType::Float64, true),
    ];
    TableSpec {
        name: "facts".to_owned(),
        description: "A table of the test".to_owned(),
        schema: Arc::new(Schema::new(fields)),
        partition_columns: Vec::new(),
        stats_columns: vec!["chat_id".to_owned()],
        layout: Layout {
            sort_columns: vec!["chat_id".to_owned()],
            ..Layout::default()
        },
    }
}

fn batch(rows: &[Row]) -> RecordBatch {
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.0)));
    let bodies: ArrayRef = Arc::new(rows.iter().map(|row| row.1).collect::<StringArray>());
    let scores: ArrayRef = Arc::new(rows.iter().map(|row| row.2).collect::<Float64Array>());
    RecordBatch::try_new(spec().schema, vec![ids, bodies, scores]).expect("rows of the table")
}

/// Rows as text, sorted: NaN is not equal to itself.
fn texts(batch: &RecordBatch) -> Vec<String> {
    let bodies = arrow::compute::cast(batch.column(1), &DataType::Utf8).expect("text");
    let ids = batch.column(0).as_primitive::<Int64Type>().iter();
    let scores = batch.column(2).as_primitive::<Float64Type>().iter();
    ids.zip(bodies.as_string::<i32>())
        .zip(scores)
        .map(|((id, body), score)| format!("{:?}", (id.unwrap_or_default(), body, score)))
        .collect()
}

fn sorted(batches: &[RecordBatch]) -> Vec<String> {
    let mut rows: Vec<String> = batches.iter().flat_map(texts).collect();
    rows.sort();
    rows
}

async fn table_of(files: &[&[Row]]) -> (TempDir, Table) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let lake = Lake::open(&folder.path().display().to_string(), []).expect("a lake");
    let mut table = lake.table(&spec()).await.expect("a table");
    for rows in files {
        let appended = table.append(vec![batch(rows)], None).await;
        appended.expect("appending");
    }
    (folder, table)
}

async fn replace(table: &mut Table, keys: &[i64], new: &[Row]) -> Result<(), LakeError> {
    let scope = Scope::Keys {
        column: "chat_id",
        keys: keys.iter().copied().collect(),
    };
    let mut rewrite = table.rewrite(scope)?;
    rewrite.write(batch(new)).await?;
    rewrite.commit(&[], false).await
}

async fn contents(table: &Table) -> Vec<String> {
    let rows = table.read(&["chat_id", "body", "score"], None).await;
    let batches: Vec<_> = rows.expect("reading").try_collect().await.expect("reading");
    sorted(&batches)
}

/// The rows of the files that were added since a version.
async fn written(table: &Table, since: u64) -> Vec<String> {
    let Changes::Added(files) = table.changes_since(since).await.expect("changes") else {
        panic!("no changes")
    };
    let mut batches = Vec::new();
    for file in &files {
        let rows = table.read_file(file, &["chat_id", "body", "score"]).await;
        batches.extend(rows.expect("a file").map(|batch| batch.expect("its rows")));
    }
    sorted(&batches)
}

/// Replaces keys and says what is there afterwards and what was written for it.
async fn check(files: &[&[Row]], keys: &[i64], new: &[Row], expected: &[Row], files_of: &[Row]) {
    let (_folder, mut table) = table_of(files).await;
    let before = table.version();
    replace(&mut table, keys, new).await.expect("replacing");
    assert_eq!(contents(&table).await, sorted(&[batch(expected)]));
    assert_eq!(
        written(&table, before).await,
        sorted(&[batch(files_of)]),
        "written"
    );
    let is_committed = table.version() > before;
    assert_eq!(is_committed, !files_of.is_empty(), "committed");
}

#[tokio::test]
async fn unchanged_rows_write_nothing() {
    let old: [Row; 4] = [
        (1, Some("a"), Some(f64::NAN)),
        (1, None, None),
        (2, Some(""), Some(0.5)),
        (3, Some("other"), None),
    ];
    let again = [old[2], old[0], old[1]];
    check(&[&old[..2], &old[2..]], &[1, 2, 9], &again, &old, &[]).await;
}

#[tokio::test]
async fn an_unchanged_table_is_committed_where_the_position_must_move() {
    let old: [Row; 1] = [(1, Some("a"), None)];
    let (_folder, mut table) = table_of(&[&old]).await;
    let before = (table.version(), table.totals().expect("totals"));
    let scope = Scope::Keys {
        column: "chat_id",
        keys: [1].into(),
    };
    let mut rewrite = table.rewrite(scope).expect("a rewrite");
    rewrite.write(batch(&old)).await.expect("writing");
    let commit = rewrite.commit(&[("position", 7)], true).await;
    commit.expect("committing");
    assert_eq!(table.version(), before.0 + 1);
    assert_eq!(table.totals().expect("totals"), before.1);
    assert_eq!(table.committed("position").await.expect("asking"), Some(7));
}

#[tokio::test]
async fn only_files_with_removed_rows_are_rewritten() {
    let (kept, changed, beside) = ((2, Some("b"), None), (1, Some("a"), None), (3, None, None));
    let new = (1, Some("new"), None);
    check(
        // The first two may hold both keys by their statistics.
        &[
            &[kept, (0, None, None)],
            &[changed, beside],
            &[(9, None, None)],
        ],
        &[1, 2],
        &[new, kept],
        &[(0, None, None), new, kept, beside, (9, None, None)],
        &[new, beside],
    )
    .await;
}

#[tokio::test]
async fn an_appended_row_of_a_known_key_leaves_its_old_file_alone() {
    let (old, new) = ((1, Some("a"), Some(1.0)), (1, Some("b"), Some(2.0)));
    check(
        &[&[old, (2, None, None)]],
        &[1],
        &[old, new],
        &[old, new, (2, None, None)],
        &[new],
    )
    .await;
}

#[tokio::test]
async fn what_stays_of_a_key_stays_also_where_its_file_is_rewritten() {
    let (stays, goes) = ((1, Some("stays"), None), (1, Some("goes"), None));
    check(&[&[stays, goes]], &[1], &[stays], &[stays], &[stays]).await;
}

#[tokio::test]
async fn equal_rows_are_counted() {
    let row: Row = (1, Some("twin"), None);
    check(&[&[row]], &[1], &[row, row], &[row, row], &[row]).await;
    check(
        &[&[row, row], &[row]],
        &[1],
        &[row, row, row],
        &[row; 3],
        &[],
    )
    .await;
    let (_folder, mut table) = table_of(&[&[row, row, row]]).await;
    replace(&mut table, &[1], &[row, row])
        .await
        .expect("replacing");
    assert_eq!(contents(&table).await, sorted(&[batch(&[row, row])]));
}

#[tokio::test]
async fn a_paused_rewrite_conflicts_also_where_it_would_change_nothing() {
    let old: [Row; 1] = [(1, Some("a"), None)];
    let (_folder, mut table) = table_of(&[&old]).await;
    let mut paused = table.clone();
    replace(&mut table, &[1], &[(1, Some("newer"), None)])
        .await
        .expect("replacing");
    let scope = Scope::Keys {
        column: "chat_id",
        keys: [1].into(),
    };
    let mut rewrite = paused.rewrite(scope).expect("a rewrite");
    rewrite.write(batch(&old)).await.expect("writing");
    let late = rewrite.commit(&[("position", 1)], true).await;
    assert!(matches!(late, Err(LakeError::Conflict { .. })), "{late:?}");
}

const GROUP_ROWS: usize = 1_000;

/// The row groups of the table's only file, each as the bytes of its columns.
fn row_groups(folder: &TempDir, table: &Table) -> Vec<Vec<u8>> {
    let (_, files, _) = table.totals().expect("totals");
    assert_eq!(files, 1);
    let folder = folder.path().join("facts");
    let files = std::fs::read_dir(folder).expect("the table's folder");
    let files = files.map(|file| file.expect("a file").path());
    let newest = files
        .filter(|path| path.extension().is_some_and(|end| end == "parquet"))
        .max_by_key(|path| {
            let metadata = path.metadata().expect("metadata");
            metadata.modified().expect("its time")
        });
    let bytes = bytes::Bytes::from(std::fs::read(newest.expect("a file")).expect("its bytes"));
    let file = SerializedFileReader::new(bytes.clone()).expect("a Parquet file");
    let groups = file.metadata().row_groups().iter().map(|group| {
        let columns = group.columns().iter().map(|column| {
            let (start, length) = column.byte_range();
            bytes.slice(start as usize..(start + length) as usize)
        });
        columns.collect::<Vec<_>>().concat()
    });
    groups.collect()
}

/// A table of one file with ten row groups, of which keys are replaced: those row groups lie there as before but the
/// `changed` ones, and what the log says of the file is true.
async fn check_cut(keys: &[i64], new: &[Row], removed: &[i64], changed: &[Option<usize>]) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let lake = Lake::open(&folder.path().display().to_string(), []).expect("a lake");
    let spec = TableSpec {
        layout: Layout {
            row_group_rows: GROUP_ROWS,
            bloom_filter_columns: vec!["chat_id".to_owned()],
            ..spec().layout
        },
        stats_columns: vec!["chat_id".to_owned(), "score".to_owned()],
        ..spec()
    };
    let mut table = lake.table(&spec).await.expect("a table");
    let row = |key: i64| (key, (key % 7 > 0).then_some("text"), Some(key as f64 / 3.0));
    let all: Vec<Row> = (0..10 * GROUP_ROWS as i64).map(row).collect();
    let mut rewrite = table.rewrite(Scope::Everything).expect("a rewrite");
    rewrite.write(batch(&all)).await.expect("writing");
    rewrite.commit(&[], true).await.expect("committing");
    let before = row_groups(&folder, &table);
    assert_eq!(before.len(), 10);

    replace(&mut table, keys, new).await.expect("replacing");
    let mut expected = all.clone();
    expected.retain(|row| !removed.contains(&row.0));
    assert_eq!(contents(&table).await, sorted(&[batch(&expected)]));
    let after = row_groups(&folder, &table);
    let place = |group| before.iter().position(|old| old == group);
    let places: Vec<Option<usize>> = after.iter().map(place).collect();
    assert_eq!(places, changed);
    let check = table.verify(Depth::Whole).await.expect("verifying");
    assert!(check.flaws.is_empty(), "{:?}", check.flaws);
    for key in [4_500, 4_502, 9_999] {
        let of_key = format!("chat_id = {key}");
        let columns = ["chat_id", "body", "score"];
        let found = table.read(&columns, Some(&of_key)).await.expect("reading");
        let found: Vec<_> = found.try_collect().await.expect("reading");
        let is_there = usize::from(!removed.contains(&key));
        assert_eq!(sorted(&found).len(), is_there, "{key}");
    }
}

#[tokio::test]
async fn row_groups_that_lose_nothing_are_copied() {
    let row = |key: i64| (key, (key % 7 > 0).then_some("text"), Some(key as f64 / 3.0));
    let all: Vec<Option<usize>> = (0..10).map(Some).collect();
    let without = |places: &[usize]| -> Vec<Option<usize>> {
        let is_changed = |place: &Option<usize>| place.is_some_and(|place| places.contains(&place));
        all.iter()
            .map(|place| place.filter(|_| !is_changed(place)))
            .collect()
    };
    check_cut(&[4_500], &[], &[4_500], &without(&[4])).await;
    check_cut(&[4_500, 5_500], &[row(5_500)], &[4_500], &without(&[4])).await;
    check_cut(
        &[0, 4_500, 9_999],
        &[],
        &[0, 4_500, 9_999],
        &without(&[0, 4, 9]),
    )
    .await;
    let group: Vec<i64> = (4_000..5_000).collect();
    let others: Vec<_> = all
        .iter()
        .copied()
        .filter(|place| *place != Some(4))
        .collect();
    check_cut(&group, &[], &group, &others).await;
}
