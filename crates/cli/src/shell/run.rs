//! What is typed, done: statements by the engine, commands by what they name.

use std::collections::BTreeMap;
use std::future::Future;
use std::io::{self, BufWriter, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use tokio::signal::unix::{SignalKind, signal};

use super::command::{self, Command};
use super::names::Names;
use super::output::Output;
use super::results::{Form, Sink, Work, failure};
use super::scan::{is_command, is_complete, lines_before_words, says_something, statements};
use super::telling::Telling;
use super::work::Threads;
use crate::commands::query::Drawing;
use crate::commands::{describe, queries, query, tables};
use crate::exit::Failure;
use crate::list::wrapped;
use crate::narration;
use crate::pager::Pager;
use ::query::{ChartSpec, Engine, Format, QueryError, ResultSummary, Screen, Session, Style};

/// Files that read files that read files.
const MOST_FILES_DEEP: usize = 16;

/// Shows what a table leaves out.
const OTHER_FORMAT: &str = ".format csv or ndjson";

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
    /// Where results go instead of the screen.
    output: Option<Output>,
    /// The files being read, each by the one before.
    pub(super) reading: Vec<String>,
    /// How many lines of a script stand above what is performed.
    pub(super) above: usize,
    /// Values of parameters, by name.
    pub(super) values: BTreeMap<String, String>,
    last: Option<Work>,
    threads: Threads,
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
            output: None,
            reading: Vec::new(),
            above: 0,
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

    /// Statements and commands by lines, up to the first error. Comments belong to the statement that they stand above:
    /// they declare its parameters and its chart.
    pub async fn perform_all(
        &mut self,
        lines: impl Iterator<Item = io::Result<String>>,
    ) -> Result<Next, Failure> {
        let (mut pending, mut above) = (String::new(), 0);
        for (number, line) in lines.enumerate() {
            let line = line?;
            if is_command(&line) && is_complete(&pending) && !says_something(&pending) {
                pending.clear();
            }
            if pending.is_empty() {
                above = number;
            }
            pending += &line;
            pending.push('\n');
            if is_complete(&pending) && says_something(&pending) {
                let input = std::mem::take(&mut pending);
                if let Next::Quit = self.perform_below(above, &input).await? {
                    return Ok(Next::Quit);
                }
                io::stdout().flush()?;
            }
        }
        self.perform_below(above, &pending).await
    }

    /// What stands below so many lines. Where it is wrong is told by the line of all.
    async fn perform_below(&mut self, above: usize, input: &str) -> Result<Next, Failure> {
        self.above = above;
        let done = self.perform(input).await;
        self.above = 0;
        let line = above + 1 + lines_before_words(input);
        let place = || match self.reading.last() {
            Some(file) => format!("{file}:{line}"),
            None => format!("line {line}"),
        };
        done.map_err(|failure| match failure {
            Failure::Usage(error) => Failure::Usage(error.context(place())),
            // A mistake of a statement has its own.
            Failure::Work(error) if is_command(input) => Failure::Work(error.context(place())),
            other => other,
        })
    }

    async fn command(&mut self, command: Command) -> Result<Next, Failure> {
        match command {
            Command::Tables(part) => self.tables(part).await?,
            Command::Schema(table) => self.schema(table).await?,
            Command::Describe(table) => {
                let table = self.asked(self.session.describe(&table)).await?;
                let mut text = Vec::new();
                describe::write(&table, &mut text)?;
                self.show_list(&text)?;
            }
            Command::Queries(name) => {
                let mut text = Vec::new();
                queries::write(name.as_deref(), &mut text)?;
                match name {
                    Some(_) => self.show_text(&text)?,
                    None => self.show_list(&text)?,
                }
            }
            Command::Run { name, values } => {
                let saved = queries::find(&name)?.ok_or_else(|| queries::unknown(&name))?;
                let work = self.saved(saved, values)?;
                self.last = Some(work.clone());
                self.work(work).await?;
            }
            Command::Read(path) => return Box::pin(self.read(&path)).await,
            Command::Param(values) => self.set_values(values)?,
            Command::Output(path) => {
                self.output = path.as_deref().map(Output::to).transpose()?;
                match &self.output {
                    Some(output) => self.note(&format!("output {}", output.path.display())),
                    None => self.note("output to the screen"),
                }
            }
            Command::Format(None) => writeln!(io::stdout(), "{}", self.format)?,
            Command::Format(Some(format)) if format.is_binary() => {
                return Err(Failure::Usage(anyhow!(
                    "{format} is for files: .output FILE.{format}"
                )));
            }
            Command::Format(Some(format)) => {
                (self.format, self.chart) = (format, None);
                self.note(&format!("format {format}"));
            }
            Command::Chart(chart) => {
                self.chart = chart;
                self.note(match &self.chart {
                    Some(_) => "chart on",
                    None => "chart off",
                });
            }
            Command::Null(text) => {
                self.null = text;
                match &self.null {
                    Some(text) => self.note(&format!("null {text:?}")),
                    None => self.note("null as the format has it"),
                }
            }
            Command::Human(on) => {
                self.human = on.unwrap_or(!self.human);
                self.note(if self.human { "human on" } else { "human off" });
            }
            Command::Timing(on) => {
                self.timing = on.unwrap_or(!self.timing);
                self.note(if self.timing {
                    "timing on"
                } else {
                    "timing off"
                });
            }
            Command::Explain(sql) => {
                let work = sql
                    .as_deref()
                    .map(|sql| self.typed(sql))
                    .or_else(|| self.last.clone());
                let nothing = || Failure::Usage(anyhow!("there is no statement yet: .explain SQL"));
                self.work(work.ok_or_else(nothing)?.explained()).await?;
            }
            Command::Help => self.show_list(command::help().as_bytes())?,
            Command::Quit => return Ok(Next::Quit),
        }
        Ok(Next::Continue)
    }

    /// How things are now, at a terminal.
    pub(super) fn note(&self, text: &str) {
        if self.pager.is_some() {
            tell!("{text}");
        }
    }

    async fn read(&mut self, path: &str) -> Result<Next, Failure> {
        if self.reading.len() == MOST_FILES_DEEP {
            return Err(Failure::Usage(anyhow!(
                "{path} is read by a file that is read by a file, {MOST_FILES_DEEP} deep"
            )));
        }
        let text = std::fs::read_to_string(path)
            .map_err(|error| queries::unreadable(path.as_ref(), error))?;
        self.reading.push(path.to_owned());
        let lines = text.lines().map(|line| Ok(line.to_owned()));
        let done = self.perform_all(lines).await;
        self.reading.pop();
        done
    }

    async fn tables(&self, part: Option<String>) -> Result<(), Failure> {
        let is_wanted = |name: &String| part.as_ref().is_none_or(|part| name.contains(part));
        let mut tables = self.asked(self.engine.tables()).await?;
        tables.retain(|table| is_wanted(&table.name));
        let mut own = self.session.own_tables();
        own.retain(is_wanted);
        let mut text = Vec::new();
        tables::write(&tables, &mut text)?;
        if !own.is_empty() {
            writeln!(text, "\nof this session: {}", own.join(", "))?;
        }
        self.show_list(&text)
    }

    async fn schema(&self, table: Option<String>) -> Result<(), Failure> {
        let names = match table {
            Some(table) => vec![table],
            None => {
                let tables = self.asked(self.engine.tables()).await?;
                tables.into_iter().map(|table| table.name).collect()
            }
        };
        let mut text = String::new();
        for name in names {
            let table = self.asked(self.session.describe(&name)).await?;
            let columns = table.columns.iter();
            let columns: Vec<String> = columns
                .map(|column| format!("  {} {}", column.name, column.sql_type))
                .collect();
            text += &format!("{} (\n{}\n)\n", table.name, columns.join(",\n"));
        }
        self.show_text(text.as_bytes())
    }

    /// What the lake answers; at a terminal, Ctrl-C ends the waiting.
    async fn asked<T>(
        &self,
        answer: impl Future<Output = Result<T, QueryError>>,
    ) -> Result<T, Failure> {
        if self.pager.is_none() {
            return answer.await.map_err(query::failure);
        }
        let mut interrupt = signal(SignalKind::interrupt())?;
        tokio::select! {
            answer = answer => answer.map_err(query::failure),
            _ = interrupt.recv() => Err(Failure::Interrupted),
        }
    }

    /// Runs the statements; at a terminal, Ctrl-C stops them.
    async fn work(&mut self, work: Work) -> Result<(), Failure> {
        let started = Instant::now();
        let tried = work.clone();
        let (form, style) = (self.form(&work)?, self.style());
        let sink = self.sink(&form)?;
        let (sink, done) = if self.pager.is_some() {
            // Where results show as they come, a progress bar would be in their way.
            let telling = (!matches!(sink, Sink::Stdout(_))).then(Telling::default);
            let running = work.answered(self.session.clone(), form, style, sink, telling.clone());
            let ended = self.threads.run(running).await;
            let was_shown = telling.is_some_and(|telling| telling.stop());
            match ended? {
                Some(ended) => ended,
                None => {
                    // The ^C of the terminal stood below the progress, which is not yet cleared by that.
                    if was_shown {
                        narration::piece("\x1b[A\r\x1b[2K");
                    }
                    return Err(Failure::Interrupted);
                }
            }
        } else {
            work.answered(self.session.clone(), form, style, sink, None)
                .await
        };
        match (sink, &mut self.output) {
            (Sink::Collected(text), _) => self.show(&text)?,
            (Sink::File(file), Some(output)) if done.is_ok() => output.keep(file)?,
            (Sink::File(_), _) => {}
            (Sink::Stdout(mut out), _) => out.flush()?,
        }
        self.tell(
            &done.map_err(|error| failure(error, &tried))?,
            started.elapsed(),
        );
        Ok(())
    }

    fn form(&self, work: &Work) -> Result<Form, Failure> {
        if let Some(output) = &self.output {
            let chart = output.chart(self.chart.as_ref(), &work.sql)?;
            return Ok(chart.map_or(Form::Printed(output.format()), Form::Chart));
        }
        Ok(match &self.chart {
            Some(chart) => Form::Chart(Drawing::in_characters(chart.clone(), &work.sql)?),
            None => Form::Printed(self.format),
        })
    }

    fn sink(&self, form: &Form) -> Result<Sink, Failure> {
        Ok(match (&self.output, form) {
            (Some(output), form) => Sink::File(output.open(form.file_holds_one())?),
            (None, Form::Chart(_) | Form::Printed(Format::Table)) if self.pager.is_some() => {
                Sink::Collected(Vec::new())
            }
            (None, _) => Sink::Stdout(BufWriter::new(io::stdout())),
        })
    }

    /// At a terminal a table is fitted to it, or, larger than it, left to the pager.
    fn style(&self) -> Style {
        let pager = self.pager.as_ref().filter(|_| self.output.is_none());
        let screen = pager.and_then(|pager| {
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
            let left_out = query::left_out(result, [OTHER_FORMAT; 2]);
            left_out.iter().for_each(|line| tell!("{line}"));
        }
        let rows: usize = results.iter().map(|result| result.rows).sum();
        let rows = format!("{rows} row{}", if rows == 1 { "" } else { "s" });
        match (self.timing, self.pager.is_some()) {
            (true, _) => tell!("{rows} in {:.3} s", took.as_secs_f64()),
            (false, true) => tell!("{rows}"),
            (false, false) => {}
        }
    }

    /// Lines whose last column goes on below itself where they are longer than the terminal is wide.
    fn show_list(&self, text: &[u8]) -> Result<(), Failure> {
        match terminal_size::terminal_size().filter(|_| self.pager.is_some()) {
            Some((width, _)) => {
                self.show_text(wrapped(&String::from_utf8_lossy(text), width.0.into()).as_bytes())
            }
            None => self.show_text(text),
        }
    }

    pub(super) fn show_text(&self, text: &[u8]) -> Result<(), Failure> {
        match &self.pager {
            Some(pager) => pager.show_text(text)?,
            None => io::stdout().lock().write_all(text)?,
        }
        Ok(())
    }

    fn show(&self, text: &[u8]) -> Result<(), Failure> {
        match &self.pager {
            Some(pager) => pager.show(text)?,
            None => io::stdout().lock().write_all(text)?,
        }
        Ok(())
    }
}
