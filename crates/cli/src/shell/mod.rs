//! The interactive shell: reads statements and commands, one after the other, and never ends for an error.
//!
//! What is not typed at a terminal is a script: it stops at its first error and says so by its exit code.

mod command;
mod complete;
mod editor;
mod keywords;
mod names;
mod output;
mod results;
mod run;
mod scan;
mod telling;
mod values;
mod work;

use std::io::{self, BufRead};
use std::path::PathBuf;

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};

use crate::exit::Failure;
use crate::pager::Pager;
use editor::{LineEditor, Typed};
use names::Names;
use run::{Next, Runner};

/// What the surroundings say about a shell at a terminal.
pub struct Terminal {
    pub history: Option<PathBuf>,
    pub pager: Pager,
    pub colors: bool,
    /// What stands above the first prompt.
    pub greeting: String,
}

pub async fn interactive(engine: ::query::Engine, terminal: Terminal) -> Result<(), Failure> {
    let names = Names::default();
    let mut runner = Runner::new(engine, names.clone(), Some(terminal.pager))?;
    runner.learn_names();
    let mut editor = LineEditor::new(names, terminal.history, terminal.colors)
        .context("the terminal cannot be used")
        .map_err(Failure::Environment)?;
    // From here on Ctrl-C ends what runs, a pager's search as well, and never the shell.
    let _heard = signal(SignalKind::interrupt())
        .context("listening for Ctrl-C")
        .map_err(Failure::Environment)?;
    tell!("{}", terminal.greeting);
    loop {
        // Blocks this thread only; queries and the names of the lake have threads of their own.
        match editor.read() {
            Ok(Typed::Input(input)) => match runner.perform(&input).await {
                Ok(Next::Continue) => {}
                Ok(Next::Quit) | Err(Failure::ClosedPipe) => return Ok(()),
                Err(failure) => failure.tell(),
            },
            Ok(Typed::GivenUp) => {}
            Ok(Typed::End) => return Ok(()),
            Err(error) => {
                return Err(Failure::Environment(
                    anyhow::anyhow!(error).context("reading from the terminal"),
                ));
            }
        }
    }
}

/// Runs what comes on the input, up to the first error.
pub async fn script(engine: ::query::Engine, input: impl BufRead) -> Result<(), Failure> {
    let mut runner = Runner::new(engine, Names::default(), None)?;
    let lines = input.lines();
    let lines = lines.map(|line| {
        line.map_err(|error| io::Error::new(error.kind(), format!("reading stdin: {error}")))
    });
    runner.perform_all(lines).await?;
    Ok(())
}
