//! The lake as a catalog of one schema, `lake.public`, whose tables are opened when they are named.
//!
//! One catalog serves one run: each table keeps the version it was first opened at, so that all
//! statements of a run see the same rows. Never creates, registers or drops a table.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use datafusion::catalog::{CatalogProvider, SchemaProvider, TableProvider};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SessionState;
use datafusion::logical_expr::TableType;
use lake::{Lake, LakeError};
use tokio::sync::Mutex;

pub(crate) const CATALOG: &str = "lake";
pub(crate) const SCHEMA: &str = "public";

#[derive(Debug)]
pub(crate) struct LakeCatalog(pub Arc<LakeSchema>);

impl CatalogProvider for LakeCatalog {
    fn schema_names(&self) -> Vec<String> {
        vec![SCHEMA.to_owned()]
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        (name == SCHEMA).then(|| self.0.clone() as _)
    }
}

#[derive(Debug)]
pub(crate) struct LakeSchema {
    lake: Lake,
    /// Shares its runtime, and so the registered storage, with the session that reads.
    state: SessionState,
    opened: Mutex<HashMap<String, Option<Arc<dyn TableProvider>>>>,
    names: RwLock<Vec<String>>,
}

impl LakeSchema {
    pub fn new(lake: Lake, state: SessionState) -> Self {
        Self {
            lake,
            state,
            opened: Mutex::default(),
            names: RwLock::default(),
        }
    }

    /// Lists the lake, for statements that ask which tables there are.
    pub async fn list(&self) -> Result<(), LakeError> {
        let names = self.lake.tables().await?;
        *self.names.write().unwrap_or_else(PoisonError::into_inner) = names;
        Ok(())
    }

    async fn open(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>, LakeError> {
        let table = match self.lake.existing(name).await {
            Err(LakeError::NoSuchTable { .. }) => return Ok(None),
            table => table?,
        };
        table.register_storage(&self.state)?;
        table.provider().await.map(Some)
    }
}

#[async_trait]
impl SchemaProvider for LakeSchema {
    /// As last listed: listing is asynchronous, this is not.
    fn table_names(&self) -> Vec<String> {
        self.names
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        let name = name.to_ascii_lowercase();
        if !is_table_name(&name) {
            return Ok(None);
        }
        let mut opened = self.opened.lock().await;
        if let Some(table) = opened.get(&name) {
            return Ok(table.clone());
        }
        let table = self
            .open(&name)
            .await
            .map_err(|error| DataFusionError::External(error.into()))?;
        opened.insert(name, table.clone());
        Ok(table)
    }

    /// Known without opening the table.
    async fn table_type(&self, _name: &str) -> Result<Option<TableType>> {
        Ok(Some(TableType::Base))
    }

    fn table_exist(&self, name: &str) -> bool {
        self.table_names()
            .iter()
            .any(|known| known.eq_ignore_ascii_case(name))
    }
}

/// A name becomes part of a location, so nothing that could lead out of the lake passes.
pub(crate) fn is_table_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
