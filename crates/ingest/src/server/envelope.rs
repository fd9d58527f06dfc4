//! The little of a body that must be known before it is stored: that it is JSON, and the token. Builds no tree and
//! looks at no event.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The top level of a body. Of a key that repeats, the last counts.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Envelope<'a> {
    pub token: Option<Cow<'a, str>>,
    /// `validToken` is true.
    pub valid_token: bool,
    pub has_messages: bool,
    /// It has the `from` and `to` of the SMS webhook, which is another product.
    pub has_sms_ends: bool,
}

/// Where a body stops being JSON. Says nothing about what stands there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed {
    pub line: usize,
    pub column: usize,
    /// The body ends too early.
    pub is_cut_short: bool,
}

impl Envelope<'_> {
    /// The platform asks whether the URL is ours.
    pub fn is_handshake(&self) -> bool {
        self.valid_token && !self.has_messages
    }
}

/// Reads a body's top level and checks the rest for being well-formed.
pub(super) fn peek(body: &[u8]) -> Result<Envelope<'_>, Malformed> {
    let text = std::str::from_utf8(body).map_err(|error| {
        let before = &body[..error.valid_up_to()];
        let line_start = before
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |newline| newline + 1);
        Malformed {
            line: 1 + before.iter().filter(|byte| **byte == b'\n').count(),
            column: 1 + before.len() - line_start,
            is_cut_short: false,
        }
    })?;
    let is_object = text.trim_start().starts_with('{');
    let envelope = if is_object {
        serde_json::from_str(text)
    } else {
        serde_json::from_str::<IgnoredAny>(text).map(|_| Envelope::default())
    };
    envelope.map_err(|error| Malformed {
        line: error.line(),
        column: error.column(),
        is_cut_short: error.is_eof(),
    })
}

#[derive(serde::Deserialize)]
#[serde(field_identifier, rename_all = "camelCase")]
enum Key {
    Token,
    ValidToken,
    Messages,
    From,
    To,
    #[serde(other)]
    Other,
}

impl<'de> Deserialize<'de> for Envelope<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TopLevel;
        impl<'de> Visitor<'de> for TopLevel {
            type Value = Envelope<'de>;
            fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
                formatter.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut envelope = Envelope::default();
                let (mut from, mut to) = (false, false);
                while let Some(key) = map.next_key()? {
                    match key {
                        Key::Token => envelope.token = text(map.next_value()?),
                        Key::ValidToken => {
                            envelope.valid_token = map.next_value::<&RawValue>()?.get() == "true"
                        }
                        key => {
                            map.next_value::<IgnoredAny>()?;
                            envelope.has_messages |= matches!(key, Key::Messages);
                            from |= matches!(key, Key::From);
                            to |= matches!(key, Key::To);
                        }
                    }
                }
                envelope.has_sms_ends = from && to;
                Ok(envelope)
            }
        }
        deserializer.deserialize_map(TopLevel)
    }
}

/// A text; `None` for any other value, and for text that no string can hold.
fn text(value: &RawValue) -> Option<Cow<'_, str>> {
    match serde_json::from_str(value.get()) {
        Ok(borrowed) => Some(Cow::Borrowed(borrowed)),
        // It has escapes, or it is no text.
        Err(_) => serde_json::from_str(value.get()).ok().map(Cow::Owned),
    }
}

/// What holds of any bytes: what is accepted is JSON, and what is stored of it can be read.
#[cfg(any(test, fuzzing))]
pub(crate) fn check(body: &[u8]) {
    let envelope = match peek(body) {
        Ok(envelope) => envelope,
        Err(malformed) => return assert!(malformed.line > 0, "{malformed:?}"),
    };
    assert!(serde_json::from_slice::<IgnoredAny>(body).is_ok());
    if envelope.token.is_some() {
        let zone = events::Tz::America__Sao_Paulo;
        let rows = events::read_delivery(body, chrono::DateTime::UNIX_EPOCH, zone)
            .expect("what is stored can be read");
        assert_eq!(events::to_batch(&rows).num_rows(), rows.len());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEYS: [&str; 6] = ["token", "validToken", "messages", "time", "from", "to"];
    const VALUES: [&str; 10] = [
        "true",
        "1e999",
        "null",
        r#""a""#,
        r#""\u0061""#,
        r#""\ud800""#,
        "[[],{}]",
        r#"{"receivedMessage":[{"id":1},7]}"#,
        r#"{"closedChat":{}}"#,
        "1709298000",
    ];

    /// Objects of keys and values that mean something, in any order and number.
    fn objects() -> impl Strategy<Value = String> {
        let key = prop::sample::select(&KEYS[..]);
        let entry = (key, prop::sample::select(&VALUES[..]));
        prop::collection::vec(entry, 0..6).prop_map(|entries| {
            let entries = entries
                .iter()
                .map(|(key, value)| format!("\"{key}\":{value}"));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(","))
        })
    }

    proptest! {
        #[test]
        fn whatever_is_json_is_accepted_and_can_be_stored(body in objects()) {
            prop_assert!(peek(body.as_bytes()).is_ok());
            check(body.as_bytes());
        }

        #[test]
        fn what_is_damaged_is_refused_with_its_place_or_can_be_stored(
            body in objects(), place in any::<prop::sample::Index>(), byte in any::<u8>(),
        ) {
            let mut body = body.into_bytes();
            let place = place.index(body.len());
            body[place] = byte;
            check(&body);
        }

        #[test]
        fn any_bytes_are_refused_with_their_place_or_can_be_stored(
            body in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            check(&body);
        }
    }

    fn envelope(token: Option<&str>, valid_token: bool, has_messages: bool) -> Envelope<'_> {
        Envelope {
            token: token.map(Cow::Borrowed),
            valid_token,
            has_messages,
            has_sms_ends: false,
        }
    }

    #[test]
    fn only_the_top_level_is_looked_at() {
        let cases = [
            (
                r#"{"token":"a","validToken":true}"#,
                envelope(Some("a"), true, false),
            ),
            (
                r#"{"messages":[],"token":"a","time":1}"#,
                envelope(Some("a"), false, true),
            ),
            (
                r#"{"messages":{"x":[{"token":"b"}]}}"#,
                envelope(None, false, true),
            ),
            (
                r#"{"token":"a","token":"b"}"#,
                envelope(Some("b"), false, false),
            ),
            (
                r#"{"token":1,"validToken":"true"}"#,
                envelope(None, false, false),
            ),
            (
                r#"{"token":{"a":[1,{}]},"validToken":[true]}"#,
                envelope(None, false, false),
            ),
            (
                r#"{"to\u006ben":"\u0061"}"#,
                envelope(Some("a"), false, false),
            ),
            (
                r#"{"token":"a","validToken":1e999}"#,
                envelope(Some("a"), false, false),
            ),
            (
                r#"{"token":"\ud800","messages":[]}"#,
                envelope(None, false, true),
            ),
            ("[]", envelope(None, false, false)),
            (" null ", envelope(None, false, false)),
            ("1e999", envelope(None, false, false)),
        ];
        for (body, expected) in cases {
            assert_eq!(peek(body.as_bytes()), Ok(expected), "{body}");
        }
    }

    #[test]
    fn nesting_is_no_reason_to_refuse() {
        let deep = format!(
            "{{\"token\":\"a\",\"messages\":{}{}}}",
            "[".repeat(10_000),
            "]".repeat(10_000)
        );
        assert_eq!(peek(deep.as_bytes()), Ok(envelope(Some("a"), false, true)));
    }

    #[test]
    fn the_place_where_a_body_stops_being_json_is_told() {
        let cases: [(&[u8], _); 5] = [
            (b"{\"token\":\n  nope}", (2, 4, false)),
            (b"{\"token\":\"a\"", (1, 12, true)),
            (b"", (1, 0, true)),
            (b"{}{}", (1, 3, false)),
            (b"{\n\"a\":\"\xff\"}", (2, 6, false)),
        ];
        for (body, (line, column, is_cut_short)) in cases {
            let expected = Malformed {
                line,
                column,
                is_cut_short,
            };
            assert_eq!(
                peek(body),
                Err(expected),
                "{}",
                String::from_utf8_lossy(body)
            );
        }
    }
}
