//! Values of parameters: those that are set for all statements, and those that one of them takes.

use super::results::Work;
use super::run::Runner;
use super::scan::{Kind, tokens};
use crate::commands::query;
use crate::exit::Failure;
use ::query::{SavedQuery, Undeclared};

impl Runner {
    /// A name without a value takes it back; without any name, the values that are set are shown.
    pub(super) fn set_values(
        &mut self,
        values: Vec<(String, Option<String>)>,
    ) -> Result<(), Failure> {
        if values.is_empty() {
            let lines = self.values.iter();
            let lines: String = lines
                .map(|(name, value)| format!("${name} = {value}\n"))
                .collect();
            return self.show_text(lines.as_bytes());
        }
        for (name, value) in values {
            match value {
                Some(value) => {
                    self.values.insert(name, value);
                }
                None if self.values.remove(&name).is_some() => {
                    self.note(&format!("${name} has no value any more"));
                }
                None => self.note(&format!("${name} has no value")),
            }
        }
        Ok(())
    }

    /// With the values given, and those that are set for its other parameters.
    pub(super) fn saved(
        &self,
        saved: SavedQuery,
        mut values: Vec<(String, String)>,
    ) -> Result<Work, Failure> {
        for declared in saved.parameters().map_err(query::failure)? {
            let is_given = values.iter().any(|(name, _)| *name == declared.name);
            if let (false, Some(set)) = (is_given, self.values.get(&declared.name)) {
                values.push((declared.name, set.clone()));
            }
        }
        Ok(Work {
            sql: saved.sql,
            source: Some(saved.name),
            above: 0,
            values,
            undeclared: Undeclared::Refused,
        })
    }

    /// With those values that it has a parameter for.
    pub(super) fn typed(&self, sql: &str) -> Work {
        let parameters: Vec<&str> = tokens(sql)
            .iter()
            .filter(|token| token.kind == Kind::Parameter)
            .map(|token| &token.text(sql)[1..])
            .collect();
        let values = self.values.iter();
        let values = values.filter(|(name, _)| parameters.contains(&name.as_str()));
        Work {
            sql: sql.to_owned(),
            source: self.reading.last().cloned(),
            above: self.above,
            values: values
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
            undeclared: Undeclared::TypedByUse,
        }
    }
}
