//! One line of an import to rows, or why it is none. Never does I/O, and never shows content of the line.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use events::{EventRow, Tz, each_event, envelope_time};
use serde_json::value::RawValue;

use super::Fallback;

/// Hands on the rows of a line: a bare delivery, or `{"received_at": RFC 3339, "body": delivery}`. Of one that is none,
/// none.
pub(super) fn each_row(
    line: &[u8],
    fallback: Fallback,
    zone: Tz,
    take: impl FnMut(EventRow),
) -> Result<(), String> {
    let line = std::str::from_utf8(line)
        .map_err(|error| format!("not UTF-8 at byte {}", error.valid_up_to() + 1))?;
    let top = object(line)?;
    let (body, received_at) = match top.get("body") {
        Some(body) if !top.contains_key("messages") => {
            if !object(body.get())
                .map_err(|reason| format!("`body`: {reason}"))?
                .contains_key("messages")
            {
                return Err("not a delivery: `body` has no `messages`".to_owned());
            }
            (
                body.get(),
                top.get("received_at")
                    .map(|text| instant(text))
                    .transpose()?,
            )
        }
        _ if top.contains_key("messages") => (line, None),
        _ => return Err("not a delivery: it has no `messages`".to_owned()),
    };
    let received_at = received_at
        .or_else(|| envelope_time(body.as_bytes()))
        .or(fallback)
        .ok_or("neither `time` nor `received_at` says when it came")?;
    each_event(body.as_bytes(), received_at, zone, take).map_err(|error| error.to_string())
}

fn object(text: &str) -> Result<BTreeMap<String, &RawValue>, String> {
    serde_json::from_str(text).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => "not a JSON object".to_owned(),
        _ if error.is_eof() => "not JSON: it ends too early".to_owned(),
        _ => format!("not JSON at column {}", error.column()),
    })
}

fn instant(text: &RawValue) -> Result<DateTime<Utc>, String> {
    let instant = serde_json::from_str::<String>(text.get()).ok();
    let instant = instant.and_then(|text| DateTime::parse_from_rfc3339(&text).ok());
    instant
        .map(|instant| instant.to_utc())
        .ok_or_else(|| "`received_at` is not an RFC 3339 instant".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(line: &[u8], fallback: Fallback, zone: Tz) -> Result<Vec<EventRow>, String> {
        let mut rows = Vec::new();
        each_row(line, fallback, zone, |row| rows.push(row))?;
        Ok(rows)
    }

    const DELIVERY: &str = r#"{"time":1700000000,"messages":{"startedChat":[{"chat":{"id":1}}]}}"#;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn the_line_says_when_it_was_received_else_the_delivery_else_the_file() {
        let file = Some(at("2020-01-01T00:00:00Z"));
        let wrapped = format!(r#"{{"received_at":"2024-05-06T07:08:09-03:00","body":{DELIVERY}}}"#);
        let without = format!(r#"{{"body":{DELIVERY}}}"#);
        let untimed = DELIVERY.replace("1700000000", "null");
        for (line, expected) in [
            (wrapped.as_str(), "2024-05-06T10:08:09Z"),
            (&without, "2023-11-14T22:13:20Z"),
            (DELIVERY, "2023-11-14T22:13:20Z"),
            (&untimed, "2020-01-01T00:00:00Z"),
        ] {
            let rows = rows(line.as_bytes(), file, Tz::UTC).unwrap();
            assert_eq!(
                (rows.len(), rows[0].received_at),
                (1, at(expected)),
                "{line}"
            );
        }
    }

    #[test]
    fn a_delivery_is_the_same_event_bare_or_wrapped() {
        let wrapped = format!(r#"{{"received_at":"2024-05-06T07:08:09Z","body":{DELIVERY}}}"#);
        let [bare, wrapped] = [DELIVERY, &wrapped]
            .map(|line| rows(line.as_bytes(), None, Tz::UTC).unwrap().remove(0));
        assert_eq!(
            (bare.event_id, bare.delivery_id),
            (wrapped.event_id, wrapped.delivery_id)
        );
    }

    #[test]
    fn a_line_that_is_no_delivery_is_refused_without_showing_it() {
        let cases: [(&[u8], &str); 10] = [
            (b"private", "not JSON at column 1"),
            (b"{\"private\":1", "not JSON: it ends too early"),
            (b"[\"private\"]", "not a JSON object"),
            (b"\"private\"", "not a JSON object"),
            (b"{\"private\":1}", "not a delivery: it has no `messages`"),
            (
                b"{\"body\":{\"private\":1}}",
                "not a delivery: `body` has no `messages`",
            ),
            (b"{\"body\":\"private\"}", "`body`: not a JSON object"),
            (
                b"{\"received_at\":\"private\",\"body\":{\"messages\":[]}}",
                "`received_at` is not an RFC 3339 instant",
            ),
            (
                b"{\"messages\":{}}",
                "neither `time` nor `received_at` says when it came",
            ),
            (b"{\"messages\":\"\xff\"}", "not UTF-8 at byte 14"),
        ];
        for (line, reason) in cases {
            let refused = rows(line, None, Tz::UTC).unwrap_err();
            assert_eq!(refused, reason, "{}", String::from_utf8_lossy(line));
        }
    }
}
