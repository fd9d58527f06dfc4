//! The doctor: what the lake's events say of their own delivery, in words. Measures by SQL, judges purely, writes
//! nothing.

mod evidence;
mod findings;
#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};
use lake::Lake;

pub use evidence::Evidence;
pub use findings::{Finding, Severity};

use crate::run::TransformError;
use crate::settings::Settings;

/// What was looked at, and what was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Diagnosis {
    /// Events of the days looked at.
    pub events: u64,
    /// Problems first.
    pub findings: Vec<Finding>,
}

/// Examines the events of the last `days` days that have any, and the state of the facts. `now` is the machine's clock.
///
/// # Errors
/// As storage gives them.
pub async fn examine(
    lake: &Lake,
    settings: &Settings,
    days: u32,
    now: DateTime<Utc>,
) -> Result<Diagnosis, TransformError> {
    let evidence = Evidence::gather(lake, settings, days).await?;
    Ok(Diagnosis {
        events: evidence.events(),
        findings: findings::judge(&evidence, settings, now),
    })
}
