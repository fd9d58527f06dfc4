//! An export that never changes: a folder of its own, complete once its manifest appears.

use chrono::{DateTime, Utc};
use lake::Folder;
use serde::Serialize;

use super::manifest::Manifest;
use super::object::write_objects;
use super::partition::Partition;
use super::source::Source;
use super::{ExportError, Exported, Wanted, exported};
use crate::engine::Engine;
use crate::session::Session;

const MANIFEST: &str = "_manifest.json";
/// Written first, so that two snapshots never share a folder.
const BEGUN: &str = "_begun.json";

/// A snapshot in the making. All of it sees the same version of a table.
pub struct Snapshot<'a> {
    engine: &'a Engine,
    session: Session,
    folder: Folder,
    now: DateTime<Utc>,
    partition: Option<Partition>,
    manifests: Vec<Manifest>,
}

#[derive(Serialize)]
struct Contents<'a> {
    began_at: String,
    tables: &'a [Manifest],
}

impl<'a> Snapshot<'a> {
    /// Begins one in a new folder below `folder`, named by the time.
    ///
    /// # Errors
    /// [`ExportError::Refused`], [`ExportError::Folder`].
    pub async fn begin(
        engine: &'a Engine,
        folder: &Folder,
        partition: Option<Partition>,
        now: DateTime<Utc>,
    ) -> Result<Snapshot<'a>, ExportError> {
        if folder.is_within(engine.lake()) {
            return Err(ExportError::Refused(format!(
                "{} belongs to the lake; export to a folder outside of it",
                folder.url()
            )));
        }
        let name = now.format("snapshot-%Y%m%dT%H%M%S%.3fZ").to_string();
        let folder = folder.below(&name);
        if !folder.put_new(BEGUN, began_at(now).into_bytes()).await? {
            return Err(ExportError::Refused(format!(
                "{} has been begun already; try again",
                folder.url()
            )));
        }
        Ok(Snapshot {
            engine,
            session: engine.session(),
            folder,
            now,
            partition,
            manifests: Vec::new(),
        })
    }

    /// Where it goes.
    pub fn url(&self) -> &str {
        self.folder.url()
    }

    /// Adds a table or query.
    ///
    /// # Errors
    /// Every [`ExportError`]. The snapshot then stays without manifest, which is to say incomplete.
    pub async fn add(&mut self, wanted: &Wanted) -> Result<Exported, ExportError> {
        wanted.check(&self.folder, self.engine)?;
        let source =
            Source::open(self.engine, &self.session, wanted, self.partition, self.now).await?;
        let objects = write_objects(&source, None, &self.folder).await?;
        let manifest = source.manifest.of(objects);
        let done = exported(&manifest, manifest.objects.len(), 0);
        self.manifests.push(manifest);
        Ok(done)
    }

    /// Says that it is complete.
    ///
    /// # Errors
    /// [`ExportError::Folder`].
    pub async fn finish(self) -> Result<(), ExportError> {
        let contents = Contents {
            began_at: self.now.to_rfc3339(),
            tables: &self.manifests,
        };
        let json = serde_json::to_vec_pretty(&contents)
            .map_err(|error| ExportError::Refused(error.to_string()))?;
        self.folder.put(MANIFEST, json).await?;
        Ok(())
    }
}

fn began_at(now: DateTime<Utc>) -> String {
    serde_json::json!({ "began_at": now.to_rfc3339() }).to_string()
}
