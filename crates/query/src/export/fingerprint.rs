//! What tells two states of a partition apart: a hash of its rows, whatever order they come in.

use arrow::array::ArrayRef;
use arrow::datatypes::Schema;
use arrow::error::ArrowError;
use arrow::row::{RowConverter, Rows, SortField};

/// The sum of the rows' hashes, as long as one: rows may be added in any order, and none can be left
/// out, added or changed without changing it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Fingerprint {
    low: u128,
    high: u128,
    pub rows: u64,
}

impl Fingerprint {
    pub fn add(&mut self, row: &[u8]) {
        let hash = blake3::hash(row);
        let (low, high) = hash.as_bytes().split_at(16);
        let number = |bytes: &[u8]| {
            bytes
                .iter()
                .fold(0_u128, |number, byte| number << 8 | u128::from(*byte))
        };
        let carry;
        (self.low, carry) = self.low.overflowing_add(number(low));
        self.high = self
            .high
            .wrapping_add(number(high))
            .wrapping_add(u128::from(carry));
        self.rows += 1;
    }

    /// As text, which also depends on `seed`: what else an object is made of.
    pub fn text(&self, seed: &str) -> String {
        let mut hasher = blake3::Hasher::new();
        hasher.update(seed.as_bytes());
        hasher.update(&self.low.to_le_bytes());
        hasher.update(&self.high.to_le_bytes());
        hasher.update(&self.rows.to_le_bytes());
        hasher.finalize().to_hex()[..32].to_owned()
    }
}

/// Rows as bytes that are equal where the rows are.
pub(super) struct RowBytes(RowConverter);

impl RowBytes {
    pub fn of(schema: &Schema) -> Result<Self, ArrowError> {
        let fields = schema.fields().iter();
        let fields = fields.map(|field| SortField::new(field.data_type().clone()));
        Ok(Self(RowConverter::new(fields.collect())?))
    }

    pub fn rows(&self, columns: &[ArrayRef]) -> Result<Rows, ArrowError> {
        self.0.convert_columns(columns)
    }
}

#[cfg(test)]
mod tests {
    use super::Fingerprint;

    fn of(rows: &[&str]) -> Fingerprint {
        let mut fingerprint = Fingerprint::default();
        rows.iter().for_each(|row| fingerprint.add(row.as_bytes()));
        fingerprint
    }

    #[test]
    fn rows_count_and_their_order_does_not() {
        assert_eq!(of(&["a", "b", "c"]), of(&["c", "a", "b"]));
        for other in [
            &["a", "b"][..],
            &["a", "b", "b"],
            &["a", "b", "d"],
            &["a", "b", "c", "c"],
        ] {
            assert_ne!(of(&["a", "b", "c"]), of(other), "{other:?}");
        }
        assert_ne!(of(&["a"]).text("seed"), of(&["a"]).text("another"));
        assert_eq!(of(&["a"]).text("seed"), of(&["a"]).text("seed"));
    }
}
