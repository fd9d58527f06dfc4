//! What is known after some events, whatever their order.

use chrono::{DateTime, Utc};
use events::parse_item;
use serde_json::{Map, Value, json};

use super::{ALL, Dimension, Learned, Things};

type Told = (i64, &'static str, Value);

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_741_600_000 + second, 0).expect("an instant")
}

fn learn(told: &[Told]) -> Learned {
    let mut learned = Learned::default();
    for (second, event_type, payload) in told {
        let mut payload = payload.clone();
        payload["company"] = json!({ "id": 1 });
        learned.take(&parse_item(event_type, &payload.to_string()), at(*second));
    }
    learned
}

fn things(learned: &Learned, table: &str) -> (&'static Dimension, Things) {
    let place = ALL.iter().position(|dimension| dimension.name == table);
    let place = place.expect("a dimension of that name");
    (ALL[place], learned.things()[place].clone())
}

fn rows(dimension: &Dimension, things: &Things) -> Vec<Map<String, Value>> {
    let things: Vec<_> = things.values().cloned().collect();
    let batch = dimension.batch(&things);
    assert_eq!(
        dimension.read(&batch).expect("rows of the table"),
        things,
        "what is written is not what is read"
    );
    let mut writer = arrow::json::WriterBuilder::new()
        .with_explicit_nulls(true)
        .build::<_, arrow::json::writer::JsonArray>(Vec::new());
    writer
        .write(&batch)
        .and_then(|()| writer.finish())
        .expect("JSON");
    serde_json::from_slice(&writer.into_inner()).unwrap_or_default()
}

/// The rows of a table, the given columns only, after the events in every rotation, both ways and twice.
fn check(told: &[Told], table: &str, columns: &[&str], expected: Value) {
    let mut told = told.to_vec();
    for _ in 0..told.len() {
        told.rotate_left(1);
        let backwards: Vec<Told> = told.iter().rev().cloned().collect();
        let twice = [backwards.clone(), told.clone()].concat();
        for order in [&told, &backwards, &twice] {
            let (dimension, things) = things(&learn(order), table);
            let rows: Vec<Value> = rows(dimension, &things)
                .iter()
                .map(|row| columns.iter().map(|column| row[*column].clone()).collect())
                .collect();
            assert_eq!(Value::Array(rows), expected, "{table} of {order:?}");
        }
    }
}

#[test]
fn of_each_field_the_value_told_last_is_known() {
    let told = [
        (
            0,
            "createdCustomer",
            json!({ "id": 5, "name": "Ana", "email": "a@x", "mobile": "1" }),
        ),
        (
            20,
            "updatedCustomer",
            json!({ "id": "5", "name": "Ana Lemos" }),
        ),
        (
            10,
            "updatedCustomer",
            json!({ "id": 5, "name": "Anna", "mobile": "2" }),
        ),
    ];
    check(
        &told,
        "dim_contacts",
        &[
            "contact_id",
            "name",
            "mobile",
            "email",
            "first_seen_at",
            "updated_at",
            "known_at",
        ],
        json!([[
            5,
            "Ana Lemos",
            "2",
            "a@x",
            "2025-03-10T09:46:40Z",
            "2025-03-10T09:47:00Z",
            r#"{"email":1741600000000000,"mobile":1741600010000000,"name":1741600020000000}"#
        ]]),
    );
}

#[test]
fn a_value_that_was_told_again_is_known_since_then() {
    let told = [
        (0, "updatedCustomer", json!({ "id": 5, "name": "Ana" })),
        (10, "updatedCustomer", json!({ "id": 5, "name": "Bia" })),
        (20, "updatedCustomer", json!({ "id": 5, "name": "Ana" })),
    ];
    check(&told, "dim_contacts", &["name"], json!([["Ana"]]));
}

#[test]
fn nothing_told_changes_nothing() {
    for nothing in [json!(null), json!(""), json!(false)] {
        let told = [
            (
                0,
                "updatedCustomer",
                json!({ "id": 5, "name": "Ana", "custom_fields": { "a": "1" } }),
            ),
            (
                9,
                "updatedCustomer",
                json!({ "id": 5, "name": nothing, "custom_fields": { "a": nothing } }),
            ),
            (
                8,
                "updatedCustomer",
                json!({ "id": 5, "custom_fields": [] }),
            ),
        ];
        let columns = ["name", "custom_fields"];
        check(
            &told,
            "dim_contacts",
            &columns,
            json!([["Ana", r#"{"a":"1"}"#]]),
        );
    }
}

#[test]
fn of_two_values_at_one_instant_the_greater_is_known() {
    let told = [
        (0, "updatedCustomer", json!({ "id": 5, "name": "Ana" })),
        (0, "updatedCustomer", json!({ "id": 5, "name": "Bia" })),
    ];
    check(&told, "dim_contacts", &["name"], json!([["Bia"]]));
}

#[test]
fn equal_custom_fields_are_equal_texts() {
    let told = [(
        0,
        "updatedCustomer",
        json!({
            "id": 5,
            "custom_fields": { "b": { "z": 1, "y": "\"" }, "a": "1", "c": null },
            "groups": [{ "name": "G", "id": 2 }],
        }),
    )];
    check(
        &told,
        "dim_contacts",
        &["custom_fields", "groups"],
        json!([[
            r#"{"a":"1","b":{"y":"\"","z":1}}"#,
            r#"[{"id":2,"name":"G"}]"#
        ]]),
    );
}

#[test]
fn who_has_no_id_is_no_row() {
    let told = [
        (0, "createdCustomer", json!({ "name": "Ana" })),
        (0, "agentChangedStatus", json!({ "id": {}, "name": "Rui" })),
        (
            0,
            "startedChat",
            json!({ "id": 9, "channel": { "uuid": "u" }, "department": "Sem departamento" }),
        ),
    ];
    for dimension in ALL {
        check(&told, dimension.name, &[], json!([]));
    }
}

#[test]
fn messages_tell_of_contacts_and_agents_by_who_wrote_them() {
    let message = |sender_type: &str, sender: Value| {
        json!({
            "id": 1, "senderType": sender_type, "sender": sender, "receiver": false,
            "chat": { "id": 9, "situation": "in_chat", "customer": { "id": 5 } },
        })
    };
    let told = [
        (
            0,
            "receivedAllMessage",
            message("widget", json!({ "id": 5, "name": "Ana" })),
        ),
        (
            1,
            "sentAllMessage",
            message("agent", json!({ "id": 11, "name": "Rui", "email": "r@x" })),
        ),
        (
            2,
            "receivedAllMessage",
            message("virtual_agent", json!({ "id": 99, "name": "Bot" })),
        ),
    ];
    check(
        &told,
        "dim_contacts",
        &["contact_id", "name"],
        json!([[5, "Ana"]]),
    );
    let columns = ["agent_id", "name", "email"];
    check(&told, "dim_agents", &columns, json!([[11, "Rui", "r@x"]]));
}

#[test]
fn departments_channels_and_reasons_are_known_in_whichever_form_they_come() {
    let told = [
        (
            0,
            "leftQueue",
            json!({
                "id": 9, "department": { "id": "6", "name": "Vendas" },
                "channel": { "id": "50", "uuid": "u-1", "name": "Loja", "type": "Email" },
            }),
        ),
        (
            1,
            "updatedChatDepartment",
            json!({
                "chat": { "id": 9, "department": 7, "channel": "email" },
                "previousDepartment": { "id": 6, "name": "Vendas 2" },
            }),
        ),
        (
            2,
            "closedChat",
            json!({ "id": 9, "tabulation": { "id": "3", "name": "Resolvido" } }),
        ),
    ];
    check(
        &told,
        "dim_departments",
        &["department_id", "name"],
        json!([[6, "Vendas 2"], [7, null]]),
    );
    check(
        &told,
        "dim_channels",
        &["channel_id", "uuid", "name", "type"],
        json!([[50, "u-1", "Loja", "email"]]),
    );
    check(
        &told,
        "dim_tabulations",
        &["tabulation_id", "name"],
        json!([[3, "Resolvido"]]),
    );
}

#[test]
fn steps_are_known_with_their_workflow() {
    let told = [
        (
            0,
            "updatedWorkflowStep",
            json!({
                "chat": { "id": 9, "workflowID": 60, "workflowStepID": 71 },
                "step": { "id": 71, "name": "dois", "workflow": { "id": 60, "name": "Funil" } },
                "previousStep": { "id": 70, "name": "um", "workflow": { "id": 61, "name": "Outro" } },
            }),
        ),
        (
            5,
            "updatedChatDepartment",
            json!({
                "chat": { "id": 9, "department": null, "workflowID": 60, "workflowStepID": "72" },
            }),
        ),
    ];
    check(
        &told,
        "dim_workflow_steps",
        &["workflow_step_id", "name", "workflow_id", "workflow_name"],
        json!([
            [70, "um", 61, "Outro"],
            [71, "dois", 60, "Funil"],
            [72, null, 60, null]
        ]),
    );
}

#[test]
fn one_id_in_two_companies_is_two_things() {
    let mut learned = Learned::default();
    for company in [1, 2] {
        let payload =
            json!({ "id": 5, "name": format!("of {company}"), "company": { "id": company } });
        learned.take(&parse_item("createdCustomer", &payload.to_string()), at(0));
    }
    let (dimension, things) = things(&learned, "dim_contacts");
    let names: Vec<Value> = rows(dimension, &things)
        .iter()
        .map(|row| row["name"].clone())
        .collect();
    assert_eq!(names, [json!("of 1"), json!("of 2")]);
}
