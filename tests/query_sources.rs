//! What queries read beside columns: files, JSON within columns, and the values of parameters.

use crate::query::small_lake;
use crate::support::Desk;

#[test]
fn files_of_every_kind_are_joined_with_the_lake() {
    let desk = small_lake();
    let targets = "SELECT DISTINCT department_id, 60 AS target FROM fact_chats WHERE department_id IS NOT NULL";
    let expected = desk.number("SELECT count(*) FROM fact_chats WHERE department_id IS NOT NULL");
    assert!(expected > 0);
    for ending in ["csv", "tsv", "json", "ndjson", "parquet"] {
        let name = format!("targets.{ending}");
        desk.ok(&["query", "-c", targets, "-o", &name]);
        let joined = format!(
            "SELECT count(*) FROM fact_chats JOIN '{name}' USING (department_id) WHERE target = 60"
        );
        assert_eq!(desk.number(&joined), expected, "{name}");
    }
}

#[test]
fn json_of_a_lake_is_read_by_operators_and_functions() {
    let desk = small_lake();
    let counted = |sql: &str| {
        desk.number(&format!(
            "SELECT count(*) FROM ({sql}) WHERE found IS NOT NULL"
        ))
    };
    let messages = "FROM events WHERE event_type = 'receivedAllMessage'";
    let all = desk.number(&format!("SELECT count(*) {messages}"));
    assert!(all > 0);
    for found in [
        "payload ->> 'senderType'",
        "payload -> 'chat' ->> 'id'",
        "payload ->> '$.chat.id'",
        "json_get_int(payload, 'chat', 'id')",
    ] {
        assert_eq!(
            counted(&format!("SELECT {found} AS found {messages}")),
            all,
            "{found}"
        );
    }
    // The chat that is read from the event is the one that its column names.
    let same =
        format!("SELECT count(*) {messages} AND json_get_int(payload, 'chat', 'id') = chat_id");
    assert_eq!(desk.number(&same), all);
    let answered = desk.number("SELECT count(*) FROM fact_flow_runs WHERE answers IS NOT NULL");
    let read = counted("SELECT answers ->> 'menu.opcao' AS found FROM fact_flow_runs");
    assert!(0 < read && read <= answered, "{read} of {answered}");
}

#[test]
fn a_parameter_that_must_be_given_is_asked_for() {
    let desk = Desk::new();
    desk.write("mine.sql", "-- What?\n-- $day DATE  the day\n-- $most BIGINT = 1  how many\nSELECT $day AS d, $most AS n");
    let printed = desk.run(&["query", "mine.sql"]);
    assert_eq!((printed.code, printed.stdout.as_str()), (Some(2), ""));
    assert!(
        printed.stderr.contains("$day") && printed.stderr.contains("--param day="),
        "{}",
        printed.stderr
    );
    let given = desk.ok(&[
        "query",
        "mine.sql",
        "--param",
        "day=2024-03-01",
        "--format",
        "csv",
    ]);
    assert_eq!(given, "d,n\n2024-03-01,1\n");
}
