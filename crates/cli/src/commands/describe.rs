//! `huggy-etl describe TABLE`: a table's columns, with type and meaning.

use std::io::{self, Write};

use crate::config::Config;
use crate::exit::Failure;
use crate::list;
use ::query::{AsOf, TableDescription};

pub async fn run(table: &str, config: &Config) -> Result<(), Failure> {
    let table = super::engine(config, AsOf::Now)?
        .describe(table)
        .await
        .map_err(super::query::failure)?;
    let mut text = Vec::new();
    write(&table, &mut text)?;
    Ok(list::show(&text)?)
}

pub fn write(table: &TableDescription, out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "{}: {}\n",
        table.name,
        table.description.as_deref().unwrap_or("(no description)")
    )?;
    let name_width = table
        .columns
        .iter()
        .map(|column| column.name.len())
        .max()
        .unwrap_or_default();
    let type_width = table
        .columns
        .iter()
        .map(|column| column.sql_type.len())
        .max()
        .unwrap_or_default();
    for column in &table.columns {
        let description = column.description.as_deref().unwrap_or_default();
        writeln!(
            out,
            "{:name_width$}  {:type_width$}  {description}",
            column.name, column.sql_type
        )?;
    }
    Ok(())
}
