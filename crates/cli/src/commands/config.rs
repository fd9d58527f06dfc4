//! `huggy-etl config`: the effective settings as TOML, secrets masked, each with its source.

use std::io::Write;

use crate::config::{Config, KEYS, Key};
use crate::exit::Failure;

pub fn run(config: &Config) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    // Tables come after all plain keys, or they would swallow them.
    let (tables, plain): (Vec<&Key>, Vec<&Key>) = KEYS.iter().partition(|key| {
        config
            .layers
            .get(key.name)
            .is_some_and(toml::Value::is_table)
    });
    for key in plain.into_iter().chain(tables) {
        writeln!(
            out,
            "# {} ({})",
            key.meaning,
            config.layers.source(key.name)
        )?;
        match config.layers.get(key.name) {
            None => writeln!(out, "# {} is not set\n", key.name)?,
            Some(_) if key.is_secret => writeln!(out, "{} = \"***\"\n", key.name)?,
            Some(value) => {
                let table = toml::Table::from_iter([(key.name.to_owned(), value.clone())]);
                writeln!(out, "{}", toml::to_string(&table).unwrap_or_default())?;
            }
        }
    }
    Ok(())
}
