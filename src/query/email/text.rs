//! The summary as plain text.

use std::fmt::Write;

use super::{Counts, Summary, cell as shown, more};
use crate::query::output::row::HEADER;

/// Nothing of it is longer than a line should be but for the rows.
pub(super) fn text(summary: &Summary<'_>) -> String {
    let mut out = format!("{}\n\n", summary.total);
    // Writing to a string cannot fail.
    for (name, value) in &summary.query {
        let _ = writeln!(out, "{name:<10} {value}");
    }
    for Counts { what, lines, others } in &summary.counts {
        if !lines.is_empty() {
            let _ = writeln!(out, "\nBy {what}");
        }
        for (name, count) in lines {
            let _ = writeln!(
                out,
                "{:>9}  {}",
                crate::demo::style::count(usize::try_from(*count).unwrap_or(usize::MAX)),
                shown(name)
            );
        }
        if *others > 0 {
            let _ = writeln!(out, "{:>9}  {}", "", more(*others, what));
        }
    }
    if !summary.rows.is_empty() {
        let _ = writeln!(out, "\n{}\n\n{}", summary.rows_heading, HEADER.join(" | "));
        for row in summary.rows {
            let _ = writeln!(out, "{}", row.iter().map(|cell| shown(cell)).collect::<Vec<_>>().join(" | "));
        }
    }
    for note in &summary.notes {
        let _ = writeln!(out, "\n{note}");
    }
    if let Some(command) = summary.command {
        let _ = writeln!(out, "\n  {command}");
    }
    out
}
