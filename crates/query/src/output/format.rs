//! The formats by name and by the ending of a file.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use super::{
    ResultWriter, Style, arrow_file, json, markup, parquet_file, separated::SeparatedWriter, table,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// For reading: aligned columns, `NULL` spelled out, as many rows as the style allows.
    #[default]
    Table,
    /// A header, then a record a row; NULL is empty.
    Csv,
    /// As CSV, with tabs.
    Tsv,
    /// One array of objects.
    Json,
    /// An object a line.
    Ndjson,
    /// A table for a text in Markdown.
    Markdown,
    /// A page with one table.
    Html,
    Parquet,
    /// The file format of Arrow IPC, also known as Feather.
    Arrow,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown format {0:?}; there are table, csv, tsv, json, ndjson, markdown, html, parquet and arrow"
)]
pub struct UnknownFormat(String);

impl Format {
    pub const ALL: [Format; 9] = [
        Format::Table,
        Format::Csv,
        Format::Tsv,
        Format::Json,
        Format::Ndjson,
        Format::Markdown,
        Format::Html,
        Format::Parquet,
        Format::Arrow,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Format::Table => "table",
            Format::Csv => "csv",
            Format::Tsv => "tsv",
            Format::Json => "json",
            Format::Ndjson => "ndjson",
            Format::Markdown => "markdown",
            Format::Html => "html",
            Format::Parquet => "parquet",
            Format::Arrow => "arrow",
        }
    }

    /// The format of a file with that ending, if it is one.
    pub fn of_file(path: &Path) -> Option<Format> {
        let extension = path.extension()?.to_str()?.to_ascii_lowercase();
        Some(match extension.as_str() {
            "txt" => Format::Table,
            "csv" => Format::Csv,
            "tsv" | "tab" => Format::Tsv,
            "json" => Format::Json,
            "ndjson" | "jsonl" => Format::Ndjson,
            "md" | "markdown" => Format::Markdown,
            "html" | "htm" => Format::Html,
            "parquet" => Format::Parquet,
            "arrow" | "feather" | "ipc" => Format::Arrow,
            _ => return None,
        })
    }

    /// Whether people read it, rather than programs.
    pub const fn is_for_reading(self) -> bool {
        matches!(self, Format::Table | Format::Markdown | Format::Html)
    }

    /// Whether it says NULL in words that one may choose.
    pub const fn has_null_text(self) -> bool {
        self.is_for_reading() || matches!(self, Format::Csv | Format::Tsv)
    }

    /// Whether it is bytes, and no text for a terminal.
    pub const fn is_binary(self) -> bool {
        matches!(self, Format::Parquet | Format::Arrow)
    }

    /// Whether what is written is one document, and so holds one result.
    pub const fn holds_one_result(self) -> bool {
        self.is_binary() || matches!(self, Format::Html)
    }

    /// Whether a program that reads a file of it expects one result.
    pub const fn file_holds_one_result(self) -> bool {
        self.holds_one_result() || matches!(self, Format::Csv | Format::Tsv | Format::Json)
    }

    pub(super) fn writer(self, style: &Style) -> Box<dyn ResultWriter + Send> {
        match self {
            Format::Table => Box::new(table::TableWriter::new(style)),
            Format::Csv => Box::new(SeparatedWriter::by_commas(style)),
            Format::Tsv => Box::new(SeparatedWriter::by_tabs(style)),
            Format::Json => Box::new(json::JsonWriter::array()),
            Format::Ndjson => Box::new(json::JsonWriter::lines()),
            Format::Markdown => Box::new(markup::MarkdownWriter::new(style)),
            Format::Html => Box::new(markup::HtmlWriter::new(style)),
            Format::Parquet => Box::new(parquet_file::ParquetWriter::default()),
            Format::Arrow => Box::new(arrow_file::ArrowFileWriter::default()),
        }
    }

    /// What stands between the results of two statements.
    pub const fn separator(self) -> &'static [u8] {
        match self {
            Format::Table | Format::Csv | Format::Tsv | Format::Markdown | Format::Html => b"\n",
            Format::Json | Format::Ndjson | Format::Parquet | Format::Arrow => b"",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.pad(self.name())
    }
}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Self, UnknownFormat> {
        let found = Format::ALL
            .into_iter()
            .find(|format| format.name().eq_ignore_ascii_case(name));
        found.ok_or_else(|| UnknownFormat(name.to_owned()))
    }
}
