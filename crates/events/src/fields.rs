//! Reading fields that change type.
//!
//! An [`Object`] reads one JSON object by field; what does not fit yields `None` and a note in the
//! shared list of problems, so that one odd field never hides the others. Never fails.

use std::cell::RefCell;

use serde_json::{Map, Value};

/// Notes of fields that did not fit, shared by an item's nested objects.
pub(crate) type Problems = RefCell<Vec<String>>;

/// A department as an event names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Department {
    pub id: i64,
    pub name: Option<String>,
}

/// The object form of a chat's channel.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Channel {
    pub id: Option<i64>,
    pub uuid: Option<String>,
    pub name: Option<String>,
    /// `type` as sent, for example `Email`.
    pub kind: Option<String>,
}

/// One JSON object, or nothing where the object was absent.
#[derive(Clone, Copy)]
pub(crate) struct Object<'a> {
    fields: Option<&'a Map<String, Value>>,
    path: &'a str,
    problems: &'a Problems,
}

impl<'a> Object<'a> {
    pub fn new(
        fields: Option<&'a Map<String, Value>>,
        path: &'a str,
        problems: &'a Problems,
    ) -> Self {
        Self {
            fields,
            path,
            problems,
        }
    }

    pub fn is_present(&self) -> bool {
        self.fields.is_some()
    }

    pub fn get(&self, key: &str) -> Option<&'a Value> {
        self.fields.and_then(|fields| fields.get(key))
    }

    /// The nested object; `null`, `false`, `""` and `[]` stand for none.
    pub fn object(&self, key: &'a str) -> Object<'a> {
        let fields = match self.get(key) {
            Some(Value::Object(fields)) => Some(fields),
            Some(Value::Array(items)) if items.is_empty() => None,
            value => {
                self.expect_absent(key, value, "an object");
                None
            }
        };
        Object::new(fields, key, self.problems)
    }

    /// An id: an integer or a string of digits.
    pub fn id(&self, key: &str) -> Option<i64> {
        let value = self.get(key);
        let id = match value {
            Some(Value::Number(number)) => number.as_i64(),
            Some(Value::String(text)) => digits(text),
            _ => None,
        };
        if id.is_none() {
            self.expect_absent(key, value, "an integer or a string of digits");
        }
        id
    }

    /// A string; numbers become their text.
    pub fn text(&self, key: &str) -> Option<String> {
        match self.get(key) {
            Some(Value::String(text)) => Some(text.clone()),
            Some(Value::Number(number)) => Some(number.to_string()),
            value => {
                self.expect_absent(key, value, "a string");
                None
            }
        }
    }

    /// A string that says something: `""` is none.
    pub fn word(&self, key: &str) -> Option<String> {
        self.text(key).filter(|text| !text.trim().is_empty())
    }

    /// A boolean, also as 0 and 1 or their strings.
    pub fn flag(&self, key: &str) -> Option<bool> {
        match self.get(key)? {
            Value::Bool(flag) => Some(*flag),
            Value::Null => None,
            Value::Number(number) if number.as_i64() == Some(0) => Some(false),
            Value::Number(number) if number.as_i64() == Some(1) => Some(true),
            Value::String(text) => match text.as_str() {
                "0" | "false" => Some(false),
                "1" | "true" => Some(true),
                "" => None,
                _ => self.misfit(key, "a boolean"),
            },
            _ => self.misfit(key, "a boolean"),
        }
    }

    /// A department: `null`, `false`, `""`, 0 and "Sem departamento" are none.
    pub fn department(&self, key: &str) -> Option<Department> {
        let is_none = |name: &str| name.trim() == "Sem departamento";
        let (id, name) = match self.get(key) {
            Some(Value::Number(number)) => (number.as_i64(), None),
            Some(Value::String(text)) if is_none(text) => return None,
            Some(Value::String(text)) => (digits(text), None),
            Some(Value::Object(fields)) => {
                let object = Object::new(Some(fields), "department", self.problems);
                let name = object.word("name");
                if name.as_deref().is_some_and(is_none) {
                    return None;
                }
                (object.id("id"), name)
            }
            _ => (None, None),
        };
        if id.is_none() && !matches!(self.get(key), Some(Value::Object(_))) {
            self.expect_absent(key, self.get(key), "a department id or object");
        }
        id.filter(|id| *id != 0).map(|id| Department { id, name })
    }

    /// The chat's channel in whichever form it has: its word, or its object.
    pub fn channel(&self, key: &str) -> (Option<String>, Option<Channel>) {
        match self.get(key) {
            Some(Value::Object(fields)) => {
                let object = Object::new(Some(fields), "channel", self.problems);
                let channel = Channel {
                    id: object.id("id"),
                    uuid: object.word("uuid"),
                    name: object.word("name"),
                    kind: object.word("type"),
                };
                (None, Some(channel))
            }
            _ => (self.word(key), None),
        }
    }

    /// `null`, `false` and `""` say "none" all over the platform; anything else that is here and was
    /// not understood is a problem worth a note.
    fn expect_absent(&self, key: &str, value: Option<&Value>, expected: &str) {
        match value {
            None | Some(Value::Null | Value::Bool(false)) => {}
            Some(Value::String(text)) if text.trim().is_empty() => {}
            Some(_) => {
                self.misfit::<()>(key, expected);
            }
        }
    }

    fn misfit<T>(&self, key: &str, expected: &str) -> Option<T> {
        let found = self.get(key).map_or("nothing", kind_of);
        let dot = if self.path.is_empty() { "" } else { "." };
        self.note(format!(
            "{}{dot}{key}: expected {expected}, found {found}",
            self.path
        ));
        None
    }

    pub fn note(&self, problem: String) {
        self.problems.borrow_mut().push(problem);
    }
}

fn digits(text: &str) -> Option<i64> {
    let text = text.trim();
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}

/// What a JSON value is, in words. Never the value itself: it may be personal.
pub(crate) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number that does not fit",
        Value::String(_) => "a string that does not fit",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
