//! The settings of maintenance.

use std::collections::BTreeMap;
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

/// The ages that the list `retain` gives to tables.
pub fn retain(layers: &Layers) -> anyhow::Result<BTreeMap<String, Duration>> {
    let source = layers.source("retain");
    let mut ages = BTreeMap::new();
    let aging = [vec![events::TABLE], transform::aging_tables()].concat();
    for entry in layers.list("retain")? {
        let Some((table, age)) = entry.split_once('=') else {
            bail!("{source}: retain: {entry:?} is not of the form TABLE=AGE, such as events=400d");
        };
        let (table, age) = (table.trim(), age.trim());
        if !aging.contains(&table) {
            bail!(
                "{source}: retain: rows of {table:?} are not removed by age, only those of {}",
                aging.join(", ")
            );
        }
        let parsed = humantime::parse_duration(age)
            .map_err(|_| anyhow!("{source}: retain: {age:?} is no age such as 400d or 5years"))?;
        if parsed < DAY {
            bail!("{source}: retain: whole days are removed, so {age:?} must be one day at least");
        }
        if ages.insert(table.to_owned(), parsed).is_some() {
            bail!("{source}: retain: {table} has two ages");
        }
    }
    Ok(ages)
}
