//! What is found in evidence of each kind.

use chrono::{DateTime, Utc};
use events::DOCUMENTED;

use super::evidence::{Clock, ErrorSeen, Evidence, TypeSeen};
use super::findings::{Severity, judge};
use crate::settings::Settings;

const HOUR: i64 = 3_600;

fn now() -> DateTime<Utc> {
    "2024-03-02T12:00:00Z".parse().expect("an instant")
}

fn healthy() -> Evidence {
    let seen = |event: &&str| TypeSeen {
        event_type: Some((*event).to_owned()),
        events: 100,
        last_delivered_at: now(),
    };
    Evidence {
        types: DOCUMENTED.iter().map(seen).collect(),
        clock: Clock {
            events: 500,
            median_seconds: Some(1),
            ..Clock::default()
        },
        facts_behind: Some(0),
        ..Evidence::default()
    }
}

#[track_caller]
fn check(change: impl FnOnce(&mut Evidence, &mut Settings), expected: Option<(Severity, &str)>) {
    let (mut evidence, mut settings) = (healthy(), Settings::default());
    change(&mut evidence, &mut settings);
    let findings = judge(&evidence, &settings, now());
    let found = findings.first().map(|finding| finding.severity);
    assert_eq!(
        found,
        expected.map(|(severity, _)| severity),
        "{findings:?}"
    );
    if let Some((_, words)) = expected {
        assert!(findings[0].what.contains(words), "{findings:?}");
    }
}

#[test]
fn a_healthy_lake_has_no_findings() {
    check(|_, _| {}, None);
}

#[test]
fn what_is_expected_and_does_not_come_is_a_problem_if_a_measure_needs_it() {
    let without = |name: &'static str| {
        move |evidence: &mut Evidence, _: &mut Settings| {
            evidence
                .types
                .retain(|seen| seen.event_type.as_deref() != Some(name));
        }
    };
    check(
        without("leftQueue"),
        Some((Severity::Problem, "leftQueue is expected")),
    );
    check(
        without("asyncExportData"),
        Some((Severity::Note, "asyncExportData")),
    );
}

#[test]
fn what_comes_without_being_expected_is_told() {
    check(
        |_, settings| {
            settings
                .subscribed_events
                .retain(|event| event != "leftQueue")
        },
        Some((Severity::Problem, "leftQueue arrives, 100 events")),
    );
    check(
        |evidence, _| evidence.types[0].event_type = Some("someday".to_owned()),
        Some((Severity::Problem, "receivedMessage is expected")),
    );
}

#[test]
fn local_times_whole_hours_off_make_the_zone_suspect() {
    let median = |seconds| {
        move |evidence: &mut Evidence, _: &mut Settings| {
            evidence.clock.median_seconds = Some(seconds)
        }
    };
    check(median(3 * HOUR + 2), Some((Severity::Problem, "+3 h")));
    check(median(-4 * HOUR + 1), Some((Severity::Problem, "-4 h")));
    check(median(90 * 60), None);
    check(median(60), None);
}

#[test]
fn a_gap_counts_by_business_hours_where_they_are_known() {
    let gap = ("2024-03-01T11:00:00Z", "2024-03-01T21:00:00Z");
    let gap = (
        gap.0.parse().expect("an instant"),
        gap.1.parse().expect("an instant"),
    );
    check(|evidence, _| evidence.gaps = vec![gap], None);
    check(
        |evidence, settings| {
            evidence.gaps = vec![gap];
            let mut calendar = crate::calendar::Calendar::default();
            calendar
                .open(chrono::Weekday::Fri, &["08:00-18:00".to_owned()])
                .expect("hours");
            settings.calendars.company = Some(calendar);
        },
        Some((
            Severity::Problem,
            "10.0 h, 10.0 h of them in business hours",
        )),
    );
}

#[test]
fn errors_clocks_and_facts_behind_are_told_with_counts() {
    let error = ErrorSeen {
        event_type: Some("closedChat".to_owned()),
        reason: "closed_at is no time".to_owned(),
        events: 7,
        event_id: "00ff".to_owned(),
    };
    check(
        |evidence, _| evidence.errors = vec![error],
        Some((Severity::Problem, "7 closedChat")),
    );
    check(
        |evidence, _| evidence.clock.early = 20,
        Some((Severity::Problem, "20 of 500")),
    );
    check(
        |evidence, _| evidence.arrival.median_seconds = Some(-90),
        Some((Severity::Problem, "90 s before")),
    );
    check(
        |evidence, _| evidence.facts_behind = Some(4),
        Some((Severity::Problem, "4 commits")),
    );
    check(
        |evidence, _| evidence.types.clear(),
        Some((Severity::Problem, "no events")),
    );
}
