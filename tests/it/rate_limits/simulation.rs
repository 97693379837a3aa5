//! Simulated time: an org with its bucket, processes with a limiter each, and clients that know none. Nobody sleeps.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::Duration;

use jiff::Timestamp;

use okta_kafka_source::okta::limiter::standing::Standing;
use okta_kafka_source::okta::limiter::{Answer, Ask, Kind, Limiter, Ticket, Turn, Waiter};
use okta_kafka_source::okta::rate_limit::RateLimit;

/// What a connector does.
#[derive(Debug, Clone, Copy)]
pub enum Load {
    /// Asks again as soon as it has its answer.
    Backlog,
    /// Polls once a minute an org that fills so many pages in a minute: asks again until it has reached the end.
    Busy(u64),
    /// Polls this long after its last answer.
    Live(Duration),
    /// Of another process than `run`: asks again as soon as it has its answer.
    Bulk,
}

/// `interval` of those that are not `Live`.
const INTERVAL: Duration = Duration::from_secs(60);

/// A connector, as a worker has it.
struct Asker {
    load: Load,
    standing: Standing,
    /// Busy: up to where it has read what the org writes.
    read: Duration,
    /// Since when it is at the end, or reads what came since.
    poll_began: Duration,
}

impl Asker {
    fn kind(&self, now: Duration) -> Kind {
        match self.load {
            Load::Backlog | Load::Busy(_) => self.standing.kind(now, INTERVAL),
            Load::Live(_) => Kind::Live,
            Load::Bulk => Kind::Bulk,
        }
    }

    /// A page came; gives how long it rests.
    fn page(&mut self, now: Duration, seen: &mut Seen) -> Duration {
        let at_once = Duration::from_millis(1);
        match self.load {
            Load::Bulk => at_once,
            Load::Live(interval) => interval,
            Load::Backlog => {
                self.standing.page(true, Some(Duration::from_secs(86_400)), INTERVAL);
                at_once
            }
            Load::Busy(pages) => {
                let page = INTERVAL / u32::try_from(pages).unwrap();
                let is_full = self.read + page <= now;
                self.read = if is_full { self.read + page } else { now };
                seen.behind = now - self.read;
                self.standing.page(is_full, Some(seen.behind), INTERVAL);
                if is_full {
                    return at_once;
                }
                seen.polls.push(now - self.poll_began);
                self.poll_began = now + INTERVAL;
                INTERVAL
            }
        }
    }
}

/// How long a request takes, there and back; drawn anew for each.
#[derive(Debug, Clone, Copy)]
pub struct Latency(pub Duration, pub Duration);

/// A client that keeps to nothing: in each window of its own, this many requests at random moments.
#[derive(Debug, Clone, Copy)]
pub struct Foreigner {
    pub least: u64,
    pub most: u64,
}

/// What is simulated.
#[derive(Debug, Clone)]
pub struct World {
    pub limit: u64,
    pub window: Duration,
    pub share: f64,
    /// Of each process's first connectors, where theirs is another one.
    pub shares: Vec<f64>,
    pub latency: Latency,
    /// A process each, with its connectors.
    pub processes: Vec<Vec<Load>>,
    pub foreigner: Option<Foreigner>,
    /// A client that asks this often, whatever is left and whatever it is answered.
    pub eater: Option<Duration>,
    /// Whether windows follow each other without a gap, whoever asks.
    pub fixed: bool,
    /// Windows to be over.
    pub windows: usize,
    /// The server's clock less ours, and by how much it jumps once a window.
    pub clock_off: i64,
    pub clock_jump: i64,
    /// Whether a window begins at the exact moment of its first request, or at its whole second.
    pub exact: bool,
    pub seed: u64,
}

impl Default for World {
    fn default() -> Self {
        Self {
            limit: 60,
            window: Duration::from_secs(60),
            share: 0.8,
            shares: Vec::new(),
            latency: Latency(Duration::from_millis(50), Duration::from_millis(50)),
            processes: vec![vec![Load::Backlog]],
            foreigner: None,
            eater: None,
            fixed: false,
            windows: 20,
            clock_off: 0,
            clock_jump: 0,
            exact: false,
            seed: 1,
        }
    }
}

/// One window of the org, as it was.
#[derive(Debug, Clone, Default)]
pub struct Past {
    pub began: Duration,
    /// Requests let through, by process.
    pub used: Vec<u64>,
    /// By the foreigner.
    pub foreign: u64,
    /// Requests refused, of ours and of the foreigner's.
    pub refused: u64,
    pub foreign_refused: u64,
    /// The least that was left when a request of a process came.
    pub least_left: Vec<u64>,
    /// When the last request of ours came.
    pub last: Duration,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Seen {
    pub past: Vec<Past>,
    /// Answers, by process and connector.
    pub pages: Vec<Vec<u64>>,
    /// How long a busy connector read until it had reached the end.
    pub polls: Vec<Duration>,
    /// How far the last answer of a busy connector was behind.
    pub behind: Duration,
    /// What the polls of live connectors waited for the limiter.
    pub live_waits: Vec<Duration>,
    pub took: Duration,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Ready(usize, usize),
    Promoted(usize, Waiter),
    Wake(usize),
    Foreign,
    Eater,
    ForeignWindow,
    Arrives(usize, usize, Ticket),
    Answered(usize, usize, Ticket, u16, u64, u64, i64, i64),
}

struct Process {
    limiter: Limiter,
    connectors: Vec<Asker>,
    /// By connector, since when, and as what.
    waiting: BTreeMap<Waiter, (usize, Duration, Kind)>,
    /// The one wake-up that counts.
    wake: Option<Duration>,
}

struct Run {
    world: World,
    rng: fastrand::Rng,
    events: BinaryHeap<Reverse<(Duration, u64, Event)>>,
    numbers: u64,
    processes: Vec<Process>,
    used: u64,
    /// Monotonic; the server's own time is this and its offset.
    reset: Duration,
    off: i64,
    seen: Seen,
}

/// Runs it to its end.
pub fn run(world: &World) -> Seen {
    let mut run = Run {
        rng: fastrand::Rng::with_seed(world.seed),
        events: BinaryHeap::new(),
        numbers: 0,
        processes: Vec::new(),
        used: 0,
        reset: Duration::ZERO,
        off: 1_700_000_000 + world.clock_off,
        seen: Seen::default(),
        world: world.clone(),
    };
    for (process, connectors) in world.processes.iter().enumerate() {
        for connector in 0..connectors.len() {
            let start = Duration::from_millis(100_300 + run.rng.u64(0..5_000));
            run.at(start, Event::Ready(process, connector));
        }
        run.seen.pages.push(vec![0; connectors.len()]);
        let began = Duration::from_secs(100);
        let new = |load: &Load| Asker { load: *load, standing: Standing::default(), read: began, poll_began: began };
        let connectors = connectors.iter().map(new).collect();
        run.processes.push(Process { limiter: Limiter::new(), connectors, waiting: BTreeMap::new(), wake: None });
    }
    if world.foreigner.is_some() {
        run.at(Duration::from_secs(100), Event::ForeignWindow);
    }
    if world.eater.is_some() {
        run.at(Duration::from_secs(100), Event::Eater);
    }
    let mut now = Duration::ZERO;
    while run.seen.past.len() <= world.windows {
        let Some(Reverse((at, _, event))) = run.events.pop() else { break };
        now = at;
        run.on(event, now);
    }
    let _ = run.seen.past.pop();
    run.seen.took = now.saturating_sub(run.seen.past.first().map_or(Duration::ZERO, |first| first.began));
    run.seen
}

impl Run {
    fn at(&mut self, at: Duration, event: Event) {
        self.numbers += 1;
        self.events.push(Reverse((at, self.numbers, event)));
    }

    fn on(&mut self, event: Event, now: Duration) {
        match event {
            Event::Ready(process, connector) => {
                self.join(process, connector, now, now);
                self.turns(process, now);
            }
            Event::Promoted(process, waiter) => {
                if let Some((connector, since, _)) = self.processes[process].waiting.remove(&waiter) {
                    self.processes[process].limiter.leave(waiter);
                    self.join(process, connector, since, now);
                    self.turns(process, now);
                }
            }
            Event::Wake(process) => {
                if self.processes[process].wake == Some(now) {
                    self.processes[process].wake = None;
                    self.turns(process, now);
                }
            }
            Event::Arrives(process, connector, ticket) => {
                let (status, limit, remaining) = self.admit(Some(process), now);
                let server = self.server(now);
                let reset = (self.server(self.reset)).div_euclid(1_000_000);
                let back = self.travel();
                let date = server.div_euclid(1_000_000);
                self.at(now + back, Event::Answered(process, connector, ticket, status, limit, remaining, reset, date));
            }
            Event::Answered(process, connector, ticket, status, limit, remaining, reset, date) => {
                let answer = Answer {
                    status,
                    rate_limit: Some(RateLimit { limit, remaining, reset }),
                    server_date: Some(Timestamp::from_second(date).unwrap()),
                };
                let jitter = self.rng.f64();
                self.processes[process].limiter.answered(ticket, answer, now, jitter);
                let rest = if status == 200 {
                    self.seen.pages[process][connector] += 1;
                    self.processes[process].connectors[connector].page(now, &mut self.seen)
                } else {
                    Duration::from_secs(1)
                };
                self.at(now + rest, Event::Ready(process, connector));
                self.turns(process, now);
            }
            Event::Foreign => {
                let _ = self.admit(None, now);
            }
            Event::Eater => {
                let _ = self.admit(None, now);
                self.at(now + self.world.eater.unwrap_or_default(), Event::Eater);
            }
            Event::ForeignWindow => {
                let Some(Foreigner { least, most }) = self.world.foreigner else { return };
                for _ in 0..self.rng.u64(least..=most) {
                    let after = self.world.window.mul_f64(self.rng.f64());
                    self.at(now + after, Event::Foreign);
                }
                self.at(now + self.world.window, Event::ForeignWindow);
            }
        }
    }

    fn join(&mut self, process: usize, connector: usize, since: Duration, now: Duration) {
        let kind = self.processes[process].connectors[connector].kind(now);
        let share = self.world.shares.get(connector).copied().unwrap_or(self.world.share);
        let ask = Ask { kind, share, bulk_reserve: 0.5 };
        let waiter = self.processes[process].limiter.join(ask);
        let _ = self.processes[process].waiting.insert(waiter, (connector, since, kind));
        let until = self.processes[process].connectors[connector].standing.live_from(INTERVAL);
        if let Some(until) = until.filter(|_| kind == Kind::Backlog) {
            self.at(until, Event::Promoted(process, waiter));
        }
    }

    /// Everybody who may go goes; the next one's time is noted.
    fn turns(&mut self, process: usize, now: Duration) {
        let mut refused: Vec<(Kind, Option<f64>)> = Vec::new();
        let mut next: Option<Duration> = None;
        let queue: Vec<Waiter> = self.processes[process].waiting.keys().copied().collect();
        for waiter in queue {
            let (connector, since, kind) = self.processes[process].waiting[&waiter];
            // Those of one kind and share are told the same.
            let same = (kind, self.world.shares.get(connector).copied());
            if refused.contains(&same) {
                continue;
            }
            match self.processes[process].limiter.turn(waiter, now) {
                Turn::Go(ticket) => {
                    let _ = self.processes[process].waiting.remove(&waiter);
                    let asker = &mut self.processes[process].connectors[connector];
                    asker.standing.went(now);
                    if matches!(asker.load, Load::Live(_)) {
                        self.seen.live_waits.push(now - since);
                    }
                    let there = self.travel();
                    self.at(now + there, Event::Arrives(process, connector, ticket));
                }
                Turn::Wait { until } => {
                    assert!(until.is_none_or(|until| until > now), "{waiter:?} would come back at once");
                    next = [next, until].into_iter().flatten().min();
                    refused.push(same);
                }
            }
        }
        if let Some(at) = next {
            self.processes[process].wake = Some(at);
            self.at(at, Event::Wake(process));
        }
    }

    /// The org's own count.
    fn admit(&mut self, process: Option<usize>, now: Duration) -> (u16, u64, u64) {
        let whole = |time: Duration| Duration::from_secs(time.as_secs());
        let over = if self.world.exact { now >= self.reset } else { whole(now) >= whole(self.reset) };
        if over {
            self.used = 0;
            self.reset = if self.world.fixed && self.reset > Duration::ZERO {
                // Empty ones are not seen by anybody.
                let gone = (now - self.reset).as_secs() / self.world.window.as_secs();
                self.reset + self.world.window * (u32::try_from(gone).unwrap() + 1)
            } else {
                now + self.world.window
            };
            self.off +=
                if self.seen.past.len().is_multiple_of(2) { self.world.clock_jump } else { -self.world.clock_jump };
            let zero = vec![0; self.processes.len()];
            let least_left = vec![u64::MAX; self.processes.len()];
            self.seen.past.push(Past { began: now, used: zero, least_left, ..Past::default() });
        }
        let past = self.seen.past.last_mut().unwrap();
        let left = self.world.limit - self.used;
        match process {
            Some(process) => {
                past.least_left[process] = past.least_left[process].min(left);
                past.last = now;
                if left > 0 {
                    past.used[process] += 1;
                } else {
                    past.refused += 1;
                }
            }
            None if left > 0 => past.foreign += 1,
            None => past.foreign_refused += 1,
        }
        if left == 0 {
            return (429, self.world.limit, 0);
        }
        self.used += 1;
        (200, self.world.limit, self.world.limit - self.used)
    }

    /// Microseconds of the server's clock.
    fn server(&self, now: Duration) -> i64 {
        self.off * 1_000_000 + i64::try_from(now.as_micros()).unwrap()
    }

    /// One way.
    fn travel(&mut self) -> Duration {
        let Latency(least, most) = self.world.latency;
        (least + (most - least).mul_f64(self.rng.f64())) / 2
    }
}

impl Seen {
    pub fn refused(&self) -> u64 {
        self.past.iter().map(|past| past.refused).sum()
    }

    pub fn foreign_refused(&self) -> u64 {
        self.past.iter().map(|past| past.foreign_refused).sum()
    }

    /// What our processes used of what the share and the foreigner leave them.
    pub fn part_used(&self, world: &World) -> f64 {
        let share = (world.limit as f64 * world.share + 1e-6).floor() as u64;
        let (mut used, mut allowed) = (0, 0);
        for past in &self.past {
            let left = share.saturating_sub(past.foreign);
            allowed += left;
            used += past.used.iter().sum::<u64>().min(left);
        }
        used as f64 / allowed.max(1) as f64
    }

    pub fn longest_live_wait(&self) -> Duration {
        self.live_waits.iter().copied().max().unwrap_or_default()
    }
}
