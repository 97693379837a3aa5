//! What goes wrong with cursors and pages: lost ones, late events, short pages, and pages that come twice.

use std::time::Duration;

use okta_kafka_source::simulator::{FaultKind, Faults, SimulatorConfig, StoredEvent};
use serde_json::Value;

use super::harness::{client, follow, get, get_url, start, stored_uuids, with_events};
use crate::support::connector;

/// Okta's own words for a cursor that it does not take.
const REFUSED: &str = "'after': must be a valid value";
const WAIT: Duration = Duration::from_secs(20);

#[tokio::test]
async fn cursors_from_before_a_loss_are_refused_and_later_ones_are_not() {
    let simulator = with_events(30).await;
    let first = get(&simulator, "?limit=10").await;
    let second = get_url(&simulator, &first.next()).await;
    simulator.lose_cursors();
    for link in [first.next(), second.next()] {
        // Again and again, as nothing but a new question helps.
        for _ in 0..2 {
            let refused = get_url(&simulator, &link).await;
            assert_eq!((refused.status, refused.error_code().as_str()), (400, "E0000001"));
            assert!(refused.text().contains(REFUSED), "{}", refused.text());
        }
    }
    let again = get(&simulator, "?limit=10").await;
    assert_eq!(again.uuids(), first.uuids());
    assert_ne!(again.next(), first.next());
    let (rest, _) = follow(&simulator, again.next().split_once("/logs").unwrap().1).await;
    assert_eq!(rest, stored_uuids(&simulator)[10..]);
    // A place is the same one whichever cursor tells of it.
    for link in [first.next(), again.next()] {
        let after = link.split_once("after=").unwrap().1;
        assert_eq!(simulator.events_up_to(after), Some(10), "{after}");
        assert_eq!(simulator.is_lost(after), link == first.next(), "{after}");
    }
}

#[tokio::test]
async fn cursors_are_lost_after_so_many_requests_and_by_fault() {
    let lose_cursors_after = vec![2, 3];
    let simulator = start(SimulatorConfig { events: 30, lose_cursors_after, ..SimulatorConfig::default() }).await;
    let mut statuses = Vec::new();
    let mut reply = get(&simulator, "?limit=5").await;
    for _ in 0..3 {
        let next = get_url(&simulator, &reply.next()).await;
        statuses.push(next.status);
        reply = if next.status == 200 { next } else { get(&simulator, "?limit=5").await };
    }
    // Requests 0 and 1 are answered, the third one is refused, and what the fourth gives is good.
    assert_eq!(statuses, [200, 400, 200]);

    simulator.inject(FaultKind::CursorsLost);
    assert_eq!(get_url(&simulator, &reply.next()).await.status, 400);
    assert_eq!(get_url(&simulator, &reply.next()).await.status, 400, "not for one request alone");
}

#[tokio::test]
async fn a_link_whose_since_is_over_180_days_old_is_refused_whatever_its_cursor() {
    let simulator = with_events(20).await;
    let link = get(&simulator, "?limit=10").await.next();
    let query = link.split_once('?').unwrap().1;
    for (days, status) in [(179, 200), (181, 400)] {
        let since = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(days * 24);
        let reply = get(&simulator, &format!("?since={since}&{query}")).await;
        assert_eq!(reply.status, status, "{days} days");
        if status == 400 {
            assert!(reply.text().contains("The since parameter is over 180 days prior to the current day."));
        }
    }
}

#[tokio::test]
async fn short_pages_have_fewer_events_and_a_link_behind_the_last_one() {
    let simulator = with_events(200).await;
    simulator.set_faults(Faults::one(FaultKind::ShortPage, 1.0).unwrap());
    let mut sizes = Vec::new();
    let mut uuids = Vec::new();
    let mut reply = get(&simulator, "?limit=20").await;
    while !reply.uuids().is_empty() {
        sizes.push(reply.uuids().len());
        uuids.extend(reply.uuids());
        assert!(reply.next().contains("limit=20&"), "{}", reply.next());
        reply = get_url(&simulator, &reply.next()).await;
    }
    assert_eq!(uuids, stored_uuids(&simulator));
    assert!(sizes.iter().all(|size| (1..20).contains(size)) && sizes.iter().max() > sizes.iter().min(), "{sizes:?}");
}

#[tokio::test]
async fn a_page_is_served_twice_and_then_goes_on() {
    let simulator = with_events(30).await;
    let all = stored_uuids(&simulator);
    // The first page, whose request has no cursor, and one in the middle.
    for query in
        ["?limit=10".to_owned(), get(&simulator, "?limit=10").await.next().split_once("/logs").unwrap().1.into()]
    {
        simulator.inject(FaultKind::PageTwice);
        let once = get(&simulator, &query).await;
        let twice = get_url(&simulator, &once.next()).await;
        assert_eq!(once.uuids(), twice.uuids());
        let at = all.iter().position(|uuid| *uuid == once.uuids()[0]).unwrap();
        let (rest, _) = follow(&simulator, twice.next().split_once("/logs").unwrap().1).await;
        assert_eq!(rest, all[at + 10..]);
    }
}

#[tokio::test]
async fn late_events_come_in_persistence_order_with_an_older_time() {
    let late_by = Duration::from_secs(3 * 60 * 60);
    let config = SimulatorConfig { events: 2_000, late: 0.1, late_by, ..SimulatorConfig::default() };
    let lateness = |event: &StoredEvent| event.cursor.millis - event.published_millis;
    let simulator = start(config.clone()).await;
    let events = simulator.events();
    let late: Vec<&StoredEvent> = events.iter().filter(|event| lateness(event) >= 1_000).collect();
    assert!((150..250).contains(&late.len()), "{} of 2000", late.len());
    let most = late.iter().map(|event| lateness(event)).max().unwrap();
    assert!((9_000_000..=10_800_000).contains(&most), "{most} ms");
    // The same seed makes the same ones late.
    let again = start(config).await;
    let places = |events: &[StoredEvent]| -> Vec<usize> {
        (0..events.len()).filter(|place| lateness(&events[*place]) >= 1_000).collect()
    };
    assert_eq!(places(&again.events()), places(&events));

    simulator.generate_late(1, Duration::from_secs(3_600));
    let last = simulator.events().pop().unwrap();
    assert_eq!(lateness(&last), 3_600_000);
    // Behind all others to one who polls, among them to one who asks for a time.
    let uuid = last.uuid.as_deref().unwrap();
    let (polled, _) = follow(&simulator, "?limit=1000").await;
    assert_eq!(polled.last().map(String::as_str), Some(uuid));
    let (from, to) = (last.published_millis - 1, last.published_millis + 1);
    let [from, to] = [from, to].map(|millis| jiff::Timestamp::from_millisecond(millis).unwrap());
    let bounded = get(&simulator, &format!("?since={from}&until={to}")).await.uuids();
    assert!(bounded.iter().any(|found| found == uuid), "{bounded:?}");
}

#[tokio::test]
async fn the_command_takes_all_of_them() {
    let arguments =
        "simulate --listen 127.0.0.1:0 --events 60 --live-rate 0 --late 1 --late-by 1h --lose-cursors-after 1,9";
    let process = connector::spawn(&arguments.split(' ').chain(["--fault", "short_page=1"]).collect::<Vec<_>>(), &[]);
    let line = process.await_line("where it listens", |line| line.starts_with('{'), WAIT);
    let ready: Value = serde_json::from_str(&line).unwrap();
    let token = format!("SSWS {}", ready["token"].as_str().unwrap());
    let url = format!("{}/api/v1/logs?limit=50", ready["url"].as_str().unwrap());
    let ask = async |url: &str| client().get(url).header("authorization", &token).send().await.unwrap();
    let first = ask(&url).await;
    let links: Vec<&str> = first.headers().get_all("link").iter().map(|link| link.to_str().unwrap()).collect();
    let next = links.iter().find(|link| link.contains("next")).unwrap();
    let next = next.trim_start_matches('<').split('>').next().unwrap().to_owned();
    assert!(first.text().await.unwrap().matches("\"eventType\"").count() < 50);
    let refused = ask(&next).await;
    assert_eq!(refused.status().as_u16(), 400);
    assert!(refused.text().await.unwrap().contains(REFUSED));
    process.terminate();
    assert_eq!(process.wait(WAIT).code(), Some(0));
}
