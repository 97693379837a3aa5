//! Twenty windows in simulated time: what is allowed is used, and nothing is refused. With `--nocapture` the figures are
//! shown (docs/measurements.md).

use std::time::Duration;

use super::simulation::{Foreigner, Latency, Load, Seen, World, run};
use crate::support::prove;

const SECOND: Duration = Duration::from_secs(1);
const SHORT: Latency = Latency(Duration::from_millis(50), Duration::from_millis(50));
const LONG: Latency = Latency(Duration::from_secs(5), Duration::from_secs(5));
const MIXED: Latency = Latency(Duration::from_millis(50), Duration::from_secs(5));
const LATENCIES: [Latency; 3] = [SHORT, LONG, MIXED];
const LIMITS: [u64; 4] = [10, 60, 120, 600];

/// The least part of what is allowed that must be used.
const USED: f64 = 0.95;

fn show(name: &str, world: &World, seen: &Seen) {
    let by_process: Vec<u64> =
        (0..world.processes.len()).map(|process| seen.past.iter().map(|past| past.used[process]).sum()).collect();
    println!(
        "{name}: limit {}, {:?} to {:?}: {} windows in {:.0} s, used {:.3} of what is allowed, {by_process:?}; refused {}, of the \
         foreign client's {}; polls waited {:.1} s at most; least left {}",
        world.limit,
        world.latency.0,
        world.latency.1,
        seen.past.len(),
        seen.took.as_secs_f64(),
        seen.part_used(world),
        seen.refused(),
        seen.foreign_refused(),
        seen.longest_live_wait().as_secs_f64(),
        seen.past.iter().flat_map(|past| &past.least_left).min().unwrap(),
    );
}

/// As many connectors as it takes to use up what is allowed.
fn backlog(limit: u64, latency: Latency) -> Vec<Load> {
    let a_second = limit as f64 * 0.8 / 52.0;
    vec![Load::Backlog; (a_second * latency.1.as_secs_f64()).ceil() as usize + 1]
}

/// Each limit with each latency, and two seeds.
fn worlds(limits: &[u64]) -> impl Iterator<Item = World> + '_ {
    limits.iter().flat_map(|limit| LATENCIES.iter().map(move |latency| (*limit, *latency))).flat_map(
        |(limit, latency)| {
            (0..2).map(move |seed| World {
                limit,
                latency,
                processes: vec![backlog(limit, latency)],
                seed,
                ..World::default()
            })
        },
    )
}

#[test]
fn a_backlog_alone_uses_its_share_and_nothing_is_refused() {
    for world in worlds(&LIMITS) {
        // Neither reading of Okta's windows may be one too many.
        for exact in [false, true] {
            let world = World { exact, ..world.clone() };
            let seen = run(&world);
            show("alone", &world, &seen);
            assert_eq!((seen.past.len(), seen.refused()), (20, 0));
            assert!(seen.part_used(&world) >= USED);
            // The next window begins as soon as the last one is surely over.
            let lost = seen.took.as_secs_f64() / 20.0 - 60.0;
            assert!(lost <= 2.0 + world.latency.1.as_secs_f64(), "{lost} s lost a window");
            // Not in one go: in the second quarter of each window something is left to be asked, and asked for.
            for past in &seen.past {
                assert!(past.last >= past.began + 40 * SECOND, "used up after {:?}", past.last - past.began);
            }
        }
    }
}

#[test]
fn a_huge_limit_slows_nobody() {
    for (latency, connectors) in [(SHORT, 30), (LONG, 100), (MIXED, 100)] {
        let world = World {
            limit: 60_000,
            latency,
            processes: vec![vec![Load::Backlog; connectors]],
            windows: 2,
            ..World::default()
        };
        let seen = run(&world);
        show("huge", &world, &seen);
        // There and back, and the millisecond between two requests.
        let request = (latency.0 + latency.1).as_secs_f64() / 2.0 + 0.001;
        let unlimited = connectors as f64 * seen.took.as_secs_f64() / request;
        let used: u64 = seen.past.iter().map(|past| past.used[0]).sum();
        assert!(used as f64 >= USED * unlimited, "{used} of {unlimited}");
        assert_eq!(seen.refused(), 0);
    }
}

#[test]
fn a_live_connector_does_not_wait_for_the_backlog_of_another_one() {
    for mut world in worlds(&LIMITS) {
        world.processes[0].push(Load::Live(20 * SECOND));
        let seen = run(&world);
        show("live beside a backlog", &world, &seen);
        assert_eq!(seen.refused(), 0);
        assert!(seen.part_used(&world) >= USED);
        // The request that begins a window is awaited, as it tells what there is.
        assert!(seen.longest_live_wait() <= world.latency.1 + SECOND / 10);
    }
}

#[test]
fn a_foreign_client_is_yielded_to() {
    for (part, name) in [(5, "a foreign client's fifth"), (2, "a foreign client's half")] {
        for mut world in worlds(&LIMITS) {
            world.foreigner = Some(Foreigner { least: 0, most: world.limit / part });
            let seen = run(&world);
            show(name, &world, &seen);
            assert!(seen.part_used(&world) >= USED);
            let left = world.limit - (world.limit as f64 * world.share) as u64;
            for past in seen.past.iter().filter(|past| past.refused + past.foreign_refused > 0) {
                // Then our share was used before it came: no pace can know that.
                assert!(past.foreign > left && world.limit == 10, "{past:?}");
            }
        }
    }
}

#[test]
fn a_clock_that_is_off_or_jumps_changes_nothing() {
    for world in worlds(&[10, 120]) {
        let right = run(&world);
        for (clock_off, clock_jump) in [(3_600, 0), (-3_600, 0), (0, 3_600), (0, -7_200), (86_400, 1)] {
            let seen = run(&World { clock_off, clock_jump, ..world.clone() });
            show("clock", &world, &seen);
            assert_eq!(seen.refused(), 0);
            let same = |seen: &Seen| seen.past.iter().map(|past| past.used[0]).collect::<Vec<_>>();
            assert_eq!(same(&seen), same(&right), "{clock_off} s off, jumping by {clock_jump} s");
        }
    }
}

#[test]
fn two_processes_share_what_is_allowed() {
    for mut world in worlds(&LIMITS) {
        world.processes.push(world.processes[0].clone());
        let seen = run(&world);
        show("two processes", &world, &seen);
        assert_eq!(seen.refused(), 0);
        assert!(seen.part_used(&world) >= USED);
        let used = |process: usize| seen.past.iter().map(|past| past.used[process]).sum::<u64>() as f64;
        assert!((0.4..=0.6).contains(&(used(0) / (used(0) + used(1)))), "{} and {}", used(0), used(1));
    }
}

#[test]
fn a_bulk_process_lives_on_what_two_others_leave() {
    for world in worlds(&LIMITS) {
        let catch_up = world.processes[0].clone();
        let live = vec![Load::Live(20 * SECOND)];
        let bulk = vec![Load::Bulk; catch_up.len()];
        let without = World { processes: vec![live.clone(), live.clone()], ..world.clone() };
        let quiet = World { processes: vec![live.clone(), live.clone(), bulk.clone()], ..world.clone() };
        let busy = World { processes: vec![catch_up.clone(), [catch_up, live].concat(), bulk], ..world.clone() };
        let (without, quiet_seen, busy_seen) = (run(&without), run(&quiet), run(&busy));
        show("two live and a bulk process", &quiet, &quiet_seen);
        show("two catching up and a bulk process", &busy, &busy_seen);
        assert_eq!((without.refused(), quiet_seen.refused(), busy_seen.refused()), (0, 0, 0));
        assert!(quiet_seen.longest_live_wait() <= without.longest_live_wait() + SECOND / 10);
        // Of a limit of 10 there is nothing left for a third one, whatever it does.
        if world.limit > 10 {
            assert!(busy_seen.longest_live_wait() <= world.latency.1 + SECOND / 10);
        }
        let half = world.limit / 2;
        for past in &quiet_seen.past {
            // Its last look may be older than what the two have asked since.
            assert!(past.least_left[2] + 2 >= half, "asked with {} left", past.least_left[2]);
        }
        let bulk_used: u64 = quiet_seen.past.iter().map(|past| past.used[2]).sum();
        assert!(world.limit == 10 || bulk_used >= 20 * world.limit * 3 / 10, "{bulk_used}");
    }
}

#[test]
fn a_connector_that_is_behind_is_not_starved_by_polls() {
    // The polls alone want all that there is, and more.
    for (limit, polls) in [(10, 9), (10, 15), (60, 54), (60, 90)] {
        for seed in 0..5 {
            let loads = [vec![Load::Live(60 * SECOND); polls], vec![Load::Backlog; 2]].concat();
            let world = World { limit, seed, processes: vec![loads], ..World::default() };
            let seen = run(&world);
            show("polls that use it up", &world, &seen);
            println!("pages {:?}", seen.pages[0]);
            assert_eq!(seen.refused(), 0);
            // A page in an interval; where the polls want more than there is, as many as each of them.
            let least = 20 * limit.min(polls as u64) * 8 / 10 / (polls as u64 + 2);
            for pages in &seen.pages[0] {
                assert!(*pages >= least, "{pages} pages, not {least}: {:?}", seen.pages[0]);
            }
        }
    }
}

#[test]
fn a_busy_org_is_polled_as_one_that_is_caught_up() {
    for (limit, pages) in [(60, 2), (60, 5), (60, 10), (60, 20), (120, 40), (10, 2)] {
        for behind in [0, 1, 3, 6] {
            let loads = [vec![Load::Busy(pages)], vec![Load::Backlog; behind]].concat();
            let world = World { limit, processes: vec![loads], windows: 60, ..World::default() };
            let seen = run(&world);
            show("a busy org", &world, &seen);
            let longest = seen.polls.iter().max().unwrap();
            println!("{pages} pages a minute beside {behind}: {} polls, {longest:?} at most", seen.polls.len());
            assert_eq!(seen.refused(), 0);
            // As long as a window, where what it has to read is more than what may be used at once.
            assert!(*longest <= 65 * SECOND, "{longest:?}");
            assert!(seen.behind <= 150 * SECOND, "{:?} behind at the end", seen.behind);
        }
    }
}

#[test]
fn connectors_of_different_shares_get_pages_up_to_each_ones_own() {
    // 24 and 48 of 60: the small one gets half of what is asked until its own share is used.
    for (small, least) in [(0.4, 11), (0.2, 5), (0.1, 2)] {
        for (seed, latency) in [(0, SHORT), (1, SHORT), (2, Latency(SECOND / 20, SECOND / 2))] {
            let processes = vec![vec![Load::Backlog; 2]];
            let world = World { processes, shares: vec![small], seed, latency, ..World::default() };
            let seen = run(&world);
            show("mixed shares", &world, &seen);
            println!("pages {:?}", seen.pages[0]);
            assert_eq!(seen.refused(), 0);
            assert!(seen.part_used(&world) >= USED);
            assert!(seen.pages[0][0] >= 20 * least, "share {small}: {:?}", seen.pages[0]);
        }
    }
}

#[test]
fn windows_that_follow_each_other_without_a_gap_are_kept() {
    for world in worlds(&LIMITS) {
        let world = World { fixed: true, ..world };
        let seen = run(&world);
        show("fixed windows", &world, &seen);
        assert_eq!(seen.refused(), 0);
        assert!(seen.part_used(&world) >= USED, "{}", seen.part_used(&world));
    }
}

#[test]
fn beside_a_client_that_eats_everything_nobody_stands_still() {
    for fixed in [false, true] {
        for seed in 0..5 {
            // All of the limit within 18 s or within 54 s, and on against the wall.
            for eater in [300, 900] {
                let processes = vec![[vec![Load::Live(60 * SECOND); 3], vec![Load::Backlog]].concat()];
                let eater = Some(Duration::from_millis(eater));
                let world = World { processes, eater, fixed, seed, windows: 40, ..World::default() };
                let seen = run(&world);
                show("an eater", &world, &seen);
                println!("pages {:?}", seen.pages[0]);
                for pages in &seen.pages[0] {
                    assert!(*pages >= 15, "{:?}", seen.pages[0]);
                }
            }
        }
    }
}

/// What happened in all worlds of a kind, at the worst.
#[derive(Default)]
struct Worst {
    windows: usize,
    used: f64,
    refused: u64,
    foreign_refused: u64,
    wait: Duration,
}

/// What makes a kind of world out of a backlog alone.
type Change = Box<dyn Fn(&mut World)>;

/// The table of docs/measurements.md.
#[test]
fn the_figures_of_twenty_windows() {
    let seeds = prove::scale(20, 2);
    let live = Load::Live(20 * SECOND);
    let foreigner =
        |part: u64| move |world: &mut World| world.foreigner = Some(Foreigner { least: 0, most: world.limit / part });
    let kinds: [(&str, Change); 7] = [
        ("a backlog alone", Box::new(|_| {})),
        ("beside a live connector", Box::new(move |world| world.processes[0].push(live))),
        ("beside a foreign client, up to a fifth", Box::new(foreigner(5))),
        ("beside a foreign client, up to half", Box::new(foreigner(2))),
        (
            "the server's clock an hour off, jumping",
            Box::new(|world| (world.clock_off, world.clock_jump) = (3_600, 3_600)),
        ),
        ("two processes", Box::new(|world| world.processes.push(world.processes[0].clone()))),
        (
            "two processes, a live connector, a bulk process",
            Box::new(move |world| {
                let all = world.processes[0].clone();
                world.processes.push([all.clone(), vec![live]].concat());
                world.processes.push(vec![Load::Bulk; all.len()]);
            }),
        ),
    ];
    let mut result = String::new();
    for limit in LIMITS {
        for (name, change) in &kinds {
            let mut worst = Worst { used: f64::MAX, ..Worst::default() };
            for latency in LATENCIES {
                for seed in 0..seeds {
                    let mut world =
                        World { limit, latency, seed, processes: vec![backlog(limit, latency)], ..World::default() };
                    change(&mut world);
                    let seen = run(&world);
                    worst.windows += seen.past.len();
                    worst.used = worst.used.min(seen.part_used(&world));
                    worst.refused += seen.refused();
                    worst.foreign_refused += seen.foreign_refused();
                    worst.wait = worst.wait.max(seen.longest_live_wait());
                }
            }
            let Worst { windows, used, refused, foreign_refused, wait } = worst;
            println!(
                "| {limit} | {name} | {windows} | {used:.3} | {refused} | {foreign_refused} | {:.1} s |",
                wait.as_secs_f64()
            );
            // Of ten, one that is kept back for what others may ask meanwhile is much.
            let least = if limit == 10 { 0.9 } else { USED };
            assert!(used >= least, "{name} at {limit}: {used}");
            // A foreign client that takes half of ten comes when our share is used, and no pace can know that.
            let is_ours = !(limit == 10 && name.ends_with("half"));
            assert!(!is_ours || refused + foreign_refused == 0, "{name} at {limit}: {refused} and {foreign_refused}");
            if limit == 60 {
                result += &format!("{name}: {used:.3} used, {refused} refused; ");
            }
        }
    }
    prove::row(
        "rate-limit-windows",
        "A connector uses at least 95 % of its share of the rate limit while it is behind, and makes no 429",
        &format!(
            "simulated time, 20 windows, {seeds} seeds, latencies of 50 ms, 5 s and between, limits of 10, 60, 120 and 600; with \
             other connectors, processes and clients"
        ),
        &format!("the least of each at a limit of 60: {}", result.trim_end_matches("; ")),
    );
}
