//! Histograms: how many rows have values from here to there.

use super::super::model::{Bin, Body, Measure, extent};
use super::super::scale::{Unit, axis};
use super::super::spec::ChartSpec;
use super::places::Role;
use super::{Rows, impossible, readable};
use crate::error::QueryError;

const BINS: usize = 16;

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
        let ticks = if low == high {
            vec![low, low + 1.0]
        } else {
            axis(unit, low, high, BINS)
                .ticks
                .into_iter()
                .map(|(value, _)| value)
                .collect()
        };
        let mut bins: Vec<Bin> = ticks
            .windows(2)
            .map(|ends| Bin {
                from: ends[0],
                to: ends[1],
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
