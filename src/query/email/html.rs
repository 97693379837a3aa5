//! The summary as HTML: tables with styles of their own, and nothing that is fetched from anywhere.

use std::fmt::Write;

use super::{Counts, Summary, cell as shown, more};
use crate::query::output::row::{ACTOR, EVENT, HEADER, OUTCOME, SEVERITY, TARGET, TIME};

const CELL: &str = "padding:3px 10px 3px 0;text-align:left;vertical-align:top";
const NUMBER: &str = "padding:3px 10px 3px 0;text-align:right";
const RED: &str = "color:#b00020;font-weight:bold";

/// All texts are those of whoever tried to sign in: none of them is markup.
pub(super) fn html(summary: &Summary<'_>) -> String {
    let mut out = String::from(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Okta System Log</title></head>\n\
         <body style=\"font-family:sans-serif;font-size:14px;color:#1a1a1a\">\n",
    );
    // Writing to a string cannot fail.
    let _ = writeln!(out, "<p style=\"font-size:18px\">{}</p>\n<table>", escaped(&summary.total));
    for (name, value) in &summary.query {
        let _ = writeln!(out, "<tr><th style=\"{CELL}\">{name}</th><td style=\"{CELL}\">{}</td></tr>", escaped(value));
    }
    out.push_str("</table>\n");
    for Counts { what, lines, others } in &summary.counts {
        if lines.is_empty() {
            continue;
        }
        let _ = writeln!(out, "<h3>By {what}</h3>\n<table>");
        for (name, count) in lines {
            let count = crate::demo::style::count(usize::try_from(*count).unwrap_or(usize::MAX));
            let name = escaped(&shown(name));
            let _ = writeln!(out, "<tr><td style=\"{NUMBER}\">{count}</td><td style=\"{CELL}\">{name}</td></tr>");
        }
        if *others > 0 {
            let others = more(*others, what);
            let _ = writeln!(out, "<tr><td></td><td style=\"{CELL}\">{others}</td></tr>");
        }
        out.push_str("</table>\n");
    }
    if !summary.rows.is_empty() {
        let _ = writeln!(out, "<h3>{}</h3>\n<table style=\"font-size:12px\">\n<tr>", escaped(&summary.rows_heading));
        for name in HEADER {
            let _ = write!(out, "<th style=\"{CELL}\">{name}</th>");
        }
        out.push_str("</tr>\n");
        for row in summary.rows {
            out.push_str("<tr>");
            for (column, cell) in row.iter().enumerate() {
                let is_bad =
                    matches!((column, cell.as_str()), (SEVERITY, "ERROR" | "WARN") | (OUTCOME, "FAILURE" | "DENY"));
                let style = match column {
                    _ if is_bad => format!("{CELL};{RED}"),
                    TIME => format!("{CELL};white-space:nowrap"),
                    ACTOR | EVENT | TARGET => format!("{CELL};overflow-wrap:anywhere"),
                    _ => CELL.to_owned(),
                };
                let _ = write!(out, "<td style=\"{style}\">{}</td>", escaped(&shown(cell)));
            }
            out.push_str("</tr>\n");
        }
        out.push_str("</table>\n");
    }
    for note in &summary.notes {
        let _ = writeln!(out, "<p>{}</p>", escaped(note));
    }
    if let Some(command) = summary.command {
        let _ = writeln!(out, "<pre style=\"white-space:pre-wrap\">{}</pre>", escaped(command));
    }
    out.push_str("</body></html>\n");
    out
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_is_markup() {
        assert_eq!(escaped("<a href='x'>\"&amp;"), "&lt;a href=&#39;x&#39;&gt;&quot;&amp;amp;");
    }
}
