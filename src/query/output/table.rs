//! Results for people: a line each, as wide as the terminal.

use unicode_width::UnicodeWidthChar;

use super::Format;
use super::row::{ACTOR, COLUMNS, EVENT, HEADER, IP, OUTCOME, Rows, SEVERITY, TARGET, TIME};
use crate::demo::style::Style;
use crate::okta::page::RawElement;
use crate::query::sink::ResultPage;

/// These give way where the terminal is narrow, down to so many characters.
const FLEXIBLE: [usize; 3] = [ACTOR, EVENT, TARGET];
const NARROWEST: usize = 14;
/// In this order columns are left out where even that is too wide.
const LEFT_OUT: [usize; 3] = [SEVERITY, TARGET, IP];
/// No column is wider than this where the terminal does not say how wide it is.
const WIDEST: usize = 60;
/// What the first page does not show yet: columns that give way get this where the terminal has it.
const ROOMY: usize = 30;
/// An IPv4 address, and `CHALLENGE`: those are never cut.
const LEAST: [(usize, usize); 2] = [(IP, 15), (OUTCOME, 9)];
/// Characters without a width of their own, as accents, that one column may have.
const MAX_COMBINED: usize = 4;
const GAP: &str = "  ";

/// `--output table`. Columns are as wide as the first page needs, and those that give way somewhat wider. Only these are cut, and
/// only where a terminal shows them.
pub struct Table {
    rows: Rows,
    /// Columns of the terminal; none: as wide as it gets.
    width: Option<usize>,
    style: Style,
    /// None: left out.
    widths: [Option<usize>; COLUMNS],
}

impl Table {
    /// For a terminal of that many columns.
    pub fn new(width: Option<usize>, style: Style) -> Self {
        Self { rows: Rows::new(), width, style, widths: [None; COLUMNS] }
    }

    fn line(&self, cells: &[String; COLUMNS], style: impl Fn(usize, &str) -> String, out: &mut Vec<u8>) {
        let shown: Vec<usize> = (0..COLUMNS).filter(|column| self.widths[*column].is_some()).collect();
        for (place, &column) in shown.iter().enumerate() {
            let width = self.widths[column].unwrap_or_default();
            // The end of an event type says more than its beginning.
            let room = match self.width {
                Some(_) if FLEXIBLE.contains(&column) => width,
                // A longer line is better than half an address.
                Some(_) => width.max(WIDEST),
                None => usize::MAX,
            };
            let text = cut(&combined(&cells[column]), room, column == EVENT);
            let is_last = place + 1 == shown.len();
            let space = if is_last { 0 } else { width.saturating_sub(width_of(&text)) };
            if place > 0 {
                out.extend_from_slice(GAP.as_bytes());
            }
            out.extend_from_slice(style(column, &text).as_bytes());
            out.extend(std::iter::repeat_n(b' ', space));
        }
        out.push(b'\n');
    }
}

impl Format for Table {
    fn begin(&mut self, page: Option<&ResultPage>, out: &mut Vec<u8>) {
        let Some(page) = page else { return };
        let rows: Vec<[String; COLUMNS]> = page.elements.iter().map(|element| self.rows.row(element)).collect();
        let natural = |column: usize| {
            let cells = rows.iter().map(|row| width_of(&row[column]));
            let least = LEAST.iter().find(|(of, _)| *of == column).map_or(0, |(_, least)| *least);
            cells.max().unwrap_or_default().max(least).clamp(HEADER[column].len(), WIDEST)
        };
        self.widths = fitted(std::array::from_fn(natural), self.width);
        let style = self.style;
        self.line(&HEADER.map(str::to_owned), |_, text| style.heading(text), out);
    }

    fn element(&mut self, element: &RawElement, out: &mut Vec<u8>) {
        let row = self.rows.row(element);
        let style = self.style;
        let is_bad = |column, text: &str| match column {
            SEVERITY => matches!(text, "ERROR" | "WARN"),
            OUTCOME => matches!(text, "FAILURE" | "DENY"),
            _ => false,
        };
        let styled = |column, text: &str| match column {
            TIME => style.dim(text),
            _ if is_bad(column, text) => style.bad(text),
            _ => text.to_owned(),
        };
        self.line(&row, styled, out);
    }

    fn end(&mut self, _: &mut Vec<u8>) {}
}

/// The widths that fit into `width`, where that is 34 at the least.
fn fitted(natural: [usize; COLUMNS], width: Option<usize>) -> [Option<usize>; COLUMNS] {
    let mut widths = natural.map(Some);
    let Some(width) = width else {
        for column in FLEXIBLE {
            widths[column] = widths[column].max(Some(ROOMY));
        }
        return widths;
    };
    let total = |widths: &[Option<usize>; COLUMNS]| {
        let shown = widths.iter().flatten();
        shown.clone().sum::<usize>() + GAP.len() * shown.count().saturating_sub(1)
    };
    let shrink = |widths: &mut [Option<usize>; COLUMNS], narrowest: usize| {
        while total(widths) > width {
            let widest = FLEXIBLE.into_iter().filter(|column| widths[*column] > Some(narrowest));
            let Some(widest) = widest.max_by_key(|column| widths[*column]) else { return };
            widths[widest] = widths[widest].map(|width| width - 1);
        }
    };
    let least = |widths: &[Option<usize>; COLUMNS]| {
        let mut least = *widths;
        for column in FLEXIBLE {
            least[column] = least[column].map(|width| width.min(NARROWEST));
        }
        total(&least)
    };
    for column in LEFT_OUT {
        if least(&widths) > width {
            widths[column] = None;
        }
    }
    shrink(&mut widths, NARROWEST);
    shrink(&mut widths, 1);
    while total(&widths) < width {
        let narrow = FLEXIBLE.into_iter().filter(|column| widths[*column].is_some_and(|width| width < ROOMY));
        let Some(narrowest) = narrow.min_by_key(|column| widths[*column]) else { break };
        widths[narrowest] = widths[narrowest].map(|width| width + 1);
    }
    widths
}

fn width_of(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(0)).sum()
}

/// Without what is more than [`MAX_COMBINED`] on one column.
fn combined(text: &str) -> String {
    let mut count = 0;
    let is_kept = |c: &char| {
        count = if c.width().unwrap_or(0) == 0 { count + 1 } else { 0 };
        count <= MAX_COMBINED
    };
    text.chars().filter(is_kept).collect()
}

/// At most so many columns of it, with `…` for what is left out: the beginning, or the end.
fn cut(text: &str, width: usize, keeps_end: bool) -> String {
    if width_of(text) <= width {
        return text.to_owned();
    }
    let mut room = width.saturating_sub(1);
    let fits = |c: &char| {
        let width = c.width().unwrap_or(0);
        let fits = width <= room;
        room = if fits { room - width } else { 0 };
        fits
    };
    if keeps_end {
        let kept: Vec<char> = text.chars().rev().take_while(fits).collect();
        std::iter::once('…').chain(kept.into_iter().rev()).collect()
    } else {
        text.chars().take_while(fits).chain(std::iter::once('…')).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_fit_the_terminal_and_the_important_ones_stay() {
        let natural = [19, 8, 30, 45, 9, 15, 40];
        for width in [40, 60, 80, 100, 120, 200, 400] {
            let widths = fitted(natural, Some(width));
            let shown: Vec<usize> = widths.iter().flatten().copied().collect();
            let total = shown.iter().sum::<usize>() + 2 * (shown.len() - 1);
            assert!(total <= width, "{width}: {widths:?}");
            for column in [TIME, ACTOR, EVENT, OUTCOME] {
                assert!(widths[column] > Some(0), "{width}: {widths:?}");
            }
            assert_eq!(widths == natural.map(Some), width >= 178, "{width}");
            assert_eq!(widths.iter().all(Option::is_some), width >= 105, "{width}: {widths:?}");
        }
        assert_eq!(fitted(natural, None), natural.map(Some));
        // A first page of short values leaves room for others.
        let short = [19, 8, 5, 10, 9, 15, 6];
        assert_eq!(fitted(short, Some(80))[..4], [Some(19), None, Some(9), Some(10)]);
        assert_eq!(fitted(short, Some(200)), [19, 8, 30, 30, 9, 15, 30].map(Some));
        assert_eq!(fitted(short, None), [19, 8, 30, 30, 9, 15, 30].map(Some));
    }

    #[test]
    fn accents_do_not_pile_up() {
        let piled = combined(&format!("e{}a\u{301}", "\u{301}".repeat(3_000)));
        assert_eq!(piled.chars().count(), 1 + MAX_COMBINED + 2);
    }

    #[test]
    fn what_is_cut_fits_also_where_characters_are_wide() {
        for (text, width, keeps_end, expected) in [
            ("abc", 3, false, "abc"),
            ("abcd", 3, false, "ab…"),
            ("abcd", 3, true, "…cd"),
            ("日本語です", 6, false, "日本…"),
            ("日本語です", 6, true, "…です"),
            ("é\u{301}abc", 3, false, "é\u{301}a…"),
            ("abc", 0, false, "…"),
        ] {
            let found = cut(text, width, keeps_end);
            assert_eq!(found, expected, "{text} {width}");
            assert!(width_of(&found) <= width.max(1));
        }
    }
}
