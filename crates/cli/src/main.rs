//! The binary `huggy-etl`: from arguments to a command, from its result to an exit code.
//!
//! Exit codes: 0 done, 1 the work failed (a query, an import, a transform), 2 wrong usage, 3 the lake or the configuration cannot be used,
//! 130 interrupted.

#![warn(clippy::print_stdout, clippy::print_stderr)]

#[macro_use]
mod narration;

mod args;
mod commands;
mod config;
mod exit;
#[cfg(feature = "failpoints")]
mod failpoint;
mod list;
mod logging;
mod pager;
mod shell;
mod threads;

use std::process::ExitCode;

use args::{Args, Command, Wal};
use config::Config;
use exit::Failure;

/// DataFusion allocates much and from many threads, and what it frees is to go back to the system.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    // A shell that completes a command line asks by an environment variable; the process ends with the answer.
    commands::completions::answer();
    #[cfg(feature = "failpoints")]
    failpoint::arm();
    let args = Args::of_process();
    match threads::deep(|| run(args)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn run(args: Args) -> Result<(), Failure> {
    // Commands that know no lake need no configuration.
    match &args.command {
        Command::Generate(generate) => return commands::generate::run(generate),
        Command::Queries { name } => return commands::queries::run(name.as_deref()),
        Command::Functions { name } => return commands::functions::run(name.as_deref()),
        Command::Completions(completions) => return commands::completions::run(completions),
        Command::Man(man) => return commands::man::run(man),
        _ => {}
    }
    // Two of the libraries below bring a TLS provider each; which one counts must be said.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = Config::load(&args)?;
    // Files that queries spill to have a handle each.
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    logging::start(&config, matches!(args.command, Command::Serve(_)));
    let runtime = threads::builder()
        .build()
        .map_err(|error| Failure::Environment(error.into()))?;
    let result = match args.command {
        Command::Query(query) => commands::query::run(query, config, &runtime),
        command => runtime.block_on(run_on_lake(command, config)),
    };
    threads::end(runtime);
    result
}

async fn run_on_lake(command: Command, config: Config) -> Result<(), Failure> {
    match command {
        Command::Serve(serve) => commands::serve::run(&serve, config).await,
        Command::Import(import) => commands::import::run(&import, &config).await,
        Command::Transform(transform) => commands::transform::run(&transform, &config).await,
        Command::Maintain(maintain) => commands::maintain::run(&maintain, &config).await,
        Command::Shell(shell) => commands::shell::run(&shell, &config).await,
        Command::Tables => commands::tables::run(&config).await,
        Command::Describe { table } => commands::describe::run(&table, &config).await,
        Command::Export(export) => commands::export::run(&export, &config).await,
        Command::History(history) => commands::history::run(&history, &config).await,
        Command::Doctor(doctor) => commands::doctor::run(&doctor, &config).await,
        Command::Verify(verify) => commands::verify::run(&verify, &config).await,
        Command::Wal(Wal::Inspect(inspect)) => commands::wal::inspect(&inspect, &config).await,
        Command::Config => commands::config::run(&config),
        Command::Query(_)
        | Command::Generate(_)
        | Command::Functions { .. }
        | Command::Queries { .. }
        | Command::Completions(_)
        | Command::Man(_) => Ok(()),
    }
}
