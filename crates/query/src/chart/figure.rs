//! From a result to what is drawn: which columns, at which places, what of several rows at one place.

mod gather;
mod heat;
mod histogram;
mod places;

use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, Float64Type, SchemaRef};

use super::model::{Bars, Body, Figure, Measure, Positions};
use super::scale::Unit;
use super::spec::{Aggregate, ChartKind, ChartSpec, Term};
use crate::error::QueryError;
use crate::mistake::did_you_mean;
use places::{Places, Role, role};

const MOST_BARS: usize = 60;
const MOST_BARS_IN_ORDER: usize = 400;

pub(super) fn figure(
    spec: &ChartSpec,
    title: &str,
    schema: &SchemaRef,
    batches: &[RecordBatch],
) -> Result<Figure, QueryError> {
    let rows = concat_batches(schema, batches)
        .map_err(|error| QueryError::Failed(format!("no chart of this result: {error}")))?;
    let result = Rows {
        rows,
        notes: Vec::new(),
    };
    if result.rows.num_rows() == 0 {
        return Ok(Figure {
            title: title.to_owned(),
            body: Body::Nothing,
            notes: vec!["the result has no rows".to_owned()],
        });
    }
    result.figure(spec, title)
}

fn impossible(why: String) -> QueryError {
    QueryError::Parameter(format!("no chart can be drawn: {why}"))
}

struct Rows {
    rows: RecordBatch,
    notes: Vec<String>,
}

impl Rows {
    fn figure(mut self, spec: &ChartSpec, title: &str) -> Result<Figure, QueryError> {
        let kind = match spec.kind {
            Some(kind) => kind,
            None => self.likely_kind()?,
        };
        let (body, about) = match kind {
            ChartKind::Line | ChartKind::Bar => self.series(spec, kind == ChartKind::Line)?,
            ChartKind::Heatmap => self.heat(spec)?,
            ChartKind::Histogram => self.histogram(spec)?,
        };
        Ok(Figure {
            title: if title.is_empty() {
                about
            } else {
                title.to_owned()
            },
            body,
            notes: self.notes,
        })
    }

    fn columns(&self) -> Vec<(String, Role)> {
        let schema = self.rows.schema();
        let fields = schema.fields().iter();
        fields
            .map(|field| (field.name().clone(), role(field.name(), field.data_type())))
            .collect()
    }

    fn first(&self, wanted: Role, except: &[&str]) -> Option<String> {
        let columns = self.columns().into_iter();
        let mut fitting =
            columns.filter(|(name, role)| *role == wanted && !except.contains(&name.as_str()));
        fitting.next().map(|(name, _)| name)
    }

    fn likely_kind(&self) -> Result<ChartKind, QueryError> {
        let numbers = self
            .columns()
            .iter()
            .filter(|(_, role)| *role == Role::Number)
            .count();
        if numbers == 0 {
            return Err(self.no_number());
        }
        Ok(if self.first(Role::Time, &[]).is_some() {
            ChartKind::Line
        } else if self.first(Role::Name, &[]).is_some() || numbers > 1 {
            ChartKind::Bar
        } else {
            ChartKind::Histogram
        })
    }

    fn no_number(&self) -> QueryError {
        let names: Vec<String> = self.columns().into_iter().map(|(name, _)| name).collect();
        impossible(format!(
            "the result has no column of numbers to measure, only {}",
            names.join(", ")
        ))
    }

    fn series(&mut self, spec: &ChartSpec, is_line: bool) -> Result<(Body, String), QueryError> {
        let measured: Vec<&str> = spec.y.iter().map(|term| term.column.as_str()).collect();
        let orders = if is_line {
            [Role::Time, Role::Number, Role::Name]
        } else {
            [Role::Name, Role::Time, Role::Number]
        };
        let x = spec
            .x
            .clone()
            .or_else(|| orders.iter().find_map(|role| self.first(*role, &measured)));
        let x = x.ok_or_else(|| impossible("there is no column for the x axis".to_owned()))?;
        let by = spec.by.clone();
        let places = self.places(&x, is_line)?;
        let (terms, by) = self.terms(spec, &x, by, &places)?;
        let unit = Unit::of(&terms[0].column);
        if let Some(other) = terms.iter().find(|term| Unit::of(&term.column) != unit) {
            return Err(impossible(format!(
                "{} and {other} are of different units",
                terms[0]
            )));
        }
        let mut series = match &by {
            Some(by) => self.series_by(&terms[0], &places, (&x, by))?,
            None => self.series_of(&terms, &places, &x)?,
        };
        if series
            .iter()
            .flat_map(|series| &series.values)
            .all(Option::is_none)
        {
            return Err(impossible(format!("all values of {} are NULL", terms[0])));
        }
        let y = Measure {
            name: match (terms.len(), unit) {
                (1, _) => measure_name(&terms[0]),
                (_, Unit::Seconds) => "time".to_owned(),
                (_, Unit::Percent) => "share".to_owned(),
                (_, Unit::Number) => String::new(),
            },
            unit,
        };
        let x_name = self.axis_name(&x);
        let about = format!(
            "{} by {x_name}",
            if y.name.is_empty() { "values" } else { &y.name }
        );
        if is_line {
            let x = match &places.values {
                Some(values) if places.is_time => Positions::Times(values.clone()),
                Some(values) => Positions::Numbers(values.clone(), places.unit),
                None => Positions::Names(places.labels.clone()),
            };
            return Ok((
                Body::Lines {
                    x,
                    x_name,
                    series,
                    y,
                },
                about,
            ));
        }
        let is_ordered = places.values.is_some();
        let most = if is_ordered {
            MOST_BARS_IN_ORDER
        } else {
            MOST_BARS
        };
        let mut labels = places.labels;
        if labels.len() > most {
            self.notes
                .push(format!("the first {most} of {} are shown", labels.len()));
            labels.truncate(most);
            for series in &mut series {
                series.values.truncate(most);
            }
        }
        let body = Body::Bars(Bars {
            labels,
            x_name,
            is_ordered,
            is_stacked: spec.is_stacked && series.len() > 1,
            series,
            y,
        });
        Ok((body, about))
    }

    /// What is measured, and by which column rows at one place are told apart.
    fn terms(
        &self,
        spec: &ChartSpec,
        x: &str,
        by: Option<String>,
        places: &Places,
    ) -> Result<(Vec<Term>, Option<String>), QueryError> {
        if by.is_some() && spec.y.len() > 1 {
            return Err(impossible("with by= there is one y=".to_owned()));
        }
        if !spec.y.is_empty() {
            return Ok((spec.y.clone(), by));
        }
        let except = [Some(x), by.as_deref()];
        let except: Vec<&str> = except.into_iter().flatten().collect();
        let column = self
            .first(Role::Number, &except)
            .ok_or_else(|| self.no_number())?;
        let mut used = vec![0; places.labels.len()];
        for place in places.of_row.iter().flatten() {
            used[*place] += 1;
        }
        // Counts may be added up; anything else must be said.
        let several = used.iter().any(|count| *count > 1);
        let is_count =
            Unit::of(&column) == Unit::Number && self.column(&column)?.data_type().is_integer();
        let aggregate = (several && is_count).then_some(Aggregate::Sum);
        Ok((vec![Term { column, aggregate }], by))
    }

    fn axis_name(&self, column: &str) -> String {
        let schema = self.rows.schema();
        let field = schema.field_with_name(column).ok();
        let zone = field.and_then(|field| match field.data_type() {
            DataType::Timestamp(_, Some(_)) => Some(" (UTC)"),
            _ => None,
        });
        readable(column) + zone.unwrap_or_default()
    }

    fn column(&self, name: &str) -> Result<ArrayRef, QueryError> {
        if let Some(column) = self.rows.column_by_name(name) {
            return Ok(match column.data_type() {
                DataType::Dictionary(_, values) => cast(column, values).map_err(unreadable)?,
                _ => column.clone(),
            });
        }
        let names: Vec<String> = self.columns().into_iter().map(|(name, _)| name).collect();
        let advice = did_you_mean(name, names.iter().map(String::as_str))
            .unwrap_or_else(|| format!("; there are {}", names.join(", ")));
        Err(impossible(format!(
            "the result has no column {name}{advice}"
        )))
    }

    fn numbers(&self, column: &str) -> Result<Vec<Option<f64>>, QueryError> {
        let array = self.column(column)?;
        if !array.data_type().is_numeric() && !array.data_type().is_null() {
            return Err(impossible(format!("{column} is no column of numbers")));
        }
        let numbers = cast(&array, &DataType::Float64).map_err(unreadable)?;
        let numbers = numbers.as_primitive::<Float64Type>();
        // What is no number has no place.
        Ok(numbers
            .iter()
            .map(|value| value.filter(|value| value.is_finite()))
            .collect())
    }
}

fn unreadable(error: arrow::error::ArrowError) -> QueryError {
    impossible(error.to_string())
}

/// Names come from customers: nothing that moves a terminal's cursor.
fn printable(text: &str) -> String {
    text.chars()
        .map(|character| {
            if character.is_control() {
                ' '
            } else {
                character
            }
        })
        .collect()
}

/// A column's name without its unit, which the axis tells.
fn readable(column: &str) -> String {
    let name = match Unit::of(column) {
        Unit::Seconds => column.strip_suffix("_seconds"),
        Unit::Percent => column.strip_suffix("_pct"),
        Unit::Number => None,
    };
    printable(&name.unwrap_or(column).replace('_', " "))
}

fn measure_name(term: &Term) -> String {
    let name = readable(&term.column);
    match term.aggregate {
        None | Some(Aggregate::Sum | Aggregate::Mean { .. }) => name,
        Some(Aggregate::Min) => format!("least {name}"),
        Some(Aggregate::Max) => format!("greatest {name}"),
    }
}
