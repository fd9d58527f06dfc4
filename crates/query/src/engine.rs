//! The engine: runs SQL over a lake, and says what the lake holds.

use std::io::Write;

use chrono_tz::Tz;
use datafusion::execution::{SessionState, SessionStateBuilder};
use lake::Lake;

use crate::catalog::{CATALOG, SCHEMA, is_table_name};
use crate::describe::{TableDescription, TableInfo, describe_table, list_tables};
use crate::error::QueryError;
use crate::local;
use crate::mistake::unknown_table;
use crate::output::{Format, Summary, write_result};
use crate::parameters::{Bindings, Script};
use crate::session::RunSession;

#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// All queries running at a time share this; sorts and aggregates spill to disk beyond it.
    pub memory_bytes: usize,
    /// Tables that the transform makes: asked for before they exist, the answer is to run it.
    pub derived_tables: Vec<String>,
    /// The lake's business time zone.
    pub zone: Tz,
}

/// A DataFusion session over the lake. Reads only.
#[derive(Debug)]
pub struct Engine {
    lake: Lake,
    state: SessionState,
    derived_tables: Vec<String>,
    zone: Tz,
}

impl Engine {
    pub fn new(lake: Lake, options: EngineOptions) -> Engine {
        let state = lake::session(options.memory_bytes).state();
        let mut config = state
            .config()
            .clone()
            .with_create_default_catalog_and_schema(false)
            .with_default_catalog_and_schema(CATALOG, SCHEMA)
            .with_information_schema(true);
        let settings = config.options_mut();
        settings.execution.time_zone = Some("UTC".to_owned());
        // Errors name the line and column they are about.
        settings.sql_parser.collect_spans = true;
        let mut builder = SessionStateBuilder::new_from_existing(state).with_config(config);
        builder
            .scalar_functions()
            .get_or_insert_default()
            .extend(local::functions(options.zone));
        let state = builder.build();
        Engine {
            lake,
            state,
            derived_tables: options.derived_tables,
            zone: options.zone,
        }
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
        let session = RunSession::new(&self.lake, &self.state);
        let script = script.into();
        let statements = session.parse(script.sql)?;
        let bindings = Bindings::new(&script, &statements, self.zone)?;
        let mut summary = Summary::default();
        for statement in statements {
            let rows = match session.execute(statement, &bindings).await {
                Ok(rows) => rows,
                Err(mistake) => {
                    return Err(mistake.explain(&self.lake, &self.derived_tables).await);
                }
            };
            if !summary.results.is_empty() {
                out.write_all(format.separator())?;
            }
            summary
                .results
                .push(write_result(rows, format, format.row_limit(), out).await?);
        }
        out.flush()?;
        Ok(summary)
    }

    /// What tables the lake holds, by name.
    ///
    /// # Errors
    /// [`QueryError::Lake`].
    pub async fn tables(&self) -> Result<Vec<TableInfo>, QueryError> {
        Ok(list_tables(&self.lake).await?)
    }

    /// What a table holds; the name in any case.
    ///
    /// # Errors
    /// [`QueryError::Sql`] if there is no such table, [`QueryError::Lake`].
    pub async fn describe(&self, table: &str) -> Result<TableDescription, QueryError> {
        let name = table.to_ascii_lowercase();
        let description = if is_table_name(&name) {
            describe_table(&self.lake, &name).await?
        } else {
            None
        };
        match description {
            Some(description) => Ok(description),
            None => Err(unknown_table(&name, &self.lake, &self.derived_tables).await),
        }
    }
}
