//! From a result to what is drawn: which columns, at which places, what of several rows at one place.

use std::collections::HashMap;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, Float64Type, SchemaRef, TimeUnit, TimestampSecondType};
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::model::{Bars, Bin, Body, Figure, Heat, Measure, Positions, Series, extent};
use super::scale::{Unit, axis, time_name};
use super::spec::{Aggregate, ChartKind, ChartSpec, Term};
use crate::error::QueryError;
use crate::mistake::did_you_mean;

/// More series than colors cannot be told apart.
const MOST_SERIES: usize = 8;
const MOST_BARS: usize = 60;
const MOST_BARS_IN_ORDER: usize = 400;
const MOST_ROWS_OF_HEAT: usize = 60;
const MOST_COLUMNS_OF_HEAT: usize = 200;
const BINS: usize = 16;
/// A place without a value of its column.
const NOWHERE: &str = "(none)";

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

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Time,
    Number,
    /// Text, truth, and numbers that only name: ids.
    Name,
    /// Lists and the like.
    Other,
}

fn role(name: &str, data_type: &DataType) -> Role {
    match data_type {
        DataType::Dictionary(_, values) => role(name, values),
        DataType::Date32 | DataType::Date64 | DataType::Timestamp(..) => Role::Time,
        number if number.is_numeric() && (name == "id" || name.ends_with("_id")) => Role::Name,
        number if number.is_numeric() => Role::Number,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Boolean => Role::Name,
        _ => Role::Other,
    }
}

struct Rows {
    rows: RecordBatch,
    notes: Vec<String>,
}

/// The distinct values of a column, in the order in which they stand along an axis.
struct Places {
    labels: Vec<String>,
    /// Where they are times or numbers.
    values: Option<Vec<f64>>,
    is_time: bool,
    unit: Unit,
    /// Of each row; none for one that has no place.
    of_row: Vec<Option<usize>>,
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
            Some(by) => self.series_by(&terms[0], &places, by)?,
            None => terms
                .iter()
                .map(|term| {
                    Ok(Series {
                        name: readable(&term.column),
                        values: self.measure(term, &places, None, &x)?,
                    })
                })
                .collect::<Result<Vec<_>, QueryError>>()?,
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

    fn series_by(
        &mut self,
        term: &Term,
        places: &Places,
        by: &str,
    ) -> Result<Vec<Series>, QueryError> {
        let groups = self.places(by, false)?;
        let mut series = Vec::new();
        for (number, name) in groups.labels.iter().enumerate() {
            let values = self.measure(term, places, Some((&groups, number)), by)?;
            series.push(Series {
                name: name.clone(),
                values,
            });
        }
        if series.len() > MOST_SERIES {
            let total = |series: &Series| {
                series
                    .values
                    .iter()
                    .flatten()
                    .map(|value| value.abs())
                    .sum::<f64>()
            };
            self.notes.push(format!(
                "of {} values of {by}, the {MOST_SERIES} with the most are shown",
                series.len()
            ));
            series.sort_by(|one, other| total(other).total_cmp(&total(one)));
            series.truncate(MOST_SERIES);
        }
        Ok(series)
    }

    /// The term's value at each place, over the rows of the group.
    fn measure(
        &self,
        term: &Term,
        places: &Places,
        group: Option<(&Places, usize)>,
        apart: &str,
    ) -> Result<Vec<Option<f64>>, QueryError> {
        let in_group =
            |row: usize| group.is_none_or(|(groups, number)| groups.of_row[row] == Some(number));
        let rows = (0..self.rows.num_rows()).filter(|row| in_group(*row));
        let of_row = |row: usize| places.of_row[row];
        self.gathered(
            term,
            places.labels.len(),
            rows.map(|row| (row, of_row(row))),
            &|place| format!("{apart} = {}", places.labels[place]),
        )
    }

    /// The term's value at each place, of the rows that stand there.
    fn gathered(
        &self,
        term: &Term,
        count: usize,
        rows: impl Iterator<Item = (usize, Option<usize>)>,
        name: &dyn Fn(usize) -> String,
    ) -> Result<Vec<Option<f64>>, QueryError> {
        let values = self.numbers(&term.column)?;
        let weights = match &term.aggregate {
            Some(Aggregate::Mean { weight }) => Some(self.numbers(weight)?),
            _ => None,
        };
        let mut gathered: Vec<Vec<(f64, f64)>> = vec![Vec::new(); count];
        let mut used = vec![false; count];
        for (row, place) in rows {
            let Some(place) = place else {
                continue;
            };
            if term.aggregate.is_none() && std::mem::replace(&mut used[place], true) {
                return Err(impossible(format!(
                    "several rows stand at {}; tell them apart with by=COLUMN, or say y=sum({column}), \
                     max({column}), min({column}) or mean({column},WEIGHT)",
                    name(place),
                    column = term.column
                )));
            }
            let weight = weights.as_ref().map_or(Some(1.0), |weights| weights[row]);
            gathered[place].extend(values[row].zip(weight));
        }
        let value = |values: &Vec<(f64, f64)>| {
            let numbers = values.iter().map(|(value, _)| *value);
            let (low, high) = extent(numbers.clone())?;
            match &term.aggregate {
                None | Some(Aggregate::Sum) => Some(numbers.sum()),
                Some(Aggregate::Min) => Some(low),
                Some(Aggregate::Max) => Some(high),
                Some(Aggregate::Mean { .. }) => {
                    let weight: f64 = values.iter().map(|(_, weight)| weight).sum();
                    let sum: f64 = values.iter().map(|(value, weight)| value * weight).sum();
                    (weight > 0.0).then_some(sum / weight)
                }
            }
        };
        Ok(gathered.iter().map(value).collect())
    }

    fn heat(&mut self, spec: &ChartSpec) -> Result<(Body, String), QueryError> {
        let value_column = spec.value.as_ref().map(|term| term.column.clone());
        let mut taken: Vec<String> = [&spec.x, &value_column]
            .into_iter()
            .flatten()
            .cloned()
            .collect();
        taken.extend(spec.y.first().map(|term| term.column.clone()));
        let mut next = |this: &Rows| {
            let except: Vec<&str> = taken.iter().map(String::as_str).collect();
            let found = [Role::Time, Role::Name, Role::Number]
                .into_iter()
                .find_map(|role| this.first(role, &except));
            taken.extend(found.clone());
            found
        };
        let needs = || {
            impossible("a heat map needs two columns for its sides and one of numbers".to_owned())
        };
        let x = match &spec.x {
            Some(x) => x.clone(),
            None => next(self).ok_or_else(needs)?,
        };
        let y = match spec.y.first() {
            Some(term) => term.column.clone(),
            None => next(self).ok_or_else(needs)?,
        };
        let value = match &spec.value {
            Some(value) => value.clone(),
            None => {
                let column = self.first(Role::Number, &[&x, &y]).ok_or_else(needs)?;
                let is_count = Unit::of(&column) == Unit::Number
                    && self.column(&column)?.data_type().is_integer();
                Term {
                    column,
                    aggregate: is_count.then_some(Aggregate::Sum),
                }
            }
        };
        let (columns, rows) = (self.places(&x, false)?, self.places(&y, false)?);
        let (width, height) = (columns.labels.len(), rows.labels.len());
        let place = |row: usize| Some(rows.of_row[row]? * width + columns.of_row[row]?);
        let cells = self.gathered(
            &value,
            width * height,
            (0..self.rows.num_rows()).map(|row| (row, place(row))),
            &|place| {
                format!(
                    "{x} = {} and {y} = {}",
                    columns.labels[place % width],
                    rows.labels[place / width]
                )
            },
        )?;
        if cells.iter().all(Option::is_none) {
            return Err(impossible(format!("all values of {value} are NULL")));
        }
        let mut cells: Vec<Vec<Option<f64>>> = cells.chunks(width).map(<[_]>::to_vec).collect();
        let is_ordered = columns.values.is_some();
        let (mut columns, mut rows) = (columns.labels, rows.labels);
        if height > MOST_ROWS_OF_HEAT || width > MOST_COLUMNS_OF_HEAT {
            self.notes.push(format!(
                "the first {} of {height} rows and {} of {width} columns are shown",
                height.min(MOST_ROWS_OF_HEAT),
                width.min(MOST_COLUMNS_OF_HEAT)
            ));
            cells.truncate(MOST_ROWS_OF_HEAT);
            rows.truncate(MOST_ROWS_OF_HEAT);
            columns.truncate(MOST_COLUMNS_OF_HEAT);
            for cells in &mut cells {
                cells.truncate(MOST_COLUMNS_OF_HEAT);
            }
        }
        let measure = Measure {
            name: measure_name(&value),
            unit: Unit::of(&value.column),
        };
        let (column_name, row_name) = (self.axis_name(&x), self.axis_name(&y));
        let about = format!("{} by {row_name} and {column_name}", measure.name);
        let body = Body::Heat(Heat {
            columns,
            column_name,
            is_ordered,
            rows,
            row_name,
            cells,
            value: measure,
        });
        Ok((body, about))
    }

    fn histogram(&mut self, spec: &ChartSpec) -> Result<(Body, String), QueryError> {
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

    fn places(&mut self, column: &str, in_line: bool) -> Result<Places, QueryError> {
        let array = self.column(column)?;
        let role = role(column, array.data_type());
        let unit = Unit::of(column);
        let values = match role {
            Role::Time => Some(times(&array)?),
            Role::Number => Some(self.numbers(column)?),
            Role::Name | Role::Other => None,
        };
        let Some(values) = values else {
            return named_places(&array, unit);
        };
        let mut distinct: Vec<f64> = values.iter().flatten().copied().collect();
        distinct.sort_by(f64::total_cmp);
        distinct.dedup();
        let mut labels: Vec<String> = distinct
            .iter()
            .map(|value| match role {
                Role::Time => time_name(*value),
                _ => unit.value(*value),
            })
            .collect();
        let unknown = values.iter().filter(|value| value.is_none()).count();
        if unknown > 0 && in_line {
            self.notes.push(format!(
                "not shown, without {column}: {unknown} of {} rows",
                values.len()
            ));
        } else if unknown > 0 {
            labels.push(NOWHERE.to_owned());
        }
        let place = |value: &Option<f64>| match value {
            Some(value) => Some(distinct.partition_point(|other| other < value)),
            None => (!in_line).then_some(distinct.len()),
        };
        Ok(Places {
            of_row: values.iter().map(place).collect(),
            labels,
            values: Some(distinct),
            is_time: role == Role::Time,
            unit,
        })
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

fn times(array: &ArrayRef) -> Result<Vec<Option<f64>>, QueryError> {
    let seconds = cast(array, &DataType::Timestamp(TimeUnit::Second, None)).map_err(unreadable)?;
    let seconds = seconds.as_primitive::<TimestampSecondType>();
    Ok(seconds
        .iter()
        .map(|value| value.map(|value| value as f64))
        .collect())
}

/// In the order in which they first come.
fn named_places(array: &ArrayRef, unit: Unit) -> Result<Places, QueryError> {
    let options = FormatOptions::default();
    let formatter = ArrayFormatter::try_new(array.as_ref(), &options).map_err(unreadable)?;
    let mut labels = Vec::new();
    let mut known: HashMap<String, usize> = HashMap::new();
    let mut of_row = Vec::new();
    for row in 0..array.len() {
        let label = if array.is_null(row) {
            NOWHERE.to_owned()
        } else {
            printable(&formatter.value(row).to_string())
        };
        let place = *known.entry(label.clone()).or_insert_with(|| {
            labels.push(label);
            labels.len() - 1
        });
        of_row.push(Some(place));
    }
    Ok(Places {
        labels,
        values: None,
        is_time: false,
        unit,
        of_row,
    })
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
