//! One rule a test. What they come to over twenty windows is in tests/it/rate_limits/windows.rs.

use std::time::Duration;

use jiff::Timestamp;

use super::{Answer, Ask, GRACE, Kind, LOST, Limiter, PROBE_PATIENCE, Ticket, Turn, Waiter};
use crate::okta::rate_limit::RateLimit;

const SECOND: Duration = Duration::from_secs(1);

fn ask(kind: Kind) -> Ask {
    Ask { kind, share: 0.8, bulk_reserve: 0.5 }
}

/// An answer whose window has `rest` seconds left.
fn answer(status: u16, limit: u64, remaining: u64, rest: i64) -> Answer {
    let rate_limit = Some(RateLimit { limit, remaining, reset: 5_000 + rest });
    Answer { status, rate_limit, server_date: Some(Timestamp::from_second(5_000).unwrap()) }
}

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// Somebody new asks and is let go at once.
fn go(limiter: &mut Limiter, kind: Kind, now: Duration) -> Ticket {
    let waiter = limiter.join(ask(kind));
    match limiter.turn(waiter, now) {
        Turn::Go(ticket) => ticket,
        wait => panic!("{kind:?} at {now:?}: {wait:?}"),
    }
}

/// Somebody new asks and is to wait.
fn waits(limiter: &mut Limiter, kind: Kind, now: Duration) -> (Waiter, Option<Duration>) {
    let waiter = limiter.join(ask(kind));
    match limiter.turn(waiter, now) {
        Turn::Wait { until } => (waiter, until),
        Turn::Go(_) => panic!("{kind:?} goes at {now:?}"),
    }
}

/// A limiter that has just learnt this, of a window of 60 s.
fn knows(limit: u64, remaining: u64, rest: i64) -> Limiter {
    let mut limiter = Limiter::new();
    let ticket = go(&mut limiter, Kind::Live, Duration::ZERO);
    limiter.answered(ticket, answer(200, limit, remaining, rest), Duration::ZERO, 0.0);
    limiter
}

#[test]
fn until_the_limits_are_known_one_request_is_open() {
    let mut limiter = Limiter::new();
    let first = go(&mut limiter, Kind::Backlog, Duration::ZERO);
    let (second, until) = waits(&mut limiter, Kind::Live, SECOND);
    assert_eq!(until, Some(PROBE_PATIENCE.1), "one that hangs does not hold up the others for ever");
    limiter.answered(first, answer(200, 60, 59, 60), 2 * SECOND, 0.0);
    assert!(matches!(limiter.turn(second, 2 * SECOND), Turn::Go(_)));
    // After the window it is the same again.
    let over = seconds(2.0 + 60.0 + 1.0);
    let _ = go(&mut limiter, Kind::Backlog, over);
    let _ = waits(&mut limiter, Kind::Backlog, over + SECOND);
}

#[test]
fn answers_without_limits_set_none() {
    let none = |status| Answer { status, rate_limit: None, server_date: None };
    let mut limiter = Limiter::new();
    let ticket = go(&mut limiter, Kind::Backlog, Duration::ZERO);
    limiter.answered(ticket, none(502), Duration::ZERO, 0.0);
    let ticket = go(&mut limiter, Kind::Backlog, Duration::ZERO);
    let (waiter, _) = waits(&mut limiter, Kind::Backlog, Duration::ZERO);
    limiter.leave(waiter);
    limiter.answered(ticket, none(200), Duration::ZERO, 0.0);
    for _ in 0..1_000 {
        let _ = go(&mut limiter, Kind::Bulk, Duration::ZERO);
    }
    let ticket = go(&mut limiter, Kind::Backlog, Duration::ZERO);
    limiter.answered(ticket, answer(200, 60, 0, 60), Duration::ZERO, 0.0);
    let _ = waits(&mut limiter, Kind::Backlog, Duration::ZERO);
}

#[test]
fn each_kind_goes_as_deep_as_it_may() {
    // Limit, share, kind, and how many are left when it stops at the end of a window.
    for (limit, share, kind, left) in [
        (60, 0.8, Kind::Backlog, 12),
        (60, 0.8, Kind::Live, 6),
        (60, 0.8, Kind::Bulk, 30),
        (10, 0.8, Kind::Backlog, 2),
        (10, 0.8, Kind::Live, 1),
        (10, 0.8, Kind::Bulk, 5),
        (60, 0.25, Kind::Bulk, 45),
        // A small share is a bound for polls too.
        (60, 0.1, Kind::Live, 53),
        (60, 0.25, Kind::Live, 42),
        (60, 0.5, Kind::Live, 23),
        (60, 0.001, Kind::Live, 59),
        (10, 0.7, Kind::Backlog, 3),
        (60, 1.0, Kind::Live, 0),
        // There is always one.
        (60, 0.001, Kind::Backlog, 59),
        (1, 0.8, Kind::Backlog, 0),
        (1, 0.8, Kind::Bulk, 0),
    ] {
        let end = 59 * SECOND;
        let asks = |remaining: u64| {
            let mut limiter = Limiter::new();
            let ticket = go(&mut limiter, Kind::Live, end);
            limiter.answered(ticket, answer(200, limit, remaining, 1), end, 0.0);
            let waiter = limiter.join(Ask { kind, share, bulk_reserve: 0.5 });
            matches!(limiter.turn(waiter, end), Turn::Go(_))
        };
        assert!(asks(left + 1), "{kind:?} with {} of {limit} left, share {share}", left + 1);
        assert!(!asks(left), "{kind:?} with {left} of {limit} left, share {share}");
    }
}

#[test]
fn the_allowance_is_spread_over_the_window() {
    let mut limiter = knows(60, 59, 60);
    // 48 of 60: a burst of 5, one of which is used, and then 43 more over 52.5 s.
    for _ in 0..4 {
        let _ = go(&mut limiter, Kind::Backlog, Duration::ZERO);
    }
    let (waiter, until) = waits(&mut limiter, Kind::Backlog, Duration::ZERO);
    let until = until.unwrap();
    assert!((until.as_secs_f64() - 52.5 / 43.0).abs() < 0.01, "{until:?}");
    // A poll has more: half of the way to its own end.
    let poll = go(&mut limiter, Kind::Live, Duration::ZERO);
    limiter.unanswered(poll);
    assert!(matches!(limiter.turn(waiter, until), Turn::Wait { .. }), "what came to nothing may have been counted");
    assert!(matches!(limiter.turn(waiter, until * 2), Turn::Go(_)));
}

#[test]
fn a_window_may_have_begun_before_our_clock() {
    // 50 s of it are over: 45 of the 48 may be used by now.
    for (remaining, goes) in [(16, true), (15, false)] {
        let mut limiter = knows(60, remaining, 10);
        let waiter = limiter.join(ask(Kind::Backlog));
        assert_eq!(matches!(limiter.turn(waiter, Duration::ZERO), Turn::Go(_)), goes, "{remaining} left");
    }
}

#[test]
fn polls_go_first_and_those_of_one_kind_in_their_order() {
    let mut limiter = knows(60, 12, 30);
    let over = Duration::from_secs(31);
    let bulk = limiter.join(ask(Kind::Bulk));
    let (first, second) = (limiter.join(ask(Kind::Backlog)), limiter.join(ask(Kind::Backlog)));
    let live = limiter.join(ask(Kind::Live));
    for waiter in [bulk, second, first] {
        assert!(matches!(limiter.turn(waiter, over), Turn::Wait { .. }), "{waiter:?}");
    }
    for (waiter, behind) in [(live, first), (first, second), (second, bulk)] {
        assert!(matches!(limiter.turn(behind, over), Turn::Wait { .. }));
        let Turn::Go(ticket) = limiter.turn(waiter, over) else { panic!("{waiter:?}") };
        limiter.answered(ticket, answer(200, 60, 59, 60), over, 0.0);
    }
    assert!(matches!(limiter.turn(bulk, over), Turn::Go(_)));
}

#[test]
fn who_could_go_and_does_not_come_holds_up_nobody_for_long() {
    let mut limiter = knows(60, 59, 60);
    let (stuck, next) = (limiter.join(ask(Kind::Live)), limiter.join(ask(Kind::Live)));
    assert_eq!(limiter.turn(next, SECOND), Turn::Wait { until: Some(SECOND + GRACE) });
    assert!(matches!(limiter.turn(next, SECOND + GRACE), Turn::Go(_)));
    let next = limiter.join(ask(Kind::Live));
    assert!(matches!(limiter.turn(stuck, 2 * SECOND), Turn::Go(_)));
    let stuck = limiter.join(ask(Kind::Live));
    assert!(matches!(limiter.turn(next, SECOND), Turn::Go(_)), "{stuck:?} came later");
    let next = limiter.join(ask(Kind::Live));
    assert!(matches!(limiter.turn(next, SECOND), Turn::Wait { .. }));
    limiter.leave(stuck);
    assert!(matches!(limiter.turn(next, SECOND + GRACE), Turn::Go(_)));
}

#[test]
fn a_429_of_the_window_holds_everybody() {
    let mut limiter = knows(60, 59, 60);
    let ticket = go(&mut limiter, Kind::Backlog, SECOND);
    limiter.answered(ticket, answer(429, 60, 0, 30), SECOND, 0.5);
    for kind in [Kind::Live, Kind::Backlog, Kind::Bulk] {
        // 30 s and 1 s, and half a second of jitter.
        assert_eq!(waits(&mut limiter, kind, 2 * SECOND).1, Some(seconds(32.5)));
    }
}

#[test]
fn a_429_about_concurrency_holds_for_a_doubling_while_and_halves_what_is_open() {
    let mut limiter = knows(600, 599, 60);
    let mut now = SECOND;
    for (wait, most) in [(0.5, 4), (1.0, 2), (2.0, 1), (4.0, 1)] {
        // As many as are let go, 8 of them; all that were sent together are refused together.
        let mut open = vec![go(&mut limiter, Kind::Backlog, now)];
        while open.len() < 8 {
            let waiter = limiter.join(ask(Kind::Backlog));
            let Turn::Go(ticket) = limiter.turn(waiter, now) else { break };
            open.push(ticket);
        }
        now += seconds(0.1);
        for ticket in open {
            limiter.answered(ticket, answer(429, 0, 0, 30), now, 1.0);
        }
        limiter.waiting.clear();
        assert_eq!(
            waits(&mut limiter, Kind::Live, now).1,
            Some(now + seconds(wait)),
            "one refusal, however many were told"
        );
        limiter.waiting.clear();
        now += seconds(wait);
        let together: Vec<Ticket> = (0..most).map(|_| go(&mut limiter, Kind::Backlog, now)).collect();
        assert_eq!(waits(&mut limiter, Kind::Live, now).1, Some(now + LOST), "{most} at once");
        limiter.waiting.clear();
        for ticket in together {
            limiter.unused(ticket);
        }
    }
    assert_eq!(limiter.known(now).unwrap().limit, 600, "its limit of 0 is no limit");
    let only = go(&mut limiter, Kind::Live, now);
    let (next, _) = waits(&mut limiter, Kind::Live, now);
    // After a calm while, one more.
    now += 10 * SECOND;
    limiter.answered(only, answer(200, 600, 589, 40), now, 0.0);
    assert!(matches!(limiter.turn(next, now), Turn::Go(_)));
    let _ = go(&mut limiter, Kind::Live, now);
    assert_eq!(waits(&mut limiter, Kind::Live, now).1, Some(now + LOST));
}

#[test]
fn an_answer_of_before_a_refusal_does_not_end_its_row() {
    let mut limiter = knows(600, 599, 60);
    let mut now = SECOND;
    for wait in [0.5, 1.0, 2.0] {
        let (good, bad) = (go(&mut limiter, Kind::Backlog, now), limiter.join(ask(Kind::Backlog)));
        let Turn::Go(bad) = limiter.turn(bad, now) else { panic!("two at once") };
        now += seconds(0.1);
        limiter.answered(bad, answer(429, 0, 0, 30), now, 1.0);
        limiter.answered(good, answer(200, 600, 598, 50), now, 0.0);
        assert_eq!(waits(&mut limiter, Kind::Live, now).1, Some(now + seconds(wait)));
        limiter.waiting.clear();
        now += seconds(wait);
        limiter.crowd.most = None;
    }
}

#[test]
fn answers_out_of_order_and_of_the_window_before_are_understood() {
    let mut limiter = knows(60, 50, 30);
    let (first, second) = (go(&mut limiter, Kind::Live, SECOND), go(&mut limiter, Kind::Live, SECOND));
    limiter.answered(second, answer(200, 60, 38, 29), 2 * SECOND, 0.0);
    limiter.answered(first, answer(200, 60, 39, 29), 2 * SECOND, 0.0);
    assert_eq!(limiter.known(2 * SECOND).unwrap().remaining, 38);
    // Sent in this window, answered from the next: by then the next one is known.
    let late = go(&mut limiter, Kind::Live, 29 * SECOND);
    let new = go(&mut limiter, Kind::Live, 32 * SECOND);
    limiter.answered(new, answer(200, 60, 59, 60), 32 * SECOND, 0.0);
    limiter.answered(late, answer(200, 60, 37, 1), 33 * SECOND, 0.0);
    let known = limiter.known(33 * SECOND).unwrap();
    assert_eq!((known.remaining, known.resets_in), (59, 59 * SECOND));
}

#[test]
fn one_answer_with_a_wrong_date_does_no_lasting_harm() {
    let mut limiter = knows(60, 40, 30);
    let ticket = go(&mut limiter, Kind::Live, SECOND);
    let mut wrong = answer(200, 60, 39, 29);
    wrong.server_date = Some(Timestamp::from_second(0).unwrap());
    limiter.answered(ticket, wrong, SECOND, 0.0);
    let ticket = go(&mut limiter, Kind::Live, 2 * SECOND);
    limiter.answered(ticket, answer(200, 60, 38, 28), 2 * SECOND, 0.0);
    let known = limiter.known(2 * SECOND).unwrap();
    assert_eq!((known.remaining, known.resets_in), (38, 28 * SECOND));
}

#[test]
fn a_429_with_a_wrong_date_holds_for_no_longer_than_a_window() {
    let mut limiter = knows(60, 40, 30);
    let ticket = go(&mut limiter, Kind::Live, SECOND);
    let mut wrong = answer(429, 60, 0, 29);
    wrong.server_date = Some(Timestamp::from_second(0).unwrap());
    limiter.answered(ticket, wrong, SECOND, 0.5);
    let (waiter, until) = waits(&mut limiter, Kind::Live, 2 * SECOND);
    assert_eq!(until, Some(SECOND + seconds(60.0 + 1.5)));
    assert!(matches!(limiter.turn(waiter, until.unwrap()), Turn::Go(_)));
}

#[test]
fn an_answer_without_a_date_does_not_put_off_the_end_of_the_window() {
    let mut limiter = knows(60, 59, 60);
    for (at, remaining) in [(10, 50), (20, 40), (50, 30)] {
        let ticket = go(&mut limiter, Kind::Live, at * SECOND);
        let without = Answer { server_date: None, ..answer(200, 60, remaining, 0) };
        limiter.answered(ticket, without, at * SECOND, 0.0);
        let known = limiter.known(at * SECOND).unwrap();
        assert_eq!((known.remaining, known.resets_in), (remaining, (60 - at) * SECOND));
    }
    // Nor does a 429.
    let ticket = go(&mut limiter, Kind::Live, 55 * SECOND);
    limiter.answered(ticket, Answer { server_date: None, ..answer(429, 60, 0, 0) }, 55 * SECOND, 0.0);
    assert_eq!(waits(&mut limiter, Kind::Live, 55 * SECOND).1, Some(61 * SECOND));
}

#[test]
fn a_slow_request_that_is_to_tell_holds_up_the_others_as_long_as_quick_ones_take() {
    for (quick, patience) in [(0.1, 2.0), (1.5, 4.5), (9.0, 10.0)] {
        let mut limiter = Limiter::new();
        let ticket = go(&mut limiter, Kind::Live, Duration::ZERO);
        limiter.answered(ticket, answer(200, 60, 59, 60), seconds(quick), 0.0);
        let ticket = go(&mut limiter, Kind::Live, seconds(quick));
        limiter.answered(ticket, answer(200, 60, 58, 30), seconds(quick + quick), 0.0);
        let begun = 100 * SECOND;
        let _ = go(&mut limiter, Kind::Backlog, begun);
        let (waiter, until) = waits(&mut limiter, Kind::Live, begun);
        assert_eq!(until, Some(begun + seconds(patience)));
        assert!(matches!(limiter.turn(waiter, begun + seconds(patience)), Turn::Go(_)));
    }
    let mut limiter = knows(600, 599, 60);
    for latency in [0.1, 30.0, 0.1] {
        let ticket = go(&mut limiter, Kind::Live, SECOND);
        limiter.answered(ticket, answer(200, 600, 590, 60), seconds(1.0 + latency), 0.0);
    }
    assert!(limiter.probe_patience() <= 2 * SECOND, "{:?}", limiter.probe_patience());
}

#[test]
fn a_request_whose_asker_is_stuck_is_given_up() {
    let mut limiter = Limiter::new();
    let lost = go(&mut limiter, Kind::Live, Duration::ZERO);
    limiter.answered(lost, answer(429, 0, 0, 1), Duration::ZERO, 0.0);
    let lost = go(&mut limiter, Kind::Live, SECOND);
    let (waiter, until) = waits(&mut limiter, Kind::Live, 2 * SECOND);
    assert_eq!(until, Some(SECOND + LOST), "one at once, and nobody else wakes this one up");
    // A token and two pages may take as long.
    assert!(matches!(limiter.turn(waiter, 4 * 60 * SECOND), Turn::Wait { .. }));
    assert!(matches!(limiter.turn(waiter, SECOND + LOST), Turn::Go(_)));
    limiter.unanswered(lost);
}

#[test]
fn connectors_of_different_shares_do_not_wait_for_each_other() {
    let mut limiter = knows(100, 50, 1);
    let small = limiter.join(Ask { share: 0.3, ..ask(Kind::Backlog) });
    let large = limiter.join(Ask { share: 0.8, ..ask(Kind::Backlog) });
    assert!(matches!(limiter.turn(small, Duration::ZERO), Turn::Wait { .. }));
    assert!(matches!(limiter.turn(large, Duration::ZERO), Turn::Go(_)));
}
