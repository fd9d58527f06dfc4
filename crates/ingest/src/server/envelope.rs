//! The little of a body that must be known before it is stored: that it is JSON, and the token. Builds no tree and
//! looks at no event.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

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
                        Key::Token => envelope.token = map.next_value::<Scalar>()?.text(),
                        Key::ValidToken => {
                            envelope.valid_token = matches!(map.next_value()?, Scalar::True)
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

/// A value of which only text and `true` matter; anything well-formed is fine.
enum Scalar<'a> {
    Text(Cow<'a, str>),
    True,
    Other,
}

impl<'a> Scalar<'a> {
    fn text(self) -> Option<Cow<'a, str>> {
        match self {
            Scalar::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl<'de> Deserialize<'de> for Scalar<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Value;
        impl<'de> Visitor<'de> for Value {
            type Value = Scalar<'de>;
            fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
                formatter.write_str("any value")
            }
            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Scalar::Text(Cow::Borrowed(text)))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Scalar::Text(Cow::Owned(text.to_owned())))
            }
            fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
                Ok(if value { Scalar::True } else { Scalar::Other })
            }
            fn visit_i64<E: Error>(self, _: i64) -> Result<Self::Value, E> {
                Ok(Scalar::Other)
            }
            fn visit_u64<E: Error>(self, _: u64) -> Result<Self::Value, E> {
                Ok(Scalar::Other)
            }
            fn visit_f64<E: Error>(self, _: f64) -> Result<Self::Value, E> {
                Ok(Scalar::Other)
            }
            fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
                Ok(Scalar::Other)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
                while items.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Scalar::Other)
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Scalar::Other)
            }
        }
        deserializer.deserialize_any(Value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
