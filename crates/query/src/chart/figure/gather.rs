//! What the rows at one place add up to.
//!
//! Only places at which rows stand take memory: two columns of many values have more pairs of places than
//! there is room for.

use std::collections::BTreeMap;

use super::super::model::Series;
use super::super::spec::{Aggregate, Term};
use super::places::Places;
use super::{Rows, impossible, readable};
use crate::error::QueryError;

/// More series than colors cannot be told apart.
const MOST_SERIES: usize = 8;

/// The values of the rows that stand at one place.
#[derive(Clone, Copy)]
struct Gathered {
    /// How many are known.
    known: usize,
    /// Each value times its weight, which is 1 where there are none.
    sum: f64,
    weight: f64,
    low: f64,
    high: f64,
}

impl Gathered {
    const NONE: Gathered = Gathered {
        known: 0,
        sum: 0.0,
        weight: 0.0,
        low: f64::INFINITY,
        high: f64::NEG_INFINITY,
    };

    fn add(&mut self, value: f64, weight: f64) {
        self.known += 1;
        self.sum += value * weight;
        self.weight += weight;
        self.low = self.low.min(value);
        self.high = self.high.max(value);
    }

    fn value(&self, aggregate: Option<&Aggregate>) -> Option<f64> {
        if self.known == 0 {
            return None;
        }
        match aggregate {
            None | Some(Aggregate::Sum) => Some(self.sum),
            Some(Aggregate::Min) => Some(self.low),
            Some(Aggregate::Max) => Some(self.high),
            Some(Aggregate::Mean { .. }) => (self.weight > 0.0).then(|| self.sum / self.weight),
        }
    }
}

impl Rows {
    /// A series for each term.
    pub(super) fn series_of(
        &self,
        terms: &[Term],
        places: &Places,
        x: &str,
    ) -> Result<Vec<Series>, QueryError> {
        let series = |term: &Term| {
            let name = |place: usize| format!("{x} = {}", places.labels[place]);
            let gathered = self.gathered(term, |row| places.of_row[row], name)?;
            Ok(Series {
                name: readable(&term.column),
                values: all(&gathered, 0, places.labels.len()),
            })
        };
        terms.iter().map(series).collect()
    }

    /// A series for each value of `by`, or for those with the most.
    pub(super) fn series_by(
        &mut self,
        term: &Term,
        places: &Places,
        (x, by): (&str, &str),
    ) -> Result<Vec<Series>, QueryError> {
        let groups = self.places(by, false)?;
        let count = places.labels.len();
        let name = |place: usize| {
            let (label, group) = (&places.labels[place % count], &groups.labels[place / count]);
            format!("{x} = {label} and {by} = {group}")
        };
        let place = |row: usize| Some(groups.of_row[row]? * count + places.of_row[row]?);
        let gathered = self.gathered(term, place, name)?;
        let mut shown: Vec<usize> = (0..groups.labels.len()).collect();
        if shown.len() > MOST_SERIES {
            let mut totals = vec![0.0; shown.len()];
            for (place, value) in &gathered {
                totals[place / count] += value.unwrap_or_default().abs();
            }
            self.notes.push(format!(
                "of {} values of {by}, the {MOST_SERIES} with the most are shown",
                shown.len()
            ));
            shown.sort_by(|one, other| totals[*other].total_cmp(&totals[*one]));
            shown.truncate(MOST_SERIES);
        }
        let series = shown.into_iter().map(|group| Series {
            name: groups.labels[group].clone(),
            values: all(&gathered, group * count, count),
        });
        Ok(series.collect())
    }

    /// The term's value at each place at which rows stand.
    pub(super) fn gathered(
        &self,
        term: &Term,
        place: impl Fn(usize) -> Option<usize>,
        name: impl Fn(usize) -> String,
    ) -> Result<BTreeMap<usize, Option<f64>>, QueryError> {
        let values = self.numbers(&term.column)?;
        let weights = match &term.aggregate {
            Some(Aggregate::Mean { weight }) => Some(self.numbers(weight)?),
            _ => None,
        };
        let mut gathered: BTreeMap<usize, Gathered> = BTreeMap::new();
        for (row, value) in values.iter().enumerate() {
            let Some(place) = place(row) else {
                continue;
            };
            if term.aggregate.is_none() && gathered.contains_key(&place) {
                return Err(impossible(format!(
                    "several rows stand at {}; tell them apart with by=COLUMN, or say y=sum({column}), \
                     max({column}), min({column}) or mean({column},WEIGHT)",
                    name(place),
                    column = term.column
                )));
            }
            let weight = weights.as_ref().map_or(Some(1.0), |weights| weights[row]);
            let there = gathered.entry(place).or_insert(Gathered::NONE);
            if let (Some(value), Some(weight)) = (value, weight) {
                there.add(*value, weight);
            }
        }
        let values = gathered.into_iter();
        let values = values.map(|(place, there)| (place, there.value(term.aggregate.as_ref())));
        Ok(values.collect())
    }
}

/// The values of so many places, also of those at which no row stands.
pub(super) fn all(
    gathered: &BTreeMap<usize, Option<f64>>,
    from: usize,
    count: usize,
) -> Vec<Option<f64>> {
    let mut values = vec![None; count];
    for (place, value) in gathered.range(from..from + count) {
        values[place - from] = *value;
    }
    values
}
