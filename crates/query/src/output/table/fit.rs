//! Fitting a table's columns to a width: long texts are cut first, then columns are left out from the
//! right. Numbers, dates and times are never cut: a part of one would be another.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::super::LeftOut;
use super::Column;

/// Text is not cut shorter than this.
const LEAST_TEXT: usize = 8;
/// Of a column besides its text: a border and two spaces.
const AROUND: usize = 3;
const CUT: char = '…';

/// The columns within `width`, and what of them is left out. At least one column is kept.
pub(super) fn fit(columns: &[Column], width: usize) -> (Vec<Column>, LeftOut) {
    let mut shown = columns.len();
    let mut widths: Vec<usize> = columns.iter().map(natural_width).collect();
    let least = |column: &Column, natural: usize| match column.is_whole {
        true => natural,
        false => natural.min(LEAST_TEXT),
    };
    let least: Vec<usize> = columns
        .iter()
        .zip(&widths)
        .map(|(column, natural)| least(column, *natural))
        .collect();
    while shown > 1 && total(&least[..shown]) > width {
        shown -= 1;
    }
    shrink(&mut widths[..shown], &least[..shown], width);
    let mut left_out = LeftOut {
        columns: columns[shown..]
            .iter()
            .map(|column| column.name.clone())
            .collect(),
        ..LeftOut::default()
    };
    let fitted = columns.iter().zip(widths).take(shown);
    let fitted = fitted.map(|(column, width)| cut_column(column, width, &mut left_out.cut_values));
    (fitted.collect(), left_out)
}

fn total(widths: &[usize]) -> usize {
    widths.iter().map(|width| width + AROUND).sum::<usize>() + 1
}

/// Takes from the widest, again and again, until all fit or can give no more.
fn shrink(widths: &mut [usize], least: &[usize], available: usize) {
    while total(widths) > available {
        let widest = widths
            .iter_mut()
            .zip(least)
            .filter(|(width, least)| **width > **least)
            .max_by_key(|(width, _)| **width);
        match widest {
            Some((width, _)) => *width -= 1,
            None => return,
        }
    }
}

fn natural_width(column: &Column) -> usize {
    let texts = std::iter::once(&column.name).chain(&column.cells);
    texts
        .flat_map(|text| text.lines())
        .map(UnicodeWidthStr::width)
        .max()
        .unwrap_or_default()
}

fn cut_column(column: &Column, width: usize, cut_values: &mut usize) -> Column {
    let mut cell = |text: &String| {
        let cut = cut(text, width);
        *cut_values += usize::from(cut != *text);
        cut
    };
    Column {
        name: cell(&column.name),
        cells: column.cells.iter().map(cell).collect(),
        is_number: column.is_number,
        is_whole: column.is_whole,
    }
}

/// Each line of the text within `width`.
fn cut(text: &str, width: usize) -> String {
    let lines = text.split('\n').map(|line| {
        if line.width() <= width {
            return line.to_owned();
        }
        let mut room = width.saturating_sub(1);
        let kept = line.chars().take_while(|character| {
            let needed = character.width().unwrap_or_default();
            let fits = needed <= room;
            room = room.saturating_sub(needed);
            fits
        });
        kept.chain([CUT]).collect()
    });
    lines.collect::<Vec<String>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, is_number: bool, cells: &[&str]) -> Column {
        Column {
            name: name.to_owned(),
            is_number,
            is_whole: is_number,
            cells: cells.iter().map(|cell| (*cell).to_owned()).collect(),
        }
    }

    fn check(width: usize, cells: &[&str], cut_values: usize, hidden: &[&str]) {
        let columns = [
            column("id", true, &["1234567890"]),
            column("said", false, &["a rather long message"]),
            column("name", false, &["Zé da Silva"]),
        ];
        let (fitted, left_out) = fit(&columns, width);
        let shown: Vec<&str> = fitted
            .iter()
            .map(|column| column.cells[0].as_str())
            .collect();
        assert_eq!(shown, cells, "{width}");
        assert_eq!(left_out.cut_values, cut_values, "{width}");
        assert_eq!(left_out.columns, hidden, "{width}");
    }

    #[test]
    fn texts_are_cut_before_columns_are_left_out_and_numbers_are_whole() {
        check(
            80,
            &["1234567890", "a rather long message", "Zé da Silva"],
            0,
            &[],
        );
        check(45, &["1234567890", "a rather long…", "Zé da Silva"], 1, &[]);
        check(36, &["1234567890", "a rathe…", "Zé da S…"], 2, &[]);
        check(35, &["1234567890", "a rather long mes…"], 1, &["name"]);
        check(5, &["1234567890"], 0, &["said", "name"]);
    }

    #[test]
    fn instants_are_whole_or_left_out() {
        let mut at = column("at", false, &["2024-03-01 12:30:00Z"]);
        at.is_whole = true;
        let columns = [column("said", false, &["a rather long message"]), at];
        let (fitted, _) = fit(&columns, 36);
        assert_eq!(fitted[0].cells, ["a rather…"]);
        assert_eq!(fitted[1].cells, ["2024-03-01 12:30:00Z"]);
        let (fitted, left_out) = fit(&columns, 33);
        assert_eq!((fitted.len(), left_out.columns), (1, vec!["at".to_owned()]));
    }

    #[test]
    fn wide_characters_count_twice() {
        assert_eq!(cut("日本語", 5), "日本…");
        assert_eq!(cut("日本語", 6), "日本語");
        assert_eq!(cut("one line\nx", 4), "one…\nx");
    }
}
