//! The functions for queries over chats, against the facts and by hand.

use std::fs;

use chrono::{Duration, Utc};
use serde_json::{Value, json};

use crate::support::{Desk, Printed};

/// A day and a half of chats, with hours for the company and for one department.
fn desk_with_hours() -> Desk {
    let desk = Desk::new();
    let hours = r#"["08:00-12:00", "13:00-18:00"]"#;
    let days = ["mon", "tue", "wed", "thu", "fri"].map(|day| format!("{day} = {hours}\n"));
    desk.generate(
        "traffic.ndjson",
        &["--chats", "60", "--days", "2", "--seed", "3"],
    );
    desk.write(
        "huggy-etl.toml",
        format!("[business_hours]\n{}", days.concat()),
    );
    desk.ok(&["import", "traffic.ndjson"]);
    desk.ok(&["transform"]);
    let department =
        "SELECT department_id FROM fact_queue_waits WHERE department_id IS NOT NULL LIMIT 1";
    let id = desk.number(department);
    desk.write(
        "huggy-etl.toml",
        format!(
            "[business_hours]\n{}\n[business_hours.departments.{id}]\nsat = [\"00:00-24:00\"]\nsun = [\"10:00-16:00\"]\nmon = [\"09:00-11:00\"]\n",
            days.concat()
        ),
    );
    desk.ok(&["transform"]);
    desk
}

#[test]
fn functions_agree_with_the_facts_and_their_examples_run() {
    let desk = desk_with_hours();
    for (table, from, to, fact) in [
        (
            "fact_chats",
            "started_at",
            "closed_at",
            "duration_business_seconds",
        ),
        (
            "fact_queue_waits",
            "entered_at",
            "left_at",
            "wait_business_seconds",
        ),
    ] {
        let differing = format!(
            "SELECT count(*) FROM {table} WHERE business_seconds({from}, {to}, department_id) IS DISTINCT FROM {fact}"
        );
        assert_eq!(desk.number(&differing), 0, "{fact}");
        let known = format!("SELECT count(*) FROM {table} WHERE {fact} > 0");
        assert!(desk.number(&known) > 5, "{fact} is hardly known");
    }
    let on_another_day = "SELECT count(*) FROM fact_chats WHERE local_date(started_at) IS DISTINCT FROM started_date";
    assert_eq!(desk.number(on_another_day), 0);
    let by_company = "SELECT count(*) FROM fact_queue_waits
        WHERE business_seconds(entered_at, left_at) <> wait_business_seconds";
    assert!(
        desk.number(by_company) > 0,
        "the department's own hours make no difference"
    );

    let level = |variant: &str| format!("service_level(wait_seconds, exit, 20, '{variant}')");
    let by_saved_query = desk.ok(&["query", "service_level", "--format", "csv"]);
    let of_a_query: f64 = desk.rows(&format!(
        "SELECT round({}, 1) FROM fact_queue_waits WHERE exit <> 'department_changed'
            GROUP BY date_bin(INTERVAL '30 minutes', local_time(entered_at)) ORDER BY date_bin(INTERVAL '30 minutes', local_time(entered_at)) LIMIT 1",
        level("answered_of_offered_less_short")
    ))[0][0].as_f64().expect("a rate");
    let first = by_saved_query.lines().nth(1).expect("a half-hour");
    assert!(
        first.contains(&format!(",{of_a_query:.1},")),
        "{of_a_query} is not in {first}"
    );

    let printed = desk.ok(&["functions"]);
    let examples: Vec<&str> = printed
        .lines()
        .filter_map(|line| line.strip_prefix("    SELECT "))
        .collect();
    assert!(examples.len() > 15, "{printed}");
    for example in examples {
        let answered = desk.ok(&[
            "query",
            "-c",
            &format!("SELECT {example}"),
            "--format",
            "csv",
        ]);
        assert!(answered.lines().count() > 1, "{example} gives nothing");
    }
}

#[test]
fn every_variant_of_service_level_is_what_its_name_says() {
    let desk = Desk::new();
    // Within 20 s: 3 answered, 1 abandoned, 1 short. Beyond: 2 answered, 3 abandoned. In no rate: 3.
    let waits = "(VALUES (5, 'answered'), (20, 'answered'), (0, 'answered'), (21, 'answered'), (90, 'answered'),
        (15, 'abandoned'), (21, 'abandoned'), (60, 'abandoned'), (61, 'abandoned'), (3, 'short_abandoned'),
        (NULL, 'answered'), (7, 'department_changed'), (NULL, 'open')) t (wait_seconds, exit)";
    for (variant, expected) in [
        ("answered_of_answered", 100.0 * 3.0 / 5.0),
        ("answered_of_offered", 100.0 * 3.0 / 10.0),
        ("answered_of_offered_less_short", 100.0 * 3.0 / 9.0),
        ("answered_of_offered_less_early", 100.0 * 3.0 / 8.0),
        ("answered_or_left_early_of_offered", 100.0 * 5.0 / 10.0),
    ] {
        let sql = format!("SELECT service_level(wait_seconds, exit, 20, '{variant}') FROM {waits}");
        assert_eq!(desk.rows(&sql), json!([[expected]]), "{variant}");
        let none = format!("{sql} WHERE exit = 'open'");
        assert_eq!(desk.rows(&none), json!([[null]]), "{variant}");
    }
    let printed = desk.run(&[
        "query",
        "-c",
        &format!("SELECT service_level(wait_seconds, exit, 20, 'answered_of_ofered') FROM {waits}"),
    ]);
    assert_eq!(printed.code, Some(1));
    assert!(
        printed.stderr.contains("did you mean answered_of_offered?"),
        "{}",
        printed.stderr
    );
}

#[test]
fn json_is_read_by_paths() {
    let desk = Desk::new();
    let json = r#"'{"a": {"b": [1, 2.5, "x\n", null, true]}, "n": "7", "ç": {}}'"#;
    for (call, expected) in [
        ("json_get_str(j, 'a', 'b', 2)", json!("x\n")),
        ("json_get_str(j, 'a', 'b', 0)", json!(null)),
        ("json_get_int(j, 'a', 'b', 0)", json!(1)),
        ("json_get_int(j, 'a', 'b', 9)", json!(null)),
        ("json_get_float(j, 'a', 'b', 1)", json!(2.5)),
        ("json_get_bool(j, 'a', 'b', 4)", json!(true)),
        ("json_get_json(j, 'ç')", json!("{}")),
        ("json_as_text(j, 'a', 'b', 3)", json!(null)),
        ("json_length(j, 'a', 'b')", json!(5)),
        ("json_length(j)", json!(3)),
        ("json_contains(j, 'a', 'c')", json!(false)),
        ("j ->> 'n'", json!("7")),
        ("j -> 'n'", json!("\"7\"")),
        ("j -> 'a' -> 'b' ->> 1", json!("2.5")),
        ("json_get_str('no json', 'a')", json!(null)),
        ("json_get_str(CAST(NULL AS TEXT), 'a')", json!(null)),
    ] {
        let rows = desk.rows(&format!("SELECT {call} AS v FROM (SELECT {json} AS j)"));
        assert_eq!(rows, json!([[expected]]), "{call}");
    }
}

#[test]
fn a_path_in_one_piece_is_no_key() {
    let desk = Desk::new();
    for (call, told) in [
        (
            "json_get_int(j, '$.a')",
            "function json_get_int takes no ('$.a') but its steps",
        ),
        (
            "json_get_str(j, 'a', '$[0]')",
            "function json_get_str takes no ('$[0]')",
        ),
        (
            "max(json_length(j, '$.a.b'))",
            "json_length(payload, 'chat', 'tags', 0)",
        ),
    ] {
        let sql = format!("SELECT {call} FROM (SELECT '{{}}' AS j)");
        let printed = desk.run(&["query", "-c", &sql]);
        assert_eq!(
            (printed.code, printed.stdout.as_str()),
            (Some(1), ""),
            "{call}"
        );
        assert!(printed.stderr.contains(told), "{call}: {}", printed.stderr);
        let place = format!("column {}\n", 1 + sql.find("json_").expect("a call"));
        assert!(
            printed.stderr.contains(&place),
            "{call}: {}",
            printed.stderr
        );
    }
    assert_eq!(desk.number("SELECT json_get_int('{\"$a\": 7}', '$a')"), 7);
}

#[test]
fn one_function_is_described_and_a_misspelt_one_guessed() {
    let desk = Desk::new();
    let described = desk.ok(&["functions", "business_seconds"]);
    assert!(
        described.starts_with("business_seconds(from, to [, department_id])"),
        "{described}"
    );
    let printed = desk.run(&["functions", "busines_seconds"]);
    assert_eq!(printed.code, Some(2));
    assert!(
        printed.stderr.contains("did you mean business_seconds?"),
        "{}",
        printed.stderr
    );
}

const IN_MANAUS: [&str; 2] = ["--config", "manaus.toml"];

/// A lake of facts derived for a business in Manaus, an hour behind the default zone, that is open some hours of the
/// day; and no settings in the folder from which it is asked.
fn desk_of_a_business_in_manaus() -> Desk {
    let desk = Desk::new();
    let days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let days = days.map(|day| format!("{day} = [\"08:00-12:00\", \"13:00-18:00\"]\n"));
    let settings = format!(
        "timezone = \"America/Manaus\"\n[business_hours]\n{}",
        days.concat()
    );
    desk.write("manaus.toml", settings);
    let chats = ["--chats", "150", "--days", "2", "--seed", "3"];
    desk.generate("traffic.ndjson", &chats);
    desk.ok(&[&IN_MANAUS[..], &["import", "traffic.ndjson"]].concat());
    desk.ok(&[&IN_MANAUS[..], &["transform"]].concat());
    desk
}

const OTHER_DATES: &str =
    "SELECT count(*) FROM fact_chats WHERE local_date(started_at) IS DISTINCT FROM started_date";

#[test]
fn functions_and_parameters_go_by_what_the_facts_were_derived_with_whoever_asks() {
    let desk = desk_of_a_business_in_manaus();
    assert_eq!(desk.number(OTHER_DATES), 0);
    let by_default = "SELECT count(*) FROM fact_chats
        WHERE CAST(started_at - INTERVAL '3 hours' AS DATE) <> started_date";
    assert!(desk.number(by_default) > 0, "the zone makes no difference");
    let other_seconds = "SELECT count(*) FROM fact_queue_waits
        WHERE BUSINESS_SECONDS(entered_at, left_at, department_id) IS DISTINCT FROM wait_business_seconds";
    assert_eq!(desk.number(other_seconds), 0);
    let known = "SELECT count(*) FROM fact_queue_waits WHERE wait_business_seconds > 0";
    assert!(desk.number(known) > 5, "business hours are hardly known");
    let in_a_view =
        "CREATE VIEW v AS SELECT local_date(started_at) AS date, started_date FROM fact_chats;
        SELECT count(*) FROM v WHERE date <> started_date";
    assert_eq!(desk.number(in_a_view), 0);

    desk.write(
        "at.sql",
        "-- When?\n-- $at TIMESTAMP = '2024-03-01 12:00'  an instant\nSELECT $at AS at",
    );
    let at = |args: &[&str]| desk.ok(&[&["query", "at.sql", "--format", "csv"], args].concat());
    assert_eq!(at(&[]), "at\n2024-03-01T16:00:00Z\n");
    assert_eq!(at(&["at=2024-03-02"]), "at\n2024-03-02T04:00:00Z\n");
    assert_eq!(
        at(&["at=2024-03-02T00:00:00Z"]),
        "at\n2024-03-02T00:00:00Z\n"
    );

    let now = (Utc::now() - Duration::hours(4)).format("%Y-%m-%d %H:%M:%S%.6f");
    let sessions = "SELECT count(*) > 0 AS there_are FROM fact_chats";
    let then = desk.ok(&[
        "query",
        "--at",
        &now.to_string(),
        "--format",
        "csv",
        "-c",
        sessions,
    ]);
    assert_eq!(then, "there_are\ntrue\n");
}

#[test]
fn settings_that_are_not_heeded_are_told_where_they_were_made() {
    let desk = desk_of_a_business_in_manaus();
    let asked = |settings: &str, sql: &str| {
        desk.write("huggy-etl.toml", settings);
        let printed = desk.run(&["query", "-c", sql, "--format", "csv"]);
        assert_eq!(printed.code, Some(0), "{}", printed.stderr);
        printed
    };
    let is_told = |printed: &Printed, key: &str| {
        let told = format!("{key} of huggy-etl.toml is not heeded");
        printed.stderr.contains(&told)
    };
    let other = "timezone = \"America/Bahia\"\n[business_hours]\nmon = []\n";
    let printed = asked(other, OTHER_DATES);
    assert!(printed.stdout.ends_with("\n0\n"), "{}", printed.stdout);
    assert!(is_told(&printed, "timezone"), "{}", printed.stderr);
    assert!(is_told(&printed, "business_hours"), "{}", printed.stderr);
    let nothing_of_it = asked(other, "SELECT count(*) FROM fact_chats");
    assert!(
        !is_told(&nothing_of_it, "timezone"),
        "{}",
        nothing_of_it.stderr
    );
    for settings in [
        "",
        "timezone = \"America/Manaus\"\n",
        "short_abandon_seconds = 99\n",
    ] {
        let printed = asked(settings, OTHER_DATES);
        let told = printed.stderr.contains("not heeded");
        assert!(!told, "{settings}: {}", printed.stderr);
    }
}

#[test]
fn the_callers_settings_hold_where_the_lake_is_of_an_earlier_version() {
    let desk = desk_of_a_business_in_manaus();
    let log = desk.path("lake/fact_chats/_delta_log");
    for entry in fs::read_dir(log).expect("the log") {
        let path = entry.expect("an entry").path();
        let text = fs::read_to_string(&path).expect("an entry of the log");
        let lines = text.lines().map(|line| {
            let mut action: Value = serde_json::from_str(line).expect("an action");
            let properties = action.pointer_mut("/metaData/configuration");
            if let Some(properties) = properties.and_then(Value::as_object_mut) {
                properties.remove("huggy-etl.settings");
            }
            action.to_string() + "\n"
        });
        let lines: String = lines.collect();
        assert!(!lines.contains("Manaus"), "{lines}");
        fs::write(path, lines).expect("an entry of the log");
    }
    assert!(desk.number(OTHER_DATES) > 0);
    assert_eq!(desk.rows_with(&IN_MANAUS, OTHER_DATES), json!([[0]]));
    // The next run that has something to do says it.
    desk.generate(
        "more.ndjson",
        &["--chats", "3", "--days", "1", "--seed", "8"],
    );
    desk.ok(&[&IN_MANAUS[..], &["import", "more.ndjson"]].concat());
    let printed = desk.run(&[&IN_MANAUS[..], &["transform"]].concat());
    assert!(
        !printed.stderr.contains("have changed"),
        "{}",
        printed.stderr
    );
    assert_eq!(desk.number(OTHER_DATES), 0);
}

#[test]
fn the_lakes_settings_are_read_only_where_a_query_asks_for_them() {
    let desk = desk_of_a_business_in_manaus();
    let log = desk.path("lake/fact_chats/_delta_log/00000000000000000001.json");
    fs::write(log, "damaged").expect("an entry of the log");
    assert_eq!(desk.rows("SELECT 1"), json!([[1]]));
    assert_eq!(
        desk.number("SELECT count(*) FROM dim_agents WHERE agent_id < 0"),
        0
    );
    let asks = desk.run(&[
        "query",
        "-c",
        "SELECT local_time(TIMESTAMP '2024-03-01T12:00:00Z')",
    ]);
    assert_eq!(asks.code, Some(3), "{}", asks.stderr);
}
