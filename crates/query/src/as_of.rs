//! The lake as it was: the newest version of each table, one of its versions, or what it was at an instant.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use lake::{Lake, LakeError, Table};

use crate::parameters::instant;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AsOf {
    #[default]
    Now,
    /// A version of a table. Each has its own count, so a statement that names two tables by one
    /// version is a mistake.
    Version(u64),
    /// What had been committed by then.
    Instant(DateTime<Utc>),
}

impl AsOf {
    /// A whole number is a version; else it is a time, of `zone` where it says no offset.
    ///
    /// # Errors
    /// What it should have been.
    pub fn parse(text: &str, zone: Tz) -> Result<AsOf, String> {
        if let Ok(version) = text.parse() {
            return Ok(AsOf::Version(version));
        }
        let instant = instant(text, zone).and_then(DateTime::from_timestamp_micros);
        instant.map(AsOf::Instant).ok_or_else(|| {
            format!(
                "{text:?} is neither a version nor a time; write 12, 2024-03-01T18:00:00Z, \
                or '2024-03-01 18:00' of the business time zone"
            )
        })
    }

    pub(crate) async fn open(self, lake: &Lake, name: &str) -> Result<Table, LakeError> {
        match self {
            AsOf::Now => lake.existing(name).await,
            AsOf::Version(version) => lake.existing_at(name, version).await,
            AsOf::Instant(instant) => lake.existing_as_of(name, instant).await,
        }
    }
}
