//! `huggy-etl shell`: statements and commands at a terminal, or as a script from stdin.

use std::env;
use std::io::{self, IsTerminal};
use std::path::PathBuf;

use crate::args::Shell;
use crate::config::Config;
use crate::exit::Failure;
use crate::pager::Pager;
use crate::shell::{self, Terminal};

pub async fn run(args: &Shell, config: &Config) -> Result<(), Failure> {
    let engine = super::engine(config, super::as_of(args.at.as_deref(), config).await?)?;
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        return shell::script(engine, io::stdin().lock()).await;
    }
    let terminal = Terminal {
        history: history(),
        pager: Pager::of_environment(),
        colors: env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
        greeting: format!(
            "huggy-etl {} over {}{}. SQL ends with a semicolon; .help lists the commands.",
            env!("CARGO_PKG_VERSION"),
            config.lake,
            args.at
                .as_ref()
                .map_or(String::new(), |at| format!(" as it was at {at}"))
        ),
    };
    shell::interactive(engine, terminal).await
}

/// In the user's state directory, where there is one.
fn history() -> Option<PathBuf> {
    let absolute = |name| {
        env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let state =
        absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")))?;
    Some(state.join("huggy-etl").join("history"))
}
