//! Settings: their sources, their order, and what is said of mistakes.

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
    desk.generate("traffic.ndjson", &["--chats", "20", "--days", "1"]);
    desk.ok(&["import", "traffic.ndjson"]);
    desk.ok(&["transform"]);
    assert!(desk.run(&["transform"]).stderr.contains("up to date"));
    desk.write("huggy-etl.toml", "timezone = \"America/Manaus\"\n");
    let printed = desk.run(&["transform"]);
    assert!(
        printed.stderr.contains("settings have changed"),
        "{}",
        printed.stderr
    );
    assert!(desk.run(&["transform"]).stderr.contains("up to date"));
}
