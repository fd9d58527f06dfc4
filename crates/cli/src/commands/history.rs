//! `huggy-etl history TABLE`: what was done to a table, newest first: the versions that `query --at` reads.

use std::io::{BufWriter, Write};

use crate::args::History;
use crate::config::Config;
use crate::exit::Failure;
use ::query::{AsOf, Printer, Style};

pub async fn run(args: &History, config: &Config) -> Result<(), Failure> {
    let failure = super::query::failure;
    let history = super::engine(config, AsOf::Now)?
        .history(&args.table, args.limit)
        .await
        .map_err(failure)?;
    let mut out = BufWriter::new(std::io::stdout());
    let style = Style {
        row_limit: usize::MAX,
        ..Style::default()
    };
    let mut printer = Printer::new(args.format, &style);
    printer
        .start(&history.commits.schema(), &mut out)
        .map_err(failure)?;
    printer.write(&history.commits, &mut out).map_err(failure)?;
    printer.finish(&mut out).map_err(failure)?;
    out.flush()?;
    if history.older > 0 {
        tell!("{} older ones are not shown; see --limit", history.older);
    }
    Ok(())
}
