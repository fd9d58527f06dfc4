//! The settings that the rules use.

use std::collections::BTreeMap;

use anyhow::{Context, anyhow, bail};
use chrono::Weekday;
use events::{DOCUMENTED, Tz, documented_name};
use toml::Value;
use transform::Settings;
use transform::calendar::{Calendar, Calendars};

use super::layers::{Layers, strings};

const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Mon),
    ("tue", Weekday::Tue),
    ("wed", Weekday::Wed),
    ("thu", Weekday::Thu),
    ("fri", Weekday::Fri),
    ("sat", Weekday::Sat),
    ("sun", Weekday::Sun),
];

pub fn rules(layers: &Layers) -> anyhow::Result<Settings> {
    let mut settings = Settings {
        zone: zone(layers)?,
        short_abandon_seconds: i64::try_from(layers.integer("short_abandon_seconds")?)?,
        calendars: calendars(layers)?,
        ..Settings::default()
    };
    if layers.get("subscribed_events").is_some() {
        settings.subscribed_events = subscribed(layers)?.into_iter().collect();
    }
    Ok(settings)
}

fn zone(layers: &Layers) -> anyhow::Result<Tz> {
    let name = layers.text("timezone")?;
    name.parse().map_err(|_| {
        anyhow!(
            "{}: timezone = {name:?} is no zone of the tz database, such as America/Sao_Paulo",
            layers.source("timezone")
        )
    })
}

fn subscribed(layers: &Layers) -> anyhow::Result<Vec<String>> {
    let events = layers.list("subscribed_events")?;
    let events: Vec<String> = events
        .iter()
        .map(|event| documented_name(event).to_owned())
        .collect();
    for event in &events {
        if !DOCUMENTED.contains(&event.as_str()) {
            let near = DOCUMENTED
                .iter()
                .min_by_key(|name| strsim::osa_distance(event, name));
            let near = near.map_or("", |name| *name);
            bail!(
                "{}: subscribed_events: unknown event {event:?}; did you mean {near:?}?",
                layers.source("subscribed_events")
            );
        }
    }
    Ok(events)
}

fn calendars(layers: &Layers) -> anyhow::Result<Calendars> {
    let Some(value) = layers.get("business_hours") else {
        return Ok(Calendars::default());
    };
    let mut table = value
        .as_table()
        .ok_or_else(|| layers.misfit("business_hours", value, "a table"))?
        .clone();
    let overrides = table.remove("departments");
    // Hours of departments alone say nothing of the rest.
    let company = (overrides.is_none() || !table.is_empty())
        .then(|| calendar(layers, "business_hours", &table, None))
        .transpose()?;
    let mut departments = BTreeMap::new();
    if let Some(overrides) = overrides {
        let path = "business_hours.departments";
        let overrides = overrides
            .as_table()
            .ok_or_else(|| layers.misfit(path, &overrides, "a table of departments"))?;
        for (id, hours) in overrides {
            let path = format!("{path}.{id}");
            let number = id.parse().map_err(|_| {
                let source = layers.source("business_hours");
                anyhow!("{source}: {path}: a department is named by its id, such as [business_hours.departments.30641]")
            })?;
            let hours = hours
                .as_table()
                .ok_or_else(|| layers.misfit(&path, hours, "a table of opening hours"))?;
            departments.insert(number, calendar(layers, &path, hours, company.as_ref())?);
        }
    }
    Ok(Calendars {
        company,
        departments,
    })
}

/// The calendar of one table; one that lists no holidays keeps those of `company`.
fn calendar(
    layers: &Layers,
    path: &str,
    table: &toml::Table,
    company: Option<&Calendar>,
) -> anyhow::Result<Calendar> {
    let source = layers.source("business_hours");
    let mut calendar = Calendar::default();
    if let Some(company) = company.filter(|_| !table.contains_key("holidays")) {
        calendar.holidays = company.holidays.clone();
        calendar.brazil = company.brazil;
    }
    for (key, value) in table {
        let list = strings_or_text(value)
            .ok_or_else(|| anyhow!("{source}: {path}.{key} = {value} is not a list of strings"))?;
        let day = DAYS.iter().find(|(name, _)| name == key);
        let result = match day {
            Some((_, day)) => calendar.open(*day, &list),
            None if key == "holidays" => {
                list.iter().try_for_each(|holiday| calendar.close(holiday))
            }
            None => bail!(
                "{source}: unknown setting {path}.{key}; use mon, tue, wed, thu, fri, sat, sun or holidays"
            ),
        };
        result.with_context(|| format!("{source}: {path}.{key}"))?;
    }
    Ok(calendar)
}

/// `holidays = "BR"` stands for a list of one.
fn strings_or_text(value: &Value) -> Option<Vec<String>> {
    strings(value).or_else(|| value.as_str().map(|text| vec![text.to_owned()]))
}
