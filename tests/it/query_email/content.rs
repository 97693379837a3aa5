//! What is in a mail: totals as somebody else counts them, and nothing of an event that acts.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use serde_json::json;
use tempfile::TempDir;

use super::{config, names, query};
use crate::support::mail_server::{Mail, MailServer};
use crate::support::org::Org;
use crate::support::{prove, python};

type Counts = BTreeMap<String, u64>;

/// The lines under `By <what>`, and how many others there are.
fn told(text: &str, what: &str) -> (Vec<(String, u64)>, usize) {
    let (_, section) = text.split_once(&format!("\nBy {what}\n")).unwrap_or_else(|| panic!("By {what}: {text}"));
    let (mut lines, mut others) = (Vec::new(), 0);
    for line in section.lines().take_while(|line| !line.is_empty()) {
        match line.trim_start().strip_prefix("and ") {
            Some(more) => others = more.split(' ').next().unwrap().replace(',', "").parse().unwrap(),
            None => {
                let (count, name) = line.trim_start().split_once("  ").unwrap();
                lines.push((name.to_owned(), count.replace(',', "").parse().unwrap()));
            }
        }
    }
    (lines, others)
}

/// The ten that are most frequent, and how many others there are.
fn most(counts: &Counts) -> (Vec<(String, u64)>, usize) {
    let mut all: Vec<(String, u64)> = counts.iter().map(|(name, count)| (name.clone(), *count)).collect();
    all.sort_by_key(|(name, count)| (std::cmp::Reverse(*count), name.clone()));
    let others = all.len().saturating_sub(10);
    all.truncate(10);
    (all, others)
}

/// The cell behind that of a number in the HTML.
fn html_has(mail: &Mail, name: &str, count: u64) -> bool {
    let texts = &mail.parts[1].markup.as_ref().unwrap().texts;
    let cells: Vec<&str> = texts.iter().map(|text| text.trim()).filter(|text| !text.is_empty()).collect();
    cells.windows(2).any(|pair| pair[0].replace(',', "") == count.to_string() && pair[1] == name)
}

#[test]
fn the_totals_are_those_that_python_counts() {
    let Some(python) = python::there() else { return };
    let org = Org::with_events(2_345);
    let spool = TempDir::with_prefix("spool-").unwrap();
    let server = MailServer::start(python, &[]);
    let settings = format!("host: 127.0.0.1, port: {}, security: none, from: okta@example.com", server.port);
    let file = config(&org, &settings);
    let mut checked = 0;
    for attach in ["ndjson", "csv"] {
        let arguments = ["--since=90d", "--email=soc@example.com", "--email-attach", attach];
        let output = query(&file, &arguments, spool.path());
        assert!(output.code() == 0 && output.stderr.contains("2,345 events in 24 pages, sent to"), "{output:?}");
        let mail = server.mail();
        let text = mail.parts[0].text();
        assert!(text.starts_with("2,345 events in 24 pages\n"), "{text}");
        let counts = mail.parts[2].counts.as_ref().unwrap();
        for what in ["event type", "outcome", "actor"] {
            let counted = &counts[what];
            assert_eq!(counted.values().sum::<u64>(), 2_345, "{attach}: {what}");
            let (lines, others) = told(&text, what);
            assert_eq!((&lines, others), (&most(counted).0, most(counted).1), "{attach}: {what}");
            for (name, count) in &lines {
                assert!(html_has(&mail, name, *count), "{attach}: {count} {name}: {:?}", mail.parts[1].markup);
            }
            checked += lines.len();
        }
    }
    assert!(checked > 30, "{checked} counts");

    // Cut: whole rows up to the bound, which both parts say, and how all is got.
    let small = config(&org, &(settings + ", max_attachment_size: 64 KiB"));
    for attach in ["csv", "ndjson"] {
        let arguments = ["--since=90d", "--email=soc@example.com", "--email-attach", attach];
        assert_eq!(query(&small, &arguments, spool.path()).code(), 0);
        let mail = server.mail();
        let size = mail.parts[2].bytes().len();
        assert!(size <= 65_536 && size > 60_000, "{attach}: {size}");
        let rows: u64 = mail.parts[2].counts.as_ref().unwrap()["outcome"].values().sum();
        let note = format!("CUT: results.{attach} holds the first {rows} of 2,345 events, as more is over 65536 bytes");
        assert!(mail.parts[0].text().contains(&note), "{note}: {}", mail.parts[0].text());
        let first = format!("2,345 events in 24 pages; attached are the first {rows}");
        assert_eq!(mail.parts[0].text().lines().next().unwrap().replace(',', ""), first.replace(',', ""));
        let html = mail.parts[1].markup.as_ref().unwrap().texts.concat();
        assert!(html.contains(&note) && html.contains("--to-file results.ndjson"), "{html}");
        // The summary is of all.
        assert_eq!(told(&mail.parts[0].text(), "outcome").0.iter().map(|(_, count)| count).sum::<u64>(), 2_345);
    }
    assert_eq!(names(spool.path()), [] as [&str; 0]);
    prove::row(
        "query-email-totals",
        "The totals of a query's e-mail are those of its attachment",
        "2,345 events of the simulated org in 24 pages, attached as NDJSON and as CSV, counted by Python's json and csv; text and HTML read by Python",
        &format!(
            "{checked} counts equal; cut at 64 KiB: whole rows, their number in text and HTML, the summary of all"
        ),
    );
}

/// What somebody may write into a name by trying to sign in, and what of it a line may show.
const HOSTILE: &[&str] = &[
    "<img src=x onerror=alert(1)>",
    "</td></table><script>alert(1)</script>",
    "\" onmouseover=\"alert(1)\" x=\"",
    "&lt;b&gt; & <!-- ",
    "=HYPERLINK(\"http://evil.example\",\"ok\")",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "+1",
    "-2+3",
    "a\r\nBcc: evil@example.com\r\n\r\n<b>",
    ".\r\nQUIT\r\n",
    "\u{202e}gpj.exe",
    "\u{1b}[31mred\u{0}",
    "https://evil.example/login",
    "sign in at WWW.evil.example now",
    "evil.example/login?x=1",
    "Žofie Müller 日本 🦀",
    "{count} {connector}",
];

#[test]
fn nothing_of_an_event_is_markup_a_header_a_formula_or_a_command() {
    let Some(python) = python::there() else { return };
    let org = Org::with_events(0);
    let now = jiff::Timestamp::now() - jiff::SignedDuration::from_secs(3600);
    let events = HOSTILE.iter().enumerate().map(|(n, text)| {
        let published = now + jiff::SignedDuration::from_secs(i64::try_from(n).unwrap());
        json!({
            "actor": {"alternateId": text, "displayName": text},
            "client": {"ipAddress": text},
            "displayMessage": text,
            "eventType": format!("user.{text}"),
            "outcome": {"result": text, "reason": text},
            "published": format!("{published:.3}"),
            "severity": text,
            "target": [{"alternateId": text, "displayName": text}],
            "uuid": format!("u-{n}"),
        })
        .to_string()
    });
    org.append(events.collect::<Vec<_>>());
    let spool = TempDir::with_prefix("spool-").unwrap();
    let server = MailServer::start(python, &[]);
    let file = config(
        &org,
        &format!(
            "host: 127.0.0.1, port: {}, security: none, from: '\"Okta, \\Fragen ä\" <okta@example.com>', subject: 'Žluť ({{count}}): {{connector}}'",
            server.port
        ),
    );
    let people = ["--email", "SOC, Zürich <soc@example.com>", "--email", "\"O'Neil (on call)\" <oncall@example.com>"];
    // Somebody named twice gets it once.
    let more = ["--email=soc@example.com", "--filter", "uuid pr"];
    let output = query(&file, &[&people[..], &more].concat(), spool.path());
    assert_eq!(output.code(), 0, "{output:?}");
    let mail = server.mail();
    assert!(mail.defects.is_empty() && mail.is_ascii && mail.longest_line <= 998, "{mail:?}");
    let headers: BTreeSet<&str> = mail.headers.iter().map(|(name, _)| name.as_str()).collect();
    let expected = ["Auto-Submitted", "Content-Type", "Date", "From", "MIME-Version", "Message-ID", "Subject", "To"];
    assert_eq!(headers, BTreeSet::from(expected));
    assert_eq!(mail.headers.len(), expected.len(), "{:?}", mail.headers);
    assert_eq!(mail.header("Subject"), "Žluť (17 events): acme");
    assert_eq!(mail.header("From"), "\"Okta, \\\\Fragen ä\" <okta@example.com>");
    // A line that is folded inside of quotes gets a second space.
    let to = mail.header("To").split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(to, "\"SOC, Zürich\" <soc@example.com>, \"O'Neil (on call)\" <oncall@example.com>");
    assert_eq!(mail.to, ["soc@example.com", "oncall@example.com"]);

    let markup = mail.parts[1].markup.as_ref().unwrap();
    for element in &markup.elements {
        let (tag, attribute) = element.split_once(' ').unwrap_or((element, "style"));
        assert!(["style", "lang", "charset"].contains(&attribute), "{element}");
        let tags = ["html", "head", "meta", "title", "body", "p", "table", "tr", "th", "td", "h3", "pre"];
        assert!(tags.contains(&tag), "{element}");
    }
    let text = mail.parts[0].text();
    for hostile in HOSTILE {
        let steers = |c: char| c.is_control() || c == '\u{202e}';
        let shown: String = hostile.chars().map(|c| if steers(c) { '\u{fffd}' } else { c }).collect();
        let shown = shown.replace("://", "[://]").replace("evil.example/", "evil[.]example/");
        let shown =
            shown.replace("]evil.example", "]evil[.]example").replace("WWW.evil.example", "WWW[.]evil[.]example");
        assert!(text.contains(&shown), "{shown:?}: {text}");
        assert!(markup.texts.iter().any(|found| found.trim() == shown.trim()), "{shown:?}: {:?}", markup.texts);
    }
    // Nor what a mail program makes a link of: the org's own line aside.
    for line in text.lines().filter(|line| !line.starts_with("Org ")) {
        let line = line.replace("[://]", "").to_lowercase();
        assert!(!["://", "www.", "evil.example/"].iter().any(|linked| line.contains(linked)), "{line}");
    }
    for part in &mail.parts[..2] {
        let steers = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
        assert!(!part.text().contains(steers), "{:?}", part.text());
        assert!(!part.text().lines().any(|line| line.starts_with("Bcc") || line == "."), "{}", part.text());
    }
    // As Python's csv reads it.
    let actors = &mail.parts[2].counts.as_ref().unwrap()["actor"];
    assert_eq!(actors.len(), HOSTILE.len());
    let mut formulas = 0;
    for actor in actors.keys() {
        let is_formula = actor.starts_with(['=', '+', '-', '@', '\t', '\r']) && actor.parse::<f64>().is_err();
        assert!(!is_formula, "{actor:?}");
        formulas += usize::from(actor.starts_with('\''));
    }
    assert!(formulas >= 3, "{actors:?}");
    let mut all = String::new();
    for (_, value) in &mail.headers {
        writeln!(all, "{value}").unwrap();
    }
    assert!(!all.contains("evil"), "{all}");
}
