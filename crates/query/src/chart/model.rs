//! What a chart shows, whatever draws it: names, measures, values. NULL stays NULL: a gap, never 0.

use super::scale::{Axis, Unit, axis, time_axis};

/// A measure, as its axis tells it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Measure {
    pub name: String,
    pub unit: Unit,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Series {
    pub name: String,
    /// One for each position.
    pub values: Vec<Option<f64>>,
}

/// Where values stand along an axis.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Positions {
    /// Seconds since 1970, of a clock without a zone.
    Times(Vec<f64>),
    Numbers(Vec<f64>, Unit),
    Names(Vec<String>),
}

impl Positions {
    /// A place for each, names in steps of 1.
    pub fn values(&self) -> Vec<f64> {
        match self {
            Positions::Times(values) | Positions::Numbers(values, _) => values.clone(),
            Positions::Names(names) => (0..names.len()).map(|place| place as f64).collect(),
        }
    }

    /// The axis along which the values stand, with about so many ticks; names are all told, in short.
    pub fn axis(&self, ticks: usize, shortened: impl Fn(&str) -> String) -> Axis {
        let places = self.values();
        let (first, last) = extent(places.iter().copied()).unwrap_or((0.0, 1.0));
        match self {
            Positions::Times(_) => time_axis(first, last, ticks),
            Positions::Numbers(_, unit) => axis(*unit, first, last, ticks),
            Positions::Names(names) => {
                let names = names.iter().map(|name| shortened(name));
                Axis {
                    low: first - 0.5,
                    high: last + 0.5,
                    ticks: places.into_iter().zip(names).collect(),
                }
            }
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Bin {
    pub from: f64,
    pub to: f64,
    /// Whether `from` is the only value that there can be in it.
    pub is_value: bool,
    pub count: usize,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Bars {
    /// One for each bar or group of bars.
    pub labels: Vec<String>,
    pub x_name: String,
    /// Whether the labels are points of time or numbers in their order: bars then stand upright.
    pub is_ordered: bool,
    pub series: Vec<Series>,
    pub is_stacked: bool,
    pub y: Measure,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Heat {
    pub columns: Vec<String>,
    pub column_name: String,
    /// Whether the columns are points of time or numbers in their order: then some of their labels do for all.
    pub is_ordered: bool,
    pub rows: Vec<String>,
    pub row_name: String,
    /// By row, then by column.
    pub cells: Vec<Vec<Option<f64>>>,
    pub value: Measure,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Body {
    Lines {
        x: Positions,
        x_name: String,
        series: Vec<Series>,
        y: Measure,
    },
    Bars(Bars),
    Heat(Heat),
    Histogram {
        bins: Vec<Bin>,
        x: Measure,
    },
    /// There is nothing to draw.
    Nothing,
}

/// What can be drawn.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Figure {
    pub title: String,
    pub body: Body,
    /// What the reader must know: what was left out.
    pub notes: Vec<String>,
}

/// The least and the greatest of the values; nothing without any.
pub(super) fn extent(values: impl IntoIterator<Item = f64>) -> Option<(f64, f64)> {
    values.into_iter().fold(None, |extent, value| match extent {
        None => Some((value, value)),
        Some((low, high)) => Some((low.min(value), high.max(value))),
    })
}

/// From where to where lines go: from 0 as well, unless that would flatten what there is to see.
pub(super) fn line_extent(series: &[Series]) -> (f64, f64) {
    let values = series
        .iter()
        .flat_map(|series| series.values.iter().flatten());
    let (low, high) = extent(values.copied()).unwrap_or((0.0, 1.0));
    if low > 0.0 && low > high * 0.6 {
        (low, high)
    } else {
        (low.min(0.0), high)
    }
}

/// The lowest and highest end of bars, which all start at 0.
pub(super) fn bar_extent(series: &[Series], is_stacked: bool) -> (f64, f64) {
    let count = series.first().map_or(0, |series| series.values.len());
    let ends = (0..count).flat_map(|place| {
        let values = series.iter().filter_map(move |series| series.values[place]);
        if is_stacked {
            let (mut below, mut above) = (0.0, 0.0);
            for value in values {
                if value < 0.0 {
                    below += value;
                } else {
                    above += value;
                }
            }
            vec![below, above]
        } else {
            values.collect()
        }
    });
    let (low, high) = extent(ends).unwrap_or((0.0, 1.0));
    (low.min(0.0), high.max(0.0))
}
