//! The engine: sessions over a lake, and what the lake holds.

use std::fmt;
use std::io::Write;
use std::sync::Arc;

use chrono_tz::Tz;
use datafusion::config::ConfigNonZeroUsize;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::prelude::SessionConfig;
use lake::{Lake, LakeError};

use crate::as_of::AsOf;
use crate::catalog::{CATALOG, SCHEMA, is_table_name};
use crate::derivation::{BusinessClock, Derivation};
use crate::describe::{TableDescription, TableInfo, describe_table, list_tables};
use crate::distinct::CountDistinctTogether;
use crate::error::QueryError;
use crate::extremes::NameExtremes;
use crate::history::{TableHistory, rows};
use crate::json::{self, JsonOperators};
use crate::limits::keeping_limits;
use crate::memory::PeakPool;
use crate::mistake::unknown_table;
use crate::output::{Format, Style, Summary};
use crate::parameters::Script;
use crate::service_level;
use crate::session::Session;

#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// All queries running at a time share this; sorts and aggregates spill to disk beyond it.
    pub memory_bytes: usize,
    /// Tables that the transform makes: asked for before they exist, the answer is to run it.
    pub derived_tables: Vec<String>,
    /// Where the lake does not say what its facts were derived with.
    pub clock: BusinessClock,
    pub derivation: Option<Arc<dyn Derivation>>,
    /// Whether queries may read files of this machine: whoever asks must be allowed to read what this
    /// process can.
    pub reads_files: bool,
    pub as_of: AsOf,
}

impl EngineOptions {
    /// Of a zone, with bounded memory; reads the lake only, as it is now.
    pub fn new(memory_bytes: usize, zone: Tz) -> Self {
        Self {
            memory_bytes,
            derived_tables: Vec::new(),
            clock: BusinessClock { zone, hours: None },
            derivation: None,
            reads_files: false,
            as_of: AsOf::Now,
        }
    }
}

/// What a sort of wide rows, such as events with their payloads, needs to merge what it has spilled.
const PARTITION_BYTES: usize = 256 << 20;
const USUAL_BYTES: usize = 2 << 30;
/// Below it batches are small: a merge holds two of each spilled run.
const LITTLE_BYTES: usize = 512 << 20;
const LITTLE_BATCH_ROWS: usize = 1024;

/// What queries may use unless somebody says: every core takes part, as far as half of the memory that there is suffices.
pub fn usual_memory_bytes(cores: usize, memory_bytes: Option<u64>) -> usize {
    let half = memory_bytes.map_or(0, |bytes| usize::try_from(bytes / 2).unwrap_or(usize::MAX));
    USUAL_BYTES.max(cores.saturating_mul(PARTITION_BYTES).min(half))
}

/// Sorts share the memory, and one whose share is too small fails: the less memory, the fewer at a time.
fn fit_sorts(config: SessionConfig, memory_bytes: usize) -> SessionConfig {
    let most = (memory_bytes / PARTITION_BYTES).max(1);
    let partitions = config.target_partitions().min(most);
    let config = config.with_target_partitions(partitions);
    match memory_bytes < LITTLE_BYTES {
        true => config.with_batch_size(LITTLE_BATCH_ROWS),
        false => config,
    }
}

/// DataFusion over the lake. Reads only. Cheap to clone.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    lake: Lake,
    state: SessionState,
    pool: Arc<PeakPool>,
    options: EngineOptions,
}

impl Engine {
    pub fn new(lake: Lake, options: EngineOptions) -> Engine {
        let state = lake::session(options.memory_bytes).state();
        let mut config = fit_sorts(state.config().clone(), options.memory_bytes)
            .with_create_default_catalog_and_schema(false)
            .with_default_catalog_and_schema(CATALOG, SCHEMA)
            .with_information_schema(true);
        let settings = config.options_mut();
        // A file for each batch, each with a handle: a repartition that spills would else look in one file for what
        // another task put into the next, and wait for good (DataFusion's issue 24883).
        settings.execution.max_spill_file_size_bytes =
            ConfigNonZeroUsize::try_new(1).expect("one is not zero");
        settings.execution.time_zone = Some("UTC".to_owned());
        // Errors name the line and column they are about.
        settings.sql_parser.collect_spans = true;
        let pool = Arc::new(PeakPool::over(state.runtime_env().memory_pool.clone()));
        let runtime = RuntimeEnvBuilder::from_runtime_env(state.runtime_env())
            .with_memory_pool(pool.clone())
            .build_arc()
            .unwrap_or_else(|_| state.runtime_env().clone());
        let physical_rules = keeping_limits(state.physical_optimizers());
        let mut builder = SessionStateBuilder::new_from_existing(state)
            .with_config(config)
            .with_runtime_env(runtime)
            .with_physical_optimizer_rules(physical_rules)
            .with_analyzer_rule(Arc::new(NameExtremes))
            .with_optimizer_rule(Arc::new(CountDistinctTogether::new()));
        builder.scalar_functions().get_or_insert_default().extend(
            options
                .clock
                .functions()
                .into_iter()
                .chain(json::functions()),
        );
        builder
            .aggregate_functions()
            .get_or_insert_default()
            .push(service_level::function());
        builder
            .expr_planners()
            .get_or_insert_default()
            .insert(0, Arc::new(JsonOperators));
        Engine(Arc::new(Inner {
            lake,
            state: builder.build(),
            pool,
            options,
        }))
    }

    /// A session, in which statements run one after the other and see the same version of each table.
    pub fn session(&self) -> Session {
        Session::new(self, &self.0.state, self.0.pool.clone())
    }

    /// Runs the statements in order, up to the first error, writing each result to `out`. All of them
    /// are parsed, and their parameters checked, before the first one runs; all of them see the same
    /// version of a table.
    ///
    /// # Errors
    /// Every [`QueryError`]. What was written before one is whole for the statements before, and may be
    /// part of a result for the statement that failed.
    pub async fn run<'a, W: Write + ?Sized>(
        &self,
        script: impl Into<Script<'a>>,
        format: Format,
        out: &mut W,
    ) -> Result<Summary, QueryError> {
        let session = self.session();
        let mut summary = Summary::default();
        for statement in session.prepare(script)? {
            let answer = session.execute(&statement).await?;
            if !statement.has_rows() {
                continue;
            }
            if !summary.results.is_empty() {
                out.write_all(format.separator())?;
            }
            summary
                .results
                .push(answer.print(format, &Style::default(), out).await?);
        }
        out.flush()?;
        Ok(summary)
    }

    /// What tables the lake holds, by name.
    ///
    /// # Errors
    /// [`QueryError::Lake`].
    pub async fn tables(&self) -> Result<Vec<TableInfo>, QueryError> {
        Ok(list_tables(self.lake()).await?)
    }

    /// What SQL may call.
    pub fn function_names(&self) -> Vec<String> {
        let scalar = self.0.state.scalar_functions().keys();
        let aggregate = self.0.state.aggregate_functions().keys();
        let window = self.0.state.window_functions().keys();
        scalar.chain(aggregate).chain(window).cloned().collect()
    }

    /// What a table holds; the name in any case.
    ///
    /// # Errors
    /// [`QueryError::Sql`] if there is no such table, [`QueryError::Lake`].
    pub async fn describe(&self, table: &str) -> Result<TableDescription, QueryError> {
        let name = table.to_ascii_lowercase();
        let description = if is_table_name(&name) {
            describe_table(self.lake(), &name).await?
        } else {
            None
        };
        match description {
            Some(description) => Ok(description),
            None => Err(unknown_table(&name, self).await),
        }
    }

    /// What was done to a table; the name in any case.
    ///
    /// # Errors
    /// [`QueryError::Sql`] if there is no such table, [`QueryError::Lake`].
    pub async fn history(&self, table: &str, limit: usize) -> Result<TableHistory, QueryError> {
        let name = table.to_ascii_lowercase();
        let opened = match is_table_name(&name) {
            true => self.lake().existing(&name).await,
            false => return Err(unknown_table(&name, self).await),
        };
        let history = match opened {
            Err(LakeError::NoSuchTable { .. }) => return Err(unknown_table(&name, self).await),
            table => table?.history(limit).await?,
        };
        Ok(TableHistory {
            commits: rows(&history.commits)
                .map_err(|error| QueryError::Failed(error.to_string()))?,
            older: history.older,
        })
    }

    pub(crate) fn lake(&self) -> &Lake {
        &self.0.lake
    }

    /// Where the lake does not say it.
    pub(crate) fn clock(&self) -> &BusinessClock {
        &self.0.options.clock
    }

    pub(crate) fn derivation(&self) -> Option<&dyn Derivation> {
        self.0.options.derivation.as_deref()
    }

    pub(crate) fn as_of(&self) -> AsOf {
        self.0.options.as_of
    }

    pub(crate) fn reads_files(&self) -> bool {
        self.0.options.reads_files
    }

    pub(crate) fn derived_tables(&self) -> &[String] {
        &self.0.options.derived_tables
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter
            .debug_struct("Engine")
            .field("lake", &self.0.lake.url())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_cores_take_part_unless_there_is_little_memory() {
        let taking_part = |cores, memory_bytes| {
            let config = SessionConfig::new().with_target_partitions(cores);
            fit_sorts(config, memory_bytes).target_partitions()
        };
        for cores in [1, 2, 8, 9, 64, 200] {
            let usual = usual_memory_bytes(cores, Some(u64::MAX));
            assert_eq!(taking_part(cores, usual), cores, "{cores}");
        }
        assert_eq!(usual_memory_bytes(8, Some(u64::MAX)), 2 << 30);
        // Half of the memory at most, but for what was usual.
        assert_eq!(usual_memory_bytes(64, Some(16 << 30)), 8 << 30);
        for little in [None, Some(1 << 30)] {
            assert_eq!(usual_memory_bytes(64, little), 2 << 30);
        }
        assert_eq!(taking_part(8, 1 << 30), 4);
        assert_eq!(taking_part(8, 1), 1);
    }
}
