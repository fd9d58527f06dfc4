//! Finding one value in JSON, passing over everything else without building it.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Key(String),
    Index(usize),
}

/// The text of the value at the path.
pub(super) fn find<'a>(json: &'a str, path: &[Step]) -> Option<&'a str> {
    let Some((first, rest)) = path.split_first() else {
        let whole: &RawValue = serde_json::from_str(json).ok()?;
        return Some(whole.get());
    };
    let mut reader = serde_json::Deserializer::from_str(json);
    let found = reader.deserialize_any(At(first)).ok()??;
    find(found, rest)
}

/// How many items an array or object has.
pub(super) fn length(json: &str) -> Option<i64> {
    let mut reader = serde_json::Deserializer::from_str(json);
    reader.deserialize_any(Items).ok()
}

struct At<'p>(&'p Step);

impl<'de> Visitor<'de> for At<'_> {
    type Value = Option<&'de str>;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("an object or an array")
    }

    /// Of a key told twice the later value counts.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(key) = map.next_key::<Cow<str>>()? {
            if matches!(self.0, Step::Key(wanted) if *wanted == key) {
                found = Some(map.next_value::<&RawValue>()?.get());
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        let mut place = 0;
        loop {
            if matches!(self.0, Step::Index(wanted) if *wanted == place) {
                match items.next_element::<&RawValue>()? {
                    Some(item) => found = Some(item.get()),
                    None => return Ok(found),
                }
            } else if items.next_element::<IgnoredAny>()?.is_none() {
                return Ok(found);
            }
            place += 1;
        }
    }
}

struct Items;

impl<'de> Visitor<'de> for Items {
    type Value = i64;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("an object or an array")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<i64, A::Error> {
        let mut items = 0;
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
            items += 1;
        }
        Ok(items)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<i64, A::Error> {
        let mut items = 0;
        while sequence.next_element::<IgnoredAny>()?.is_some() {
            items += 1;
        }
        Ok(items)
    }
}
