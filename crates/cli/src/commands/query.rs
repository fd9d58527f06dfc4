//! `huggy-etl query`: SQL by its saved name, from a file or the command line, results on stdout, narration on stderr.

use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::anyhow;

use super::queries;
use crate::args::Query;
use crate::config::Config;
use crate::exit::Failure;
use ::query::{QueryError, Script, Undeclared};

pub async fn run(args: &Query, config: &Config) -> Result<(), Failure> {
    let (sql, undeclared) = match (&args.query, &args.sql) {
        (Some(query), _) => (saved_or_file(query)?, Undeclared::Refused),
        (None, Some(sql)) => (sql.clone(), Undeclared::TypedByUse),
        (None, None) => {
            return Err(Failure::Usage(anyhow!(
                "name a saved query or a file of SQL, or give SQL with -c"
            )));
        }
    };
    let script = Script {
        sql: &sql,
        values: &args.parameters,
        undeclared,
    };
    let engine = super::engine(config)?;
    let mut out = BufWriter::new(std::io::stdout());
    let summary = engine.run(script, args.format, &mut out).await;
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
        error @ QueryError::Parameter(_) => Failure::Usage(error.into()),
        error => Failure::Work(error.into()),
    }
}

/// A word is a name first; what has a folder or an ending is a path.
fn saved_or_file(query: &str) -> Result<String, Failure> {
    let path = Path::new(query);
    let is_word = path.extension().is_none() && path.components().count() == 1;
    if is_word {
        if let Some(saved) = queries::find(query)? {
            return Ok(saved.sql);
        }
        if !path.is_file() {
            return Err(queries::unknown(query));
        }
    }
    std::fs::read_to_string(path).map_err(|error| queries::unreadable(path, error))
}
