//! Settings: their sources, their order, and what is said of mistakes.

use std::sync::Arc;

use arrow::datatypes::Schema;
use lake::Lake;
use serde_json::json;

use crate::support::{Desk, TOKEN};

#[test]
fn flags_go_over_environment_over_file_over_defaults() {
    let desk = Desk::new();
    desk.write(
        "huggy-etl.toml",
        "timezone = \"America/Bahia\"\nflush_interval = \"3s\"\nlisten = \"127.0.0.1:1\"\n",
    );
    let mut command = desk.command(&["config"]);
    let output = command
        .env("HUGGY_ETL_FLUSH_INTERVAL", "4s")
        .env("HUGGY_ETL_TOKEN", TOKEN)
        .output()
        .expect("config");
    let printed = String::from_utf8_lossy(&output.stdout);
    for line in [
        "timezone = \"America/Bahia\"",
        "flush_interval = \"4s\"",
        "listen = \"127.0.0.1:1\"",
        "tokens = \"***\"",
    ] {
        assert!(printed.contains(line), "{line} is not in {printed}");
    }
    assert!(
        printed.contains(&format!("lake = {:?}", desk.path("lake"))),
        "{printed}"
    );
    assert!(!printed.contains(TOKEN), "{printed}");
}

#[test]
fn mistakes_name_their_source_and_the_nearest_key() {
    let desk = Desk::new();
    let check = |settings: &str, expected: &[&str]| {
        desk.write("huggy-etl.toml", settings);
        let printed = desk.run(&["config"]);
        assert_eq!(printed.code, Some(3), "{settings}");
        for part in expected {
            assert!(
                printed.stderr.contains(part),
                "{settings}: {part:?} is not in {}",
                printed.stderr
            );
        }
    };
    check(
        "flush_intervall = \"3s\"",
        &["huggy-etl.toml", "flush_intervall", "flush_interval"],
    );
    check("flush_interval = \"soon\"", &["flush_interval", "duration"]);
    check("timezone = \"Brazil\"", &["timezone", "tz database"]);
    check(
        "subscribed_events = [\"startChat\"]",
        &["startChat", "startedChat"],
    );
    check(
        "[business_hours]\nmon = [\"8-12\"]",
        &["business_hours.mon", "08:00-12:00"],
    );
    check("[business_hours]\nmonday = []", &["business_hours.monday"]);
    check(
        "[business_hours.departments.sales]\nmon = []",
        &["business_hours.departments.sales", "id"],
    );
    check(
        "[business_hours.departments.7]\nmon = [\"12:00-8:00\"]",
        &["business_hours.departments.7.mon"],
    );
    check("lake = ", &["huggy-etl.toml"]);
    check(
        "listen = \"localhost\"",
        &["huggy-etl.toml: listen", "127.0.0.1:8080"],
    );
    check("admin_listen = \"0.0.0.0:99999\"", &["admin_listen"]);
    check("webhook_path = \"/hook?a=b\"", &["webhook_path", "query"]);
    check("tokens = [\" spaced\"]", &["tokens", "spaces at its ends"]);
    for log in ["loud", "warning", "info,loud", "ingest=loud"] {
        check(&format!("log = {log:?}"), &["huggy-etl.toml: log = "]);
    }
    check("log = \"warning\"", &["off, error, warn, info"]);
    for log in ["off", "INFO", "debug,ingest=trace"] {
        desk.write("huggy-etl.toml", format!("log = {log:?}"));
        assert_eq!(desk.run(&["config"]).code, Some(0), "{log}");
    }
}

#[test]
fn a_lake_that_cannot_be_is_an_environment_error() {
    let desk = Desk::new();
    let printed = desk.run(&["--lake", "ftp://somewhere/lake", "tables"]);
    // The desk's own --lake comes first: the last one counts or clap refuses; either way it is said.
    assert_ne!(printed.code, Some(0));
    let output = desk
        .command(&["tables"])
        .env("HUGGY_ETL_LAKE_URL", "x")
        .output()
        .expect("tables");
    assert_eq!(output.status.code(), Some(3));
}

#[test]
fn changed_settings_rebuild_the_facts_and_say_so() {
    let desk = Desk::new();
    desk.generate("traffic.ndjson", &["--chats", "60", "--days", "1"]);
    desk.ok(&["import", "traffic.ndjson"]);
    desk.ok(&["transform"]);
    assert!(desk.run(&["transform"]).stderr.contains("up to date"));
    let facts = || {
        let of = |table: &str| {
            desk.ok(&[
                "query",
                "-c",
                &format!("SELECT * FROM {table}"),
                "--format",
                "csv",
            ])
        };
        let mut rows: Vec<String> = ["fact_chats", "coverage"]
            .iter()
            .flat_map(|table| of(table).lines().map(str::to_owned).collect::<Vec<_>>())
            .collect();
        rows.sort();
        rows
    };
    let all_day = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let all_day = all_day
        .map(|day| format!("{day} = [\"00:00-24:00\"]\n"))
        .concat();
    let mut before = facts();
    for settings in [
        "timezone = \"America/Manaus\"\n",
        "short_abandon_seconds = 86400\n",
        "subscribed_events = [\"startedChat\", \"closedChat\"]\n",
        &format!("[business_hours]\n{all_day}"),
        &format!("[business_hours]\n{all_day}[business_hours.departments.30640]\n"),
    ] {
        desk.write("huggy-etl.toml", settings);
        let printed = desk.run(&["transform"]);
        assert!(
            printed.stderr.contains("settings have changed"),
            "{settings}: {}",
            printed.stderr
        );
        assert!(desk.run(&["transform"]).stderr.contains("up to date"));
        let after = facts();
        assert!(before != after, "{settings} changes no row");
        before = after;
    }
}

/// The open seconds of a whole day, where only holidays are closed, for a department or none.
fn open_seconds(desk: &Desk, date: &str, department: &str) -> i64 {
    desk.number(&format!(
        "SELECT business_seconds(date_start(DATE '{date}'), date_start(DATE '{date}' + INTERVAL '1 day'), {department})"
    ))
}

const DAY: i64 = 24 * 3600;
const OPEN_ALL_WEEK: &str = "mon = [\"00:00-24:00\"]\ntue = [\"00:00-24:00\"]\nwed = [\"00:00-24:00\"]\n\
    thu = [\"00:00-24:00\"]\nfri = [\"00:00-24:00\"]\nsat = [\"00:00-24:00\"]\nsun = [\"00:00-24:00\"]\n";

#[test]
fn the_national_holidays_are_closed_by_name() {
    let desk = Desk::new();
    for holidays in ["\"BR\"", "[\"2024-03-28\", \"BR\"]"] {
        let hours = format!("[business_hours]\n{OPEN_ALL_WEEK}holidays = {holidays}\n");
        desk.write("huggy-etl.toml", hours);
        for date in [
            "2024-01-01",
            "2024-03-29",
            "2024-04-21",
            "2024-05-01",
            "2024-09-07",
            "2024-10-12",
            "2024-11-02",
            "2024-11-15",
            "2024-11-20",
            "2024-12-25",
            "2025-04-18",
            "2025-11-20",
        ] {
            assert_eq!(open_seconds(&desk, date, "NULL"), 0, "{holidays}: {date}");
        }
        for date in [
            "2023-11-20",
            "2024-02-13",
            "2024-05-30",
            "2024-03-31",
            "2024-11-01",
        ] {
            assert_eq!(open_seconds(&desk, date, "NULL"), DAY, "{holidays}: {date}");
        }
        let listed = open_seconds(&desk, "2024-03-28", "NULL");
        assert_eq!(listed == 0, holidays.contains("2024-03-28"), "{holidays}");
    }
}

#[test]
fn a_department_keeps_the_companys_holidays_unless_it_lists_its_own() {
    let desk = Desk::new();
    let hours = format!(
        "[business_hours]\n{OPEN_ALL_WEEK}holidays = [\"BR\", \"2024-03-28\"]\n\
         [business_hours.departments.1]\n{OPEN_ALL_WEEK}\
         [business_hours.departments.2]\n{OPEN_ALL_WEEK}holidays = []\n\
         [business_hours.departments.3]\n{OPEN_ALL_WEEK}holidays = [\"2024-03-05\"]\n"
    );
    desk.write("huggy-etl.toml", hours);
    for (department, open) in [
        ("NULL", [0, 0, DAY]),
        ("1", [0, 0, DAY]),
        ("2", [DAY, DAY, DAY]),
        ("3", [DAY, DAY, 0]),
        ("4", [0, 0, DAY]),
    ] {
        let dates = ["2024-12-25", "2024-03-28", "2024-03-05"];
        let found = dates.map(|date| open_seconds(&desk, date, department));
        assert_eq!(found, open, "department {department}");
    }
}

#[test]
fn coverage_holds_what_is_subscribed_against_what_came() {
    let desk = Desk::new();
    desk.write(
        "huggy-etl.toml",
        "subscribed_events = [\"startedChat\", \"sendedAllMessage\", \"createdCustomer\"]\n",
    );
    let bodies = [
        json!({ "time": 1_709_298_000, "messages": { "startedChat": [{ "id": 9, "company": { "id": 1 } }] } }),
        json!({ "time": 1_709_298_001, "messages": { "leftQueue": [{ "id": 9, "company": { "id": 1 } }] } }),
        json!({ "time": 1_709_298_002, "messages": { "neverHeardOf": [{ "company": { "id": 1 } }] } }),
    ];
    let rows = || {
        desk.rows(
            "SELECT company_id, event_type, events, first_seen_at IS NULL, last_seen_at IS NULL, is_subscribed
             FROM coverage ORDER BY event_type",
        )
    };
    let came = |event_type: &str, is_subscribed: bool| {
        json!([1, event_type, 1, false, false, is_subscribed])
    };
    let lacks = |event_type: &str| json!([null, event_type, 0, true, true, true]);
    let deliver = |body: &serde_json::Value| {
        desk.write("delivery.ndjson", body.to_string());
        desk.ok(&["import", "delivery.ndjson"]);
        desk.ok(&["transform"]);
    };
    for body in bodies {
        deliver(&body);
    }
    assert_eq!(
        rows(),
        json!([
            lacks("createdCustomer"),
            came("leftQueue", false),
            came("neverHeardOf", false),
            lacks("sentAllMessage"),
            came("startedChat", true),
        ])
    );
    // What comes late is no row beside that which said that it never came.
    let body = json!({ "time": 1_709_298_003, "messages": { "createdCustomer": [{ "id": 5, "company": { "id": 1 } }] } });
    deliver(&body);
    assert_eq!(rows()[0], came("createdCustomer", true));
    desk.write("huggy-etl.toml", "subscribed_events = [\"leftQueue\"]\n");
    desk.ok(&["transform"]);
    assert_eq!(
        rows(),
        json!([
            came("createdCustomer", false),
            came("leftQueue", true),
            came("neverHeardOf", false),
            came("startedChat", false),
        ])
    );
}

#[test]
fn a_lake_whose_coverage_says_nothing_of_subscription_is_healed() {
    let desk = Desk::new();
    let mut specs = transform::derived_specs().into_iter();
    let mut earlier = specs
        .find(|spec| spec.name == "coverage")
        .expect("coverage is derived");
    let is_old = |name: &str| name != "is_subscribed";
    let fields = earlier.schema.fields().iter();
    let fields = fields.filter(|field| is_old(field.name())).cloned();
    earlier.schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    earlier.stats_columns.retain(|name| is_old(name));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let lake = Lake::open(&desk.path("lake").display().to_string(), []).expect("a lake");
        lake.table(&earlier).await.expect("a table");
    });
    desk.generate("traffic.ndjson", &["--chats", "5", "--days", "1"]);
    desk.ok(&["import", "traffic.ndjson"]);
    desk.ok(&["transform"]);
    let known = "SELECT count(*) FROM coverage WHERE is_subscribed AND event_type = 'startedChat'";
    assert_eq!(desk.number(known), 1);
    desk.ok(&["verify", "--full"]);
}
