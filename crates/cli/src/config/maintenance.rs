//! The settings of maintenance.

use std::time::Duration;

use anyhow::{anyhow, bail};

use super::layers::Layers;

/// Removed files leave the table's log after this, so that their age is not known any more.
const VACUUM_AFTER_AT_MOST: Duration = Duration::from_secs(48 * 3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

pub fn vacuum_after(layers: &Layers) -> anyhow::Result<Duration> {
    let stay = layers.duration("vacuum_after")?;
    if stay > VACUUM_AFTER_AT_MOST {
        bail!(
            "{}: vacuum_after can be 48h at most",
            layers.source("vacuum_after")
        );
    }
    Ok(stay)
}

/// Of the list `retain`, the age of events.
pub fn retain_events(layers: &Layers) -> anyhow::Result<Option<Duration>> {
    let source = layers.source("retain");
    let mut events = None;
    for entry in layers.list("retain")? {
        let Some((table, age)) = entry.split_once('=') else {
            bail!("{source}: retain: {entry:?} is not of the form TABLE=AGE, such as events=400d");
        };
        let (table, age) = (table.trim(), age.trim());
        if table != events::TABLE {
            bail!(
                "{source}: retain: rows of {table:?} are not removed by age, only those of {:?}: facts outlive them",
                events::TABLE
            );
        }
        let parsed = humantime::parse_duration(age)
            .map_err(|_| anyhow!("{source}: retain: {age:?} is no age such as 400d or 5years"))?;
        if parsed < DAY {
            bail!("{source}: retain: whole days are removed, so {age:?} must be one day at least");
        }
        events = Some(parsed);
    }
    Ok(events)
}
