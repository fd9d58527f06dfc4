//! What chart is asked for, in words: `bar x=day y=sum(answered),sum(abandoned) stacked`.
//!
//! ```text
//! KIND [x=COLUMN] [y=TERM,...] [by=COLUMN] [value=TERM] [stacked]
//! KIND  line, bar, heatmap, histogram, or auto
//! TERM  COLUMN, or sum(COLUMN), min(COLUMN), max(COLUMN), mean(COLUMN,WEIGHT)
//! ```
//!
//! Lines and bars have one y for each series, or one y and a series for each value of `by`. A heat map has
//! columns of `x`, rows of `y` and colors of `value`; a histogram counts the rows by `x`. What is left out
//! is inferred from the result. The same words in a leading comment of a query, `-- chart: KIND ...`, are
//! its default.

use std::fmt;
use std::str::FromStr;

use crate::error::QueryError;
use crate::parameters::leading_comments;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChartKind {
    Line,
    Bar,
    Heatmap,
    Histogram,
}

impl ChartKind {
    const ALL: [(&'static str, ChartKind); 4] = [
        ("line", ChartKind::Line),
        ("bar", ChartKind::Bar),
        ("heatmap", ChartKind::Heatmap),
        ("histogram", ChartKind::Histogram),
    ];
}

/// A column, or what is made of its values where several rows stand at one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Term {
    pub column: String,
    pub aggregate: Option<Aggregate>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Aggregate {
    Sum,
    Min,
    Max,
    /// Weighted by another column, such as a count: averages have no plain average.
    Mean {
        weight: String,
    },
}

impl fmt::Display for Term {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        let column = &self.column;
        match &self.aggregate {
            None => write!(formatter, "{column}"),
            Some(Aggregate::Sum) => write!(formatter, "sum({column})"),
            Some(Aggregate::Min) => write!(formatter, "min({column})"),
            Some(Aggregate::Max) => write!(formatter, "max({column})"),
            Some(Aggregate::Mean { weight }) => write!(formatter, "mean({column},{weight})"),
        }
    }
}

/// A chart as asked for; what is not said is inferred.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ChartSpec {
    pub(super) kind: Option<ChartKind>,
    pub(super) x: Option<String>,
    pub(super) y: Vec<Term>,
    pub(super) by: Option<String>,
    pub(super) value: Option<Term>,
    pub(super) is_stacked: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0}; write a chart as `KIND [x=COLUMN] [y=COLUMN,...] [by=COLUMN] [value=COLUMN] [stacked]` with line, bar, \
     heatmap, histogram or auto, and a column also as sum(COLUMN), min(COLUMN), max(COLUMN) or mean(COLUMN,WEIGHT)"
)]
pub struct UnknownChart(String);

impl FromStr for ChartSpec {
    type Err = UnknownChart;

    fn from_str(text: &str) -> Result<Self, UnknownChart> {
        let mut words = text.split_whitespace();
        let kind = words.next().unwrap_or_default();
        let mut spec = ChartSpec {
            kind: match ChartKind::ALL.iter().find(|(name, _)| *name == kind) {
                Some((_, kind)) => Some(*kind),
                None if kind == "auto" => None,
                None => return Err(UnknownChart(format!("{kind:?} is no kind of chart"))),
            },
            ..ChartSpec::default()
        };
        for word in words {
            match word.split_once('=') {
                _ if word == "stacked" => spec.is_stacked = true,
                Some(("x", column)) => spec.x = Some(column.to_owned()),
                Some(("y", columns)) => spec.y = terms(columns)?,
                Some(("by", column)) => spec.by = Some(column.to_owned()),
                Some(("value", column)) => spec.value = Some(term(column)?),
                _ => return Err(UnknownChart(format!("{word:?} says nothing about a chart"))),
            }
        }
        Ok(spec)
    }
}

impl ChartSpec {
    /// What the leading comments of the SQL say.
    ///
    /// # Errors
    /// [`QueryError::Parameter`] with the line that starts as a chart and is none.
    pub fn declared(sql: &str) -> Result<Option<ChartSpec>, QueryError> {
        let mut lines = leading_comments(sql);
        let line = lines.find_map(|(number, line)| Some((number, line.strip_prefix("chart:")?)));
        line.map(|(number, text)| {
            text.parse()
                .map_err(|error| QueryError::Parameter(format!("line {number}: {error}")))
        })
        .transpose()
    }

    /// With the query's own chart for what is not asked for: another kind of the same lines and bars, or
    /// all of it.
    pub fn or_declared(self, declared: Option<ChartSpec>) -> ChartSpec {
        let says_only_kind = ChartSpec {
            kind: self.kind,
            ..ChartSpec::default()
        } == self;
        let Some(declared) = declared.filter(|_| says_only_kind) else {
            return self;
        };
        let has_series =
            |kind: Option<ChartKind>| matches!(kind, Some(ChartKind::Line | ChartKind::Bar));
        match self.kind {
            None => declared,
            kind if kind == declared.kind => declared,
            kind if has_series(kind) && has_series(declared.kind) => ChartSpec { kind, ..declared },
            _ => self,
        }
    }
}

/// Terms between commas, other than those in parentheses.
fn terms(text: &str) -> Result<Vec<Term>, UnknownChart> {
    let mut depth = 0;
    let parts = text.split(|character| {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        character == ',' && depth == 0
    });
    parts.map(term).collect()
}

fn term(text: &str) -> Result<Term, UnknownChart> {
    let wrong = || UnknownChart(format!("{text:?} is no column"));
    let Some((function, rest)) = text.split_once('(') else {
        return match text {
            "" => Err(wrong()),
            column => Ok(Term {
                column: column.to_owned(),
                aggregate: None,
            }),
        };
    };
    let inner = rest.strip_suffix(')').ok_or_else(wrong)?;
    let (column, weight) = match inner.split_once(',') {
        Some((column, weight)) => (column, Some(weight.to_owned())),
        None => (inner, None),
    };
    let aggregate = match (function, weight) {
        ("sum", None) => Aggregate::Sum,
        ("min", None) => Aggregate::Min,
        ("max", None) => Aggregate::Max,
        ("mean", Some(weight)) => Aggregate::Mean { weight },
        _ => return Err(wrong()),
    };
    Ok(Term {
        column: column.to_owned(),
        aggregate: Some(aggregate),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(text: &str) -> ChartSpec {
        text.parse().expect(text)
    }

    #[test]
    fn a_chart_is_read_from_words() {
        let read = spec("bar x=day y=sum(a),mean(b,n),c stacked");
        assert_eq!(read.kind, Some(ChartKind::Bar));
        assert_eq!(read.x.as_deref(), Some("day"));
        let terms: Vec<String> = read.y.iter().map(Term::to_string).collect();
        assert_eq!(terms, ["sum(a)", "mean(b,n)", "c"]);
        assert!(read.is_stacked);
        assert_eq!(spec("auto"), ChartSpec::default());
    }

    #[test]
    fn what_is_no_chart_says_what_one_is() {
        for text in [
            "pie",
            "",
            "bar day",
            "bar y=median(a)",
            "line y=a,",
            "bar y=sum(a",
        ] {
            let error = text.parse::<ChartSpec>().expect_err(text);
            assert!(error.to_string().contains("write a chart as"), "{error}");
        }
    }

    #[test]
    fn the_querys_own_chart_stands_where_nothing_else_is_said() {
        let sql = "-- What?\n-- chart: bar x=day y=n by=channel\nSELECT 1";
        let declared = ChartSpec::declared(sql).expect("a chart");
        let check = |asked: &str, expected: &str| {
            assert_eq!(
                spec(asked).or_declared(declared.clone()),
                spec(expected),
                "{asked}"
            );
        };
        check("auto", "bar x=day y=n by=channel");
        check("bar", "bar x=day y=n by=channel");
        check("line", "line x=day y=n by=channel");
        check("heatmap", "heatmap");
        check("line y=m", "line y=m");
        assert_eq!(
            ChartSpec::declared("-- What?\nSELECT 1").expect("none"),
            None
        );
        assert!(ChartSpec::declared("-- chart: pie\nSELECT 1").is_err());
    }
}
