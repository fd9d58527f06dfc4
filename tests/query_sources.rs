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
    let told = "parameter $day (the day) has no value; give a DATE as --param day=VALUE";
    assert!(printed.stderr.contains(told), "{}", printed.stderr);
    std::fs::create_dir(desk.path("queries")).expect("a folder");
    std::fs::copy(desk.path("mine.sql"), desk.path("queries/mine.sql")).expect("a copy");
    let listed = desk.ok(&["queries"]);
    let marked = "day DATE (required)  most BIGINT = 1\n";
    assert!(listed.contains(marked), "{listed}");
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

#[test]
fn parameters_of_every_type_are_bound_or_told_how_they_are_written() {
    let desk = Desk::new();
    let sql = "-- $is BOOLEAN = NULL
-- $share DOUBLE = 0.5
-- $at TIMESTAMP = NULL
SELECT NOT $is AS is_not, $share * 2 AS twice, $at AS at";
    desk.write("typed.sql", sql);
    let run =
        |values: &[&str]| desk.run(&[&["query", "typed.sql", "--format", "csv"], values].concat());
    for (values, expected) in [
        (&[][..], ",1.0,"),
        (&["is=true", "share=1e-1"], "false,0.2,"),
        (
            &["is=False", "at=2024-03-01 15:00"],
            "true,1.0,2024-03-01T18:00:00Z",
        ),
        (
            &["at=2024-03-01T15:00:00+02:00"],
            ",1.0,2024-03-01T13:00:00Z",
        ),
    ] {
        let printed = run(values);
        let rows = format!("is_not,twice,at\n{expected}\n");
        assert_eq!(printed.stdout, rows, "{values:?}: {}", printed.stderr);
    }
    for (value, expected) in [
        (
            "is=yes",
            "parameter $is: \"yes\" is no BOOLEAN; write true, or NULL",
        ),
        (
            "share=half",
            "parameter $share: \"half\" is no DOUBLE; write 0.9, or NULL",
        ),
        (
            "at=noon",
            "parameter $at: \"noon\" is no TIMESTAMP; write 2024-03-01T18:00:00Z",
        ),
    ] {
        let printed = run(&[value]);
        assert_eq!(
            (printed.code, printed.stdout.as_str()),
            (Some(2), ""),
            "{value}"
        );
        assert!(
            printed.stderr.contains(expected),
            "{value}: {}",
            printed.stderr
        );
    }
}
