//! The Okta client against servers that say odd bytes: what must never move the cursor, and where the token must not go.

use std::io::Write;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use okta_kafka_source::okta::auth::credential::Credential;
use okta_kafka_source::okta::client::{Client, ClientOptions, Outcome};
use okta_kafka_source::okta::error::{RequestError, RetryReason, Severity};
use okta_kafka_source::okta::origin::Origin;
use okta_kafka_source::okta::page::{RawElement, SplitError, SystemLogPage};
use okta_kafka_source::okta::page_url::{PageUrl, PageUrlError};
use secrecy::SecretString;

use server::{Server, Step};

mod hanging_files;
mod oauth;
pub mod server;
mod session;
mod simulated;
mod strict_org;

const TOKEN: &str = "00hunter2-the-token";
const EVENTS: &str = r#"[{"uuid":"a","n":1}, {"uuid":"b","n":2}]"#;

fn org(server: &Server) -> Origin {
    format!("http://{}", server.address).parse().expect("an origin")
}

fn url(org: &Origin, query: &str) -> PageUrl {
    PageUrl::checked(&format!("{org}/api/v1/logs?{query}"), org).expect("the org's own")
}

fn options() -> ClientOptions {
    ClientOptions::default()
}

fn credential() -> Credential {
    Credential::ssws(SecretString::from(TOKEN)).expect("a token")
}

async fn ask_with(server: &Server, options: ClientOptions) -> Outcome {
    let org = org(server);
    let client = Client::new(org.clone(), options).expect("a client");
    client.get(&url(&org, "since=a"), &credential()).await
}

async fn ask(server: &Server) -> Outcome {
    ask_with(server, options()).await
}

/// A whole answer; `headers` are lines without their ends.
fn answer(status: &str, headers: &[&str], body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n", body.len());
    for header in headers {
        bytes.push_str(header);
        bytes.push_str("\r\n");
    }
    bytes.push_str("\r\n");
    [bytes.as_bytes(), body].concat()
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(body).expect("memory");
    encoder.finish().expect("memory")
}

fn uuids(page: &SystemLogPage) -> Vec<&str> {
    page.elements.iter().filter_map(RawElement::uuid).collect()
}

fn retry_reason(outcome: &Outcome) -> Option<RetryReason> {
    match outcome.result.as_ref().expect_err("no page").severity() {
        Severity::Retriable { reason, .. } => Some(reason),
        Severity::Fatal => None,
    }
}

#[tokio::test]
async fn a_request_is_sent_as_the_link_says_and_its_answer_is_a_page() {
    let server = Server::start([]);
    let org = org(&server);
    let next = format!(
        "{org}/api/v1/logs?since=2022-05-29T00%3A00%3A00.000Z&filter=eventType+eq+%22a,b;c%22&after=1658862453660_1"
    );
    let headers = [
        "Date: Wed, 27 Jul 2022 15:35:30 GMT",
        "X-Rate-Limit-Limit: 60",
        "X-Rate-Limit-Remaining: 59",
        "X-Rate-Limit-Reset: 1658936188",
        &format!("link: <{org}/api/v1/logs?since=a>; rel=\"self\""),
        &format!("link: <{next}>; rel=\"next\""),
    ];
    server.will_say([vec![Step::Send(answer("200 OK", &headers, EVENTS.as_bytes()))]]);
    let client = Client::new(org.clone(), options()).expect("a client");
    let query = "since=2022-05-29T00%3A00%3A00.000Z&filter=eventType+eq+%22a,b;c%22&x=~!$()*-._/?:@[]%2f%2F&after=1_1";
    let outcome = client.get(&url(&org, query), &credential()).await;
    assert_eq!((outcome.status, outcome.code().as_ref()), (Some(200), "200"));
    let page = outcome.result.expect("a page");
    assert_eq!(uuids(&page), ["a", "b"]);
    assert_eq!(page.elements[1].bytes(), r#"{"uuid":"b","n":2}"#);
    assert_eq!(page.body_bytes, EVENTS.len());
    assert_eq!(page.next.expect("a link").expect("the org's own").as_str(), next);
    let limit = page.rate_limit.expect("all three headers");
    assert_eq!((limit.limit, limit.remaining, limit.reset), (60, 59, 1_658_936_188));
    assert_eq!(page.server_date.expect("a date").as_second(), 1_658_936_130);
    assert_eq!((outcome.rate_limit, outcome.server_date), (page.rate_limit, page.server_date));

    let requests = server.requests();
    let head = requests[0].to_ascii_lowercase();
    assert!(requests[0].starts_with(&format!("GET /api/v1/logs?{query} HTTP/1.1\r\n")), "{}", requests[0]);
    assert!(requests[0].contains(&format!(": SSWS {TOKEN}\r\n")), "{}", requests[0]);
    assert!(head.contains(&format!("\r\nuser-agent: okta-kafka-source/{}\r\n", env!("CARGO_PKG_VERSION"))), "{head}");
    assert!(head.contains("\r\naccept-encoding: gzip\r\n"), "{head}");
    // A body, even `{}`, is answered with 405.
    assert!(!head.contains("content-length") && !head.contains("transfer-encoding"), "{head}");
}

#[tokio::test]
async fn a_loopback_org_is_never_proxied() {
    const SERVER: &str = "OKTA_CLIENT_TEST_SERVER";
    // The environment belongs to the whole process, so this test runs itself once more in a process of its own.
    if let Ok(address) = std::env::var(SERVER) {
        let org: Origin = format!("http://{address}").parse().expect("an origin");
        let client = Client::new(org.clone(), options()).expect("a client");
        assert!(client.get(&url(&org, "since=a"), &credential()).await.result.is_ok());
        return;
    }
    let server = Server::start([vec![Step::Send(answer("200 OK", &[], b"[]"))]]);
    let proxy = Server::start([]);
    let module = module_path!().split_once("::").expect("a module of the test crate").1;
    let mut child = Command::new(std::env::current_exe().expect("this test binary"));
    child.args([&format!("{module}::a_loopback_org_is_never_proxied"), "--exact"]);
    for name in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
        child.env(name, format!("http://{}", proxy.address));
    }
    let output = child.env_remove("no_proxy").env_remove("NO_PROXY").env(SERVER, server.address.to_string()).output();
    let output = output.expect("a child process");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!((server.connections(), proxy.connections()), (1, 0));
}

#[tokio::test]
async fn names_of_this_machine_are_not_looked_up() {
    let server = Server::start([vec![Step::Send(answer("200 OK", &[], b"[]"))]]);
    let org: Origin = format!("http://surely-unknown.localhost:{}", server.address.port()).parse().expect("an origin");
    let client = Client::new(org.clone(), options()).expect("a client");
    let outcome = client.get(&url(&org, "since=a"), &credential()).await;
    assert!(outcome.result.is_ok(), "{outcome:?}");
}

#[tokio::test]
async fn headers_and_bodies_may_come_byte_by_byte_and_connections_are_kept() {
    let link =
        "link: <http://127.0.0.1/api/v1/logs?x=a,b>; rel=\"self\", <http://ORG/api/v1/logs?after=1_1>; rel=\"next\"";
    let chunked = format!(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{}\r\n{:x}\r\n{}\r\n0\r\n\r\n",
        &EVENTS[..5],
        EVENTS.len() - 5,
        &EVENTS[5..]
    );
    let server = Server::start([]);
    let org = org(&server);
    let link = link.replace("http://ORG", &org.to_string());
    // An interim answer has headers of its own, which mean nothing.
    let hints = "HTTP/1.1 103 Early Hints\r\nlink: <http://evil.example/>; rel=\"next\"\r\n\r\n";
    server.will_say([
        vec![Step::Trickle(answer("200 OK", &[&link], EVENTS.as_bytes()))],
        vec![Step::Trickle(chunked.into_bytes())],
        vec![Step::Send(hints.into()), Step::Send(answer("200 OK", &[&link], EVENTS.as_bytes()))],
    ]);
    let client = Client::new(org.clone(), options()).expect("a client");
    for has_next in [true, false, true] {
        let page = client.get(&url(&org, "since=a"), &credential()).await.result.expect("a page");
        assert_eq!(uuids(&page), ["a", "b"]);
        assert_eq!(page.next.is_some_and(|next| next.is_ok()), has_next);
    }
    assert_eq!((server.requests().len(), server.connections()), (3, 1));
}

#[tokio::test]
async fn i8_a_body_that_is_not_whole_is_no_page() {
    let cut = EVENTS.len() / 2;
    let zipped = gzip(EVENTS.as_bytes());
    let head = |headers: &str| format!("HTTP/1.1 200 OK\r\n{headers}\r\n\r\n").into_bytes();
    let whole = EVENTS.as_bytes();
    let broken = "BrokenBody";
    for (name, bytes, expected) in [
        ("length", [&head("content-length: 40")[..], &whole[..cut]].concat(), broken),
        ("no body at all", head("content-length: 40"), broken),
        ("chunk", [&head("transfer-encoding: chunked")[..], b"28\r\n", &whole[..cut]].concat(), broken),
        ("last chunk", [&head("transfer-encoding: chunked")[..], b"28\r\n", whole, b"\r\n"].concat(), broken),
        ("chunk size", [&head("transfer-encoding: chunked")[..], b"zz\r\n", whole].concat(), broken),
        (
            "gzip",
            [&head("content-encoding: gzip\r\nconnection: close")[..], &zipped[..zipped.len() / 2]].concat(),
            broken,
        ),
        (
            "gzip's check sum",
            [&head("content-encoding: gzip\r\nconnection: close")[..], &zipped[..zipped.len() - 4]].concat(),
            broken,
        ),
        ("no gzip", answer("200 OK", &["content-encoding: gzip"], whole), broken),
        ("until the end", [&head("connection: close")[..], &whole[..cut]].concat(), "NotAPage"),
        ("object", answer("200 OK", &[], br#"{"errorCode":"E0000009"}"#), "NotAPage"),
        ("page of a proxy", answer("200 OK", &[], b"<html></html>"), "NotAPage"),
        ("empty", answer("200 OK", &[], b""), "NotAPage"),
        ("link", answer("200 OK", &["link: <http://127.0.0.1/"], whole), "BadLink"),
    ] {
        let server = Server::start([vec![Step::Send(bytes), Step::Close]]);
        let outcome = ask(&server).await;
        assert_eq!(outcome.code(), "200", "{name}");
        assert_eq!(retry_reason(&outcome), Some(RetryReason::Connection), "{name}");
        let error = outcome.result.expect_err(name);
        assert!(format!("{error:?}").starts_with(expected), "{name}: {error:?}");
        assert_eq!(server.requests().len(), 1, "{name}: asking again is the caller's");
    }
}

#[tokio::test]
async fn a_cut_off_array_is_told_from_a_short_one() {
    let server = Server::start([vec![Step::Send(answer("200 OK", &[], br#"[{"uuid":"a"},"#))]]);
    let error = ask(&server).await.result.expect_err("cut off");
    assert_eq!(error, RequestError::NotAPage { error: SplitError::CutOff { length: 14 } });
}

#[tokio::test]
async fn bad_elements_are_refused_one_by_one() {
    let body = b"[{\"uuid\":\"a\"},{\"uuid\":\"b\",\"x\":\"\xff\"},7,{\"uuid\":\"c\",},{\"uuid\":\"d\"}]";
    let server = Server::start([vec![Step::Send(answer("200 OK", &[], body))]]);
    let page = ask(&server).await.result.expect("a page");
    let shown = page.elements.iter().map(|element| match element {
        RawElement::Event(event) => event.uuid.as_str(),
        RawElement::Refused(refused) => refused.reason.as_str(),
    });
    assert_eq!(shown.collect::<Vec<_>>(), ["a", "NotUtf8", "NotAnObject", "NotJson", "d"]);
}

#[tokio::test]
async fn i8_the_cap_counts_what_was_decompressed() {
    let body = format!(r#"[{{"uuid":"a","x":"{}"}}]"#, " ".repeat(3_000_000));
    let zipped = gzip(body.as_bytes());
    assert!(zipped.len() < 10_000);
    for (cap, fits) in [(body.len(), true), (body.len() - 1, false), (1_000_000, false)] {
        for bytes in [answer("200 OK", &["content-encoding: gzip"], &zipped), answer("200 OK", &[], body.as_bytes())] {
            let server = Server::start([vec![Step::Send(bytes)]]);
            let outcome = ask_with(&server, ClientOptions { body_cap: cap, ..options() }).await;
            match outcome.result {
                Ok(page) => assert!(fits && page.body_bytes == body.len()),
                Err(error) => assert!(!fits && error == RequestError::TooLarge { cap, next: None }, "{error}"),
            }
        }
    }
}

#[tokio::test]
async fn a_page_over_the_cap_says_what_comes_behind_it() {
    let server = Server::start([]);
    let behind = format!("{}/api/v1/logs?after=1_1", org(&server));
    let body = format!("[{}]", " ".repeat(5_000));
    for (link, expected) in [(behind.as_str(), Some(&behind)), ("http://evil.example/api/v1/logs?after=1_1", None)] {
        let link = format!("link: <{link}>; rel=\"next\"");
        server.will_say([vec![Step::Send(answer("200 OK", &[&link], body.as_bytes()))]]);
        let outcome = ask_with(&server, ClientOptions { body_cap: 5_000, ..options() }).await;
        assert_eq!(
            outcome.result.expect_err("5,002 bytes"),
            RequestError::TooLarge { cap: 5_000, next: expected.cloned() }
        );
    }
}

#[tokio::test]
async fn i3_redirects_are_not_followed() {
    let other = Server::start([]);
    for (status, location) in [
        ("301 Moved Permanently", format!("http://{}/api/v1/logs?since=a", other.address)),
        ("302 Found", format!("http://{}/?token", other.address)),
        ("303 See Other", format!("//{}/", other.address)),
        ("307 Temporary Redirect", format!("http://{}/", other.address)),
        ("308 Permanent Redirect", format!("http://{}/", other.address)),
    ] {
        let server = Server::start([vec![Step::Send(answer(status, &[&format!("location: {location}")], b""))]]);
        let error = ask(&server).await.result.expect_err(status);
        assert_eq!(error.severity(), Severity::Fatal, "{status}");
        let text = error.to_string();
        assert!(text.contains(&format!("`http://{}`", other.address)) && text.contains("set `org`"), "{text}");
        assert_eq!(server.requests().len(), 1, "{status}");
    }
    // The same origin is no exception.
    let server = Server::start([vec![Step::Send(answer("302 Found", &["location: /api/v1/logs?since=b"], b""))]]);
    assert!(matches!(ask(&server).await.result, Err(RequestError::Redirected { .. })));
    assert_eq!((server.requests().len(), other.connections()), (1, 0));
}

#[tokio::test]
async fn i3_a_link_out_of_the_org_is_shown_and_not_asked() {
    let other = Server::start([]);
    let link = format!("link: <http://{}/api/v1/logs?after=1_1>; rel=\"next\"", other.address);
    let server = Server::start([vec![Step::Send(answer("200 OK", &[&link], EVENTS.as_bytes()))]]);
    let page = ask(&server).await.result.expect("the page itself is fine");
    assert_eq!(uuids(&page), ["a", "b"]);
    let error = page.next.expect("a link").expect_err("another org's");
    assert!(matches!(&error, PageUrlError::OtherOrigin { found, .. } if found.contains(&other.address.to_string())));
    // A URL that was checked against one org is not asked by the client of another.
    let client = Client::new(org(&server), options()).expect("a client");
    let outcome = client.get(&url(&org(&other), "since=a"), &credential()).await;
    assert_eq!((outcome.code().as_ref(), retry_reason(&outcome)), ("error", None));
    assert!(matches!(outcome.result, Err(RequestError::NotSent { .. })));
    assert_eq!((server.requests().len(), other.connections()), (1, 0));
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up() {
    let short = || ClientOptions { timeout: Duration::from_millis(300), ..options() };
    let head = b"HTTP/1.1 200 OK\r\ncontent-length: 40\r\n\r\n[".to_vec();
    let refusal = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 40\r\n\r\n{".to_vec();
    for (name, steps, code, reason) in [
        ("no answer", vec![Step::Stall], "error", RetryReason::Timeout),
        ("half a head", vec![Step::Send(head[..20].to_vec()), Step::Stall], "error", RetryReason::Timeout),
        ("half a body", vec![Step::Send(head), Step::Stall], "200", RetryReason::Timeout),
        // The status is known, and enough.
        ("half a refusal", vec![Step::Send(refusal), Step::Stall], "503", RetryReason::Http5xx),
    ] {
        let server = Server::start([steps]);
        let outcome = ask_with(&server, short()).await;
        assert_eq!((outcome.code().as_ref(), retry_reason(&outcome)), (code, Some(reason)), "{name}: {outcome:?}");
        assert!(outcome.duration >= Duration::from_millis(300), "{name}");
    }
}

#[tokio::test]
async fn without_an_answer_it_is_the_connection() {
    for (name, steps) in [
        ("closed", vec![Step::Close]),
        ("closed within the head", vec![Step::Send(b"HTTP/1.1 200 OK\r\nconte".to_vec()), Step::Close]),
        ("another protocol", vec![Step::Send(b"SSH-2.0-OpenSSH_9.2\r\n\r\n".to_vec()), Step::Close]),
        ("bad status", vec![Step::Send(b"HTTP/1.1 OK\r\n\r\n".to_vec()), Step::Close]),
    ] {
        let server = Server::start([steps]);
        let outcome = ask(&server).await;
        let found = (outcome.code().into_owned(), retry_reason(&outcome));
        assert_eq!(found, ("error".to_owned(), Some(RetryReason::Connection)), "{name}");
        let text = outcome.result.expect_err(name).to_string();
        assert!(!text.contains("/api/v1/logs") && !text.contains(TOKEN), "{text}");
    }
    let unused = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("bound");
    let org: Origin = format!("http://{unused}").parse().expect("an origin");
    let client = Client::new(org.clone(), options()).expect("a client");
    let outcome = client.get(&url(&org, "since=a"), &credential()).await;
    assert_eq!((outcome.status, retry_reason(&outcome)), (None, Some(RetryReason::Connection)));
    assert!(outcome.result.expect_err("nobody listens").to_string().contains("refused"));
}

#[tokio::test]
async fn refusals_carry_what_okta_says_and_how_long_to_wait() {
    let limits = |limit: u64| {
        [
            "date: Wed, 27 Jul 2022 15:35:30 GMT".to_owned(),
            format!("x-rate-limit-limit: {limit}"),
            "x-rate-limit-remaining: 0".to_owned(),
            "x-rate-limit-reset: 1658936188".to_owned(),
        ]
    };
    let body = br#"{"errorCode":"E0000047","errorSummary":"API call exceeded rate limit due to too many requests.","errorLink":"E0000047","errorId":"oae_A2","errorCauses":[]}"#;
    for (limit, zipped, expected) in [
        (60, false, Severity::Retriable { reason: RetryReason::RateLimit, wait: Some(Duration::from_secs(59)) }),
        (60, true, Severity::Retriable { reason: RetryReason::RateLimit, wait: Some(Duration::from_secs(59)) }),
        (0, false, Severity::Retriable { reason: RetryReason::Concurrency, wait: None }),
    ] {
        let headers = limits(limit);
        let mut headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        let body = if zipped { gzip(body) } else { body.to_vec() };
        if zipped {
            headers.push("content-encoding: gzip");
        }
        let server = Server::start([vec![Step::Send(answer("429 Too Many Requests", &headers, &body))]]);
        let outcome = ask(&server).await;
        assert_eq!((outcome.code().as_ref(), outcome.rate_limit.map(|found| found.limit)), ("429", Some(limit)));
        let error = outcome.result.expect_err("429");
        assert_eq!(error.severity(), expected);
        assert!(error.to_string().contains("429 E0000047 `API call exceeded"), "{error}");
    }
}

#[tokio::test]
async fn a_refusal_that_repeats_the_token_does_not_show_it() {
    let body =
        format!(r#"{{"errorCode":"E0000011","errorSummary":"Invalid token provided: {TOKEN}","errorId":"{TOKEN}"}}"#);
    for (status, headers, body) in [
        ("401 Unauthorized", vec![], body.clone()),
        ("502 Bad Gateway", vec![], format!("<html>you sent SSWS {TOKEN}</html>")),
        ("302 Found", vec![format!("location: https://x.example/{TOKEN}")], String::new()),
        ("403 Forbidden", vec![format!("www-authenticate: SSWS error=\"{TOKEN}\"")], String::new()),
    ] {
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        let server = Server::start([vec![Step::Send(answer(status, &headers, body.as_bytes()))]]);
        let outcome = ask(&server).await;
        let error = outcome.result.as_ref().expect_err(status);
        assert_eq!(error.is_unauthorized(), status.starts_with("401"));
        let shown = format!("{error} {outcome:?}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}

#[test]
fn a_token_that_no_header_can_carry_is_no_credential() {
    let error = Credential::ssws(SecretString::from("00hunter2\r\nx: y")).expect_err("a line break").to_string();
    assert!(!error.contains("hunter2"), "{error}");
}

/// A place for log lines.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no panic").write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// All that is logged at TRACE, by us and by the libraries.
fn log_of(work: impl Future<Output = ()>) -> String {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    // One thread, so that the subscriber of this thread sees it all.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let _guard = tracing_subscriber::util::SubscriberInitExt::set_default(subscriber);
    runtime.block_on(work);
    let text = String::from_utf8(lines.0.lock().expect("no panic").clone()).expect("text");
    assert!(text.contains("hyper_util") && text.contains("reqwest"), "the libraries' own lines are there: {text}");
    text
}

#[test]
fn i9_no_library_logs_the_token_not_even_at_trace() {
    let text = log_of(async {
        let server = Server::start([
            vec![Step::Send(answer("200 OK", &[], EVENTS.as_bytes()))],
            vec![Step::Send(answer("401 Unauthorized", &[], b"{}"))],
            vec![Step::Close],
        ]);
        let org = org(&server);
        let client = Client::new(org.clone(), options()).expect("a client");
        let token = credential();
        for code in ["200", "401", "error"] {
            let outcome = client.get(&url(&org, "since=a"), &token).await;
            assert_eq!(outcome.code(), code);
            tracing::trace!(?client, ?token, ?outcome, "asked");
        }
    });
    assert!(!text.contains("hunter2"), "{text}");
}
