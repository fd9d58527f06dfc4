//! Heat maps: a cell for each pair of places.

use super::super::model::{Body, Heat, Measure};
use super::super::scale::Unit;
use super::super::spec::{Aggregate, ChartSpec, Term};
use super::gather::all;
use super::places::Role;
use super::{Rows, impossible, measure_name};
use crate::error::QueryError;

const MOST_ROWS: usize = 60;
const MOST_COLUMNS: usize = 200;

impl Rows {
    pub(super) fn heat(&mut self, spec: &ChartSpec) -> Result<(Body, String), QueryError> {
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
        let is_ordered = columns.values.is_some();
        let (width, height) = (columns.labels.len(), rows.labels.len());
        let (shown_width, shown_height) = (width.min(MOST_COLUMNS), height.min(MOST_ROWS));
        let place = |row: usize| {
            let (row, column) = (rows.of_row[row]?, columns.of_row[row]?);
            (row < shown_height && column < shown_width).then(|| row * shown_width + column)
        };
        let name = |place: usize| {
            let (row, column) = (place / shown_width, place % shown_width);
            format!(
                "{x} = {} and {y} = {}",
                columns.labels[column], rows.labels[row]
            )
        };
        let gathered = self.gathered(&value, place, name)?;
        if gathered.values().all(Option::is_none) {
            return Err(impossible(format!("all values of {value} are NULL")));
        }
        let cells = (0..shown_height).map(|row| all(&gathered, row * shown_width, shown_width));
        let cells = cells.collect();
        let (mut columns, mut rows) = (columns.labels, rows.labels);
        if shown_height < height || shown_width < width {
            self.notes.push(format!(
                "the first {shown_height} of {height} rows and {shown_width} of {width} columns are shown"
            ));
            rows.truncate(shown_height);
            columns.truncate(shown_width);
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
}
