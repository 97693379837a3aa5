//! What goes wrong on request.

use std::sync::Arc;
use std::time::Duration;

use okta_kafka_source::simulator::{FaultKind, Faults, Simulator, SimulatorConfig};

use super::harness::{Reply, follow, get, get_url, start, stored_uuids, try_get, with_events};

/// Seconds since the epoch of the answer's own clock.
fn date(reply: &Reply) -> i64 {
    let date = httpdate::parse_http_date(reply.header("date")).unwrap();
    date.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as i64
}

fn ahead(reply: &Reply) -> i64 {
    reply.number("x-rate-limit-reset") - date(reply)
}

async fn with_one_fault(kind: FaultKind) -> (Simulator, reqwest::Result<Reply>) {
    let simulator = with_events(20).await;
    simulator.inject(kind);
    let reply = try_get(&simulator, &format!("{}/api/v1/logs", simulator.url())).await;
    assert_eq!(simulator.requests()[0].faults, [kind]);
    (simulator, reply)
}

#[tokio::test]
async fn faults_with_a_status() {
    for (kind, status, code) in [
        (FaultKind::Http500, 500, "E0000009"),
        (FaultKind::Timeout, 500, "E0000009"),
        (FaultKind::Http503, 503, "E0000010"),
        (FaultKind::Http400, 400, "E0000031"),
        (FaultKind::Http401, 401, "E0000011"),
        (FaultKind::Http403, 403, "E0000006"),
        (FaultKind::CursorRefused, 400, "E0000001"),
        (FaultKind::Concurrency, 429, "E0000047"),
        (FaultKind::RateLimit, 429, "E0000047"),
    ] {
        let (simulator, reply) = with_one_fault(kind).await;
        let reply = reply.unwrap();
        assert_eq!((reply.status, reply.error_code().as_str()), (status, code), "{kind}");
        assert_eq!(reply.headers.get_all("link").iter().count(), 0, "{kind}");
        assert!(!reply.headers.contains_key("retry-after"));
        assert_eq!(simulator.requests()[0].status, Some(status));
    }
}

#[tokio::test]
async fn a_rate_limit_holds_until_its_reset() {
    let rate_limit_wait = Duration::from_secs(4);
    let simulator = start(SimulatorConfig { events: 1, rate_limit_wait, ..SimulatorConfig::default() }).await;
    simulator.inject(FaultKind::RateLimit);
    let first = get(&simulator, "").await;
    assert_eq!((first.number("x-rate-limit-limit"), first.number("x-rate-limit-remaining")), (60_000, 0));
    assert_eq!(ahead(&first), 4);
    assert_eq!(simulator.requests_in_rate_limit_window(), 0, "the client could not know");
    let impolite = get(&simulator, "").await;
    assert_eq!((impolite.status, impolite.header("x-rate-limit-reset")), (429, first.header("x-rate-limit-reset")));
    assert_eq!(simulator.requests_in_rate_limit_window(), 1);
    // Only time can end a window, so this is waited for.
    tokio::time::sleep(rate_limit_wait).await;
    assert_eq!(get(&simulator, "").await.status, 200);
    assert_eq!(simulator.requests_in_rate_limit_window(), 1);
}

#[tokio::test]
async fn the_bucket_really_counts() {
    let simulator = start(SimulatorConfig { events: 1, rate_limit: 3, ..SimulatorConfig::default() }).await;
    let mut seen = Vec::new();
    for _ in 0..5 {
        let reply = get(&simulator, "").await;
        seen.push((reply.status, reply.number("x-rate-limit-remaining")));
    }
    assert_eq!(seen, [(200, 2), (200, 1), (200, 0), (429, 0), (429, 0)]);
    assert_eq!(simulator.requests_in_rate_limit_window(), 1);
}

#[tokio::test]
async fn more_requests_at_once_than_the_org_takes_are_refused_as_they_come() {
    let simulator = start(SimulatorConfig { events: 1, concurrency_limit: 2, ..SimulatorConfig::default() }).await;
    let simulator = Arc::new(simulator);
    simulator.hold_pages();
    let held: Vec<_> = (0..2)
        .map(|_| {
            let simulator = Arc::clone(&simulator);
            tokio::spawn(async move { get(&simulator, "").await.status })
        })
        .collect();
    simulator.wait_for_requests(2).await;
    let refused = get(&simulator, "").await;
    let headers = (refused.number("x-rate-limit-limit"), refused.number("x-rate-limit-remaining"));
    assert_eq!((refused.status, refused.error_code().as_str(), headers), (429, "E0000047", (0, 0)));
    assert_eq!(ahead(&refused), 2);
    simulator.release_pages();
    for one in held {
        assert_eq!(one.await.unwrap(), 200);
    }
    assert_eq!(get(&simulator, "").await.status, 200);
}

#[tokio::test]
async fn a_concurrency_429_is_for_one_request_alone() {
    let (simulator, first) = with_one_fault(FaultKind::Concurrency).await;
    let first = first.unwrap();
    assert_eq!((first.number("x-rate-limit-limit"), first.number("x-rate-limit-remaining")), (0, 0));
    assert_eq!(ahead(&first), 2);
    assert_eq!(get(&simulator, "").await.status, 200);
    assert_eq!((simulator.requests_in_concurrency_wait(), simulator.requests_in_rate_limit_window()), (1, 0));
}

#[tokio::test]
async fn an_hour_off_is_off_for_both_clocks() {
    let simulator = with_events(1).await;
    simulator.inject(FaultKind::RateLimit);
    simulator.set_faults(Faults::one(FaultKind::DateOff, 1.0).unwrap());
    let reply = get(&simulator, "").await;
    let off = date(&reply) - jiff::Timestamp::now().as_second();
    assert!((3_595..=3_600).contains(&off), "{off}");
    assert_eq!((reply.status, ahead(&reply)), (429, 2));
}

#[tokio::test]
async fn connections_break_before_and_within_the_answer() {
    let (simulator, cut) = with_one_fault(FaultKind::Cut).await;
    assert!(cut.is_err(), "an answer in spite of the cut");
    assert_eq!(simulator.requests()[0].status, None);
    let (simulator, truncated) = with_one_fault(FaultKind::Truncate).await;
    let error = truncated.err().expect("half a body is an error");
    assert!(error.is_body() || error.is_decode(), "{error:?}");
    assert_eq!(simulator.requests()[0].status, Some(200));
    // Without compression the header tells the whole length, and half of it comes.
    simulator.inject(FaultKind::Truncate);
    let plain = reqwest::Client::builder().no_gzip().no_proxy().build().unwrap();
    let request = plain.get(format!("{}/api/v1/logs", simulator.url()));
    let mut response = request.header("authorization", format!("SSWS {}", simulator.token())).send().await.unwrap();
    let promised = response.content_length().unwrap() as usize;
    let mut got = 0;
    while let Ok(Some(chunk)) = response.chunk().await {
        got += chunk.len();
    }
    assert_eq!(got, promised / 2);
    // The next request is answered.
    assert_eq!(get(&simulator, "").await.status, 200);
}

#[tokio::test]
async fn other_origins_are_named_and_never_asked() {
    let other = with_events(0).await;
    let config = SimulatorConfig { events: 3, other_origin: other.url().to_owned(), ..SimulatorConfig::default() };
    let simulator = start(config).await;
    simulator.inject(FaultKind::WrongOrigin);
    simulator.inject(FaultKind::Redirect);
    let wrong = get(&simulator, "?limit=2").await;
    assert_eq!((wrong.status, wrong.uuids().len()), (200, 2));
    assert!(wrong.link("self").unwrap().starts_with(simulator.url()));
    assert!(wrong.next().starts_with(&format!("{}/api/v1/logs?limit=2&after=", other.url())));
    let redirect = get(&simulator, "?limit=2").await;
    assert_eq!(redirect.status, 302);
    assert_eq!(redirect.header("location"), format!("{}/api/v1/logs?limit=2", other.url()));
    assert_eq!(other.request_count(), 0);
}

#[tokio::test]
async fn slow_is_slow_and_stops_with_the_org() {
    let simulator = start(SimulatorConfig { slow_delay: Duration::from_secs(600), ..SimulatorConfig::default() }).await;
    simulator.inject(FaultKind::Slow);
    let url = format!("{}/api/v1/logs", simulator.url());
    let request = super::harness::client().get(url).header("authorization", format!("SSWS {}", simulator.token()));
    let answer = tokio::spawn(request.send());
    simulator.wait_for_requests(1).await;
    assert!(!answer.is_finished());
    simulator.shutdown().await;
    assert_eq!(answer.await.unwrap().unwrap().status(), 200);
}

#[tokio::test]
async fn a_patient_client_gets_everything_through_random_faults() {
    let faults = [
        (FaultKind::Http500, 0.15),
        (FaultKind::Http503, 0.15),
        (FaultKind::Cut, 0.15),
        (FaultKind::Truncate, 0.15),
        (FaultKind::Concurrency, 0.1),
        (FaultKind::DateOff, 0.3),
    ];
    let config = SimulatorConfig { events: 1_000, faults: Faults::new(faults).unwrap(), ..SimulatorConfig::default() };
    let simulator = start(config).await;
    let mut url = format!("{}/api/v1/logs?limit=20", simulator.url());
    let mut uuids = Vec::new();
    while uuids.len() < 1_000 {
        if let Ok(reply) = try_get(&simulator, &url).await
            && reply.status == 200
        {
            uuids.extend(reply.uuids());
            url = reply.next();
        }
    }
    assert_eq!(uuids, stored_uuids(&simulator));
    assert!(simulator.request_count() > 60, "hardly a fault in {} requests", simulator.request_count());
    simulator.set_faults(Faults::none());
    assert_eq!(follow(&simulator, "").await.0.len(), 1_000);
    assert_eq!(get_url(&simulator, &url).await.body, b"[]");
}
