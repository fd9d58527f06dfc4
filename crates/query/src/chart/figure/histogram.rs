//! Histograms: how many rows have values from here to there.

use super::super::model::{Bin, Body, Measure, extent};
use super::super::scale::{Unit, axis};
use super::super::spec::ChartSpec;
use super::places::Role;
use super::{Rows, impossible, readable};
use crate::error::QueryError;

const MOST_BINS: usize = 16;
/// Whole numbers of a bin so few that one more or less in the last bin shows.
const FEW: f64 = 10.0;

impl Rows {
    pub(super) fn histogram(&mut self, spec: &ChartSpec) -> Result<(Body, String), QueryError> {
        let asked = spec
            .x
            .clone()
            .or_else(|| spec.y.first().map(|term| term.column.clone()));
        let column = asked.or_else(|| self.first(Role::Number, &[]));
        let column = column.ok_or_else(|| self.no_number())?;
        let values = self.numbers(&column)?;
        let known: Vec<f64> = values.iter().flatten().copied().collect();
        let unknown = values.len() - known.len();
        if unknown > 0 {
            self.notes.push(format!(
                "{unknown} of {} rows have no {column}",
                values.len()
            ));
        }
        let Some((low, high)) = extent(known.iter().copied()) else {
            return Err(impossible(format!("all values of {column} are NULL")));
        };
        let unit = Unit::of(&column);
        let ticks = ticks(&known, unit, (low, high));
        // A bin of whole numbers that holds one of them is named by it.
        let is_value = is_whole(&known) && ticks[1] - ticks[0] == 1.0;
        let mut bins: Vec<Bin> = ticks
            .windows(2)
            .map(|ends| Bin {
                from: ends[0],
                to: ends[1],
                is_value,
                count: 0,
            })
            .collect();
        let last = bins.len().saturating_sub(1);
        for value in known {
            // The last bin holds its upper end as well.
            let place = bins.partition_point(|bin| bin.to <= value).min(last);
            bins[place].count += 1;
        }
        let x = Measure {
            name: readable(&column),
            unit,
        };
        let about = format!("rows by {}", x.name);
        Ok((Body::Histogram { bins, x }, about))
    }
}

/// The ends of the bins: the more values, the more bins, by Sturges's rule.
fn ticks(known: &[f64], unit: Unit, (low, high): (f64, f64)) -> Vec<f64> {
    if low == high {
        return vec![low, low + 1.0];
    }
    let mut wanted = (known.len().next_power_of_two().ilog2() as usize + 1).min(MOST_BINS);
    if is_whole(known) {
        // There is nothing between two of them.
        wanted = wanted.min((high - low) as usize);
    }
    let axis = axis(unit, low, high, wanted);
    let mut ticks: Vec<f64> = axis.ticks.into_iter().map(|(value, _)| value).collect();
    let step = ticks[1] - ticks[0];
    if is_whole(known) && step < FEW && ticks.last() == Some(&high) {
        ticks.push(high + step);
    }
    ticks
}

fn is_whole(known: &[f64]) -> bool {
    known.iter().all(|value| value.fract() == 0.0)
}
