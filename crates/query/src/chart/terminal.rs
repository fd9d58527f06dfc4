//! A figure in characters, as wide as the terminal. Without colors, series differ by their shade.

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::style::{Color, Style};
use ratatui_core::symbols::Marker;
use ratatui_core::widgets::Widget;
use ratatui_widgets::canvas::{Canvas, Line, Points};

use super::model::{
    Bars, Bin, Body, Figure, Heat, Measure, Positions, Series, bar_extent, extent, line_extent,
};
use super::scale::{Axis, axis};

/// How the terminal shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sheet {
    /// In characters.
    pub width: u16,
    pub colors: bool,
}

const LEAST_WIDTH: u16 = 40;
const LINE_PLOT_HEIGHT: u16 = 16;
const LONGEST_LABEL: usize = 28;
const COLORS: [u8; 8] = [32, 214, 36, 175, 117, 166, 245, 227];
const SHADES: [char; 8] = ['█', '▒', '▓', '░', '#', '=', 'o', '~'];
const DOTS: [char; 8] = ['•', '×', '+', '°', 'o', '#', '=', '~'];
/// Parts of a full block, by eighths.
const PARTS: [char; 8] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉', '█'];
/// From little to much. Nothing at all is a gap.
const HEAT: [char; 5] = ['·', '░', '▒', '▓', '█'];
const HEAT_COLORS: [u8; 6] = [195, 153, 117, 75, 32, 25];

/// As text with line ends.
pub(super) fn text(figure: &Figure, sheet: Sheet) -> String {
    let sheet = Sheet {
        width: sheet.width.max(LEAST_WIDTH),
        ..sheet
    };
    let mut page = Page {
        rows: Vec::new(),
        sheet,
    };
    page.paragraph(&figure.title);
    match &figure.body {
        Body::Lines {
            x,
            x_name,
            series,
            y,
        } => page.lines(x, x_name, series, y),
        Body::Bars(bars) => page.bars(bars),
        Body::Heat(heat) => page.heat(heat),
        Body::Histogram { bins, x } => page.histogram(bins, x),
        Body::Nothing => {}
    }
    for note in &figure.notes {
        page.paragraph(note);
    }
    page.rows
        .iter()
        .map(|row| row.text(sheet.colors) + "\n")
        .collect()
}

/// One row of characters.
#[derive(Default)]
struct Row(Vec<(String, Option<u8>)>);

impl Row {
    fn push(&mut self, text: impl Into<String>) {
        self.0.push((text.into(), None));
    }

    fn colored(&mut self, text: impl Into<String>, color: u8) {
        self.0.push((text.into(), Some(color)));
    }

    fn text(&self, colors: bool) -> String {
        let mut line = String::new();
        for (text, color) in &self.0 {
            match color.filter(|_| colors && !text.trim().is_empty()) {
                Some(color) => line += &format!("\x1b[38;5;{color}m{text}\x1b[0m"),
                None => line += text,
            }
        }
        line.trim_end().to_owned()
    }
}

struct Page {
    rows: Vec<Row>,
    sheet: Sheet,
}

impl Page {
    fn line(&mut self, text: impl Into<String>) {
        let mut row = Row::default();
        row.push(text);
        self.rows.push(row);
    }

    fn paragraph(&mut self, text: &str) {
        let mut line = String::new();
        for word in text.split_whitespace() {
            if !line.is_empty() && width(&line) + 1 + width(word) > usize::from(self.sheet.width) {
                self.line(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line += word;
        }
        if !line.is_empty() {
            self.line(line);
        }
    }

    /// In as few lines as they need, none broken.
    fn listed(&mut self, items: impl Iterator<Item = String>) {
        let mut line = String::new();
        for item in items {
            if !line.is_empty() && width(&line) + 3 + width(&item) > usize::from(self.sheet.width) {
                self.line(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line += "   ";
            }
            line += &item;
        }
        self.line(line);
    }

    /// Names beside their signs; one series is named by its axis.
    fn legend(&mut self, series: &[Series], signs: &[char]) {
        if series.len() < 2 {
            return;
        }
        let mut row = Row::default();
        let mut used = 0;
        for (place, series) in series.iter().enumerate() {
            let name = shortened(&series.name);
            if used > 0 && used + width(&name) + 4 > usize::from(self.sheet.width) {
                self.rows.push(std::mem::take(&mut row));
                used = 0;
            }
            row.colored(self.sign(signs, place).to_string(), color(place));
            row.push(format!(" {name}   "));
            used += width(&name) + 5;
        }
        self.rows.push(row);
    }

    /// With colors one sign does for all.
    fn sign(&self, signs: &[char], place: usize) -> char {
        if self.sheet.colors {
            signs[0]
        } else {
            signs[place % signs.len()]
        }
    }

    fn bars(&mut self, bars: &Bars) {
        let Bars {
            labels,
            x_name,
            series,
            is_stacked,
            y,
            ..
        } = bars;
        let is_stacked = *is_stacked;
        self.legend(series, &SHADES);
        let labels: Vec<String> = labels.iter().map(|label| shortened(label)).collect();
        let margin = widest(&labels).max(width(x_name).min(LONGEST_LABEL));
        let (low, high) = bar_extent(series, is_stacked);
        let room = usize::from(self.sheet.width)
            .saturating_sub(margin + 3 + 9)
            .max(10);
        let scale = Axis {
            low,
            high,
            ticks: Vec::new(),
        };
        self.line(format!("{} │ {}", right(x_name, margin), y.name));
        for (place, label) in labels.iter().enumerate() {
            let shown = series.len() > 1 && !is_stacked;
            let rows = if is_stacked { 1 } else { series.len() };
            for number in 0..rows {
                let mut row = Row::default();
                let label = if number == 0 { label.as_str() } else { "" };
                row.push(format!("{} │", right(label, margin)));
                if is_stacked {
                    self.stacked(&mut row, series, place, &scale, room, y);
                } else {
                    let sign = if shown {
                        self.sign(&SHADES, number)
                    } else {
                        '█'
                    };
                    bar(
                        &mut row,
                        series[number].values[place],
                        (number, sign),
                        &scale,
                        room,
                        y,
                    );
                }
                self.rows.push(row);
            }
        }
    }

    fn stacked(
        &self,
        row: &mut Row,
        series: &[Series],
        place: usize,
        scale: &Axis,
        room: usize,
        y: &Measure,
    ) {
        let values: Vec<Option<f64>> = series.iter().map(|series| series.values[place]).collect();
        if values.iter().all(Option::is_none) {
            return;
        }
        let (mut total, mut drawn) = (0.0, 0);
        for (number, value) in values.iter().enumerate() {
            total += value.unwrap_or_default();
            let end = (scale.reach(total) * room as f64).round() as usize;
            let cells = self
                .sign(&SHADES, number)
                .to_string()
                .repeat(end.saturating_sub(drawn));
            row.colored(cells, color(number));
            drawn = drawn.max(end);
        }
        row.push(format!(" {}", y.unit.value(total)));
    }

    fn histogram(&mut self, bins: &[Bin], x: &Measure) {
        let label = |bin: &Bin| match bin.is_value {
            true => x.unit.value(bin.from),
            false => format!("{} – {}", x.unit.value(bin.from), x.unit.value(bin.to)),
        };
        let counts = Series {
            name: "rows".to_owned(),
            values: bins.iter().map(|bin| Some(bin.count as f64)).collect(),
        };
        self.bars(&Bars {
            labels: bins.iter().map(label).collect(),
            x_name: x.name.clone(),
            is_ordered: true,
            series: vec![counts],
            is_stacked: false,
            y: Measure {
                name: "rows".to_owned(),
                unit: super::scale::Unit::Number,
            },
        });
    }

    fn heat(&mut self, heat: &Heat) {
        let Heat {
            columns,
            column_name,
            is_ordered,
            rows,
            row_name,
            cells,
            value,
        } = heat;
        let rows: Vec<String> = rows.iter().map(|row| shortened(row)).collect();
        let margin = widest(&rows).max(width(row_name).min(LONGEST_LABEL));
        let values = cells.iter().flatten().flatten().copied();
        let (low, high) = extent(values).unwrap_or((0.0, 1.0));
        let low = low.min(0.0);
        let scale = Axis {
            low,
            high,
            ticks: Vec::new(),
        };
        let room = usize::from(self.sheet.width).saturating_sub(margin + 2);
        let widest = widest(columns) + 1;
        let slot = room / columns.len().max(1);
        let cell = match !is_ordered && widest <= slot {
            true => widest,
            false => slot.clamp(1, widest.clamp(2, 6)),
        };
        let named = spread(columns, cell, room);
        // Of names none is left out: where they have no room, numbers stand for them.
        let is_numbered = named.is_partial && !is_ordered;
        let numbers: Vec<String> = (1..=columns.len()).map(|place| place.to_string()).collect();
        let labels = match is_numbered {
            true => spread(&numbers, cell, room).line,
            false => named.line,
        };
        self.line(format!("{} │ {column_name}", right(row_name, margin)));
        self.line(format!("{} │{labels}", " ".repeat(margin)));
        for (row, cells) in rows.iter().zip(cells) {
            let mut line = Row::default();
            line.push(format!("{} │", right(row, margin)));
            for value in cells {
                let (sign, color) = match value {
                    None => (' ', 0),
                    Some(value) => self.shade(scale.share(*value)),
                };
                line.colored(sign.to_string().repeat(cell), color);
            }
            self.rows.push(line);
        }
        if is_numbered {
            let named = numbers.iter().zip(columns);
            self.listed(named.map(|(number, name)| format!("{number} {}", shortened(name))));
        }
        let mut key = Row::default();
        key.push(format!(
            "{}   {}: {} ",
            " ".repeat(margin),
            value.name,
            value.unit.value(low)
        ));
        for step in 0..10 {
            let (sign, color) = self.shade((f64::from(step) + 0.5) / 10.0);
            key.colored(sign.to_string(), color);
        }
        key.push(format!(" {}", value.unit.value(high)));
        self.rows.push(key);
        if cells.iter().flatten().any(Option::is_none) {
            self.line(format!("{}   blank: not known", " ".repeat(margin)));
        }
    }

    fn shade(&self, share: f64) -> (char, u8) {
        let of = |count: usize| ((share * count as f64) as usize).min(count - 1);
        if self.sheet.colors {
            ('█', HEAT_COLORS[of(HEAT_COLORS.len())])
        } else {
            (HEAT[of(HEAT.len())], 0)
        }
    }

    fn lines(&mut self, x: &Positions, x_name: &str, series: &[Series], y: &Measure) {
        self.legend(series, &DOTS);
        let (low, high) = line_extent(series);
        let y_axis = axis(y.unit, low, high, 5);
        let margin = widest(y_axis.ticks.iter().map(|(_, label)| label));
        let plot_width = self.sheet.width - margin as u16 - 3;
        let x_axis = x.axis(usize::from(plot_width / 14).max(2), shortened);
        let area = Rect::new(0, 0, plot_width, LINE_PLOT_HEIGHT);
        let buffer = self.plot(area, (&x_axis, &y_axis), &x.values(), series);
        self.line(format!("{} │ {}", " ".repeat(margin), y.name));
        for line in 0..LINE_PLOT_HEIGHT {
            let on_this = |value: f64| {
                let rows = f64::from(LINE_PLOT_HEIGHT - 1);
                ((1.0 - y_axis.share(value)) * rows).round() as u16 == line
            };
            let tick = y_axis.ticks.iter().find(|(value, _)| on_this(*value));
            let mut row = Row::default();
            row.push(match tick {
                Some((_, label)) => format!("{} ┤", right(label, margin)),
                None => format!("{} │", " ".repeat(margin)),
            });
            for column in 0..plot_width {
                let cell = &buffer[(column, line)];
                match cell.fg {
                    Color::Indexed(color) => row.colored(cell.symbol(), color),
                    _ => row.push(cell.symbol()),
                }
            }
            self.rows.push(row);
        }
        let at = |value: f64| (x_axis.share(value) * f64::from(plot_width - 1)).round() as usize;
        let ticks: Vec<(usize, &str)> = x_axis
            .ticks
            .iter()
            .map(|(value, label)| (at(*value), label.as_str()))
            .collect();
        let (rule, labels) = below(&ticks, usize::from(plot_width));
        self.line(format!("{} └{rule}", " ".repeat(margin)));
        self.line(format!("{}  {labels}", " ".repeat(margin)));
        self.line(format!(
            "{}  {}",
            " ".repeat(margin),
            centered(x_name, usize::from(plot_width))
        ));
    }

    /// Lines in points finer than characters, or, where colors cannot tell them apart, in signs.
    fn plot(
        &self,
        area: Rect,
        (x_axis, y_axis): (&Axis, &Axis),
        places: &[f64],
        series: &[Series],
    ) -> Buffer {
        let mut buffer = Buffer::empty(area);
        let is_fine = self.sheet.colors || series.len() == 1;
        Canvas::default()
            .marker(Marker::Braille)
            .x_bounds([0.0, 1.0])
            .y_bounds([0.0, 1.0])
            .paint(|context| {
                if !is_fine {
                    return;
                }
                for (number, series) in series.iter().enumerate().rev() {
                    let color = Color::Indexed(color(number));
                    for stretch in stretches(places, series, x_axis, y_axis) {
                        context.draw(&Points {
                            coords: &stretch,
                            color,
                        });
                        for two in stretch.windows(2) {
                            context.draw(&Line::new(two[0].0, two[0].1, two[1].0, two[1].1, color));
                        }
                    }
                }
            })
            .render(area, &mut buffer);
        if !is_fine {
            for (number, series) in series.iter().enumerate().rev() {
                for (x, y) in stretches(places, series, x_axis, y_axis)
                    .into_iter()
                    .flatten()
                {
                    let column = (x * f64::from(area.width - 1)).round() as u16;
                    let row = ((1.0 - y) * f64::from(area.height - 1)).round() as u16;
                    let sign = self.sign(&DOTS, number).to_string();
                    buffer.set_string(column, row, sign, Style::default());
                }
            }
        }
        buffer
    }
}

/// The points of a line between its gaps, from 0 to 1 along both axes.
fn stretches(
    places: &[f64],
    series: &Series,
    x_axis: &Axis,
    y_axis: &Axis,
) -> Vec<Vec<(f64, f64)>> {
    let points: Vec<Option<(f64, f64)>> = places
        .iter()
        .zip(&series.values)
        .map(|(x, value)| value.map(|value| (x_axis.share(*x), y_axis.share(value))))
        .collect();
    points
        .split(Option::is_none)
        .map(|stretch| stretch.iter().copied().flatten().collect())
        .filter(|stretch: &Vec<_>| !stretch.is_empty())
        .collect()
}

/// One bar with its value behind it; nothing for a value that is not known.
fn bar(
    row: &mut Row,
    value: Option<f64>,
    (number, sign): (usize, char),
    scale: &Axis,
    room: usize,
    y: &Measure,
) {
    let Some(value) = value else {
        return;
    };
    // Without negative values, the bars start at the left.
    let zero = scale.reach(0.0).max(0.0) * room as f64;
    let end = scale.reach(value) * room as f64;
    let (from, to) = (zero.min(end), zero.max(end));
    let mut cells = " ".repeat(from.round() as usize);
    let length = to - from.round();
    if sign == '█' {
        cells += &"█".repeat(length.max(0.0) as usize);
        let part = (length.max(0.0).fract() * 8.0).round() as usize;
        cells.extend(part.checked_sub(1).map(|part| PARTS[part]));
    } else {
        cells += &sign.to_string().repeat(length.round().max(0.0) as usize);
    }
    row.colored(cells, color(number));
    row.push(format!(" {}", y.unit.value(value)));
}

fn color(place: usize) -> u8 {
    COLORS[place % COLORS.len()]
}

fn width(text: &str) -> usize {
    ratatui_core::text::Span::raw(text).width()
}

fn widest<'a>(texts: impl IntoIterator<Item = &'a String>) -> usize {
    let widths = texts.into_iter().map(|text| width(text));
    widths.max().unwrap_or_default()
}

fn right(text: &str, to: usize) -> String {
    let text = shortened(text);
    " ".repeat(to.saturating_sub(width(&text))) + &text
}

fn centered(text: &str, room: usize) -> String {
    " ".repeat(room.saturating_sub(width(text)) / 2) + text
}

fn shortened(text: &str) -> String {
    if width(text) <= LONGEST_LABEL {
        return text.to_owned();
    }
    text.chars().take(LONGEST_LABEL - 1).chain(['…']).collect()
}

/// Names of columns above them.
struct Spread {
    line: String,
    /// Whether some had no room.
    is_partial: bool,
}

fn spread(names: &[String], cell: usize, room: usize) -> Spread {
    let mut line = String::new();
    let mut is_partial = false;
    for (place, name) in names.iter().enumerate() {
        let start = place * cell;
        if width(&line) > start || start + width(name) > room {
            is_partial = true;
            continue;
        }
        line += &" ".repeat(start - width(&line));
        line += name;
        line.push(' ');
    }
    Spread {
        line: line.trim_end().to_owned(),
        is_partial,
    }
}

/// The axis below the plot, and its labels, those left out that would touch the one before.
fn below(ticks: &[(usize, &str)], room: usize) -> (String, String) {
    let mut rule: Vec<char> = vec!['─'; room];
    let mut labels = String::new();
    for (place, label) in ticks {
        let start = place
            .saturating_sub(width(label) / 2)
            .min(room.saturating_sub(width(label)));
        let used = width(&labels);
        if used > 0 && start < used + 1 || *place >= room {
            continue;
        }
        rule[*place] = '┬';
        labels += &" ".repeat(start - used);
        labels += label;
    }
    (rule.into_iter().collect(), labels)
}
