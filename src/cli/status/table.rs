//! `status` for a person: columns as wide as what is in them, and below them what is wrong or out of the ordinary.

use jiff::{SignedDuration, Timestamp};

use super::Line;
use crate::okta::excerpt::excerpt;

const HEADER: [&str; 7] = ["CONNECTOR", "STATE", "BEHIND", "OWNER", "LAST EVENT", "UUID", "SHARD@OFFSET"];

/// A hole ends where Okta's events began when it was found: so long before.
const KEPT: SignedDuration = SignedDuration::from_hours(90 * 24);

/// The table, with a line feed at the end of each line.
pub(super) fn render(lines: &[Line<'_>], now: Timestamp) -> String {
    let rows: Vec<[String; 7]> = lines.iter().map(row).collect();
    let widths: [usize; 7] = std::array::from_fn(|column| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.max().unwrap_or_default().max(HEADER[column].len())
    });
    let mut text = String::new();
    for row in std::iter::once(HEADER.map(str::to_owned)).chain(rows) {
        let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    for line in lines {
        if let (Some(state), Some(trouble)) = (&line.state, &line.trouble) {
            let [name, state, trouble] = [line.connector.as_str(), state, trouble].map(excerpt);
            text.push_str(&format!("\n{name}: {state}: {trouble}\n"));
        }
    }
    for line in lines {
        let name = excerpt(&line.connector);
        if line.old_ground {
            text.push_str(&format!("\n{name}: over old ground: what its topic holds already is suppressed\n"));
        }
        if let (Some(from), Some(until)) = (&line.missing_from, &line.missing_until) {
            let ages = hole_ages(from, until, now);
            let [from, until] = [from, until].map(|time| excerpt(time));
            let (wide, ago) =
                ages.map_or_else(Default::default, |(wide, ago)| (format!(" ({wide})"), format!(", {ago} ago")));
            text.push_str(&format!(
                "\n{name}: events from {from} to {until}{wide} may be missing, which Okta no longer had when its position was lost{ago}; `offsets alter` to the stored link takes this note away\n"
            ));
        }
    }
    text
}

/// How long a hole is, and how long ago it was found. None where the record's texts are no such times.
fn hole_ages(from: &str, until: &str, now: Timestamp) -> Option<(String, String)> {
    let [from, until]: [Timestamp; 2] = [from.parse().ok()?, until.parse().ok()?];
    let found = until.checked_add(KEPT).ok()?;
    let shown = |from: Timestamp, to: Timestamp| behind(to.as_second().saturating_sub(from.as_second()).max(0));
    Some((shown(from, until), shown(found, now)))
}

/// Most of it comes from the offsets topic and from the group's metadata, where others may write: so nothing of it may steer the
/// terminal.
fn row(line: &Line<'_>) -> [String; 7] {
    let none = || "-".to_owned();
    let state = match (&line.state, line.configured, &line.owner) {
        (Some(state), ..) => state.clone(),
        (None, false, _) => "not in the file".to_owned(),
        (None, true, None) => "no owner".to_owned(),
        // Its worker has another file, or its report had no room.
        (None, true, Some(_)) => "not told".to_owned(),
    };
    let offset = line.offset.as_ref();
    let place = line.topic_offset.map_or_else(String::new, |offset| format!("@{offset}"));
    [
        line.connector.clone(),
        state,
        line.freshness_seconds.map_or_else(none, behind),
        line.owner.clone().unwrap_or_else(none),
        offset.and_then(|offset| offset.published.clone()).unwrap_or_else(none),
        offset.and_then(|offset| offset.uuid.clone()).unwrap_or_else(none),
        format!("{}{place}", line.topic_partition),
    ]
    .map(|cell| excerpt(&cell))
}

fn behind(seconds: i64) -> String {
    match seconds {
        ..600 => format!("{seconds} s"),
        600..36_000 => format!("{} min", seconds / 60),
        36_000..864_000 => format!("{:.1} h", seconds as f64 / 3_600.0),
        _ => format!("{:.1} d", seconds as f64 / 86_400.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::offset::SourceOffset;

    fn line(
        connector: &str,
        owner: Option<&str>,
        state: Option<&str>,
        freshness_seconds: Option<i64>,
    ) -> Line<'static> {
        Line {
            connector: connector.to_owned(),
            org: "acme.okta.com".to_owned(),
            configured: connector != "old",
            owner: owner.map(str::to_owned),
            state: state.map(str::to_owned),
            trouble: state.filter(|state| *state == "failed").map(|_| "no token: make one".to_owned()),
            caught_up: None,
            freshness_seconds,
            old_ground: false,
            missing_from: None,
            missing_until: None,
            checkpoint: None,
            offset: Some(SourceOffset {
                published: Some("2026-11-22T00:00:00.000Z".to_owned()),
                uuid: Some("u-1".to_owned()),
                ..SourceOffset::cold("https://acme.okta.com/api/v1/logs".to_owned(), "q".to_owned())
            })
            .filter(|_| connector != "new"),
            topic_partition: 7,
            topic_offset: (connector != "new").then_some(1234),
            reported: None,
        }
    }

    fn now() -> Timestamp {
        "2026-11-22T12:00:00Z".parse().expect("a time")
    }

    #[test]
    fn columns_stand_below_each_other_and_troubles_below_all() {
        let mut acme = line("acme", Some("worker-0"), Some("waiting"), Some(12));
        acme.old_ground = true;
        acme.missing_from = Some("2026-08-20T00:00:00.000Z".to_owned());
        acme.missing_until = Some("2026-08-24T00:00:00.000Z".to_owned());
        let lines = [
            acme,
            line("a-longer-name", Some("worker-0"), Some("failed"), Some(100_000)),
            line("new", None, None, None),
            line("untold", Some("worker-0"), None, Some(700)),
            line("old", None, None, None),
        ];
        let expected = "\
CONNECTOR      STATE            BEHIND  OWNER     LAST EVENT                UUID  SHARD@OFFSET
acme           waiting          12 s    worker-0  2026-11-22T00:00:00.000Z  u-1   7@1234
a-longer-name  failed           27.8 h  worker-0  2026-11-22T00:00:00.000Z  u-1   7@1234
new            no owner         -       -         -                         -     7
untold         not told         11 min  worker-0  2026-11-22T00:00:00.000Z  u-1   7@1234
old            not in the file  -       -         2026-11-22T00:00:00.000Z  u-1   7@1234

a-longer-name: failed: no token: make one

acme: over old ground: what its topic holds already is suppressed

acme: events from 2026-08-20T00:00:00.000Z to 2026-08-24T00:00:00.000Z (96.0 h) may be missing, which Okta no longer had when its position was lost, 12.0 h ago; `offsets alter` to the stored link takes this note away
";
        assert_eq!(render(&lines, now()), expected);
    }

    #[test]
    fn nothing_that_others_wrote_steers_the_terminal() {
        let evil = |text: &str| format!("{text}\u{1b}[2J\r\n\u{9b}1m\u{202e}");
        let mut line = line("acme", Some(&evil("worker")), Some("failed"), Some(12));
        line.connector = evil("acme");
        line.state = Some(evil("failed"));
        line.trouble = Some(evil("no token"));
        line.missing_from = Some(evil("then"));
        line.missing_until = Some(evil("now"));
        let offset = line.offset.as_mut().expect("one");
        offset.published = Some(evil("now"));
        offset.uuid = Some(evil("u"));
        let text = render(&[line], now());
        assert!(!text.chars().any(|shown| shown != '\n' && shown.is_control() || shown == '\u{202e}'), "{text:?}");
        assert_eq!(text.lines().count(), 6, "{text:?}");
        assert_eq!(text.matches("\\u{1b}[2J").count(), 11, "{text}");
    }
}
