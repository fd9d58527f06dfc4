//! Which SQL is to be run, and how its mistakes are shown.

use std::io::{IsTerminal, Read};
use std::path::Path;

use anyhow::anyhow;

use super::report::failure;
use crate::args::Query;
use crate::commands::queries;
use crate::exit::Failure;
use ::query::{QueryError, Undeclared};

/// What stands for stdin.
const STDIN: &str = "-";

pub(super) struct Source {
    pub sql: String,
    /// The file it is from, if it is from one.
    name: Option<String>,
    pub undeclared: Undeclared,
}

impl Source {
    pub fn of(args: &Query) -> Result<Source, Failure> {
        match (&args.query, &args.sql) {
            (_, Some(sql)) => Ok(Source::typed_in(sql.clone())),
            (Some(query), None) if query == STDIN => Source::stdin(),
            (Some(query), None) => Source::saved_or_file(query),
            (None, None) if !std::io::stdin().is_terminal() => Source::stdin(),
            (None, None) => Err(Failure::Usage(anyhow!(
                "name a saved query or a file of SQL, give SQL with -c, or pipe it in"
            ))),
        }
    }

    fn typed_in(sql: String) -> Source {
        Source {
            sql,
            name: None,
            undeclared: Undeclared::TypedByUse,
        }
    }

    fn stdin() -> Result<Source, Failure> {
        let mut sql = String::new();
        std::io::stdin()
            .read_to_string(&mut sql)
            .map_err(|error| Failure::Usage(anyhow!(error).context("reading SQL from stdin")))?;
        if sql.trim().is_empty() {
            return Err(Failure::Usage(anyhow!(
                "there is no SQL on stdin; name a saved query or a file of SQL, or give SQL with -c"
            )));
        }
        Ok(Source::typed_in(sql))
    }

    /// A word is a name first; what has a folder or an ending is a path.
    pub fn saved_or_file(query: &str) -> Result<Source, Failure> {
        let path = Path::new(query);
        let is_word = path.extension().is_none() && path.components().count() == 1;
        let declared = |sql| Source {
            sql,
            name: Some(query.to_owned()),
            undeclared: Undeclared::Refused,
        };
        if is_word {
            if let Some(saved) = queries::find(query)? {
                return Ok(declared(saved.sql));
            }
            if !path.is_file() {
                return Err(queries::unknown(query));
            }
        }
        std::fs::read_to_string(path)
            .map(declared)
            .map_err(|error| queries::unreadable(path, error))
    }

    /// The failure of this SQL, with the line that is at fault.
    pub fn failure(&self, error: QueryError) -> Failure {
        if let QueryError::Sql(mistake) = &error
            && let Some(excerpt) = mistake.excerpt(&self.sql, self.name.as_deref(), 0)
        {
            return Failure::Work(anyhow!("{}\n{excerpt}", mistake.message));
        }
        failure(error)
    }
}
