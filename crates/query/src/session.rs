//! One run's session: parses statements, admits those that read, and executes them.

use std::sync::Arc;

use datafusion::catalog::{CatalogProviderList, MemoryCatalogProviderList};
use datafusion::execution::context::SQLOptions;
use datafusion::execution::{SendableRecordBatchStream, SessionState, SessionStateBuilder};
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::ast;
use datafusion::sql::sqlparser::dialect::GenericDialect;
use lake::Lake;

use crate::catalog::{CATALOG, LakeCatalog, LakeSchema};
use crate::error::QueryError;
use crate::mistake::Mistake;
use crate::parameters::Bindings;

pub(crate) struct RunSession {
    context: SessionContext,
    schema: Arc<LakeSchema>,
}

impl RunSession {
    pub fn new(lake: &Lake, state: &SessionState) -> Self {
        let schema = Arc::new(LakeSchema::new(lake.clone(), state.clone()));
        let catalogs = MemoryCatalogProviderList::new();
        catalogs.register_catalog(CATALOG.to_owned(), Arc::new(LakeCatalog(schema.clone())));
        let state = SessionStateBuilder::new_from_existing(state.clone())
            .with_catalog_list(Arc::new(catalogs))
            .build();
        Self {
            context: SessionContext::new_with_state(state),
            schema,
        }
    }

    pub fn parse(&self, sql: &str) -> Result<Vec<Statement>, QueryError> {
        let recursion_limit = self
            .context
            .copied_config()
            .options()
            .sql_parser
            .recursion_limit
            .get();
        let statements = DFParserBuilder::new(sql)
            .with_dialect(&GenericDialect {})
            .with_recursion_limit(recursion_limit)
            .build()
            .and_then(|mut parser| parser.parse_statements())?;
        if statements.is_empty() {
            return Err(QueryError::Sql("there is no statement to run".to_owned()));
        }
        match statements.iter().find(|statement| !reads(statement)) {
            Some(refused) => Err(read_only(&first_words(refused))),
            None => Ok(statements.into()),
        }
    }

    pub async fn execute(
        &self,
        mut statement: Statement,
        bindings: &Bindings,
    ) -> Result<SendableRecordBatchStream, Mistake> {
        let state = self.context.state();
        let references = state.resolve_table_references(&statement)?;
        if references
            .iter()
            .any(|reference| reference.schema() == Some("information_schema"))
        {
            self.schema.list().await?;
        }
        let words = first_words(&statement);
        bindings.declare_types(&mut statement);
        let plan = state.statement_to_plan(statement).await?;
        // The guarantee; the statement's kind was only the polite way to say it early.
        let reading = SQLOptions::new()
            .with_allow_ddl(false)
            .with_allow_dml(false)
            .with_allow_statements(false);
        reading.verify_plan(&plan).map_err(|_| read_only(&words))?;
        Ok(self
            .context
            .execute_logical_plan(bindings.bind(plan)?)
            .await?
            .execute_stream()
            .await?)
    }
}

/// Whether the statement is of a kind that only reads. Settings are the engine's, so `SET` is not.
fn reads(statement: &Statement) -> bool {
    match statement {
        Statement::Statement(statement) => matches!(
            **statement,
            ast::Statement::Query(_)
                | ast::Statement::ExplainTable { .. }
                | ast::Statement::ShowTables { .. }
                | ast::Statement::ShowColumns { .. }
                | ast::Statement::ShowFunctions { .. }
                | ast::Statement::ShowVariable { .. }
        ),
        Statement::Explain(explain) => reads(&explain.statement),
        Statement::CreateExternalTable(_) | Statement::CopyTo(_) | Statement::Reset(_) => false,
    }
}

fn read_only(words: &str) -> QueryError {
    QueryError::Sql(format!(
        "{words:?} is refused: queries only read the lake; use SELECT, WITH, VALUES, EXPLAIN, DESCRIBE or SHOW"
    ))
}

fn first_words(statement: &Statement) -> String {
    let text = statement.to_string();
    let mut words = text.split_whitespace();
    let shown: Vec<&str> = words.by_ref().take(3).collect();
    shown.join(" ") + if words.next().is_some() { " ..." } else { "" }
}
