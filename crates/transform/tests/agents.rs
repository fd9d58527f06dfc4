//! The intervals between an agent's changes of status, each rule by a few changes.

use chrono::{DateTime, Utc};
use events::{AgentStatus, EventId};
use transform::agents::{Agent, StatusChange, intervals};

const ONLINE: &str = "online";
const PAUSED: &str = "paused";
const OFFLINE: &str = "offline";

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_741_600_000 + second, 0).expect("an instant")
}

fn change(second: i64, event: Option<u8>, state: &str) -> StatusChange {
    let status = AgentStatus {
        is_active: Some(true),
        is_online: Some(state != OFFLINE),
        is_available: Some(state == ONLINE),
        status_id: (state == PAUSED).then_some(12),
        origin: event.map(|event| format!("origin {event}")),
    };
    StatusChange {
        at: at(second),
        event_id: event.map(|event| EventId([event; 16])),
        company_id: Some(1),
        status,
    }
}

fn state(status: &AgentStatus) -> &'static str {
    match (status.is_online, status.is_available) {
        (Some(true), Some(true)) => ONLINE,
        (Some(true), _) => PAUSED,
        _ => OFFLINE,
    }
}

/// In every order of arrival, and with every change told twice, the same intervals.
fn check(changes: &[StatusChange], expected: &[(i64, Option<i64>, &str)]) {
    let second = |at: DateTime<Utc>| at.timestamp() - 1_741_600_000;
    let mut arrival = [changes, changes].concat();
    for _ in 0..arrival.len() {
        arrival.rotate_left(1);
        for changes in [arrival.clone(), arrival.iter().rev().cloned().collect()] {
            let found = intervals(&Agent {
                agent_id: 7,
                changes,
            });
            let found: Vec<_> = found
                .iter()
                .map(|interval| {
                    let opened_by = &interval.opened_by;
                    let ended = interval.ended_at.map(second);
                    (second(opened_by.at), ended, state(&opened_by.status))
                })
                .collect();
            assert_eq!(found, expected, "{arrival:?}");
        }
    }
}

#[test]
fn a_change_closes_the_interval_before() {
    check(
        &[
            change(0, Some(1), ONLINE),
            change(10, Some(2), PAUSED),
            change(15, Some(3), OFFLINE),
        ],
        &[
            (0, Some(10), ONLINE),
            (10, Some(15), PAUSED),
            (15, None, OFFLINE),
        ],
    );
}

#[test]
fn what_is_told_again_is_no_change() {
    check(
        &[
            change(0, Some(1), ONLINE),
            change(10, Some(2), ONLINE),
            change(20, Some(3), OFFLINE),
            change(30, Some(4), OFFLINE),
        ],
        &[(0, Some(20), ONLINE), (20, None, OFFLINE)],
    );
}

#[test]
fn a_change_between_two_that_were_one_divides_them() {
    check(
        &[
            change(0, Some(1), ONLINE),
            change(10, Some(2), ONLINE),
            change(5, Some(3), OFFLINE),
        ],
        &[
            (0, Some(5), ONLINE),
            (5, Some(10), OFFLINE),
            (10, None, ONLINE),
        ],
    );
}

#[test]
fn of_two_changes_at_one_instant_the_later_in_order_wins() {
    check(
        &[
            change(0, Some(9), ONLINE),
            change(10, Some(1), OFFLINE),
            change(10, Some(2), PAUSED),
        ],
        &[(0, Some(10), ONLINE), (10, None, PAUSED)],
    );
    // The winner may be no change at all.
    check(
        &[
            change(0, Some(9), ONLINE),
            change(10, Some(1), OFFLINE),
            change(10, Some(2), ONLINE),
        ],
        &[(0, None, ONLINE)],
    );
}

#[test]
fn what_was_derived_stands_in_for_events_that_are_gone_and_yields_to_those_that_are_not() {
    check(
        &[change(0, None, ONLINE), change(10, Some(1), OFFLINE)],
        &[(0, Some(10), ONLINE), (10, None, OFFLINE)],
    );
    check(
        &[change(0, None, ONLINE), change(0, Some(1), OFFLINE)],
        &[(0, None, OFFLINE)],
    );
}

#[test]
fn an_agent_of_whom_nothing_is_known_has_no_interval() {
    check(&[], &[]);
}

#[test]
fn two_companies_that_use_one_id_have_intervals_of_their_own() {
    let other = |second, event, state| StatusChange {
        company_id: Some(2),
        ..change(second, event, state)
    };
    check(
        &[
            change(0, Some(1), ONLINE),
            other(5, Some(2), PAUSED),
            change(10, Some(3), OFFLINE),
        ],
        &[
            (0, Some(10), ONLINE),
            (10, None, OFFLINE),
            (5, None, PAUSED),
        ],
    );
}

/// The intervals by company, as (company, start, end).
fn check_companies(changes: &[StatusChange], expected: &[(Option<i64>, i64, Option<i64>)]) {
    let second = |at: DateTime<Utc>| at.timestamp() - 1_741_600_000;
    let found = intervals(&Agent {
        agent_id: 7,
        changes: changes.to_vec(),
    });
    let found: Vec<_> = found
        .iter()
        .map(|interval| {
            let opened_by = &interval.opened_by;
            let ended = interval.ended_at.map(second);
            (opened_by.company_id, second(opened_by.at), ended)
        })
        .collect();
    assert_eq!(found, expected, "{changes:?}");
}

#[test]
fn a_change_that_names_no_company_is_of_the_only_one_and_stays_apart_from_two() {
    let of = |company_id, second, event, state| StatusChange {
        company_id,
        ..change(second, Some(event), state)
    };
    let unnamed = of(None, 0, 1, ONLINE);
    check_companies(std::slice::from_ref(&unnamed), &[(None, 0, None)]);
    let one = [unnamed, of(Some(1), 10, 2, PAUSED)];
    check_companies(&one, &[(Some(1), 0, Some(10)), (Some(1), 10, None)]);
    let [unnamed, named] = one;
    check_companies(
        &[unnamed, named, of(Some(2), 20, 3, OFFLINE)],
        &[(None, 0, None), (Some(1), 10, None), (Some(2), 20, None)],
    );
}
