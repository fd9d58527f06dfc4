//! The intervals of agents' status, as news come bit by bit and from several companies.

use serde_json::{Value, json};

use crate::support::Desk;
use crate::truth::{Random, check_against_rebuild};

const START: i64 = 1_709_298_000;
const DAY: i64 = 86_400;
const STATES: [(bool, bool); 3] = [(true, true), (true, false), (false, false)];

/// A change of status, as it is delivered.
fn change(agent: i64, company: Option<i64>, at: i64, (online, available): (bool, bool)) -> Value {
    let mut item = json!({ "id": agent, "name": "Ana", "isActive": true, "isOnline": online,
        "isAvailable": available, "origin": "manually" });
    if let Some(company) = company {
        item["company"] = json!({ "id": company });
    }
    json!({ "time": START + at, "messages": { "agentChangedStatus": [item] }, "token": "t" })
}

fn take_in(desk: &Desk, deliveries: &[Value]) {
    let lines: Vec<String> = deliveries.iter().map(Value::to_string).collect();
    desk.write("news.ndjson", lines.join("\n"));
    desk.ok(&["import", "news.ndjson"]);
    desk.ok(&["transform"]);
}

#[test]
fn news_of_an_agent_of_one_company_leave_the_intervals_of_another_as_they_are() {
    let desk = Desk::new();
    let [available, paused, offline] = STATES;
    take_in(
        &desk,
        &[
            change(11, Some(2), 0, available),
            change(11, Some(1), 60, available),
            change(11, Some(1), 3600, paused),
            change(11, Some(1), 7200, offline),
        ],
    );
    take_in(&desk, &[change(11, Some(1), 3 * DAY, available)]);
    assert_eq!(
        desk.rows(
            "SELECT company_id, is_online, is_available, duration_seconds FROM fact_agent_status \
             ORDER BY company_id, started_at"
        ),
        json!([
            [1, true, true, 3540],
            [1, true, false, 3600],
            [1, false, false, 3 * DAY - 7200],
            [1, true, true, null],
            [2, true, true, null],
        ])
    );
    check_against_rebuild(&desk);
}

#[test]
fn what_names_no_company_moves_as_companies_of_its_agent_come() {
    let desk = Desk::new();
    let intervals = || {
        desk.rows(
            "SELECT company_id, duration_seconds FROM fact_agent_status ORDER BY 1, started_at",
        )
    };
    let [available, paused, offline] = STATES;
    take_in(
        &desk,
        &[
            change(11, None, 0, available),
            change(11, None, 100, paused),
        ],
    );
    assert_eq!(intervals(), json!([[null, 100], [null, null]]));
    take_in(&desk, &[change(11, Some(1), DAY, offline)]);
    assert_eq!(intervals(), json!([[1, 100], [1, DAY - 100], [1, null]]));
    // Now nobody can tell whose the first changes are.
    take_in(&desk, &[change(11, Some(2), 2 * DAY, available)]);
    assert_eq!(
        intervals(),
        json!([[1, null], [2, null], [null, 100], [null, null]])
    );
    check_against_rebuild(&desk);
}

#[test]
fn intervals_of_two_companies_over_many_days_are_the_same_bit_by_bit_and_at_once() {
    std::thread::scope(|scope| {
        for seed in 1..=3 {
            scope.spawn(move || check_news(seed));
        }
    });
}

/// Changes of a fortnight in batches, some of them late; after each batch the intervals are those of all events so far.
fn check_news(seed: u64) {
    let desk = Desk::new();
    let mut random = Random(seed);
    let mut changes = Vec::new();
    for hour in 0..14 * 24 {
        // Agent 7 is of two companies, agent 8 only later, agent 9 of one; some events name none.
        let agent = [7, 8, 9][random.below(3)];
        let company = match (agent, random.below(8)) {
            (7 | 8, 0) | (9, 0..4) => None,
            (7, 1) => Some(2),
            (8, 1..4) if hour > 7 * 24 => Some(2),
            _ => Some(1),
        };
        let at = hour * 3600 + 600 * random.below(6) as i64;
        changes.push(change(agent, company, at, STATES[random.below(3)]));
    }
    for _ in 0..changes.len() / 10 {
        let (one, other) = (random.below(changes.len()), random.below(changes.len()));
        changes.swap(one, other);
    }
    for batch in changes.chunks(changes.len() / 6) {
        take_in(&desk, batch);
        desk.ok(&["verify"]);
    }
    let intervals = "SELECT count(*) FROM fact_agent_status";
    assert!(desk.number(intervals) > 150, "too few intervals to tell");
    check_against_rebuild(&desk);
}
