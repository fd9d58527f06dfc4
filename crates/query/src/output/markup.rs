//! Markdown and HTML: a table to paste into a text, and a page with one. Values are escaped, since
//! customers' messages may hold anything.

use std::io::Write;

use arrow::datatypes::Schema;
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;

use super::cells::{cells, is_number};
use super::{LeftOut, ResultWriter, Style};

pub(super) struct MarkdownWriter {
    null: String,
}

impl MarkdownWriter {
    pub fn new(style: &Style) -> Self {
        Self {
            null: style.null_or("").to_owned(),
        }
    }
}

impl ResultWriter for MarkdownWriter {
    fn start(&mut self, schema: &Schema, text: &mut Vec<u8>) -> Result<(), ArrowError> {
        let fields = schema.fields();
        let names = fields.iter().map(|field| markdown(field.name()));
        let rules = fields.iter().map(|field| match is_number(field) {
            true => "---:".to_owned(),
            false => "---".to_owned(),
        });
        markdown_row(names, text)?;
        markdown_row(rules, text)
    }

    fn rows(&mut self, batch: &RecordBatch, text: &mut Vec<u8>) -> Result<(), ArrowError> {
        for row in rows(batch, &self.null)? {
            markdown_row(row.iter().map(|cell| markdown(cell)), text)?;
        }
        Ok(())
    }

    fn finish(&mut self, _text: &mut Vec<u8>) -> Result<LeftOut, ArrowError> {
        Ok(LeftOut::default())
    }
}

fn markdown_row(cells: impl Iterator<Item = String>, text: &mut Vec<u8>) -> Result<(), ArrowError> {
    let row: Vec<String> = cells.collect();
    Ok(writeln!(text, "| {} |", row.join(" | "))?)
}

/// What would end the cell, or begin markup, as text.
fn markdown(cell: &str) -> String {
    let mut escaped = String::with_capacity(cell.len());
    for character in cell.replace("\r\n", "\n").chars() {
        match character {
            '\n' => escaped.push_str("<br>"),
            '|' | '\\' | '`' | '*' | '[' | ']' => escaped.extend(['\\', character]),
            '<' => escaped.push_str("&lt;"),
            '&' => escaped.push_str("&amp;"),
            control if control.is_control() => escaped.extend(control.escape_default()),
            other => escaped.push(other),
        }
    }
    escaped
}

pub(super) struct HtmlWriter {
    null: String,
    numbers: Vec<bool>,
}

impl HtmlWriter {
    pub fn new(style: &Style) -> Self {
        Self {
            null: style.null_or("").to_owned(),
            numbers: Vec::new(),
        }
    }
}

const PAGE: &str = r#"<!DOCTYPE html>
<html>
<head>
<meta charset="utf-8">
<meta name="generator" content="huggy-etl">
<title>huggy-etl</title>
<style>
body { font: 14px/1.4 system-ui, sans-serif; margin: 2em; }
table { border-collapse: collapse; }
th, td { padding: .3em .8em; border-bottom: 1px solid #ddd; text-align: left; vertical-align: top; white-space: pre-wrap; }
th { position: sticky; top: 0; background: #fff; border-bottom: 2px solid #888; }
.n { text-align: right; font-variant-numeric: tabular-nums; }
</style>
</head>
<body>
<table>
"#;

impl ResultWriter for HtmlWriter {
    fn start(&mut self, schema: &Schema, text: &mut Vec<u8>) -> Result<(), ArrowError> {
        self.numbers = schema
            .fields()
            .iter()
            .map(|field| is_number(field))
            .collect();
        let names: Vec<String> = schema
            .fields()
            .iter()
            .map(|field| field.name().clone())
            .collect();
        text.extend_from_slice(PAGE.as_bytes());
        writeln!(text, "<thead>{}</thead>\n<tbody>", self.row("th", &names))?;
        Ok(())
    }

    fn rows(&mut self, batch: &RecordBatch, text: &mut Vec<u8>) -> Result<(), ArrowError> {
        for row in rows(batch, &self.null)? {
            writeln!(text, "{}", self.row("td", &row))?;
        }
        Ok(())
    }

    fn finish(&mut self, text: &mut Vec<u8>) -> Result<LeftOut, ArrowError> {
        text.extend_from_slice(b"</tbody>\n</table>\n</body>\n</html>\n");
        Ok(LeftOut::default())
    }
}

impl HtmlWriter {
    fn row(&self, tag: &str, cells: &[String]) -> String {
        let mut row = "<tr>".to_owned();
        for (cell, is_number) in cells.iter().zip(&self.numbers) {
            let class = if *is_number { " class=\"n\"" } else { "" };
            row += &format!("<{tag}{class}>{}</{tag}>", html(cell));
        }
        row + "</tr>"
    }
}

fn html(cell: &str) -> String {
    let mut escaped = String::with_capacity(cell.len());
    for character in cell.chars() {
        match character {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push('\n'),
            control if control.is_control() => escaped.extend(control.escape_default()),
            other => escaped.push(other),
        }
    }
    escaped
}

fn rows(batch: &RecordBatch, null: &str) -> Result<Vec<Vec<String>>, ArrowError> {
    let columns: Vec<Vec<String>> = batch
        .columns()
        .iter()
        .map(|column| cells(column, null))
        .collect::<Result<_, _>>()?;
    let mut columns: Vec<_> = columns.into_iter().map(Vec::into_iter).collect();
    let row = |_| {
        let cells = columns.iter_mut();
        cells
            .map(|cells| cells.next().unwrap_or_default())
            .collect()
    };
    Ok((0..batch.num_rows()).map(row).collect())
}
