//! `huggy-etl query`: SQL by its saved name, from a file, the command line or stdin; results on stdout or in
//! a file, narration on stderr.

mod destination;
mod drawing;
mod progress;
mod report;
mod source;

use std::io::{self, IsTerminal, Write};
use std::time::Instant;

use anyhow::anyhow;
use tokio::runtime::Runtime;

use super::interrupt::{or_interrupted, or_terminated};
use crate::args::Query;
use crate::config::Config;
use crate::exit::Failure;
use ::query::{Format, Prepared, QueryError, ResultSummary, Script, Session};
use destination::Paged;
use report::{about, nothing};
use source::Source;

pub use destination::Destination;
pub use drawing::Drawing;
pub use progress::Progress;
pub use report::{failure, left_out};

/// The SQL of a saved query, or of a file.
pub fn saved_or_file(query: &str) -> Result<String, Failure> {
    Ok(Source::saved_or_file(query)?.sql)
}

pub fn run(args: Query, config: Config, runtime: &Runtime) -> Result<(), Failure> {
    let source = Source::of(&args)?;
    let drawing = Drawing::of(&args, &source)?;
    let format = match &drawing {
        Some(drawing) => drawing.format(),
        None => format(&args)?,
    };
    let out = Destination::open(&args, format)?;
    let unfinished = out.unfinished();
    let result = or_interrupted(runtime, async move {
        answer(&args, &config, &source, (format, drawing), out).await
    });
    // Work that could not be stopped could not clean up either.
    if let (Err(Failure::Interrupted), Some(path)) = (&result, unfinished) {
        let _ = std::fs::remove_file(path);
    }
    let answered = result?;
    if let Some(paged) = answered.paged {
        or_terminated(runtime, async move { paged.show() })?;
    }
    answered.told.iter().for_each(|line| tell!("{line}"));
    match answered.failed {
        true => Err(Failure::Told),
        false => Ok(()),
    }
}

/// What is left to do once all statements have run.
struct Answered {
    paged: Option<Paged>,
    told: Vec<String>,
    /// Whether a statement failed, which was told when it did.
    failed: bool,
}

async fn answer(
    args: &Query,
    config: &Config,
    source: &Source,
    (format, drawing): (Format, Option<Drawing>),
    out: Destination,
) -> Result<Answered, Failure> {
    let engine = super::engine(config, super::as_of(args.at.as_deref(), config).await?)?;
    let session = engine.session();
    let script = Script {
        sql: &source.sql,
        values: &[args.parameters.as_slice(), &args.values].concat(),
        undeclared: source.undeclared,
    };
    let statements = match args.keep_going {
        true => session.prepare_each(script),
        false => session
            .prepare(script)
            .map(|all| all.into_iter().map(Ok).collect()),
    };
    let statements = statements.map_err(|error| source.failure(error))?;
    one_result_where_only_one_fits(statements.iter().flatten(), format, args.output.is_some())?;
    let mut run = Run {
        args,
        session,
        format,
        drawing,
        out,
        results: 0,
        exceeds_screen: false,
        told: Vec::new(),
    };
    let mut failed = false;
    for statement in statements {
        let done = match statement {
            Ok(statement) => run.statement(&statement).await,
            Err(error) => Err(error),
        };
        match done {
            Ok(()) => {}
            Err(error) if args.keep_going && is_of_the_statement(&error) => {
                run.out.flush()?;
                source.failure(error).tell();
                failed = true;
            }
            Err(error) => {
                run.give_up()?;
                return Err(source.failure(error));
            }
        }
    }
    Ok(Answered {
        paged: run.out.finish(run.exceeds_screen)?,
        told: run.told,
        failed,
    })
}

struct Run<'a> {
    args: &'a Query,
    session: Session,
    format: Format,
    drawing: Option<Drawing>,
    out: Destination,
    results: usize,
    exceeds_screen: bool,
    /// What is to be said once the results are shown.
    told: Vec<String>,
}

impl Run<'_> {
    async fn statement(&mut self, statement: &Prepared) -> Result<(), QueryError> {
        let start = Instant::now();
        let answer = self.session.execute(statement).await?;
        let watch = answer.watch();
        let mut summary = ResultSummary::default();
        let mut lines = Vec::new();
        if statement.has_rows() {
            if self.results > 0 {
                self.out.write_all(self.format.separator())?;
            }
            self.results += 1;
            let is_quiet = self.out.writes_to_terminal();
            let progress = (!is_quiet).then(|| Progress::of(watch.clone()));
            let style = self.out.style(self.args);
            summary = match &self.drawing {
                Some(drawing) => drawing.draw(answer, &style, &mut self.out).await?,
                None => answer.print(self.format, &style, &mut self.out).await?,
            };
            drop(progress);
            // A chart says so itself; what takes long to show is told by `--timing`.
            if self.drawing.is_none() && !self.args.timing {
                lines.extend(nothing(&summary));
            }
        }
        self.exceeds_screen |= summary.left_out.exceeds_screen;
        lines.extend(about(self.args, &summary, start.elapsed(), &watch));
        Ok(self.narrate(lines)?)
    }

    /// What is said about a result comes behind it.
    fn narrate(&mut self, lines: Vec<String>) -> io::Result<()> {
        if self.out.shows_at_the_end() {
            self.told.extend(lines);
            return Ok(());
        }
        self.out.flush()?;
        lines.iter().for_each(|line| tell!("{line}"));
        Ok(())
    }

    fn give_up(self) -> Result<(), Failure> {
        self.out.give_up()?;
        self.told.iter().for_each(|line| tell!("{line}"));
        Ok(())
    }
}

/// Whether the statements after it may yet succeed.
fn is_of_the_statement(error: &QueryError) -> bool {
    matches!(
        error,
        QueryError::Sql(_)
            | QueryError::Memory(_)
            | QueryError::FileGone(_)
            | QueryError::Failed(_)
    )
}

/// As asked for, else by the ending of the file, else a table.
fn format(args: &Query) -> Result<Format, Failure> {
    let format = match (args.format, &args.output) {
        (Some(format), _) => format,
        (None, None) => Format::Table,
        (None, Some(path)) => Format::of_file(path).ok_or_else(|| {
            Failure::Usage(anyhow!(
                "the ending of {} names no format; give --format",
                path.display()
            ))
        })?,
    };
    let refused = |what: &str| Err(Failure::Usage(anyhow!("{what} is nothing for {format}")));
    if args.null.is_some() && !format.has_null_text() {
        return refused("--null");
    }
    if args.human && !format.is_for_reading() {
        return refused("--human");
    }
    if format.is_binary() && args.output.is_none() && std::io::stdout().is_terminal() {
        return Err(Failure::Usage(anyhow!(
            "{format} is not for a terminal; give a file with -o"
        )));
    }
    Ok(format)
}

fn one_result_where_only_one_fits<'a>(
    statements: impl Iterator<Item = &'a Prepared>,
    format: Format,
    is_file: bool,
) -> Result<(), Failure> {
    let results = statements.filter(|statement| statement.has_rows()).count();
    let (what, holds_one) = match is_file {
        true => ("a file of ", format.file_holds_one_result()),
        false => ("", format.holds_one_result()),
    };
    if results > 1 && holds_one {
        return Err(Failure::Usage(anyhow!(
            "{results} statements have a result, and {what}{format} holds one; run them one by one"
        )));
    }
    Ok(())
}
