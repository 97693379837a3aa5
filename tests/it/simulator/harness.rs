//! A naive client: one request, one answer, links cut out of their headers with string functions.

use std::collections::HashMap;
use std::time::Duration;

use okta_kafka_source::simulator::{Simulator, SimulatorConfig};
use reqwest::header::HeaderMap;
use serde_json::Value;

/// Starts an org on a free port.
pub async fn start(config: SimulatorConfig) -> Simulator {
    Simulator::start(config).await.expect("the simulated org starts")
}

/// An org with so many events.
pub async fn with_events(events: usize) -> Simulator {
    start(SimulatorConfig { events, ..SimulatorConfig::default() }).await
}

/// An answer, with its body read.
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no `{name}` in {:?}", self.headers)).to_str().unwrap()
    }

    pub fn number(&self, name: &str) -> i64 {
        self.header(name).parse().unwrap()
    }

    /// The target of a link, by its relation.
    pub fn link(&self, relation: &str) -> Option<String> {
        let links: HashMap<String, String> = self
            .headers
            .get_all("link")
            .iter()
            .map(|value| {
                let (target, parameter) = value.to_str().unwrap().split_once(">; rel=").unwrap();
                (parameter.trim_matches('"').to_owned(), target.trim_start_matches('<').to_owned())
            })
            .collect();
        links.get(relation).cloned()
    }

    pub fn next(&self) -> String {
        self.link("next").expect("a next link")
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {:?}", self.text()))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn error_code(&self) -> String {
        self.json()["errorCode"].as_str().expect("errorCode").to_owned()
    }

    pub fn uuids(&self) -> Vec<String> {
        let events = self.json();
        events.as_array().expect("a page").iter().map(|event| event["uuid"].as_str().unwrap().to_owned()).collect()
    }
}

/// A client that follows no redirects and gives up after ten seconds.
pub fn client() -> reqwest::Client {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_secs(10))
        .no_proxy()
        .build()
        .unwrap()
}

/// Asks with the right token.
pub async fn try_get(simulator: &Simulator, url: &str) -> reqwest::Result<Reply> {
    let request = client().get(url).header("authorization", format!("SSWS {}", simulator.token()));
    let response = request.send().await?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Ok(Reply { status, headers, body: response.bytes().await?.to_vec() })
}

/// Asks the org itself, with the right token; `query` begins with `?` or is empty.
pub async fn get(simulator: &Simulator, query: &str) -> Reply {
    get_url(simulator, &format!("{}/api/v1/logs{query}", simulator.url())).await
}

pub async fn get_url(simulator: &Simulator, url: &str) -> Reply {
    try_get(simulator, url).await.expect("an answer")
}

/// Follows next links from `query` until a page is empty or there is none; returns all uuids and the last reply.
pub async fn follow(simulator: &Simulator, query: &str) -> (Vec<String>, Reply) {
    let mut reply = get(simulator, query).await;
    let mut uuids = Vec::new();
    loop {
        let page = reply.uuids();
        let empty = page.is_empty();
        uuids.extend(page);
        match reply.link("next") {
            Some(next) if !empty => reply = get_url(simulator, &next).await,
            _ => return (uuids, reply),
        }
    }
}

/// The uuids of all events of the org, in persistence order.
pub fn stored_uuids(simulator: &Simulator) -> Vec<String> {
    simulator.events().iter().map(|event| event.uuid.as_deref().expect("uuid").to_owned()).collect()
}
