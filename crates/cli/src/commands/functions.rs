//! `huggy-etl functions`: the functions that queries over chats are made of, or one with its example.

use std::io::Write;

use anyhow::anyhow;

use crate::exit::Failure;
use ::query::{FUNCTIONS, did_you_mean};

pub fn run(name: Option<&str>) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    let Some(name) = name else {
        for function in FUNCTIONS {
            writeln!(out, "{}", function.signature)?;
            writeln!(out, "    {}", function.meaning)?;
            writeln!(out, "    {}", function.example)?;
        }
        tell!("and all of DataFusion's: https://datafusion.apache.org/user-guide/sql/");
        return Ok(());
    };
    let function = FUNCTIONS
        .iter()
        .find(|function| function.name.eq_ignore_ascii_case(name))
        .ok_or_else(|| unknown(name))?;
    writeln!(out, "{}\n\n{}\n", function.signature, function.meaning)?;
    writeln!(out, "Example:\n  {};", function.example)?;
    Ok(())
}

fn unknown(name: &str) -> Failure {
    let names = FUNCTIONS.iter().map(|function| function.name);
    let advice = did_you_mean(name, names)
        .unwrap_or_else(|| "; `huggy-etl functions` lists those that are".to_owned());
    Failure::Usage(anyhow!("no function {name} is described here{advice}"))
}
