//! What is broken, for each alert, and how it is mended.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use okta_kafka_source::simulator::{FaultKind, Faults};

use super::deployments::{Stage, Worker};
use crate::support::checkpoint;
use crate::support::connector::unix_seconds;
use crate::support::http_message::Message;
use crate::support::producers::{Open, delete_fencing, write_fencing};
use crate::support::prove;
use crate::support::topics::random_name;

/// A fault that was made, and the alert that tells of it.
pub struct Fault<'a> {
    pub alert: &'static str,
    pub severity: &'static str,
    pub namespace: &'static str,
    /// Connector or instance; empty where the alert has neither.
    pub of: String,
    pub mend: Option<Box<dyn FnOnce() + 'a>>,
    pub mended_at: Option<f64>,
}

/// A request of another client: how many are left in the window, and when it ends.
fn ask(address: &str, token: &str) -> (u32, f64) {
    let mut stream = TcpStream::connect(address).unwrap();
    let target = "/api/v1/logs?limit=1";
    write!(
        stream,
        "GET {target} HTTP/1.1\r\nHost: {address}\r\nAuthorization: SSWS {token}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let answer = Message::read(&mut stream, true).expect("the org answers");
    let number = |name: &str| answer.header(name).and_then(|value| value.parse::<f64>().ok()).unwrap_or_default();
    (number("x-rate-limit-remaining") as u32, number("x-rate-limit-reset"))
}

/// Makes them, all at once.
pub fn make(stage: &Stage) -> Vec<Fault<'_>> {
    let mut faults = Faulty { stage, faults: Vec::new() };
    if prove::full() {
        // The longest first; what is over by itself last.
        faults.late_starters();
        faults.lost_positions();
        faults.quota();
        faults.fenced();
        faults.org();
        faults.schema();
        faults.workers();
    }
    faults.lone_worker();
    faults.dead_letters();
    faults.faults
}

struct Faulty<'a> {
    stage: &'a Stage,
    faults: Vec<Fault<'a>>,
}

impl<'a> Faulty<'a> {
    fn add(
        &mut self,
        alert: &'static str,
        severity: &'static str,
        namespace: &'static str,
        of: &str,
        mend: impl FnOnce() + 'a,
    ) {
        let mend: Box<dyn FnOnce() + 'a> = Box::new(mend);
        self.faults.push(Fault { alert, severity, namespace, of: of.to_owned(), mend: Some(mend), mended_at: None });
    }

    fn lone_worker(&mut self) {
        let lone = self.stage.worker("lone");
        lone.kill9();
        self.add("OktaKafkaSourceWorkerDown", "page", "lone", "", || lone.start());
    }

    /// Twenty elements without a uuid. Nothing is to be mended: no more come.
    fn dead_letters(&mut self) {
        let odd = self.stage.victim("odd");
        odd.org.append((0..20).map(|number| format!(r#"{{"eventType":"odd.{number}"}}"#)));
        for severity in ["ticket", "page"] {
            self.add("OktaKafkaSourceDeadLetters", severity, "faulty", &odd.name, || {});
        }
    }

    fn org(&mut self) {
        let faults = [
            ("stale", "OktaKafkaSourceStale", "page", FaultKind::Http503),
            ("limited", "OktaKafkaSourceRateLimited", "ticket", FaultKind::RateLimit),
        ];
        for (purpose, alert, severity, kind) in faults {
            let victim = self.stage.victim(purpose);
            victim.org.set_faults(Faults::one(kind, 1.0).unwrap());
            self.add(alert, severity, "faulty", &victim.name, || victim.org.set_faults(Faults::none()));
        }
        let (failed, file) = (self.stage.victim("failed"), self.stage.token_file.as_path());
        fs::write(file, "00Wc3xZpLq8TnVb6RjKf2YhDs7MgAu4EiOoPzB5t91").unwrap();
        self.add("OktaKafkaSourceConnectorFailed", "page", "faulty", &failed.name, move || {
            fs::write(file, failed.org.token()).unwrap()
        });
    }

    /// Somebody else uses nearly all of each window.
    fn quota(&mut self) {
        let victim = self.stage.victim("quota");
        let (address, token) = (victim.org.authority(), victim.org.token().to_owned());
        let (stop, stopped) = mpsc::channel();
        let _ = thread::spawn(move || {
            let mut rest = Duration::ZERO;
            // Until it is told to stop.
            while stopped.recv_timeout(rest) == Err(RecvTimeoutError::Timeout) {
                let (left, reset) = ask(&address, &token);
                let rest_seconds = if left > 6 { 0.0 } else { (reset - unix_seconds()).clamp(0.1, 5.0) };
                rest = Duration::from_secs_f64(rest_seconds);
            }
        });
        self.add("OktaKafkaSourceQuotaNearlyUsed", "ticket", "faulty", &victim.name, move || {
            // It may have ended by itself, with its org.
            let _ = stop.send(());
        });
    }

    /// Somebody else takes the shard's transactional id again and again.
    fn fenced(&mut self) {
        let (stage, victim, worker) = (self.stage, self.stage.victim("fenced"), self.stage.worker("faulty"));
        let id = format!("{}-3", worker.config.offsets_topic);
        let fenced = || worker.of(&victim.name, "transactions_total", &[("result", "fenced")]).unwrap_or_default();
        // A life that has only begun takes the id back, and is not fenced: then once more.
        while fenced() < 4.0 {
            let (known, until) = (fenced(), Instant::now() + Duration::from_secs(4));
            Open::fence(&stage.bootstrap, &id);
            victim.org.generate(1);
            while fenced() <= known && Instant::now() < until {
                thread::sleep(Duration::from_millis(20));
            }
        }
        self.add("OktaKafkaSourceFenced", "ticket", "faulty", &victim.name, || {});
    }

    fn schema(&mut self) {
        let drift = self.stage.victim("drift");
        drift.org.drift();
        drift.org.generate(200);
        // What has changed stays so; what is told of it is over.
        self.add("OktaKafkaSourceSchemaDrift", "ticket", "faulty", &drift.name, || {});
        let (waiting, registry) = (self.stage.victim("registry"), &self.stage.registry);
        self.stage.worker("registry").start();
        self.add("OktaKafkaSourceSchemaRegistryFailing", "ticket", "registry", &waiting.name, || registry.restart());
    }

    fn workers(&mut self) {
        let one = self.stage.worker("pair");
        one.stop();
        self.add("OktaKafkaSourceWorkerDown", "ticket", "pair", &one.config.http_listen, || one.start());
        let hidden: &Worker = self.stage.worker("hidden");
        hidden.start();
        self.add("OktaKafkaSourceShardWithoutOwner", "page", "shards", "", || hidden.stop());
        // Ended well each time, so that its shards are let go of at once.
        let (restarts, org) = (self.stage.worker("restarts"), &self.stage.victim("restarts").org);
        for _ in 0..4 {
            restarts.stop();
            let known = org.request_count();
            restarts.start();
            org.await_requests(known + 1, Duration::from_secs(60));
        }
        self.add("OktaKafkaSourceRestarts", "ticket", "restarts", &restarts.config.http_listen, || {});
    }

    fn late_starters(&mut self) {
        let (unread, worker) = (self.stage.victim("unread"), self.stage.worker("unread"));
        let (topic, key) = (&worker.config.offsets_topic, checkpoint::key("other", "other.example.com"));
        // Somebody's open transaction: nobody knows what the last checkpoint is.
        let value =
            checkpoint::value("https://other.example.com/api/v1/logs?since=2026-01-01T00%3A00%3A00Z&after=1_1", None);
        let open = Open::write(&self.stage.bootstrap, &random_name("other"), topic, 0, &key, &value);
        worker.start();
        self.add("OktaKafkaSourceNotStarted", "page", "unread", &unread.name, move || open.commit());
        // Ten events of 6 s a page, and two pages a second: six days take half a day.
        let slow = self.stage.victim("slow");
        let begin = Timestamp::now() - SignedDuration::from_hours(6 * 24);
        slow.org.append((0..6_000).map(|number| {
            let published = begin + SignedDuration::from_millis(number * 600);
            format!(r#"{{"uuid":"slow-{number}","published":"{published:.3}","eventType":"user.session.start"}}"#)
        }));
        self.stage.worker("slow").start();
        self.add("OktaKafkaSourceCatchUpSlow", "ticket", "slow", &slow.name, || slow.org.set_latency(Duration::ZERO));
    }

    fn lost_positions(&mut self) {
        let lost = self.stage.victim("cursor");
        lost.org.lose_cursors();
        // It recovers by itself, and is told of for an hour.
        self.add("OktaKafkaSourceCursorRecovered", "ticket", "faulty", &lost.name, || {});
        // Its last event is of 100 days ago, and its link of 200: ten days are in no place any more.
        let (missing, worker) = (self.stage.victim("missing"), self.stage.worker("missing"));
        let days_ago = |days: i64| format!("{:.3}", Timestamp::now() - SignedDuration::from_hours(days * 24));
        let link = format!("{}/api/v1/logs?since={}&limit=100&after=1_1", missing.org.url(), days_ago(200));
        let value = checkpoint::value(&link, Some((&days_ago(100), "9f0b8dc0-0000-4000-8000-000000000001")));
        let (bootstrap, topic) = (&self.stage.bootstrap, &worker.config.offsets_topic);
        let key = checkpoint::key(&missing.name, &missing.org.authority());
        let id = format!("{topic}-0");
        write_fencing(bootstrap, &id, topic, 0, &key, &value);
        worker.start();
        self.add("OktaKafkaSourceEventsMissing", "ticket", "missing", &missing.name, move || {
            delete_fencing(bootstrap, &id, topic, 0, &key);
        });
    }
}
