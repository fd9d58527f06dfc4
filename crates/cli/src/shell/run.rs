//! What is typed, done: statements by the engine, commands by what they name.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::anyhow;

use super::command::{self, Command};
use super::names::Names;
use super::scan::{Kind, is_command, statements, tokens};
use super::work::Threads;
use crate::commands::query::Drawing;
use crate::commands::{describe, queries, query, tables};
use crate::exit::Failure;
use crate::pager::Pager;
use ::query::{
    ChartSpec, Engine, Format, QueryError, ResultSummary, Screen, Script, Session, Style,
    Undeclared,
};

pub enum Next {
    Continue,
    Quit,
}

pub struct Runner {
    engine: Engine,
    /// Keeps the views and tables that statements make.
    session: Arc<Session>,
    names: Names,
    /// At a terminal.
    pager: Option<Pager>,
    format: Format,
    /// Drawn instead of printed.
    chart: Option<ChartSpec>,
    null: Option<String>,
    human: bool,
    timing: bool,
    /// Values of parameters, by name.
    values: BTreeMap<String, String>,
    last: Option<Work>,
    threads: Threads,
}

/// SQL with the values of its parameters.
#[derive(Clone)]
struct Work {
    sql: String,
    values: Vec<(String, String)>,
    undeclared: Undeclared,
}

/// How results are shown.
enum Form {
    Chart(Drawing),
    Printed(Format),
}

impl Form {
    fn separator(&self) -> &'static [u8] {
        match self {
            Form::Chart(_) => Format::Table.separator(),
            Form::Printed(format) => format.separator(),
        }
    }
}

impl Runner {
    pub fn new(engine: Engine, names: Names, pager: Option<Pager>) -> io::Result<Runner> {
        Ok(Runner {
            session: Arc::new(engine.session()),
            engine,
            names,
            pager,
            format: Format::default(),
            chart: None,
            null: None,
            human: false,
            timing: false,
            values: BTreeMap::new(),
            last: None,
            threads: Threads::new()?,
        })
    }

    /// Those of the lake come later.
    pub fn learn_names(&self) {
        let saved = queries::readable().map(|query| {
            let parameters = query.parameters().unwrap_or_default().into_iter();
            let parameters = parameters.map(|parameter| parameter.name).collect();
            (query.name, parameters)
        });
        self.names.learn(|known| {
            known.saved = saved.collect();
            known.functions = self.engine.function_names().into_iter().collect();
        });
        let (names, engine) = (self.names.clone(), self.engine.clone());
        tokio::spawn(async move { names.learn_tables(&engine).await });
    }

    pub async fn perform(&mut self, input: &str) -> Result<Next, Failure> {
        if is_command(input) {
            let command = command::parse(input).map_err(|error| Failure::Usage(anyhow!(error)))?;
            return self.command(command).await;
        }
        let (found, _) = statements(input);
        let Some(last) = found.last() else {
            return Ok(Next::Continue);
        };
        self.last = Some(self.typed(last));
        self.work(self.typed(input)).await?;
        for statement in found {
            self.names.learn_from(statement);
        }
        Ok(Next::Continue)
    }

    async fn command(&mut self, command: Command) -> Result<Next, Failure> {
        match command {
            Command::Tables(part) => {
                let mut tables = self.engine.tables().await.map_err(query::failure)?;
                tables.retain(|table| part.as_ref().is_none_or(|part| table.name.contains(part)));
                let mut own = self.session.own_tables();
                own.retain(|name| part.as_ref().is_none_or(|part| name.contains(part)));
                self.print(|out| {
                    tables::write(&tables, out)?;
                    match own.is_empty() {
                        true => Ok(()),
                        false => writeln!(out, "\nof this session: {}", own.join(", ")),
                    }
                })?;
            }
            Command::Schema(table) => self.schema(table).await?,
            Command::Describe(table) => {
                let table = self
                    .session
                    .describe(&table)
                    .await
                    .map_err(query::failure)?;
                self.print(|out| describe::write(&table, out))?;
            }
            Command::Queries(name) => {
                let mut text = Vec::new();
                queries::write(name.as_deref(), &mut text)?;
                self.show(&text)?;
            }
            Command::Run { name, values } => {
                let saved = queries::find(&name)?.ok_or_else(|| queries::unknown(&name))?;
                let work = Work {
                    sql: saved.sql,
                    values,
                    undeclared: Undeclared::Refused,
                };
                self.last = Some(work.clone());
                self.work(work).await?;
            }
            Command::Param(values) if values.is_empty() => {
                let lines = self.values.iter();
                let lines: String = lines
                    .map(|(name, value)| format!("${name} = {value}\n"))
                    .collect();
                self.show(lines.as_bytes())?;
            }
            Command::Param(values) => self.values.extend(values),
            Command::Format(None) => println!("{}", self.format),
            Command::Format(Some(format)) if format.is_binary() => {
                return Err(Failure::Usage(anyhow!(
                    "{format} is for files: huggy-etl query ... -o FILE"
                )));
            }
            Command::Format(Some(format)) => (self.format, self.chart) = (format, None),
            Command::Chart(chart) => self.chart = chart,
            Command::Null(text) => self.null = text,
            Command::Human(on) => self.human = on.unwrap_or(!self.human),
            Command::Timing(on) => self.timing = on.unwrap_or(!self.timing),
            Command::Explain(sql) => {
                let work = sql
                    .as_deref()
                    .map(|sql| self.typed(sql))
                    .or_else(|| self.last.clone());
                let nothing = || Failure::Usage(anyhow!("there is no statement yet: .explain SQL"));
                self.work(work.ok_or_else(nothing)?.explained()).await?;
            }
            Command::Help => self.show(command::help().as_bytes())?,
            Command::Quit => return Ok(Next::Quit),
        }
        Ok(Next::Continue)
    }

    /// With those values that it has a parameter for.
    fn typed(&self, sql: &str) -> Work {
        let parameters: Vec<&str> = tokens(sql)
            .iter()
            .filter(|token| token.kind == Kind::Parameter)
            .map(|token| &token.text(sql)[1..])
            .collect();
        let values = self.values.iter();
        let values = values.filter(|(name, _)| parameters.contains(&name.as_str()));
        Work {
            sql: sql.to_owned(),
            values: values
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
            undeclared: Undeclared::TypedByUse,
        }
    }

    async fn schema(&self, table: Option<String>) -> Result<(), Failure> {
        let names = match table {
            Some(table) => vec![table],
            None => {
                let tables = self.engine.tables().await.map_err(query::failure)?;
                tables.into_iter().map(|table| table.name).collect()
            }
        };
        let mut text = String::new();
        for name in names {
            let table = self.session.describe(&name).await.map_err(query::failure)?;
            let columns = table.columns.iter();
            let columns: Vec<String> = columns
                .map(|column| format!("  {} {}", column.name, column.sql_type))
                .collect();
            text += &format!("{} (\n{}\n)\n", table.name, columns.join(",\n"));
        }
        self.show(text.as_bytes())
    }

    /// Runs the statements; at a terminal, Ctrl-C stops them.
    async fn work(&mut self, work: Work) -> Result<(), Failure> {
        let started = Instant::now();
        let sql = work.sql.clone();
        let (text, done) = if self.pager.is_some() {
            let form = self.form(&work)?;
            let running = work.answered(self.session.clone(), form, self.style());
            let Some(ended) = self.threads.run(running).await? else {
                eprintln!("interrupted");
                return Ok(());
            };
            ended
        } else {
            let mut out = BufWriter::new(io::stdout());
            let form = self.form(&work)?;
            let done = answer(&self.session, &work, &form, &self.style(), &mut out).await;
            out.flush()?;
            (Vec::new(), done)
        };
        self.show(&text)?;
        self.tell(
            &done.map_err(|error| failure(error, &sql))?,
            started.elapsed(),
        );
        Ok(())
    }

    fn form(&self, work: &Work) -> Result<Form, Failure> {
        Ok(match &self.chart {
            Some(chart) => Form::Chart(Drawing::in_characters(chart.clone(), &work.sql)?),
            None => Form::Printed(self.format),
        })
    }

    /// At a terminal a table is fitted to it, or, larger than it, left to the pager.
    fn style(&self) -> Style {
        let screen = self.pager.as_ref().and_then(|pager| {
            let (width, height) = terminal_size::terminal_size()?;
            Some(Screen {
                width: width.0.into(),
                height: pager.is_wanted().then_some(height.0.into()),
            })
        });
        Style {
            screen,
            null: self.null.clone(),
            human: self.human,
            ..Style::default()
        }
    }

    fn tell(&self, results: &[ResultSummary], took: Duration) {
        for result in results {
            if result.truncated {
                eprintln!(
                    "only the first {} rows are shown; .format csv or ndjson shows all",
                    result.rows
                );
            }
            if result.left_out.cut_values > 0 || !result.left_out.columns.is_empty() {
                eprintln!("not all fits the width; .format csv or ndjson shows all");
            }
        }
        let rows: usize = results.iter().map(|result| result.rows).sum();
        let rows = format!("{rows} row{}", if rows == 1 { "" } else { "s" });
        match (self.timing, self.pager.is_some()) {
            (true, _) => eprintln!("{rows} in {:.3} s", took.as_secs_f64()),
            (false, true) => eprintln!("{rows}"),
            (false, false) => {}
        }
    }

    fn print(&self, write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> Result<(), Failure> {
        let mut text = Vec::new();
        write(&mut text)?;
        self.show(&text)
    }

    fn show(&self, text: &[u8]) -> Result<(), Failure> {
        match &self.pager {
            Some(pager) => pager.show(text)?,
            None => io::stdout().lock().write_all(text)?,
        }
        Ok(())
    }
}

impl Work {
    /// How it would be run. The comments stay first: they declare its parameters.
    fn explained(self) -> Work {
        let is_comment = |line: &&str| line.trim().is_empty() || line.trim().starts_with("--");
        let lines = self.sql.split_inclusive('\n');
        let comments: usize = lines.take_while(is_comment).map(str::len).sum();
        let (comments, statement) = self.sql.split_at(comments);
        Work {
            sql: format!("{comments}EXPLAIN {statement}"),
            ..self
        }
    }

    /// The text of tables; what is not for reading may be endless, and goes out as it comes.
    async fn answered(
        self,
        session: Arc<Session>,
        form: Form,
        style: Style,
    ) -> (Vec<u8>, Result<Vec<ResultSummary>, QueryError>) {
        let mut text = Vec::new();
        let done = match form {
            Form::Chart(_) | Form::Printed(Format::Table) => {
                answer(&session, &self, &form, &style, &mut text).await
            }
            Form::Printed(_) => {
                let mut out = BufWriter::new(io::stdout());
                answer(&session, &self, &form, &style, &mut out).await
            }
        };
        (text, done)
    }
}

async fn answer<W: Write>(
    session: &Session,
    work: &Work,
    form: &Form,
    style: &Style,
    out: &mut W,
) -> Result<Vec<ResultSummary>, QueryError> {
    // What was committed meanwhile is seen.
    session.refresh().await;
    let script = Script {
        sql: &work.sql,
        values: &work.values,
        undeclared: work.undeclared,
    };
    let mut results = Vec::new();
    for statement in session.prepare(script)? {
        let answer = session.execute(&statement).await?;
        if !statement.has_rows() {
            continue;
        }
        if !results.is_empty() {
            out.write_all(form.separator())?;
        }
        results.push(match form {
            Form::Chart(drawing) => drawing.draw(answer, style, out).await?,
            Form::Printed(format) => answer.print(*format, style, out).await?,
        });
    }
    out.flush()?;
    Ok(results)
}

/// With the line that is at fault.
fn failure(error: QueryError, sql: &str) -> Failure {
    if let QueryError::Sql(mistake) = &error
        && let Some(excerpt) = mistake.excerpt(sql, None)
    {
        return Failure::Work(anyhow!("{}\n{excerpt}", mistake.message));
    }
    query::failure(error)
}
