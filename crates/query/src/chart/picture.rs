//! A figure as a self-contained SVG.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::model::{
    Bars, Bin, Body, Figure, Heat, Measure, Positions, Series, bar_extent, extent, line_extent,
};
use super::scale::{Axis, Unit, axis};

/// Okabe and Ito's colors, which the color-blind tell apart; the yellow, too pale for lines, comes last.
const PALETTE: [RGBColor; 8] = [
    RGBColor(0, 114, 178),
    RGBColor(230, 159, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(213, 94, 0),
    RGBColor(110, 110, 110),
    RGBColor(214, 199, 30),
];
const INK: RGBColor = RGBColor(40, 40, 40);
const FAINT: RGBColor = RGBColor(110, 110, 110);
const GRID: RGBColor = RGBColor(228, 228, 228);

const WIDTH: u32 = 960;
const HEIGHT: u32 = 540;
const MARGIN: i32 = 24;
const TEXT: i32 = 16;
const TITLE: i32 = 22;
/// Average width of a character, as part of its height.
const CHARACTER: f64 = 0.47;
const LONGEST_LABEL: usize = 32;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = Result<(), DrawingAreaErrorKind<std::io::Error>>;

/// # Errors
/// What could not be drawn.
pub(super) fn svg(figure: &Figure) -> Result<String, String> {
    let mut text = String::new();
    let size = (WIDTH, height(&figure.body));
    {
        let area = SVGBackend::with_string(&mut text, size).into_drawing_area();
        draw(&Canvas { area: &area }, figure, size)
            .and_then(|()| area.present())
            .map_err(|error| error.to_string())?;
    }
    Ok(text)
}

/// Bars that lie and rows of a heat map each need a line.
fn height(body: &Body) -> u32 {
    let lines = match body {
        Body::Bars(bars) if bars.is_ordered => 0,
        Body::Bars(bars) if bars.is_stacked => bars.labels.len() * 26,
        Body::Bars(bars) => bars.labels.len() * (8 + 18 * bars.series.len()),
        Body::Heat(heat) => heat.rows.len() * 30,
        _ => 0,
    };
    HEIGHT.max(190 + u32::try_from(lines).unwrap_or(u32::MAX / 2))
}

/// Where the values are drawn, in pixels.
#[derive(Clone, Copy)]
struct Plot {
    left: i32,
    right: i32,
    top: i32,
    bottom: i32,
}

impl Plot {
    fn x(&self, share: f64) -> i32 {
        self.left + (share * f64::from(self.right - self.left)).round() as i32
    }

    fn y(&self, share: f64) -> i32 {
        self.bottom - (share * f64::from(self.bottom - self.top)).round() as i32
    }

    fn width(&self) -> i32 {
        self.right - self.left
    }

    /// Less the room for an axis below.
    fn above_axis(&self) -> Plot {
        Plot {
            bottom: self.bottom - 48,
            ..*self
        }
    }

    /// Less the room for names below, which stand upright where they are too wide to stand side by side.
    fn above_names(&self, names: &[String]) -> (Plot, Stand) {
        let widest = names.iter().map(|name| text_width(name, TEXT)).max();
        let widest = widest.unwrap_or_default();
        if widest + 12 <= self.width() / names.len().max(1) as i32 {
            return (self.above_axis(), Stand::SideBySide);
        }
        let plot = Plot {
            bottom: self.bottom - 34 - widest,
            ..*self
        };
        (plot, Stand::Upright { longest: widest })
    }

    /// Above an axis, and beside the names of rows, which stand at the left.
    fn beside(&self, names: &[String]) -> Plot {
        let widest = names.iter().map(|name| text_width(name, TEXT)).max();
        Plot {
            left: self.left + 26 + widest.unwrap_or_default() + 10,
            ..self.above_axis()
        }
    }

    /// Where the ticks of an axis below stand.
    fn ticks(&self, axis: &Axis) -> Vec<(i32, String)> {
        let ticks = axis.ticks.iter();
        ticks
            .map(|(value, label)| (self.x(axis.share(*value)), label.clone()))
            .collect()
    }
}

/// How the labels of an axis below stand.
#[derive(Clone, Copy)]
enum Stand {
    /// Those left out that would touch the one before.
    SideBySide,
    /// From below to their tick; in pixels.
    Upright { longest: i32 },
}

fn draw(canvas: &Canvas, figure: &Figure, (width, height): (u32, u32)) -> Drawn {
    canvas.area.fill(&WHITE)?;
    let mut top = MARGIN;
    for line in wrapped(
        &figure.title,
        ((width as f64 - 48.0) / (f64::from(TITLE) * CHARACTER)) as usize,
    ) {
        canvas.text(&line, (MARGIN, top), TITLE, INK, (HPos::Left, VPos::Top))?;
        top += TITLE + 5;
    }
    let names = legend(&figure.body);
    if !names.is_empty() {
        top = canvas.legend(&names, top + 6, width as i32)?;
    }
    let mut bottom = height as i32 - 14;
    for note in figure.notes.iter().rev() {
        canvas.text(
            note,
            (MARGIN, bottom),
            TEXT - 1,
            FAINT,
            (HPos::Left, VPos::Bottom),
        )?;
        bottom -= TEXT + 4;
    }
    let plot = Plot {
        left: MARGIN,
        right: width as i32 - MARGIN - 8,
        top: top + 14,
        bottom: bottom - 4,
    };
    match &figure.body {
        Body::Lines {
            x,
            x_name,
            series,
            y,
        } => canvas.lines(plot, x, x_name, series, y),
        Body::Bars(bars) if bars.is_ordered => canvas.standing(plot, bars),
        Body::Bars(bars) => canvas.lying(plot, bars),
        Body::Heat(heat) => canvas.heat(plot, heat),
        Body::Histogram { bins, x } => canvas.histogram(plot, bins, x),
        Body::Nothing => Ok(()),
    }
}

/// The names of what has a color of its own; one series is named by its axis.
fn legend(body: &Body) -> Vec<&str> {
    let series = match body {
        Body::Lines { series, .. } | Body::Bars(Bars { series, .. }) => series.as_slice(),
        Body::Heat(_) | Body::Histogram { .. } | Body::Nothing => &[],
    };
    if series.len() < 2 {
        return Vec::new();
    }
    series.iter().map(|series| series.name.as_str()).collect()
}

struct Canvas<'a, 'b> {
    area: &'a Area<'b>,
}

impl Canvas<'_, '_> {
    fn text(
        &self,
        text: &str,
        at: (i32, i32),
        size: i32,
        color: RGBColor,
        anchor: (HPos, VPos),
    ) -> Drawn {
        let style = ("sans-serif", size)
            .into_font()
            .color(&color)
            .pos(Pos::new(anchor.0, anchor.1));
        self.area.draw(&Text::new(text.to_owned(), at, style))
    }

    fn upright(&self, text: &str, at: (i32, i32)) -> Drawn {
        self.turned(text, at, (HPos::Center, VPos::Top))
    }

    /// From below to above.
    fn turned(&self, text: &str, at: (i32, i32), anchor: (HPos, VPos)) -> Drawn {
        let style = ("sans-serif", TEXT)
            .into_font()
            .transform(FontTransform::Rotate270)
            .color(&FAINT)
            .pos(Pos::new(anchor.0, anchor.1));
        self.area.draw(&Text::new(text.to_owned(), at, style))
    }

    fn line(&self, from: (i32, i32), to: (i32, i32), color: RGBColor, width: u32) -> Drawn {
        self.area
            .draw(&PathElement::new(vec![from, to], color.stroke_width(width)))
    }

    fn rectangle(&self, corners: [(i32, i32); 2], color: RGBColor) -> Drawn {
        self.area.draw(&Rectangle::new(corners, color.filled()))
    }

    /// Names beside their colors, in as many rows as they need; gives where they end.
    fn legend(
        &self,
        names: &[&str],
        top: i32,
        width: i32,
    ) -> Result<i32, DrawingAreaErrorKind<std::io::Error>> {
        let (mut x, mut y) = (MARGIN, top);
        for (place, name) in names.iter().enumerate() {
            let name = shortened(name);
            let needed = 18 + text_width(&name, TEXT) + 22;
            if x + needed > width - MARGIN && x > MARGIN {
                (x, y) = (MARGIN, y + TEXT + 8);
            }
            self.rectangle([(x, y), (x + 12, y + 12)], color(place))?;
            self.text(
                &name,
                (x + 18, y + 6),
                TEXT,
                INK,
                (HPos::Left, VPos::Center),
            )?;
            x += needed;
        }
        Ok(y + TEXT + 4)
    }

    /// The axis at the left with its grid; gives the plot beside it.
    fn left_axis(
        &self,
        plot: Plot,
        axis: &Axis,
        name: &str,
    ) -> Result<Plot, DrawingAreaErrorKind<std::io::Error>> {
        let widest = axis
            .ticks
            .iter()
            .map(|(_, label)| text_width(label, TEXT))
            .max();
        let inner = Plot {
            left: plot.left + 26 + widest.unwrap_or_default() + 8,
            ..plot
        };
        for (value, label) in &axis.ticks {
            let y = inner.y(axis.share(*value));
            self.line((inner.left, y), (inner.right, y), GRID, 1)?;
            self.text(
                label,
                (inner.left - 8, y),
                TEXT,
                FAINT,
                (HPos::Right, VPos::Center),
            )?;
        }
        self.upright(name, (plot.left, (inner.top + inner.bottom) / 2))?;
        Ok(inner)
    }

    /// Of a row in a plot that has room [`beside`](Plot::beside) its names.
    fn row_name(&self, plot: Plot, name: &str, middle: i32) -> Drawn {
        self.text(
            name,
            (plot.left - 10, middle),
            TEXT,
            INK,
            (HPos::Right, VPos::Center),
        )
    }

    /// Labels below the plot, and what they are. The last one moves to where it is whole.
    fn below(&self, plot: Plot, labels: &[(i32, String)], stand: Stand, name: &str) -> Drawn {
        let end = plot.right + MARGIN + 4;
        let mut free_from = i32::MIN;
        for (x, label) in labels {
            let half = match stand {
                Stand::SideBySide => text_width(label, TEXT) / 2,
                Stand::Upright { .. } => TEXT / 2,
            };
            let middle = (*x).min(end - half);
            if middle - half < free_from {
                continue;
            }
            self.line((*x, plot.bottom), (*x, plot.bottom + 5), FAINT, 1)?;
            let at = (middle, plot.bottom + 9);
            match stand {
                Stand::SideBySide => {
                    self.text(label, at, TEXT, FAINT, (HPos::Center, VPos::Top))?;
                    free_from = middle + half + 12;
                }
                Stand::Upright { .. } => {
                    self.turned(label, at, (HPos::Right, VPos::Center))?;
                    free_from = middle + half;
                }
            }
        }
        let line = match stand {
            Stand::SideBySide => 30,
            Stand::Upright { longest } => 16 + longest,
        };
        self.text(
            name,
            ((plot.left + plot.right) / 2, plot.bottom + line),
            TEXT,
            FAINT,
            (HPos::Center, VPos::Top),
        )
    }

    fn lines(
        &self,
        plot: Plot,
        x: &Positions,
        x_name: &str,
        series: &[Series],
        y: &Measure,
    ) -> Drawn {
        let (low, high) = line_extent(series);
        let y_axis = axis(y.unit, low, high, 6);
        let x_axis = x.axis(8, shortened);
        let (plot, stand) = match x {
            Positions::Names(names) => {
                let names: Vec<String> = names.iter().map(|name| shortened(name)).collect();
                plot.above_names(&names)
            }
            Positions::Times(_) | Positions::Numbers(..) => (plot.above_axis(), Stand::SideBySide),
        };
        let plot = self.left_axis(plot, &y_axis, &y.name)?;
        self.below(plot, &plot.ticks(&x_axis), stand, x_name)?;
        self.line(
            (plot.left, plot.bottom),
            (plot.right, plot.bottom),
            FAINT,
            1,
        )?;
        for (place, series) in series.iter().enumerate() {
            let points = x
                .values()
                .into_iter()
                .zip(&series.values)
                .map(|(x, value)| {
                    value.map(|value| (plot.x(x_axis.share(x)), plot.y(y_axis.share(value))))
                });
            self.path(&points.collect::<Vec<_>>(), color(place))?;
        }
        Ok(())
    }

    /// A line that breaks where a value is missing; what stands alone is a dot.
    fn path(&self, points: &[Option<(i32, i32)>], color: RGBColor) -> Drawn {
        let with_dots = points.len() <= 40;
        for stretch in points.split(Option::is_none) {
            let stretch: Vec<(i32, i32)> = stretch.iter().copied().flatten().collect();
            if with_dots || stretch.len() == 1 {
                for point in &stretch {
                    self.area.draw(&Circle::new(*point, 3, color.filled()))?;
                }
            }
            if stretch.len() > 1 {
                self.area
                    .draw(&PathElement::new(stretch, color.stroke_width(2)))?;
            }
        }
        Ok(())
    }

    fn standing(&self, plot: Plot, bars: &Bars) -> Drawn {
        let (low, high) = bar_extent(&bars.series, bars.is_stacked);
        let y_axis = axis(bars.y.unit, low, high, 6);
        let plot = self.left_axis(plot.above_axis(), &y_axis, &bars.y.name)?;
        let slot = f64::from(plot.width()) / bars.labels.len().max(1) as f64;
        let middle = |place: usize| plot.left + (slot * (place as f64 + 0.5)).round() as i32;
        let labels: Vec<(i32, String)> = bars
            .labels
            .iter()
            .enumerate()
            .map(|(place, label)| (middle(place), shortened(label)))
            .collect();
        self.below(plot, &labels, Stand::SideBySide, &bars.x_name)?;
        for place in 0..bars.labels.len() {
            for (number, from, to, side) in bar_parts(bars, place) {
                let (left, right) = across(middle(place), slot * 0.76, side, bars);
                let corners = [
                    (left, plot.y(y_axis.share(from))),
                    (right, plot.y(y_axis.share(to))),
                ];
                self.rectangle(corners, color(number))?;
            }
        }
        let zero = plot.y(y_axis.share(0.0));
        self.line((plot.left, zero), (plot.right, zero), FAINT, 1)
    }

    fn lying(&self, plot: Plot, bars: &Bars) -> Drawn {
        let labels: Vec<String> = bars.labels.iter().map(|label| shortened(label)).collect();
        let plot = Plot {
            right: plot.right - 56,
            ..plot.beside(&labels)
        };
        let (low, high) = bar_extent(&bars.series, bars.is_stacked);
        let x_axis = axis(bars.y.unit, low, high, 6);
        for (value, _) in &x_axis.ticks {
            let x = plot.x(x_axis.share(*value));
            self.line((x, plot.top), (x, plot.bottom), GRID, 1)?;
        }
        self.below(plot, &plot.ticks(&x_axis), Stand::SideBySide, &bars.y.name)?;
        self.upright(&bars.x_name, (MARGIN, (plot.top + plot.bottom) / 2))?;
        let slot = f64::from(plot.bottom - plot.top) / labels.len().max(1) as f64;
        for (place, label) in labels.iter().enumerate() {
            let middle = plot.top + (slot * (place as f64 + 0.5)).round() as i32;
            self.row_name(plot, label, middle)?;
            for (number, from, to, side) in bar_parts(bars, place) {
                let (above, below) = across(middle, (slot * 0.76).min(44.0), side, bars);
                let ends = (plot.x(x_axis.share(from)), plot.x(x_axis.share(to)));
                self.rectangle([(ends.0, above), (ends.1, below)], color(number))?;
                if !bars.is_stacked && below - above >= 9 {
                    let value = bars.y.unit.value(to);
                    let at = (ends.1.max(ends.0) + 6, (above + below) / 2);
                    self.text(&value, at, TEXT - 1, FAINT, (HPos::Left, VPos::Center))?;
                }
            }
        }
        let zero = plot.x(x_axis.share(0.0));
        self.line((zero, plot.top), (zero, plot.bottom), FAINT, 1)
    }

    fn histogram(&self, plot: Plot, bins: &[Bin], x: &Measure) -> Drawn {
        let most = bins.iter().map(|bin| bin.count).max().unwrap_or_default();
        let y_axis = axis(
            Unit::Number,
            0.0,
            most as f64,
            if most < 6 { most.max(1) } else { 6 },
        );
        let plot = self.left_axis(plot.above_axis(), &y_axis, "rows")?;
        // The bar of a single value stands over its tick, others between theirs.
        let ends = |bin: &Bin| {
            let shift = if bin.is_value { 0.5 } else { 0.0 };
            (bin.from - shift, bin.to - shift)
        };
        let (low, high) = (
            bins.first().map_or(0.0, |bin| ends(bin).0),
            bins.last().map_or(1.0, |bin| ends(bin).1),
        );
        let x_axis = Axis {
            low,
            high,
            ticks: axis(x.unit, low, high, bins.len().min(8))
                .ticks
                .into_iter()
                .filter(|(value, _)| (low..=high).contains(value))
                .collect(),
        };
        self.below(plot, &plot.ticks(&x_axis), Stand::SideBySide, &x.name)?;
        for bin in bins.iter().filter(|bin| bin.count > 0) {
            let (from, to) = ends(bin);
            let corners = [
                (
                    plot.x(x_axis.share(from)) + 1,
                    plot.y(y_axis.share(bin.count as f64)),
                ),
                (plot.x(x_axis.share(to)) - 1, plot.bottom),
            ];
            self.rectangle(corners, color(0))?;
        }
        self.line(
            (plot.left, plot.bottom),
            (plot.right, plot.bottom),
            FAINT,
            1,
        )
    }

    fn heat(&self, plot: Plot, heat: &Heat) -> Drawn {
        let rows: Vec<String> = heat.rows.iter().map(|row| shortened(row)).collect();
        let columns: Vec<String> = heat.columns.iter().map(|name| shortened(name)).collect();
        // Above the plot stands what its colors measure.
        let beside = Plot {
            right: plot.right - 92,
            top: plot.top + 18,
            ..plot.beside(&rows)
        };
        let (below, stand) = match heat.is_ordered {
            true => (beside, Stand::SideBySide),
            false => Plot {
                bottom: plot.bottom,
                ..beside
            }
            .above_names(&columns),
        };
        let plot = below;
        let values = heat.cells.iter().flatten().flatten().copied();
        let (low, high) = extent(values).unwrap_or((0.0, 1.0));
        let scale = axis(heat.value.unit, low.min(0.0), high, 5);
        let (slot_x, slot_y) = (
            f64::from(plot.width()) / heat.columns.len().max(1) as f64,
            f64::from(plot.bottom - plot.top) / rows.len().max(1) as f64,
        );
        let at = |place: usize, slot: f64| (slot * place as f64).round() as i32;
        let shown = |value: &f64| heat.value.unit.value(*value);
        let widest = heat
            .cells
            .iter()
            .flatten()
            .flatten()
            .map(|value| text_width(&shown(value), TEXT - 1))
            .max();
        let has_room = f64::from(widest.unwrap_or_default() + 4) < slot_x && slot_y > 16.0;
        for (row, cells) in heat.cells.iter().enumerate() {
            let (top, bottom) = (plot.top + at(row, slot_y), plot.top + at(row + 1, slot_y));
            let middle = (top + bottom) / 2;
            self.row_name(plot, &rows[row], middle)?;
            for (column, value) in cells.iter().enumerate() {
                let (left, right) = (
                    plot.left + at(column, slot_x),
                    plot.left + at(column + 1, slot_x),
                );
                let Some(value) = value else {
                    continue;
                };
                let shade = scale.share(*value);
                self.rectangle(
                    [(left + 1, top + 1), (right - 1, bottom - 1)],
                    shaded(shade),
                )?;
                if has_room {
                    let ink = if shade > 0.5 { WHITE } else { INK };
                    let at = ((left + right) / 2, middle);
                    self.text(
                        &shown(value),
                        at,
                        TEXT - 1,
                        ink,
                        (HPos::Center, VPos::Center),
                    )?;
                }
            }
        }
        let middle = |place| plot.left + at(place, slot_x) + (slot_x / 2.0) as i32;
        let labels: Vec<(i32, String)> = (0..columns.len()).map(middle).zip(columns).collect();
        self.below(plot, &labels, stand, &heat.column_name)?;
        self.upright(&heat.row_name, (MARGIN, (plot.top + plot.bottom) / 2))?;
        self.scale(plot, &scale, &heat.value.name)
    }

    /// What the shades of a heat map mean, at its right.
    fn scale(&self, plot: Plot, scale: &Axis, name: &str) -> Drawn {
        let bar = Plot {
            left: plot.right + 18,
            right: plot.right + 32,
            ..plot
        };
        let steps = 40;
        for step in 0..steps {
            let share = |step: i32| f64::from(step) / f64::from(steps);
            self.rectangle(
                [
                    (bar.left, bar.y(share(step + 1))),
                    (bar.right, bar.y(share(step))),
                ],
                shaded(share(step) + 0.5 / f64::from(steps)),
            )?;
        }
        for (value, label) in &scale.ticks {
            let y = bar.y(scale.share(*value));
            self.text(
                label,
                (bar.right + 6, y),
                TEXT - 1,
                FAINT,
                (HPos::Left, VPos::Center),
            )?;
        }
        self.text(
            name,
            (plot.right + 100, plot.top - 10),
            TEXT,
            FAINT,
            (HPos::Right, VPos::Bottom),
        )
    }
}

/// Of the bars at a place: the number of the series, from where to where, and which of those side by side.
fn bar_parts(bars: &Bars, place: usize) -> Vec<(usize, f64, f64, usize)> {
    let (mut below, mut above) = (0.0, 0.0);
    let values = bars.series.iter().enumerate();
    values
        .filter_map(|(number, series)| {
            let value = series.values[place]?;
            if !bars.is_stacked {
                return Some((number, 0.0, value, number));
            }
            let end = if value < 0.0 { &mut below } else { &mut above };
            let from = *end;
            *end += value;
            (value != 0.0).then_some((number, from, *end, 0))
        })
        .collect()
}

/// The edges of one of the bars that share a slot.
fn across(middle: i32, width: f64, side: usize, bars: &Bars) -> (i32, i32) {
    let beside = if bars.is_stacked {
        1
    } else {
        bars.series.len().max(1)
    };
    let one = width / beside as f64;
    let start = f64::from(middle) - width / 2.0 + one * side as f64;
    let gap = if one > 6.0 && beside > 1 { 1.0 } else { 0.0 };
    let (left, right) = (start.round() as i32, (start + one - gap).round() as i32);
    (left, right.max(left + 1))
}

fn color(place: usize) -> RGBColor {
    PALETTE[place % PALETTE.len()]
}

/// From pale to dark in one hue, so that more is darker in gray as well.
fn shaded(share: f64) -> RGBColor {
    const STOPS: [(f64, f64, f64); 4] = [
        (237.0, 244.0, 250.0),
        (147.0, 191.0, 221.0),
        (38.0, 118.0, 180.0),
        (8.0, 48.0, 107.0),
    ];
    let place = share.clamp(0.0, 1.0) * (STOPS.len() - 1) as f64;
    let stop = (place as usize).min(STOPS.len() - 2);
    let part = place - stop as f64;
    let (from, to) = (STOPS[stop], STOPS[stop + 1]);
    let mix = |from: f64, to: f64| (from + (to - from) * part).round() as u8;
    RGBColor(mix(from.0, to.0), mix(from.1, to.1), mix(from.2, to.2))
}

fn text_width(text: &str, size: i32) -> i32 {
    (text.chars().count() as f64 * f64::from(size) * CHARACTER).ceil() as i32
}

fn shortened(text: &str) -> String {
    if text.chars().count() <= LONGEST_LABEL {
        return text.to_owned();
    }
    text.chars().take(LONGEST_LABEL - 1).chain(['…']).collect()
}

/// Lines of at most so many characters, broken between words.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// The picture in a page of its own.
pub(super) fn html(figure: &Figure) -> Result<String, String> {
    let title = escaped(&figure.title);
    let picture = svg(figure)?;
    Ok(format!(
        "<!DOCTYPE html>\n<html>\n<head>\n<meta charset=\"utf-8\">\n<title>{title}</title>\n\
         <style>body {{ margin: 2em auto; max-width: {WIDTH}px }} svg {{ width: 100%; height: auto }}</style>\n\
         </head>\n<body>\n{}\n</body>\n</html>\n",
        picture.trim()
    ))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
