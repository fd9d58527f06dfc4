//! The lake as a catalog of one schema, `lake.public`, whose tables are opened when they are named.
//!
//! One catalog serves one session: each table keeps the version it was first opened at, so that all
//! statements see the same rows. Tables and views that statements make are kept here and in memory, and
//! stand beside the lake's, never in their place. Never creates, changes or drops a table of the lake.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use async_trait::async_trait;
use datafusion::catalog::{CatalogProvider, SchemaProvider, TableProvider};
use datafusion::common::plan_err;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SessionState;
use datafusion::logical_expr::TableType;
use lake::{Lake, LakeError, Table};
use tokio::sync::Mutex;

use crate::as_of::AsOf;
use crate::engine::Engine;
use crate::files::{is_file, open_file};
use crate::mistake::Mistake;
use crate::views;

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
    as_of: AsOf,
    reads_files: bool,
    /// Shares its runtime, and so the registered storage, with the session that reads.
    state: SessionState,
    opened: Mutex<HashMap<String, Option<Opened>>>,
    names: RwLock<Vec<String>>,
    own: RwLock<HashMap<String, Arc<dyn TableProvider>>>,
    /// Of those the views that were made over tables which are forgotten.
    stale: RwLock<HashSet<String>>,
}

#[derive(Debug, Clone)]
struct Opened {
    table: Table,
    provider: Arc<dyn TableProvider>,
}

impl LakeSchema {
    pub fn new(engine: &Engine, state: SessionState) -> Self {
        Self {
            lake: engine.lake().clone(),
            as_of: engine.as_of(),
            reads_files: engine.reads_files(),
            state,
            opened: Mutex::default(),
            names: RwLock::default(),
            own: RwLock::default(),
            stale: RwLock::default(),
        }
    }

    /// Lists the lake, for statements that ask which tables there are.
    pub async fn list(&self) -> Result<(), LakeError> {
        let names = self.lake.tables().await?;
        *self.names.write().unwrap_or_else(PoisonError::into_inner) = names;
        Ok(())
    }

    /// The names of what statements have made.
    pub fn own_names(&self) -> HashSet<String> {
        self.own().keys().cloned().collect()
    }

    /// What statements have made under that name.
    pub fn own_table(&self, name: &str) -> Option<Arc<dyn TableProvider>> {
        self.own().get(name).cloned()
    }

    /// Of the names, those that are opened tables of the lake, as often as they occur.
    pub async fn opened(&self, names: &[String]) -> Vec<Table> {
        let opened = self.opened.lock().await;
        let table = |name: &String| opened.get(&name.to_ascii_lowercase())?.as_ref();
        names
            .iter()
            .filter_map(table)
            .map(|opened| opened.table.clone())
            .collect()
    }

    /// What follows opens the lake's tables anew, also through views.
    pub async fn forget(&self) {
        self.opened.lock().await.clear();
        let is_view = |own: &Arc<dyn TableProvider>| own.table_type() == TableType::View;
        let views = self.own();
        let views = views.iter().filter(|(_, own)| is_view(own));
        self.stale_mut().extend(views.map(|(name, _)| name.clone()));
    }

    /// What statements have made under that name, over the tables as they are now.
    async fn own_now(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        let own = self.own_table(name);
        let (Some(view), true) = (&own, self.stale().contains(name)) else {
            return Ok(own);
        };
        let Some(plan) = view.get_logical_plan() else {
            return Ok(own);
        };
        let mut tables = HashMap::new();
        for table in views::scanned(&plan)? {
            let is_own = self.own_table(&table).is_some();
            if !(is_own || self.reads_files && is_file(&table)) {
                let opened = self.lake_table(&table).await?;
                tables.extend(opened.map(|opened| (table, opened)));
            }
        }
        let renewed: Arc<dyn TableProvider> =
            Arc::new(views::over(view.as_ref(), plan.into_owned(), &tables)?);
        self.own_mut().insert(name.to_owned(), renewed.clone());
        self.stale_mut().remove(name);
        Ok(Some(renewed))
    }

    /// A table of the lake, at the version at which it was first opened.
    async fn lake_table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        let name = name.to_ascii_lowercase();
        if !is_table_name(&name) {
            return Ok(None);
        }
        let mut opened = self.opened.lock().await;
        if let Some(table) = opened.get(&name) {
            return Ok(table.as_ref().map(|opened| opened.provider.clone()));
        }
        if let AsOf::Version(version) = self.as_of
            && let Some(other) = opened.keys().find(|other| opened[*other].is_some())
        {
            match self.lake.existing(&name).await {
                Err(LakeError::NoSuchTable { .. }) => return Ok(None),
                Err(error) => return Err(DataFusionError::External(error.into())),
                Ok(_) => {}
            }
            return plan_err!(
                "version {version} is one of {other}, and {name} has versions of its own; name a time instead"
            );
        }
        let table = self
            .open(&name)
            .await
            .map_err(|error| DataFusionError::External(error.into()))?;
        let provider = table.as_ref().map(|opened| opened.provider.clone());
        opened.insert(name, table);
        Ok(provider)
    }

    /// A table for what its log says of it: as of then, or as it is now where it has no such version.
    pub async fn state_of(&self, name: &str) -> Result<Option<Table>, Mistake> {
        let table = match self.as_of {
            AsOf::Now => {
                self.lake_table(name).await?;
                return Ok(self.opened(&[name.to_owned()]).await.pop());
            }
            AsOf::Version(_) => self.lake.existing(name).await,
            AsOf::Instant(_) => match self.as_of.open(&self.lake, name).await {
                Err(LakeError::NoSuchVersion { .. }) => self.lake.existing(name).await,
                table => table,
            },
        };
        match table {
            Err(LakeError::NoSuchTable { .. }) => Ok(None),
            table => Ok(Some(table?)),
        }
    }

    async fn open(&self, name: &str) -> Result<Option<Opened>, LakeError> {
        let table = match self.as_of.open(&self.lake, name).await {
            Err(LakeError::NoSuchTable { .. }) => return Ok(None),
            table => table?,
        };
        table.register_storage(&self.state)?;
        let provider = table.provider().await?;
        Ok(Some(Opened { table, provider }))
    }

    fn own(&self) -> RwLockReadGuard<'_, HashMap<String, Arc<dyn TableProvider>>> {
        self.own.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn stale(&self) -> RwLockReadGuard<'_, HashSet<String>> {
        self.stale.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn stale_mut(&self) -> RwLockWriteGuard<'_, HashSet<String>> {
        self.stale.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn own_mut(&self) -> RwLockWriteGuard<'_, HashMap<String, Arc<dyn TableProvider>>> {
        self.own.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl SchemaProvider for LakeSchema {
    /// As last listed: listing is asynchronous, this is not.
    fn table_names(&self) -> Vec<String> {
        let listed = self.names.read().unwrap_or_else(PoisonError::into_inner);
        listed.iter().chain(self.own().keys()).cloned().collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        if let Some(own) = self.own_now(name).await? {
            return Ok(Some(own));
        }
        if self.reads_files && is_file(name) {
            return open_file(name, &self.state).await;
        }
        self.lake_table(name).await
    }

    fn register_table(
        &self,
        name: String,
        table: Arc<dyn TableProvider>,
    ) -> Result<Option<Arc<dyn TableProvider>>> {
        if !is_table_name(&name) {
            return plan_err!("{name} is no name of a table: use letters, digits and underscores");
        }
        self.stale_mut().remove(&name);
        Ok(self.own_mut().insert(name, table))
    }

    fn deregister_table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        match self.own_mut().remove(name) {
            Some(own) => Ok(Some(own)),
            None => plan_err!("{name} is a table of the lake, which queries only read"),
        }
    }

    /// Known without opening the table.
    async fn table_type(&self, name: &str) -> Result<Option<TableType>> {
        let own = self.own().get(name).map(|own| own.table_type());
        Ok(Some(own.unwrap_or(TableType::Base)))
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
