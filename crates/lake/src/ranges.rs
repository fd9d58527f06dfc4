//! Keys as a few ranges, by which files, row groups and pages are passed over: lists of many values are not compared
//! with their statistics.

use std::cmp::Reverse;

use datafusion::prelude::{Expr, col, lit};

/// Each is compared with every row that is not passed over.
const RANGES: usize = 16;

/// True where the column lies in one of at most [`RANGES`] ranges that hold all keys, parted where the keys lie the
/// farthest apart; `None` where there are no keys. The keys come in ascending order.
pub fn near_any_of(column: &str, keys: impl Iterator<Item = i64>) -> Option<Expr> {
    let between = |(first, last): (i64, i64)| {
        let column = col(column);
        column
            .clone()
            .gt_eq(lit(first))
            .and(column.lt_eq(lit(last)))
    };
    ranges(&keys.collect::<Vec<_>>())
        .into_iter()
        .map(between)
        .reduce(Expr::or)
}

/// The first and the last key of each.
fn ranges(keys: &[i64]) -> Vec<(i64, i64)> {
    let (Some(first), Some(last)) = (keys.first(), keys.last()) else {
        return Vec::new();
    };
    let mut gaps: Vec<&[i64]> = keys.windows(2).collect();
    gaps.sort_by_key(|gap| Reverse(gap[1].abs_diff(gap[0])));
    gaps.truncate(RANGES - 1);
    gaps.sort();
    let begins = std::iter::once(*first).chain(gaps.iter().map(|gap| gap[1]));
    let ends = gaps.iter().map(|gap| gap[0]).chain([*last]);
    begins.zip(ends).collect()
}

#[cfg(test)]
mod tests {
    use super::{RANGES, near_any_of, ranges};

    #[test]
    fn few_keys_are_ranges_of_their_own() {
        assert_eq!(ranges(&[]), []);
        assert_eq!(ranges(&[7]), [(7, 7)]);
        assert_eq!(ranges(&[-3, 7, 8]), [(-3, -3), (7, 7), (8, 8)]);
        assert_eq!(
            ranges(&[i64::MIN, i64::MAX]),
            [(i64::MIN, i64::MIN), (i64::MAX, i64::MAX)]
        );
        assert!(near_any_of("chat_id", std::iter::empty()).is_none());
    }

    #[test]
    fn many_keys_are_parted_where_they_lie_apart() {
        let near = 1_000..1_100;
        let far = (1..RANGES as i64).map(|number| number * 10_000);
        let keys: Vec<i64> = near.chain(far.clone()).collect();
        let mut expected = vec![(1_000, 1_099)];
        expected.extend(far.map(|key| (key, key)));
        assert_eq!(ranges(&keys), expected);
        let everywhere: Vec<i64> = (0..1_000).map(|number| number * number).collect();
        let parted = ranges(&everywhere);
        assert_eq!(parted.len(), RANGES);
        let is_in_one = |key: &i64| {
            parted
                .iter()
                .filter(|(first, last)| (first..=last).contains(&key))
                .count()
                == 1
        };
        assert!(everywhere.iter().all(is_in_one));
    }
}
