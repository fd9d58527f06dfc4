//! What the name of a column says of its values. Tables and charts go by the same rule.

/// Aggregates and the like whose result is of the unit of what they are given.
const KEEP_THE_UNIT: [&str; 14] = [
    "sum",
    "avg",
    "mean",
    "min",
    "max",
    "median",
    "percentile_cont",
    "approx_percentile_cont",
    "approx_median",
    "stddev",
    "round",
    "floor",
    "ceil",
    "abs",
];

/// Whether a column of that name holds seconds, as `wait_seconds` and `avg(wait_seconds)` do. Counts do
/// not: neither `count(wait_seconds)` nor `within_30_seconds`, which says what came within them.
pub(crate) fn is_duration(name: &str) -> bool {
    if let Some((function, rest)) = name.split_once('(') {
        let given = rest.strip_suffix(')').unwrap_or_default();
        // What follows is how it is done, as in `round(x_seconds, 1)`.
        let given = given.split_once(',').map_or(given, |(given, _)| given);
        let keeps = |known: &&str| known.eq_ignore_ascii_case(function.trim());
        return KEEP_THE_UNIT.iter().any(keeps) && is_duration(given.trim());
    }
    let column = name.rsplit('.').next().unwrap_or(name);
    let is_word = |character: char| character.is_alphanumeric() || character == '_';
    match column.strip_suffix("seconds") {
        Some(before) if before.chars().all(is_word) => {
            before.is_empty()
                || before.strip_suffix('_').is_some_and(|before| {
                    let last = before.rsplit('_').next().unwrap_or(before);
                    last.is_empty() || !last.bytes().all(|byte| byte.is_ascii_digit())
                })
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::is_duration;

    #[test]
    fn durations_are_told_from_counts_by_their_names() {
        for name in [
            "seconds",
            "wait_seconds",
            "reply_p90_seconds",
            "avg(wait_seconds)",
            "AVG(t.wait_seconds)",
            "round(avg(wait_seconds), 1)",
            "percentile_cont(wait_seconds,0.9)",
        ] {
            assert!(is_duration(name), "{name}");
        }
        for name in [
            "abandoned_within_30_seconds",
            "abandoned_30_to_60_seconds",
            "max(within_30_seconds)",
            "count(wait_seconds)",
            "chats / handle_seconds",
            "milliseconds",
            "wait_seconds_known",
            "sum(wait_seconds) / count(*)",
        ] {
            assert!(!is_duration(name), "{name}");
        }
    }
}
