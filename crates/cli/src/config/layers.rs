//! Settings from their sources, the later over the earlier: defaults, file, environment, flags.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use toml::Value;

use super::keys::{KEYS, find, nearest};

const DEFAULT_FILE: &str = "huggy-etl.toml";
const ENVIRONMENT_PREFIX: &str = "HUGGY_ETL_";

/// Each set key with its value and where it comes from.
#[derive(Debug, Default, Clone)]
pub struct Layers(BTreeMap<&'static str, (Value, String)>);

impl Layers {
    pub fn read(
        file: Option<&Path>,
        environment: &[(String, String)],
        flags: Vec<(&'static str, Value)>,
    ) -> anyhow::Result<Layers> {
        let mut layers = Layers::default();
        for key in KEYS.iter().filter(|key| !key.default.is_empty()) {
            layers.set(key.name, Value::String(key.default.to_owned()), "default")?;
        }
        match file {
            Some(path) => layers.read_file(path)?,
            None if Path::new(DEFAULT_FILE).exists() => {
                layers.read_file(Path::new(DEFAULT_FILE))?
            }
            None => {}
        }
        for (name, value) in environment.iter().cloned() {
            if let Some(key) = name.strip_prefix(ENVIRONMENT_PREFIX) {
                layers.read_variable(&name, &key.to_ascii_lowercase(), value)?;
            }
        }
        for (key, value) in flags {
            let flag = match key {
                "tokens" => "token",
                "vacuum_after" => "vacuum-older-than",
                key => key,
            };
            layers.set(key, value, &format!("--{}", flag.replace('_', "-")))?;
        }
        Ok(layers)
    }

    fn read_file(&mut self, path: &Path) -> anyhow::Result<()> {
        let source = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("reading the settings file {source}"))?;
        self.read_text(&text, &source)
    }

    /// The settings of a file's text.
    fn read_text(&mut self, text: &str, source: &str) -> anyhow::Result<()> {
        let table: toml::Table = toml::from_str(text).map_err(|error: toml::de::Error| {
            // Not the line itself, as the library would show it: it may hold a token.
            let before = error
                .span()
                .and_then(|span| text.get(..span.start))
                .unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            anyhow!("{source}:{line}: {}", error.message())
        })?;
        for (key, value) in table {
            self.set(&key, value, source)?;
        }
        Ok(())
    }

    fn read_variable(&mut self, name: &str, key: &str, value: String) -> anyhow::Result<()> {
        // One token is the common case.
        let key = if key == "token" { "tokens" } else { key };
        let value = match find(key) {
            Some(found) if found.is_list => {
                let parts = value
                    .split(',')
                    .map(str::trim)
                    .filter(|part| !part.is_empty());
                Value::Array(parts.map(|part| Value::String(part.to_owned())).collect())
            }
            Some(found) if found.name == "business_hours" => {
                bail!("{name}: business hours are a table and can only be set in the settings file")
            }
            _ => Value::String(value),
        };
        self.set(key, value, name)
    }

    fn set(&mut self, key: &str, value: Value, source: &str) -> anyhow::Result<()> {
        let Some(found) = find(key) else {
            bail!(
                "{source}: unknown setting {key:?}; did you mean {:?}?",
                nearest(key)
            );
        };
        self.0.insert(found.name, (value, source.to_owned()));
        Ok(())
    }

    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key).map(|(value, _)| value)
    }

    /// Where the key's value comes from.
    pub fn source(&self, key: &str) -> &str {
        self.0.get(key).map_or("default", |(_, source)| source)
    }

    pub fn optional_text(&self, key: &str) -> anyhow::Result<Option<String>> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::String(text)) if text.is_empty() => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(Value::Integer(number)) => Ok(Some(number.to_string())),
            Some(other) => Err(self.misfit(key, other, "a string")),
        }
    }

    pub fn text(&self, key: &str) -> anyhow::Result<String> {
        self.optional_text(key)?
            .ok_or_else(|| anyhow!("{}: {key} must not be empty", self.source(key)))
    }

    pub fn integer(&self, key: &str) -> anyhow::Result<u64> {
        let text = self.text(key)?;
        text.parse()
            .map_err(|_| self.misfit(key, &Value::String(text), "a whole number"))
    }

    /// A number of bytes, bare or with a unit such as `64MiB` or `64MB`.
    pub fn bytes(&self, key: &str) -> anyhow::Result<u64> {
        let text = self.text(key)?;
        parse_bytes(&text)
            .ok_or_else(|| self.misfit(key, &Value::String(text), "a size such as 64MiB"))
    }

    /// A duration with unit, or bare seconds.
    pub fn duration(&self, key: &str) -> anyhow::Result<Duration> {
        let text = self.text(key)?;
        if let Ok(seconds) = text.parse() {
            return Ok(Duration::from_secs(seconds));
        }
        humantime::parse_duration(&text).map_err(|_| {
            self.misfit(
                key,
                &Value::String(text),
                "a duration such as 500ms, 10s or 2h",
            )
        })
    }

    pub fn list(&self, key: &str) -> anyhow::Result<Vec<String>> {
        match self.get(key) {
            None => Ok(Vec::new()),
            Some(value) => {
                strings(value).ok_or_else(|| self.misfit(key, value, "a list of strings"))
            }
        }
    }

    pub fn misfit(&self, key: &str, value: &Value, expected: &str) -> anyhow::Error {
        let shown = if find(key).is_some_and(|key| key.is_secret) {
            "***".to_owned()
        } else {
            value.to_string()
        };
        anyhow!("{}: {key} = {shown} is not {expected}", self.source(key))
    }
}

pub fn strings(value: &Value) -> Option<Vec<String>> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    match value {
        Value::Array(items) => items.iter().map(text).collect(),
        _ => None,
    }
}

pub fn parse_bytes(text: &str) -> Option<u64> {
    let digits = text
        .find(|letter: char| !letter.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor: u64 = match unit.trim() {
        "" | "B" => 1,
        "kB" | "KB" => 1000,
        "KiB" => 1 << 10,
        "MB" => 1_000_000,
        "MiB" => 1 << 20,
        "GB" => 1_000_000_000,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

/// What holds of any settings file: it is read, with every key taken as every type, or refused with its name.
#[cfg(any(test, fuzzing))]
pub(crate) fn check(text: &str) {
    let source = "huggy-etl.toml";
    let mut layers = Layers::default();
    let named = |error: &anyhow::Error| error.to_string().starts_with(source);
    if let Err(error) = layers.read_text(text, source) {
        return assert!(named(&error), "{error}");
    }
    for key in layers.0.keys() {
        let errors = [
            layers.optional_text(key).err(),
            layers.integer(key).err(),
            layers.bytes(key).err(),
            layers.duration(key).err(),
            layers.list(key).err(),
        ];
        for error in errors.into_iter().flatten() {
            assert!(named(&error), "{key}: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const VALUES: [&str; 12] = [
        "\"\"",
        "\"64MiB\"",
        "\"99999999999999999999GiB\"",
        "\"18446744073709551615s\"",
        "-1",
        "9223372036854775807",
        "1e400",
        "nan",
        "[\"a\", 1]",
        "{ a = {} }",
        "1979-05-27",
        "\"unfinished",
    ];

    proptest! {
        #[test]
        fn any_value_of_any_key_is_read_or_refused_with_its_source(
            key in 0..KEYS.len(), value in prop::sample::select(&VALUES[..]),
        ) {
            check(&format!("{} = {value}\n", KEYS[key].name));
        }

        #[test]
        fn any_text_is_read_or_refused_with_its_source(text in any::<String>()) {
            check(&text);
        }
    }
}
