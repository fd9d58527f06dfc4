//! Whether a table is what its log says: commits, files, and what the log tells of them.
//!
//! Reads only, and keeps little in memory: of large files what describes them, unless all is asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use arrow::compute::{concat, concat_batches};
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use chrono::{DateTime, Duration, Utc};
use deltalake::kernel::{Action, LogicalFileView};
use futures::{StreamExt, TryStreamExt, stream};
use object_store::ObjectStoreExt;
use object_store::path::Path;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::arrow::parquet_to_arrow_schema;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use serde_json::{Map, Value};

use crate::error::LakeError;
use crate::location::Lake;
use crate::stats::{bounds, statistics};
use crate::table::Table;

/// Files up to this size are read whole; what describes a larger one lies in about so much at its end.
const TAIL_BYTES: u64 = 256 << 10;
const FILES_AT_ONCE: usize = 4;
/// The log may give instants in milliseconds.
const LOG_PRECISION_MILLIS: i64 = 1;

/// How closely files are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Small files whole, of large ones what describes them.
    Described,
    /// Every value of every file.
    Whole,
}

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    #[error("commit {version} is missing from the log, while later ones are there")]
    CommitMissing { version: u64 },
    #[error("commit {version} of the log cannot be read: {reason}")]
    CommitUnreadable { version: u64, reason: String },
    /// By a writer that was stopped for so long that the log was summed up and cleaned meanwhile.
    #[error(
        "commit {version} came after checkpoint {checkpoint}, which does not hold it: the {rows} rows of file {path} are \
         no part of the table{}", if *.is_gone { ", and the file is gone" } else { "" }
    )]
    PassedOver {
        version: u64,
        checkpoint: u64,
        path: String,
        rows: u64,
        is_gone: bool,
    },
    #[error("the log begins with commit {first}, and no checkpoint tells what was before")]
    NoBeginning { first: u64 },
    #[error("file {path} is gone; the log says that it has {rows} rows")]
    FileMissing { path: String, rows: u64 },
    #[error("file {path} has {found} bytes; the log says {logged}")]
    FileSize {
        path: String,
        logged: u64,
        found: u64,
    },
    #[error("file {path} cannot be read: {reason}")]
    FileUnreadable { path: String, reason: String },
    #[error("file {path} has {found} rows; the log says {logged}")]
    RowCount {
        path: String,
        logged: u64,
        found: u64,
    },
    #[error(
        "column {column} of file {path} is {found}; the log says {logged}, so that queries may pass rows over"
    )]
    Statistics {
        path: String,
        column: String,
        found: String,
        logged: String,
    },
}

/// What was found of one table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TableCheck {
    pub version: u64,
    pub files: usize,
    pub rows: u64,
    pub bytes: u64,
    pub flaws: Vec<Flaw>,
    /// Files that the table does not consist of (any more), and their bytes.
    pub unreferenced: (usize, u64),
}

/// What was found of a table's log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogCheck {
    pub flaws: Vec<Flaw>,
    pub hole: Option<Hole>,
    /// Of files that commits before the newest checkpoint added and no later one removed, by their paths in the log.
    summed_up: BTreeMap<String, SummedUp>,
}

/// An added file that a checkpoint should hold.
#[derive(Debug, Clone, PartialEq, Eq)]
struct SummedUp {
    version: u64,
    checkpoint: u64,
    rows: u64,
    /// Whether the commit was written after the checkpoint.
    is_late: bool,
}

/// Commits that are missing from the midst of a log, before a checkpoint: the table is whole without them, but cannot be read
/// as it was. Cleaning up takes a log from its beginning, and leaves no holes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hole {
    pub commits: u64,
    pub first: u64,
    pub checkpoint: u64,
}

impl Lake {
    /// Whether the commits of a table's log are all there and can be read. Needs no table that opens.
    ///
    /// # Errors
    /// [`LakeError::Storage`].
    pub async fn verify_log(&self, table: &str) -> Result<LogCheck, LakeError> {
        let storage = || LakeError::storage(format!("reading the log of table {table}"));
        let folder = self.log_folder(table);
        let objects = self.store.list(Some(&folder));
        let objects: Vec<_> = objects.try_collect().await.map_err(storage())?;
        let (mut commits, mut checkpoints) = (BTreeMap::new(), BTreeSet::new());
        let mut written = BTreeMap::new();
        let mut newest_checkpoint = None;
        for object in &objects {
            let name = object.location.filename().unwrap_or_default();
            let Some((Ok(version), ending)) = name
                .split_once('.')
                .map(|(version, ending)| (version.parse::<u64>(), ending))
            else {
                continue;
            };
            if ending == "json" {
                commits.insert(version, object.location.clone());
                written.insert(version, object.last_modified);
            } else if ending.contains("checkpoint") {
                checkpoints.insert(version);
                newest_checkpoint = newest_checkpoint.max(Some((version, object.last_modified)));
            }
        }
        let LogCheck {
            mut flaws,
            mut hole,
            mut summed_up,
        } = gaps(&commits, &checkpoints);
        // What is cleaned away while it is listed goes from the beginning, and looks like a hole.
        if let (Some(_), Some(first)) = (hole, commits.values().next())
            && matches!(
                self.store.head(first).await,
                Err(object_store::Error::NotFound { .. })
            )
        {
            hole = None;
        }
        let mut read = stream::iter(&commits)
            .map(|(version, path)| async move {
                let bytes = self.get(path).await;
                (*version, bytes)
            })
            .buffered(FILES_AT_ONCE);
        while let Some((version, bytes)) = read.next().await {
            match bytes {
                Ok(bytes) => match actions(version, &bytes) {
                    Ok(actions) => {
                        let checkpoint = newest_checkpoint.filter(|(at, _)| version <= *at);
                        let checkpoint = checkpoint.map(|(checkpoint, at)| SummedUp {
                            version,
                            checkpoint,
                            rows: 0,
                            is_late: written.get(&version).is_some_and(|written| *written > at),
                        });
                        take_in(&mut summed_up, actions, checkpoint.as_ref());
                    }
                    Err(flaw) => flaws.push(flaw),
                },
                // Cleaned away meanwhile.
                Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(storage()(error)),
            }
        }
        Ok(LogCheck {
            flaws,
            hole,
            summed_up,
        })
    }
}

/// What a commit adds, where a checkpoint sums it up, and removes.
fn take_in(
    files: &mut BTreeMap<String, SummedUp>,
    actions: Vec<Action>,
    checkpoint: Option<&SummedUp>,
) {
    for action in actions {
        match (action, checkpoint) {
            (Action::Remove(remove), _) => drop(files.remove(&remove.path)),
            (Action::Add(add), Some(summed_up)) if add.data_change => {
                let stats = add.stats.as_deref();
                let stats = stats.and_then(|stats| serde_json::from_str::<Value>(stats).ok());
                let rows = stats.and_then(|stats| stats["numRecords"].as_u64());
                let of_file = SummedUp {
                    rows: rows.unwrap_or_default(),
                    ..summed_up.clone()
                };
                files.insert(add.path, of_file);
            }
            _ => {}
        }
    }
}

/// Commits may go once a checkpoint sums them up, and no others.
fn gaps(commits: &BTreeMap<u64, Path>, checkpoints: &BTreeSet<u64>) -> LogCheck {
    let (Some(first), Some(last)) = (commits.keys().next(), commits.keys().next_back()) else {
        return LogCheck::default();
    };
    let missing =
        |versions: std::ops::Range<u64>| versions.filter(|version| !commits.contains_key(version));
    let hole = checkpoints.last().and_then(|checkpoint| {
        Some(Hole {
            commits: missing(*first..checkpoint + 1).count() as u64,
            first: missing(*first..checkpoint + 1).next()?,
            checkpoint: *checkpoint,
        })
    });
    let summed_up = checkpoints.last().map_or(0, |checkpoint| checkpoint + 1);
    let mut flaws: Vec<Flaw> = missing(summed_up.max(*first)..*last)
        .map(|version| Flaw::CommitMissing { version })
        .collect();
    if *first > 0
        && !checkpoints
            .iter()
            .any(|checkpoint| checkpoint + 1 >= *first)
    {
        flaws.push(Flaw::NoBeginning { first: *first });
    }
    LogCheck {
        flaws,
        hole,
        summed_up: BTreeMap::new(),
    }
}

fn actions(version: u64, bytes: &[u8]) -> Result<Vec<Action>, Flaw> {
    let lines = bytes.split(|byte| *byte == b'\n');
    let lines = lines.filter(|line| !line.trim_ascii().is_empty());
    let unreadable = |reason: String| Flaw::CommitUnreadable { version, reason };
    let actions = lines.map(|line| {
        serde_json::from_slice::<Action>(line).map_err(|error| unreadable(error.to_string()))
    });
    let actions: Vec<Action> = actions.collect::<Result<_, _>>()?;
    match actions.is_empty() {
        true => Err(unreadable("it is empty".to_owned())),
        false => Ok(actions),
    }
}

impl Table {
    /// Holds every file of this version against the log.
    ///
    /// # Errors
    /// [`LakeError::Storage`] if the storage fails otherwise than by a file that is gone.
    pub async fn verify(&self, depth: Depth) -> Result<TableCheck, LakeError> {
        let files = self.files()?;
        let (rows, count, bytes) = self.totals()?;
        let mut check = TableCheck {
            version: self.version(),
            files: count,
            rows,
            bytes,
            ..TableCheck::default()
        };
        let referenced: BTreeSet<Path> = files
            .iter()
            .map(|file| self.data_path(&file.path()))
            .collect();
        let mut checks = stream::iter(files)
            .map(|file| self.verify_file(file, depth))
            .buffered(FILES_AT_ONCE);
        while let Some(flaws) = checks.try_next().await? {
            check.flaws.extend(flaws);
        }
        check.unreferenced = self.unreferenced(&referenced).await?;
        Ok(check)
    }

    /// Files of commits that nobody who begins with the newest checkpoint reads, and that it does not hold.
    ///
    /// # Errors
    /// [`LakeError::Storage`], [`LakeError::Delta`].
    pub async fn passed_over(&self, log: LogCheck) -> Result<Vec<Flaw>, LakeError> {
        let mut files = log.summed_up;
        for live in self.files()? {
            files.remove(live.path().as_ref());
        }
        if files.is_empty() {
            return Ok(Vec::new());
        }
        let removed = self.removed().await?;
        let mut flaws = Vec::new();
        for (path, of_file) in files {
            let SummedUp {
                version,
                checkpoint,
                rows,
                is_late,
            } = of_file;
            let location = self.data_path(&path);
            if removed.contains_key(&location) {
                continue;
            }
            let is_gone = match self.lake.store.head(&location).await {
                Ok(_) => false,
                Err(object_store::Error::NotFound { .. }) => true,
                Err(error) => return Err(LakeError::storage(format!("asking for {path}"))(error)),
            };
            // Of what was removed long ago a checkpoint says nothing any more.
            if is_late || !is_gone {
                flaws.push(Flaw::PassedOver {
                    version,
                    checkpoint,
                    path,
                    rows,
                    is_gone,
                });
            }
        }
        Ok(flaws)
    }

    async fn unreferenced(&self, referenced: &BTreeSet<Path>) -> Result<(usize, u64), LakeError> {
        let folder = self.lake.prefix.clone().join(self.name.as_str());
        let log = self.lake.log_folder(&self.name);
        let mut objects = self.lake.store.list(Some(&folder));
        let (mut count, mut bytes) = (0, 0);
        let doing = || LakeError::storage(format!("listing table {}", self.name));
        while let Some(object) = objects.try_next().await.map_err(doing())? {
            let path = &object.location;
            if !path.prefix_matches(&log) && !referenced.contains(path) {
                count += 1;
                bytes += object.size;
            }
        }
        Ok((count, bytes))
    }

    async fn verify_file(
        &self,
        file: LogicalFileView,
        depth: Depth,
    ) -> Result<Vec<Flaw>, LakeError> {
        let logged = Logged::of(&file);
        let path = self.data_path(&logged.path);
        let found = match self.lake.store.head(&path).await {
            Ok(found) => found.size,
            Err(object_store::Error::NotFound { .. }) => {
                let (path, rows) = (logged.path, logged.rows.unwrap_or_default());
                return Ok(vec![Flaw::FileMissing { path, rows }]);
            }
            Err(error) => {
                return Err(LakeError::storage(format!("asking for {path}"))(error));
            }
        };
        if found != logged.bytes {
            let (path, logged) = (logged.path, logged.bytes);
            return Ok(vec![Flaw::FileSize {
                path,
                logged,
                found,
            }]);
        }
        let is_whole = depth == Depth::Whole || found <= TAIL_BYTES;
        let read = async {
            if is_whole {
                let bytes = self.lake.get(&path).await?;
                return Ok(whole(Bytes::from(bytes), &logged));
            }
            self.described(&path, found, &logged).await
        };
        let described = match read.await {
            Ok(described) => described,
            Err(error) => {
                return Err(LakeError::storage(format!("reading {path}"))(error));
            }
        };
        Ok(match described {
            Ok(found) => logged.compare(&found),
            Err(error) => vec![Flaw::FileUnreadable {
                path: logged.path,
                reason: error.to_string(),
            }],
        })
    }

    /// What the end of a large file says of it.
    async fn described(
        &self,
        path: &Path,
        size: u64,
        logged: &Logged,
    ) -> object_store::Result<Result<Found, ParquetError>> {
        let mut wanted = TAIL_BYTES;
        loop {
            let tail = size.saturating_sub(wanted)..size;
            let bytes = self.lake.store.get_range(path, tail).await?;
            let mut reader = ParquetMetaDataReader::new();
            match reader.try_parse_sized(&bytes, size) {
                Err(ParquetError::NeedMoreData(more)) if wanted < size => wanted = more as u64,
                Err(error) => return Ok(Err(error)),
                Ok(()) => {
                    let metadata = reader.finish();
                    return Ok(metadata.and_then(|metadata| of_metadata(&metadata, logged)));
                }
            }
        }
    }
}

/// What the log says of a file.
struct Logged {
    path: String,
    bytes: u64,
    rows: Option<u64>,
    least: Map<String, Value>,
    greatest: Map<String, Value>,
    nulls: Map<String, Value>,
}

/// What the file itself says, as statistics of the log would.
struct Found {
    rows: u64,
    least: Map<String, Value>,
    greatest: Map<String, Value>,
    nulls: Map<String, Value>,
}

impl Logged {
    fn of(file: &LogicalFileView) -> Self {
        let stats = file
            .stats()
            .and_then(|stats| serde_json::from_str::<Value>(&stats).ok())
            .unwrap_or_default();
        let of = |which: &str| stats[which].as_object().cloned().unwrap_or_default();
        Self {
            path: file.path().into_owned(),
            bytes: file.size().unsigned_abs(),
            rows: stats["numRecords"].as_u64(),
            least: of("minValues"),
            greatest: of("maxValues"),
            nulls: of("nullCount"),
        }
    }

    fn has_statistics_of(&self, column: &str) -> bool {
        self.nulls.contains_key(column)
    }

    /// Bounds that are wider than the values are no flaw; narrower ones hide rows.
    fn compare(&self, found: &Found) -> Vec<Flaw> {
        let mut flaws = Vec::new();
        if let Some(logged) = self.rows.filter(|logged| *logged != found.rows) {
            flaws.push(Flaw::RowCount {
                path: self.path.clone(),
                logged,
                found: found.rows,
            });
        }
        let mut tell = |column: &str, what: &str, found: &Value, logged: &Value| {
            flaws.push(Flaw::Statistics {
                path: self.path.clone(),
                column: column.to_owned(),
                found: format!("{what} {found}"),
                logged: logged.to_string(),
            });
        };
        for (column, found) in &found.least {
            if let Some(logged) = self.least.get(column)
                && is_less(found, logged)
            {
                tell(column, "at least", found, logged);
            }
        }
        for (column, found) in &found.greatest {
            if let Some(logged) = self.greatest.get(column)
                && is_less(logged, found)
            {
                tell(column, "at most", found, logged);
            }
        }
        for (column, found) in &found.nulls {
            if let Some(logged) = self.nulls.get(column)
                && logged != found
            {
                tell(column, "NULL as often as", found, logged);
            }
        }
        flaws
    }
}

/// Of values as the log writes them; what cannot be compared is not less.
fn is_less(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => match (one.as_i64(), other.as_i64()) {
            (Some(one), Some(other)) => one < other,
            _ => false,
        },
        (Value::Bool(one), Value::Bool(other)) => !one & other,
        (Value::String(one), Value::String(other)) => {
            let instant = |text: &str| text.parse::<DateTime<Utc>>().ok();
            match (instant(one), instant(other)) {
                (Some(one), Some(other)) => {
                    one + Duration::milliseconds(LOG_PRECISION_MILLIS) < other
                }
                (None, None) => one < other,
                _ => false,
            }
        }
        _ => false,
    }
}

/// Reads every value.
fn whole(bytes: Bytes, logged: &Logged) -> Result<Found, ParquetError> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes)?;
    let schema = reader.schema().clone();
    let indexed: Vec<usize> = indexed(&schema, logged).collect();
    let kept = |batch: &RecordBatch| batch.project(&indexed);
    let (mut rows, mut batches) = (0, Vec::new());
    for batch in reader.build()? {
        let batch = batch?;
        rows += batch.num_rows() as u64;
        batches.push(kept(&batch)?);
    }
    let schema = schema.project(&indexed)?;
    if indexed.is_empty() {
        return Ok(Found::without_statistics(rows));
    }
    let all = concat_batches(&Arc::new(schema), &batches)?;
    let stats: Value = serde_json::from_str(&statistics(&all, |_| true)).unwrap_or_default();
    let of = |which: &str| stats[which].as_object().cloned().unwrap_or_default();
    Ok(Found {
        rows,
        least: of("minValues"),
        greatest: of("maxValues"),
        nulls: of("nullCount"),
    })
}

/// Takes the file's word for its row groups.
fn of_metadata(metadata: &ParquetMetaData, logged: &Logged) -> Result<Found, ParquetError> {
    let described = metadata.file_metadata();
    let parquet_schema = described.schema_descr();
    let schema = parquet_to_arrow_schema(parquet_schema, described.key_value_metadata())?;
    let mut found = Found::without_statistics(described.num_rows().unsigned_abs());
    let schema = Arc::new(schema);
    for place in indexed(&schema, logged) {
        let name = schema.field(place).name().clone();
        let converter = StatisticsConverter::try_new(&name, &schema, parquet_schema)?;
        let groups = || metadata.row_groups().iter();
        let least = converter.row_group_mins(groups())?;
        let greatest = converter.row_group_maxes(groups())?;
        let ends: ArrayRef = concat(&[least.as_ref(), greatest.as_ref()])?;
        if let Some((low, high)) = bounds(&ends) {
            found.least.insert(name.clone(), low);
            found.greatest.insert(name.clone(), high);
        }
        let nulls = converter.row_group_null_counts(groups())?;
        if nulls.null_count() == 0 {
            let nulls: u64 = nulls.values().iter().sum();
            found.nulls.insert(name, nulls.into());
        }
    }
    Ok(found)
}

impl Found {
    fn without_statistics(rows: u64) -> Self {
        Self {
            rows,
            least: Map::new(),
            greatest: Map::new(),
            nulls: Map::new(),
        }
    }
}

/// Places of the columns of which the log has statistics.
fn indexed<'a>(schema: &'a SchemaRef, logged: &'a Logged) -> impl Iterator<Item = usize> + 'a {
    let fields = schema.fields().iter().enumerate();
    fields
        .filter(|(_, field)| logged.has_statistics_of(field.name()))
        .map(|(place, _)| place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(commits: &[u64], checkpoints: &[u64], flaws: &[Flaw], hole: Option<(u64, u64)>) {
        let commits = commits.iter().map(|version| (*version, Path::default()));
        let commits: BTreeMap<u64, Path> = commits.collect();
        let checkpoints: BTreeSet<u64> = checkpoints.iter().copied().collect();
        let hole = hole.map(|(commits, first)| Hole {
            commits,
            first,
            checkpoint: checkpoints.last().copied().unwrap_or_default(),
        });
        let flaws = flaws.to_vec();
        let found = gaps(&commits, &checkpoints);
        assert_eq!((found.flaws, found.hole), (flaws, hole));
    }

    #[test]
    fn commits_are_missed_where_no_checkpoint_sums_them_up() {
        let missing = |version| Flaw::CommitMissing { version };
        check(&[0, 1, 2], &[], &[], None);
        check(&[0, 2, 5], &[], &[missing(1), missing(3), missing(4)], None);
        check(&[0, 2, 5, 7], &[1, 4], &[missing(6)], Some((3, 1)));
        check(&[6, 7], &[4], &[Flaw::NoBeginning { first: 6 }], None);
        check(&[3, 4], &[], &[Flaw::NoBeginning { first: 3 }], None);
    }

    #[test]
    fn a_log_may_begin_anywhere_before_a_checkpoint_but_have_no_holes() {
        check(&[0, 1, 2, 3, 4, 5], &[4], &[], None);
        check(&[2, 3, 4, 5], &[4], &[], None);
        check(&[4, 5], &[4], &[], None);
        check(&[5, 6], &[4], &[], None);
        check(&[0, 2, 5], &[4], &[], Some((3, 1)));
        check(&[2, 3, 5], &[3, 4], &[], Some((1, 4)));
    }
}
