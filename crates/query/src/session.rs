//! A session: one view of the lake, in which statements run one after the other.
//!
//! Every table keeps the version at which a statement first named it, so that all see the same rows, and
//! views and tables that statements make are there for those that follow.

use std::any::Any;
use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use datafusion::catalog::{CatalogProviderList, MemoryCatalogProviderList, SchemaProvider};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::DataFusionError;
use datafusion::execution::memory_pool::MemoryPool;
use datafusion::execution::{FunctionRegistry, SessionState, SessionStateBuilder};
use datafusion::logical_expr::{
    CreateMemoryTable, DdlStatement, DmlStatement, DropTable, LogicalPlan,
};
use datafusion::physical_plan::execute_stream;
use datafusion::prelude::{DataFrame, SessionContext};
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast;
use lake::Table;

use crate::admission::{Purpose, admit, own_name, read_only, verify};
use crate::answer::Answer;
use crate::catalog::{CATALOG, LakeCatalog, LakeSchema};
use crate::compared::refuse_numbers_as_dates;
use crate::derivation::BusinessClock;
use crate::describe::{TableDescription, described, description_rows};
use crate::engine::Engine;
use crate::error::QueryError;
use crate::files::is_file;
use crate::json::refuse_paths_as_keys;
use crate::memory::PeakPool;
use crate::mistake::{Mistake, MistakeContext};
use crate::naming;
use crate::own_table::OwnTable;
use crate::parameters::{Bindings, Declaration, Script, declarations, parameters_of};
use crate::stats::Watch;
use crate::syntax::{Part, parse_each};
use crate::unheeded::refuse_unheeded;

/// Cheap to start: it touches the lake when a statement names a table.
pub struct Session {
    context: SessionContext,
    schema: Arc<LakeSchema>,
    engine: Engine,
    pool: Arc<PeakPool>,
}

/// A statement that may run, with the values of its parameters.
#[derive(Debug)]
pub struct Prepared {
    statement: Statement,
    /// Of the script that it is from.
    sql: Arc<str>,
    purpose: Purpose,
    bindings: Arc<Bindings>,
}

/// A statement that may run once its parameters have values.
struct Admitted {
    statement: Statement,
    purpose: Purpose,
    parameters: BTreeSet<String>,
}

/// A script with the values of its parameters.
struct Bound {
    sql: Arc<str>,
    bindings: Arc<Bindings>,
}

impl Admitted {
    fn prepared(self, script: &Bound) -> Prepared {
        Prepared {
            statement: self.statement,
            sql: script.sql.clone(),
            purpose: self.purpose,
            bindings: script.bindings.clone(),
        }
    }
}

impl Prepared {
    /// Whether it has rows, and not only makes or drops a table or view of the session's.
    pub fn has_rows(&self) -> bool {
        self.purpose == Purpose::Answer
    }
}

impl Session {
    pub(crate) fn new(engine: &Engine, state: &SessionState, pool: Arc<PeakPool>) -> Self {
        let schema = Arc::new(LakeSchema::new(engine, state.clone()));
        let catalogs = MemoryCatalogProviderList::new();
        catalogs.register_catalog(CATALOG.to_owned(), Arc::new(LakeCatalog(schema.clone())));
        let state = SessionStateBuilder::new_from_existing(state.clone())
            .with_catalog_list(Arc::new(catalogs))
            .build();
        Self {
            context: SessionContext::new_with_state(state),
            schema,
            engine: engine.clone(),
            pool,
        }
    }

    /// Parses the script, and holds its parameters against the values given, without running anything.
    ///
    /// # Errors
    /// [`QueryError::Sql`], also for what would write, [`QueryError::Parameter`].
    pub fn prepare<'a>(&self, script: impl Into<Script<'a>>) -> Result<Vec<Prepared>, QueryError> {
        let script = script.into();
        let unmarked = unmarked(script.sql);
        let script = Script {
            sql: &unmarked,
            ..script
        };
        let declared = declarations(script.sql)?;
        let admitted = self.admitted(&script, &declared)?.into_iter();
        let admitted: Vec<Admitted> = admitted.collect::<Result<_, _>>()?;
        let bound = self.bound(&script, declared, admitted.iter())?;
        Ok(admitted
            .into_iter()
            .map(|one| one.prepared(&bound))
            .collect())
    }

    /// As [`prepare`](Self::prepare), but one statement that cannot run takes nothing from the others.
    ///
    /// # Errors
    /// Likewise, for what is wrong with all of them.
    pub fn prepare_each<'a>(
        &self,
        script: impl Into<Script<'a>>,
    ) -> Result<Vec<Result<Prepared, QueryError>>, QueryError> {
        let script = script.into();
        let unmarked = unmarked(script.sql);
        let script = Script {
            sql: &unmarked,
            ..script
        };
        let declared = declarations(script.sql)?;
        let each = self.admitted(&script, &declared)?;
        let bound = self.bound(&script, declared, each.iter().flatten())?;
        let each = each.into_iter();
        Ok(each.map(|one| Ok(one?.prepared(&bound))).collect())
    }

    /// The statements that may run, and why the others may not.
    fn admitted(
        &self,
        script: &Script,
        declared: &[Declaration],
    ) -> Result<Vec<Result<Admitted, QueryError>>, QueryError> {
        let mut own = self.schema.own_names();
        let admit = |part: Part| {
            let statement = part.statement?;
            refuse_unheeded(&part.tokens, &statement)?;
            Ok(Admitted {
                parameters: parameters_of(&statement, declared, script.undeclared)?,
                purpose: admit(&statement, &mut own)?,
                statement,
            })
        };
        let parts = parse_each(script.sql, self.recursion_limit())?;
        Ok(parts.into_iter().map(admit).collect())
    }

    fn bound<'a>(
        &self,
        script: &Script,
        declared: Vec<Declaration>,
        admitted: impl Iterator<Item = &'a Admitted>,
    ) -> Result<Bound, QueryError> {
        let used = admitted.flat_map(|one| one.parameters.iter().cloned());
        let bindings = Bindings::new(script, declared, used.collect(), self.engine.clock().zone)?;
        Ok(Bound {
            sql: script.sql.into(),
            bindings: Arc::new(bindings),
        })
    }

    /// Starts the statement. Its rows are computed as the answer is read.
    ///
    /// # Errors
    /// Every [`QueryError`] but [`QueryError::Output`].
    pub async fn execute(&self, prepared: &Prepared) -> Result<Answer, QueryError> {
        match self.start(prepared).await {
            Ok(answer) => Ok(answer),
            Err(mistake) => Err(self.explain(mistake, prepared).await),
        }
    }

    /// What a table holds, one of the lake's, a file, or one that statements have made.
    ///
    /// # Errors
    /// [`QueryError::Sql`] if there is no such table, [`QueryError::Lake`].
    pub async fn describe(&self, name: &str) -> Result<TableDescription, QueryError> {
        let provider = match self.schema.own_table(name) {
            None if is_file(name) => self.schema.table(name).await?,
            own => own,
        };
        match provider {
            Some(provider) => Ok(described(name, &provider.schema(), None)),
            None => self.engine.describe(name).await,
        }
    }

    /// The names of the tables and views that statements have made, sorted.
    pub fn own_tables(&self) -> Vec<String> {
        let mut names: Vec<String> = self.schema.own_names().into_iter().collect();
        names.sort();
        names
    }

    /// Forgets at which versions tables were opened: what follows sees what was committed meanwhile.
    pub async fn refresh(&self) {
        self.schema.forget().await;
    }

    fn recursion_limit(&self) -> usize {
        let config = self.context.copied_config();
        config.options().sql_parser.recursion_limit.get()
    }

    /// The rows of the script's only statement, not computed yet, and the tables of the lake that they are
    /// read from.
    ///
    /// # Errors
    /// Every [`QueryError`] but [`QueryError::Output`].
    pub(crate) async fn frame(
        &self,
        script: Script<'_>,
    ) -> Result<(DataFrame, Vec<Table>), QueryError> {
        let mut statements = self.prepare(script)?.into_iter();
        let prepared = match (statements.next(), statements.next()) {
            (Some(only), None) if only.has_rows() => only,
            _ => return Err(QueryError::sql("give one statement, which has rows")),
        };
        let planned = async {
            let frame = self.plan(&prepared).await?;
            let tables = self.scanned(frame.logical_plan()).await?;
            Ok((frame, tables))
        };
        match planned.await {
            Ok(planned) => Ok(planned),
            Err(mistake) => Err(self.explain(mistake, &prepared).await),
        }
    }

    async fn explain(&self, mistake: Mistake, prepared: &Prepared) -> QueryError {
        let context = MistakeContext {
            engine: &self.engine,
            statement: &prepared.statement,
            sql: &prepared.sql,
        };
        mistake.explain(context).await
    }

    async fn start(&self, prepared: &Prepared) -> Result<Answer, Mistake> {
        let (state, plan) = self.plan(prepared).await?.into_parts();
        let optimized = state.optimize(&plan)?;
        let physical = state
            .query_planner()
            .create_physical_plan(&optimized, &state)
            .await?;
        let tables = self.scanned(&optimized).await?;
        let rows = execute_stream(physical.clone(), state.task_ctx())?;
        Ok(Answer::new(
            rows,
            Watch::new(physical, tables, self.pool.clone()),
            prepared.sql.clone(),
        ))
    }

    async fn plan(&self, prepared: &Prepared) -> Result<DataFrame, Mistake> {
        if let Some(table) = described_table(&prepared.statement) {
            let table = self.describe(&table).await?;
            let rows = description_rows(&table).map_err(DataFusionError::from)?;
            return Ok(self.context.read_batch(rows)?);
        }
        if let Some(query) = described_query(&prepared.statement) {
            let plan = self.logical(query, prepared).await?;
            let columns = described("", plan.schema().inner(), None);
            let rows = description_rows(&columns).map_err(DataFusionError::from)?;
            return Ok(self.context.read_batch(rows)?);
        }
        match self.logical(prepared.statement.clone(), prepared).await? {
            LogicalPlan::Ddl(DdlStatement::CreateMemoryTable(table)) => {
                self.make_table(table).await?;
                Ok(self.context.read_empty()?)
            }
            LogicalPlan::Dml(insert) => {
                self.insert(insert, &prepared.statement).await?;
                Ok(self.context.read_empty()?)
            }
            LogicalPlan::Ddl(DdlStatement::DropTable(DropTable { name, .. }))
                if self.is_of_the_lake(name.table()).await? =>
            {
                let name = name.table();
                let message = format!("{name} is a table of the lake, which queries only read");
                Err(QueryError::sql(message).into())
            }
            plan => Ok(self.context.execute_logical_plan(plan).await?),
        }
    }

    /// The statement's plan, with the values that were prepared.
    async fn logical(
        &self,
        mut statement: Statement,
        prepared: &Prepared,
    ) -> Result<LogicalPlan, Mistake> {
        let mut state = self.context.state();
        let clock = self.clock(&statement, &prepared.bindings).await?;
        if let Some(clock) = &clock {
            for function in clock.functions() {
                state.register_udf(function)?;
            }
        }
        let references = state.resolve_table_references(&statement)?;
        if references
            .iter()
            .any(|reference| reference.schema() == Some("information_schema"))
        {
            self.schema.list().await?;
        }
        // As it is written, before the types of parameters become part of it.
        naming::complete(&mut statement);
        prepared.bindings.declare_types(&mut statement);
        forget_temporary(&mut statement);
        let plan = state.statement_to_plan(statement).await?;
        verify(&plan, prepared.purpose, &prepared.statement)?;
        let zone = clock.map_or(self.engine.clock().zone, |clock| clock.zone);
        let plan = prepared.bindings.bind(plan, zone)?;
        refuse_numbers_as_dates(&plan)?;
        refuse_paths_as_keys(&plan)?;
        Ok(plan)
    }

    /// What the lake's facts were derived with, where the statement asks for it and the lake says it.
    async fn clock(
        &self,
        statement: &Statement,
        bindings: &Bindings,
    ) -> Result<Option<BusinessClock>, Mistake> {
        let Some(derivation) = self.engine.derivation() else {
            return Ok(None);
        };
        if !bindings.have_local_times() && !self.engine.clock().is_asked_by(statement) {
            return Ok(None);
        }
        match self.schema.state_of(derivation.table()).await? {
            Some(table) => Ok(derivation.clock(&table)?),
            None => Ok(None),
        }
    }

    async fn is_of_the_lake(&self, name: &str) -> Result<bool, Mistake> {
        let is_own = self.schema.own_table(name).is_some();
        Ok(!is_own && self.schema.table(name).await?.is_some())
    }

    /// As DataFusion does, but within the memory that queries may use.
    async fn make_table(&self, make: CreateMemoryTable) -> Result<(), Mistake> {
        let name = make.name.table();
        if !make.constraints.is_empty() || !make.column_defaults.is_empty() {
            let message = "not supported: keys and defaults of columns; NOT NULL is heeded";
            return Err(QueryError::sql(message).into());
        }
        let exists = self.schema.table(name).await?.is_some();
        let is_own = self.schema.own_table(name).is_some();
        match (make.if_not_exists, make.or_replace, exists) {
            (true, true, _) => {
                return Err(
                    QueryError::sql("IF NOT EXISTS and OR REPLACE exclude each other").into(),
                );
            }
            (true, false, true) => return Ok(()),
            (false, false, true) => {
                let advice = match is_own {
                    true => "CREATE OR REPLACE TABLE makes it anew",
                    false => {
                        "it is one of the lake's, which queries only read: choose another name"
                    }
                };
                return Err(
                    QueryError::sql(format!("table {name} exists already; {advice}")).into(),
                );
            }
            (false, true, true) if !is_own => {
                return Err(QueryError::sql(format!(
                    "{name} is a table of the lake, which queries only read"
                ))
                .into());
            }
            _ => {}
        }
        let mut names = HashSet::new();
        let columns = make.input.schema().fields().iter();
        if let Some(twice) = columns
            .map(|column| column.name())
            .find(|name| !names.insert(*name))
        {
            return Err(QueryError::sql(format!(
                "table {name} would have two columns {twice}; name one by AS"
            ))
            .into());
        }
        // What is replaced stays until the new rows are there.
        let rows = DataFrame::new(self.context.state(), make.input.as_ref().clone());
        let pool: Arc<dyn MemoryPool> = self.pool.clone();
        let table = OwnTable::new(name, rows, &pool).await?;
        self.schema
            .register_table(name.to_owned(), Arc::new(table))?;
        Ok(())
    }

    /// Adds rows to a table that a statement has made.
    async fn insert(&self, insert: DmlStatement, statement: &Statement) -> Result<(), Mistake> {
        let name = insert.table_name.table();
        let own = self.schema.own_table(name);
        let own = own.as_deref().map(|own| own as &dyn Any);
        let Some(table) = own.and_then(|own| own.downcast_ref::<OwnTable>()) else {
            return Err(read_only(statement).into());
        };
        let rows = DataFrame::new(self.context.state(), insert.input.as_ref().clone());
        let pool: Arc<dyn MemoryPool> = self.pool.clone();
        Ok(table.append(name, rows, &pool).await?)
    }

    /// The lake's tables that the plan scans, once for each scan.
    async fn scanned(&self, plan: &LogicalPlan) -> Result<Vec<Table>, Mistake> {
        let mut names = Vec::new();
        plan.apply_with_subqueries(|node| {
            if let LogicalPlan::TableScan(scan) = node {
                names.push(scan.table_name.table().to_owned());
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(self.schema.opened(&names).await)
    }
}

/// Editors may put a mark before a file's text; as a space it leaves all places where they are.
fn unmarked(sql: &str) -> Cow<'_, str> {
    match sql.strip_prefix('\u{feff}') {
        Some(rest) => Cow::Owned(format!(" {rest}")),
        None => Cow::Borrowed(sql),
    }
}

/// The table that `DESCRIBE` names.
fn described_table(statement: &Statement) -> Option<String> {
    match statement {
        Statement::Statement(statement) => match statement.as_ref() {
            ast::Statement::ExplainTable { table_name, .. } => own_name(table_name),
            _ => None,
        },
        _ => None,
    }
}

/// The query whose columns `DESCRIBE` asks for.
fn described_query(statement: &Statement) -> Option<Statement> {
    match statement {
        Statement::Statement(statement) => match statement.as_ref() {
            ast::Statement::Explain { statement, .. } => {
                Some(Statement::Statement(statement.clone()))
            }
            _ => None,
        },
        _ => None,
    }
}

/// All tables and views of a session are temporary; DataFusion knows only those that are not.
fn forget_temporary(statement: &mut Statement) {
    if let Statement::Statement(statement) = statement {
        match statement.as_mut() {
            ast::Statement::CreateTable(table) => table.temporary = false,
            ast::Statement::CreateView(view) => view.temporary = false,
            _ => {}
        }
    }
}
