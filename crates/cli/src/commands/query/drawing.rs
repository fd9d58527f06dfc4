//! `--chart`: the result as a chart, in characters or as a picture.

use std::io::{IsTerminal, Write};
use std::path::Path;

use anyhow::anyhow;

use super::report::failure;
use super::source::Source;
use crate::args::Query;
use crate::exit::Failure;
use ::query::{
    Answer, CHART_ROW_LIMIT, Chart, ChartSpec, Format, QueryError, ResultSummary, SavedQuery,
    Sheet, Style,
};

/// Where nothing tells the width.
const USUAL_WIDTH: usize = 80;

pub struct Drawing {
    spec: ChartSpec,
    title: String,
    medium: Medium,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Medium {
    Characters,
    Svg,
    Html,
}

impl Drawing {
    /// The chart that is asked for, by the option or by a file that can hold nothing else.
    pub(super) fn of(args: &Query, source: &Source) -> Result<Option<Drawing>, Failure> {
        let ending = args.output.as_deref().map(ending);
        let asked = match (args.chart.as_deref(), ending.as_deref()) {
            (Some("none"), _) => return Ok(None),
            (Some(asked), _) => asked,
            (None, Some("svg")) => "auto",
            (None, _) => return Ok(None),
        };
        let usage = |why: String| Err(Failure::Usage(anyhow!(why)));
        if let Some(format) = args.format {
            return usage(format!(
                "a chart has no --format {format}; leave one of them out"
            ));
        }
        let medium = match ending.as_deref() {
            None | Some("txt") => Medium::Characters,
            Some("svg") => Medium::Svg,
            Some("html" | "htm") => Medium::Html,
            Some(other) => {
                return usage(format!(
                    "a chart is written to a file that ends in .svg, .html or .txt, not in .{other}"
                ));
            }
        };
        let asked: ChartSpec = match asked.parse() {
            Ok(asked) => asked,
            Err(error) => return usage(format!("--chart: {error}")),
        };
        Drawing::new(asked, &source.sql, medium).map(Some)
    }

    /// A chart of what that SQL gives, for reading here and now.
    pub fn in_characters(asked: ChartSpec, sql: &str) -> Result<Drawing, Failure> {
        Drawing::new(asked, sql, Medium::Characters)
    }

    /// Whether a file of that name can hold nothing but a chart.
    pub fn is_picture(path: &Path) -> bool {
        ending(path) == "svg"
    }

    /// The chart that goes into a file of that name, if one does: where charts are wanted, or nothing else fits.
    pub fn into_file(
        wanted: Option<ChartSpec>,
        path: &Path,
        sql: &str,
    ) -> Result<Option<Drawing>, Failure> {
        let medium = match (ending(path).as_str(), &wanted) {
            ("svg", _) => Medium::Svg,
            ("html" | "htm", Some(_)) => Medium::Html,
            ("txt", Some(_)) => Medium::Characters,
            _ => return Ok(None),
        };
        Drawing::new(wanted.unwrap_or_default(), sql, medium).map(Some)
    }

    /// Whether a file has room for one only.
    pub fn stands_alone(&self) -> bool {
        self.medium != Medium::Characters
    }

    fn new(asked: ChartSpec, sql: &str, medium: Medium) -> Result<Drawing, Failure> {
        let declared = ChartSpec::declared(sql).map_err(failure)?;
        Ok(Drawing {
            spec: asked.or_declared(declared),
            title: title(sql),
            medium,
        })
    }

    /// What comes nearest among the formats: how it is shown, and how many results fit in.
    pub(super) fn format(&self) -> Format {
        match self.medium {
            Medium::Characters => Format::Table,
            Medium::Svg | Medium::Html => Format::Html,
        }
    }

    pub async fn draw<W: Write>(
        &self,
        mut answer: Answer,
        style: &Style,
        out: &mut W,
    ) -> Result<ResultSummary, QueryError> {
        let schema = answer.schema();
        let mut batches = Vec::new();
        let mut summary = ResultSummary::default();
        let mut is_cut = false;
        while !is_cut && let Some(batch) = answer.next().await {
            let batch = batch?;
            let room = CHART_ROW_LIMIT - summary.rows;
            is_cut = batch.num_rows() > room;
            let batch = batch.slice(0, batch.num_rows().min(room));
            summary.rows += batch.num_rows();
            batches.push(batch);
        }
        if summary.rows == 0 {
            tell!("no chart is drawn: the result has no rows");
            if self.medium == Medium::Characters {
                return Ok(summary);
            }
        }
        let mut chart = Chart::new(&self.spec, &self.title, &schema, &batches)?;
        // The chart itself says so: no other format or option shows more.
        if is_cut {
            chart.note(format!("of the first {CHART_ROW_LIMIT} rows only"));
        }
        let text = match self.medium {
            Medium::Characters => chart.text(sheet(style)),
            Medium::Svg => chart.svg()?,
            Medium::Html => chart.html()?,
        };
        out.write_all(text.as_bytes())?;
        Ok(summary)
    }
}

fn ending(path: &Path) -> String {
    let ending = path.extension().unwrap_or_default();
    ending.to_string_lossy().to_ascii_lowercase()
}

/// The question that the query's first comment asks.
fn title(sql: &str) -> String {
    let query = SavedQuery {
        name: String::new(),
        sql: sql.to_owned(),
    };
    let question = query.question();
    let declares = question.starts_with('$') || question.starts_with("chart:");
    (if declares { "" } else { question }).to_owned()
}

fn sheet(style: &Style) -> Sheet {
    let width = style.screen.map_or(USUAL_WIDTH, |screen| screen.width);
    let is_plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    Sheet {
        width: u16::try_from(width).unwrap_or(u16::MAX),
        // A height is given at a terminal only.
        colors: std::io::stdout().is_terminal() && !is_plain,
    }
}
