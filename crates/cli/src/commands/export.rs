//! `huggy-etl export`: tables and results as plain Parquet, one line on stderr for each.

use std::collections::BTreeSet;
use std::path::Path;

use ::query::{AsOf, ExportError, Exported, Snapshot, Wanted, declarations};
use anyhow::anyhow;
use chrono::Utc;
use lake::{Folder, FolderError};

use super::query::saved_or_file;
use crate::args::Export;
use crate::config::Config;
use crate::exit::Failure;

pub async fn run(args: &Export, config: &Config) -> Result<(), Failure> {
    let engine = super::engine(config, AsOf::Now)?;
    let mut wanted = wanted(args)?;
    config.existing_lake().await?;
    if wanted.is_empty() {
        let tables = engine.tables().await.map_err(super::query::failure)?;
        wanted.extend(tables.into_iter().map(|table| Wanted::Table(table.name)));
    }
    let folder = Folder::open(&args.to, config.storage_options.clone());
    let folder = folder.map_err(|error| failure(error.into()))?;
    if args.snapshot {
        let mut snapshot = Snapshot::begin(&engine, &folder, args.partition, Utc::now())
            .await
            .map_err(failure)?;
        for wanted in &wanted {
            tell(&snapshot.add(wanted).await.map_err(failure)?);
        }
        let url = snapshot.url().to_owned();
        snapshot.finish().await.map_err(failure)?;
        tell!("the snapshot is complete: {url}");
        return Ok(());
    }
    // Better nothing than half of it.
    for wanted in &wanted {
        let fits = engine.export_fits(&folder, wanted, args.partition, Utc::now());
        fits.await.map_err(failure)?;
    }
    for wanted in &wanted {
        let done = engine.export(&folder, wanted, args.partition, Utc::now());
        tell(&done.await.map_err(failure)?);
    }
    Ok(())
}

fn wanted(args: &Export) -> Result<Vec<Wanted>, Failure> {
    let tables = args.tables.iter();
    let mut wanted: Vec<Wanted> = tables
        .map(|table| Wanted::Table(table.to_ascii_lowercase()))
        .collect();
    let mut taken = BTreeSet::new();
    for query in &args.queries {
        let sql = saved_or_file(query)?;
        let declared = declarations(&sql).map_err(super::query::failure)?;
        let mut values = args.parameters.clone();
        values.retain(|(name, _)| declared.iter().any(|known| known.name == *name));
        taken.extend(values.iter().map(|(name, _)| name.clone()));
        let name = Path::new(query).file_stem().unwrap_or_default();
        wanted.push(Wanted::Query {
            name: name.to_string_lossy().into_owned(),
            sql,
            values,
            is_saved: true,
        });
    }
    let given = args.parameters.iter();
    let mut others = given.filter(|(name, _)| !taken.contains(name));
    if let (Some(sql), Some(name)) = (&args.sql, &args.name) {
        wanted.push(Wanted::Query {
            name: name.clone(),
            sql: sql.clone(),
            values: others.cloned().collect(),
            is_saved: false,
        });
    } else if let Some((unknown, _)) = others.next() {
        return Err(Failure::Usage(anyhow!(
            "none of the queries declares a parameter ${unknown}"
        )));
    }
    let mut names = BTreeSet::new();
    match wanted.iter().find(|wanted| !names.insert(wanted.name())) {
        Some(twice) => Err(Failure::Usage(anyhow!(
            "{} is named twice, and both would go to one folder",
            twice.name()
        ))),
        None => Ok(wanted),
    }
}

fn tell(done: &Exported) {
    let Exported {
        name,
        objects,
        rows,
        bytes,
        written,
        removed,
    } = done;
    let removed = match removed {
        0 => String::new(),
        removed => format!(", {removed} removed"),
    };
    let s = |count: usize| if count == 1 { "" } else { "s" };
    let (of_rows, of_objects) = (s(usize::try_from(*rows).unwrap_or(2)), s(*objects));
    tell!(
        "{name}: {rows} row{of_rows} in {objects} object{of_objects}, {bytes} bytes; {written} written{removed}"
    );
}

fn failure(error: ExportError) -> Failure {
    match error {
        ExportError::Query(error) => super::query::failure(error),
        error @ ExportError::Refused(_) => Failure::Usage(error.into()),
        error @ ExportError::Folder(FolderError::Location { .. }) => Failure::Usage(error.into()),
        error => Failure::Work(error.into()),
    }
}
