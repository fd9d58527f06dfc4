//! What the lake's facts were derived with, for queries, and a word where the caller's own settings say otherwise.

use std::sync::{Arc, Once};

use chrono::{DateTime, Utc};
use events::Tz;
use lake::{LakeError, Table};
use query::{BusinessClock, BusinessHours, Derivation};
use transform::{SETTINGS_TABLE, Settings, settings_in};

use crate::config::Config;

#[derive(Debug)]
struct Hours(Settings);

impl BusinessHours for Hours {
    fn seconds(
        &self,
        department_id: Option<i64>,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> Option<i64> {
        self.0.business_seconds(department_id, from, to)
    }
}

pub fn clock(settings: &Settings) -> BusinessClock {
    BusinessClock {
        zone: settings.zone,
        hours: Some(Arc::new(Hours(settings.clone()))),
    }
}

pub fn of_the_lake(config: &Config) -> Arc<dyn Derivation> {
    Arc::new(OfTheLake {
        config: config.clone(),
        told: Once::new(),
    })
}

/// The zone of the lake's facts; the caller's where there are none, or the lake does not say it.
pub async fn zone(config: &Config) -> Result<Tz, LakeError> {
    let settings = match config.open_lake_to_read()?.existing(SETTINGS_TABLE).await {
        Err(LakeError::NoSuchTable { .. }) => None,
        table => settings_in(&table?)?,
    };
    Ok(settings.map_or(config.rules.zone, |settings| settings.zone))
}

#[derive(Debug)]
struct OfTheLake {
    config: Config,
    told: Once,
}

impl Derivation for OfTheLake {
    fn table(&self) -> &str {
        SETTINGS_TABLE
    }

    fn clock(&self, table: &Table) -> Result<Option<BusinessClock>, LakeError> {
        let settings = settings_in(table)?;
        if let Some(settings) = &settings {
            self.told.call_once(|| self.tell_unheeded(settings));
        }
        Ok(settings.as_ref().map(clock))
    }
}

impl OfTheLake {
    fn tell_unheeded(&self, lakes: &Settings) {
        let own = &self.config.rules;
        let differing = [
            ("timezone", own.zone != lakes.zone),
            ("business_hours", own.calendars != lakes.calendars),
        ];
        for (key, differs) in differing {
            let source = self.config.layers.source(key);
            if differs && source != "default" {
                tell!(
                    "{key} of {source} is not heeded: queries go by what the facts were derived with; `huggy-etl transform` \
                     derives them anew"
                );
            }
        }
    }
}
