//! Settings as JSON, which lies beside the facts that were derived with them.

use chrono::Weekday;
use serde_json::{Map, Value, json};

use super::Settings;
use crate::calendar::{Calendar, Calendars};

const WEEK: [Weekday; 7] = [
    Weekday::Mon,
    Weekday::Tue,
    Weekday::Wed,
    Weekday::Thu,
    Weekday::Fri,
    Weekday::Sat,
    Weekday::Sun,
];

impl Settings {
    /// As [`from_json`](Self::from_json) reads it, in the words of the settings file.
    pub fn to_json(&self) -> String {
        let departments = self.calendars.departments.iter();
        let departments: Map<String, Value> = departments
            .map(|(id, calendar)| (id.to_string(), written(calendar)))
            .collect();
        json!({
            "timezone": self.zone.name(),
            "subscribed_events": self.subscribed_events,
            "short_abandon_seconds": self.short_abandon_seconds,
            "business_hours": self.calendars.company.as_ref().map(written),
            "departments": departments,
        })
        .to_string()
    }

    /// Nothing where the text is no settings of this version's form.
    pub fn from_json(text: &str) -> Option<Settings> {
        let value: Value = serde_json::from_str(text).ok()?;
        let company = &value["business_hours"];
        let departments = value["departments"].as_object()?.iter();
        Some(Settings {
            zone: value["timezone"].as_str()?.parse().ok()?,
            subscribed_events: texts(&value["subscribed_events"])?.into_iter().collect(),
            short_abandon_seconds: value["short_abandon_seconds"].as_i64()?,
            calendars: Calendars {
                company: match company.is_null() {
                    true => None,
                    false => Some(read(company)?),
                },
                departments: departments
                    .map(|(id, calendar)| Some((id.parse().ok()?, read(calendar)?)))
                    .collect::<Option<_>>()?,
            },
        })
    }
}

fn written(calendar: &Calendar) -> Value {
    let mut days = Map::new();
    for day in WEEK {
        let intervals = calendar.intervals.get(&(day.num_days_from_monday() as u8));
        if let Some(intervals) = intervals {
            let intervals = intervals
                .iter()
                .map(|(opens, closes)| format!("{}-{}", clock(*opens), clock(*closes)));
            days.insert(name(day), intervals.collect());
        }
    }
    let mut holidays: Vec<String> = calendar.holidays.iter().map(ToString::to_string).collect();
    holidays.extend(calendar.brazil.then(|| "BR".to_owned()));
    days.insert("holidays".to_owned(), json!(holidays));
    Value::Object(days)
}

fn read(value: &Value) -> Option<Calendar> {
    let mut calendar = Calendar::default();
    for day in WEEK {
        if let Some(intervals) = value.get(name(day)) {
            calendar.open(day, &texts(intervals)?).ok()?;
        }
    }
    for holiday in texts(&value["holidays"])? {
        calendar.close(&holiday).ok()?;
    }
    Some(calendar)
}

fn name(day: Weekday) -> String {
    day.to_string().to_lowercase()
}

fn clock(seconds: u32) -> String {
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match seconds {
        0 => format!("{hours:02}:{minutes:02}"),
        _ => format!("{hours:02}:{minutes:02}:{seconds:02}"),
    }
}

fn texts(value: &Value) -> Option<Vec<String>> {
    let items = value.as_array()?.iter();
    items.map(|item| Some(item.as_str()?.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_as_they_were_written() {
        let mut settings = Settings::default();
        assert_eq!(
            Settings::from_json(&settings.to_json()),
            Some(settings.clone())
        );
        let mut calendar = Calendar::default();
        let intervals = ["22:00-24:00", "08:00:30-12:00"].map(str::to_owned);
        calendar.open(Weekday::Mon, &intervals).expect("intervals");
        calendar.open(Weekday::Sat, &[]).expect("intervals");
        calendar.close("2024-03-28").expect("a date");
        calendar.close("BR").expect("a name");
        settings.zone = events::Tz::America__Manaus;
        settings.subscribed_events.clear();
        settings.short_abandon_seconds = 30;
        settings.calendars.departments.insert(7, calendar.clone());
        assert_eq!(
            Settings::from_json(&settings.to_json()),
            Some(settings.clone())
        );
        settings.calendars.company = Some(calendar);
        settings
            .calendars
            .departments
            .insert(8, Calendar::default());
        assert_eq!(Settings::from_json(&settings.to_json()), Some(settings));
        assert_eq!(Settings::from_json("{}"), None);
    }
}
