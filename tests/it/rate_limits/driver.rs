//! A process that is not `run` and reads much: the test binary itself, started with a variable that names the org.

use std::process::Command;
use std::time::Duration;

use okta_kafka_source::okta::auth::credential::Credential;
use okta_kafka_source::okta::client::gate::Gate;
use okta_kafka_source::okta::client::{Client, ClientOptions};
use okta_kafka_source::okta::limiter::{Ask, Kind};
use okta_kafka_source::okta::origin::Origin;
use okta_kafka_source::okta::query::SystemLogQuery;
use secrecy::SecretString;

use crate::support::org::Org;
use crate::support::process::Process;

const ORG: &str = "OKS_BULK_ORG";
const TOKEN: &str = "OKS_BULK_TOKEN";

/// What it calls itself, so that the org's log tells its requests.
pub const USER_AGENT: &str = "bulk-driver";

const BULK: Ask = Ask { kind: Kind::Bulk, share: 0.8, bulk_reserve: 0.5 };

/// Starts it. It reads the log from its beginning, again and again, until it is dropped.
pub fn spawn(org: &Org) -> Process {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let _ = command.args(["--exact", "rate_limits::driver::bulk_driver", "--ignored", "--nocapture"]);
    let _ = command.env(ORG, org.url()).env(TOKEN, org.token());
    Process::spawn("bulk driver", command)
}

#[test]
#[ignore = "the third process of rate_limits::three_processes_…, which starts it"]
fn bulk_driver() {
    let (Ok(org), Ok(token)) = (std::env::var(ORG), std::env::var(TOKEN)) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(read(&org.parse().unwrap(), SecretString::from(token)));
}

async fn read(org: &Origin, token: SecretString) {
    let options = ClientOptions { user_agent: USER_AGENT.to_owned(), ..ClientOptions::default() };
    let client = Client::new(org.clone(), options).unwrap();
    let credential = Credential::ssws(token).unwrap();
    let query = SystemLogQuery { filter: None, q: None, limit: 100 };
    let beginning = query.cold_start_url(org, jiff::Timestamp::now() - Duration::from_secs(30 * 86_400));
    let gate = Gate::new();
    let mut url = beginning.clone();
    loop {
        let permit = gate.permit(BULK).await;
        let outcome = client.get(&url, &credential).await;
        permit.answered(&outcome);
        url = match outcome.result {
            Ok(page) if page.elements.len() == 100 => page.next.unwrap().unwrap(),
            _ => beginning.clone(),
        };
    }
}
