//! Every sample of the platform's documentation, and what becomes of it.

use std::fs;
use std::path::Path;

use chrono::{DateTime, Utc};
use events::{EventRow, Tz, parse_item, read_delivery};

fn received_at() -> DateTime<Utc> {
    DateTime::from_timestamp(1_750_000_000, 0).expect("an instant")
}

fn samples() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/webhooks");
    let mut samples = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder of fixtures") {
        let path = entry.expect("a fixture").path();
        let name = path
            .file_stem()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        samples.push((name, fs::read_to_string(&path).expect("a fixture is text")));
    }
    samples.sort();
    samples
}

#[test]
fn every_documented_sample_is_understood_whole() {
    let deliveries: Vec<_> = samples()
        .into_iter()
        .filter(|(name, _)| name != "handshake")
        .collect();
    assert_eq!(deliveries.len(), 21);
    for (name, body) in deliveries {
        let rows = read_delivery(body.as_bytes(), received_at(), Tz::America__Sao_Paulo)
            .expect("a delivery");
        let mut text = String::new();
        for row in rows {
            assert_eq!(row.parse_error, None, "{name}");
            assert!(
                body.contains(&row.payload),
                "{name}: the payload is not kept byte for byte"
            );
            let event_type = row.event_type.clone().unwrap_or_default();
            let event = parse_item(&event_type, &row.payload);
            text.push_str(&format!(
                "{:#?}\n{event:#?}\n",
                EventRow {
                    payload: String::new(),
                    ..row
                }
            ));
        }
        insta::assert_snapshot!(name, text);
    }
}

#[test]
fn copies_of_an_event_have_one_id_and_others_have_their_own() {
    let id = |body: &str| {
        let rows = read_delivery(body.as_bytes(), received_at(), Tz::UTC).expect("a delivery");
        rows[0].event_id
    };
    let first = id(r#"{"time":1709298000,"messages":{"closedChat":[{"id":1}]},"token":"a"}"#);
    assert_eq!(
        first,
        id(r#"{"token":"b","messages":{"closedChat":[{"id":1}]},"time":1709298000}"#)
    );
    for other in [
        r#"{"time":1709298001,"messages":{"closedChat":[{"id":1}]}}"#,
        r#"{"time":1709298000,"messages":{"startedChat":[{"id":1}]}}"#,
        r#"{"time":1709298000,"messages":{"closedChat":[{"id":2}]}}"#,
    ] {
        assert_ne!(first, id(other), "{other}");
    }
    assert_eq!(
        first,
        first.to_string().parse().expect("an id survives its text")
    );
}

#[test]
fn what_does_not_fit_is_kept_with_its_reason() {
    let check = |body: &str, expected: &[(Option<&str>, &str, Option<&str>)]| {
        let rows = read_delivery(body.as_bytes(), received_at(), Tz::UTC).expect("a delivery");
        let found: Vec<_> = rows
            .iter()
            .map(|row| {
                (
                    row.event_type.as_deref(),
                    row.payload.as_str(),
                    row.parse_error.as_deref(),
                )
            })
            .collect();
        assert_eq!(found, expected, "{body}");
    };
    let time = r#""time":1709298000"#;
    check(&format!(r#"{{{time},"messages":[]}}"#), &[]);
    check(&format!(r#"{{{time},"messages":{{}}}}"#), &[]);
    check(
        &format!(r#"{{{time},"messages":{{"closedChat":[]}}}}"#),
        &[],
    );
    check(
        &format!(r#"{{{time},"messages":{{"new":[{{"odd" : 1}}]}}}}"#),
        &[(Some("new"), r#"{"odd" : 1}"#, None)],
    );
    check(
        &format!(r#"{{{time},"messages":{{"startedChat":{{"id":"7"}}}}}}"#),
        &[(Some("startedChat"), r#"{"id":"7"}"#, None)],
    );
    check(
        &format!(r#"{{{time},"messages":{{"startedChat":["x"]}}}}"#),
        &[(
            Some("startedChat"),
            r#""x""#,
            Some("the item is a string that does not fit, expected an object"),
        )],
    );
    check(
        &format!(r#"{{{time},"messages":{{"startedChat":[{{"id":[7]}}]}}}}"#),
        &[(
            Some("startedChat"),
            r#"{"id":[7]}"#,
            Some("id: expected an integer or a string of digits, found an array"),
        )],
    );
    check(
        &format!(r#"{{{time},"messages":"many"}}"#),
        &[(None, r#""many""#, Some("`messages` is no object of events"))],
    );
    check(
        r#"{"token":"secret","time":1709298000,"odd" : [1]}"#,
        &[(
            None,
            r#"{"time":1709298000,"odd":[1]}"#,
            Some("the delivery has no `messages`"),
        )],
    );
    check(
        r#"{"time":1709298000000,"messages":{"startedChat":[{"id":7}]}}"#,
        &[(
            Some("startedChat"),
            r#"{"id":7}"#,
            Some("time: missing or implausible, received_at stands in"),
        )],
    );
}

#[test]
fn a_body_that_is_no_object_is_no_delivery() {
    for body in ["", "[]", "5", "{", "{}}"] {
        assert!(
            read_delivery(body.as_bytes(), received_at(), Tz::UTC).is_err(),
            "{body}"
        );
    }
}
