//! `service_level(wait_seconds, exit, seconds, 'variant')`: of the waits in a group, how many per cent were
//! answered within so many seconds. Companies count differently, so the variant is always named.
//!
//! As in the lake's facts: a wait still open, one that went on in another department, and one answered after
//! an unknown time are in no rate.

use arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Int64Type};
use datafusion::common::exec_datafusion_err;
use datafusion::common::types::{NativeType, logical_int64, logical_string};
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Coercion, Signature, TypeSignatureClass,
    Volatility,
};
use datafusion::scalar::ScalarValue;
use std::sync::Arc;

use crate::mistake::did_you_mean;

pub(crate) fn function() -> Arc<AggregateUDF> {
    let whole = || {
        Coercion::new_implicit(
            TypeSignatureClass::Native(logical_int64()),
            vec![TypeSignatureClass::Integer],
            NativeType::Int64,
        )
    };
    let text = || Coercion::new_exact(TypeSignatureClass::Native(logical_string()));
    Arc::new(AggregateUDF::from(ServiceLevel {
        signature: Signature::coercible(
            vec![whole(), text(), whole(), text()],
            Volatility::Immutable,
        ),
    }))
}

/// What is counted as good, over what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Variant {
    OfAnswered,
    OfOffered,
    OfOfferedLessShort,
    OfOfferedLessEarly,
    OrLeftEarlyOfOffered,
}

const VARIANTS: [(&str, Variant); 5] = [
    ("answered_of_answered", Variant::OfAnswered),
    ("answered_of_offered", Variant::OfOffered),
    (
        "answered_of_offered_less_short",
        Variant::OfOfferedLessShort,
    ),
    (
        "answered_of_offered_less_early",
        Variant::OfOfferedLessEarly,
    ),
    (
        "answered_or_left_early_of_offered",
        Variant::OrLeftEarlyOfOffered,
    ),
];

#[derive(Debug, PartialEq, Eq, Hash)]
struct ServiceLevel {
    signature: Signature,
}

impl AggregateUDFImpl for ServiceLevel {
    fn name(&self) -> &str {
        "service_level"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn accumulator(&self, _args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Counts::default()))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let field = |name: &str| {
            let name = format!("{}[{name}]", args.name);
            Arc::new(Field::new(name, DataType::Int64, true))
        };
        Ok(STATE.into_iter().map(field).collect())
    }
}

const STATE: [&str; 7] = [
    "variant",
    "answered_in_time",
    "answered_late",
    "abandoned_early",
    "abandoned_late",
    "short_abandoned_early",
    "short_abandoned_late",
];

/// The waits of a group, by how they ended, and on which side of the limit.
#[derive(Debug, Default)]
struct Counts {
    /// Its place among the variants.
    variant: Option<usize>,
    answered: Sides,
    abandoned: Sides,
    short_abandoned: Sides,
}

#[derive(Debug, Default, Clone, Copy)]
struct Sides {
    within: i64,
    beyond: i64,
}

impl Sides {
    fn total(self) -> i64 {
        self.within + self.beyond
    }
}

impl Counts {
    fn rate(&self) -> Option<f64> {
        let (answered, abandoned, short) = (self.answered, self.abandoned, self.short_abandoned);
        let offered = answered.total() + abandoned.total() + short.total();
        let early = abandoned.within + short.within;
        let (good, all) = match VARIANTS[self.variant?].1 {
            Variant::OfAnswered => (answered.within, answered.total()),
            Variant::OfOffered => (answered.within, offered),
            Variant::OfOfferedLessShort => (answered.within, offered - short.total()),
            Variant::OfOfferedLessEarly => (answered.within, offered - early),
            Variant::OrLeftEarlyOfOffered => (answered.within + early, offered),
        };
        (all > 0).then(|| 100.0 * good as f64 / all as f64)
    }

    fn learn_variant(&mut self, names: &ArrayRef) -> Result<()> {
        let names = cast(names, &DataType::Utf8)?;
        let Some(name) = names.as_string::<i32>().iter().flatten().next() else {
            return Ok(());
        };
        let found = VARIANTS.iter().position(|(known, _)| *known == name);
        self.variant = Some(found.ok_or_else(|| {
            let known = VARIANTS.map(|(known, _)| known);
            let advice = did_you_mean(name, known.into_iter())
                .unwrap_or_else(|| format!("; there are {}", known.join(", ")));
            exec_datafusion_err!("service_level has no variant {name:?}{advice}")
        })?);
        Ok(())
    }
}

impl Accumulator for Counts {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        if self.variant.is_none() {
            self.learn_variant(&values[3])?;
        }
        let waits = cast(&values[0], &DataType::Int64)?;
        let exits = cast(&values[1], &DataType::Utf8)?;
        let limits = cast(&values[2], &DataType::Int64)?;
        let (waits, limits) = (
            waits.as_primitive::<Int64Type>(),
            limits.as_primitive::<Int64Type>(),
        );
        for (row, exit) in exits.as_string::<i32>().iter().enumerate() {
            let sides = match exit {
                Some("answered") if waits.is_valid(row) => &mut self.answered,
                Some("abandoned") => &mut self.abandoned,
                Some("short_abandoned") => &mut self.short_abandoned,
                _ => continue,
            };
            let is_within = waits.is_valid(row)
                && limits.is_valid(row)
                && waits.value(row) <= limits.value(row);
            match is_within {
                true => sides.within += 1,
                false => sides.beyond += 1,
            }
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(ScalarValue::Float64(self.rate()))
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let variant = self.variant.map(|variant| variant as i64);
        let counts = [self.answered, self.abandoned, self.short_abandoned];
        let counts = counts.iter().flat_map(|sides| [sides.within, sides.beyond]);
        Ok(std::iter::once(variant)
            .chain(counts.map(Some))
            .map(ScalarValue::Int64)
            .collect())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let column = |place: usize| -> &Int64Array { states[place].as_primitive() };
        let variant = column(0).iter().flatten().next();
        self.variant = variant
            .and_then(|variant| usize::try_from(variant).ok())
            .or(self.variant);
        let sum = |place: usize| column(place).iter().flatten().sum::<i64>();
        let counts = [
            &mut self.answered,
            &mut self.abandoned,
            &mut self.short_abandoned,
        ];
        for (place, sides) in counts.into_iter().enumerate() {
            sides.within += sum(1 + 2 * place);
            sides.beyond += sum(2 + 2 * place);
        }
        Ok(())
    }
}
