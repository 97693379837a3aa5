//! docs/start-up.md, row by row: the page's table is this test's.

use std::fs;

use super::world::{LIMIT, World, link, settings};
use crate::config::{OnLostCursor, OnQueryChange};
use crate::source::action::RecoveryReason;
use crate::source::input::{Input, LostPosition, Refusal, Tail};
use crate::source::offset::SourceOffset;
use crate::source::task::{Task, TaskSettings};

/// What the org has, what the connector had published, and where somebody put it back to.
const EVENTS: usize = 70;
const PUBLISHED: usize = 50;
const BACK: usize = 20;

struct Row {
    checkpoint: String,
    topic: String,
    begins: String,
    suppressed: usize,
    published: usize,
    log: Vec<String>,
}

/// The rows of the page's table.
fn rows() -> Vec<Row> {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/start-up.md")).expect("the page");
    let table = page.lines().skip_while(|line| !line.starts_with("| the checkpoint is |")).skip(2);
    let row = |line: &str| {
        let cells: Vec<String> = line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
        let [checkpoint, topic, begins, suppressed, published, log] = cells.try_into().expect("six cells");
        Row {
            checkpoint,
            topic,
            begins,
            suppressed: suppressed.parse().expect("a number"),
            published: published.parse().expect("a number"),
            log: log.split(", ").map(|words| words.trim_matches('`').to_owned()).collect(),
        }
    };
    table.take_while(|line| line.starts_with('|')).map(row).collect()
}

/// The world that a row begins in: its checkpoint, and how Okta answers.
struct Start {
    settings: TaskSettings,
    stored: Result<Option<SourceOffset>, String>,
    /// What Okta has against the stored link.
    refused: Option<RecoveryReason>,
    /// And against whatever takes its place.
    refuses_again: bool,
}

fn start(checkpoint: &str) -> Start {
    let at = |position: usize| SourceOffset {
        published: Some("2026-01-01T00:00:00.000Z".to_owned()),
        uuid: Some(format!("u-{}", position - 1)),
        ..SourceOffset::cold(link(position).as_str().to_owned(), settings().query.hash())
    };
    // As `offsets alter` writes it.
    let altered = |position: usize| SourceOffset { published: None, uuid: None, ..at(position) };
    let start = |stored| Start { settings: settings(), stored: Ok(stored), refused: None, refuses_again: false };
    let of = |offset: SourceOffset| start(Some(offset));
    let own = of(at(PUBLISHED));
    let lost = Some(RecoveryReason::CursorRefused);
    match checkpoint {
        "none" => start(None),
        "its own last link" => own,
        "its own last link, and `limit` was changed" => {
            let mut own = own;
            own.settings.query.limit = LIMIT - 3;
            own
        }
        "a link that Okta refuses" => Start { refused: lost, ..own },
        "a link whose `since` is too old for Okta" => Start { refused: Some(RecoveryReason::SinceTooOld), ..own },
        "a link that Okta refuses, its last event over 90 days ago" => {
            let old = SourceOffset { published: Some("2025-09-01T00:00:00.000Z".to_owned()), ..at(PUBLISHED) };
            Start { refused: lost, ..of(old) }
        }
        "a link that Okta refuses, and `on_lost_cursor: fail`" => {
            let settings = TaskSettings { on_lost_cursor: OnLostCursor::Fail, ..settings() };
            Start { settings, refused: lost, ..own }
        }
        "a link that Okta refuses, and so it does the new one" => Start { refused: lost, refuses_again: true, ..own },
        "altered by `offsets alter`" => {
            of(SourceOffset { suppress_until: Some("2026-01-01T00:00:00.000Z".to_owned()), ..altered(BACK) })
        }
        "altered with `--allow-duplicates`" => of(SourceOffset { allow_duplicates: true, ..altered(BACK) }),
        "an earlier one of its own, put back by hand" => of(at(BACK)),
        "of another query" => of(SourceOffset { query: "of another".to_owned(), ..at(PUBLISHED) }),
        "of another query, and `on_query_change: fail`" => {
            let settings = TaskSettings { on_query_change: OnQueryChange::Fail, ..settings() };
            Start { settings, ..of(SourceOffset { query: "of another".to_owned(), ..at(PUBLISHED) }) }
        }
        "a link to another org" => {
            let url = link(PUBLISHED).as_str().replace("acme", "hooli");
            of(SourceOffset { checkpoint_url: url, ..at(PUBLISHED) })
        }
        "of a newer version of this program" => of(SourceOffset { v: 2, ..at(PUBLISHED) }),
        "one that can't be read" => Start { stored: Err("not JSON".to_owned()), ..own },
        other => panic!("the page has a checkpoint that this test does not know: {other}"),
    }
}

/// Runs a row's start until the org has nothing new, or the connector failed. Gives what it began with, in the page's word, and
/// what was told.
fn run(row: &Row) -> (World, &'static str, Vec<&'static str>) {
    let Start { settings, stored, refused, refuses_again } = start(&row.checkpoint);
    let mut world = World::start_with(settings, EVENTS, None);
    // Of another org's events nothing is learnt, and they are not of the tail: `topic_knowledge` holds the reading to that.
    world.topic = match row.topic.as_str() {
        "this org's" => (0..PUBLISHED).collect(),
        "nothing" | "another's" => Vec::new(),
        other => panic!("a topic that this test does not know: {other}"),
    };
    match stored {
        Ok(stored) => {
            world.stored = stored;
            world.restart();
        }
        Err(problem) => {
            world.task = Task::new(world.settings.clone());
            world.collected.clear();
            world.give(Input::Started { stored: Err(problem), tail: Tail::default() });
        }
    }
    let asked = world.open.as_ref().map(|(_, url)| url.as_str().to_owned());
    let mut told = Vec::new();
    let mut begins = match (&asked, world.recoveries.is_empty(), world.failures.is_empty()) {
        (Some(url), true, true) => {
            let stored = &world.stored.as_ref().expect("what is asked").checkpoint_url;
            let today = stored.replace(&format!("limit={LIMIT}"), &format!("limit={}", world.settings.query.limit));
            assert_eq!(*url, today, "the link as it stands, but for its limit");
            told.push("resumed from");
            "from its link"
        }
        (None, false, true) => "again",
        (None, true, false) => "fails",
        (None, true, true) => {
            assert_eq!(world.collected.len(), 1, "I7: made durable first");
            told.push("starts cold at");
            "cold"
        }
        other => panic!("{other:?}"),
    };
    let refuse = |world: &mut World, reason| {
        let (message, said) = ("refused".to_owned(), None);
        let date = Some(world.wall());
        world.refuse(Refusal::LostCursor(LostPosition { reason, message, said, date }));
    };
    if let Some(reason) = refused {
        refuse(&mut world, reason);
        begins = if world.recoveries.is_empty() { "fails" } else { "again" };
        assert!(world.open.is_none(), "I7: made durable first");
        assert!(world.recoveries.iter().all(|(told, _)| *told == reason));
    }
    if refuses_again {
        world.commit(usize::MAX);
        refuse(&mut world, RecoveryReason::CursorRefused);
        begins = "fails";
    }
    for _ in 0..1000 {
        if !world.failures.is_empty() || world.caught_up {
            break;
        }
        world.commit(usize::MAX);
        if world.open.is_some() { world.answer() } else { world.wake() }
    }
    assert!(world.caught_up || !world.failures.is_empty(), "does not come to rest: {:?}", world.task);
    if !world.recoveries.is_empty() {
        told.push("began again at");
    }
    if world.recoveries.iter().any(|(_, hole)| *hole) {
        told.push("may be missing");
    }
    if world.told.first() == Some(&None) {
        told.push("over old ground");
    }
    if !world.failures.is_empty() {
        told.push("connector failed");
    }
    (world, begins, told)
}

#[test]
fn the_page_says_what_is_done() {
    let rows = rows();
    for row in &rows {
        let what = format!("{}, the topic holds {}", row.checkpoint, row.topic);
        let (world, begins, told) = run(row);
        assert_eq!(begins, row.begins, "{what}");
        let there = if row.topic == "this org's" { PUBLISHED } else { 0 };
        assert_eq!((world.suppressed, world.topic.len() - there), (row.suppressed, row.published), "{what}");
        assert_eq!(told, row.log, "{what}");
        if begins == "fails" {
            continue;
        }
        // Nothing is lost from where it began, and nothing is twice but what somebody wanted to be.
        let mut topic = world.topic.clone();
        topic.sort_unstable();
        let all = topic.len();
        topic.dedup();
        let twice = if row.checkpoint.contains("--allow-duplicates") && there > 0 { PUBLISHED - BACK } else { 0 };
        assert_eq!(all - topic.len(), twice, "{what}");
        let from = EVENTS - row.suppressed - row.published;
        assert!((from..EVENTS).all(|number| topic.binary_search(&number).is_ok()), "{what}: {topic:?}");
        // Where all is as it ever was, a checkpoint says no more than it ever did.
        let stored = world.stored.as_ref().expect("committed");
        assert!(!stored.allow_duplicates, "{what}");
        if there == 0 && begins == "cold" || row.checkpoint.starts_with("its own last link") {
            assert!(stored.suppress_until.is_none(), "{what}");
        }
    }
}

/// The issue's own list: each of these checkpoints with each of these topics.
#[test]
fn every_combination_has_a_row() {
    let rows = rows();
    for checkpoint in [
        "none",
        "its own last link",
        "a link that Okta refuses",
        "altered by `offsets alter`",
        "altered with `--allow-duplicates`",
        "an earlier one of its own, put back by hand",
        "of another query",
        "a link to another org",
    ] {
        for topic in ["nothing", "this org's", "another's"] {
            let found = rows.iter().filter(|row| row.checkpoint == checkpoint && row.topic == topic).count();
            assert_eq!(found, 1, "{checkpoint}, {topic}");
        }
    }
}
