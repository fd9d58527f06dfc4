//! What is known of one thing, and how it merges: of each field the value told last; of values told at
//! one instant the greater.

use std::collections::BTreeMap;

use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use chrono::{DateTime, Utc};

use super::{Dimension, Mention};
use crate::read::{instant, instants, long, longs, text, texts};

pub(super) const KNOWN_AT: &str = "known_at";

/// A row of a dimension.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Known {
    pub company_id: Option<i64>,
    pub id: i64,
    /// In the order of the dimension's fields.
    said: Box<[Said]>,
    /// How many runs a flow had; merging leaves it alone, as a sum does not merge.
    pub runs: i64,
    pub first_seen_at: DateTime<Utc>,
    pub last_seen_at: DateTime<Utc>,
}

/// A field's value with the instant it was last told at; in this order the greater is the latest known.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Told {
    at: DateTime<Utc>,
    value: Box<str>,
    field: &'static str,
}

type Said = Option<Told>;

impl Known {
    pub(super) fn from_mention(
        dimension: &Dimension,
        company_id: Option<i64>,
        id: i64,
        mention: Mention,
        at: DateTime<Utc>,
    ) -> Self {
        let said = mention.values.into_iter().zip(dimension.fields);
        Self {
            company_id,
            id,
            said: said
                .map(|(value, field)| {
                    let value = value?.into_boxed_str();
                    let field = field.name;
                    Some(Told { at, value, field })
                })
                .collect(),
            runs: 0,
            first_seen_at: at,
            last_seen_at: at,
        }
    }

    /// Takes in what another row knows of the same thing.
    pub fn merge(&mut self, other: Known) {
        for (mine, theirs) in self.said.iter_mut().zip(other.said) {
            if *mine < theirs {
                *mine = theirs;
            }
        }
        self.first_seen_at = self.first_seen_at.min(other.first_seen_at);
        self.last_seen_at = self.last_seen_at.max(other.last_seen_at);
    }

    /// The value of a field.
    pub(super) fn text(&self, field: usize) -> Option<&str> {
        self.said.get(field)?.as_ref().map(|told| &*told.value)
    }

    pub(super) fn known_at(&self) -> Option<String> {
        let told = self.said.iter().flatten();
        let known_at: BTreeMap<_, _> = told
            .map(|told| (told.field, told.at.timestamp_micros()))
            .collect();
        serde_json::to_string(&known_at).ok()
    }
}

/// The rows of a batch with all columns of the dimension.
pub(super) fn read(batch: &RecordBatch, dimension: &Dimension) -> Result<Vec<Known>, ArrowError> {
    let companies = longs(batch, "company_id")?;
    let ids = longs(batch, dimension.id.0)?;
    let first_seen = instants(batch, "first_seen_at")?;
    let last_seen = instants(batch, dimension.last_seen)?;
    let known_at = texts(batch, KNOWN_AT)?;
    let fields = dimension
        .fields
        .iter()
        .map(|field| texts(batch, field.name))
        .collect::<Result<Vec<_>, _>>()?;
    let runs = match dimension.counts.first() {
        Some(column) => Some(longs(batch, column.name)?),
        None => None,
    };
    let row = |row: usize| {
        let known_at: BTreeMap<&str, i64> =
            serde_json::from_str(known_at.value(row)).unwrap_or_default();
        let said = dimension.fields.iter().zip(&fields).map(|(field, values)| {
            let at = known_at.get(field.name).copied().unwrap_or_default();
            text(values, row).map(|value| Told {
                at: instant(at),
                value: value.into(),
                field: field.name,
            })
        });
        Known {
            company_id: long(&companies, row),
            id: ids.value(row),
            said: said.collect(),
            runs: runs.as_ref().map_or(0, |runs| runs.value(row)),
            first_seen_at: instant(first_seen.value(row)),
            last_seen_at: instant(last_seen.value(row)),
        }
    };
    Ok((0..batch.num_rows()).map(row).collect())
}
