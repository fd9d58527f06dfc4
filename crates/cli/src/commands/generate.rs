//! `huggy-etl generate`: made-up deliveries, and what the facts must become.

use std::fs::File;
use std::io::{BufWriter, Write};

use anyhow::Context;

use crate::args::Generate;
use crate::exit::Failure;

pub fn run(args: &Generate) -> Result<(), Failure> {
    let defaults = simulator::Options::default();
    let options = simulator::Options {
        chats: args.chats,
        days: args.days.max(1),
        seed: args.seed,
        first_day: args.first_day.unwrap_or(defaults.first_day),
        token: args.token.clone().unwrap_or(defaults.token),
    };
    if let Some(path) = &args.truth {
        let file = File::create(path)
            .with_context(|| format!("writing {}", path.display()))
            .map_err(Failure::Usage)?;
        let mut truth = BufWriter::new(file);
        for row in simulator::truth(&options) {
            writeln!(truth, "{}", row.to_ndjson())?;
        }
        truth.flush()?;
    }
    let mut out = BufWriter::new(std::io::stdout().lock());
    for delivery in simulator::generate(&options) {
        writeln!(out, "{}", delivery.to_ndjson())?;
    }
    Ok(out.flush()?)
}
