//! A writer of compact JSON, as the platform spells it: some of its senders escape everything that is not ASCII, others do not.

use std::fmt::Write;

pub struct Json {
    out: String,
    ascii: bool,
}

impl Json {
    pub fn new(ascii: bool) -> Self {
        Json {
            out: String::with_capacity(2_048),
            ascii,
        }
    }

    pub fn finish(self) -> String {
        self.out
    }

    /// JSON that is already written.
    pub fn raw(&mut self, json: &str) -> &mut Self {
        self.out.push_str(json);
        self
    }

    pub fn int(&mut self, value: i64) -> &mut Self {
        write!(self.out, "{value}").expect("a String takes every write");
        self
    }

    /// An id, which the platform gives as an integer or as a string of digits.
    pub fn id(&mut self, value: i64, as_string: bool) -> &mut Self {
        let quote = if as_string { "\"" } else { "" };
        self.raw(quote).int(value).raw(quote)
    }

    pub fn text(&mut self, text: &str) -> &mut Self {
        self.out.push('"');
        for character in text.chars() {
            match character {
                '"' => self.out.push_str("\\\""),
                '\\' => self.out.push_str("\\\\"),
                '\n' => self.out.push_str("\\n"),
                '/' if self.ascii => self.out.push_str("\\/"),
                other if other < ' ' || (self.ascii && !other.is_ascii()) => {
                    self.unicode_escape(other)
                }
                other => self.out.push(other),
            }
        }
        self.out.push('"');
        self
    }

    pub fn text_or_null(&mut self, text: Option<&str>) -> &mut Self {
        match text {
            Some(text) => self.text(text),
            None => self.raw("null"),
        }
    }

    fn unicode_escape(&mut self, character: char) {
        for unit in character.encode_utf16(&mut [0; 2]) {
            write!(self.out, "\\u{unit:04x}").expect("a String takes every write");
        }
    }
}
