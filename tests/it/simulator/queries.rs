//! Pages, links, headers, errors and events.

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use okta_kafka_source::simulator::{Authorization, Simulator, SimulatorConfig};

use super::harness::{client, follow, get, get_url, start, stored_uuids, with_events};

#[tokio::test]
async fn polling_returns_every_event_in_persistence_order_and_goes_on() {
    let simulator = with_events(250).await;
    let (uuids, last) = follow(&simulator, "?limit=100").await;
    assert_eq!(uuids, stored_uuids(&simulator));
    // The page of 50 had a next link too; the empty page repeats the link that was asked.
    let asked: Vec<String> = simulator.requests().iter().map(|request| request.target.clone()).collect();
    assert_eq!(asked.len(), 4);
    assert_eq!(last.body, b"[]");
    assert_eq!(last.header("content-length"), "2");
    assert_eq!(last.link("self"), last.link("next"));
    assert!(last.next().ends_with(&asked[3]));
    simulator.generate(3);
    let more = get_url(&simulator, &last.next()).await;
    assert_eq!(more.uuids(), stored_uuids(&simulator)[250..]);
    let events = simulator.events();
    assert!(more.next().ends_with(&format!("limit=100&after={}", events[252].cursor)));
}

#[tokio::test]
async fn polling_with_a_filter_and_q_goes_on_with_them() {
    let simulator = with_events(0).await;
    let event = |uuid: &str, severity: &str, city: &str| {
        format!(r#"{{"uuid":"{uuid}","severity":"{severity}","client":{{"geographicalContext":{{"city":"{city}"}}}}}}"#)
    };
    let asked = "?filter=severity%20eq%20%22WARN%22&q=san&limit=2";
    let empty = get(&simulator, asked).await;
    assert_eq!((empty.uuids(), empty.link("next")), (Vec::new(), empty.link("self")));
    let (warn, info) = ("WARN", "INFO");
    simulator.append([event("1", warn, "San Jose"), event("2", info, "San Jose"), event("3", warn, "Paris")]);
    simulator.append([event("4", warn, "San Diego"), event("5", warn, "San Jose"), event("6", info, "San Jose")]);
    let full = get_url(&simulator, &empty.next()).await;
    assert_eq!(full.uuids(), ["1", "4"]);
    let cursor = simulator.events()[3].cursor;
    assert!(full.next().ends_with(&format!("?filter=severity+eq+%22WARN%22&q=san&limit=2&after={cursor}")));
    let short = get_url(&simulator, &full.next()).await;
    assert_eq!(short.uuids(), ["5"]);
    // What is left does not match: the link repeats itself until something does.
    let nothing = get_url(&simulator, &short.next()).await;
    assert_eq!((nothing.uuids(), nothing.link("next")), (Vec::new(), nothing.link("self")));
    simulator.append([event("7", info, "San Jose"), event("8", warn, "San Jose")]);
    assert_eq!(get_url(&simulator, &nothing.next()).await.uuids(), ["8"]);
    // Bounded, the last page has no link, though events follow that do not match.
    let first = jiff::Timestamp::from_millisecond(simulator.events()[0].cursor.millis).unwrap();
    let asked = format!("?since={first:.3}&until=2099-01-01T00:00:00Z&filter=uuid%20le%20%225%22&limit=5");
    let bounded = get(&simulator, &asked).await;
    assert_eq!((bounded.uuids().len(), bounded.link("next")), (5, None));
}

#[tokio::test]
async fn events_are_late_and_share_milliseconds() {
    let simulator = with_events(2_000).await;
    let events = simulator.events();
    assert!(events.is_sorted_by_key(|event| event.cursor));
    assert!(!events.is_sorted_by_key(|event| event.published_millis), "no event is late");
    assert!(events.iter().any(|event| event.cursor.number > 1), "no two events share a millisecond");
    assert!(events.iter().all(|event| event.published_millis < event.cursor.millis));
}

#[tokio::test]
async fn links_are_separate_normalised_lines() {
    let simulator = with_events(5).await;
    let asked = "?other=1&limit=2&filter=eventType%20sw%20%22user.%22&since=2099-01-01T00%3A00%3A00.000Z&q=a%20b";
    let reply = get(&simulator, asked).await;
    let normalised = "since=2099-01-01T00%3A00%3A00.000Z&filter=eventType+sw+%22user.%22&q=a+b&limit=2";
    let lines: Vec<&str> = reply.headers.get_all("link").iter().map(|value| value.to_str().unwrap()).collect();
    // An empty first page has no cursor to repeat, so both links are the same.
    let link = format!("{}/api/v1/logs?{normalised}", simulator.url());
    assert_eq!(lines, [format!("<{link}>; rel=\"self\""), format!("<{link}>; rel=\"next\"")]);
    // Without parameters there is no limit in the link either, and the default holds.
    let reply = get(&simulator, "").await;
    assert_eq!(reply.link("self"), Some(format!("{}/api/v1/logs", simulator.url())));
    let last = simulator.events()[4].cursor;
    assert_eq!(reply.link("next"), Some(format!("{}/api/v1/logs?after={last}", simulator.url())));
}

#[tokio::test]
async fn since_is_inclusive_and_counts_persistence_when_polling() {
    let simulator = with_events(0).await;
    simulator.append([r#"{"uuid":"old","published":"2001-01-01T00:00:00.000Z"}"#]);
    let persisted = simulator.events()[0].cursor.millis;
    let at = |millis: i64| jiff::Timestamp::from_millisecond(millis).unwrap();
    assert_eq!(get(&simulator, &format!("?since={:.3}", at(persisted))).await.uuids(), ["old"]);
    assert!(get(&simulator, &format!("?since={:.3}", at(persisted + 1))).await.uuids().is_empty());
    // A bounded query goes by `published`.
    let bounded = format!("?since={:.3}&until=2099-01-01T00:00:00Z", at(persisted - 1000));
    assert!(get(&simulator, &bounded).await.uuids().is_empty());
}

#[tokio::test]
async fn bounded_queries_are_finite_and_go_by_published() {
    let simulator = with_events(250).await;
    let mut by_published = simulator.events();
    by_published.sort_by_key(|event| event.published_millis);
    let expected: Vec<String> = by_published.iter().map(|event| event.uuid.as_deref().unwrap().to_owned()).collect();
    let until = "until=2099-01-01T00:00:00Z";
    let since = format!("since={}", by_published[0].published.as_deref().unwrap());
    let (ascending, last) = follow(&simulator, &format!("?{until}&limit=50&{since}")).await;
    assert_eq!(ascending, expected);
    assert_eq!((last.link("next"), last.uuids().len()), (None, 50), "the last page is full and has no next link");
    let (descending, last) = follow(&simulator, &format!("?sortOrder=DESCENDING&limit=100&{since}")).await;
    assert_eq!(descending, expected.into_iter().rev().collect::<Vec<_>>());
    assert_eq!(last.link("next"), None);
    // `until` moves to the last event and its uuid is the cursor, as in Okta's documentation.
    let first = get(&simulator, &format!("?sortOrder=DESCENDING&limit=2&{since}")).await;
    let last = &by_published[by_published.len() - 2];
    let published = last.published.as_deref().unwrap().replace(':', "%3A");
    let next = first.next();
    assert!(next.contains(&format!("until={published}&")), "{next}");
    assert!(next.ends_with(&format!("&after={}", last.uuid.as_deref().unwrap())), "{next}");
}

#[tokio::test]
async fn a_page_is_the_events_own_bytes() {
    let lines: [&[u8]; 6] = [
        br#"{"uuid": "spaced" , "published":"2026-01-01T00:00:00.5Z"}"#,
        b"\"no object\"",
        b"{\"uuid\":\"\xff\xfe\"}",
        b"{\"uuid\":1}",
        b"} not [ JSON",
        b"{\"uuid\":\"last\"}\r",
    ];
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&lines.join(&b'\n')).unwrap();
    file.write_all(b"\n\n").unwrap();
    let config = SimulatorConfig { events_file: Some(file.path().to_owned()), ..SimulatorConfig::default() };
    let simulator = start(config).await;
    let reply = get(&simulator, "").await;
    assert_eq!(reply.body, [b"[", &lines.join(&b',')[..], b"]"].concat());
    let uuids: Vec<Option<String>> =
        simulator.events().iter().map(|event| event.uuid.as_deref().map(str::to_owned)).collect();
    assert_eq!(uuids, [Some("spaced".to_owned()), None, None, None, None, Some("last".to_owned())]);
    let rest = get_url(&simulator, &reply.next()).await;
    assert_eq!(rest.body, b"[]");
}

#[tokio::test]
async fn live_events_fall_due_as_time_goes_by() {
    let config = SimulatorConfig { events: 1, live_rate: 1000.0, live_limit: Some(40), ..SimulatorConfig::default() };
    let simulator = start(config).await;
    let mut next = get(&simulator, "?limit=7").await;
    let mut uuids = next.uuids();
    while uuids.len() < 41 {
        next = get_url(&simulator, &next.next()).await;
        uuids.extend(next.uuids());
    }
    assert_eq!(uuids, stored_uuids(&simulator));
}

#[tokio::test]
async fn every_answer_has_oktas_headers() {
    let simulator = with_events(20).await;
    for reply in [get(&simulator, "").await, get(&simulator, "?limit=5000").await] {
        for (name, value) in [
            ("content-type", "application/json"),
            ("cache-control", "no-cache, no-store"),
            ("pragma", "no-cache"),
            ("expires", "0"),
            ("x-content-type-options", "nosniff"),
            ("vary", "Accept-Encoding"),
        ] {
            assert_eq!(reply.header(name), value);
        }
        assert!(reply.header("strict-transport-security").starts_with("max-age="));
        assert_eq!(reply.header("x-okta-request-id").len(), 32);
        assert!(reply.headers.get_all("set-cookie").iter().count() == 2);
        assert!(reply.header("date").ends_with(" GMT"));
        assert_eq!(reply.number("x-rate-limit-limit"), 60_000);
        assert!(reply.number("x-rate-limit-remaining") < 60_000);
        let ahead = reply.number("x-rate-limit-reset") - jiff::Timestamp::now().as_second();
        assert!((50..=60).contains(&ahead), "{ahead}");
    }
}

#[tokio::test]
async fn answers_are_compressed_only_when_asked() {
    let simulator = with_events(20).await;
    for (accepted, encoding) in [(Some("gzip, deflate"), Some("gzip")), (Some("identity"), None), (None, None)] {
        // Without the gzip feature's own header, so that the body comes as it was sent.
        let plain = reqwest::Client::builder().no_gzip().no_proxy().build().unwrap();
        let mut request = plain.get(format!("{}/api/v1/logs", simulator.url()));
        request = request.header("authorization", format!("SSWS {}", simulator.token()));
        if let Some(accepted) = accepted {
            request = request.header("accept-encoding", accepted);
        }
        let response = request.send().await.unwrap();
        let got = response.headers().get("content-encoding").map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(got.as_deref(), encoding);
        let magic = response.bytes().await.unwrap()[..2].to_vec();
        assert_eq!(magic == [0x1f, 0x8b], encoding.is_some());
    }
    // The client that unpacks sees the same bytes as the store.
    let raw: usize = simulator.events().iter().map(|event| event.raw.len() + 1).sum();
    assert_eq!(get(&simulator, "").await.body.len(), raw + 1);
}

#[tokio::test]
async fn refusals_have_oktas_status_code_and_words() {
    let simulator = with_events(3).await;
    let date = "The date format in your query is not recognized. Please enter dates using ISO8601 string format.";
    for (query, status, code, words) in [
        ("?limit=1001", 400, "E0000001", "'limit'"),
        ("?since=yesterday", 400, "E0000001", date),
        ("?until=tomorrow", 400, "E0000001", "'until': must be a valid date-time or empty."),
        ("?since=2001-01-01T00:00:00Z", 400, "E0000053", "over 180 days prior to the current day."),
        ("?after=349996bd-5091-45dc-a39f-d357867a30d7", 400, "E0000001", "'after': must be a valid value."),
        ("?sortOrder=DESCENDING&after=unknown", 400, "E0000001", "'after': must be a valid value."),
        ("/nothing", 404, "E0000008", "The requested path was not found"),
    ] {
        let reply = get(&simulator, query).await;
        assert_eq!((reply.status, reply.error_code().as_str()), (status, code), "{query}");
        assert!(reply.json()["errorSummary"].as_str().unwrap().contains(words), "{query}: {}", reply.text());
        assert_eq!(reply.link("next"), None);
    }
    let url = format!("{}/api/v1/logs", simulator.url());
    let token = format!("SSWS {}", simulator.token());
    for (request, status, code) in [
        (client().get(&url), 401, "E0000011"),
        (client().get(&url).header("authorization", "SSWS wrong"), 401, "E0000011"),
        (client().get(&url).header("authorization", token.replace("SSWS", "Bearer")), 401, "E0000011"),
        (client().post(&url).header("authorization", &token), 405, "E0000022"),
        (client().get(&url).header("authorization", &token).body("{}"), 405, "E0000022"),
    ] {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), status);
        let body = response.text().await.unwrap();
        assert!(body.starts_with(&format!(r#"{{"errorCode":"{code}","#)), "{body}");
    }
    let seen: Vec<Authorization> = simulator.requests().iter().rev().take(5).map(|seen| seen.authorization).collect();
    use Authorization::{Missing, Right, Wrong};
    assert_eq!(seen, [Right, Right, Wrong, Wrong, Missing]);
}

#[tokio::test]
async fn a_test_can_wait_for_a_request_while_its_answer_is_held_back() {
    let latency = Duration::from_secs(2);
    let simulator = Arc::new(start(SimulatorConfig { events: 1, latency, ..SimulatorConfig::default() }).await);
    let began = Instant::now();
    let asking = Arc::clone(&simulator);
    let answer = tokio::spawn(async move { get(&asking, "?limit=1").await });
    simulator.wait_for_requests(1).await;
    assert!(!answer.is_finished(), "logged only when it was answered");
    let requests = simulator.requests();
    assert_eq!((requests[0].target.as_str(), requests[0].status), ("/api/v1/logs?limit=1", Some(200)));
    assert_eq!(requests[0].events, 1);
    assert_eq!(answer.await.unwrap().status, 200);
    assert!(began.elapsed() >= latency);
}

#[tokio::test]
async fn a_stopped_org_is_gone() {
    let simulator = with_events(1).await;
    let url = simulator.url().to_owned();
    simulator.shutdown().await;
    assert!(client().get(&url).send().await.expect_err("nobody listens").is_connect());
}

#[tokio::test]
async fn what_cannot_start_says_what_to_do() {
    let taken = with_events(0).await;
    let missing = std::path::PathBuf::from("no such file.ndjson");
    let address = taken.address();
    for (config, words) in [
        (SimulatorConfig { listen: address, ..SimulatorConfig::default() }, "or port 0 for a free one"),
        (SimulatorConfig { events_file: Some(missing), ..SimulatorConfig::default() }, "one event a line"),
        (SimulatorConfig { live_rate: f64::NAN, ..SimulatorConfig::default() }, "give events a second"),
        (SimulatorConfig { rate_limit: 0, ..SimulatorConfig::default() }, "at least 1 request"),
        (SimulatorConfig { token: Some("a b".to_owned()), ..SimulatorConfig::default() }, "without spaces"),
    ] {
        let error = Simulator::start(config).await.expect_err(words).to_string();
        assert!(error.contains(words) && !error.contains("a b"), "{error}");
    }
}

#[tokio::test]
async fn the_token_is_in_no_debug_output() {
    let config = SimulatorConfig { events: 0, token: Some("00secret".to_owned()), ..SimulatorConfig::default() };
    let simulator = start(config.clone()).await;
    get(&simulator, "").await;
    let shown = format!("{config:?} {simulator:?} {:?}", simulator.requests());
    assert!(!shown.contains("00secret"), "{shown}");
}
