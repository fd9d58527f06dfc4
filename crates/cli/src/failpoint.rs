//! Which place the process is to end at, for the tests of faults. Compiled only with the feature `failpoints`.

/// Reads `FAILPOINT=name:nth` from the environment.
pub fn arm() {
    let Ok(text) = std::env::var("FAILPOINT") else {
        return;
    };
    let (name, nth) = text.split_once(':').unwrap_or((&text, "1"));
    lake::failpoints::arm(name, nth.parse().expect("FAILPOINT=name:nth"));
}
