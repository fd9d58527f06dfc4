//! `huggy-etl query`: SQL from a file or the command line, results on stdout, narration on stderr.

use std::io::{BufWriter, Write};

use anyhow::{Context, anyhow};

use crate::args::Query;
use crate::config::Config;
use crate::exit::Failure;
use ::query::QueryError;

pub async fn run(args: &Query, config: &Config) -> Result<(), Failure> {
    let sql = match (&args.file, &args.sql) {
        (Some(path), _) => std::fs::read_to_string(path)
            .with_context(|| format!("reading {}", path.display()))
            .map_err(Failure::Usage)?,
        (None, Some(sql)) => sql.clone(),
        (None, None) => {
            return Err(Failure::Usage(anyhow!(
                "name a file of SQL, or give SQL with -c"
            )));
        }
    };
    let engine = super::engine(config)?;
    let mut out = BufWriter::new(std::io::stdout());
    let summary = engine.run(&sql, args.format, &mut out).await;
    out.flush()?;
    let summary = summary.map_err(failure)?;
    for result in summary.results.iter().filter(|result| result.truncated) {
        eprintln!(
            "only the first {} rows are shown; use --format csv or ndjson for all",
            result.rows
        );
    }
    Ok(())
}

pub fn failure(error: QueryError) -> Failure {
    match error {
        QueryError::Lake(error) => Failure::Environment(error.into()),
        QueryError::Output(error) => error.into(),
        error => Failure::Work(error.into()),
    }
}
