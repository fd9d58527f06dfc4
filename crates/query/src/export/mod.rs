//! Tables and results as plain Parquet for tools that cannot read Delta: an object of a fixed name for
//! each day or month, replaced in one step, so that reading the folder at any time meets every object
//! whole and every row of it once.
//!
//! An export knows what it wrote by a manifest: of each object a fingerprint of its rows, and the
//! store's tag. Only objects whose rows or tags differ are written again. Killed at any instant, or
//! run twice at once, the next run finds by the tags what the manifest does not say, and mends it.
//! Never writes to the lake.

mod fingerprint;
mod manifest;
mod object;
mod partition;
mod snapshot;
mod source;
mod types;

use std::collections::{BTreeMap, BTreeSet};

use arrow::error::ArrowError;
use chrono::{DateTime, Utc};
use lake::{Folder, FolderError, Stored};
use parquet::errors::ParquetError;

use crate::engine::Engine;
use crate::error::QueryError;
use manifest::{Manifest, Object};
use object::write_objects;
use partition::{Key, OBJECT};
pub use partition::{Partition, UnknownPartition};
pub use snapshot::Snapshot;
use source::Source;

/// How often an export begins anew because another one was at work in the same folder.
const ROUNDS: usize = 5;

/// What is exported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    Table(String),
    Query {
        /// Of the folder it goes to.
        name: String,
        sql: String,
        values: Vec<(String, String)>,
        /// Whether it must declare its parameters.
        is_saved: bool,
    },
}

/// What an export did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exported {
    pub name: String,
    /// In the export now.
    pub objects: usize,
    pub rows: u64,
    pub bytes: u64,
    /// Of the objects, those written by this run.
    pub written: usize,
    /// Objects that have no rows any more.
    pub removed: usize,
}

#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// Nothing was written; what is asked for must be asked for otherwise.
    #[error("{0}")]
    Refused(String),
    #[error(transparent)]
    Query(#[from] QueryError),
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error("rows could not be written as Parquet: {0}")]
    Parquet(#[from] ParquetError),
    #[error("rows could not be brought into their types: {0}")]
    Arrow(#[from] ArrowError),
    /// Run it again when the others are done.
    #[error(
        "other exports to the same folder got in the way of {0}; run it again when they are done"
    )]
    Contended(String),
    #[error("writing an object broke off: {0}")]
    Broken(String),
}

impl Wanted {
    pub fn name(&self) -> &str {
        match self {
            Wanted::Table(name) | Wanted::Query { name, .. } => name,
        }
    }

    /// A name becomes a folder, and must be no other table's.
    fn check(&self, folder: &Folder, engine: &Engine) -> Result<(), ExportError> {
        if folder.is_within(engine.lake()) {
            return Err(ExportError::Refused(format!(
                "{} belongs to the lake; export to a folder outside of it",
                folder.url()
            )));
        }
        let is_name = |letter: u8| letter.is_ascii_alphanumeric() || letter == b'_';
        let name = self.name();
        if name.is_empty() || name.starts_with('_') || !name.bytes().all(is_name) {
            return Err(ExportError::Refused(format!(
                "{name:?} cannot be the name of an export's folder; use letters, digits and underscores"
            )));
        }
        Ok(())
    }
}

impl Engine {
    /// Brings the objects of a table or query below `folder` up to date. `partition` is by day for tables
    /// with a date and one object for everything else, unless given.
    ///
    /// # Errors
    /// Every [`ExportError`]. What was written before is whole; running again goes on from there.
    pub async fn export(
        &self,
        folder: &Folder,
        wanted: &Wanted,
        partition: Option<Partition>,
        now: DateTime<Utc>,
    ) -> Result<Exported, ExportError> {
        wanted.check(folder, self)?;
        for number in 0..ROUNDS {
            // At the newest versions.
            let session = self.session();
            let round = Round {
                number,
                folder,
                source: Source::open(self, &session, wanted, partition, now).await?,
                can_be_unchanged: matches!(wanted, Wanted::Table(_)),
            };
            if let Some(exported) = round.run().await? {
                return Ok(exported);
            }
        }
        Err(ExportError::Contended(wanted.name().to_owned()))
    }

    /// Whether what is wanted can go there, as far as it can be known before. Writes nothing.
    ///
    /// # Errors
    /// Those of [`export`](Self::export) that come before the first object.
    pub async fn export_fits(
        &self,
        folder: &Folder,
        wanted: &Wanted,
        partition: Option<Partition>,
        now: DateTime<Utc>,
    ) -> Result<(), ExportError> {
        wanted.check(folder, self)?;
        let session = self.session();
        let source = Source::open(self, &session, wanted, partition, now).await?;
        match Manifest::read(folder, wanted.name()).await? {
            Some(known) => known.must_be_divided_like(&source.manifest, folder),
            None => Ok(()),
        }
    }
}

/// One attempt, at one version of the tables.
struct Round<'a> {
    number: usize,
    folder: &'a Folder,
    source: Source,
    /// Whether the same versions of the tables have the same rows.
    can_be_unchanged: bool,
}

impl Round<'_> {
    /// `None` if another export was at work, so that it must be tried again.
    async fn run(self) -> Result<Option<Exported>, ExportError> {
        let known = self.known().await?;
        // What is still newer than the newest is of a lake that was replaced by an older one.
        if self.number == 0 && known.is_newer_than(&self.source.manifest) {
            return Ok(None);
        }
        let stored = self.stored().await?;
        let standing = known.standing(&stored);
        let all_stand = standing.len() == known.objects.len() && standing.len() == stored.len();
        if self.can_be_unchanged && all_stand && known.is_of(&self.source.manifest) {
            return Ok(Some(exported(&known, 0, 0)));
        }
        let (changed, mut objects) = self.compare(&standing).await?;
        let mut written = 0;
        if !changed.is_empty() {
            let new = write_objects(&self.source, Some(&changed), self.folder).await?;
            written = new.len();
            objects.extend(new);
        }
        let manifest = self.source.manifest.clone().of(objects);
        if let Some(others) = Manifest::read(self.folder, &known.name).await?
            && others != known
            && others.is_newer_than(&manifest)
        {
            return Ok(None);
        }
        manifest.write(self.folder).await?;
        let removed = self.remove_others(&manifest, &stored).await?;
        let is_undisturbed = manifest.is_all_of(&self.stored().await?);
        Ok(is_undisturbed.then(|| exported(&manifest, written, removed)))
    }

    /// The objects in the store that are an export's.
    async fn stored(&self) -> Result<Vec<Stored>, ExportError> {
        let mut stored = self.folder.list(&self.source.manifest.name).await?;
        stored.retain(|stored| stored.name.rsplit('/').next() == Some(OBJECT));
        Ok(stored)
    }

    /// Objects without rows go last: until then they hold what was true before.
    async fn remove_others(
        &self,
        manifest: &Manifest,
        stored: &[Stored],
    ) -> Result<usize, ExportError> {
        let objects = manifest.objects.iter();
        let is_left: BTreeSet<&str> = objects.map(|object| object.name.as_str()).collect();
        let mut removed = 0;
        for gone in stored {
            if !is_left.contains(gone.name.as_str()) {
                self.folder.delete(&gone.name).await?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// What earlier exports wrote here. The first one claims the folder, so that an export never removes
    /// what no export has written.
    async fn known(&self) -> Result<Manifest, ExportError> {
        let mine = &self.source.manifest;
        let known = match Manifest::read(self.folder, &mine.name).await? {
            Some(known) => {
                self.folder.tidy();
                known
            }
            None => {
                if let Some(other) = self.folder.list(&mine.name).await?.first() {
                    return Err(ExportError::Refused(format!(
                        "{}{} was not written by an export; choose a folder of its own for exports",
                        self.folder.url(),
                        other.name
                    )));
                }
                let claim = Manifest {
                    versions: BTreeMap::new(),
                    commits: BTreeMap::new(),
                    made_of: String::new(),
                    ..mine.clone()
                };
                claim.claim(self.folder).await?;
                let claimed = Manifest::read(self.folder, &mine.name).await?;
                claimed.unwrap_or(claim)
            }
        };
        known.must_be_divided_like(mine, self.folder)?;
        Ok(known)
    }

    /// The objects whose rows are not what stands, and the others.
    async fn compare(
        &self,
        standing: &BTreeMap<&str, &Object>,
    ) -> Result<(BTreeSet<Key>, Vec<Object>), ExportError> {
        let (mut changed, mut unchanged) = (BTreeSet::new(), Vec::new());
        for (key, fingerprint) in self.source.fingerprints().await? {
            let text = fingerprint.text(&self.source.manifest.made_of);
            match standing.get(self.source.object(key).as_str()) {
                Some(object) if object.fingerprint == text => unchanged.push((*object).clone()),
                _ => {
                    changed.insert(key);
                }
            }
        }
        Ok((changed, unchanged))
    }
}

fn exported(manifest: &Manifest, written: usize, removed: usize) -> Exported {
    Exported {
        name: manifest.name.clone(),
        objects: manifest.objects.len(),
        rows: manifest.rows,
        bytes: manifest.bytes,
        written,
        removed,
    }
}
