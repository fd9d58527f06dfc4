//! Time at the support desk: local strings, and how many chats start in which quarter of an hour.

use chrono::{
    DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Timelike, Weekday,
};
use chrono_tz::America::Sao_Paulo;

pub const DAY: i64 = 86_400;
const QUARTER: i64 = 900;

/// Relative number of chats by local hour on a business day: a late morning and an afternoon rush.
const BUSINESS_DAY: [f64; 24] = [
    3.0, 2.0, 1.0, 1.0, 1.0, 2.0, 6.0, 18.0, 48.0, 74.0, 100.0, 96.0, 58.0, 66.0, 98.0, 88.0, 62.0,
    42.0, 26.0, 20.0, 16.0, 12.0, 8.0, 5.0,
];
const SATURDAY_SHARE: f64 = 0.25;
const SUNDAY_SHARE: f64 = 0.10;

/// How many chats an hour, on the same scale, the agents on duty can take.
const STAFF_ON_DUTY: f64 = 106.0;
const STAFF_AT_NIGHT: f64 = 24.0;

/// The local wall clock at a Unix instant.
pub fn local(at: i64) -> NaiveDateTime {
    let utc = DateTime::from_timestamp(at, 0).unwrap_or_default();
    utc.with_timezone(&Sao_Paulo).naive_local()
}

/// A local instant as the platform writes it: no offset.
pub fn local_text(at: i64) -> String {
    let at = local(at);
    let (date, time) = (at.date(), at.time());
    format!(
        "{:04}-{:02}-{:02} {:02}:{:02}:{:02}",
        date.year(),
        date.month(),
        date.day(),
        time.hour(),
        time.minute(),
        time.second()
    )
}

/// The first instant of a local day. Where daylight saving skips midnight, that is one hour later.
pub fn start_of_day(day: NaiveDate) -> i64 {
    let midnight = day.and_time(NaiveTime::MIN);
    let after_gap = midnight + chrono::TimeDelta::hours(1);
    let start = Sao_Paulo
        .from_local_datetime(&midnight)
        .earliest()
        .or_else(|| Sao_Paulo.from_local_datetime(&after_gap).earliest());
    start.map_or(midnight.and_utc().timestamp(), |start| start.timestamp())
}

pub fn is_weekend(at: i64) -> bool {
    matches!(local(at).weekday(), Weekday::Sat | Weekday::Sun)
}

/// How busy the desk is: new chats over what the staff can take. 1 is everyone busy.
pub fn load(at: i64) -> f64 {
    let hour = local(at).hour();
    let staff = if (8..18).contains(&hour) {
        STAFF_ON_DUTY
    } else {
        STAFF_AT_NIGHT
    };
    let staff = if is_weekend(at) { staff * 0.3 } else { staff };
    weight(at) / staff
}

fn weight(at: i64) -> f64 {
    let at = local(at);
    let share = match at.weekday() {
        Weekday::Sat => SATURDAY_SHARE,
        Weekday::Sun => SUNDAY_SHARE,
        _ => 1.0,
    };
    BUSINESS_DAY[at.hour() as usize] * share
}

/// Turns a chat's rank among all chats into its start, so that any chat's start is known without simulating the others.
pub struct Calendar {
    start: i64,
    /// Sum of the weights up to the end of each quarter of an hour.
    cumulative: Vec<f64>,
}

impl Calendar {
    pub fn new(first_day: NaiveDate, days: u32) -> Self {
        let start = start_of_day(first_day);
        let quarters = i64::from(days.max(1)) * DAY / QUARTER;
        let mut sum = 0.0;
        let cumulative = (0..quarters)
            .map(|quarter| {
                sum += weight(start + quarter * QUARTER);
                sum
            })
            .collect();
        Calendar { start, cumulative }
    }

    pub fn start(&self) -> i64 {
        self.start
    }

    pub fn end(&self) -> i64 {
        self.start + self.cumulative.len() as i64 * QUARTER
    }

    /// The instant by which `share` (0 to 1) of all chats have started.
    pub fn instant(&self, share: f64) -> i64 {
        let total = self.cumulative.last().copied().unwrap_or(1.0);
        let wanted = share.clamp(0.0, 1.0) * total;
        let quarter = self
            .cumulative
            .partition_point(|sum| *sum <= wanted)
            .min(self.cumulative.len() - 1);
        let before = if quarter == 0 {
            0.0
        } else {
            self.cumulative[quarter - 1]
        };
        let within = (wanted - before) / (self.cumulative[quarter] - before);
        self.start + quarter as i64 * QUARTER + (within * QUARTER as f64) as i64
    }
}
