//! `huggy-etl history TABLE`: what was done to a table, newest first: the versions that `query --at` reads.

use std::io::{self, BufWriter, IsTerminal, Write};

use crate::args::History;
use crate::config::Config;
use crate::exit::Failure;
use ::query::{AsOf, Printer, Screen, Style};

pub async fn run(args: &History, config: &Config) -> Result<(), Failure> {
    let failure = super::query::failure;
    let history = super::engine(config, AsOf::Now)?
        .history(&args.table, args.limit)
        .await
        .map_err(failure)?;
    let mut out = BufWriter::new(io::stdout());
    let width = terminal_size::terminal_size().filter(|_| io::stdout().is_terminal());
    let style = Style {
        row_limit: usize::MAX,
        screen: width.map(|(width, _)| Screen {
            width: width.0.into(),
            height: None,
        }),
        ..Style::default()
    };
    let mut printer = Printer::new(args.format, &style);
    printer
        .start(&history.commits.schema(), &mut out)
        .map_err(failure)?;
    printer.write(&history.commits, &mut out).map_err(failure)?;
    let shown = printer.finish(&mut out).map_err(failure)?;
    out.flush()?;
    let left_out = super::query::left_out(&shown, ["--format csv"; 2]);
    left_out.iter().for_each(|line| tell!("{line}"));
    if history.older > 0 {
        tell!("{} older ones are not shown; see --limit", history.older);
    }
    Ok(())
}
