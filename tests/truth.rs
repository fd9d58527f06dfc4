//! The simulator knows what happened in each chat; the facts must say the same.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use transform::derived_tables;

use crate::comparison::{all_rows, compare};
use crate::support::Desk;

/// How many chats are compared; more by `TRUTH_CHATS`, in the same memory.
fn chats() -> u64 {
    let chats = std::env::var("TRUTH_CHATS").ok();
    chats.map_or(1_500, |chats| {
        chats.parse().expect("TRUTH_CHATS is a number")
    })
}

#[test]
fn facts_of_simulated_chats_are_what_the_simulation_knows() {
    let desk = Desk::new();
    let chats = chats();
    let traffic = [
        "--chats",
        &chats.to_string(),
        "--days",
        &chats.div_ceil(500).to_string(),
        "--seed",
        "11",
        "--truth",
        "truth.ndjson",
    ];
    desk.generate("traffic.ndjson", &traffic);
    desk.ok(&["import", "traffic.ndjson"]);
    desk.ok(&["transform"]);
    let compared = compare(&desk) as u64;
    println!("{chats} chats: {compared} values compared, 0 differ");
    assert!(
        compared > chats * 133,
        "only {compared} values were compared"
    );
}

#[test]
fn facts_do_not_depend_on_how_arrival_was_batched() {
    let desk = Desk::new();
    let traffic = [
        "--chats",
        "120",
        "--days",
        "1",
        "--seed",
        "5",
        "--truth",
        "truth.ndjson",
    ];
    let lines = fs::read_to_string(desk.generate("traffic.ndjson", &traffic)).expect("the traffic");
    let lines: Vec<&str> = lines.lines().collect();
    // The last batch first, so that chats begin in the middle and grow at both ends.
    for batch in lines.chunks(lines.len() / 4).rev() {
        desk.write("batch.ndjson", batch.join("\n"));
        desk.ok(&["import", "batch.ndjson"]);
        desk.ok(&["transform"]);
    }
    compare(&desk);
    check_against_rebuild(&desk);
}

#[test]
fn tables_depend_on_no_order_no_batches_and_no_kills() {
    std::thread::scope(|scope| {
        for seed in 1..=3 {
            scope.spawn(move || check_disorder(seed));
        }
    });
}

/// Deliveries in any order, in batches of any size, with transforms that are killed between commits.
fn check_disorder(seed: u64) {
    let desk = Desk::new();
    let number = seed.to_string();
    let traffic = ["--chats", "40", "--days", "2", "--seed", &number];
    let truth = ["--truth", "truth.ndjson"];
    let lines = desk.generate("traffic.ndjson", &[traffic.as_slice(), &truth].concat());
    let lines = fs::read_to_string(lines).expect("the traffic");
    let mut lines: Vec<String> = lines.lines().map(str::to_owned).collect();
    let mut random = Random(seed);
    random.shuffle(&mut lines);
    let tables = derived_tables();
    let mut rest = lines.as_slice();
    let mut is_first = true;
    while !rest.is_empty() {
        let quarter = lines.len() / 4;
        let (batch, others) = rest.split_at(rest.len().min(quarter + random.below(quarter)));
        rest = others;
        desk.write("batch.ndjson", batch.join("\n"));
        desk.ok(&["import", "batch.ndjson"]);
        // Before the first whole run there is no position: every run would be a rebuild.
        if !is_first {
            transform_killed_after(&desk, 1 + random.below(tables.len() - 1));
        }
        // Sometimes the next batch comes before the run is tried again.
        if is_first || rest.is_empty() || random.below(3) > 0 {
            desk.ok(&["transform"]);
        }
        is_first = false;
    }
    compare(&desk);
    check_against_rebuild(&desk);
}

/// A transform of which only the first commits came to be: tables are committed one by one in order,
/// so that all later ones are as before.
fn transform_killed_after(desk: &Desk, commits: usize) {
    let (lake, before) = (desk.path("lake"), desk.path("before"));
    copy(&lake, &before);
    desk.ok(&["transform"]);
    for table in &derived_tables()[commits..] {
        let (folder, old) = (lake.join(table), before.join(table));
        if folder.exists() {
            fs::remove_dir_all(&folder).expect("removing a table");
        }
        if old.exists() {
            copy(&old, &folder);
        }
    }
    fs::remove_dir_all(&before).expect("removing the copy");
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder of the lake") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("copying a file");
        }
    }
}

/// Any order will do, the same one each time.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit.max(1)
    }

    pub fn shuffle(&mut self, items: &mut [String]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

#[test]
fn events_that_name_no_chat_are_taken_in_and_nothing_new_commits_nothing() {
    let desk = Desk::new();
    let deliver = |time: i64, event: &str, item: Value| {
        let body = json!({ "time": time, "messages": { event: [item] }, "token": "t" });
        desk.write("delivery.ndjson", body.to_string());
        desk.ok(&["import", "delivery.ndjson"]);
        desk.ok(&["transform"]);
    };
    let customer = |name: &str| json!({ "id": 5, "name": name, "company": { "id": 1 } });
    let agent = |online: bool| json!({ "id": 7, "isOnline": online, "company": { "id": 1 } });
    deliver(1_741_600_000, "createdCustomer", customer("Ana"));
    deliver(1_741_600_020, "agentChangedStatus", agent(false));
    deliver(1_741_600_010, "agentChangedStatus", agent(true));
    deliver(1_741_600_030, "updatedCustomer", customer("Ana Lemos"));
    deliver(
        1_741_600_030,
        "neverHeardOf",
        json!({ "company": { "id": 1 } }),
    );
    let status = "SELECT is_online, duration_seconds FROM fact_agent_status ORDER BY started_at";
    assert_eq!(desk.rows(status), json!([[true, 10], [false, null]]));
    assert_eq!(
        desk.rows("SELECT contact_id, name FROM dim_contacts"),
        json!([[5, "Ana Lemos"]])
    );
    assert_eq!(desk.number("SELECT sum(events) FROM coverage"), 5);
    check_against_rebuild(&desk);
    let commits = commits(&desk.path("lake"));
    desk.ok(&["transform"]);
    assert_eq!(commits, self::commits(&desk.path("lake")));
}

#[test]
fn events_without_a_company_join_their_chats_in_whichever_run_they_come() {
    let desk = Desk::new();
    let deliver = |time: i64, event: &str, company: Option<i64>| {
        let mut item = json!({ "id": 9, "situation": "wait_for_chat" });
        if let Some(company) = company {
            item["company"] = json!({ "id": company });
        }
        let body = json!({ "time": time, "messages": { event: [item] }, "token": "t" });
        desk.write("delivery.ndjson", body.to_string());
        desk.ok(&["import", "delivery.ndjson"]);
        desk.ok(&["transform"]);
    };
    let sessions = || desk.rows("SELECT company_id, event_count FROM fact_chats ORDER BY 1");
    deliver(1_741_600_000, "startedChat", None);
    assert_eq!(sessions(), json!([[null, 1]]));
    deliver(1_741_600_010, "leftQueue", Some(1));
    assert_eq!(sessions(), json!([[1, 2]]));
    // Now nobody can tell whose the first event is.
    deliver(1_741_600_020, "leftQueue", Some(2));
    assert_eq!(sessions(), json!([[1, 1], [2, 1], [null, 1]]));
    check_against_rebuild(&desk);
}

/// How many files the logs of all tables hold.
fn commits(lake: &Path) -> usize {
    let logs = fs::read_dir(lake)
        .expect("the lake")
        .filter_map(|table| fs::read_dir(table.ok()?.path().join("_delta_log")).ok());
    logs.map(Iterator::count).sum()
}

/// A full rebuild gives the same rows, and the sums are those of their tables.
pub fn check_against_rebuild(desk: &Desk) {
    let incremental = all_rows(desk);
    desk.ok(&["transform", "--full"]);
    let rebuilt = all_rows(desk);
    for (one, other) in incremental.iter().zip(&rebuilt) {
        assert_eq!(one, other, "a full rebuild gives other rows");
    }
    assert_eq!(incremental.len(), rebuilt.len());
    assert_eq!(
        desk.rows(
            "SELECT company_id, event_type, events FROM coverage WHERE events > 0 ORDER BY 1, 2"
        ),
        desk.rows(
            "SELECT company_id, event_type, count(*) FROM events GROUP BY 1, 2 ORDER BY 1, 2"
        )
    );
    assert_eq!(
        desk.rows("SELECT flow_id, runs FROM dim_flows WHERE runs > 0 ORDER BY 1"),
        desk.rows("SELECT flow_id, count(*) FROM fact_flow_runs GROUP BY 1 ORDER BY 1")
    );
}
