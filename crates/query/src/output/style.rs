//! How results for reading look.

/// As many rows a table shows unless told otherwise.
pub const TABLE_ROW_LIMIT: usize = 10_000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Style {
    /// What stands for NULL instead of what the format says.
    pub null: Option<String>,
    /// Whether the formats for reading write `*_seconds` as `1h 02m 03s`.
    pub human: bool,
    /// How many rows a table shows; it is collected before it is written.
    pub row_limit: usize,
    /// What a table is fitted to; nothing for one as wide as it comes.
    pub screen: Option<Screen>,
}

/// Where a table is shown, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Screen {
    pub width: usize,
    /// With a height a table that exceeds the screen is written whole, for a pager.
    pub height: Option<usize>,
}

impl Default for Style {
    fn default() -> Self {
        Self {
            null: None,
            human: false,
            row_limit: TABLE_ROW_LIMIT,
            screen: None,
        }
    }
}

impl Style {
    pub(super) fn null_or<'a>(&'a self, usual: &'a str) -> &'a str {
        self.null.as_deref().unwrap_or(usual)
    }
}
