//! The distinct values of groups, all in one set.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int64Array, LargeListArray, UInt64Array,
    new_empty_array,
};
use arrow::buffer::{BooleanBuffer, NullBuffer, OffsetBuffer};
use arrow::compute::{filter, prep_null_mask_filter, take};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, UInt64Type};
use datafusion::common::exec_datafusion_err;
use datafusion::error::Result;
use datafusion::logical_expr::{Accumulator, EmitTo, GroupsAccumulator};
use datafusion::physical_plan::aggregates::group_values::{GroupValues, new_group_values};
use datafusion::physical_plan::aggregates::order::GroupOrdering;
use datafusion::scalar::ScalarValue;

pub(super) struct Counted {
    /// The number of a group, and a value of each argument.
    schema: SchemaRef,
    /// Rows of the schema, each once.
    seen: Box<dyn GroupValues>,
    /// By group, how many rows of `seen` are its own.
    counts: Vec<i64>,
    /// Room for the places of rows in `seen`.
    places: Vec<usize>,
}

impl Counted {
    pub fn new(types: Vec<DataType>) -> Result<Self> {
        let group = Field::new("group", DataType::UInt64, false);
        let values = types.into_iter().enumerate();
        let values =
            values.map(|(place, data_type)| Field::new(place.to_string(), data_type, true));
        let schema = Arc::new(Schema::new(
            std::iter::once(group).chain(values).collect::<Vec<_>>(),
        ));
        Ok(Self {
            seen: empty(&schema)?,
            schema,
            counts: Vec::new(),
            places: Vec::new(),
        })
    }

    /// Counts the values, none of which is NULL, that the groups have not had yet.
    fn add(&mut self, groups: UInt64Array, values: Vec<ArrayRef>) -> Result<()> {
        if groups.is_empty() {
            return Ok(());
        }
        let known = self.seen.len();
        let columns: Vec<ArrayRef> = std::iter::once(Arc::new(groups.clone()) as ArrayRef)
            .chain(values)
            .collect();
        self.seen.intern(&columns, &mut self.places)?;
        let mut is_counted = vec![false; self.seen.len() - known];
        for (place, group) in self.places.iter().zip(groups.values()) {
            let new = place.checked_sub(known).map(|new| &mut is_counted[new]);
            if let Some(is_counted) = new.filter(|is_counted| !**is_counted) {
                *is_counted = true;
                self.counts[*group as usize] += 1;
            }
        }
        Ok(())
    }

    /// The values of the groups that are asked for, by group, with the count of each; what is left keeps the
    /// values of the others.
    fn take_out(&mut self, emit_to: EmitTo) -> Result<(Vec<i64>, Vec<ArrayRef>)> {
        let counts = emit_to.take_needed(&mut self.counts);
        if self.seen.is_empty() {
            // Of some types a set that never had a row cannot give its rows out.
            let values = self.schema.fields()[1..].iter();
            let values = values.map(|field| new_empty_array(field.data_type()));
            return Ok((counts, values.collect()));
        }
        let mut columns = self.seen.emit(EmitTo::All)?;
        self.seen = empty(&self.schema)?;
        for (column, field) in columns.iter_mut().zip(self.schema.fields()) {
            if column.data_type() != field.data_type() {
                *column = arrow::compute::cast(column, field.data_type())?;
            }
        }
        let groups = columns[0].as_primitive::<UInt64Type>().clone();
        let taken = counts.len() as u64;
        if !self.counts.is_empty() {
            let stays: BooleanArray = groups
                .values()
                .iter()
                .map(|group| Some(*group >= taken))
                .collect();
            let left: Vec<ArrayRef> = columns
                .iter()
                .map(|column| filter(column, &stays))
                .collect::<Result<_, _>>()?;
            let left_groups = left[0]
                .as_primitive::<UInt64Type>()
                .unary(|group| group - taken);
            let counted = self.counts.clone();
            self.add(left_groups, left[1..].to_vec())?;
            self.counts = counted;
        }
        // Each value to the place of its group.
        let mut free: Vec<usize> = offsets(&counts)
            .iter()
            .map(|offset| *offset as usize)
            .collect();
        let mut order = vec![0u64; free.pop().unwrap_or_default()];
        for (row, group) in groups
            .values()
            .iter()
            .enumerate()
            .filter(|(_, group)| **group < taken)
        {
            let place = &mut free[*group as usize];
            order[*place] = row as u64;
            *place += 1;
        }
        let order = UInt64Array::from(order);
        let values = columns[1..].iter().map(|column| take(column, &order, None));
        Ok((counts, values.collect::<Result<_, _>>()?))
    }
}

fn empty(schema: &SchemaRef) -> Result<Box<dyn GroupValues>> {
    new_group_values(schema.clone(), &GroupOrdering::None)
}

/// Where the values of each group begin, and where those of the last end.
fn offsets(counts: &[i64]) -> Vec<i64> {
    let mut end = 0;
    let ends = counts.iter().map(|count| {
        end += count;
        end
    });
    std::iter::once(0).chain(ends).collect()
}

fn lists(counts: &[i64], values: Vec<ArrayRef>) -> Vec<ArrayRef> {
    let offsets = OffsetBuffer::new(offsets(counts).into());
    let list = |values: ArrayRef| {
        let item = Arc::new(Field::new_list_field(values.data_type().clone(), true));
        Arc::new(LargeListArray::new(item, offsets.clone(), values, None)) as ArrayRef
    };
    values.into_iter().map(list).collect()
}

/// The rows that count: of which no value is NULL, and which the filter lets through. `None` for all.
fn counting(values: &[ArrayRef], wanted: Option<&BooleanArray>) -> Option<BooleanArray> {
    let nulls = values
        .iter()
        .fold(None, |nulls: Option<NullBuffer>, value| {
            NullBuffer::union(nulls.as_ref(), value.logical_nulls().as_ref())
        });
    let nulls = nulls.filter(|nulls| nulls.null_count() > 0);
    let wanted = wanted.map(|wanted| match wanted.null_count() {
        0 => wanted.values().clone(),
        _ => prep_null_mask_filter(wanted).values().clone(),
    });
    let rows: BooleanBuffer = match (nulls, wanted) {
        (None, None) => return None,
        (Some(nulls), None) => nulls.inner().clone(),
        (None, Some(wanted)) => wanted,
        (Some(nulls), Some(wanted)) => nulls.inner() & &wanted,
    };
    Some(BooleanArray::new(rows, None))
}

impl GroupsAccumulator for Counted {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        opt_filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.counts.resize(total_num_groups, 0);
        let groups: UInt64Array = group_indices
            .iter()
            .map(|group| Some(*group as u64))
            .collect();
        match counting(values, opt_filter) {
            None => self.add(groups, values.to_vec()),
            Some(rows) => {
                let values = values.iter().map(|value| filter(value, &rows));
                let values = values.collect::<Result<_, _>>()?;
                let groups = filter(&groups, &rows)?;
                self.add(groups.as_primitive::<UInt64Type>().clone(), values)
            }
        }
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        if matches!(emit_to, EmitTo::All) {
            self.seen = empty(&self.schema)?;
            let counts = std::mem::take(&mut self.counts);
            return Ok(Arc::new(Int64Array::from(counts)));
        }
        let (counts, _) = self.take_out(emit_to)?;
        Ok(Arc::new(Int64Array::from(counts)))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let (counts, values) = self.take_out(emit_to)?;
        Ok(lists(&counts, values))
    }

    fn merge_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        total_num_groups: usize,
    ) -> Result<()> {
        self.counts.resize(total_num_groups, 0);
        let lists: Vec<&LargeListArray> = values.iter().map(|list| list.as_list()).collect();
        let Some(first) = lists.first() else {
            return Ok(());
        };
        let offsets = first.offsets();
        let groups: UInt64Array = group_indices
            .iter()
            .zip(offsets.lengths())
            .flat_map(|(group, length)| std::iter::repeat_n(Some(*group as u64), length))
            .collect();
        let flat = lists.iter().map(|list| {
            let start = list.offsets()[0] as usize;
            list.values().slice(start, groups.len())
        });
        let flat = flat.collect();
        self.add(groups, flat)
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        opt_filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        let rows = values.first().map_or(0, |value| value.len());
        let Some(counting) = counting(values, opt_filter) else {
            return Ok(lists(&vec![1; rows], values.to_vec()));
        };
        let counts: Vec<i64> = counting.values().iter().map(i64::from).collect();
        let values = values.iter().map(|value| filter(value, &counting));
        Ok(lists(&counts, values.collect::<Result<_, _>>()?))
    }

    fn size(&self) -> usize {
        size_of::<Self>()
            + self.seen.size()
            + self.counts.capacity() * size_of::<i64>()
            + self.places.capacity() * size_of::<usize>()
    }
}

/// Of a query without GROUP BY.
pub(super) struct OneGroup(Mutex<Counted>);

impl OneGroup {
    pub fn new(counted: Counted) -> Self {
        Self(Mutex::new(counted))
    }

    fn counted(&mut self) -> &mut Counted {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Accumulator for OneGroup {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let rows = values.first().map_or(0, |value| value.len());
        self.counted().update_batch(values, &vec![0; rows], None, 1)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let counts = self.counted().counts.first().copied();
        Ok(ScalarValue::Int64(Some(counts.unwrap_or_default())))
    }

    fn size(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let counted = self.counted();
        counted.counts.resize(1, 0);
        let lists = counted.state(EmitTo::All)?.into_iter();
        let state = lists.map(|list| match list.as_list_opt::<i64>() {
            Some(list) => Ok(ScalarValue::LargeList(Arc::new(list.clone()))),
            None => Err(exec_datafusion_err!("the state is no list")),
        });
        state.collect()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let rows = states.first().map_or(0, |state| state.len());
        self.counted().merge_batch(states, &vec![0; rows], 1)
    }
}

impl fmt::Debug for OneGroup {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("OneGroup")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use arrow::array::{DictionaryArray, NullArray, StringArray};
    use arrow::datatypes::Int32Type;

    use super::*;

    const GROUPS: [usize; 8] = [0, 2, 0, 1, 2, 2, 0, 3];
    const TEXTS: [Option<&str>; 8] = [
        Some("a"),
        Some("b"),
        Some("a"),
        None,
        Some("c"),
        Some("b"),
        Some("d"),
        Some("a"),
    ];
    const NUMBERS: [Option<i64>; 8] = [
        Some(1),
        Some(1),
        Some(2),
        Some(3),
        Some(1),
        Some(1),
        None,
        Some(9),
    ];

    fn filled() -> Counted {
        let mut counted = Counted::new(vec![DataType::Utf8, DataType::Int64]).expect("a set");
        counted
            .update_batch(&columns(), &GROUPS, Some(&wanted()), 4)
            .expect("counted");
        counted
    }

    fn columns() -> Vec<ArrayRef> {
        vec![
            Arc::new(StringArray::from(TEXTS.to_vec())),
            Arc::new(Int64Array::from(NUMBERS.to_vec())),
        ]
    }

    /// All but the last group's.
    fn wanted() -> BooleanArray {
        GROUPS
            .iter()
            .map(|group| if *group < 3 { Some(true) } else { None })
            .collect()
    }

    /// What must be counted of the group, without any of the code above.
    fn expected(group: usize) -> i64 {
        let rows = GROUPS.iter().zip(TEXTS.iter().zip(NUMBERS));
        let values: HashSet<_> = rows
            .filter(|(of, (text, number))| {
                **of == group && group < 3 && text.is_some() && number.is_some()
            })
            .map(|(_, values)| values)
            .collect();
        values.len() as i64
    }

    fn counts(array: &ArrayRef) -> Vec<i64> {
        array
            .as_primitive::<arrow::datatypes::Int64Type>()
            .values()
            .to_vec()
    }

    fn all_expected() -> Vec<i64> {
        (0..4).map(expected).collect()
    }

    #[test]
    fn combinations_without_null_are_counted_by_group() {
        assert_eq!(all_expected(), [2, 0, 2, 0]);
        let mut counted = filled();
        assert_eq!(
            counts(&counted.evaluate(EmitTo::All).expect("counts")),
            all_expected()
        );
        assert!(counted.seen.is_empty() && counted.counts.is_empty());
    }

    #[test]
    fn states_merge_to_the_same_counts_however_they_were_cut() {
        let merged = |states: Vec<(Vec<ArrayRef>, Vec<usize>)>| {
            let mut merged = Counted::new(vec![DataType::Utf8, DataType::Int64]).expect("a set");
            for (state, groups) in states {
                merged.merge_batch(&state, &groups, 4).expect("merged");
            }
            counts(&merged.evaluate(EmitTo::All).expect("counts"))
        };
        let whole = filled().state(EmitTo::All).expect("a state");
        // The same state twice has nothing new.
        let groups = vec![0, 1, 2, 3];
        let twice = vec![(whole.clone(), groups.clone()), (whole.clone(), groups)];
        assert_eq!(merged(twice), all_expected());
        // A part of a longer array, as exchanges hand it on.
        let part: Vec<ArrayRef> = whole.iter().map(|list| list.slice(2, 2)).collect();
        assert_eq!(merged(vec![(part, vec![2, 3])])[2], expected(2));

        let mut cut = filled();
        let first = cut.state(EmitTo::First(1)).expect("a state");
        let rest = cut.state(EmitTo::All).expect("a state");
        assert_eq!(
            merged(vec![(first, vec![0]), (rest, vec![1, 2, 3])]),
            all_expected()
        );
        let rows = filled()
            .convert_to_state(&columns(), Some(&wanted()))
            .expect("a state");
        assert_eq!(merged(vec![(rows, GROUPS.to_vec())]), all_expected());
    }

    #[test]
    fn groups_without_any_value_have_a_state_whatever_the_type() {
        let texts: DictionaryArray<Int32Type> = ["a", "b"].into_iter().collect();
        let none = BooleanArray::from(vec![false, false]);
        let arrays: [ArrayRef; 3] = [
            Arc::new(NullArray::new(2)),
            Arc::new(texts),
            Arc::new(Int64Array::from(vec![1, 2])),
        ];
        for array in arrays {
            let data_type = array.data_type().clone();
            let new = || Counted::new(vec![data_type.clone()]).expect("a set");
            let values = [array];
            let mut grouped = new();
            grouped
                .update_batch(&values, &[0, 1], Some(&none), 2)
                .expect("counted");
            let first = grouped.evaluate(EmitTo::First(1)).expect("counts");
            assert_eq!(counts(&first), [0], "{data_type}");
            let state = grouped.state(EmitTo::All).expect("a state");
            let mut merged = new();
            merged.merge_batch(&state, &[0], 1).expect("merged");
            let all = merged.evaluate(EmitTo::All).expect("counts");
            assert_eq!(counts(&all), [0], "{data_type}");

            let rows = [values[0].slice(0, 0)];
            let mut alone = OneGroup::new(new());
            alone.update_batch(&rows).expect("counted");
            let state = alone.state().expect("a state");
            let state = state.iter().map(|list| list.to_array().expect("a list"));
            let mut merged = OneGroup::new(new());
            merged
                .merge_batch(&state.collect::<Vec<_>>())
                .expect("merged");
            let count = merged.evaluate().expect("a count");
            assert_eq!(count, ScalarValue::Int64(Some(0)), "{data_type}");
        }
    }

    #[test]
    fn groups_that_stay_keep_their_values_under_their_new_numbers() {
        let mut counted = filled();
        let first = counted.evaluate(EmitTo::First(2)).expect("counts");
        assert_eq!(counts(&first), all_expected()[..2]);
        // Group 2 is group 0 by now: the same values once more are no new ones, and "z" is.
        let again: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from(vec!["b", "c", "z"])),
            Arc::new(Int64Array::from(vec![1, 1, 1])),
        ];
        counted
            .update_batch(&again, &[0, 0, 0], None, 2)
            .expect("counted");
        let rest = counted.evaluate(EmitTo::All).expect("counts");
        assert_eq!(counts(&rest), [expected(2) + 1, 0]);
    }
}
