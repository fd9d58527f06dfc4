//! What the service counts and measures, for Prometheus. Labels are closed sets: never a value out of a delivery.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use events::DOCUMENTED;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// The content type of [`Metrics::render`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Label of events whose name is not documented.
const OTHER: &str = "other";

type Seconds = Gauge<f64, AtomicU64>;
type Labelled = Family<[(&'static str, &'static str); 1], Counter>;

/// How a request to the webhook ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    Stored,
    Handshake,
    Paired,
    Unauthorized,
    Malformed,
    NotADelivery,
    TooLarge,
    TooSlow,
    Limited,
    OverCapacity,
    WalFull,
    WalFailed,
    WrongPath,
    WrongMethod,
    Compressed,
}

impl Outcome {
    const ALL: [(Outcome, &'static str); 15] = [
        (Outcome::Stored, "stored"),
        (Outcome::Handshake, "handshake"),
        (Outcome::Paired, "paired"),
        (Outcome::Unauthorized, "unauthorized"),
        (Outcome::Malformed, "malformed"),
        (Outcome::NotADelivery, "not_a_delivery"),
        (Outcome::TooLarge, "too_large"),
        (Outcome::TooSlow, "too_slow"),
        (Outcome::Limited, "limited"),
        (Outcome::OverCapacity, "over_capacity"),
        (Outcome::WalFull, "wal_full"),
        (Outcome::WalFailed, "wal_failed"),
        (Outcome::WrongPath, "wrong_path"),
        (Outcome::WrongMethod, "wrong_method"),
        (Outcome::Compressed, "compressed"),
    ];
}

/// A handle on the service's metrics. Clones share them; every update is an atomic operation.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    registry: Registry,
    /// By [`Outcome`], in its order.
    deliveries: Vec<Counter>,
    events: HashMap<&'static str, Counter>,
    duplicates: Counter,
    parse_errors: Counter,
    flushed_rows: Counter,
    flush_failures: Counter,
    damage: Counter,
    connections_refused: Counter,
    flush_seconds: Histogram,
    commit_seconds: Histogram,
    wal_bytes: Gauge,
    unflushed_age_seconds: Seconds,
    /// When the oldest delivery that is not in the lake came, in microseconds since 1970; 0 when all are.
    oldest_unflushed_us: AtomicI64,
    transform_seconds: Histogram,
    transform_failures: Counter,
    lake_lag_seconds: Seconds,
    /// When the last run of the transform began that ended well, in microseconds since 1970; 0 where none runs here.
    facts_as_of_us: AtomicI64,
    maintenance_seconds: Histogram,
    maintenance_failures: Counter,
    copies_dropped: Counter,
}

/// What a committed batch held.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct BatchCounts {
    /// Rows by event type.
    pub rows: HashMap<Option<String>, u64>,
    pub duplicates: u64,
    pub parse_errors: u64,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Metrics")
    }
}

impl Metrics {
    /// All at zero.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("huggy_etl");
        let r = &mut registry;
        let deliveries = labelled(
            r,
            "deliveries",
            "Requests to the webhook, by how they ended",
        );
        let events = labelled(r, "events", "Events written to the lake, by type");
        let of_type = |name| (name, events.get_or_create_owned(&[("event_type", name)]));
        let inner = Inner {
            deliveries: Outcome::ALL
                .iter()
                .map(|(_, name)| deliveries.get_or_create_owned(&[("result", name)]))
                .collect(),
            events: DOCUMENTED
                .iter()
                .copied()
                .chain([OTHER])
                .map(of_type)
                .collect(),
            duplicates: counter(
                r,
                "duplicates",
                "Events dropped because they were already stored",
            ),
            parse_errors: counter(r, "parse_errors", "Events stored with a parse_error"),
            flushed_rows: counter(r, "flushed_rows", "Rows committed to the events table"),
            flush_failures: counter(
                r,
                "flush_failures",
                "Failed attempts to bring deliveries to the lake",
            ),
            damage: counter(
                r,
                "wal_damage",
                "Damaged stretches found in the write-ahead log and set aside",
            ),
            connections_refused: counter(
                r,
                "connections_refused",
                "Connections turned away at the limit",
            ),
            flush_seconds: histogram(
                r,
                "flush_duration_seconds",
                "From reading a batch to its commit, in seconds",
            ),
            commit_seconds: histogram(
                r,
                "commit_duration_seconds",
                "Writing and committing a batch, in seconds",
            ),
            wal_bytes: gauge(r, "wal_bytes", "Bytes of the write-ahead log on disk"),
            unflushed_age_seconds: gauge(
                r,
                "unflushed_age_seconds",
                "Age of the oldest delivery not in the lake",
            ),
            oldest_unflushed_us: AtomicI64::new(0),
            transform_seconds: histogram(
                r,
                "transform_duration_seconds",
                "Duration of a transform run, in seconds",
            ),
            transform_failures: counter(r, "transform_failures", "Transform runs that failed"),
            lake_lag_seconds: gauge(
                r,
                "lake_lag_seconds",
                "Age of what the facts reflect: time since the last transform that ended well began",
            ),
            facts_as_of_us: AtomicI64::new(0),
            maintenance_seconds: histogram(
                r,
                "maintenance_duration_seconds",
                "Duration of a run of the maintenance, in seconds",
            ),
            maintenance_failures: counter(
                r,
                "maintenance_failures",
                "Runs of the maintenance that failed",
            ),
            copies_dropped: counter(
                r,
                "copies_dropped",
                "Stored copies of events that maintenance dropped",
            ),
            registry,
        };
        Self(Arc::new(inner))
    }

    /// The transform runs in the background from now on. How old the facts are already is not known.
    pub fn transform_starts(&self, now: DateTime<Utc>) {
        self.set_facts_as_of(now);
    }

    /// A background transform ended well: what was flushed before it `began` is in the facts.
    pub fn transform_finished(&self, duration: Duration, began: DateTime<Utc>) {
        self.0.transform_seconds.observe(duration.as_secs_f64());
        self.set_facts_as_of(began);
    }

    fn set_facts_as_of(&self, instant: DateTime<Utc>) {
        self.0
            .facts_as_of_us
            .store(instant.timestamp_micros(), Ordering::Relaxed);
    }

    /// A background transform failed.
    pub fn transform_failed(&self) {
        self.0.transform_failures.inc();
    }

    /// A run of the maintenance in the background came to its end.
    pub fn maintenance_finished(&self, duration: Duration, copies_dropped: u64) {
        self.0.maintenance_seconds.observe(duration.as_secs_f64());
        self.0.copies_dropped.inc_by(copies_dropped);
    }

    /// A run of the maintenance in the background failed, for a table at least.
    pub fn maintenance_failed(&self) {
        self.0.maintenance_failures.inc();
    }

    /// All metrics as text, in the format of [`CONTENT_TYPE`].
    pub fn render(&self, now: DateTime<Utc>) -> String {
        let age = |since: &AtomicI64| match since.load(Ordering::Relaxed) {
            0 => 0.0,
            since => (now.timestamp_micros() - since).max(0) as f64 / 1e6,
        };
        let inner = &self.0;
        inner
            .unflushed_age_seconds
            .set(age(&inner.oldest_unflushed_us));
        inner.lake_lag_seconds.set(age(&inner.facts_as_of_us));
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.0.registry)
            .expect("writing to a string succeeds");
        text
    }

    pub(crate) fn request_ended(&self, outcome: Outcome) {
        self.0.deliveries[outcome as usize].inc();
    }

    pub(crate) fn batch_committed(&self, counts: &BatchCounts) {
        let inner = &self.0;
        for (event_type, rows) in &counts.rows {
            let known = event_type
                .as_deref()
                .and_then(|name| inner.events.get(name));
            if let Some(counter) = known.or_else(|| inner.events.get(OTHER)) {
                counter.inc_by(*rows);
            }
            inner.flushed_rows.inc_by(*rows);
        }
        inner.duplicates.inc_by(counts.duplicates);
        inner.parse_errors.inc_by(counts.parse_errors);
    }

    pub(crate) fn flushed(&self, duration: Duration) {
        self.0.flush_seconds.observe(duration.as_secs_f64());
    }

    pub(crate) fn commit_took(&self, duration: Duration) {
        self.0.commit_seconds.observe(duration.as_secs_f64());
    }

    pub(crate) fn flush_failed(&self) {
        self.0.flush_failures.inc();
    }

    pub(crate) fn damage_found(&self) {
        self.0.damage.inc();
    }

    pub(crate) fn connection_refused(&self) {
        self.0.connections_refused.inc();
    }

    pub(crate) fn set_wal_bytes(&self, bytes: u64) {
        self.0
            .wal_bytes
            .set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// A delivery is in the log and not in the lake; where an older one is known already, nothing changes.
    pub(crate) fn delivery_waits(&self, received_at: DateTime<Utc>) {
        let received_at = received_at.timestamp_micros();
        // Whoever was faster was earlier, or nearly.
        let _ = self.0.oldest_unflushed_us.compare_exchange(
            0,
            received_at,
            Ordering::Relaxed,
            Ordering::Relaxed,
        );
    }

    pub(crate) fn set_oldest_unflushed(&self, oldest: Option<DateTime<Utc>>) {
        self.0.oldest_unflushed_us.store(
            oldest.map_or(0, |oldest| oldest.timestamp_micros()),
            Ordering::Relaxed,
        );
    }
}

fn labelled(registry: &mut Registry, name: &str, help: &str) -> Labelled {
    let family = Labelled::default();
    registry.register(name, help, family.clone());
    family
}

fn counter(registry: &mut Registry, name: &str, help: &str) -> Counter {
    let counter = Counter::default();
    registry.register(name, help, counter.clone());
    counter
}

fn gauge<N, A>(registry: &mut Registry, name: &str, help: &str) -> Gauge<N, A>
where
    Gauge<N, A>: prometheus_client::registry::Metric + Clone + Default,
{
    let gauge = Gauge::default();
    registry.register(name, help, gauge.clone());
    gauge
}

/// Buckets from 5 ms to about 80 s.
fn histogram(registry: &mut Registry, name: &str, help: &str) -> Histogram {
    let histogram = Histogram::new(exponential_buckets(0.005, 2.0, 15));
    registry.register(name, help, histogram.clone());
    histogram
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_counts_under_its_own_label() {
        for (index, (outcome, name)) in Outcome::ALL.into_iter().enumerate() {
            assert_eq!(outcome as usize, index, "{name}");
            let metrics = Metrics::new();
            metrics.request_ended(outcome);
            let line = format!("huggy_etl_deliveries_total{{result=\"{name}\"}} 1\n");
            assert!(metrics.render(Utc::now()).contains(&line), "{line}");
        }
    }

    #[test]
    fn event_names_that_are_not_documented_share_one_label() {
        let metrics = Metrics::new();
        let names = [Some("closedChat"), Some("somebody@example.com"), None];
        let rows = names
            .into_iter()
            .map(|name| (name.map(str::to_owned), 2))
            .collect();
        metrics.batch_committed(&BatchCounts {
            rows,
            ..BatchCounts::default()
        });
        let text = metrics.render(Utc::now());
        assert!(
            text.contains("huggy_etl_events_total{event_type=\"closedChat\"} 2\n"),
            "{text}"
        );
        assert!(
            text.contains("huggy_etl_events_total{event_type=\"other\"} 4\n"),
            "{text}"
        );
        assert!(!text.contains("example.com"));
    }

    #[test]
    fn the_unflushed_age_grows_with_the_clock() {
        let metrics = Metrics::new();
        let then = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        metrics.delivery_waits(then);
        metrics.delivery_waits(then + Duration::from_secs(1));
        let text = metrics.render(then + Duration::from_millis(2500));
        assert!(
            text.contains("huggy_etl_unflushed_age_seconds 2.5\n"),
            "{text}"
        );
        metrics.set_oldest_unflushed(None);
        assert!(
            metrics
                .render(then)
                .contains("huggy_etl_unflushed_age_seconds 0.0\n")
        );
    }

    #[test]
    fn the_lag_of_the_facts_grows_until_a_transform_ends_well() {
        let metrics = Metrics::new();
        let at = |seconds: i64| DateTime::from_timestamp(1_700_000_000 + seconds, 0).unwrap();
        let lag = |now| {
            let text = metrics.render(now);
            let line = text
                .lines()
                .find_map(|line| line.strip_prefix("huggy_etl_lake_lag_seconds "));
            line.unwrap().to_owned()
        };
        assert_eq!(lag(at(0)), "0.0", "where no transform runs");
        metrics.transform_starts(at(0));
        assert_eq!(lag(at(90)), "90.0");
        metrics.transform_finished(Duration::from_secs(5), at(95));
        assert_eq!(lag(at(100)), "5.0");
        metrics.transform_failed();
        assert_eq!(lag(at(3695)), "3600.0");
    }
}
