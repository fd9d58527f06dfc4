//! Statements answered: by the engine, to where their results go.

use std::io::{self, BufWriter, Stdout, Write};
use std::sync::Arc;

use anyhow::anyhow;

use super::output::OutputFile;
use super::telling::Telling;
use crate::commands::query::{self, Drawing};
use crate::exit::Failure;
use ::query::{Format, QueryError, ResultSummary, Script, Session, Style, Undeclared};

/// SQL with the values of its parameters.
#[derive(Clone)]
pub struct Work {
    pub sql: String,
    /// The file or saved query that it is from.
    pub source: Option<String>,
    /// How many lines stand above it there.
    pub above: usize,
    pub values: Vec<(String, String)>,
    pub undeclared: Undeclared,
}

/// How results are shown.
pub enum Form {
    Chart(Drawing),
    Printed(Format),
}

impl Form {
    pub fn separator(&self) -> &'static [u8] {
        match self {
            Form::Chart(_) => Format::Table.separator(),
            Form::Printed(format) => format.separator(),
        }
    }

    pub fn file_holds_one(&self) -> bool {
        match self {
            Form::Chart(drawing) => drawing.stands_alone(),
            Form::Printed(format) => format.file_holds_one_result(),
        }
    }
}

/// Where results go.
pub enum Sink {
    /// To the screen, once it is known whether they fit it.
    Collected(Vec<u8>),
    /// As they come: what is not for reading may be endless.
    Stdout(BufWriter<Stdout>),
    File(OutputFile),
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Sink::Collected(text) => text.write(bytes),
            Sink::Stdout(out) => out.write(bytes),
            Sink::File(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Sink::Collected(_) => Ok(()),
            Sink::Stdout(out) => out.flush(),
            Sink::File(file) => file.flush(),
        }
    }
}

impl Work {
    /// How it would be run. The comments stay first: they declare its parameters.
    pub fn explained(self) -> Work {
        let is_comment = |line: &&str| line.trim().is_empty() || line.trim().starts_with("--");
        let lines = self.sql.split_inclusive('\n');
        let comments: usize = lines.take_while(is_comment).map(str::len).sum();
        let (comments, statement) = self.sql.split_at(comments);
        Work {
            sql: format!("{comments}EXPLAIN {statement}"),
            ..self
        }
    }

    /// Runs the statements one after the other, up to the first error.
    pub async fn answered(
        self,
        session: Arc<Session>,
        form: Form,
        style: Style,
        mut sink: Sink,
        telling: Option<Telling>,
    ) -> (Sink, Result<Vec<ResultSummary>, QueryError>) {
        let done = self
            .answer(&session, &form, &style, &mut sink, telling.as_ref())
            .await;
        (sink, done)
    }

    async fn answer(
        &self,
        session: &Session,
        form: &Form,
        style: &Style,
        out: &mut Sink,
        telling: Option<&Telling>,
    ) -> Result<Vec<ResultSummary>, QueryError> {
        // What was committed meanwhile is seen.
        session.refresh().await;
        let script = Script {
            sql: &self.sql,
            values: &self.values,
            undeclared: self.undeclared,
        };
        let mut results = Vec::new();
        for statement in session.prepare(script)? {
            let answer = session.execute(&statement).await?;
            if !statement.has_rows() {
                continue;
            }
            match out {
                Sink::File(file) => file.begin_result(form.separator())?,
                _ if results.is_empty() => {}
                _ => out.write_all(form.separator())?,
            }
            if let Some(telling) = telling {
                telling.begin(answer.watch());
            }
            results.push(match form {
                Form::Chart(drawing) => drawing.draw(answer, style, out).await?,
                Form::Printed(format) => answer.print(*format, style, out).await?,
            });
            if let Some(telling) = telling {
                telling.end();
            }
        }
        out.flush()?;
        Ok(results)
    }
}

/// With the line that is at fault.
pub fn failure(error: QueryError, work: &Work) -> Failure {
    if let QueryError::Sql(mistake) = &error
        && let Some(excerpt) = mistake.excerpt(&work.sql, work.source.as_deref(), work.above)
    {
        return Failure::Work(anyhow!("{}\n{excerpt}", mistake.message));
    }
    query::failure(error)
}
