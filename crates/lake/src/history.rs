//! A table as it was, and what each commit did to it, by the log alone.
//!
//! When a commit was made is what it says itself, not the age of its file: copies of a lake keep it.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use deltalake::kernel::{Action, Add};
use deltalake::logstore::get_actions;
use futures::TryStreamExt;
use object_store::ObjectStore;
use serde_json::Value;

use crate::error::LakeError;
use crate::location::Lake;
use crate::table::Table;

/// What one commit did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Commit {
    pub version: u64,
    pub time: Option<DateTime<Utc>>,
    /// As the log names it, such as `WRITE`.
    pub operation: Option<String>,
    /// Whether rows came or went; else files were only written anew.
    pub changes_rows: bool,
    pub files_added: u64,
    pub files_removed: u64,
    /// Unknown where the log does not tell.
    pub rows_added: Option<u64>,
    pub rows_removed: Option<u64>,
    pub bytes_added: u64,
}

/// The newest commits of a table.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct History {
    /// Newest first.
    pub commits: Vec<Commit>,
    /// How many older ones the log still has.
    pub older: u64,
}

impl Table {
    pub(crate) async fn open_at(lake: &Lake, name: &str, version: u64) -> Result<Table, LakeError> {
        let mut table = Table::open(lake, name).await?;
        let newest = table.version();
        if version > newest {
            return Err(LakeError::NoSuchVersion {
                table: name.to_owned(),
                wanted: version.to_string(),
                kept: format!("its newest is {newest}"),
            });
        }
        match table.load(version).await {
            Ok(()) => Ok(table),
            Err(error) => {
                let oldest = table.oldest_readable().await?;
                Err(match version < oldest {
                    true => LakeError::NoSuchVersion {
                        table: name.to_owned(),
                        wanted: version.to_string(),
                        kept: format!(
                            "the oldest that can be read is {oldest}, since maintenance deletes the log before"
                        ),
                    },
                    false => error,
                })
            }
        }
    }

    pub(crate) async fn open_as_of(
        lake: &Lake,
        name: &str,
        instant: DateTime<Utc>,
    ) -> Result<Table, LakeError> {
        let mut table = Table::open(lake, name).await?;
        let oldest = table.oldest_readable().await?;
        let oldest = oldest.max(table.oldest_commit().await?);
        let (mut low, mut high) = (oldest, table.version());
        let oldest = table.commit_time(low).await?;
        if oldest.is_none_or(|oldest| oldest > instant) {
            let since = oldest.map_or("unknown".to_owned(), |oldest| oldest.to_rfc3339());
            return Err(LakeError::NoSuchVersion {
                table: name.to_owned(),
                wanted: format!("as of {}", instant.to_rfc3339()),
                kept: format!("the oldest in its log is version {low} of {since}"),
            });
        }
        // The commit at `low` was made by then, and none beyond `high`.
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            match table.commit_time(middle).await? {
                Some(time) if time <= instant => low = middle,
                _ => high = middle - 1,
            }
        }
        table.load(low).await?;
        Ok(table)
    }

    /// The newest `limit` commits.
    ///
    /// # Errors
    /// [`LakeError::Delta`], [`LakeError::Storage`].
    pub async fn history(&self, limit: usize) -> Result<History, LakeError> {
        let newest = self.version();
        let oldest = self.oldest_commit().await?;
        let first = newest
            .saturating_sub(limit.saturating_sub(1) as u64)
            .max(oldest);
        let mut rows = self.rows_before(first).await;
        let mut commits = Vec::new();
        for version in first..=newest {
            commits.extend(
                self.actions(version)
                    .await?
                    .map(|actions| commit(version, &actions, &mut rows)),
            );
        }
        commits.reverse();
        Ok(History {
            commits,
            older: first - oldest,
        })
    }

    /// Tells the commit of this version from all others of that number: those of a table that was made anew, or
    /// restored and then gone on with.
    ///
    /// # Errors
    /// [`LakeError::Delta`].
    pub async fn commit_id(&self) -> Result<String, LakeError> {
        let snapshot = self.inner.snapshot();
        let snapshot = snapshot.map_err(LakeError::delta(&self.name))?.snapshot();
        let time = self.commit_time(self.version()).await?;
        let millis = time.map(|time| time.timestamp_millis()).unwrap_or_default();
        Ok(format!("{} {millis}", snapshot.metadata().id()))
    }

    async fn load(&mut self, version: u64) -> Result<(), LakeError> {
        if version != self.version() {
            let loaded = self.inner.load_version(version).await;
            loaded.map_err(LakeError::delta(&self.name))?;
        }
        Ok(())
    }

    /// The rows of the files that the table had before `version`, by their paths; empty where the log does not
    /// reach back so far.
    async fn rows_before(&self, version: u64) -> HashMap<String, u64> {
        let Some(before) = version.checked_sub(1) else {
            return HashMap::new();
        };
        let mut earlier = self.clone();
        let files = match earlier.load(before).await {
            Ok(()) => earlier.files().unwrap_or_default(),
            Err(_) => Vec::new(),
        };
        let rows = files.iter().filter_map(|file| {
            let rows = file.num_records()?;
            Some((file.path().into_owned(), rows as u64))
        });
        rows.collect()
    }

    async fn commit_time(&self, version: u64) -> Result<Option<DateTime<Utc>>, LakeError> {
        let actions = self.actions(version).await?.unwrap_or_default();
        Ok(actions.iter().find_map(time))
    }

    async fn actions(&self, version: u64) -> Result<Option<Vec<Action>>, LakeError> {
        let entry = self.inner.log_store().read_commit_entry(version).await;
        let Some(bytes) = entry.map_err(LakeError::delta(&self.name))? else {
            return Ok(None);
        };
        let actions = get_actions(version, &bytes).map_err(LakeError::delta(&self.name))?;
        Ok(Some(actions))
    }

    /// The oldest commit that the log still has.
    async fn oldest_commit(&self) -> Result<u64, LakeError> {
        let versions = self.log_versions(".json").await?;
        Ok(versions.into_iter().min().unwrap_or(self.version()))
    }

    /// The oldest version that can be read: the first, or else that of the oldest checkpoint.
    async fn oldest_readable(&self) -> Result<u64, LakeError> {
        if self.oldest_commit().await? == 0 {
            return Ok(0);
        }
        let checkpoints = self.log_versions(".parquet").await?;
        Ok(checkpoints.into_iter().min().unwrap_or(self.version()))
    }

    /// The versions of the log's files whose names end so.
    pub(crate) async fn log_versions(&self, ending: &str) -> Result<Vec<u64>, LakeError> {
        let folder = self.lake.log_folder(&self.name);
        let mut listing = self.lake.store.list(Some(&folder));
        let mut versions = Vec::new();
        let listed = || LakeError::storage(format!("listing the log of {}", self.name));
        while let Some(object) = listing.try_next().await.map_err(listed())? {
            let name = object.location.filename().unwrap_or_default();
            let version = name.split('.').next().filter(|_| name.ends_with(ending));
            versions.extend(version.and_then(|version| version.parse::<u64>().ok()));
        }
        Ok(versions)
    }
}

fn time(action: &Action) -> Option<DateTime<Utc>> {
    match action {
        Action::CommitInfo(info) => DateTime::from_timestamp_millis(info.timestamp?),
        _ => None,
    }
}

/// What the actions did. `rows` of each file goes along from commit to commit.
fn commit(version: u64, actions: &[Action], rows: &mut HashMap<String, u64>) -> Commit {
    let mut commit = Commit {
        version,
        rows_added: Some(0),
        rows_removed: Some(0),
        time: actions.iter().find_map(time),
        ..Commit::default()
    };
    for action in actions {
        match action {
            Action::CommitInfo(info) => commit.operation = info.operation.clone(),
            Action::Add(add) => {
                let added = rows_of(add);
                rows.extend(added.map(|added| (add.path.clone(), added)));
                commit.files_added += 1;
                commit.bytes_added += add.size.unsigned_abs();
                commit.rows_added = sum(commit.rows_added, added);
                commit.changes_rows |= add.data_change;
            }
            Action::Remove(remove) => {
                commit.files_removed += 1;
                commit.rows_removed = sum(commit.rows_removed, rows.remove(&remove.path));
                commit.changes_rows |= remove.data_change;
            }
            _ => {}
        }
    }
    commit
}

fn sum(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    Some(one? + other?)
}

fn rows_of(add: &Add) -> Option<u64> {
    let stats: Value = serde_json::from_str(add.stats.as_deref()?).ok()?;
    stats["numRecords"].as_u64()
}
