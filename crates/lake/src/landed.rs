//! Whether a commit has become part of the table.
//!
//! Delta commits by putting the log's next entry where there is none yet. Whoever is held up between looking and putting
//! may meanwhile have been overtaken: others have committed, a checkpoint sums their commits up, and maintenance has
//! deleted the entries before it. His entry then lands in the hole they have left, where no reader looks for it.
//! Maintenance deletes entries from the log's beginning on, so such an entry has none before it.

use deltalake::kernel::Action;
use object_store::ObjectStoreExt;
use object_store::path::Path;

use crate::error::LakeError;
use crate::table::Table;

impl Table {
    /// Takes in the commit of that version, just made, which is known by its `txns`, or else by its [`landmark`].
    ///
    /// # Errors
    /// [`LakeError::Conflict`] if it has come too late to be part of the table.
    pub(crate) async fn take_in(
        &mut self,
        version: u64,
        landmark: Option<String>,
        txns: &[(&str, i64)],
    ) -> Result<(), LakeError> {
        if self.has_entry_before(version).await? {
            return self.refresh().await;
        }
        // Rare: maintenance leaves the entry of the checkpoint it cleans up to. Other tools may not.
        self.reopen().await?;
        let checkpoints = self.log_versions(".parquet").await?;
        let is_passed = checkpoints.iter().any(|checkpoint| *checkpoint >= version);
        if !is_passed || self.holds(landmark, txns).await? {
            return Ok(());
        }
        let entry = self.log_entry(version);
        tracing::warn!(
            table = self.name,
            version,
            "a commit has come so late that the log had been cleaned meanwhile; it is no part of the table, and is made again"
        );
        // It would only puzzle whoever looks at the log.
        if let Err(error) = self.lake.store.delete(&entry).await {
            tracing::warn!(%entry, %error, "that commit's entry could not be deleted; it harms nobody");
        }
        Err(LakeError::Conflict {
            table: self.name.clone(),
        })
    }

    async fn has_entry_before(&self, version: u64) -> Result<bool, LakeError> {
        let Some(before) = version.checked_sub(1) else {
            return Ok(true);
        };
        match self.lake.store.head(&self.log_entry(before)).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(LakeError::storage(format!(
                "looking at the log of table {}",
                self.name
            ))(error)),
        }
    }

    /// Whether a checkpoint has taken the commit in.
    async fn holds(
        &self,
        landmark: Option<String>,
        txns: &[(&str, i64)],
    ) -> Result<bool, LakeError> {
        for (app_id, version) in txns {
            if self.committed(app_id).await? != Some(*version) {
                return Ok(false);
            }
        }
        let files = self.files()?;
        Ok(landmark.is_none_or(|path| files.iter().any(|file| file.path() == path.as_str())))
    }

    fn log_entry(&self, version: u64) -> Path {
        self.lake
            .log_folder(&self.name)
            .join(format!("{version:020}.json"))
    }
}

/// The path of a file by which a commit without `txns` is known.
pub(crate) fn landmark(actions: &[Action], txns: &[(&str, i64)]) -> Option<String> {
    actions.iter().find_map(|action| match action {
        Action::Add(add) if txns.is_empty() => Some(add.path.clone()),
        _ => None,
    })
}
