//! `huggy-etl completions SHELL`: the script that a shell loads to complete our command lines.
//!
//! The script knows no names: it asks this program, which knows the saved queries of the folder and the
//! tables that a lake has. No answer opens a lake, so that a key press never waits for a network.

use std::collections::BTreeMap;
use std::ffi::OsStr;

use clap::CommandFactory;
use clap_complete::CompleteEnv;
use clap_complete::engine::{
    ArgValueCandidates, ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter,
};
use clap_complete::env::{Bash, EnvCompleter, Fish, Zsh};

use super::queries;
use crate::args::{Args, CompletedShell, Completions};
use crate::exit::Failure;

const NAME: &str = "huggy-etl";
/// The script sets this variable where it asks.
const VARIABLE: &str = "HUGGY_ETL_COMPLETE";

pub fn run(completions: &Completions) -> Result<(), Failure> {
    let shell: &dyn EnvCompleter = match completions.shell {
        CompletedShell::Bash => &Bash,
        CompletedShell::Zsh => &Zsh,
        CompletedShell::Fish => &Fish,
    };
    let mut out = std::io::stdout().lock();
    shell.write_registration(VARIABLE, NAME, NAME, NAME, &mut out)?;
    Ok(())
}

/// Ends the process if it was started to complete a command line.
pub fn answer() {
    CompleteEnv::with_factory(command)
        .var(VARIABLE)
        .bin(NAME)
        .complete();
}

/// The command line, with what only this program knows about its values.
fn command() -> clap::Command {
    Args::command()
        .mut_arg("lake", |arg| {
            arg.add(ArgValueCompleter::new(PathCompleter::dir()))
        })
        .mut_subcommand("query", |query| {
            query
                .mut_arg("query", |arg| {
                    arg.add(ArgValueCompleter::new(saved_or_file))
                })
                .mut_arg("parameters", |arg| {
                    arg.add(ArgValueCompleter::new(parameters))
                })
                .mut_arg("format", |arg| arg.add(ArgValueCandidates::new(formats)))
                .mut_arg("chart", |arg| arg.add(ArgValueCandidates::new(charts)))
        })
        .mut_subcommand("functions", |functions| {
            functions.mut_arg("name", |arg| {
                arg.add(ArgValueCandidates::new(functions_named))
            })
        })
        .mut_subcommand("history", |history| {
            history
                .mut_arg("table", |arg| arg.add(ArgValueCandidates::new(tables)))
                .mut_arg("format", |arg| arg.add(ArgValueCandidates::new(formats)))
        })
        .mut_subcommand("export", |export| {
            export
                .mut_arg("tables", |arg| arg.add(ArgValueCandidates::new(tables)))
                .mut_arg("queries", |arg| {
                    arg.add(ArgValueCompleter::new(saved_or_file))
                })
                .mut_arg("parameters", |arg| {
                    arg.add(ArgValueCompleter::new(parameters))
                })
        })
        .mut_subcommand("queries", |queries| {
            queries.mut_arg("name", |arg| arg.add(ArgValueCandidates::new(saved)))
        })
        .mut_subcommand("describe", |describe| {
            describe.mut_arg("table", |arg| arg.add(ArgValueCandidates::new(tables)))
        })
}

fn saved() -> Vec<CompletionCandidate> {
    queries::readable()
        .map(|query| {
            let question = query.question().to_owned();
            CompletionCandidate::new(query.name).help(Some(question.into()))
        })
        .collect()
}

fn saved_or_file(current: &OsStr) -> Vec<CompletionCandidate> {
    let start = current.to_string_lossy();
    let mut candidates = saved();
    candidates.retain(|candidate| candidate.get_value().to_string_lossy().starts_with(&*start));
    let files = PathCompleter::file()
        .filter(|path| path.is_dir() || path.extension().is_some_and(|ending| ending == "sql"));
    candidates.extend(files.complete(current));
    candidates
}

/// The tables that a filled lake has.
fn tables() -> Vec<CompletionCandidate> {
    let names = [::events::TABLE]
        .into_iter()
        .chain(::transform::derived_tables());
    names.map(CompletionCandidate::new).collect()
}

fn functions_named() -> Vec<CompletionCandidate> {
    let functions = ::query::FUNCTIONS.iter();
    functions
        .map(|function| CompletionCandidate::new(function.name).help(Some(function.meaning.into())))
        .collect()
}

fn formats() -> Vec<CompletionCandidate> {
    let formats = ::query::Format::ALL.iter();
    formats
        .map(|format| CompletionCandidate::new(format.name()))
        .collect()
}

fn charts() -> Vec<CompletionCandidate> {
    let kinds = ["auto", "line", "bar", "heatmap", "histogram", "none"];
    kinds.map(CompletionCandidate::new).into()
}

/// Those of the saved queries that the command line names, or of all.
fn parameters(current: &OsStr) -> Vec<CompletionCandidate> {
    let words: Vec<String> = std::env::args().collect();
    let mut queries: Vec<_> = queries::readable().collect();
    if queries.iter().any(|query| words.contains(&query.name)) {
        queries.retain(|query| words.contains(&query.name));
    }
    let start = current.to_string_lossy();
    let mut names = BTreeMap::new();
    for declared in queries
        .iter()
        .flat_map(|query| query.parameters().unwrap_or_default())
    {
        if declared.name.starts_with(&*start) {
            names
                .entry(format!("{}=", declared.name))
                .or_insert(declared.description);
        }
    }
    let candidate = |(name, meaning): (String, String)| {
        CompletionCandidate::new(name).help(Some(meaning.into()))
    };
    names.into_iter().map(candidate).collect()
}
