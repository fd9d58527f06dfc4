//! `huggy-etl wal inspect`: what a write-ahead log holds, without taking part. Never prints bodies.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, anyhow};
use chrono::{DateTime, SecondsFormat, Utc};
use ingest::wal::{self, Inspection, LogFound, SegmentFound};
use uuid::Uuid;

use crate::args::WalInspect;
use crate::config::Config;
use crate::exit::Failure;

pub async fn inspect(args: &WalInspect, config: &Config) -> Result<(), Failure> {
    let dir = args.dir.as_deref().unwrap_or(&config.wal);
    if !dir.exists() {
        return Err(Failure::Environment(anyhow!(
            "there is no write-ahead log at {}: no service ran here, so there is nothing to inspect; \
             the setting `wal`, or `wal inspect DIR`, says where another one is",
            dir.display()
        )));
    }
    let inspection = read(dir, config).await?;
    let mut out = std::io::stdout().lock();
    print(&mut out, dir, &inspection)?;
    let damage: usize = inspection.logs.iter().map(|log| log.damage.len()).sum();
    match damage {
        0 => Ok(()),
        damage => Err(Failure::Work(anyhow!(
            "{damage} damaged stretches; the next start of the service sets them aside and goes on behind them"
        ))),
    }
}

/// Asks the lake what it has, and reads the rest.
pub async fn read(dir: &Path, config: &Config) -> Result<Inspection, Failure> {
    let unreadable = || format!("reading the write-ahead log {}", dir.display());
    let ids = wal::logs(dir).with_context(unreadable);
    let ids = ids.map_err(Failure::Environment)?;
    let flushed = match flushed(&ids, config).await {
        Ok(flushed) => flushed,
        Err(error) => {
            tell!("the lake does not say what is flushed: {error}");
            BTreeMap::new()
        }
    };
    let inspection = wal::inspect(dir, &flushed).with_context(unreadable);
    inspection.map_err(Failure::Environment)
}

/// The last offset in the lake, of each log.
async fn flushed(ids: &[Uuid], config: &Config) -> Result<BTreeMap<Uuid, u64>, lake::LakeError> {
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let lake = config.open_lake_to_read()?;
    let events = match lake.existing(&ingest::events_table().name).await {
        // Nothing was ever flushed.
        Err(lake::LakeError::NoSuchTable { .. }) => return Ok(BTreeMap::new()),
        events => events?,
    };
    let mut flushed = BTreeMap::new();
    for id in ids {
        let offset = events.committed(&id.to_string()).await?.unwrap_or_default();
        flushed.insert(*id, offset.unsigned_abs());
    }
    Ok(flushed)
}

fn print(out: &mut impl Write, dir: &Path, inspection: &Inspection) -> std::io::Result<()> {
    let owner = inspection.last_owner.as_deref().unwrap_or("nobody yet");
    writeln!(out, "{}: last owned by {owner}", dir.display())?;
    if inspection.logs.is_empty() {
        let flushed = match inspection.set_aside {
            (0, _) => "everything was flushed",
            _ => "all but what is damaged was flushed",
        };
        writeln!(out, "it holds no log: {flushed}")?;
    }
    for log in &inspection.logs {
        print_log(out, log)?;
    }
    let dir = dir.join("damaged");
    if let Some(lost) = about_set_aside(&dir, inspection) {
        writeln!(out, "damaged: {lost}")?;
    }
    match inspection.unfinished {
        (0, _) => Ok(()),
        (files, bytes) => writeln!(
            out,
            "unfinished: {files} files with {bytes} bytes of deliveries that were never acknowledged are kept in {}",
            dir.display()
        ),
    }
}

/// What earlier starts have set aside and never stored.
pub fn about_set_aside(dir: &Path, inspection: &Inspection) -> Option<String> {
    let (files, bytes) = inspection.set_aside;
    (files > 0).then(|| {
        format!(
            "{files} files with {bytes} bytes were set aside in {}; deliveries that were accepted may be among them, \
             and are not in the lake",
            dir.display()
        )
    })
}

fn print_log(out: &mut impl Write, log: &LogFound) -> std::io::Result<()> {
    let flushed = match log.flushed {
        Some(offset) => format!(
            "flushed up to offset {offset}, {} deliveries are not yet",
            log.unflushed()
        ),
        None => "what is flushed is not known".to_owned(),
    };
    writeln!(
        out,
        "log {}: {} deliveries; {flushed}",
        log.id,
        log.frames()
    )?;
    for segment in &log.segments {
        print_segment(out, segment)?;
    }
    for damage in &log.damage {
        writeln!(
            out,
            "  DAMAGED segment {:020}: {} bytes from byte {} on are no delivery",
            damage.segment, damage.length, damage.byte_offset
        )?;
    }
    Ok(())
}

fn print_segment(out: &mut impl Write, segment: &SegmentFound) -> std::io::Result<()> {
    let SegmentFound {
        first,
        bytes,
        frames,
        body_bytes,
        unfinished_bytes,
        ..
    } = segment;
    write!(
        out,
        "  segment {first:020}: {bytes} bytes, {frames} deliveries"
    )?;
    if let (Some(last), Some(oldest), Some(newest)) =
        (segment.last_offset, segment.oldest, segment.newest)
    {
        write!(
            out,
            " up to offset {last} with {body_bytes} bytes, received {} to {}",
            shown(oldest),
            shown(newest)
        )?;
    }
    if *unfinished_bytes > 0 {
        write!(out, ", {unfinished_bytes} bytes unfinished at the end")?;
    }
    writeln!(out)
}

fn shown(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
