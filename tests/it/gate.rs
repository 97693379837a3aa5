//! The gate before an org: whoever waits and gives up, or is let go and gives up, holds up nobody.

use std::sync::Arc;
use std::time::{Duration, Instant};

use okta_kafka_source::okta::auth::credential::Credential;
use okta_kafka_source::okta::client::gate::{Gate, Permit};
use okta_kafka_source::okta::client::{Client, ClientOptions};
use okta_kafka_source::okta::limiter::{Ask, Kind};
use okta_kafka_source::okta::origin::Origin;
use okta_kafka_source::okta::query::SystemLogQuery;
use okta_kafka_source::simulator::{Simulator, SimulatorConfig};
use secrecy::SecretString;
use tokio::time::timeout;

const WAIT: Duration = Duration::from_secs(5);
/// So long nobody is waited for who is not held up.
const MOMENT: Duration = Duration::from_millis(100);

const LIVE: Ask = Ask { kind: Kind::Live, share: 0.8, bulk_reserve: 0.5 };

async fn soon(gate: &Arc<Gate>) -> Permit {
    timeout(WAIT, gate.permit(LIVE)).await.expect("a permit")
}

#[tokio::test]
async fn who_gives_up_holds_up_nobody() {
    let gate = Gate::new();
    // Nothing is known, so that one request is let go at once.
    let first = soon(&gate).await;
    let waiting = |gate: &Arc<Gate>| {
        let gate = Arc::clone(gate);
        tokio::spawn(async move { gate.permit(LIVE).await })
    };
    let (second, third) = (waiting(&gate), waiting(&gate));
    assert!(timeout(MOMENT, gate.permit(LIVE)).await.is_err(), "a place in the queue that is given up");
    assert!(!second.is_finished() && !third.is_finished());
    second.abort();
    drop(first);
    let third = timeout(WAIT, third).await.expect("the next one goes").unwrap();
    assert!(timeout(MOMENT, gate.permit(LIVE)).await.is_err());
    drop(third);
    drop(soon(&gate).await);
}

#[tokio::test]
async fn what_answers_tell_is_kept_to_and_a_request_that_was_not_sent_costs_nothing() {
    let rate_limit_window = Duration::from_secs(15);
    let config = SimulatorConfig { events: 0, rate_limit: 10, rate_limit_window, ..SimulatorConfig::default() };
    let simulator = Simulator::start(config).await.unwrap();
    let org: Origin = simulator.url().parse().unwrap();
    let client = Client::new(org.clone(), ClientOptions::default()).unwrap();
    let credential = Credential::ssws(SecretString::from(simulator.token())).unwrap();
    let query = SystemLogQuery { filter: None, q: None, limit: 100 };
    let url = query.cold_start_url(&org, jiff::Timestamp::now());
    let gate = Gate::new();
    let began = Instant::now();
    let permit = soon(&gate).await;
    permit.answered(&client.get(&url, &credential).await);
    assert_eq!(gate.known().map(|known| (known.limit, known.remaining)), Some((10, 9)));
    // A poll may use half of its nine at once: three more.
    for _ in 0..3 {
        let other = "http://127.0.0.1:9".parse().unwrap();
        let elsewhere = query.cold_start_url(&other, jiff::Timestamp::now());
        soon(&gate).await.answered(&client.get(&elsewhere, &credential).await);
        soon(&gate).await.answered(&client.get(&url, &credential).await);
    }
    let next = timeout(Duration::from_secs(30), gate.permit(LIVE)).await.expect("its turn comes");
    // A fifth of 7/8 of the window, whose beginning is known to the second; from there, however slow this machine is.
    assert!(began.elapsed() > Duration::from_secs(1), "after {:?}", began.elapsed());
    next.answered(&client.get(&url, &credential).await);
    assert_eq!((simulator.request_count(), gate.known().map(|known| known.remaining)), (5, Some(5)));
}
