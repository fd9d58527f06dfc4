//! `huggy-etl tables`: what tables the lake holds.

use std::io::{self, Write};

use crate::config::Config;
use crate::exit::Failure;
use crate::list;
use ::query::{AsOf, TableInfo};

pub async fn run(config: &Config) -> Result<(), Failure> {
    config.existing_lake().await?;
    let tables = super::engine(config, AsOf::Now)?
        .tables()
        .await
        .map_err(super::query::failure)?;
    if tables.is_empty() {
        tell!(
            "the lake {} holds no tables yet; `huggy-etl serve` or `huggy-etl import` fill it",
            config.lake
        );
        return Ok(());
    }
    let mut text = Vec::new();
    write(&tables, &mut text)?;
    Ok(list::show(&text)?)
}

pub fn write(tables: &[TableInfo], out: &mut impl Write) -> io::Result<()> {
    let width = tables
        .iter()
        .map(|table| table.name.len())
        .max()
        .unwrap_or_default();
    writeln!(
        out,
        "{:width$}  {:>12}  {:>6}  {:>14}  description",
        "table", "rows", "files", "bytes"
    )?;
    for table in tables {
        let description = table.description.as_deref().unwrap_or_default();
        writeln!(
            out,
            "{:width$}  {:>12}  {:>6}  {:>14}  {description}",
            table.name, table.rows, table.files, table.bytes
        )?;
    }
    Ok(())
}
