//! `huggy-etl shell`: statements and commands at a terminal, or as a script from stdin.

use std::env;
use std::io::{self, IsTerminal};
use std::path::PathBuf;

use crate::config::Config;
use crate::exit::Failure;
use crate::shell::{self, Pager, Terminal};
use ::query::AsOf;

pub async fn run(config: &Config) -> Result<(), Failure> {
    let engine = super::engine(config, AsOf::Now)?;
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        return shell::script(engine, io::stdin().lock()).await;
    }
    let terminal = Terminal {
        history: history(),
        pager: Pager::new(env::var("PAGER").ok()),
        colors: env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
        greeting: format!(
            "huggy-etl {} over {}. SQL ends with a semicolon; .help lists the commands.",
            env!("CARGO_PKG_VERSION"),
            config.lake
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
