//! What a table's log says of the table itself: its columns, and properties that its owner keeps there.

use arrow::datatypes::Schema;
use arrow::error::ArrowError;
use deltalake::DeltaTableError;
use deltalake::kernel::engine::arrow_conversion::TryIntoKernel;
use deltalake::kernel::{Action, Metadata, MetadataExt, StructType};
use deltalake::protocol::DeltaOperation;

use crate::error::LakeError;
use crate::table::{Table, TableSpec};

/// How often columns are added again because somebody else has committed meanwhile.
const ATTEMPTS: u32 = 3;

impl Table {
    /// The value of a property, as [`Prepared::with_property`](crate::Prepared::with_property) gave it.
    ///
    /// # Errors
    /// [`LakeError::Delta`].
    pub fn property(&self, name: &str) -> Result<Option<String>, LakeError> {
        Ok(self.metadata()?.configuration().get(name).cloned())
    }

    /// What gives the property that value, unless it has it.
    pub(crate) fn property_change(
        &self,
        name: &str,
        value: &str,
    ) -> Result<Option<Action>, LakeError> {
        if self.property(name)?.as_deref() == Some(value) {
            return Ok(None);
        }
        let metadata = self.metadata()?.clone();
        let metadata = metadata.add_config_key(name.to_owned(), value.to_owned());
        let metadata = metadata.map_err(DeltaTableError::from);
        Ok(Some(metadata.map_err(LakeError::delta(&self.name))?.into()))
    }

    fn metadata(&self) -> Result<&Metadata, LakeError> {
        let snapshot = self.inner.snapshot();
        Ok(snapshot.map_err(LakeError::delta(&self.name))?.metadata())
    }

    /// Adds the columns that a table of an earlier version lacks. They are NULL in the rows that it has.
    pub(crate) async fn add_missing_columns(&mut self, spec: &TableSpec) -> Result<(), LakeError> {
        let mut attempt = 1;
        loop {
            match self.add_columns(spec).await {
                Err(LakeError::Conflict { .. }) if attempt < ATTEMPTS => {
                    attempt += 1;
                    self.refresh().await?;
                }
                added => return added,
            }
        }
    }

    async fn add_columns(&mut self, spec: &TableSpec) -> Result<(), LakeError> {
        let known = self.plain_schema()?;
        let fields = spec.schema.fields().iter();
        let missing: Vec<_> = fields
            .filter(|field| known.field_with_name(field.name()).is_err())
            // Of the rows that are there it has no value.
            .map(|field| field.as_ref().clone().with_nullable(true))
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        let missing = Schema::new(missing);
        let added: Result<StructType, ArrowError> = (&missing).try_into_kernel();
        let added = added.map_err(|error| LakeError::read(&self.name)(error.into()))?;
        let fields: Vec<_> = added.fields().cloned().collect();
        let snapshot = self.inner.snapshot();
        let snapshot = snapshot.map_err(LakeError::delta(&self.name))?.snapshot();
        let all = snapshot.schema().fields().cloned().collect::<Vec<_>>();
        let schema = StructType::try_new(all.into_iter().chain(fields.clone()))
            .map_err(DeltaTableError::from)
            .map_err(LakeError::delta(&self.name))?;
        let metadata = self.metadata()?.clone().with_schema(&schema);
        let metadata = metadata
            .map_err(DeltaTableError::from)
            .map_err(LakeError::delta(&self.name))?;
        let operation = DeltaOperation::AddColumn { fields };
        self.commit_as(operation, vec![metadata.into()], &[], 0)
            .await
    }
}
