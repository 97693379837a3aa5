//! Events that drift, are odd, or cannot be published, as the shipped program serves them.

use std::time::Duration;

use serde_json::Value;

use super::harness::client;
use crate::support::connector;

const WAIT: Duration = Duration::from_secs(20);

#[tokio::test]
async fn the_command_serves_events_of_the_shapes_that_it_is_told() {
    let arguments =
        "simulate --listen 127.0.0.1:0 --events 90 --live-rate 0 --drift-from 30 --awkward 0.2 --unpublishable 0.1";
    let process = connector::spawn(&arguments.split(' ').collect::<Vec<_>>(), &[]);
    let line = process.await_line("where it listens", |line| line.starts_with('{'), WAIT);
    let ready: Value = serde_json::from_str(&line).unwrap();
    let since = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(7 * 24);
    let url = format!("{}/api/v1/logs?since={since}&limit=1000", ready["url"].as_str().unwrap());
    let token = format!("SSWS {}", ready["token"].as_str().unwrap());
    let page = client().get(&url).header("authorization", token).send().await.unwrap().text().await.unwrap();

    // The drift has one shape for all events behind it, whatever else an event is.
    assert_eq!(page.matches("\"entityRisk\"").count(), 60);
    // Names with `/`, and events without a uuid or with one that is none.
    assert!(page.contains("\"top/level~member.\"") && page.contains("1e400"));
    let uuids = page.matches("\"uuid\":\"").count() - page.matches("\"uuid\":\"\"").count();
    assert!((80..90).contains(&uuids), "{uuids}");
    process.terminate();
    assert_eq!(process.wait(WAIT).code(), Some(0));
}

#[test]
fn shares_that_make_no_sense_are_refused() {
    for (arguments, message) in [
        (&["--awkward", "1.5"][..], "`awkward` is `1.5`: give a share of the events, from 0 to 1"),
        (&["--unpublishable=-0.1"], "`unpublishable` is `-0.1`: give a share of the events, from 0 to 1"),
        (&["--late", "2"], "`late` is `2`: give a share of the events, from 0 to 1"),
        (&["--late-by", "0s"], "`late-by` is `0ns`: give from 1s to seven days"),
        (&["--awkward", "0.6", "--unpublishable", "0.6"], "give shares that are at most 1 together"),
    ] {
        let done = connector::run(&[&["simulate", "--listen", "127.0.0.1:0"], arguments].concat(), &[], WAIT);
        assert!(done.code() == 1 && done.stderr.contains(message), "{arguments:?}: {done:?}");
    }
}
